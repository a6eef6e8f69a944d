//! What the words in an attribute may look like. Each check answers with the rule that was broken.

use std::time::Duration;

use crate::kind::Kind;

type Checked<T = ()> = Result<T, String>;

/// MCP, server/tools: 1 to 128 characters of `A-Z a-z 0-9 _ - .`. Prompts, which hosts offer as commands, are named alike; a
/// resource is known by its URI, and its name is for people.
pub(crate) fn name(name: &str, kind: Kind) -> Checked {
    let noun = kind.noun();
    if name.trim().is_empty() {
        return Err(format!("{noun}'s name is empty; it has 1 to 128 characters"));
    }
    if kind == Kind::Resource {
        return visible(name, "the name");
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "_-.".contains(*c))) {
        return Err(format!(
            "{noun}'s name has no {}: `{}` may use ASCII letters, digits, `_`, `-` and `.`",
            show(bad),
            name.escape_debug()
        ));
    }
    let length = name.len();
    if length > 128 {
        return Err(format!("{noun}'s name has at most 128 characters; this one has {length}"));
    }
    Ok(())
}

/// RFC 6749, section 3.3: a scope token is made of %x21 / %x23-5B / %x5D-7E.
pub(crate) fn scope(scope: &str) -> Checked {
    if scope.is_empty() {
        return Err("a scope is empty; leave it out, or name one such as `orders:refund`".into());
    }
    match scope.chars().find(|&c| !matches!(c, '!' | '#'..='[' | ']'..='~')) {
        Some(' ') => Err(format!("a scope has no spaces (RFC 6749, 3.3); write `{scope}` as several strings")),
        Some(bad) => Err(format!("a scope has no {} (RFC 6749, 3.3): printable ASCII without `\"` and `\\`", show(bad))),
        None => Ok(()),
    }
}

/// Tags select tools by exact comparison, so what cannot be seen must not be in them.
pub(crate) fn tag(tag: &str) -> Checked {
    if tag.is_empty() || tag.trim() != tag {
        return Err("a tag is not empty and has no space at either end".into());
    }
    visible(tag, "a tag")
}

/// Clients load icons by themselves; they are told to refuse everything but these two schemes.
pub(crate) fn icon(uri: &str) -> Checked {
    let lower = uri.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("data:"));
    match rest {
        Some(rest) if !rest.is_empty() => visible(uri, "an icon's URI"),
        _ => Err("an icon is an `https://` or `data:` URI; clients load no other".into()),
    }
}

/// MCP, basic: an optional prefix of dotted labels and `/`, then a name.
pub(crate) fn meta_key(key: &str) -> Checked {
    let (prefix, name) = match key.rsplit_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        let labels: Vec<&str> = prefix.split('.').collect();
        if let Some(bad) = labels.iter().find(|label| !is_label(label)) {
            return Err(format!(
                "`{bad}` is no label of a `_meta` prefix: labels begin with a letter, end with a letter or digit, \
                 and have only letters, digits and `-` between, as in `com.example/key`"
            ));
        }
        if let Some(reserved @ ("mcp" | "modelcontextprotocol")) = labels.get(1).copied() {
            return Err(format!(
                "the prefix `{prefix}/` is reserved for MCP, because its second label is `{reserved}`; use your own domain"
            ));
        }
    }
    if name.is_empty() {
        return Err("a `_meta` key has a name, as in `com.example/key`; this one is empty".into());
    }
    let ends = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !ends || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(format!(
            "`{}` is no `_meta` name: it begins and ends with a letter or digit, with `-`, `_` and `.` allowed between",
            name.escape_debug()
        ));
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    label.starts_with(|c: char| c.is_ascii_alphabetic())
        && label.ends_with(|c: char| c.is_ascii_alphanumeric())
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// RFC 9110, section 5.6.2: a header's name is a token.
pub(crate) fn header_name(name: &str) -> Checked {
    if name.is_empty() {
        return Err("a header's name is empty; write one such as `Region`".into());
    }
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(*c))) {
        Some(bad) => Err(format!("a header's name has no {} (RFC 9110, 5.6.2): letters, digits and `-` are best", show(bad))),
        None => Ok(()),
    }
}

