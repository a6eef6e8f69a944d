#[allow(clippy::needless_pass_by_value)]
#[allow(unused)]
fn ping(rest: Rest) -> &'static str {
    "pong"
}
#[allow(unused)]
const _: () = {
    #[allow(non_upper_case_globals)]
    #[deprecated(
        note = "add a doc comment (`/// ...`) to `ping`: models choose tools by their description"
    )]
    const tool_without_description: () = ();
    tool_without_description
};
/// The tool `ping`: `ping::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum ping {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_argument::<Rest, _>();
    };
    #[derive(
        ::mcp_runtime::__private::serde::Deserialize,
        ::mcp_runtime::__private::schemars::JsonSchema
    )]
    #[serde(crate = "::mcp_runtime::__private::serde")]
    #[schemars(crate = "::mcp_runtime::__private::schemars")]
    #[allow(non_snake_case)]
    struct __Arguments {
        #[serde(flatten)]
        rest: Rest,
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
            <&'static str as ::mcp_runtime::__private::IntoToolResult>::into_tool_result(
                ping(__arguments.rest),
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ToolDefinition = ::mcp_runtime::__private::ToolDefinition {
        name: "ping",
        title: ::core::option::Option::None,
        description: ::core::option::Option::None,
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
        output_schema: <&'static str as ::mcp_runtime::__private::IntoToolResult>::output_schema,
        task: ::mcp_runtime::__private::TaskMode::Never,
        ui: ::core::option::Option::None,
        call: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Tool::from_definition(& __DEFINITION)
    }
    impl ping {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        fn tool() -> ::mcp_runtime::__private::Tool {
            ::mcp_runtime::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
