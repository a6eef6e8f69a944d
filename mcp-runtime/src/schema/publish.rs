//! Makes schemas that every client and model accepts: small, without `$ref`s, null unions and noise.

use serde_json::{Map, Value};

use crate::excerpt::is_invisible;

/// Formats that schemars derives from Rust's number types. They tell a model nothing.
const NUMBER_FORMATS: [&str; 14] = [
    "int8", "int16", "int32", "int64", "int128", "int", "uint8", "uint16", "uint32", "uint64", "uint128", "uint", "float",
    "double",
];

pub(super) fn is_number_format(format: &str) -> bool {
    NUMBER_FORMATS.contains(&format)
}

/// Keywords beside which `additionalProperties` would forbid what they allow.
const COMBINING: [&str; 7] = ["$ref", "allOf", "anyOf", "oneOf", "if", "unevaluatedProperties", "patternProperties"];

/// Adds `additionalProperties: false` at the root, if nobody said otherwise. Nested structs keep what serde says of them:
/// `#[serde(deny_unknown_fields)]` is published and enforced, and nothing is published that serde does not do.
pub(super) fn close_root(root: &mut Map<String, Value>) {
    if !root.contains_key("additionalProperties") && !COMBINING.iter().any(|keyword| root.contains_key(*keyword)) {
        root.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// Refuses descriptions with characters that people do not see and models read.
pub(super) fn check_texts(schema: &Map<String, Value>) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    find_invisible(schema, "", &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn find_invisible(schema: &Map<String, Value>, place: &str, problems: &mut Vec<String>) {
    let hides = |text: &str| text.chars().find(|c| !matches!(c, '\n' | '\t') && is_invisible(*c));
    for (keyword, value) in schema {
        if let Some(c) = hides(keyword).or_else(|| value.as_str().and_then(hides)) {
            problems.push(format!(
                "its schema has at `{place}/{}` the invisible character U+{:04X}",
                keyword.escape_default(),
                u32::from(c)
            ));
        }
        match value {
            Value::Object(inner) => find_invisible(inner, &format!("{place}/{keyword}"), problems),
            Value::Array(items) => {
                for inner in items.iter().filter_map(Value::as_object) {
                    find_invisible(inner, &format!("{place}/{keyword}"), problems);
                }
            }
            _ => {}
        }
    }
}

/// The schema of arguments, as clients shall read it.
pub(super) fn simplify_input(schema: &mut Map<String, Value>) {
    simplify(schema, true);
}

/// The schema of a result. Null unions stay: what is serialised as null must be described so.
pub(super) fn simplify_output(schema: &mut Map<String, Value>) {
    simplify(schema, false);
}

fn simplify(schema: &mut Map<String, Value>, input: bool) {
    if schema.get("format").and_then(Value::as_str).is_some_and(is_number_format) {
        schema.remove("format");
    }
    if input {
        without_null_in_optional(schema);
    }
    for keyword in ["properties", "$defs", "patternProperties", "dependentSchemas"] {
        if let Some(Value::Object(members)) = schema.get_mut(keyword) {
            members.values_mut().for_each(|member| simplify_value(member, input));
        }
    }
    for keyword in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(parts)) = schema.get_mut(keyword) {
            parts.iter_mut().for_each(|part| simplify_value(part, input));
        }
    }
    for keyword in ["items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"] {
        if let Some(inner) = schema.get_mut(keyword) {
            simplify_value(inner, input);
        }
    }
}

fn simplify_value(value: &mut Value, input: bool) {
    if let Value::Object(schema) = value {
        simplify(schema, input);
    }
}

/// A member that may be left out need not also be nullable; many clients and models stumble over the union.
fn without_null_in_optional(schema: &mut Map<String, Value>) {
    let required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let Some(Value::Object(members)) = schema.get_mut("properties") else { return };
    for (name, member) in members {
        if let Value::Object(member) = member
            && !required.contains(name)
        {
            without_null(member);
        }
    }
}

pub(super) fn without_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = schema.get_mut("enum") {
        choices.retain(|choice| !choice.is_null());
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    for keyword in ["anyOf", "oneOf"] {
        let Some(Value::Array(forms)) = schema.get_mut(keyword) else { continue };
        if !forms.iter().any(is_null_schema) {
            continue;
        }
        forms.retain(|form| !is_null_schema(form));
        if let [Value::Object(only)] = forms.as_slice() {
            let only = only.clone();
            schema.remove(keyword);
            // What was said beside the union, a description, goes before what was said inside.
            for (keyword, value) in only {
                schema.entry(keyword).or_insert(value);
            }
        }
    }
}

fn is_null_schema(schema: &Value) -> bool {
    schema
        .as_object()
        .is_some_and(|schema| schema.get("type") == Some(&Value::from("null")) || schema.get("const") == Some(&Value::Null))
}
