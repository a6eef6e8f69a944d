//! The code that a checked function becomes. It names nothing but the runtime's hidden module, `core` and `std`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Path, ReturnType, Type, parse_quote};

use crate::argument::default_function_name;
use crate::definition;
use crate::describe::Description;
use crate::function::{self, Function};
use crate::kind::Kind;
use crate::parameter::{Field, Role};
use crate::signature::{self, Signature};
use crate::types;
use crate::vocabulary::Options;

/// A function without mistakes, and what was said about it.
pub(crate) struct Checked<'a> {
    pub(crate) kind: Kind,
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
pub(crate) struct Names {
    pub(crate) arguments: Ident,
    pub(crate) call: Ident,
    definition: Ident,
    context: Ident,
    raw: Ident,
    target: Ident,
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
            target: name("__target"),
        }
    }
}

/// Everything that stands beside the function.
pub(crate) fn item(item: &Checked<'_>) -> TokenStream {
    let Checked { kind, function, options, signature, .. } = item;
    let runtime = Runtime::at(options.krate.as_ref());
    let hidden = &runtime.hidden();
    let names = &Names::new();
    let conditions: Vec<&Attribute> = function::conditions(function).collect();
    let vis = &function.vis;
    let ident = &function.sig.ident;
    let definition = &names.definition;

    let word = kind.word();
    let handle = Ident::new(word, Span::call_site());
    let (item_type, definition_type) = definition::types(*kind, hidden);
    let doc = format!(" The {word} `{}`: `{ident}::{word}()` names it where a server lists its {word}s.", item.name);
    let handle_doc = format!(" The {word}, for a server that lists its {word}s.");
    let undocumented = item.description.text.is_none().then(|| warn_undocumented(item, &conditions));
    let checks = checks(item, hidden);
    let arguments = signature.arguments().is_none().then(|| arguments_struct(item, &runtime, names));
    let call = call(item, &runtime, names);
    let fields = definition::fields(item, hidden, names);
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

            static #definition: #definition_type = #definition_type { #fields };

            #hidden::inventory::submit! { #item_type::from_definition(&#definition) }

            impl #ident {
                #[doc = #handle_doc]
                #[allow(dead_code, unreachable_pub)]
                #vis fn #handle() -> #item_type {
                    #item_type::from_definition(&#definition)
                }
            }
        };
    }
}

/// Stable Rust lets a macro raise an error but no warning; the use of a deprecated item is one, at the place of our choice.
fn warn_undocumented(item: &Checked<'_>, conditions: &[&Attribute]) -> TokenStream {
    let ident = &item.function.sig.ident;
    let who = match item.kind {
        Kind::Tool => "models choose tools",
        Kind::Resource => "clients and their users choose resources",
        Kind::Prompt => "users choose prompts",
    };
    let note = format!("add a doc comment (`/// ...`) to `{ident}`: {who} by their description");
    let constant = format_ident!("{}_without_description", item.kind.word(), span = Span::call_site());
    let warning = Ident::new(&constant.to_string(), ident.span());
    let allowances = function::allowances(item.function);
    quote! {
        #(#conditions)*
        #(#allowances)*
        const _: () = {
            #[allow(non_upper_case_globals)]
            #[deprecated(note = #note)]
            const #constant: () = ();
            #warning
        };
    }
}

