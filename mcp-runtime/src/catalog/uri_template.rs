//! URI templates of resources: that part of RFC 6570 that can be read back without guessing.
//!
//! A template is parsed once, when the server is built. What could be read in two ways is refused there, so that one pass
//! over a URI finds the only way to read it:
//!
//! - `{id}` takes one character or more of those that a value is never encoded in: letters, digits, `-._~`, and `!'()*`, which
//!   JavaScript's `encodeURIComponent` lets through; and percent-encoded octets. Between it and the next variable there must be
//!   a character that it does not take.
//! - `{a,b}` is `{a},{b}`, and `{/a,b}` is `/{a}/{b}`: a URI has all of them.
//! - `{+path}` takes the reserved characters too, `/` for one; one character or more. `?` and `#` it takes only where it ends
//!   the template, as in `fetch:{+url}`. A template has at most one, so all that follows it can be counted from the end.
//! - `{?q,limit}` ends a template: `name=value` pairs in any order, each at most once, none needed, none unknown. A value may be
//!   empty, a `+` in it is a plus, and only `&` and `#` do not belong to it. An empty query (`orders:all?`) is no match.
//!
//! All other text is compared byte for byte (`%7e` is not `~` there, and no `..` is resolved); only the scheme may be written
//! in either case. Values are percent-decoded once. They may then be anything: ask [`escapes`] before one becomes a path.

use std::cmp::Reverse;
use std::fmt::Write;

#[cfg(test)]
use tests::looked;

use crate::excerpt::excerpt;

/// In bytes.
const LONGEST_TEMPLATE: usize = 1024;
/// In bytes.
const LONGEST_URI: usize = 8 * 1024;
const MOST_VARIABLES: usize = 16;

/// A template: text, then holes in it, then perhaps a query.
#[derive(Clone, Debug)]
pub(crate) struct UriTemplate {
    /// As it was written.
    text: String,
    /// Length of the scheme with its colon. The scheme is the beginning of `start`.
    scheme: usize,
    /// The text before the first hole.
    start: String,
    holes: Vec<Hole>,
    /// The variables of `{?..}`.
    query: Vec<String>,
}

/// A variable outside of the query.
#[derive(Clone, Debug)]
struct Hole {
    name: String,
    /// It is a `{+..}`.
    reserved: bool,
    /// The text up to the next hole or the end. Only the last hole's may consist of characters that `{var}` takes.
    after: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Plain,
    Reserved,
    Segment,
    Query,
}

