#[allow(clippy::needless_pass_by_value)]
/// An order as JSON.
async fn order(
    id: OrderId,
    format: Option<String>,
    shop: State<Shop>,
    ctx: Context,
) -> Result<Json<Order>, ResourceError> {
    shop.find(id).await?.map(Json).ok_or(ResourceError::NotFound)
}
/// The resource `order`: `order::resource()` names it where a server lists its resources.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum order {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_variable::<OrderId, _>();
        ::mcp_runtime::__private::check_variable::<Option<String>, _>();
    };
    #[derive(::mcp_runtime::__private::serde::Deserialize)]
    #[serde(crate = "::mcp_runtime::__private::serde")]
    #[serde(deny_unknown_fields)]
    #[allow(non_snake_case)]
    struct __Arguments {
        id: OrderId,
        format: Option<String>,
    }
    #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
    fn __call(
        __context: ::mcp_runtime::__private::Context,
        __arguments: ::mcp_runtime::__private::RawStrings<'_>,
        __target: ::mcp_runtime::__private::ReadTarget,
    ) -> ::mcp_runtime::__private::ReadFuture {
        let __arguments: __Arguments = match __arguments.for_resource() {
            ::core::result::Result::Ok(arguments) => arguments,
            ::core::result::Result::Err(outcome) => {
                return ::mcp_runtime::__private::done(outcome);
            }
        };
        ::std::boxed::Box::pin(async move {
            let __injected_2 = match <State<
                Shop,
            > as ::mcp_runtime::__private::FromContext>::from_context(&__context)
                .await
            {
                ::core::result::Result::Ok(value) => value,
                ::core::result::Result::Err(error) => {
                    return ::mcp_runtime::__private::rejected(error);
                }
            };
            let __injected_3 = match <Context as ::mcp_runtime::__private::FromContext>::from_context(
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
                Json<Order>,
                ResourceError,
            > as ::mcp_runtime::__private::IntoResource>::into_resource(
                order(__arguments.id, __arguments.format, __injected_2, __injected_3)
                    .await,
                &__target,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ResourceDefinition = ::mcp_runtime::__private::ResourceDefinition {
        name: "order",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("An order as JSON."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::Some(
            ::core::time::Duration::from_millis(1000u64),
        ),
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
        uri: "orders://{id}{?format}",
        mime_type: ::core::option::Option::Some("application/json"),
        annotations: ::mcp_runtime::__private::ResourceAnnotations {
            audience: &[],
            priority: ::core::option::Option::None,
            last_modified: ::core::option::Option::None,
        },
        cache: ::core::option::Option::Some(::mcp_runtime::__private::Cache {
            is_public: false,
            ttl: ::core::time::Duration::from_millis(30000u64),
        }),
        max_result_bytes: ::core::option::Option::None,
        unchecked: &["id"],
        completions: &[
            ::mcp_runtime::__private::CompletionDefinition {
                argument: "format",
                complete: |__request| ::mcp_runtime::__private::complete_with(
                    formats,
                    __request,
                ),
            },
        ],
        read: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Resource::from_definition(& __DEFINITION)
    }
    impl order {
        /// The resource, for a server that lists its resources.
        #[allow(dead_code, unreachable_pub)]
        fn resource() -> ::mcp_runtime::__private::Resource {
            ::mcp_runtime::__private::Resource::from_definition(&__DEFINITION)
        }
    }
};
#[allow(clippy::needless_pass_by_value)]
/// A page.
fn card() -> &'static str {
    include_str!("card.html")
}
/// The resource `card`: `card::resource()` names it where a server lists its resources.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum card {}
const _: () = {
    #[derive(::mcp_runtime::__private::serde::Deserialize)]
    #[serde(crate = "::mcp_runtime::__private::serde")]
    #[serde(deny_unknown_fields)]
    #[allow(non_snake_case)]
    struct __Arguments {}
    #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
    fn __call(
        __context: ::mcp_runtime::__private::Context,
        __arguments: ::mcp_runtime::__private::RawStrings<'_>,
        __target: ::mcp_runtime::__private::ReadTarget,
    ) -> ::mcp_runtime::__private::ReadFuture {
        let __arguments: __Arguments = match __arguments.for_resource() {
            ::core::result::Result::Ok(arguments) => arguments,
            ::core::result::Result::Err(outcome) => {
                return ::mcp_runtime::__private::done(outcome);
            }
        };
        ::std::boxed::Box::pin(async move {
            <&'static str as ::mcp_runtime::__private::IntoResource>::into_resource(
                card(),
                &__target,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::ResourceDefinition = ::mcp_runtime::__private::ResourceDefinition {
        name: "card",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("A page."),
        tags: &[],
        scopes: &[],
        hidden: false,
        requires: &[],
        timeout: ::core::option::Option::None,
        icons: &[],
        meta: &[
            (
                "ui",
                "{\"csp\":{\"connectDomains\":[\"https://api.example.com\"]},\"prefersBorder\":true}",
            ),
        ],
        injected: &[],
        asks: false,
        location: ::mcp_runtime::__private::Location {
            file: ::core::file!(),
            line: ::core::line!(),
            module: ::core::module_path!(),
        },
        uri: "ui://weather/card",
        mime_type: ::core::option::Option::Some("text/html;profile=mcp-app"),
        annotations: ::mcp_runtime::__private::ResourceAnnotations {
            audience: &["user"],
            priority: ::core::option::Option::Some(0.5f64),
            last_modified: ::core::option::Option::None,
        },
        cache: ::core::option::Option::None,
        max_result_bytes: ::core::option::Option::None,
        unchecked: &[],
        completions: &[],
        read: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Resource::from_definition(& __DEFINITION)
    }
    impl card {
        /// The resource, for a server that lists its resources.
        #[allow(dead_code, unreachable_pub)]
        fn resource() -> ::mcp_runtime::__private::Resource {
            ::mcp_runtime::__private::Resource::from_definition(&__DEFINITION)
        }
    }
};
