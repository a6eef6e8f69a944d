#[allow(clippy::needless_pass_by_value)]
/// Forgets everything.
#[cfg(feature = "danger")]
async fn forget() {}
#[cfg(feature = "danger")]
/// The tool `admin.forget`: `forget::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum forget {}
#[cfg(feature = "danger")]
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
            <() as ::mcp_runtime::__private::IntoToolResult>::into_tool_result(
                forget().await,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ToolDefinition = ::mcp_runtime::__private::ToolDefinition {
        name: "admin.forget",
        title: ::core::option::Option::Some("Forget"),
        description: ::core::option::Option::Some("Forgets everything."),
        tags: &["admin", "danger"],
        scopes: &["admin:forget"],
        hidden: true,
        requires: &[
            ::mcp_runtime::__private::Capability::Elicitation,
            ::mcp_runtime::__private::Capability::ElicitationUrl,
            ::mcp_runtime::__private::Capability::Sampling,
            ::mcp_runtime::__private::Capability::Roots,
        ],
        timeout: ::core::option::Option::Some(
            ::core::time::Duration::from_millis(250u64),
        ),
        icons: &["https://example.com/forget.png"],
        meta: &[
            ("com.example/level", "3"),
            ("com.example/owner", "\"ops \\\"A\\\"\""),
            ("ratio", "-0.5"),
            ("on", "true"),
        ],
        injected: &[],
        asks: false,
        location: ::mcp_runtime::__private::Location {
            file: ::core::file!(),
            line: ::core::line!(),
            module: ::core::module_path!(),
        },
        annotations: ::mcp_runtime::__private::Annotations {
            read_only: ::core::option::Option::Some(false),
            destructive: ::core::option::Option::Some(true),
            idempotent: ::core::option::Option::Some(true),
            open_world: ::core::option::Option::Some(false),
        },
        max_result_bytes: ::core::option::Option::Some(65536),
        input_schema: <__Arguments as ::mcp_runtime::__private::schemars::JsonSchema>::json_schema,
        plain: true,
        output_schema: <() as ::mcp_runtime::__private::IntoToolResult>::output_schema,
        task: ::mcp_runtime::__private::TaskMode::Never,
        ui: ::core::option::Option::None,
        call: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Tool::from_definition(& __DEFINITION)
    }
    impl forget {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        fn tool() -> ::mcp_runtime::__private::Tool {
            ::mcp_runtime::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
