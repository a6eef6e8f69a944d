//! One field of a form: read from the schema of its type, written for clients.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::super::enforce::compare;
use super::super::problem::{Path, shown};
use super::super::publish::{self, without_null};
use super::choices::Choices;
use super::format::Format;

/// Keywords that say something to readers of a schema, and nothing to who fills in a form.
const ANNOTATIONS: [&str; 8] = ["examples", "deprecated", "readOnly", "writeOnly", "$comment", "$schema", "$id", "$anchor"];

/// Types within types within types are looked through so often.
const MOST_WRAPPED: usize = 8;

pub(super) fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword) || keyword.starts_with("x-")
}

/// One thing that is asked for.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    title: Option<String>,
    description: Option<String>,
    kind: Kind,
    /// Fills in what is not given; a field that has one is not required.
    pub(super) default: Option<Value>,
    pub(super) required: bool,
}

#[derive(Debug)]
enum Kind {
    Text {
        format: Option<Format>,
        min_length: Option<u64>,
        max_length: Option<u64>,
    },
    Number(Range),
    YesNo,
    One(Choices),
    /// Each of the choices once at most.
    Several {
        choices: Choices,
        min_items: Option<u64>,
        max_items: Option<u64>,
    },
}

#[derive(Debug)]
struct Range {
    integer: bool,
    minimum: Option<Number>,
    maximum: Option<Number>,
    /// What the Rust type can hold. It is checked and not told: nobody is helped by "at most 4294967295".
    held: Option<(i64, i64)>,
}

impl Field {
    /// Reads a property as schemars describes it.
    ///
    /// # Errors
    /// Sentences that say what a form can not hold.
    pub(super) fn read(
        name: &str,
        described: &Value,
        definitions: &Map<String, Value>,
        required: bool,
    ) -> Result<Self, Vec<String>> {
        let said = |what: &str| format!("its field `{name}` {what}");
        let mut schema = match described {
            Value::Object(schema) => schema.clone(),
            _ => Map::new(),
        };
        look_through(&mut schema, definitions);
        let mut text = |keyword: &str| schema.remove(keyword).as_ref().and_then(Value::as_str).map(str::to_owned);
        let (title, description) = (text("title"), text("description"));
        let default = schema.remove("default");
        schema.retain(|keyword, _| !is_annotation(keyword));
        let kind = Kind::take(&mut schema, definitions).map_err(|what| vec![said(&what)])?;
        if !schema.is_empty() {
            let unfit = |keyword: &String| said(&unfit(keyword));
            return Err(schema.keys().map(unfit).collect());
        }
        let required = required && default.is_none();
        Ok(Self { name: name.to_owned(), title, description, kind, default, required })
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(&self.kind, Kind::Number(range) if range.integer)
    }

    /// As it is checked.
    pub(super) fn checked(&self) -> Map<String, Value> {
        let mut schema = self.plain();
        match &self.kind {
            Kind::Number(Range { held: Some((least, most)), minimum, maximum, .. }) => {
                let stricter = |told: &Option<Number>, held: i64, order: Ordering| {
                    told.as_ref().is_some_and(|told| compare(told, &held.into()) == Some(order))
                };
                if !stricter(minimum, *least, Ordering::Greater) {
                    schema.insert("minimum".to_owned(), (*least).into());
                }
                if !stricter(maximum, *most, Ordering::Less) {
                    schema.insert("maximum".to_owned(), (*most).into());
                }
            }
            Kind::Several { .. } => {
                schema.insert("uniqueItems".to_owned(), true.into());
            }
            _ => {}
        }
        schema
    }

    /// For clients of 2025-11-25 and later.
    pub(super) fn published(&self) -> Map<String, Value> {
        let mut schema = match &self.kind {
            Kind::One(choices) => choices.published(),
            Kind::Several { choices, .. } => {
                let mut schema = self.plain();
                schema.insert("items".to_owned(), choices.published_as_items().into());
                schema
            }
            _ => self.plain(),
        };
        self.explain(&mut schema);
        if let Some(default) = &self.default {
            schema.insert("default".to_owned(), default.clone());
        }
        schema
    }

