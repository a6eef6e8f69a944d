#[allow(clippy::needless_pass_by_value)]
/// Current weather.
///
/// # Arguments
///
/// * `city` - City name.
fn weather(
    city: String,
    days: u8,
    units: String,
    r#type: Option<String>,
    time_zone: Option<String>,
) -> String {
    String::new()
}
/// The tool `weather`: `weather::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum weather {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_argument::<String, _>();
        ::mcp_runtime::__private::check_argument::<u8, _>();
        ::mcp_runtime::__private::check_argument::<String, _>();
        ::mcp_runtime::__private::check_argument::<Option<String>, _>();
        ::mcp_runtime::__private::check_argument::<Option<String>, _>();
    };
    #[doc(hidden)]
    #[allow(non_snake_case, clippy::unnecessary_wraps)]
    fn __default_days() -> u8 {
        1
    }
    #[doc(hidden)]
    #[allow(non_snake_case, clippy::unnecessary_wraps)]
    fn __default_units() -> String {
        ::core::convert::Into::into("metric")
    }
    #[derive(
        ::mcp_runtime::__private::serde::Deserialize,
        ::mcp_runtime::__private::schemars::JsonSchema
    )]
    #[serde(crate = "::mcp_runtime::__private::serde")]
    #[schemars(crate = "::mcp_runtime::__private::schemars")]
    #[serde(deny_unknown_fields)]
    #[allow(non_snake_case)]
    struct __Arguments {
        ///City name.
        city: String,
        #[schemars(range(min = 1, max = 14))]
        #[serde(default = "__default_days")]
        days: u8,
        #[serde(default = "__default_units")]
        #[schemars(extend("x-mcp-header" = "Units"))]
        units: String,
        #[serde(default)]
        #[serde(rename = "lang")]
        r#type: Option<String>,
        #[serde(rename = "zone")]
        time_zone: Option<String>,
    }
    #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
    fn __call(
        __context: ::mcp_runtime::__private::Context,
        __arguments: ::mcp_runtime::__private::RawArguments<'_>,
    ) -> ::mcp_runtime::__private::CallFuture {
        let __arguments: __Arguments = match __arguments.parse() {
            ::core::result::Result::Ok(arguments) => arguments,
            ::core::result::Result::Err(outcome) => {
                return ::mcp_runtime::__private::done(outcome);
            }
        };
        ::std::boxed::Box::pin(async move {
            <String as ::mcp_runtime::__private::IntoToolResult>::into_tool_result(
                weather(
                    __arguments.city,
                    __arguments.days,
                    __arguments.units,
                    __arguments.r#type,
                    __arguments.time_zone,
                ),
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ToolDefinition = ::mcp_runtime::__private::ToolDefinition {
        name: "weather",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("Current weather."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::None,
        icons: &[],
        meta: &[],
        injected: &[],
        asks: false,
        location: ::mcp_runtime::__private::Location {
            file: ::core::file!(),
            line: ::core::line!(),
            module: ::core::module_path!(),
        },
        annotations: ::mcp_runtime::__private::Annotations {
            read_only: ::core::option::Option::None,
            destructive: ::core::option::Option::None,
            idempotent: ::core::option::Option::None,
            open_world: ::core::option::Option::None,
        },
        max_result_bytes: ::core::option::Option::None,
        input_schema: <__Arguments as ::mcp_runtime::__private::schemars::JsonSchema>::json_schema,
        plain: false,
        output_schema: <String as ::mcp_runtime::__private::IntoToolResult>::output_schema,
        task: ::mcp_runtime::__private::TaskMode::Never,
        ui: ::core::option::Option::None,
        call: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Tool::from_definition(& __DEFINITION)
    }
    impl weather {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        fn tool() -> ::mcp_runtime::__private::Tool {
            ::mcp_runtime::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