impl UriTemplate {
    /// The error is a sentence: what is wrong, where, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).map_err(|problem| format!("the URI template `{}` {problem}", excerpt(text, 120)))
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST_TEMPLATE {
            return Err(format!("has {} bytes: shorten it to {LONGEST_TEMPLATE}", text.len()));
        }
        let scheme = scheme(text).ok_or("does not begin with a scheme: begin it with `orders://`, for example")?;
        let mut template = Self { text: text.to_owned(), scheme, start: String::new(), holes: Vec::new(), query: Vec::new() };
        let mut rest = text;
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            if !template.query.is_empty() {
                return Err(format!(
                    "goes on at byte {at}, after `{{?..}}`: name all query variables in one `{{?a,b}}` at the end"
                ));
            }
            if let Some(opened) = rest.strip_prefix('{') {
                let Some((inside, more)) = opened.split_once('}') else {
                    return Err(format!("opens a `{{` at byte {at} and does not close it: add the `}}`"));
                };
                template.add_expression(inside)?;
                rest = more;
            } else {
                let (literal, more) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
                check_literal(literal, at)?;
                template.add_literal(literal);
                rest = more;
            }
        }
        template.check_borders()?;
        Ok(template)
    }

    fn add_literal(&mut self, literal: &str) {
        self.holes.last_mut().map_or(&mut self.start, |hole| &mut hole.after).push_str(literal);
    }

    fn add_expression(&mut self, inside: &str) -> Result<(), String> {
        if let Some(instead) = instead_of(inside) {
            return Err(format!("has `{{{inside}}}`, an operator that is not supported: {instead}"));
        }
        let (operator, names) = Operator::of(inside);
        if operator == Operator::Query && self.literals().any(|literal| literal.contains(['?', '#'])) {
            return Err(format!(
                "has a `?` or `#` before `{{{inside}}}`: write all of the query in the `{{?..}}`, or all of it as `?a={{a}}`"
            ));
        }
        for (index, name) in names.split(',').enumerate() {
            self.check_name(inside, name)?;
            match operator {
                Operator::Plain if index > 0 => self.add_literal(","),
                Operator::Segment => self.add_literal("/"),
                Operator::Reserved if self.holes.iter().any(|hole| hole.reserved) => {
                    return Err(format!(
                        "has a second reserved variable in `{{{inside}}}`, and nothing tells where one ends and the other begins: \
                         keep one, and write `{{{name}}}` for the other"
                    ));
                }
                Operator::Query => {
                    self.query.push(name.to_owned());
                    continue;
                }
                Operator::Plain | Operator::Reserved => {}
            }
            let reserved = operator == Operator::Reserved;
            self.holes.push(Hole { name: name.to_owned(), reserved, after: String::new() });
        }
        Ok(())
    }

    fn check_name(&self, inside: &str, name: &str) -> Result<(), String> {
        if name.ends_with('*') {
            return Err(format!(
                "has a list, `{name}` in `{{{inside}}}`: write `{{+path}}` for many segments, or name each variable, `{{?a,b}}`"
            ));
        }
        if let Some((whole, _)) = name.split_once(':') {
            return Err(format!("has a prefix, `{name}` in `{{{inside}}}`: write `{whole}`, and cut the value in the function"));
        }
        if name.is_empty() {
            return Err(format!("has no name for a variable in `{{{inside}}}`: write one, or leave the braces out"));
        }
        if !name.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        {
            return Err(format!("has `{name}` as a variable in `{{{inside}}}`: use ASCII letters, digits and `_` only"));
        }
        if self.variables().any(|own| own == name) {
            return Err(format!("has the variable `{name}` twice: rename one"));
        }
        if self.variables().count() == MOST_VARIABLES {
            return Err(format!("has more than {MOST_VARIABLES} variables: take some of them in one `{{+path}}`"));
        }
        Ok(())
    }

    /// Is it plain where each variable ends?
    fn check_borders(&self) -> Result<(), String> {
        for pair in self.holes.windows(2) {
            let (Hole { name, after, .. }, next) = (&pair[0], &pair[1].name);
            if after.is_empty() {
                return Err(format!(
                    "has nothing between `{name}` and `{next}` to tell where one ends: write a `/` between them"
                ));
            }
            if after.bytes().all(is_plain) {
                return Err(format!(
                    "has only `{after}` between `{name}` and `{next}`, which their values may have as well: \
                     write a `/` between them, or one of `:;,@=`"
                ));
            }
        }
        Ok(())
    }

    /// It has no variables: it is a URI.
    pub(crate) fn is_fixed(&self) -> bool {
        self.variables().next().is_none()
    }

    /// The names, in the template's order.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.holes.iter().map(|hole| &*hole.name).chain(self.query.iter().map(|name| &**name))
    }

    fn literals(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.start).chain(self.holes.iter().map(|hole| &*hole.after))
    }

    /// The least is the most specific and to be tried first: with the longest literal text, then without `{+..}`, then with the
    /// fewest variables. Never equal for two texts.
    pub(crate) fn specificity(&self) -> impl Ord + use<> {
        let literal: usize = self.literals().map(str::len).sum();
        let reserved = self.holes.iter().any(|hole| hole.reserved);
        (Reverse(literal), reserved, self.variables().count(), self.text.clone())
    }

    /// Are they the same but for the names of variables? The names in a query do not count: neither template needs any, so the
    /// URI without a query is of both.
    pub(crate) fn same_shape(&self, other: &Self) -> bool {
        let (scheme, start) = self.start.split_at(self.scheme);
        let (other_scheme, other_start) = other.start.split_at(other.scheme);
        scheme.eq_ignore_ascii_case(other_scheme)
            && start == other_start
            && self.holes.iter().map(Hole::shape).eq(other.holes.iter().map(Hole::shape))
            && self.query.is_empty() == other.query.is_empty()
    }

    /// The values, decoded and in the template's order, if the URI is one of this template's. Query variables that the URI does
    /// not have are left out.
    ///
    /// `None` for URIs of more than 8 KiB too, and where a value has a broken escape or is not UTF-8.
    pub(crate) fn matches<'t>(&'t self, uri: &str) -> Option<Vec<(&'t str, String)>> {
        if uri.len() > LONGEST_URI {
            return None;
        }
        // Before `{?..}` the template has no `?`, and no variable takes one.
        let (path, query) = match uri.split_once('?').filter(|_| !self.query.is_empty()) {
            Some((path, query)) => (path, Some(query)),
            None => (uri, None),
        };
        let mut values = self.path_values(path.as_bytes())?;
        if let Some(query) = query {
            values.extend(self.query_values(query)?);
        }
        Some(values)
    }

    fn path_values(&self, path: &[u8]) -> Option<Vec<(&str, String)>> {
        let (scheme, rest) = path.split_at_checked(self.scheme)?;
        let (own_scheme, start) = self.start.as_bytes().split_at(self.scheme);
        looked(self.start.len());
        if !scheme.eq_ignore_ascii_case(own_scheme) {
            return None;
        }
        let mut rest = rest.strip_prefix(start)?;
        let mut values = Vec::with_capacity(self.variables().count());
        for (index, hole) in self.holes.iter().enumerate() {
            let span = if hole.reserved { self.reserved_span(index, rest)? } else { plain_span(rest) };
            // The span ends where a character must be the text's, not a value's; so it may end with some of the text.
            let (tail, beyond) = hole.after.as_bytes().split_at(plain_span(hole.after.as_bytes()));
            let (taken, more) = rest.split_at(span);
            looked(hole.after.len());
            let value = taken.strip_suffix(tail).filter(|value| !value.is_empty())?;
            rest = more.strip_prefix(beyond)?;
            let to_the_end = self.ends_reserved();
            let takes =
                |byte| is_plain(byte) || hole.reserved && is_reserved(byte) && (to_the_end || !matches!(byte, b'?' | b'#'));
            values.push((&*hole.name, decode(value, takes)?));
        }
        rest.is_empty().then_some(values)
    }

    /// How far a `{+..}` goes: it leaves exactly as many characters that `{var}` does not take as the text after it has.
    fn reserved_span(&self, index: usize, rest: &[u8]) -> Option<usize> {
        let mut left = self.holes[index..].iter().flat_map(|hole| hole.after.bytes()).filter(|&byte| !is_plain(byte)).count();
        if left == 0 {
            return Some(rest.len());
        }
        rest.iter().rposition(|&byte| {
            left -= usize::from(!is_plain(byte));
            left == 0
        })
    }

    /// A `{+..}` is the end of the template.
    fn ends_reserved(&self) -> bool {
        self.query.is_empty() && self.holes.last().is_some_and(|hole| hole.reserved && hole.after.is_empty())
    }

    fn query_values(&self, query: &str) -> Option<impl Iterator<Item = (&str, String)>> {
        let mut values = vec![None; self.query.len()];
        for pair in query.split('&') {
            looked(pair.len());
            let (name, value) = pair.split_once('=')?;
            let value_of = &mut values[self.query.iter().position(|own| own == name)?];
            if value_of.is_some() {
                return None;
            }
            *value_of = Some(decode(value.as_bytes(), |byte| is_plain(byte) || is_reserved(byte) && byte != b'#')?);
        }
        Some(self.query.iter().zip(values).filter_map(|(name, value)| Some((&**name, value?))))
    }

    /// The URI with these values, as RFC 6570 has it; a variable without a value is left out.
    ///
    /// [`matches`](Self::matches) reads the values back, unless one outside of the query is empty or left out. To that end a `%`
    /// in a value is encoded in a `{+..}` too, also where it begins what looks like an escape; and so are `?` and `#` in a
    /// `{+..}` that is not the end.
    pub(crate) fn expand(&self, values: impl Fn(&str) -> Option<String>) -> String {
        let mut uri = String::new();
        let mut rest = &*self.text;
        while let Some((literal, opened)) = rest.split_once('{') {
            let (inside, more) = opened.split_once('}').unwrap_or((opened, ""));
            let (operator, names) = Operator::of(inside);
            uri.push_str(literal);
            let mut is_first = true;
            for name in names.split(',') {
                let Some(value) = values(name) else { continue };
                uri.push_str(operator.separator(is_first));
                if operator == Operator::Query {
                    uri.push_str(name);
                    uri.push('=');
                }
                let keeps = |byte| {
                    operator == Operator::Reserved && is_reserved(byte) && (more.is_empty() || !matches!(byte, b'?' | b'#'))
                };
                encode(&value, keeps, &mut uri);
                is_first = false;
            }
            rest = more;
        }
        uri.push_str(rest);
        uri
    }
}

