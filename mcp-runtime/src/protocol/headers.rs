//! Headers that repeat the body, so that proxies can route without parsing it (MCP 2026-07-28, Streamable HTTP, "Standard
//! Request Headers", "Server Validation"). One that differs from the body is refused: a proxy may have acted on it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};
use serde_json::Value;

use super::Refusal;
use crate::schema::{HeaderKind, HeaderParameter};

pub(crate) static PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) static METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(crate) static NAME: HeaderName = HeaderName::from_static("mcp-name");
pub(crate) static SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The one value of a header, without surrounding white space.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &HeaderName, display: &str) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::header(format!("{display} is sent more than once")));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim_matches([' ', '\t']))),
        Err(_) => Err(Refusal::header(format!("{display} has characters that are not allowed in a header"))),
    }
}

/// The session that a legacy client names.
pub(crate) fn session_id(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    single(headers, &SESSION_ID, "Mcp-Session-Id").map_err(Refusal::without_modern_code)
}

/// The event that a legacy client saw last.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    single(headers, &LAST_EVENT_ID, "Last-Event-ID").map_err(Refusal::without_modern_code)
}

/// Takes the Base64 sentinel off: `=?base64?…?=`, both ends there and not the same question mark.
fn decoded<'h>(value: &'h str, display: &str) -> Result<Cow<'h, str>, Refusal> {
    let payload = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(payload) = payload else { return Ok(Cow::Borrowed(value)) };
    let bytes = STANDARD.decode(payload).ok();
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => Ok(Cow::Owned(text)),
        None => Err(Refusal::header(format!("{display} is marked as Base64, but is not canonical Base64 of UTF-8 text"))),
    }
}

/// `Mcp-Method` must be the body's method.
pub(crate) fn check_method(headers: &HeaderMap, method: &str) -> Result<(), Refusal> {
    match single(headers, &METHOD, "Mcp-Method")? {
        Some(value) if value == method => Ok(()),
        Some(_) => Err(Refusal::header("Mcp-Method differs from the method in the body")),
        None => Err(Refusal::header("Mcp-Method is required, with the method of the body")),
    }
}

/// `Mcp-Name` must be the name in the body's params; a name that is no string is the params' own fault.
pub(crate) fn check_name(headers: &HeaderMap, name: Option<&str>) -> Result<(), Refusal> {
    let Some(value) = single(headers, &NAME, "Mcp-Name")? else {
        return Err(Refusal::header("Mcp-Name is required, with the name in the body's params"));
    };
    match name {
        Some(name) if decoded(value, "Mcp-Name")? != name => {
            Err(Refusal::header("Mcp-Name differs from the name in the body's params"))
        }
        _ => Ok(()),
    }
}

/// Each mirrored argument must have its header, and the same value there.
pub(crate) fn check_parameters(
    headers: &HeaderMap,
    parameters: &[HeaderParameter],
    arguments: Option<&str>,
) -> Result<(), Refusal> {
    if parameters.is_empty() {
        return Ok(());
    }
    let Ok(arguments) = arguments.map_or(Ok(Value::Null), serde_json::from_str::<Value>) else {
        return Err(Refusal::params("params.arguments can not be read: nested too deeply, or a number or text is out of range"));
    };
    for parameter in parameters {
        let display = &parameter.display;
        let argument = parameter.path.iter().try_fold(&arguments, |value, name| value.get(name)).filter(|value| !value.is_null());
        let header = single(headers, &parameter.header, display)?;
        match (header, argument) {
            (None, None) => {}
            (None, Some(_)) => {
                return Err(Refusal::header(format!(
                    "{display} is required because arguments.{} is set",
                    parameter.path.join(".")
                )));
            }
            (Some(_), None) => {
                return Err(Refusal::header(format!("{display} is sent, but arguments.{} is not set", parameter.path.join("."))));
            }
            (Some(header), Some(argument)) => {
                if !same(&decoded(header, display)?, argument, parameter.kind) {
                    return Err(Refusal::header(format!("{display} differs from arguments.{}", parameter.path.join("."))));
                }
            }
        }
    }
    Ok(())
}

fn same(header: &str, argument: &Value, kind: HeaderKind) -> bool {
    match (kind, argument) {
        (HeaderKind::Integer, Value::Number(number)) => decimal(header).is_some_and(|(integer, rest)| {
            let body = number.to_string();
            rest && decimal(&body).is_some_and(|(own, rest)| rest && own == integer)
        }),
        (_, Value::String(text)) => header == text,
        (_, Value::Bool(value)) => header == if *value { "true" } else { "false" },
        (_, Value::Number(number)) => header == number.to_string(),
        // The tool's own check says that a list or an object is wrong here.
        _ => true,
    }
}

/// A decimal number: its integer part, and whether its fraction is nothing but zeros. No sign but `-`, no exponent, no hex.
fn decimal(text: &str) -> Option<(i128, bool)> {
    let (integer, fraction) = text.split_once('.').map_or((text, None), |(integer, fraction)| (integer, Some(fraction)));
    let digits = integer.strip_prefix('-').unwrap_or(integer);
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(digits) || fraction.is_some_and(|fraction| !all_digits(fraction)) {
        return None;
    }
    Some((integer.parse().ok()?, fraction.is_none_or(|fraction| fraction.bytes().all(|b| b == b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_sentinel_is_decoded() {
        let plain = |value| decoded(value, "X").map(Cow::into_owned).map_err(|refusal| refusal.message);
        assert_eq!(plain("=?base64?SGVsbG8=?=").as_deref(), Ok("Hello"));
        assert_eq!(plain("=?base64??=").as_deref(), Ok(""));
        for literal in ["=?base64?=", "=?BASE64?SGVsbG8=?=", "SGVsbG8=", "=?base64?SGVsbG8=", "Hello"] {
            assert_eq!(plain(literal).as_deref(), Ok(literal));
        }
        for broken in ["=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?=", "=?base64?/w==?=", "=?base64?SGVsbG9=?="] {
            assert!(plain(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn integers_are_compared_as_numbers() {
        let same = |header: &str, argument: &str| same(header, &argument.parse().expect("JSON"), HeaderKind::Integer);
        assert!(same("42.0", "42") && same("42", "42.0") && same("-7", "-7") && same("042", "42"));
        assert!(!same("42.5", "42") && !same("0x2a", "42") && !same("4.2e1", "42") && !same("", "42") && !same("+42", "42"));
    }
}
