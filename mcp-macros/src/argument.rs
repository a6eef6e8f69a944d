//! `#[arg(...)]`, the same on a function's parameter and on a field of a `#[data]` type.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, ExprUnary, Lit, LitStr, Meta, Type, UnOp};

use crate::errors::Errors;
use crate::grammar;
use crate::options::{Entry, Vocabulary};
use crate::types;
use crate::words::Words;

/// What the attributes of one parameter or field say.
pub(crate) struct Argument {
    default: Option<Default>,
    name: Option<LitStr>,
    pub(crate) header: Option<LitStr>,
    words: Words,
}

struct Default {
    span: Span,
    value: Option<Expr>,
}

const VOCABULARY: Vocabulary<Argument> = Vocabulary {
    place: "#[arg]",
    entries: &[
        Entry {
            word: "default",
            read: |argument, value| {
                let span = value.key.span();
                argument.default = Some(Default { span, value: value.optional_expression()? });
                Ok(())
            },
        },
        Entry {
            word: "name",
            read: |argument, value| {
                let name = value.string()?;
                if name.value().is_empty() {
                    return Err(syn::Error::new(name.span(), "an argument's name is not empty"));
                }
                grammar::visible(&name.value(), "the name").map_err(|rule| syn::Error::new(name.span(), rule))?;
                argument.name = Some(name);
                Ok(())
            },
        },
        Entry {
            word: "header",
            read: |argument, value| {
                let name = value.string()?;
                grammar::header_name(&name.value()).map_err(|rule| syn::Error::new(name.span(), rule))?;
                argument.header = Some(name);
                Ok(())
            },
        },
    ],
    refused: &[
        ("description", "the description is the doc comment: write it as `/// ...` above the parameter"),
        ("rename", "`#[arg]` has no option `rename`; write `name = \"...\"`"),
    ],
};

