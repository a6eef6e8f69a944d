//! The schemas of a tool: what is published, and what is enforced.
//!
//! schemars describes the types. From that description two things are made: the schema that clients read, made small and
//! plain, and [`Enforced`], the same rules compiled for checking arguments. What can not be enforced is not published: it
//! fails the build.

mod enforce;

mod form;
mod headers;
mod order;
mod problem;
mod publish;
mod walk;
mod whole_numbers;

pub(crate) use enforce::Enforced;

pub(crate) use form::Form;
pub(crate) use headers::{HeaderKind, HeaderParameter};
pub(crate) use order::fields_of;
pub(crate) use problem::{Problem, closest};
pub(crate) use walk::MAX_PROBLEMS;
pub(crate) use whole_numbers::WholeNumbers;

use std::collections::HashMap;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A schema larger than this is written with `$ref`s where that is shorter.
const INLINE_LIMIT: usize = 32 * 1024;

/// The arguments of a tool.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) published: Value,
    pub(crate) enforced: Enforced,
    pub(crate) headers: Vec<HeaderParameter>,
}

/// Makes the input schema.
///
/// # Errors
/// Sentences that say what is wrong with it, for a failing build.
pub(crate) fn input(describe: fn(&mut SchemaGenerator) -> Schema, plain: bool) -> Result<Input, Vec<String>> {
    let mut described = described(&SchemaSettings::draft2020_12(), |generator| Some(describe(generator))).unwrap_or_default();
    if described.get("type") != Some(&Value::from("object")) {
        return Err(vec![
            "its arguments are no JSON object; give it plain parameters or a struct, and put an enum into a field".to_owned(),
        ]);
    }
    publish::close_root(&mut described);
    let headers = headers::collect(&mut described)?;
    let mut enforced = Enforced::compile(&described)?;
    if !plain {
        enforced.assert_more();
    }
    check_defaults(&described, &enforced)?;
    publish::simplify_input(&mut described);
    publish::check_texts(&described)?;
    Ok(Input { published: Value::Object(described), enforced, headers })
}

/// A default that does not fit would be refused if a client sent it.
fn check_defaults(schema: &Map<String, Value>, enforced: &Enforced) -> Result<(), Vec<String>> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let defaults = properties.filter_map(|(name, property)| Some((name, property.get("default")?)));
    let problems: Vec<String> = defaults
        .flat_map(|(name, default)| enforced.problems_of_property(name, default))
        .map(|problem| format!("the default of its argument `{problem}`"))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Makes the output schema, for tools that have one.
pub(crate) fn output(describe: fn(&mut SchemaGenerator) -> Option<Schema>) -> Option<Value> {
    let mut described = described(&SchemaSettings::draft2020_12().for_serialize(), describe)?;
    publish::simplify_output(&mut described);
    Some(Value::Object(described))
}

/// The schema as schemars gives it, references inlined unless that explodes.
fn described(settings: &SchemaSettings, describe: impl Fn(&mut SchemaGenerator) -> Option<Schema>) -> Option<Map<String, Value>> {
    let make = |inline: bool| {
        let settings = settings.clone().with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = inline;
        });
        let mut generator = settings.into_generator();
        let schema = describe(&mut generator)?;
        let mut root = match schema.to_value() {
            Value::Object(root) => root,
            // `true` says the same as `{}`; nobody describes a value as `false`.
            _ => Map::new(),
        };
        // What is left to refer to: types that contain themselves.
        let definitions = generator.take_definitions(true);
        if !definitions.is_empty() {
            match root.entry("$defs").or_insert_with(|| json!({})) {
                Value::Object(own) => own.extend(definitions),
                other => *other = Value::Object(definitions),
            }
        }
        Some(root)
    };
    // A few structs that name each other can inline to gigabytes, so the size is reckoned before.
    let referring = make(false)?;
    if inlined_size(&referring) <= INLINE_LIMIT { make(true) } else { Some(referring) }
}

/// How large a schema becomes when what it refers to is written in place; at least.
fn inlined_size(root: &Map<String, Value>) -> usize {
    fn size(value: &Value, definitions: &Map<String, Value>, known: &mut HashMap<String, usize>) -> usize {
        match value {
            Value::Object(members) => {
                let own = members.iter().map(|(name, value)| name.len() + 4 + size(value, definitions, known));
                own.fold(2, usize::saturating_add)
            }
            Value::Array(items) => {
                items.iter().fold(2, |sum: usize, item| sum.saturating_add(1 + size(item, definitions, known)))
            }
            Value::String(text) => match text.strip_prefix("#/$defs/") {
                Some(name) => referred(name, definitions, known),
                None => text.len() + 2,
            },
            other => other.to_string().len(),
        }
    }

    fn referred(name: &str, definitions: &Map<String, Value>, known: &mut HashMap<String, usize>) -> usize {
        if let Some(size) = known.get(name) {
            return *size;
        }
        // A type that contains itself stays a `$ref` there.
        known.insert(name.to_owned(), name.len() + 18);
        let size = definitions.get(name).map_or(0, |definition| size(definition, definitions, known));
        known.insert(name.to_owned(), size);
        size
    }

    let none = Map::new();
    let definitions = root.get("$defs").and_then(Value::as_object).unwrap_or(&none);
    let mut known = HashMap::new();
    root.iter()
        .filter(|(keyword, _)| *keyword != "$defs")
        .fold(2, |sum: usize, (keyword, value)| sum.saturating_add(keyword.len() + 4 + size(value, definitions, &mut known)))
}
