#[allow(clippy::needless_pass_by_value)]
/// Renamed.
fn renamed(Args(q): Args<Query>) {}
/// The tool `renamed`: `renamed::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum renamed {}
const _: () = {
    const _: () = {
        ::my_mcp::__private::check_argument::<Query, _>();
    };
    #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
    fn __call(
        __context: ::my_mcp::__private::Context,
        __arguments: ::my_mcp::__private::RawArguments<'_>,
    ) -> ::my_mcp::__private::CallFuture {
        let __arguments: Query = match __arguments.parse() {
            ::core::result::Result::Ok(arguments) => arguments,
            ::core::result::Result::Err(outcome) => {
                return ::my_mcp::__private::done(outcome);
            }
        };
        ::std::boxed::Box::pin(async move {
            <() as ::my_mcp::__private::IntoToolResult>::into_tool_result(
                renamed(::my_mcp::Args(__arguments)),
            )
        })
    }
    static __DEFINITION: ::my_mcp::__private::ToolDefinition = ::my_mcp::__private::ToolDefinition {
        name: "renamed",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("Renamed."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::None,
        icons: &[],
        meta: &[],
        injected: &[],
        asks: false,
        location: ::my_mcp::__private::Location {
            file: ::core::file!(),
            line: ::core::line!(),
            module: ::core::module_path!(),
        },
        annotations: ::my_mcp::__private::Annotations {
            read_only: ::core::option::Option::None,
            destructive: ::core::option::Option::None,
            idempotent: ::core::option::Option::None,
            open_world: ::core::option::Option::None,
        },
        max_result_bytes: ::core::option::Option::None,
        input_schema: <Query as ::my_mcp::__private::schemars::JsonSchema>::json_schema,
        plain: false,
        output_schema: <() as ::my_mcp::__private::IntoToolResult>::output_schema,
        task: ::my_mcp::__private::TaskMode::Never,
        ui: ::core::option::Option::None,
        call: __call,
    };
    ::my_mcp::__private::inventory::submit! {
        ::my_mcp::__private::Tool::from_definition(& __DEFINITION)
    }
    impl renamed {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        fn tool() -> ::my_mcp::__private::Tool {
            ::my_mcp::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