    /// For clients of 2025-06-18; `None` if that has nothing to show it with.
    pub(super) fn published_2025_06_18(&self) -> Option<Map<String, Value>> {
        let mut schema = match &self.kind {
            Kind::One(choices) => choices.published_2025_06_18(),
            Kind::Several { .. } => return None,
            _ => self.plain(),
        };
        self.explain(&mut schema);
        if let (Kind::YesNo, Some(default)) = (&self.kind, &self.default) {
            schema.insert("default".to_owned(), default.clone());
        }
        Some(schema)
    }

    fn explain(&self, schema: &mut Map<String, Value>) {
        insert(schema, "title", self.title.as_deref());
        insert(schema, "description", self.description.as_deref());
    }

    /// Without words for people.
    fn plain(&self) -> Map<String, Value> {
        let mut schema = Map::new();
        match &self.kind {
            Kind::Text { format, min_length, max_length } => {
                insert(&mut schema, "type", Some("string"));
                insert(&mut schema, "format", format.map(Format::name));
                insert(&mut schema, "minLength", *min_length);
                insert(&mut schema, "maxLength", *max_length);
            }
            Kind::Number(range) => {
                insert(&mut schema, "type", Some(if range.integer { "integer" } else { "number" }));
                insert(&mut schema, "minimum", range.minimum.clone());
                insert(&mut schema, "maximum", range.maximum.clone());
            }
            Kind::YesNo => insert(&mut schema, "type", Some("boolean")),
            Kind::One(choices) => schema = choices.plain(),
            Kind::Several { choices, min_items, max_items } => {
                insert(&mut schema, "type", Some("array"));
                insert(&mut schema, "items", Some(choices.plain()));
                insert(&mut schema, "minItems", *min_items);
                insert(&mut schema, "maxItems", *max_items);
            }
        }
        schema
    }

    /// What is said of a text that is not of the field's format.
    pub(super) fn misformatted(&self, value: &Value) -> Option<String> {
        match &self.kind {
            Kind::Text { format: Some(format), .. } if !format.fits(value.as_str()?) => {
                Some(format!("expected {}, got {}", format.words(), shown(value)))
            }
            _ => None,
        }
    }

    /// What is said of a list with more items than there are choices.
    pub(super) fn too_many(&self, value: &Value) -> Option<String> {
        let Kind::Several { choices, .. } = &self.kind else { return None };
        let (most, given) = (choices.len(), value.as_array()?.len());
        let problem = || {
            Path::Name(&Path::Root, &self.name).problem(format!("expected each of the {most} choices once at most, got {given}"))
        };
        (given > most).then(|| problem().to_string())
    }
}

impl Kind {
    /// Takes the keywords that it understands; what is left fits no form.
    fn take(schema: &mut Map<String, Value>, definitions: &Map<String, Value>) -> Result<Self, String> {
        if let Some(choices) = Choices::take(schema)? {
            return Ok(Self::One(choices));
        }
        match schema.remove("type").as_ref().and_then(Value::as_str) {
            Some("string") => {
                let format = match schema.remove("format") {
                    Some(name) => Some(name.as_str().and_then(Format::of).ok_or_else(|| {
                        format!(
                            "has the format {name}; a form knows email, uri, date and date-time: leave it out with `#[schemars(with = \"String\")]`"
                        )
                    })?),
                    None => None,
                };
                Ok(Self::Text { format, min_length: size(schema, "minLength"), max_length: size(schema, "maxLength") })
            }
            Some("integer") => Ok(Self::Number(Range::take(schema, true))),
            Some("number") => Ok(Self::Number(Range::take(schema, false))),
            Some("boolean") => Ok(Self::YesNo),
            Some("array") => Self::several(schema, definitions),
            Some("object") if schema.contains_key("properties") => {
                Err("is an object, and a form is flat: ask for its members in fields of the form, with `#[serde(flatten)]`"
                    .to_owned())
            }
            Some("object") => Err("is a map, and a form asks by name: give it a field for each member".to_owned()),
            _ => {
                Err("has no single type that a form knows: use a `String`, a number, a `bool`, or an enum without data"
                    .to_owned())
            }
        }
    }

