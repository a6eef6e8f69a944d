//! The URI of a resource, or the template of its URIs (RFC 6570, as far as MCP clients expand it).

use syn::LitStr;

use crate::grammar;
use crate::suggest;

/// What stands first in `#[resource("...")]`.
pub(crate) struct Template {
    pub(crate) literal: LitStr,
    pub(crate) variables: Vec<Variable>,
}

/// One name in braces.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// From the query, which may be left out.
    pub(crate) is_query: bool,
}

impl Template {
    pub(crate) fn read(literal: LitStr) -> syn::Result<Self> {
        match variables(&literal.value()) {
            Ok(variables) => Ok(Self { literal, variables }),
            Err(rule) => Err(syn::Error::new(literal.span(), rule)),
        }
    }

    pub(crate) fn is_ui(&self) -> bool {
        has_ui_scheme(&self.literal.value())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.variables.iter().map(|variable| variable.name.as_str())
    }

    /// What variables there are, for a message.
    pub(crate) fn list(&self) -> String {
        match suggest::list(self.names()) {
            list if list.is_empty() => "it has no variables".to_owned(),
            list => format!("variables: {list}"),
        }
    }
}

pub(crate) fn has_ui_scheme(uri: &str) -> bool {
    uri.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("ui://"))
}

/// The URI of a page that shows a tool's results.
pub(crate) fn page(uri: &str) -> Result<(), String> {
    if !uri.starts_with("ui://") || uri.len() == 5 {
        return Err("`ui` is the URI of a resource with the scheme `ui`: `ui = \"ui://weather/card\"`".to_owned());
    }
    if uri.contains(['{', '}']) {
        return Err("the page of a tool is one URI, not a template: name a resource without variables".to_owned());
    }
    grammar::uri_part(uri)
}

/// Checks a template and gives its variables.
fn variables(template: &str) -> Result<Vec<Variable>, String> {
    grammar::uri_scheme(template)?;
    let mut variables: Vec<Variable> = Vec::new();
    let mut rest = template;
    // What came before: a text, or an expression, with whether it is a query.
    let mut after: Option<Operator> = None;
    loop {
        let (text, braces) = match rest.split_once('{') {
            Some((text, braces)) => (text, Some(braces)),
            None => (rest, None),
        };
        if text.contains('}') {
            return Err("a `}` in the template closes nothing: remove it, or write the `{` before its variable".to_owned());
        }
        grammar::uri_part(text)?;
        if after == Some(Operator::Query) && !(text.is_empty() && braces.is_none()) {
            return Err("a query ends the URI: move `{?..}` to the end of the template".to_owned());
        }
        let Some(braces) = braces else { return Ok(variables) };
        let Some((inside, behind)) = braces.split_once('}') else {
            return Err(format!("`{{{}` is not closed: write `}}` after the variable", shown(braces)));
        };
        if inside.contains('{') {
            return Err(format!("`{{{}` is not closed before the next `{{`: write `}}` after the variable", shown(inside)));
        }
        let operator = expression(inside, &mut variables)?;
        if text.is_empty() && after.is_some() && matches!(operator, Operator::None | Operator::Reserved) {
            return Err(format!(
                "nothing tells where `{{{inside}}}` begins, because it follows another variable: put a text between them, such as `/`"
            ));
        }
        after = Some(operator);
        rest = behind;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    None,
    Reserved,
    Segment,
    Query,
}

/// Reads what stands between braces.
fn expression(inside: &str, variables: &mut Vec<Variable>) -> Result<Operator, String> {
    let (operator, names) = match inside.chars().next() {
        None => return Err("`{}` has no variable: write one, such as `{id}`".to_owned()),
        Some('+') => (Operator::Reserved, &inside[1..]),
        Some('/') => (Operator::Segment, &inside[1..]),
        Some('?') => (Operator::Query, &inside[1..]),
        Some(c) if "#.;&=,!@|".contains(c) => {
            return Err(format!(
                "`{{{}}}` begins with `{c}`, which is not supported: there are `{{id}}`, `{{+path}}`, `{{/segment}}` and `{{?query}}`",
                shown(inside)
            ));
        }
        Some(_) => (Operator::None, inside),
    };
    for name in names.split(',') {
        if name.is_empty() {
            return Err(format!("`{{{}}}` has an empty name: write `{{a,b}}`", shown(inside)));
        }
        if name.ends_with('*') || name.contains(':') {
            let plain = name.split(['*', ':']).next().unwrap_or_default();
            return Err(format!("`{}` has a modifier, and a variable is one whole text: write `{}`", shown(name), shown(plain)));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if !name.chars().all(fits) || name.starts_with('.') || name.ends_with('.') {
            return Err(format!(
                "`{}` is no name of a variable: it has ASCII letters, digits and `_`, with `.` between (RFC 6570, 2.3)",
                shown(name)
            ));
        }
        if variables.iter().any(|known| known.name == name) {
            return Err(format!("`{name}` is in the template twice: give each variable a name of its own"));
        }
        variables.push(Variable { name: name.to_owned(), is_query: operator == Operator::Query });
    }
    Ok(operator)
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(template: &str) -> Vec<String> {
        let variables = variables(template).unwrap_or_else(|error| panic!("{template}: {error}"));
        variables
            .into_iter()
            .map(|variable| if variable.is_query { format!("?{}", variable.name) } else { variable.name })
            .collect()
    }

    #[test]
    fn variables_are_found() {
        assert!(names("config://app").is_empty());
        assert!(names("urn:example:a%20b").is_empty());
        assert_eq!(names("orders://{id}"), ["id"]);
        assert_eq!(names("repo://{owner}/{+path}"), ["owner", "path"]);
        assert_eq!(names("a://x{/b,c}{?d,e}"), ["b", "c", "?d", "?e"]);
        assert_eq!(names("a:{b}-{c_1.d}"), ["b", "c_1.d"]);
    }

    #[test]
    fn each_mistake_has_its_rule() {
        for (wrong, word) in [
            ("", "scheme"),
            ("orders", "scheme"),
            ("/orders/{id}", "scheme"),
            ("{scheme}://a", "scheme"),
            ("1a://b", "scheme"),
            ("a:", "nothing follows"),
            ("a://{id", "not closed"),
            ("a://{id{x}", "not closed"),
            ("a://id}", "closes nothing"),
            ("a://{}", "no variable"),
            ("a://{#id}", "not supported"),
            ("a://{&id}", "not supported"),
            ("a://{.id}", "not supported"),
            ("a://{;id}", "not supported"),
            ("a://{id*}", "modifier"),
            ("a://{id:3}", "modifier"),
            ("a://{ id }", "no name"),
            ("a://{größe}", "no name"),
            ("a://{b-c}", "no name"),
            ("a://{b,}", "empty name"),
            ("a://{?}", "empty name"),
            ("a://{id}/{id}", "twice"),
            ("a://{b}{c}", "nothing tells"),
            ("a://{b}{+c}", "nothing tells"),
            ("a://b{?c}/d", "ends the URI"),
            ("a://b{?c}{/d}", "ends the URI"),
            ("a://b{?c}{?d}", "ends the URI"),
            ("a://b c", "space"),
            ("a://größe", "percent-encoded"),
            ("a://100%", "two hexadecimal"),
        ] {
            let error = variables(wrong).expect_err(wrong);
            assert!(error.contains(word), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_page_of_a_tool_is_one_ui_resource() {
        assert_eq!(page("ui://weather/card"), Ok(()));
        for wrong in ["", "ui://", "https://example.com", "ui://{card}", "ui://a b"] {
            assert!(page(wrong).is_err(), "{wrong}");
        }
    }
}
