mod answers;
mod unfit;

use std::collections::{BTreeSet, HashSet};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Form, FormUnfit};
use crate::protocol::Era;

fn form<T: JsonSchema + DeserializeOwned>() -> Form {
    Form::of::<T>().expect("a form")
}

fn sent(form: &Form, era: Era) -> Value {
    serde_json::from_str(&form.in_era(era).expect("fit")).expect("JSON")
}

fn properties<T: JsonSchema + DeserializeOwned>() -> Value {
    sent(&form::<T>(), Era::V2026_07_28)["properties"].take()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Inactive,
    Pending,
}

/// How to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Way {
    /// By mail,
    /// in an envelope.
    ///
    /// Takes a week.
    Mail,
    #[schemars(title = "By a courier")]
    Courier,
    Pigeon,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct Texts {
    /// Who you are.
    #[schemars(title = "Your name", length(min = 1, max = 80))]
    name: String,
    #[schemars(email)]
    mail: String,
    #[schemars(url)]
    site: Option<String>,
    #[schemars(extend("format" = "date"))]
    day: String,
    #[schemars(extend("format" = "date-time", "examples" = ["2026-07-28T12:00:00Z"]))]
    at: Option<String>,
    #[serde(default)]
    note: String,
    initial: char,
}

#[test]
fn texts_keep_lengths_formats_and_words() {
    let form = form::<Texts>();
    let expected = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "title": "Your name", "description": "Who you are.", "minLength": 1, "maxLength": 80},
            "mail": {"type": "string", "format": "email"},
            "site": {"type": "string", "format": "uri"},
            "day": {"type": "string", "format": "date"},
            "at": {"type": "string", "format": "date-time"},
            "note": {"type": "string", "default": ""},
            "initial": {"type": "string", "minLength": 1, "maxLength": 1},
        },
        "required": ["name", "mail", "day", "initial"],
    });
    assert_eq!(sent(&form, Era::V2026_07_28), expected);
    assert_eq!(sent(&form, Era::V2025_11_25), expected);
}

#[test]
fn fields_stand_in_the_order_of_the_struct() {
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "described only")]
    struct Person {
        #[serde(alias = "a")]
        zip_code: String,
        name: Option<String>,
        age: u8,
    }

    let expected = concat!(
        r#"{"type":"object","properties":{"zipCode":{"type":"string"},"name":{"type":"string"},"#,
        r#""age":{"maximum":255,"minimum":0,"type":"integer"}},"required":["zipCode","age"]}"#
    );
    assert_eq!(form::<Person>().in_era(Era::V2026_07_28).expect("fit"), expected);

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Wrapped(Person);

    assert_eq!(form::<Wrapped>().in_era(Era::V2026_07_28).expect("fit"), expected);
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct Numbers {
    small: u8,
    signed: i16,
    wide: u32,
    size: Option<usize>,
    #[schemars(range(min = 1, max = 14))]
    days: i64,
    #[schemars(range(min = 0.5, max = 9.5))]
    share: f32,
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 10.5))]
    between: i32,
    #[schemars(range(min = 5), extend("exclusiveMinimum" = 2))]
    stricter: i32,
    #[serde(default = "three")]
    count: i32,
    one: std::num::NonZeroU8,
    #[serde(default)]
    sure: bool,
}

fn three() -> i32 {
    3
}

#[test]
fn numbers_keep_bounds_and_lose_formats_of_rust() {
    let expected = json!({
        "small": {"type": "integer", "minimum": 0, "maximum": 255},
        "signed": {"type": "integer", "minimum": -32768, "maximum": 32767},
        "wide": {"type": "integer", "minimum": 0},
        "size": {"type": "integer", "minimum": 0},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
        "share": {"type": "number", "minimum": 0.5, "maximum": 9.5},
        "between": {"type": "integer", "minimum": 1, "maximum": 10},
        "stricter": {"type": "integer", "minimum": 5},
        "count": {"type": "integer", "default": 3},
        "one": {"type": "integer", "minimum": 1, "maximum": 255},
        "sure": {"type": "boolean", "default": false},
    });
    assert_eq!(properties::<Numbers>(), expected);
}

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "described only")]
struct Choosing {
    status: Status,
    way: Way,
    /// If that fails.
    other_way: Option<Way>,
    maybe: Option<Status>,
    #[schemars(extend("enumNames" = ["On", "Off", "Waiting"]))]
    named: Option<Status>,
    #[schemars(length(min = 1, max = 2))]
    list: Vec<Status>,
    set: Option<HashSet<Way>>,
    #[serde(default = "both")]
    tree: BTreeSet<Status>,
    #[serde(default = "mail")]
    usual: Way,
}