    fn several(schema: &mut Map<String, Value>, definitions: &Map<String, Value>) -> Result<Self, String> {
        let other =
            || "is a list, and of lists a form knows only choices of several: a `Vec` or set of an enum without data".to_owned();
        let Some(Value::Object(mut items)) = schema.remove("items") else { return Err(other()) };
        resolve(&mut items, definitions);
        let choices = Choices::take(&mut items).ok().flatten().ok_or_else(other)?;
        items.retain(|keyword, _| !is_annotation(keyword) && !["title", "description"].contains(&keyword.as_str()));
        if let Some(keyword) = items.keys().next() {
            return Err(unfit(keyword));
        }
        // Checked in any case.
        schema.remove("uniqueItems");
        Ok(Self::Several { choices, min_items: size(schema, "minItems"), max_items: size(schema, "maxItems") })
    }
}

impl Range {
    fn take(schema: &mut Map<String, Value>, integer: bool) -> Self {
        let held = match schema.get("format").and_then(Value::as_str) {
            Some("int8") => Some((i8::MIN.into(), i8::MAX.into())),
            Some("int16") => Some((i16::MIN.into(), i16::MAX.into())),
            Some("int32") => Some((i32::MIN.into(), i32::MAX.into())),
            Some("uint8") => Some((0, u8::MAX.into())),
            Some("uint16") => Some((0, u16::MAX.into())),
            Some("uint32") => Some((0, u32::MAX.into())),
            _ => None,
        };
        if schema.get("format").and_then(Value::as_str).is_some_and(publish::is_number_format) {
            schema.remove("format");
        }
        let minimum = bound(schema, "minimum", "exclusiveMinimum", integer.then_some(1));
        let maximum = bound(schema, "maximum", "exclusiveMaximum", integer.then_some(-1));
        Self { integer, minimum, maximum, held }
    }
}

/// Takes a bound. `step` leads from an exclusive one to the next number that is allowed; where there is none, the exclusive
/// one is left.
fn bound(schema: &mut Map<String, Value>, keyword: &str, exclusive: &str, step: Option<i64>) -> Option<Number> {
    let inclusive = match schema.remove(keyword) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    };
    let next = step.and_then(|step| {
        let limit = schema.get(exclusive)?.as_number()?;
        let whole = limit.as_i64().or_else(|| {
            // Beyond half a number, the next whole one is allowed.
            let rounded = if step > 0 { limit.as_f64()?.floor() } else { limit.as_f64()?.ceil() };
            super::whole(rounded)
        })?;
        whole.checked_add(step).map(Number::from)
    });
    let Some(next) = next else { return inclusive };
    let stricter = if step > Some(0) { Ordering::Greater } else { Ordering::Less };
    schema.remove(exclusive);
    match inclusive {
        Some(known) if compare(&known, &next).is_some_and(|order| order == stricter) => Some(known),
        _ => Some(next),
    }
}

/// Looks through `Option`s and `$ref`s. What is said of the field goes before what is said of its type.
fn look_through(schema: &mut Map<String, Value>, definitions: &Map<String, Value>) {
    for _ in 0..MOST_WRAPPED {
        without_null(schema);
        if !resolve(schema, definitions) {
            break;
        }
    }
    without_null(schema);
}

fn resolve(schema: &mut Map<String, Value>, definitions: &Map<String, Value>) -> bool {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/"));
    let Some(Value::Object(target)) = target.and_then(|name| definitions.get(name)) else { return false };
    schema.remove("$ref");
    for (keyword, value) in target {
        schema.entry(keyword).or_insert_with(|| value.clone());
    }
    true
}

fn size(schema: &mut Map<String, Value>, keyword: &str) -> Option<u64> {
    schema.remove(keyword)?.as_u64()
}

fn insert<V: Into<Value>>(schema: &mut Map<String, Value>, keyword: &str, value: Option<V>) {
    if let Some(value) = value {
        schema.insert(keyword.to_owned(), value.into());
    }
}

fn unfit(keyword: &str) -> String {
    format!("says `{keyword}`, which a form can not hold; remove it, and check the answer in the tool")
}
