//! Doc comments become descriptions: the function's for the tool, resource or prompt, its `# Arguments` list for the parameters.

use proc_macro2::Span;
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

use crate::errors::Errors;
use crate::grammar;

/// What the doc comment of a function says.
#[derive(Debug, Default)]
pub(crate) struct Description {
    /// The comment without its `# Arguments` list.
    pub(crate) text: Option<String>,
    pub(crate) arguments: Vec<Documented>,
}

/// One item of an `# Arguments` list.
#[derive(Debug)]
pub(crate) struct Documented {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) span: Span,
}

struct Line {
    text: String,
    span: Span,
}

/// Reads a function's doc comment.
pub(crate) fn describe(attributes: &[Attribute], errors: &mut Errors) -> Description {
    let mut description = Description::default();
    let mut text: Vec<String> = Vec::new();
    let mut place = Place::Text;
    let mut fenced = false;
    for Line { text: line, span } in lines(attributes, errors) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let heading = if fenced { None } else { heading(&line) };
        if let Some(heading) = heading {
            place = if heading.eq_ignore_ascii_case("arguments") { Place::Section } else { Place::Text };
            if place == Place::Text {
                text.push(line);
            }
            continue;
        }
        match place {
            Place::Text => text.push(line),
            _ if line.trim().is_empty() => {
                place = Place::Section;
                if !text.last().is_some_and(String::is_empty) {
                    text.push(line);
                }
            }
            _ if bullet(&line).is_some() => match bullet(&line).and_then(item) {
                Some((name, item)) => {
                    description.arguments.push(Documented { name: name.to_owned(), text: item.to_owned(), span });
                    place = Place::Item;
                }
                None => errors.at(span, "an item of the `# Arguments` list reads ``* `name` - what it is``"),
            },
            Place::Item => {
                if let Some(documented) = description.arguments.last_mut() {
                    // A list within an item stays a list.
                    documented.text.push(if line.trim_start().starts_with(['*', '-', '+']) { '\n' } else { ' ' });
                    documented.text.push_str(line.trim());
                }
            }
            // Words around the list are about the whole.
            Place::Section => text.push(line),
        }
    }
    let blank = |line: &String| line.trim().is_empty();
    let end = text.iter().rposition(|line| !blank(line)).map_or(0, |last| last + 1);
    let start = text.iter().position(|line| !blank(line)).unwrap_or(0);
    if start < end {
        description.text = Some(text[start..end].join("\n"));
    }
    description
}

/// Reports what a doc comment on a parameter or field must not have.
pub(crate) fn check(attributes: &[Attribute], errors: &mut Errors) {
    lines(attributes, errors);
}

/// Whether there is a doc comment with a word in it.
pub(crate) fn is_documented(attributes: &[Attribute]) -> bool {
    !lines(attributes, &mut Errors::default()).iter().all(|line| line.text.trim().is_empty())
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Text,
    /// Below `# Arguments`, outside an item.
    Section,
    Item,
}

fn lines(attributes: &[Attribute], errors: &mut Errors) -> Vec<Line> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        // `#[doc(hidden)]` and its like are for rustdoc.
        let Meta::NameValue(doc) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(literal), .. }) = &doc.value else {
            errors.on(
                &doc.value,
                "a description must be readable when the macro runs, and this is not yet text; write it as `/// ...` or `#[doc = \"...\"]`",
            );
            continue;
        };
        let text = literal.value();
        if let Err(rule) = grammar::visible(&text, "the description") {
            errors.at(literal.span(), rule);
        }
        lines.extend(unindented(&text).into_iter().map(|text| Line { text, span: literal.span() }));
    }
    lines
}

