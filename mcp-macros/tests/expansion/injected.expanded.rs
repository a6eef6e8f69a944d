#[allow(clippy::needless_pass_by_value)]
/// Refunds an order.
async fn refund(
    order: OrderId,
    shop: State<Shop>,
    caller: Option<Principal>,
    tenant: Tenant,
    ctx: Context,
) -> Result<String, ToolError> {
    shop.refund(order).await
}
/// The tool `refund`: `refund::tool()` names it where a server lists its tools.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum refund {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_argument::<OrderId, _>();
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
        order: OrderId,
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
                Shop,
            > as ::mcp_runtime::__private::FromContext>::from_context(&__context)
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            let __injected_2 = match <Option<
                Principal,
            > as ::mcp_runtime::__private::FromContext>::from_context(&__context)
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            let __injected_3 = match <Tenant as ::mcp_runtime::__private::FromContext>::from_context(
                    &__context,
                )
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            let __injected_4 = match <Context as ::mcp_runtime::__private::FromContext>::from_context(
                    &__context,
                )
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            <Result<
                String,
                ToolError,
            > as ::mcp_runtime::__private::IntoToolResult>::into_tool_result(
                refund(
                        __arguments.order,
                        __injected_1,
                        __injected_2,
                        __injected_3,
                        __injected_4,
                    )
                    .await,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ToolDefinition = ::mcp_runtime::__private::ToolDefinition {
        name: "refund",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("Refunds an order."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::None,
        icons: &[],
        meta: &[],
        injected: &[
            ::mcp_runtime::__private::Injected {
                parameter: "shop",
                requirement: <State<
                    Shop,
                > as ::mcp_runtime::__private::FromContext>::requirement,
            },
            ::mcp_runtime::__private::Injected {
                parameter: "caller",
                requirement: <Option<
                    Principal,
                > as ::mcp_runtime::__private::FromContext>::requirement,
            },
            ::mcp_runtime::__private::Injected {
                parameter: "tenant",
                requirement: <Tenant as ::mcp_runtime::__private::FromContext>::requirement,
            },
            ::mcp_runtime::__private::Injected {
                parameter: "ctx",
                requirement: <Context as ::mcp_runtime::__private::FromContext>::requirement,
            },
        ],
        asks: true,
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
        output_schema: <Result<
            String,
            ToolError,
        > as ::mcp_runtime::__private::IntoToolResult>::output_schema,
        task: ::mcp_runtime::__private::TaskMode::Never,
        ui: ::core::option::Option::None,
        call: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Tool::from_definition(& __DEFINITION)
    }
    impl refund {
        /// The tool, for a server that lists its tools.
        #[allow(dead_code, unreachable_pub)]
        fn tool() -> ::mcp_runtime::__private::Tool {
            ::mcp_runtime::__private::Tool::from_definition(&__DEFINITION)
        }
    }
};