impl Hole {
    fn shape(&self) -> (bool, &str) {
        (self.reserved, &self.after)
    }
}

impl Operator {
    /// The operator of an expression, and its list of names.
    fn of(inside: &str) -> (Self, &str) {
        let operators = [('+', Self::Reserved), ('/', Self::Segment), ('?', Self::Query)];
        let found = operators.into_iter().find_map(|(sign, operator)| Some((operator, inside.strip_prefix(sign)?)));
        found.unwrap_or((Self::Plain, inside))
    }

    /// What an expansion has before a value.
    fn separator(self, is_first: bool) -> &'static str {
        match self {
            Self::Segment => "/",
            Self::Query if is_first => "?",
            Self::Query => "&",
            Self::Plain | Self::Reserved if is_first => "",
            Self::Plain | Self::Reserved => ",",
        }
    }
}

/// What to write instead of an operator of RFC 6570 that is not supported.
fn instead_of(inside: &str) -> Option<String> {
    let sign = inside.chars().next()?;
    let name = inside[sign.len_utf8()..].split([',', '*', ':']).next().unwrap_or_default();
    match sign {
        '#' | '.' => Some(format!("write `{sign}{{{name}}}`")),
        ';' => Some(format!("write `;{name}={{{name}}}`")),
        '&' => Some("name all query variables in one `{?a,b}` at the end".to_owned()),
        '=' | ',' | '!' | '@' | '|' => Some(format!("write `{{{name}}}`")),
        _ => None,
    }
}