/// One line loses the space after `///`; a block loses the indentation and the stars that its lines share.
fn unindented(text: &str) -> Vec<String> {
    if !text.contains('\n') {
        return vec![text.strip_prefix(' ').unwrap_or(text).trim_end().to_owned()];
    }
    let mut lines: Vec<&str> = text.lines().collect();
    let rest = || text.lines().skip(1).filter(|line| !line.trim().is_empty());
    // `/**` stands alone above a column of stars; without it the stars are a list.
    if lines[0].trim().is_empty() && rest().all(|line| line.trim_start().starts_with('*')) {
        for line in &mut lines[1..] {
            *line = line.trim_start().strip_prefix('*').unwrap_or_default();
        }
    }
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let shared = lines.iter().skip(1).filter(|line| !line.trim().is_empty()).map(|line| indentation(line)).min().unwrap_or(0);
    lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            let line = if index == 0 { line.trim_start() } else { line.get(shared..).unwrap_or_default() };
            line.trim_end().to_owned()
        })
        .collect()
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start().trim_start_matches('#');
    let level = line.trim_start().len() - title.len();
    ((1..=6).contains(&level) && title.starts_with(' ')).then(|| title.trim())
}

/// The text of a list item that is not indented into another.
fn bullet(line: &str) -> Option<&str> {
    let text = line.strip_prefix(' ').unwrap_or(line);
    ["* ", "- ", "+ "].iter().find_map(|mark| text.strip_prefix(mark)).map(str::trim)
}

/// `` `name` - text``, `name: text` and the like.
fn item(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = match text.strip_prefix('`') {
        Some(quoted) => quoted.split_once('`')?,
        None => text.split_at(text.find(|c: char| !(c.is_alphanumeric() || c == '_'))?),
    };
    let rest = rest.trim_start();
    let text = ["-", ":", "—", "–"].iter().find_map(|separator| rest.strip_prefix(separator))?.trim();
    let named = !name.is_empty() && !name.contains(char::is_whitespace);
    (named && !text.is_empty()).then_some((name, text))
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse::Parser;

    use super::*;

    fn read(tokens: proc_macro2::TokenStream) -> (Description, Vec<String>) {
        let attributes = Attribute::parse_outer.parse2(tokens).expect("attributes");
        let mut errors = Errors::default();
        let description = describe(&attributes, &mut errors);
        (description, errors.messages())
    }

    fn arguments(description: &Description) -> Vec<(&str, &str)> {
        description.arguments.iter().map(|item| (&*item.name, &*item.text)).collect()
    }

    #[test]
    fn lines_are_joined_as_written() {
        let (description, errors) = read(quote! {
            ///
            /// Current weather.
            ///
            ///   * indented
            #[doc = "Second\n  block"]
            ///
        });
        assert!(errors.is_empty());
        assert_eq!(description.text.as_deref(), Some("Current weather.\n\n  * indented\nSecond\nblock"));
        assert_eq!(read(quote!(#[doc(hidden)] #[inline])).0.text, None);
        assert_eq!(read(quote!(#[doc = " "])).0.text, None);
    }

    #[test]
    fn block_comments_lose_what_their_lines_share() {
        assert_eq!(unindented("\n * One\n *  two\n "), ["", "One", " two", ""]);
        assert_eq!(unindented(" One\n    two\n      three"), ["One", "two", "  three"]);
    }

    #[test]
    fn the_arguments_list_is_cut_out() {
        let (description, errors) = read(quote! {
            /// Current weather.
            ///
            /// # Arguments
            ///
            /// * `city` - City name, for
            ///   example `Lisbon`.
            /// - days: Days ahead.
            /// * `units` — Units:
            ///   - metric
            ///   - imperial
            ///
            /// All are checked.
            ///
            /// # Errors
            ///
            /// Never.
        });
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(description.text.as_deref(), Some("Current weather.\n\nAll are checked.\n\n# Errors\n\nNever."));
        assert_eq!(
            arguments(&description),
            [("city", "City name, for example `Lisbon`."), ("days", "Days ahead."), ("units", "Units:\n- metric\n- imperial")]
        );
    }

    #[test]
    fn code_blocks_have_no_headings() {
        let (description, _) = read(quote! {
            /// ```sh
            /// # Arguments
            /// ```
        });
        assert_eq!(description.text.as_deref(), Some("```sh\n# Arguments\n```"));
    }

    #[test]
    fn malformed_items_and_texts_are_errors() {
        for wrong in [
            quote!(#[doc = "# Arguments\n* the city"]),
            quote!(#[doc = "# Arguments\n* `city`"]),
            quote!(#[doc = include_str!("x.md")]),
            quote!(#[doc = "a\u{200B}b"]),
        ] {
            assert_eq!(read(wrong.clone()).1.len(), 1, "{wrong}");
        }
    }
}
