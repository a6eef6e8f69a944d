//! `x-mcp-header`: arguments that clients mirror into `Mcp-Param-*` headers (MCP 2026-07-28, Streamable HTTP, "Schema
//! Extension"). A rule broken here makes conforming clients drop the whole tool, so it fails the build.

use http::HeaderName;
use serde_json::{Map, Value};

use super::publish::without_null;

const KEYWORD: &str = "x-mcp-header";
/// Integers beyond this lose digits in clients that count with doubles.
const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// An argument that is mirrored into a header.
#[derive(Debug)]
pub(crate) struct HeaderParameter {
    pub(crate) header: HeaderName,
    /// The header as the specification spells it, for messages.
    pub(crate) display: String,
    /// Names from the root of the arguments.
    pub(crate) path: Vec<String>,
    pub(crate) kind: HeaderKind,
}

/// How the header's text is compared with the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderKind {
    String,
    Integer,
    Boolean,
}

/// Finds the mirrored arguments, and bounds the integers among them.
pub(super) fn collect(schema: &mut Map<String, Value>) -> Result<Vec<HeaderParameter>, Vec<String>> {
    let mut found = Found::default();
    found.members(schema, &[]);
    let annotated = count(&Value::Object(schema.clone()));
    if annotated > found.parameters.len() + found.problems.len() {
        found.problems.push(format!(
            "its schema has `{KEYWORD}` below a list, a combination or a `$ref`; only arguments, and members of nested structs, can be mirrored"
        ));
    }
    if found.problems.is_empty() { Ok(found.parameters) } else { Err(found.problems) }
}

#[derive(Default)]
struct Found {
    parameters: Vec<HeaderParameter>,
    problems: Vec<String>,
}

impl Found {
    fn members(&mut self, schema: &mut Map<String, Value>, above: &[String]) {
        let Some(Value::Object(members)) = schema.get_mut("properties") else { return };
        for (name, member) in members {
            let Value::Object(member) = member else { continue };
            let path: Vec<String> = above.iter().chain([name]).cloned().collect();
            match member.get(KEYWORD) {
                Some(header) => match parameter(&header.clone(), member, path) {
                    Ok(parameter) => self.add(parameter),
                    Err(problem) => self.problems.push(problem),
                },
                None => self.members(member, &path),
            }
        }
    }

    fn add(&mut self, parameter: HeaderParameter) {
        if self.parameters.iter().any(|known| known.header == parameter.header) {
            self.problems.push(format!("two of its arguments are mirrored into `{}`; headers ignore case", parameter.display));
        }
        self.parameters.push(parameter);
    }
}

fn parameter(header: &Value, member: &mut Map<String, Value>, path: Vec<String>) -> Result<HeaderParameter, String> {
    let name = path.join(".");
    let display = header.as_str().map(|header| format!("Mcp-Param-{header}"));
    let parsed = display.as_deref().and_then(|text| HeaderName::from_bytes(text.as_bytes()).ok());
    let (Some(display), Some(parsed)) = (display, parsed.filter(|_| header != &Value::from(""))) else {
        return Err(format!(
            "its argument `{name}` is mirrored into the header {header}, which is no header name (RFC 9110, `token`)"
        ));
    };
    let mut plain = member.clone();
    without_null(&mut plain);
    let kind = match plain.get("type").and_then(Value::as_str) {
        Some("string") => HeaderKind::String,
        Some("integer") => HeaderKind::Integer,
        Some("boolean") => HeaderKind::Boolean,
        _ => return Err(format!("its argument `{name}` is mirrored into a header, but is no string, integer or boolean")),
    };
    let narrow = member
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| ["int8", "int16", "int32", "uint8", "uint16", "uint32"].contains(&format));
    if kind == HeaderKind::Integer && !narrow {
        if member.get("minimum").and_then(Value::as_i64).is_none_or(|minimum| minimum < -MAX_SAFE_INTEGER) {
            member.insert("minimum".to_owned(), (-MAX_SAFE_INTEGER).into());
        }
        if member.get("maximum").and_then(Value::as_i64).is_none_or(|maximum| maximum > MAX_SAFE_INTEGER) {
            member.insert("maximum".to_owned(), MAX_SAFE_INTEGER.into());
        }
    }
    Ok(HeaderParameter { header: parsed, display, path, kind })
}

/// How often the keyword stands anywhere in the schema. A member may itself be named like the keyword; then it is no string.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(object) => {
            usize::from(object.get(KEYWORD).is_some_and(|value| !value.is_object())) + object.values().map(count).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}