/// RFC 3986, section 3.1: a URI begins with a letter, further letters, digits, `+`, `-` and `.`, and a colon.
pub(crate) fn uri_scheme(uri: &str) -> Checked {
    let scheme = uri.split_once(':').filter(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    match scheme {
        None => Err("a resource's URI begins with a scheme (RFC 3986, 3.1): write one of your own, as in `orders://{id}`".into()),
        Some((scheme, "" | "//")) => {
            Err(format!("nothing follows the scheme `{scheme}:`: write what it names, as in `orders://{{id}}`"))
        }
        Some(_) => Ok(()),
    }
}

/// RFC 3986, section 2: what may stand in a URI as it is.
pub(crate) fn uri_part(text: &str) -> Checked {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '%' => {
                let hex = rest.by_ref().take(2).filter(char::is_ascii_hexdigit).count();
                if hex < 2 {
                    return Err(
                        "in a URI, `%` stands before two hexadecimal digits (RFC 3986, 2.1): write `%25` for itself".into()
                    );
                }
            }
            c if c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=".contains(c) => {}
            c => return Err(format!("a URI has no {} (RFC 3986, 2): write it percent-encoded", show(c))),
        }
    }
    Ok(())
}

/// RFC 9110, section 8.3.1: `type/subtype`, and parameters.
pub(crate) fn mime_type(text: &str) -> Checked {
    let (kind, parameters) = text.split_once(';').map_or((text, None), |(kind, parameters)| (kind, Some(parameters)));
    let token = |part: &str| !part.is_empty() && header_name(part).is_ok();
    let parameters = parameters.is_none_or(|text| text.contains('=') && text.chars().all(|c| matches!(c, ' '..='~')));
    match kind.trim_end().split_once('/') {
        Some((kind, subtype)) if token(kind) && token(subtype) && parameters => Ok(()),
        _ => Err(format!("`{}` is no media type: write one such as `application/json`", text.escape_debug())),
    }
}

/// RFC 3339, the form of ISO 8601 that the protocol shows: `2026-01-01T00:00:00Z`.
pub(crate) fn time(text: &str) -> Checked {
    let form = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(b, f)| if f == b'0' { b.is_ascii_digit() } else { b == f })
    };
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u8>().ok()).unwrap_or(u8::MAX);
    let (start, rest) = text.split_at_checked(19).unwrap_or((text, ""));
    let zone = match rest.strip_prefix('.') {
        Some(fraction) if !fraction.starts_with(|c: char| c.is_ascii_digit()) => "",
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let fits = form(start, "0000-00-00T00:00:00")
        && (zone == "Z" || form(zone, "+00:00") || form(zone, "-00:00"))
        && (1..=12).contains(&number(5..7))
        && (1..=31).contains(&number(8..10))
        && number(11..13) < 24
        && number(14..16) < 60
        && number(17..19) <= 60;
    if fits { Ok(()) } else { Err(format!("`{}` is no time: write one such as `2026-01-01T00:00:00Z`", text.escape_debug())) }
}

/// What hosts put into the `Content-Security-Policy` of an app's page.
pub(crate) fn origin(text: &str) -> Checked {
    let host = ["https://", "http://", "wss://", "ws://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if domain(host).is_ok() => Ok(()),
        _ => Err(format!(
            "`{}` is no origin: write a scheme and a host, such as `https://api.example.com`, `https://*.example.com` or \
             `wss://example.com:8443`",
            text.escape_debug()
        )),
    }
}

/// A host, with a port where it is part of an origin.
pub(crate) fn domain(text: &str) -> Checked {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-.:[]*".contains(c);
    if text.is_empty() || !text.chars().all(fits) {
        return Err(format!("`{}` is no domain: write one such as `app.example.com`", text.escape_debug()));
    }
    Ok(())
}