/// The length of a scheme (RFC 3986, section 3.1) with its colon.
fn scheme(text: &str) -> Option<usize> {
    let (scheme, _) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    is_scheme.then_some(scheme.len() + 1)
}

/// Text outside of braces is part of a URI as it is.
fn check_literal(literal: &str, begin: usize) -> Result<(), String> {
    for (index, c) in literal.char_indices() {
        let at = begin + index;
        match c {
            '}' => {
                return Err(format!("closes a `}}` at byte {at} that nothing opens: write its `{{`, or `%7D` for the character"));
            }
            '%' if escape(&literal.as_bytes()[index + 1..]).is_none() => {
                return Err(format!(
                    "has a `%` at byte {at} that two hexadecimal digits do not follow: write `%25` for the character"
                ));
            }
            _ if u8::try_from(c).is_ok_and(|byte| is_plain(byte) || is_reserved(byte)) => {}
            _ => {
                let mut encoded = String::new();
                encode(c.encode_utf8(&mut [0; 4]), |_| false, &mut encoded);
                return Err(format!("has a character at byte {at} that no URI has: write `{encoded}` for it"));
            }
        }
    }
    Ok(())
}

/// Does a decoded value try to leave its place?
///
/// True for `..` as a segment, a leading `/`, a leading drive letter (`C:`), and for backslashes and control characters anywhere;
/// and for what would be one of these once it is decoded again: URL parsers, for one, take `%2e%2e` for `..`.
pub(crate) fn escapes(value: &str) -> bool {
    leaves(value) || value.contains('%') && leaves(&decoded_again(value))
}

fn leaves(value: &str) -> bool {
    let has_drive = matches!(value.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    has_drive
        || value.starts_with('/')
        || value.contains(|c: char| c == '\\' || c.is_control())
        || value.split('/').any(|segment| segment == "..")
}

/// As a lenient reader decodes a value: what is no escape stays as it is.
fn decoded_again(value: &str) -> String {
    let mut octets = Vec::with_capacity(value.len());
    let mut encoded = value.as_bytes();
    while let Some((&byte, rest)) = encoded.split_first() {
        let octet;
        (octet, encoded) = if byte == b'%' { escape(rest).unwrap_or((byte, rest)) } else { (byte, rest) };
        octets.push(octet);
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// What `{var}` takes in a URI: unreserved characters (RFC 3986, section 2.3), what `encodeURIComponent` leaves, and escapes.
fn is_plain(byte: u8) -> bool {
    looked(1);
    is_unreserved(byte) || matches!(byte, b'!' | b'\'' | b'(' | b')' | b'*' | b'%')
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986, section 2.2.
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

fn plain_span(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| !is_plain(byte)).unwrap_or(bytes.len())
}

/// The octet that two hexadecimal digits stand for, and what follows them.
fn escape(digits: &[u8]) -> Option<(u8, &[u8])> {
    let (pair, rest) = digits.split_first_chunk::<2>()?;
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    Some((u8::try_from(high? << 4 | low?).ok()?, rest))
}

fn decode(mut encoded: &[u8], takes: impl Fn(u8) -> bool) -> Option<String> {
    let mut octets = Vec::with_capacity(encoded.len());
    while let Some((&byte, rest)) = encoded.split_first() {
        looked(1);
        let octet;
        (octet, encoded) = match byte {
            b'%' => escape(rest)?,
            _ if takes(byte) => (byte, rest),
            _ => return None,
        };
        octets.push(octet);
    }
    String::from_utf8(octets).ok()
}

fn encode(value: &str, keeps: impl Fn(u8) -> bool, into: &mut String) {
    for byte in value.bytes() {
        if is_unreserved(byte) || keeps(byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

/// Bytes of a URI or template that were looked at: a test counts them.
#[cfg(not(test))]
fn looked(_: usize) {}

#[cfg(test)]
mod tests;
