//! Attribute options as a table: a word and how its value is read.
//!
//! `#[tool]`, `#[resource]`, `#[prompt]`, `#[data]` and `#[arg]` each bring a [`Vocabulary`], and so do options that hold
//! further ones; spelling help, duplicates and going on after a mistake are the same for all of them.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseBuffer, ParseStream, Parser};
use syn::{Expr, Ident, Lit, LitBool, LitInt, LitStr, Path, Token, parenthesized};

use crate::errors::Errors;
use crate::suggest;

/// One option: its word, and what reads its value into the options.
pub(crate) struct Entry<T: 'static> {
    pub(crate) word: &'static str,
    pub(crate) read: fn(&mut T, &Value<'_>) -> syn::Result<()>,
}

/// All options of one attribute.
pub(crate) struct Vocabulary<T: 'static> {
    /// Where the options stand, as the user writes it: `#[tool]`, `cache(..)`.
    pub(crate) place: &'static str,
    pub(crate) entries: &'static [Entry<T>],
    /// Words that people try and that are none, each with what to do instead.
    pub(crate) refused: &'static [(&'static str, &'static str)],
}

impl<T> Vocabulary<T> {
    /// Reads every option that can be read and reports every one that cannot.
    pub(crate) fn read(&self, tokens: TokenStream, options: &mut T, errors: &mut Errors) {
        let parser = |input: ParseStream<'_>| {
            let mut seen = Vec::new();
            while !input.is_empty() {
                if let Err(error) = self.read_one(input, &mut seen, options) {
                    errors.push(error);
                    skip_to_comma(input);
                } else if !input.is_empty() && !input.peek(Token![,]) {
                    errors.push(input.error(format!("options of `{}` are separated by commas", self.place)));
                    skip_to_comma(input);
                }
                input.parse::<Option<Token![,]>>()?;
            }
            Ok(())
        };
        let result = parser.parse2(tokens);
        errors.keep(result);
    }

    fn read_one(&self, input: ParseStream<'_>, seen: &mut Vec<String>, options: &mut T) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected an option of `{}`: {}", self.place, self.words())));
        }
        // `crate` is a keyword and an option.
        let key = input.call(Ident::parse_any)?;
        let word = key.to_string();
        if let Some((_, instead)) = self.refused.iter().find(|(refused, _)| *refused == word) {
            return Err(syn::Error::new(key.span(), instead));
        }
        let Some(entry) = self.entries.iter().find(|entry| entry.word == word) else {
            let question = suggest::question(&word, self.entries.iter().map(|entry| entry.word));
            let text = format!("`{}` has no option `{word}`{question}\noptions: {}", self.place, self.words());
            return Err(syn::Error::new(key.span(), text));
        };
        let twice = seen.contains(&word);
        let span = key.span();
        (entry.read)(options, &Value { key, input })?;
        if twice {
            return Err(syn::Error::new(span, format!("`{word}` is given twice; keep one")));
        }
        seen.push(word);
        Ok(())
    }

    /// Is it an option?
    pub(crate) fn knows(&self, word: &Ident) -> bool {
        self.entries.iter().any(|entry| word == entry.word)
    }

    /// Is it a word that people try instead of an option?
    pub(crate) fn refuses(&self, word: &Ident) -> bool {
        self.refused.iter().any(|(refused, _)| word == refused)
    }

    fn words(&self) -> String {
        suggest::list(self.entries.iter().map(|entry| entry.word))
    }
}

/// What stands after an option's word. The reading methods say what was expected when it is something else.
pub(crate) struct Value<'a> {
    pub(crate) key: Ident,
    input: ParseStream<'a>,
}

/// A switch and where it was set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) span: Span,
    pub(crate) on: bool,
}