/// `250ms`, `10s`, `5m`, `1h`.
pub(crate) fn duration(text: &str) -> Checked<Duration> {
    const FORM: &str = "write a whole number and `ms`, `s`, `m` or `h`, such as \"10s\"";
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{}` is no duration: {FORM}", text.escape_debug())),
    };
    if number.is_empty() {
        return Err(format!("`{text}` is no duration: {FORM}"));
    }
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds)) {
        Some(total) => Ok(Duration::from_millis(total)),
        None => Err(format!("`{text}` is too long a duration")),
    }
}

/// Models read what people cannot see; text that is meant for both must look the same to both.
pub(crate) fn visible(text: &str, what: &str) -> Checked {
    match text.chars().find(|&c| is_invisible(c)) {
        Some(bad) => Err(format!(
            "{what} has the invisible character U+{:04X}; remove it, since a model would read what people do not see",
            u32::from(bad)
        )),
        None => Ok(()),
    }
}

fn is_invisible(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{AD}' // soft hyphen
        | '\u{61C}' // Arabic direction mark
        | '\u{180E}' // Mongolian vowel separator
        | '\u{200B}'..='\u{200F}' // zero width, direction marks
        | '\u{2028}'..='\u{202E}' // line and paragraph separators, direction overrides
        | '\u{2060}'..='\u{206F}' // joiners, isolates, deprecated format characters
        | '\u{FEFF}' // byte order mark
        | '\u{FFF9}'..='\u{FFFB}' // annotations
        | '\u{E0000}'..='\u{E01EF}' // tags, and variation selectors that encode bytes
        => true,
        _ => c.is_control(),
    }
}

/// A character as a message shows it: by its code point when it cannot be seen.
fn show(c: char) -> String {
    if c == ' ' {
        "space".into()
    } else if c == '`' {
        "backtick".into()
    } else if is_invisible(c) || c.is_whitespace() {
        format!("U+{:04X}", u32::from(c))
    } else {
        format!("`{c}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "get_user", "admin.tools-list", "A9"] {
            assert_eq!(name(good, Kind::Tool), Ok(()), "{good}");
        }
        assert_eq!(name(&"a".repeat(128), Kind::Tool), Ok(()));
        for bad in ["", "get user", "größe", "a/b", "a\u{200B}"] {
            assert!(name(bad, Kind::Tool).is_err(), "{bad}");
        }
        assert!(name(&"a".repeat(129), Kind::Prompt).is_err_and(|e| e.contains("129")));
    }

    #[test]
    fn scopes_follow_rfc_6749() {
        assert_eq!(scope("orders:refund"), Ok(()));
        assert_eq!(scope("!#[]~"), Ok(()));
        for bad in ["", "a b", "a\"b", "a\\b", "ä"] {
            assert!(scope(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn meta_keys() {
        for good in ["key", "com.example/key", "a1/b.c_d-e", "mcp/key", "com.example.mcp/key"] {
            assert_eq!(meta_key(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "com.example/",
            "_key",
            "key-",
            "1a/key",
            "a-/key",
            "a..b/key",
            "io.modelcontextprotocol/key",
            "dev.mcp/key",
            "a/b/c",
        ] {
            assert!(meta_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn header_names_are_tokens() {
        assert_eq!(header_name("Region-2"), Ok(()));
        for bad in ["", "Re gion", "Region:", "Région"] {
            assert!(header_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for bad in ["", "10", "s", "1.5s", "-1s", "10 s", "1d", "99999999999999999999h", "9999999999999999h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn icons_are_https_or_data() {
        assert_eq!(icon("https://example.com/a.png"), Ok(()));
        assert_eq!(icon("data:image/png;base64,AA=="), Ok(()));
        for bad in ["", "http://example.com/a.png", "https://", "javascript:alert(1)", "file:///a"] {
            assert!(icon(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn media_types() {
        for good in ["text/plain", "application/vnd.a+json", "text/html;profile=mcp-app", "text/plain; charset=utf-8"] {
            assert_eq!(mime_type(good), Ok(()), "{good}");
        }
        for bad in ["", "json", "text/", "/x", "a b/c", "text/plain;", "text/plain;x=\n", "text/a/b"] {
            assert!(mime_type(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times() {
        for good in ["2026-01-01T00:00:00Z", "2026-12-31T23:59:60+05:30", "2026-01-01T00:00:00.123Z"] {
            assert_eq!(time(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "2026-01-01",
            "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00",
            "ü026-01-01T00:00:00Z",
        ] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_hold_nothing_that_ends_a_policy() {
        for good in ["https://api.example.com", "https://*.example.com", "wss://localhost:1", "http://[::1]:80"] {
            assert_eq!(origin(good), Ok(()), "{good}");
        }
        for bad in ["", "https://", "example.com", "https://a;b", "https://a b", "https://a/b", "data:", "*", "'self'"] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn invisible_characters_are_named() {
        assert_eq!(visible("Größe\n\tin °C – 日本語 🙂", "a title"), Ok(()));
        for bad in [
            '\0',
            '\r',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{2028}',
            '\u{2029}',
            '\u{202e}',
            '\u{2066}',
            '\u{206a}',
            '\u{206f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{e0000}',
            '\u{e0041}',
            '\u{e0080}',
            '\u{e01ef}',
        ] {
            let text = visible(&format!("a{bad}b"), "a title").expect_err("refused");
            assert!(text.contains(&format!("U+{:04X}", u32::from(bad))), "{text}");
        }
        for good in ['\u{2027}', '\u{202f}', '\u{2070}', '\u{fffc}', '\u{e01f0}'] {
            assert_eq!(visible(&good.to_string(), "a title"), Ok(()), "{good:?}");
        }
    }
}
