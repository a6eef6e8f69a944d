//! The static definition of a tool, resource or prompt: all that is known of it before it is served.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{LitStr, Path};

use crate::expand::{Checked, Names, result_type};
use crate::kind::Kind;
use crate::options::Flag;
use crate::parameter::Role;
use crate::signature;
use crate::values::{CAPABILITIES, Cache, TaskMode};
use crate::vocabulary::{Options, PAGE};

/// The runtime's type for such an item, and for its definition.
pub(crate) fn types(kind: Kind, hidden: &Path) -> (TokenStream, TokenStream) {
    match kind {
        Kind::Tool => (quote!(#hidden::Tool), quote!(#hidden::ToolDefinition)),
        Kind::Resource => (quote!(#hidden::Resource), quote!(#hidden::ResourceDefinition)),
        Kind::Prompt => (quote!(#hidden::Prompt), quote!(#hidden::PromptDefinition)),
    }
}

/// The fields of the definition.
pub(crate) fn fields(item: &Checked<'_>, hidden: &Path, names: &Names) -> TokenStream {
    let mut fields = common(item, hidden);
    fields.extend(match item.kind {
        Kind::Tool => tool(item, hidden, names),
        Kind::Resource => resource(item, hidden, names),
        Kind::Prompt => prompt(item, hidden, names),
    });
    fields
}

/// What all three have.
fn common(item: &Checked<'_>, hidden: &Path) -> TokenStream {
    let Options { title, tags, scopes, hidden: unlisted, requires, timeout, icons, .. } = item.options;
    let name = item.name;
    let title = option(title.as_ref());
    let description = option(item.description.text.as_ref());
    let unlisted = unlisted.is_some_and(|Flag { on, .. }| on);
    let requires = requires.iter().map(|word| {
        let (_, variant) = CAPABILITIES.iter().find(|(known, _)| word == known).unwrap_or(&CAPABILITIES[0]);
        let variant = Ident::new(variant, word.span());
        quote!(#hidden::Capability::#variant)
    });
    let timeout = option(timeout.as_ref().map(|timeout| duration(timeout.duration)));
    let meta = meta(item.options);
    let injected = item.signature.parameters.iter().filter_map(|parameter| {
        let Role::Injected { name, .. } = &parameter.role else { return None };
        let ty = parameter.ty;
        let requirement = quote_spanned!(ty.span()=> <#ty as #hidden::FromContext>::requirement);
        Some(quote!(#hidden::Injected { parameter: #name, requirement: #requirement }))
    });
    let asks = item.signature.asks();
    // The function's own line, not the attribute's, is what an editor should jump to.
    let line = quote_spanned!(item.function.sig.ident.span()=> ::core::line!());
    quote! {
        name: #name,
        title: #title,
        description: #description,
        tags: &[#(#tags),*],
        scopes: &[#(#scopes),*],
        hidden: #unlisted,
        requires: &[#(#requires),*],
        timeout: #timeout,
        icons: &[#(#icons),*],
        meta: &[#(#meta),*],
        injected: &[#(#injected),*],
        asks: #asks,
        location: #hidden::Location {
            file: ::core::file!(),
            line: #line,
            module: ::core::module_path!(),
        },
    }
}

fn tool(item: &Checked<'_>, hidden: &Path, names: &Names) -> TokenStream {
    let Options { read_only, destructive, idempotent, open_world, task, page, .. } = item.options;
    let [read_only, destructive, idempotent, open_world] =
        [read_only, destructive, idempotent, open_world].map(|flag| option(flag.map(|flag| flag.on)));
    let max_result_bytes = max_result_bytes(item.options);
    let input_schema = arguments_schema(item, hidden, names);
    let plain = is_plain(item);
    let result = result_type(item);
    let output_schema =
        quote_spanned!(signature::result_span(&item.function.sig)=> <#result as #hidden::IntoToolResult>::output_schema);
    let task = match task.as_ref().map(|task| task.mode) {
        None => quote!(Never),
        Some(TaskMode::Optional) => quote!(Optional),
        Some(TaskMode::Required) => quote!(Required),
        Some(TaskMode::Deferred) => quote!(Deferred),
    };
    let page = option(page.as_ref());
    let call = &names.call;
    quote! {
        annotations: #hidden::Annotations {
            read_only: #read_only,
            destructive: #destructive,
            idempotent: #idempotent,
            open_world: #open_world,
        },
        max_result_bytes: #max_result_bytes,
        input_schema: #input_schema,
        plain: #plain,
        output_schema: #output_schema,
        task: #hidden::TaskMode::#task,
        ui: #page,
        call: #call,
    }
}

fn resource(item: &Checked<'_>, hidden: &Path, names: &Names) -> TokenStream {
    let Options { uri, mime_type, annotations, cache, unchecked, .. } = item.options;
    let is_page = uri.as_ref().is_some_and(crate::template::Template::is_ui);
    let mime_type = match mime_type {
        None if is_page => option(Some(PAGE)),
        said => option(said.as_ref()),
    };
    let uri = uri.as_ref().map(|uri| &uri.literal);
    let annotations = match annotations {
        None => {
            quote!(#hidden::ResourceAnnotations { audience: &[], priority: ::core::option::Option::None, last_modified: ::core::option::Option::None })
        }
        Some(said) => {
            let audience = said.audience.iter().map(|word| LitStr::new(&word.to_string(), word.span()));
            let priority = option(said.priority.map(Literal::f64_suffixed));
            let last_modified = option(said.last_modified.as_ref());
            quote! {
                #hidden::ResourceAnnotations {
                    audience: &[#(#audience),*],
                    priority: #priority,
                    last_modified: #last_modified,
                }
            }
        }
    };
    let cache = option(cache.as_ref().and_then(|cache| {
        let is_public = Cache::public(cache).is_some();
        let ttl = duration(cache.ttl?);
        Some(quote!(#hidden::Cache { is_public: #is_public, ttl: #ttl }))
    }));
    let max_result_bytes = max_result_bytes(item.options);
    let completions = completions(item, hidden);
    let call = &names.call;
    quote! {
        uri: #uri,
        mime_type: #mime_type,
        annotations: #annotations,
        cache: #cache,
        max_result_bytes: #max_result_bytes,
        unchecked: &[#(#unchecked),*],
        completions: #completions,
        read: #call,
    }
}

fn prompt(item: &Checked<'_>, hidden: &Path, names: &Names) -> TokenStream {
    let arguments = arguments_schema(item, hidden, names);
    let ty = arguments_type(item, names);
    let completions = completions(item, hidden);
    let call = &names.call;
    quote! {
        arguments: #arguments,
        order: #hidden::fields_of::<#ty>,
        completions: #completions,
        get: #call,
    }
}

/// Whether serde enforces by the types of the parameters all that was said about them here, so that the arguments need no
/// check against the schema. What the types themselves assert, only the schema knows.
fn is_plain(item: &Checked<'_>) -> bool {
    item.signature.arguments().is_none() && item.signature.fields().all(|(field, _)| field.argument.is_plain())
}

/// What all arguments are read into.
fn arguments_type(item: &Checked<'_>, names: &Names) -> TokenStream {
    match item.signature.arguments() {
        Some(inner) => inner.to_token_stream(),
        None => names.arguments.to_token_stream(),
    }
}

fn arguments_schema(item: &Checked<'_>, hidden: &Path, names: &Names) -> TokenStream {
    let arguments = arguments_type(item, names);
    quote!(<#arguments as #hidden::schemars::JsonSchema>::json_schema)
}

/// A slice of what suggests values.
fn completions(item: &Checked<'_>, hidden: &Path) -> TokenStream {
    let completions = item.signature.fields().filter_map(|(field, _)| {
        let complete = field.completion.as_ref()?.function(hidden);
        let (argument, _) = field.argument.json_name(field.ident);
        Some(quote!(#hidden::CompletionDefinition { argument: #argument, complete: #complete }))
    });
    quote!(&[#(#completions),*])
}

/// The entries of `_meta`: what the user wrote, and what `ui` says.
fn meta(options: &Options) -> impl Iterator<Item = TokenStream> {
    let written = options.meta.iter().map(|meta| (meta.key.value(), meta.key.span(), meta.json.clone()));
    let page = options.page.as_ref().map(|page| {
        let json = crate::json::object([("resourceUri", crate::json::string(&page.value()))]);
        ("ui".to_owned(), page.span(), json)
    });
    let ui = options.ui.as_ref().map(|(span, ui)| ("ui".to_owned(), *span, ui.json()));
    written.chain(page).chain(ui).map(|(key, span, json)| {
        let key = LitStr::new(&key, span);
        quote!((#key, #json))
    })
}

fn max_result_bytes(options: &Options) -> TokenStream {
    option(options.max_result_bytes.map(Literal::u64_unsuffixed))
}

fn duration(duration: std::time::Duration) -> TokenStream {
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_millis(#milliseconds))
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
