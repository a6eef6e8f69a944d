//! The way from an attribute above a function to the generated code: one for tools, resources and prompts.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::describe;
use crate::errors::Errors;
use crate::expand;
use crate::function::{self, Function};
use crate::grammar;
use crate::kind::Kind;
use crate::signature::Signature;
use crate::vocabulary::Options;

/// The whole of `#[tool]`, `#[resource]` and `#[prompt]`.
pub(crate) fn item(kind: Kind, attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::read(kind, attribute, &mut errors);
    let function = match function::parse(item.clone(), kind.word()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            let errors = errors.into_compile_errors();
            return quote!(#item #errors);
        }
    };
    let description = describe::describe(&function.attrs, &mut errors);
    let signature = Signature::read(&function, &description, &options, &mut errors);
    let name = name(&options, &function, &mut errors);
    let generated = match errors.is_empty() {
        true => expand::item(&expand::Checked {
            kind,
            function: &function,
            options: &options,
            name: &name,
            description: &description,
            signature: &signature,
        }),
        // Anything generated from a wrong signature would only add errors that nobody made.
        false => errors.into_compile_errors(),
    };
    let function = function.without_parameter_attributes();
    quote! {
        // Clippy would ask for the borrows that such a function cannot take.
        #[allow(clippy::needless_pass_by_value)]
        #function
        #generated
    }
}

fn name(options: &Options, function: &Function, errors: &mut Errors) -> String {
    if let Some(name) = &options.name {
        return name.value();
    }
    let ident = &function.sig.ident;
    let name = ident.unraw().to_string();
    let kind = options.kind;
    if let Err(rule) = grammar::name(&name, kind) {
        errors.at(ident.span(), format!("{rule}; `#[{word}(name = \"...\")]` gives the {word} another name", word = kind.word()));
    }
    name
}
