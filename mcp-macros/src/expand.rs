//! The code that a checked tool becomes. It names nothing but the runtime's hidden module, `core` and `std`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Path, ReturnType, Type, parse_quote};

use crate::argument::default_function_name;
use crate::describe::Description;
use crate::function::{self, Function};
use crate::options::Flag;
use crate::parameter::{Field, Role};
use crate::signature::{self, Signature};
use crate::tool::Options;
use crate::types;

/// A tool without mistakes.
pub(crate) struct Tool<'a> {
    pub(crate) function: &'a Function,
    pub(crate) options: &'a Options,
    pub(crate) name: &'a str,
    pub(crate) description: &'a Description,
    pub(crate) signature: &'a Signature<'a>,
}

/// Where generated code finds the runtime.
pub(crate) struct Runtime {
    root: Path,
}

impl Runtime {
    pub(crate) fn at(root: Option<&Path>) -> Self {
        Self { root: root.cloned().unwrap_or_else(|| parse_quote!(::mcp_runtime)) }
    }

    /// The hidden module.
    pub(crate) fn hidden(&self) -> Path {
        let root = &self.root;
        parse_quote!(#root::__private)
    }

    /// The path of `module` in the hidden module, as the text that serde and schemars want.
    pub(crate) fn hidden_text(&self, module: &str) -> LitStr {
        let hidden = self.hidden();
        LitStr::new(&format!("{}::{module}", types::show(&hidden)), Span::call_site())
    }
}

/// Names of generated locals and items. Items are seen by the user's types and patterns, so they carry a prefix.
struct Names {
    arguments: Ident,
    call: Ident,
    definition: Ident,
    context: Ident,
    raw: Ident,
}

impl Names {
    fn new() -> Self {
        let name = |name| Ident::new(name, Span::mixed_site());
        Self {
            arguments: name("__Arguments"),
            call: name("__call"),
            definition: name("__DEFINITION"),
            context: name("__context"),
            raw: name("__arguments"),
        }
    }
}

/// Everything that stands beside the function.
pub(crate) fn tool(tool: &Tool<'_>) -> TokenStream {
    let Tool { function, options, signature, .. } = tool;
    let runtime = Runtime::at(options.krate.as_ref());
    let hidden = &runtime.hidden();
    let names = &Names::new();
    let conditions: Vec<&Attribute> = function::conditions(function).collect();
    let vis = &function.vis;
    let ident = &function.sig.ident;
    let definition = &names.definition;

    let doc = format!(" The tool `{0}`: `{1}::tool()` names it where a server lists its tools.", tool.name, ident);
    let undocumented = tool.description.text.is_none().then(|| warn_undocumented(tool, &conditions));
    let checks = checks(tool, hidden);
    let arguments = signature.arguments().is_none().then(|| arguments_struct(tool, &runtime, names));
    let call = call(tool, &runtime, names);
    let fields = definition_fields(tool, hidden, names);
    quote! {
        #undocumented

        #(#conditions)*
        #[doc = #doc]
        #[allow(non_camel_case_types, dead_code, missing_debug_implementations, unreachable_pub)]
        #vis enum #ident {}

        #(#conditions)*
        const _: () = {
            #checks
            #arguments
            #call

            static #definition: #hidden::ToolDefinition = #hidden::ToolDefinition { #fields };

            #hidden::inventory::submit! { #hidden::Tool::from_definition(&#definition) }

            impl #ident {
                /// The tool, for a server that lists its tools.
                #[allow(dead_code, unreachable_pub)]
                #vis fn tool() -> #hidden::Tool {
                    #hidden::Tool::from_definition(&#definition)
                }
            }
        };
    }
}

/// Stable Rust lets a macro raise an error but no warning; the use of a deprecated item is one, at the place of our choice.
fn warn_undocumented(tool: &Tool<'_>, conditions: &[&Attribute]) -> TokenStream {
    let ident = &tool.function.sig.ident;
    let note = format!("add a doc comment (`/// ...`) to `{ident}`: models choose tools by their description");
    let warning = Ident::new("tool_without_description", ident.span());
    let allowances = function::allowances(tool.function);
    quote! {
        #(#conditions)*
        #(#allowances)*
        const _: () = {
            #[allow(non_upper_case_globals)]
            #[deprecated(note = #note)]
            const tool_without_description: () = ();
            #warning
        };
    }
}

