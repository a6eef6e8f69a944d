#[allow(clippy::needless_pass_by_value)]
/// Hashes a text slowly.
pub(crate) fn hash(text: String, salt: State<Salt>) -> String {
    slow_hash(&text, &salt)
}
/// The tool `hash`: `hash::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
pub(crate) enum hash {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_argument::<String, _>();
    };
    #[derive(
        ::mcp_runtime::__private::serde::Deserialize,
        ::mcp_runtime::__private::schemars::JsonSchema
    )]
    #[serde(crate = "::mcp_runtime::__private::serde")]
    #[schemars(crate = "::mcp_runtime::__private::schemars")]
    #[serde(deny_unknown_fields)]
    #[allow(non_snake_case)]
    struct __Arguments {
        text: String,
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
            let __injected_1 = match <State<
                Salt,
            > as ::mcp_runtime::__private::FromContext>::from_context(&__context)
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            <String as ::mcp_runtime::__private::IntoToolResult>::into_tool_result(
                ::mcp_runtime::__private::run_blocking(
                        __context,
                        move || hash(__arguments.text, __injected_1),
                    )
                    .await,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ToolDefinition = ::mcp_runtime::__private::ToolDefinition {
        name: "hash",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("Hashes a text slowly."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::None,
        icons: &[],
        meta: &[],
        injected: &[
            ::mcp_runtime::__private::Injected {
                parameter: "salt",
                requirement: <State<
                    Salt,
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
        output_schema: <String as ::mcp_runtime::__private::IntoToolResult>::output_schema,
        task: ::mcp_runtime::__private::TaskMode::Never,
        ui: ::core::option::Option::None,
        call: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Tool::from_definition(& __DEFINITION)
    }
    impl hash {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        pub(crate) fn tool() -> ::mcp_runtime::__private::Tool {
            ::mcp_runtime::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
