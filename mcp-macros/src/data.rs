//! `#[data]`: a user's type gets the serde and schemars derives with paths into the runtime.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Field, Fields, Path, Token, parse_quote};

use crate::argument::{self, Argument};
use crate::describe;
use crate::errors::Errors;
use crate::expand::Runtime;
use crate::options::{Entry, Flag, Vocabulary};
use crate::words;

/// What stands in `#[data(...)]`.
#[derive(Default)]
struct Options {
    input: Option<Flag>,
    output: Option<Flag>,
    krate: Option<Path>,
}

const VOCABULARY: Vocabulary<Options> = Vocabulary {
    place: "#[data]",
    entries: &[
        Entry { word: "input", read: |data, value| value.flag().map(|flag| data.input = Some(flag)) },
        Entry { word: "output", read: |data, value| value.flag().map(|flag| data.output = Some(flag)) },
        Entry { word: "crate", read: |data, value| value.path().map(|path| data.krate = Some(path)) },
    ],
    refused: &[],
};

impl Options {
    fn read(attribute: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        VOCABULARY.read(attribute, &mut options, errors);
        if let (true, true) = (is_on(options.input), is_on(options.output)) {
            let span = options.output.map_or_else(proc_macro2::Span::call_site, |flag| flag.span);
            errors.at(span, "a type that is both `input` and `output` is what `#[data]` alone makes: remove both");
        }
        options
    }

    /// The derives, by the path below the hidden module.
    fn derives(&self) -> Vec<(&'static str, &'static str)> {
        let mut derives = Vec::new();
        if !is_on(self.input) {
            derives.push(("serde", "Serialize"));
        }
        if !is_on(self.output) {
            derives.push(("serde", "Deserialize"));
        }
        derives.push(("schemars", "JsonSchema"));
        derives
    }
}

fn is_on(flag: Option<Flag>) -> bool {
    flag.is_some_and(|flag| flag.on)
}

