#[allow(clippy::needless_pass_by_value)]
/// Takes its time.
async fn slow(caller: Option<Principal>) {}
/// The tool `slow`: `slow::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum slow {}
const _: () = {
    #[derive(
        ::mcp_runtime::__private::serde::Deserialize,
        ::mcp_runtime::__private::schemars::JsonSchema
    )]
    #[serde(crate = "::mcp_runtime::__private::serde")]
    #[schemars(crate = "::mcp_runtime::__private::schemars")]
    #[serde(deny_unknown_fields)]
    #[allow(non_snake_case)]
    struct __Arguments {}
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
            let __injected_0 = match <Option<
                Principal,
            > as ::mcp_runtime::__private::FromContext>::from_context(&__context)
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            <() as ::mcp_runtime::__private::IntoToolResult>::into_tool_result(
                slow(__injected_0).await,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ToolDefinition = ::mcp_runtime::__private::ToolDefinition {
        name: "slow",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("Takes its time."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::None,
        icons: &[],
        meta: &[("a", "1"), ("ui", "{\"resourceUri\":\"ui://weather/card\"}")],
        injected: &[
            ::mcp_runtime::__private::Injected {
                parameter: "caller",
                requirement: <Option<
                    Principal,
                > as ::mcp_runtime::__private::FromContext>::requirement,
            },
        ],
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
        plain: true,
        output_schema: <() as ::mcp_runtime::__private::IntoToolResult>::output_schema,
        task: ::mcp_runtime::__private::TaskMode::Required,
        ui: ::core::option::Option::Some("ui://weather/card"),
        call: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Tool::from_definition(& __DEFINITION)
    }
    impl slow {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        fn tool() -> ::mcp_runtime::__private::Tool {
            ::mcp_runtime::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
