//! What a type says that no form can hold.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Form, Status, Texts, Way};

fn refused<T: JsonSchema + DeserializeOwned>() -> String {
    Form::of::<T>().expect_err("no form").join("\n")
}

#[test]
fn what_is_no_struct_is_no_form() {
    #[derive(Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "described only")]
    enum Tagged {
        A { a: String },
        B { b: String },
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Open {
        name: String,
        #[serde(flatten)]
        more: HashMap<String, String>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Flattened {
        name: String,
        #[serde(flatten)]
        kind: Tagged,
    }

    #[derive(Deserialize, JsonSchema)]
    #[schemars(extend("minProperties" = 1))]
    struct Bounded {}

    let no_struct = "it is no struct with named fields; ask for a lone value, or for a choice, by a field of a struct";
    for said in [
        refused::<String>(),
        refused::<Status>(),
        refused::<Way>(),
        refused::<Vec<Status>>(),
        refused::<Option<Texts>>(),
        refused::<(String, u8)>(),
        refused::<Value>(),
        refused::<Tagged>(),
    ] {
        assert_eq!(said, no_struct);
    }
    let open = "it takes members of any name; a form asks by name: give it a field for each";
    assert_eq!(refused::<Open>(), open);
    assert_eq!(refused::<HashMap<String, String>>(), open);
    let shapes =
        "it is one of several shapes (`oneOf`); a form has one: use a struct, and choose by a field that is an enum without data";
    assert_eq!(refused::<Flattened>(), shapes);
    assert_eq!(
        refused::<Bounded>(),
        "it says `minProperties`, which a form can not hold; remove it, and check the answer in the tool"
    );
}

#[test]
fn what_a_form_can_not_hold_is_refused_by_field() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Inner {
        again: Option<Box<Inner>>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "described only")]
    enum Either {
        Number(u8),
        Text(String),
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    enum WithData {
        /// None.
        Nothing,
        Some(String),
    }

    #[derive(Deserialize, JsonSchema)]
    enum Never {}

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Everything {
        inner: Inner,
        inners: Option<Inner>,
        map: HashMap<String, u8>,
        any: Value,
        either: Either,
        data: Option<WithData>,
        never: Never,
        unit: (),
        list: Vec<String>,
        lists: Vec<Vec<Status>>,
        gaps: Vec<Option<Status>>,
        pair: (Status, Status),
        #[schemars(regex(pattern = "^a"))]
        pattern: String,
        #[schemars(extend("multipleOf" = 5))]
        fives: u8,
        #[schemars(extend("exclusiveMinimum" = 0))]
        share: f64,
        #[schemars(extend("const" = true))]
        agreed: bool,
        not_zero: std::num::NonZeroI32,
        address: std::net::Ipv4Addr,
        #[schemars(extend("enumNames" = ["one"]))]
        names: Status,
        #[schemars(extend("enumNames" = "one"))]
        name: Status,
        #[schemars(extend("enum" = []))]
        nothing: String,
        #[schemars(extend("enum" = [1, 2]))]
        number: u8,
    }

    let mut said = Form::of::<Everything>().expect_err("no form");
    said.sort();
    let nested = "is an object, and a form is flat: ask for its members in fields of the form, with `#[serde(flatten)]`";
    let no_type = "has no single type that a form knows: use a `String`, a number, a `bool`, or an enum without data";
    let shapes = "is one of several shapes; use an enum without data, and ask for the data in fields of their own";
    let list = "is a list, and of lists a form knows only choices of several: a `Vec` or set of an enum without data";
    let keyword = |word: &str| format!("says `{word}`, which a form can not hold; remove it, and check the answer in the tool");
    let expected = [
        ("address", "has the format \"ipv4\"; a form knows email, uri, date and date-time: leave it out with `#[schemars(with = \"String\")]`".to_owned()),
        ("agreed", keyword("const")),
        ("any", no_type.to_owned()),
        ("data", shapes.to_owned()),
        ("either", shapes.to_owned()),
        ("fives", keyword("multipleOf")),
        ("gaps", list.to_owned()),
        ("inner", nested.to_owned()),
        ("inners", nested.to_owned()),
        ("list", list.to_owned()),
        ("lists", list.to_owned()),
        ("map", "is a map, and a form asks by name: give it a field for each member".to_owned()),
        ("name", "has `enumNames` that are no list of strings; give the names of its choices".to_owned()),
        ("names", "has 1 `enumNames` for 3 choices; name each of them".to_owned()),
        ("never", no_type.to_owned()),
        ("not_zero", keyword("not")),
        ("nothing", "has nothing to choose from; give its enum variants".to_owned()),
        ("number", "is a choice among values that are no strings; use an enum that serde writes as text".to_owned()),
        ("pair", list.to_owned()),
        ("pattern", keyword("pattern")),
        ("share", keyword("exclusiveMinimum")),
        ("unit", no_type.to_owned()),
    ];
    let expected: Vec<String> = expected.iter().map(|(name, what)| format!("its field `{name}` {what}")).collect();
    assert_eq!(said, expected);
}

#[test]
fn defaults_must_fit_and_words_must_be_visible() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Unfit {
        #[serde(default)]
        #[schemars(email)]
        mail: String,
        #[serde(default)]
        #[schemars(range(min = 1))]
        count: u8,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "described only")]
    struct Hidden {
        #[schemars(description = "a\u{202e}b")]
        name: String,
    }

    assert_eq!(
        refused::<Unfit>(),
        "the default of its field `mail: expected an email address, got \"\"`\n\
         the default of its field `count: expected an integer from 1 to 255, got 0`"
    );
    assert_eq!(refused::<Hidden>(), "its schema has at `/name/description` the invisible character U+202E");
}