/// The whole of `#[data]`.
pub(crate) fn data(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::read(attribute, &mut errors);
    let mut input: DeriveInput = match syn::parse2(item.clone()) {
        Ok(input) => input,
        Err(_) => {
            errors.push(misplaced(item));
            let errors = errors.into_compile_errors();
            return quote!(#item #errors);
        }
    };
    if let Data::Union(data) = &input.data {
        errors.on(data.union_token, "`#[data]` belongs on a struct or an enum: JSON has nothing like a union");
        let errors = errors.into_compile_errors();
        return quote!(#input #errors);
    }
    remove_derives(&mut input.attrs, &options, &mut errors);
    describe::check(&input.attrs, &mut errors);
    let defaults = translate_fields(&mut input, &mut errors);
    // The type is derived in spite of mistakes in it: all that uses it would only add errors that nobody made.
    let errors = errors.into_compile_errors();
    let runtime = Runtime::at(options.krate.as_ref());
    let hidden = runtime.hidden();
    let derives = options.derives().into_iter().map(|(module, name)| {
        let (module, name) = (ident(module), ident(name));
        quote!(#hidden::#module::#name)
    });
    let (serde, schemars) = (runtime.hidden_text("serde"), runtime.hidden_text("schemars"));
    quote! {
        #[derive(#(#derives),*)]
        #[serde(crate = #serde)]
        #[schemars(crate = #schemars)]
        #input
        #defaults
        #errors
    }
}

fn ident(name: &str) -> proc_macro2::Ident {
    proc_macro2::Ident::new(name, proc_macro2::Span::call_site())
}

fn misplaced(item: &TokenStream) -> syn::Error {
    let text = "`#[data]` belongs on a struct or an enum";
    match syn::parse2::<syn::Item>(item.clone()) {
        Ok(syn::Item::Fn(function)) => syn::Error::new_spanned(
            function.sig.fn_token,
            format!("{text}; for a function there are `#[tool]`, `#[resource]` and `#[prompt]`"),
        ),
        Ok(syn::Item::Type(alias)) => {
            syn::Error::new_spanned(alias.type_token, format!("{text}: put it on the type behind the alias"))
        }
        _ => syn::Error::new_spanned(item, text),
    }
}

/// Reports the derives that would be there twice, and takes them out.
fn remove_derives(attributes: &mut [Attribute], options: &Options, errors: &mut Errors) {
    let ours = options.derives();
    for attribute in attributes.iter_mut().filter(|attribute| attribute.path().is_ident("derive")) {
        let Ok(paths) = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated) else { continue };
        let (twice, kept): (Vec<Path>, Vec<Path>) = paths
            .into_iter()
            .partition(|path| path.segments.last().is_some_and(|last| ours.iter().any(|(_, name)| last.ident == name)));
        if twice.is_empty() {
            continue;
        }
        for path in &twice {
            let name = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            errors.on(path, format!("`#[data]` derives `{name}` itself: remove it here"));
        }
        *attribute = parse_quote!(#[derive(#(#kept),*)]);
    }
}

/// Puts `#[arg]` on fields into the words of serde and schemars; returns the functions behind defaults.
fn translate_fields(input: &mut DeriveInput, errors: &mut Errors) -> TokenStream {
    let mut functions = TokenStream::new();
    let owner = input.ident.unraw().to_string();
    match &mut input.data {
        Data::Struct(data) => translate(&mut data.fields, &owner, &mut functions, errors),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                describe::check(&variant.attrs, errors);
                refuse_arg(&mut variant.attrs, errors);
                translate(&mut variant.fields, &format!("{owner}_{}", variant.ident.unraw()), &mut functions, errors);
            }
        }
        Data::Union(_) => {}
    }
    refuse_arg(&mut input.attrs, errors);
    functions
}

fn translate(fields: &mut Fields, owner: &str, functions: &mut TokenStream, errors: &mut Errors) {
    for field in fields {
        let Field { attrs, ident, ty, .. } = field;
        describe::check(attrs, errors);
        words::check_constraints(attrs, ty, errors);
        let Some(ident) = ident else {
            refuse_arg(attrs, errors);
            continue;
        };
        let argument = Argument::read(attrs, ty, errors);
        if argument.header.is_some() {
            words::refuse_aliases(
                attrs,
                "the header is compared with what is sent by one name, and an alias would pass by it",
                errors,
            );
        }
        let default = argument::default_function_name(&format!("{owner}_"), ident);
        attrs.retain(|attribute| !argument::is_arg(attribute));
        let translated = argument.field_attributes(&default);
        match syn::parse::Parser::parse2(Attribute::parse_outer, translated) {
            Ok(translated) => attrs.extend(translated),
            Err(error) => errors.push(error),
        }
        functions.extend(argument.default_function(&default, ty));
    }
}

fn refuse_arg(attributes: &mut Vec<Attribute>, errors: &mut Errors) {
    attributes.retain(|attribute| {
        let ours = argument::is_arg(attribute);
        if ours {
            errors.on(
                attribute.to_token_stream(),
                "`#[arg]` belongs on a parameter of a tool, prompt or resource, or on a field with a name",
            );
        }
        !ours
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(options: &str, item: &str) -> Vec<String> {
        let [options, item] = [options, item].map(|text| text.parse::<TokenStream>().expect("tokens"));
        crate::snapshots::messages(&data(options, &item))
    }

    #[test]
    fn each_rule_has_its_error() {
        for wrong in [
            "union U { a: u8, b: u8 }",
            "fn f() {}",
            "type A = u8;",
            "#[derive(Debug, serde::Serialize)] struct S;",
            "struct S { #[arg(header = \"A\")] a: f64 }",
            "struct S { #[arg(header = \"A\")] #[serde(alias = \"b\")] a: u8 }",
            "struct S(#[arg(default)] u8);",
            "enum E { #[arg(default)] A }",
            "#[arg(default)] struct S;",
            "/// a\u{200B}\nstruct S { a: u8 }",
        ] {
            let messages = errors("", wrong);
            assert_eq!(messages.len(), 1, "{wrong}: {messages:?}");
        }
        assert_eq!(errors("input, output", "struct S;").len(), 1);
        assert_eq!(errors("inptu", "struct S;").len(), 1);
    }

    #[test]
    fn a_one_way_type_may_derive_the_other_way_itself() {
        assert!(errors("input", "#[derive(Serialize)] struct S;").is_empty());
        assert!(errors("output", "#[derive(Deserialize)] struct S;").is_empty());
    }

    #[test]
    fn a_field_without_a_header_may_have_an_alias() {
        assert!(errors("", "struct S { #[serde(alias = \"b\")] a: u8 }").is_empty());
    }
}