fn both() -> BTreeSet<Status> {
    BTreeSet::from([Status::Active, Status::Pending])
}

fn mail() -> Way {
    Way::Mail
}

#[test]
fn enums_are_choices_of_one_or_of_several() {
    let ways = json!([
        {"const": "mail", "title": "By mail, in an envelope."},
        {"const": "courier", "title": "By a courier"},
        {"const": "pigeon", "title": "pigeon"},
    ]);
    let status = json!({"type": "string", "enum": ["active", "inactive", "pending"]});
    let form = form::<Choosing>();
    let expected = json!({
        "status": status,
        "way": {"type": "string", "description": "How to send it.", "oneOf": ways},
        "other_way": {"type": "string", "description": "If that fails.", "oneOf": ways},
        "maybe": status,
        "named": {"type": "string", "enum": ["active", "inactive", "pending"], "enumNames": ["On", "Off", "Waiting"]},
        "list": {"type": "array", "items": status, "minItems": 1, "maxItems": 2},
        "set": {"type": "array", "items": {"anyOf": ways}},
        "tree": {"type": "array", "items": status, "default": ["active", "pending"]},
        "usual": {"type": "string", "description": "How to send it.", "oneOf": ways, "default": "mail"},
    });
    // The order of a sum of documented and other variants is schemars' own.
    let mut properties = sent(&form, Era::V2026_07_28)["properties"].take();
    for place in ["/way/oneOf", "/other_way/oneOf", "/usual/oneOf", "/set/items/anyOf"] {
        let found = properties.pointer_mut(place).and_then(Value::as_array_mut).expect("choices");
        found.sort_by_key(|choice| ["mail", "courier", "pigeon"].iter().position(|value| choice["const"] == *value));
    }
    assert_eq!(properties, expected);
    assert_eq!(sent(&form, Era::V2026_07_28)["required"], json!(["status", "way", "list"]));
    let unfit = FormUnfit::SeveralChoices { era: Era::V2025_06_18, field: "list".to_owned() };
    assert_eq!(unfit.to_string(), "MCP 2025-06-18 has no field in which several are chosen, as `list` is");
    assert_eq!(form.in_era(Era::V2025_06_18), Err(unfit));
}