impl Value<'_> {
    /// `word`, `word = true` or `word = false`.
    pub(crate) fn flag(&self) -> syn::Result<Flag> {
        let span = self.key.span();
        if self.at_end() {
            return Ok(Flag { span, on: true });
        }
        let form = format!("`{0}` is a flag: write `{0}` or `{0} = false`", self.key);
        let value: LitBool = self.assigned(&form)?;
        Ok(Flag { span, on: value.value })
    }

    /// `word = "text"`.
    pub(crate) fn string(&self) -> syn::Result<LitStr> {
        self.assigned(&format!("`{0}` takes a string literal: `{0} = \"...\"`", self.key))
    }

    /// `word` and nothing else.
    pub(crate) fn bare(&self) -> syn::Result<Flag> {
        match self.at_end() {
            true => Ok(Flag { span: self.key.span(), on: true }),
            false => Err(self.error_here(&format!("write `{}` alone, or leave it out", self.key))),
        }
    }

    /// `word`, or `word = "text"`.
    pub(crate) fn optional_string(&self, form: &str) -> syn::Result<Option<LitStr>> {
        if self.at_end() { Ok(None) } else { self.assigned(form).map(Some) }
    }

    /// `word = literal`.
    pub(crate) fn literal(&self, form: &str) -> syn::Result<Lit> {
        self.assigned(form)
    }

    /// `word(option, option = "value")`, in a vocabulary of its own.
    pub(crate) fn nested<U>(&self, vocabulary: &Vocabulary<U>, options: &mut U, form: &str) -> syn::Result<()> {
        let content = self.parenthesized(form)?;
        let mut errors = Errors::default();
        vocabulary.read(content.parse()?, options, &mut errors);
        errors.into_result()
    }

    /// `word(known, known)`: words of a list, none repeated. `plural` is what they are.
    pub(crate) fn words(&self, form: &str, plural: &str, known: &[&'static str]) -> syn::Result<Vec<Ident>> {
        let mut errors = Errors::default();
        let mut words: Vec<Ident> = Vec::new();
        for word in self.listed::<Ident>(form)? {
            if !known.iter().any(|known| word == known) {
                let question = suggest::question(&word.to_string(), known.iter().copied());
                let list = suggest::list(known.iter().copied());
                errors.at(word.span(), format!("`{}` knows no `{word}`{question}\n{plural}: {list}", self.key));
            } else if words.contains(&word) {
                errors.at(word.span(), format!("`{word}` is given twice; keep one"));
            }
            words.push(word);
        }
        errors.into_result().map(|()| words)
    }

    /// `word = 65536`.
    pub(crate) fn integer(&self) -> syn::Result<LitInt> {
        self.assigned(&format!("`{0}` takes a whole number: `{0} = 65536`", self.key))
    }

    /// `word = some::path`.
    pub(crate) fn path(&self) -> syn::Result<Path> {
        let form = format!("`{0}` takes a path: `{0} = ::renamed`", self.key);
        self.assignment(&form)?;
        self.input.call(Path::parse_mod_style).map_err(|error| syn::Error::new(error.span(), form))
    }

    /// `word`, or `word = expression`.
    pub(crate) fn optional_expression(&self) -> syn::Result<Option<Expr>> {
        if self.at_end() {
            return Ok(None);
        }
        self.assignment(&format!("write `{0}` or `{0} = value`", self.key))?;
        self.input.parse().map(Some)
    }

    /// `word("a", "b")`, each string checked and none repeated.
    pub(crate) fn strings(&self, check: fn(&str) -> Result<(), String>) -> syn::Result<Vec<LitStr>> {
        let form = format!("`{0}` takes string literals: `{0}(\"...\", \"...\")`", self.key);
        let mut errors = Errors::default();
        let mut values: Vec<LitStr> = Vec::new();
        for literal in self.listed::<LitStr>(&form)? {
            let text = literal.value();
            if let Err(rule) = check(&text) {
                errors.at(literal.span(), rule);
            } else if values.iter().any(|known| known.value() == text) {
                errors.at(literal.span(), format!("`{text}` is in `{}` twice", self.key));
            } else {
                values.push(literal);
            }
        }
        errors.into_result().map(|()| values)
    }

    /// `word(a, b)` or `word("key" = 1)`: at least one, separated by commas.
    pub(crate) fn listed<U: Parse>(&self, form: &str) -> syn::Result<Vec<U>> {
        let content = self.parenthesized(form)?;
        Self::list(&content, form)
    }

    fn parenthesized(&self, form: &str) -> syn::Result<ParseBuffer<'_>> {
        if !self.input.peek(syn::token::Paren) {
            return Err(self.error_here(form));
        }
        let content;
        parenthesized!(content in self.input);
        if content.is_empty() {
            return Err(syn::Error::new(self.key.span(), format!("`{}` is empty; {form}", self.key)));
        }
        Ok(content)
    }

    fn list<U: Parse>(content: ParseStream<'_>, form: &str) -> syn::Result<Vec<U>> {
        let explain = |error: syn::Error| match error.to_string() {
            // Syn's own texts say what kind of token was wanted; the form says it for this option.
            text if text.starts_with("expected") || text.starts_with("unexpected") => syn::Error::new(error.span(), form),
            _ => error,
        };
        let mut items = Vec::new();
        let mut errors = Errors::default();
        while !content.is_empty() {
            match content.parse::<U>() {
                Ok(item) => items.push(item),
                Err(error) => {
                    errors.push(explain(error));
                    skip_to_comma(content);
                }
            }
            if !content.is_empty() && !content.peek(Token![,]) {
                errors.push(syn::Error::new(content.span(), form));
                skip_to_comma(content);
            }
            content.parse::<Option<Token![,]>>()?;
        }
        errors.into_result().map(|()| items)
    }

    fn assigned<U: Parse>(&self, form: &str) -> syn::Result<U> {
        self.assignment(form)?;
        if self.at_end() {
            return Err(syn::Error::new(self.key.span(), form));
        }
        let value = self.input.parse::<U>().map_err(|error| syn::Error::new(error.span(), form))?;
        // `"a".len()` or `1 + 1` begin like a literal.
        if self.at_end() { Ok(value) } else { Err(self.error_here(form)) }
    }

    fn assignment(&self, form: &str) -> syn::Result<()> {
        if !self.input.peek(Token![=]) {
            return Err(self.error_here(form));
        }
        self.input.parse::<Token![=]>().map(drop)
    }

    fn at_end(&self) -> bool {
        self.input.is_empty() || self.input.peek(Token![,])
    }

    fn error_here(&self, text: &str) -> syn::Error {
        let span = if self.at_end() { self.key.span() } else { self.input.span() };
        syn::Error::new(span, text)
    }
}