/// Moves errors about arguments to where the user wrote their types, in words about what takes them.
///
/// Injected types and the result need no such check: all that is generated for them asks for one trait, at one span, in one
/// form, so the compiler sees the same error several times and prints it once.
fn checks(item: &Checked<'_>, hidden: &Path) -> Option<TokenStream> {
    let check = match item.kind.describes_arguments() {
        true => quote!(check_argument),
        false => quote!(check_variable),
    };
    let types = item.signature.parameters.iter().filter_map(|parameter| match &parameter.role {
        Role::Argument(_) => Some(parameter.ty),
        Role::Arguments(inner) => Some(*inner),
        Role::Injected { .. } => None,
    });
    let checks: TokenStream = types.map(|ty| quote_spanned!(ty.span()=> #hidden::#check::<#ty, _>();)).collect();
    (!checks.is_empty()).then(|| quote!(const _: () = { #checks };))
}

fn arguments_struct(item: &Checked<'_>, runtime: &Runtime, names: &Names) -> TokenStream {
    let hidden = runtime.hidden();
    let (serde, schemars) = (runtime.hidden_text("serde"), runtime.hidden_text("schemars"));
    let described = item.kind.describes_arguments();
    let arguments = &names.arguments;
    let deny = refuses_unknown(item).then(|| quote!(#[serde(deny_unknown_fields)]));
    let mut fields = TokenStream::new();
    let mut defaults = TokenStream::new();
    for (field, ty) in item.signature.fields() {
        let Field { ident, argument, attributes, description, .. } = field;
        let default = default_function_name("", ident);
        let ours = argument.field_attributes(&default);
        let description = description.map(|text| quote!(#[doc = #text]));
        fields.extend(quote!(#description #(#attributes)* #ours #ident: #ty,));
        defaults.extend(argument.default_function(&default, ty));
    }
    let derives = match described {
        true => quote! {
            #[derive(#hidden::serde::Deserialize, #hidden::schemars::JsonSchema)]
            #[serde(crate = #serde)]
            #[schemars(crate = #schemars)]
        },
        false => quote! {
            #[derive(#hidden::serde::Deserialize)]
            #[serde(crate = #serde)]
        },
    };
    quote! {
        #defaults

        #derives
        #deny
        #[allow(non_snake_case)]
        struct #arguments { #fields }
    }
}

/// The generated struct does, unless it has a flattened field: serde cannot tell unknown names from that field's.
fn refuses_unknown(item: &Checked<'_>) -> bool {
    let flattened = item.signature.fields().any(|(field, _)| field.argument.is_flattened());
    item.signature.arguments().is_none() && !flattened
}

fn call(item: &Checked<'_>, runtime: &Runtime, names: &Names) -> TokenStream {
    let Names { arguments, call, context, raw, target, .. } = names;
    let hidden = &runtime.hidden();
    let root = &runtime.root;
    let ident = &item.function.sig.ident;
    let parsed = match item.signature.arguments() {
        Some(inner) => quote!(#inner),
        None => quote!(#arguments),
    };
    let mut extractions = TokenStream::new();
    let mut values: Vec<TokenStream> = Vec::new();
    for (index, parameter) in item.signature.parameters.iter().enumerate() {
        let ty = parameter.ty;
        match &parameter.role {
            Role::Argument(field) => {
                let field = field.ident;
                values.push(quote!(#raw.#field));
            }
            Role::Arguments(_) => values.push(quote!(#root::Args(#raw))),
            Role::Injected { .. } => {
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
    let value = if item.options.is_blocking() {
        quote_spanned!(span=> #hidden::run_blocking(#context, move || #invoke).await)
    } else if item.function.sig.asyncness.is_some() {
        quote_spanned!(span=> #invoke.await)
    } else {
        invoke
    };
    let result = result_type(item);
    // How the runtime hands the arguments over, how they are read, and how the result becomes an answer.
    let (raw_type, further, future, read, convert, also) = match item.kind {
        Kind::Tool => {
            (quote!(RawArguments), None, quote!(CallFuture), quote!(parse), quote!(IntoToolResult > ::into_tool_result), None)
        }
        Kind::Resource => (
            quote!(RawStrings),
            Some(quote!(, #target: #hidden::ReadTarget)),
            quote!(ReadFuture),
            quote!(for_resource),
            quote!(IntoResource > ::into_resource),
            Some(quote!(, &#target)),
        ),
        Kind::Prompt => {
            (quote!(RawStrings), None, quote!(PromptFuture), quote!(for_prompt), quote!(IntoPrompt > ::into_prompt), None)
        }
    };
    let outcome = quote_spanned!(signature::result_span(&item.function.sig)=> <#result as #hidden::#convert);
    let answer = quote_spanned!(span=> ::std::boxed::Box::pin(async move { #extractions #outcome(#value #also) }));
    quote! {
        #[allow(deprecated, clippy::redundant_closure, clippy::unit_arg)]
        fn #call(#context: #hidden::Context, #raw: #hidden::#raw_type<'_> #further) -> #hidden::#future {
            let #raw: #parsed = match #raw.#read() {
                ::core::result::Result::Ok(arguments) => arguments,
                ::core::result::Result::Err(outcome) => return #hidden::done(outcome),
            };
            #answer
        }
    }
}

pub(crate) fn result_type(item: &Checked<'_>) -> Type {
    match &item.function.sig.output {
        ReturnType::Type(_, ty) => (**ty).clone(),
        ReturnType::Default => parse_quote!(()),
    }
}