#[test]
fn an_enum_with_one_variant_is_a_choice_of_one() {
    #[derive(Deserialize, JsonSchema)]
    enum Consent {
        Agree,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Terms {
        terms: Consent,
        more: Option<Consent>,
    }

    let choice = json!({"type": "string", "enum": ["Agree"]});
    assert_eq!(properties::<Terms>(), json!({"terms": choice, "more": choice}));
}

#[test]
fn flattened_structs_are_part_of_the_form() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Address {
        city: String,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Order {
        name: String,
        #[serde(flatten)]
        address: Address,
    }

    let sent = sent(&form::<Order>(), Era::V2026_07_28);
    assert_eq!(sent["properties"], json!({"name": {"type": "string"}, "city": {"type": "string"}}));
    assert_eq!(sent["required"], json!(["city", "name"]));
}

/// schemars then writes `$ref`s.
#[test]
fn types_too_large_to_be_written_in_place_are_looked_up() {
    #[derive(Deserialize, JsonSchema)]
    #[schemars(extend("x-long" = "x".repeat(40_000)))]
    enum Large {
        Small,
        /// The large one.
        Large,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Size {
        /// First.
        one: Large,
        two: Option<Box<Large>>,
        three: Vec<Large>,
    }

    let choices = json!([{"const": "Small", "title": "Small"}, {"const": "Large", "title": "The large one."}]);
    let expected = json!({
        "one": {"type": "string", "description": "First.", "oneOf": choices},
        "two": {"type": "string", "oneOf": choices},
        "three": {"type": "array", "items": {"anyOf": choices}},
    });
    assert_eq!(properties::<Size>(), expected);
}

#[test]
fn a_form_without_fields_is_a_plain_confirmation() {
    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Unit;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Empty {}

    for form in [form::<()>(), form::<Unit>(), form::<Empty>()] {
        assert_eq!(form.in_era(Era::V2026_07_28).as_deref(), Ok(r#"{"type":"object","properties":{}}"#));
        assert_eq!(form.in_era(Era::V2025_06_18).as_deref(), Ok(r#"{"type":"object","properties":{}}"#));
        assert_eq!(form.accept(&json!({"a": 1})), Err(vec!["a: unknown name; nothing is expected here".to_owned()]));
    }
    for content in [json!({}), Value::Null] {
        assert_eq!(serde_json::from_value::<()>(form::<()>().accept(&content).expect("fit")).ok(), Some(()));
        assert_eq!(serde_json::from_value::<Unit>(form::<Unit>().accept(&content).expect("fit")).ok(), Some(Unit));
        assert_eq!(serde_json::from_value::<Empty>(form::<Empty>().accept(&content).expect("fit")).ok(), Some(Empty {}));
    }
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Defaults {
    #[serde(default = "john")]
    name: String,
    #[serde(default = "thirty")]
    age: u32,
    #[serde(default = "score")]
    score: f64,
    #[serde(default = "active")]
    status: Status,
    #[serde(default = "verified")]
    verified: bool,
}

fn john() -> String {
    "John Doe".to_owned()
}

fn thirty() -> u32 {
    30
}

fn score() -> f64 {
    95.5
}

fn active() -> Status {
    Status::Active
}

fn verified() -> bool {
    true
}

#[test]
fn conformance_sep1034_defaults() {
    let form = form::<Defaults>();
    let mut expected = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "minimum": 0, "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
        },
    });
    assert_eq!(sent(&form, Era::V2026_07_28), expected);
    assert_eq!(sent(&form, Era::V2025_11_25), expected);
    for name in ["name", "age", "score", "status"] {
        expected["properties"][name].as_object_mut().expect("a schema").remove("default");
    }
    assert_eq!(sent(&form, Era::V2025_06_18), expected);
    assert_eq!(form.in_era(Era::V2025_03_26), Err(FormUnfit::NoQuestions(Era::V2025_03_26)));

    let filled = form.accept(&json!({"age": 31.0, "status": null})).expect("fit");
    assert_eq!(filled, json!({"name": "John Doe", "age": 31, "score": 95.5, "status": "active", "verified": true}));
    let read: Defaults = serde_json::from_value(filled).expect("fit for serde");
    assert_eq!((read.age, read.status), (31, Status::Active));
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "described only")]
struct Enums {
    untitled_single: Plain,
    titled_single: Titled,
    #[schemars(extend("enumNames" = ["Option One", "Option Two", "Option Three"]))]
    legacy_enum: Legacy,
    untitled_multi: Vec<Plain>,
    titled_multi: Vec<Titled>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Plain {
    Option1,
    Option2,
    Option3,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Titled {
    /// First Option
    Value1,
    /// Second Option
    Value2,
    /// Third Option
    Value3,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Legacy {
    Opt1,
    Opt2,
    Opt3,
}

#[test]
fn conformance_sep1330_enums() {
    let titled = json!([
        {"const": "value1", "title": "First Option"},
        {"const": "value2", "title": "Second Option"},
        {"const": "value3", "title": "Third Option"},
    ]);
    let names = ["Option One", "Option Two", "Option Three"];
    let expected = json!({
        "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": names},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    });
    assert_eq!(properties::<Enums>(), expected);
    let answer = json!({
        "untitledSingle": "option1", "titledSingle": "value2", "legacyEnum": "opt3",
        "untitledMulti": ["option1", "option3"], "titledMulti": [],
    });
    assert_eq!(form::<Enums>().accept(&answer), Ok(answer));
}

#[test]
fn titles_become_names_for_clients_of_2025_06_18() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Mixed {
        #[serde(default = "first")]
        titled: Titled2,
        #[serde(default)]
        sure: bool,
        #[schemars(range(min = 1))]
        share: f64,
        #[schemars(email)]
        mail: String,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Titled2 {
        #[schemars(title = "The first")]
        First,
        #[schemars(title = "The second")]
        Second,
    }

    fn first() -> Titled2 {
        Titled2::First
    }

    let form = form::<Mixed>();
    let expected = json!({
        "type": "object",
        "properties": {
            "titled": {"type": "string", "enum": ["First", "Second"], "enumNames": ["The first", "The second"]},
            "sure": {"type": "boolean", "default": false},
            "share": {"type": "number", "minimum": 1},
            "mail": {"type": "string", "format": "email"},
        },
        "required": ["share", "mail"],
    });
    assert_eq!(sent(&form, Era::V2025_06_18), expected);
    assert_eq!(sent(&form, Era::V2025_11_25)["properties"]["titled"]["default"], "First");
}
