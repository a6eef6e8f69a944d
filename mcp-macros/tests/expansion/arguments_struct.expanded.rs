#[allow(clippy::needless_pass_by_value)]
/// Finds things.
async fn search(Args(query): Args<Query>, State(index): State<Index>) -> Vec<Content> {
    index.find(query).await
}
/// The tool `search`: `search::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum search {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_argument::<Query, _>();
    };
    #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
    fn __call(
        __context: ::mcp_runtime::__private::Context,
        __arguments: ::mcp_runtime::__private::RawArguments<'_>,
    ) -> ::mcp_runtime::__private::CallFuture {
        let __arguments: Query = match __arguments.parse() {
            ::core::result::Result::Ok(arguments) => arguments,
            ::core::result::Result::Err(outcome) => {
                return ::mcp_runtime::__private::done(outcome);
            }
        };
        ::std::boxed::Box::pin(async move {
            let __injected_1 = match <State<
                Index,
            > as ::mcp_runtime::__private::FromContext>::from_context(&__context)
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            <Vec<
                Content,
            > as ::mcp_runtime::__private::IntoToolResult>::into_tool_result(
                search(::mcp_runtime::Args(__arguments), __injected_1).await,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ToolDefinition = ::mcp_runtime::__private::ToolDefinition {
        name: "search",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("Finds things."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::None,
        icons: &[],
        meta: &[],
        injected: &[
            ::mcp_runtime::__private::Injected {
                parameter: "index",
                requirement: <State<
                    Index,
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
        input_schema: <Query as ::mcp_runtime::__private::schemars::JsonSchema>::json_schema,
        plain: false,
        output_schema: <Vec<
            Content,
        > as ::mcp_runtime::__private::IntoToolResult>::output_schema,
        task: ::mcp_runtime::__private::TaskMode::Never,
        ui: ::core::option::Option::None,
        call: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Tool::from_definition(& __DEFINITION)
    }
    impl search {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        fn tool() -> ::mcp_runtime::__private::Tool {
            ::mcp_runtime::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