/// Moves errors about arguments to where the user wrote their types, in words about tools.
///
/// Injected types and the result need no such check: all that is generated for them asks for one trait, at one span, in one
/// form, so the compiler sees the same error several times and prints it once.
fn checks(tool: &Tool<'_>, hidden: &Path) -> Option<TokenStream> {
    let types = tool.signature.parameters.iter().filter_map(|parameter| match &parameter.role {
        Role::Argument(_) => Some(parameter.ty),
        Role::Arguments(inner) => Some(*inner),
        Role::Injected(_) => None,
    });
    let checks: TokenStream = types.map(|ty| quote_spanned!(ty.span()=> #hidden::check_argument::<#ty, _>();)).collect();
    (!checks.is_empty()).then(|| quote!(const _: () = { #checks };))
}

fn arguments_struct(tool: &Tool<'_>, runtime: &Runtime, names: &Names) -> TokenStream {
    let hidden = runtime.hidden();
    let (serde, schemars) = (runtime.hidden_text("serde"), runtime.hidden_text("schemars"));
    let arguments = &names.arguments;
    let deny = refuses_unknown(tool).then(|| quote!(#[serde(deny_unknown_fields)]));
    let mut fields = TokenStream::new();
    let mut defaults = TokenStream::new();
    for (field, ty) in tool.signature.fields() {
        let Field { ident, argument, attributes, description } = field;
        let default = default_function_name("", ident);
        let ours = argument.field_attributes(&default);
        let description = description.map(|text| quote!(#[doc = #text]));
        fields.extend(quote!(#description #(#attributes)* #ours #ident: #ty,));
        defaults.extend(argument.default_function(&default, ty));
    }
    quote! {
        #defaults

        #[derive(#hidden::serde::Deserialize, #hidden::schemars::JsonSchema)]
        #[serde(crate = #serde)]
        #deny
        #[schemars(crate = #schemars)]
        #[allow(non_snake_case)]
        struct #arguments { #fields }
    }
}

/// The generated struct does, unless it has a flattened field: serde cannot tell unknown names from that field's.
fn refuses_unknown(tool: &Tool<'_>) -> bool {
    let flattened = tool.signature.fields().any(|(field, _)| field.argument.is_flattened());
    tool.signature.arguments().is_none() && !flattened
}

/// Whether serde enforces by the types of the parameters all that was said about them here, so that the arguments need no
/// check against the schema. What the types themselves assert, only the schema knows.
fn is_plain(tool: &Tool<'_>) -> bool {
    tool.signature.arguments().is_none() && tool.signature.fields().all(|(field, _)| field.argument.is_plain())
}

fn call(tool: &Tool<'_>, runtime: &Runtime, names: &Names) -> TokenStream {
    let Names { arguments, call, context, raw, .. } = names;
    let hidden = &runtime.hidden();
    let root = &runtime.root;
    let ident = &tool.function.sig.ident;
    let parsed = match tool.signature.arguments() {
        Some(inner) => quote!(#inner),
        None => quote!(#arguments),
    };
    let mut extractions = TokenStream::new();
    let mut values: Vec<TokenStream> = Vec::new();
    for (index, parameter) in tool.signature.parameters.iter().enumerate() {
        let ty = parameter.ty;
        match &parameter.role {
            Role::Argument(field) => {
                let field = field.ident;
                values.push(quote!(#raw.#field));
            }
            Role::Arguments(_) => values.push(quote!(#root::Args(#raw))),
            Role::Injected(_) => {
                let value = format_ident!("__injected_{index}", span = Span::mixed_site());
                let extracted = quote_spanned!(ty.span()=> <#ty as #hidden::FromContext>::from_context(&#context).await);
                extractions.extend(quote! {
                    let #value = match #extracted {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(error) => return #hidden::rejected(error),
                    };
                });
                values.push(quote!(#value));
            }
        }
    }
    // A future that is not `Send`, or a value that cannot go to another thread, is reported under the function's name.
    let span = ident.span();
    let invoke = quote_spanned!(span=> #ident(#(#values),*));
    let value = if tool.options.blocking.is_some_and(|flag| flag.on) {
        quote_spanned!(span=> #hidden::run_blocking(#context, move || #invoke).await)
    } else if tool.function.sig.asyncness.is_some() {
        quote_spanned!(span=> #invoke.await)
    } else {
        invoke
    };
    let result = result_type(tool);
    let outcome =
        quote_spanned!(signature::result_span(&tool.function.sig)=> <#result as #hidden::IntoToolResult>::into_tool_result);
    let future = quote_spanned!(span=> ::std::boxed::Box::pin(async move { #extractions #outcome(#value) }));
    quote! {
        #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
        fn #call(#context: #hidden::Context, #raw: #hidden::RawArguments<'_>) -> #hidden::CallFuture {
            let #raw: #parsed = match #raw.parse() {
                ::core::result::Result::Ok(arguments) => arguments,
                ::core::result::Result::Err(outcome) => return #hidden::done(outcome),
            };
            #future
        }
    }
}

fn definition_fields(tool: &Tool<'_>, hidden: &Path, names: &Names) -> TokenStream {
    let Options {
        title,
        read_only,
        destructive,
        idempotent,
        open_world,
        tags,
        scopes,
        hidden: unlisted,
        requires,
        timeout,
        max_result_bytes,
        icons,
        meta,
        ..
    } = tool.options;
    let name = tool.name;
    let title = option(title.as_ref());
    let description = option(tool.description.text.as_ref());
    let [read_only, destructive, idempotent, open_world] =
        [read_only, destructive, idempotent, open_world].map(|flag| option(flag.map(|flag| flag.on)));
    let unlisted = unlisted.is_some_and(|Flag { on, .. }| on);
    let requires = requires.iter().map(|capability| {
        let variant = &capability.variant;
        quote!(#hidden::Capability::#variant)
    });
    let timeout = option(timeout.as_ref().map(|timeout| {
        let milliseconds = u64::try_from(timeout.duration.as_millis()).unwrap_or(u64::MAX);
        quote!(::core::time::Duration::from_millis(#milliseconds))
    }));
    let max_result_bytes = option(max_result_bytes.map(proc_macro2::Literal::u64_unsuffixed));
    let meta = meta.iter().map(|meta| {
        let (key, json) = (&meta.key, &meta.json);
        quote!((#key, #json))
    });
    let arguments = match tool.signature.arguments() {
        Some(inner) => inner.to_token_stream(),
        None => names.arguments.to_token_stream(),
    };
    let plain = is_plain(tool);
    let result = result_type(tool);
    let output_schema =
        quote_spanned!(signature::result_span(&tool.function.sig)=> <#result as #hidden::IntoToolResult>::output_schema);
    let injected = tool.signature.parameters.iter().filter_map(|parameter| {
        let Role::Injected(name) = &parameter.role else { return None };
        let ty = parameter.ty;
        let requirement = quote_spanned!(ty.span()=> <#ty as #hidden::FromContext>::requirement);
        Some(quote!(#hidden::Injected { parameter: #name, requirement: #requirement }))
    });
    let call = &names.call;
    // The function's own line, not the attribute's, is what an editor should jump to.
    let line = quote_spanned!(tool.function.sig.ident.span()=> ::core::line!());
    quote! {
        name: #name,
        title: #title,
        description: #description,
        annotations: #hidden::Annotations {
            read_only: #read_only,
            destructive: #destructive,
            idempotent: #idempotent,
            open_world: #open_world,
        },
        tags: &[#(#tags),*],
        scopes: &[#(#scopes),*],
        hidden: #unlisted,
        requires: &[#(#requires),*],
        timeout: #timeout,
        max_result_bytes: #max_result_bytes,
        icons: &[#(#icons),*],
        meta: &[#(#meta),*],
        input_schema: <#arguments as #hidden::schemars::JsonSchema>::json_schema,
        plain: #plain,
        output_schema: #output_schema,
        injected: &[#(#injected),*],
        call: #call,
        location: #hidden::Location {
            file: ::core::file!(),
            line: #line,
            module: ::core::module_path!(),
        },
    }
}

fn result_type(tool: &Tool<'_>) -> Type {
    match &tool.function.sig.output {
        ReturnType::Type(_, ty) => (**ty).clone(),
        ReturnType::Default => parse_quote!(()),
    }
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