/// Goes on after a mistake.
pub(crate) fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        // A token tree can always be read where the input is not empty.
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[derive(Default)]
    struct Options {
        name: Option<String>,
        on: Option<bool>,
        tags: Vec<String>,
    }

    const VOCABULARY: Vocabulary<Options> = Vocabulary {
        place: "#[tool]",
        entries: &[
            Entry {
                word: "name",
                read: |options, value| {
                    options.name = Some(value.string()?.value());
                    Ok(())
                },
            },
            Entry {
                word: "on",
                read: |options, value| {
                    options.on = Some(value.flag()?.on);
                    Ok(())
                },
            },
            Entry {
                word: "tags",
                read: |options, value| {
                    options.tags = value.strings(|_| Ok(()))?.iter().map(LitStr::value).collect();
                    Ok(())
                },
            },
        ],
        refused: &[("later", "`later` is not built yet")],
    };

    fn read(tokens: TokenStream) -> (Options, Vec<String>) {
        let mut options = Options::default();
        let mut errors = Errors::default();
        VOCABULARY.read(tokens, &mut options, &mut errors);
        (options, errors.messages())
    }

    #[test]
    fn every_form_is_read() {
        let (options, errors) = read(quote!(name = "a", on, tags("x", "y"),));
        assert_eq!(errors, <[&str; 0]>::default());
        assert_eq!(options.name.as_deref(), Some("a"));
        assert_eq!(options.on, Some(true));
        assert_eq!(options.tags, ["x", "y"]);
        assert_eq!(read(quote!(on = false)).0.on, Some(false));
    }

    #[test]
    fn reading_goes_on_after_a_mistake() {
        let (options, errors) = read(quote!(nmae = "a", on = 1, later, name, on, name = "b" "c", "d"));
        assert_eq!(options.on, Some(true));
        assert_eq!(
            errors,
            [
                "`#[tool]` has no option `nmae`; did you mean `name`?\noptions: `name`, `on`, `tags`",
                "`on` is a flag: write `on` or `on = false`",
                "`later` is not built yet",
                "`name` takes a string literal: `name = \"...\"`",
                "`name` takes a string literal: `name = \"...\"`",
                "expected an option of `#[tool]`: `name`, `on`, `tags`",
            ]
        );
    }

    #[test]
    fn repetition_is_an_error() {
        assert_eq!(read(quote!(on, on = false)).1, ["`on` is given twice; keep one"]);
        assert_eq!(read(quote!(tags("a", "a"))).1, ["`a` is in `tags` twice"]);
        assert_eq!(read(quote!(tags())).1.len(), 1);
        assert_eq!(read(quote!(tags = "a")).1, ["`tags` takes string literals: `tags(\"...\", \"...\")`"]);
        assert_eq!(read(quote!(on name = "x")).1.len(), 1);
    }
}
