#[allow(clippy::needless_pass_by_value)]
/// Review a piece of code.
fn review(code: String, language: Option<String>) -> Vec<Message> {
    vec![Message::user(code)]
}
/// The prompt `review`: `review::prompt()` names it where a server lists its prompts.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum review {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_argument::<String, _>();
        ::mcp_runtime::__private::check_argument::<Option<String>, _>();
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
        /// What to review.
        code: String,
        language: Option<String>,
    }
    #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
    fn __call(
        __context: ::mcp_runtime::__private::Context,
        __arguments: ::mcp_runtime::__private::RawStrings<'_>,
    ) -> ::mcp_runtime::__private::PromptFuture {
        let __arguments: __Arguments = match __arguments.for_prompt() {
            ::core::result::Result::Ok(arguments) => arguments,
            ::core::result::Result::Err(outcome) => {
                return ::mcp_runtime::__private::done(outcome);
            }
        };
        ::std::boxed::Box::pin(async move {
            <Vec<
                Message,
            > as ::mcp_runtime::__private::IntoPrompt>::into_prompt(
                review(__arguments.code, __arguments.language),
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::PromptDefinition = ::mcp_runtime::__private::PromptDefinition {
        name: "review",
        title: ::core::option::Option::Some("Review"),
        description: ::core::option::Option::Some("Review a piece of code."),
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
        arguments: <__Arguments as ::mcp_runtime::__private::schemars::JsonSchema>::json_schema,
        order: ::mcp_runtime::__private::fields_of::<__Arguments>,
        completions: &[
            ::mcp_runtime::__private::CompletionDefinition {
                argument: "language",
                complete: |__request| ::mcp_runtime::__private::complete_from(
                    &["rust", "python"],
                    &__request,
                ),
            },
        ],
        get: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Prompt::from_definition(& __DEFINITION)
    }
    impl review {
        /// The prompt, for a server that lists its prompts.
        #[allow(dead_code, unreachable_pub)]
        fn prompt() -> ::mcp_runtime::__private::Prompt {
            ::mcp_runtime::__private::Prompt::from_definition(&__DEFINITION)
        }
    }
};
#[allow(clippy::needless_pass_by_value)]
/// By one struct.
fn from_struct(Args(query): Args<Query>) -> String {
    query.text
}
/// The prompt `from_struct`: `from_struct::prompt()` names it where a server lists its prompts.
#[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
enum from_struct {}
const _: () = {
    const _: () = {
        ::mcp_runtime::__private::check_argument::<Query, _>();
    };
    #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
    fn __call(
        __context: ::mcp_runtime::__private::Context,
        __arguments: ::mcp_runtime::__private::RawStrings<'_>,
    ) -> ::mcp_runtime::__private::PromptFuture {
        let __arguments: Query = match __arguments.for_prompt() {
            ::core::result::Result::Ok(arguments) => arguments,
            ::core::result::Result::Err(outcome) => {
                return ::mcp_runtime::__private::done(outcome);
            }
        };
        ::std::boxed::Box::pin(async move {
            <String as ::mcp_runtime::__private::IntoPrompt>::into_prompt(
                ::mcp_runtime::__private::run_blocking(
                        __context,
                        move || from_struct(::mcp_runtime::Args(__arguments)),
                    )
                    .await,
            )
        })
    }
    static __DEFINITION: ::mcp_runtime::__private::PromptDefinition = ::mcp_runtime::__private::PromptDefinition {
        name: "from_struct",
        title: ::core::option::Option::None,
        description: ::core::option::Option::Some("By one struct."),
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
        arguments: <Query as ::mcp_runtime::__private::schemars::JsonSchema>::json_schema,
        order: ::mcp_runtime::__private::fields_of::<Query>,
        completions: &[],
        get: __call,
    };
    ::mcp_runtime::__private::inventory::submit! {
        ::mcp_runtime::__private::Prompt::from_definition(& __DEFINITION)
    }
    impl from_struct {
        /// The prompt, for a server that lists its prompts.
        #[allow(dead_code, unreachable_pub)]
        fn prompt() -> ::mcp_runtime::__private::Prompt {
            ::mcp_runtime::__private::Prompt::from_definition(&__DEFINITION)
        }
    }
};
