//! `#[complete(...)]` on a parameter: what suggests its values.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, ExprPath, Lit, LitStr, Path};

use crate::errors::Errors;
use crate::grammar;

/// Where suggestions come from.
pub(crate) enum Completion {
    /// A fixed list.
    List(Vec<LitStr>),
    /// A function of the user's.
    Function(ExprPath),
}

const FORM: &str = "`#[complete]` takes a list of strings, `#[complete([\"rust\", \"python\"])]`, or an async function, \
                    `#[complete(owners)]`";

impl Parse for Completion {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.is_empty() {
            return Err(input.error(FORM));
        }
        let completion = match input.parse()? {
            Expr::Path(path) => Self::Function(path),
            Expr::Array(list) => {
                let mut errors = Errors::default();
                let mut texts: Vec<LitStr> = Vec::new();
                for item in &list.elems {
                    match item {
                        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                            if let Err(rule) = grammar::visible(&text.value(), "a suggestion") {
                                errors.on(text, rule);
                            } else if texts.iter().any(|known| known.value() == text.value()) {
                                errors.on(text, format!("`{}` is in the list twice; keep one", text.value()));
                            }
                            texts.push(text.clone());
                        }
                        other => errors.on(other, FORM),
                    }
                }
                if list.elems.is_empty() {
                    errors.on(&list, "a list without a string suggests nothing: fill it, or remove `#[complete]`");
                }
                errors.into_result()?;
                Self::List(texts)
            }
            other => return Err(syn::Error::new_spanned(other, FORM)),
        };
        if input.is_empty() { Ok(completion) } else { Err(input.error(FORM)) }
    }
}

impl Completion {
    /// Reads the `#[complete]` among a parameter's attributes.
    pub(crate) fn read(attributes: &[Attribute], errors: &mut Errors) -> Option<Self> {
        let mut ours = attributes.iter().filter(|attribute| is_complete(attribute));
        let first = ours.next()?;
        for second in ours {
            errors.on(second, "`#[complete]` is given twice; keep one");
        }
        let read = match &first.meta {
            syn::Meta::List(list) if !list.tokens.is_empty() => list.parse_args(),
            _ => Err(syn::Error::new_spanned(first, FORM)),
        };
        errors.keep(read)
    }

    /// A function pointer for the definition.
    pub(crate) fn function(&self, hidden: &Path) -> TokenStream {
        // Not a name that the user's function could have.
        let request = Ident::new("__request", Span::mixed_site());
        match self {
            Self::List(list) => {
                let span = list.first().map_or_else(Span::call_site, LitStr::span);
                quote_spanned!(span=> |#request| #hidden::complete_from(&[#(#list),*], &#request))
            }
            Self::Function(path) => {
                let hidden = located_at(hidden, path.span());
                quote_spanned!(path.span()=> |#request| #hidden::complete_with(#path, #request))
            }
        }
    }
}

/// The path, for the compiler to report under the user's words.
fn located_at(path: &Path, span: Span) -> TokenStream {
    let relocate = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    path.to_token_stream().into_iter().map(relocate).collect()
}

pub(crate) fn is_complete(attribute: &Attribute) -> bool {
    attribute.path().is_ident("complete")
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn read(attributes: &[Attribute]) -> (Option<Completion>, Vec<String>) {
        let mut errors = Errors::default();
        let completion = Completion::read(attributes, &mut errors);
        (completion, errors.messages())
    }

    #[test]
    fn lists_and_functions_are_told_apart() {
        let (list, errors) = read(&[parse_quote!(#[complete(["a", "b"])])]);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(matches!(list, Some(Completion::List(list)) if list.len() == 2));
        let (function, errors) = read(&[parse_quote!(#[complete(module::owners)])]);
        assert!(errors.is_empty(), "{errors:?}");
        assert!(matches!(function, Some(Completion::Function(_))));
        assert!(read(&[parse_quote!(#[arg(default)])]).0.is_none());
    }

    #[test]
    fn all_else_is_an_error() {
        let wrong: [Attribute; 9] = [
            parse_quote!(#[complete]),
            parse_quote!(#[complete()]),
            parse_quote!(#[complete = "a"]),
            parse_quote!(#[complete("a", "b")]),
            parse_quote!(#[complete([])]),
            parse_quote!(#[complete(["a", 1])]),
            parse_quote!(#[complete(["a", "a"])]),
            parse_quote!(#[complete(["a\u{200B}"])]),
            parse_quote!(#[complete(|request| async { vec![] })]),
        ];
        for attribute in wrong {
            let messages = read(std::slice::from_ref(&attribute)).1;
            assert_eq!(messages.len(), 1, "{}: {messages:?}", crate::types::show(&attribute));
        }
        assert_eq!(read(&[parse_quote!(#[complete(a)]), parse_quote!(#[complete(b)])]).1.len(), 1);
    }
}