impl Argument {
    /// Reads `#[arg]`, and what `#[serde]` says about the same things.
    pub(crate) fn read(attributes: &[Attribute], ty: &Type, errors: &mut Errors) -> Self {
        let mut argument = Self { default: None, name: None, header: None, words: Words::read(attributes) };
        // Two `#[arg]` are one, so that a word in both is found.
        let mut tokens = TokenStream::new();
        for attribute in attributes.iter().filter(|attribute| is_arg(attribute)) {
            match &attribute.meta {
                Meta::List(list) => {
                    let inner = &list.tokens;
                    tokens.extend(if tokens.is_empty() { quote!(#inner) } else { quote!(, #inner) });
                }
                _ => errors.on(attribute, "write `#[arg(...)]` with `default`, `name` or `header`, or remove it"),
            }
        }
        VOCABULARY.read(tokens, &mut argument, errors);
        if let (Some(default), true) = (&argument.default, argument.words.default) {
            errors.at(default.span, "`#[serde(default)]` says this already; keep one of them");
        }
        if let (Some(name), Some(_)) = (&argument.name, &argument.words.rename) {
            errors.on(name, "`#[serde(rename)]` names this already; keep one of them");
        }
        if let (Some(header), Some(what)) = (&argument.header, types::unfit_for_header(ty)) {
            errors.on(
                header,
                format!(
                    "`{}` is {what}, which has no place in a header: headers carry strings, whole numbers, booleans and plain \
                     enums",
                    types::show(ty)
                ),
            );
        }
        argument
    }

    /// The name in JSON, and the tokens to report when another argument has it too.
    pub(crate) fn json_name(&self, ident: &Ident) -> (String, Span) {
        match (&self.name, &self.words.rename) {
            (Some(name), _) => (name.value(), name.span()),
            (None, Some(name)) => (name.value(), name.span()),
            (None, None) => (ident.unraw().to_string(), ident.span()),
        }
    }

    pub(crate) fn has_default(&self) -> bool {
        self.default.is_some() || self.words.default
    }

    pub(crate) fn is_flattened(&self) -> bool {
        self.words.flatten
    }

    /// Whether nothing but the type decides which values are accepted.
    pub(crate) fn is_plain(&self) -> bool {
        self.words.plain
    }

    /// `#[arg]` in the words of serde and schemars. A default's value comes from the function `default`.
    pub(crate) fn field_attributes(&self, default: &Ident) -> TokenStream {
        let mut attributes = TokenStream::new();
        if let Some(Default { span, value }) = &self.default {
            attributes.extend(match value {
                Some(_) => {
                    let path = LitStr::new(&default.to_string(), *span);
                    quote!(#[serde(default = #path)])
                }
                None => quote_spanned!(*span=> #[serde(default)]),
            });
        }
        if let Some(name) = &self.name {
            attributes.extend(quote!(#[serde(rename = #name)]));
        }
        if let Some(header) = &self.header {
            attributes.extend(quote!(#[schemars(extend("x-mcp-header" = #header))]));
        }
        attributes
    }

    /// The function that serde calls for a missing value, when there is a default with a value.
    pub(crate) fn default_function(&self, name: &Ident, ty: &Type) -> Option<TokenStream> {
        let value = self.default.as_ref()?.value.as_ref()?;
        let span = value.span();
        let mut body = match value {
            Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => quote_spanned!(span=> ::core::convert::Into::into(#value)),
            _ => quote!(#value),
        };
        if is_literal(value) && types::only_argument(ty, "Option").is_some() {
            body = quote_spanned!(span=> ::core::option::Option::Some(#body));
        }
        Some(quote! {
            #[doc(hidden)]
            #[allow(non_snake_case, clippy::unnecessary_wraps)]
            fn #name() -> #ty {
                #body
            }
        })
    }
}

/// The name of the function behind a default; `owner` keeps those of different types apart.
pub(crate) fn default_function_name(owner: &str, ident: &Ident) -> Ident {
    format_ident!("__default_{owner}{}", ident.unraw(), span = Span::call_site())
}

pub(crate) fn is_arg(attribute: &Attribute) -> bool {
    attribute.path().is_ident("arg")
}

fn is_literal(value: &Expr) -> bool {
    match value {
        Expr::Lit(_) => true,
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => is_literal(expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn read(attributes: &[Attribute], ty: &Type) -> (Argument, Vec<String>) {
        let mut errors = Errors::default();
        let argument = Argument::read(attributes, ty, &mut errors);
        (argument, errors.messages())
    }

    #[test]
    fn names_come_from_either_attribute() {
        let ident: Ident = parse_quote!(r#type);
        let string: Type = parse_quote!(String);
        let name = |attribute: Attribute| read(&[attribute], &string).0.json_name(&ident).0;
        assert_eq!(name(parse_quote!(#[arg(name = "kind")])), "kind");
        assert_eq!(name(parse_quote!(#[serde(alias = "x", rename = "kind")])), "kind");
        assert_eq!(name(parse_quote!(#[serde(rename(serialize = "x", deserialize = "kind"))])), "kind");
        assert_eq!(name(parse_quote!(#[serde(default)])), "type");
    }

    #[test]
    fn what_is_said_twice_or_wrongly_is_an_error() {
        let string: Type = parse_quote!(String);
        let cases: [Vec<Attribute>; 8] = [
            vec![parse_quote!(#[arg(default)]), parse_quote!(#[arg(default = "x")])],
            vec![parse_quote!(#[arg(default)]), parse_quote!(#[serde(default)])],
            vec![parse_quote!(#[arg(name = "x")]), parse_quote!(#[serde(rename = "x")])],
            vec![parse_quote!(#[arg(name = "")])],
            vec![parse_quote!(#[arg(header = "a b")])],
            vec![parse_quote!(#[arg(defualt)])],
            vec![parse_quote!(#[arg(description = "x")])],
            vec![parse_quote!(#[arg])],
        ];
        for case in cases {
            let messages = read(&case, &string).1;
            assert_eq!(messages.len(), 1, "{messages:?}");
        }
        assert_eq!(read(&[parse_quote!(#[arg(header = "A")])], &parse_quote!(Option<f64>)).1.len(), 1);
    }

    #[test]
    fn literal_defaults_fit_strings_and_options() {
        let function = |attribute: Attribute, ty: Type| {
            let (argument, errors) = read(&[attribute], &ty);
            assert!(errors.is_empty(), "{errors:?}");
            argument.default_function(&parse_quote!(f), &ty).map(|tokens| tokens.to_string()).unwrap_or_default()
        };
        assert!(function(parse_quote!(#[arg(default = "x")]), parse_quote!(String)).contains("Into :: into (\"x\")"));
        assert!(function(parse_quote!(#[arg(default = -1)]), parse_quote!(Option<i8>)).contains("Some (- 1)"));
        assert!(function(parse_quote!(#[arg(default = None)]), parse_quote!(Option<i8>)).contains("{ None }"));
        assert_eq!(function(parse_quote!(#[arg(default)]), parse_quote!(u8)), "");
    }
}
