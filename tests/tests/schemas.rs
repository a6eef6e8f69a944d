//! What is published of a function's parameters, and how it is enforced: by clients of every revision alike.

mod every_era;

use std::collections::{BTreeMap, HashMap, HashSet};

use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Client, Era};
use serde_json::{Value, json};

/// The one tool of a server, as each revision lists it.
async fn published(tool: mcp_runtime::Tool) -> Vec<(Era, Value)> {
    let mut published = Vec::new();
    for (era, client) in every_era::clients(&Server::new("test", "0").only([tool])) {
        published.push((era, client.tools().await.into_iter().next().expect("one tool")));
    }
    published
}

/// The schema of the tool's arguments, which is the same in every revision.
async fn input(tool: mcp_runtime::Tool) -> Value {
    let mut schemas: Vec<_> = published(tool).await.into_iter().map(|(_, mut tool)| tool["inputSchema"].take()).collect();
    schemas.dedup();
    assert_eq!(schemas.len(), 1, "{schemas:#?}");
    schemas.remove(0)
}

/// Calls the tool in every revision, see [`every_era::call`].
async fn call(client: &Client, arguments: Value) -> Answer {
    let name = client.tools().await[0]["name"].as_str().expect("a name").to_owned();
    every_era::call(client, &name, arguments).await
}

#[data(input)]
struct Place {
    city: String,
}

#[data]
#[serde(rename_all = "lowercase")]
enum Unit {
    Km,
    Mi,
}

/// Find hotels.
#[tool]
fn hotels(place: Place, unit: Option<Unit>, name: Option<String>, limit: u32) -> String {
    drop((place.city, unit, name));
    limit.to_string()
}

#[tokio::test]
async fn a_schema_is_small_and_plain() {
    let schema = input(hotels::tool()).await;
    let expected = json!({
        "type": "object",
        "properties": {
            "place": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] },
            "unit": { "type": "string", "enum": ["km", "mi"] },
            "name": { "type": "string" },
            "limit": { "type": "integer", "minimum": 0 },
        },
        "required": ["place", "limit"],
        "additionalProperties": false,
    });
    assert_eq!(schema, expected);
    assert!(schema.to_string().len() <= 300, "{} bytes", schema.to_string().len());
}

#[data]
#[serde(deny_unknown_fields)]
struct Tree {
    value: i64,
    children: Vec<Tree>,
}

/// Sum a tree.
#[tool]
fn sum(tree: Tree) -> i64 {
    fn add(tree: &Tree) -> i64 {
        tree.value + tree.children.iter().map(add).sum::<i64>()
    }
    add(&tree)
}

#[tokio::test]
async fn only_types_that_contain_themselves_are_referred_to() {
    let schema = input(sum::tool()).await;
    assert_eq!(schema["$defs"]["Tree"]["properties"]["children"]["items"]["$ref"], "#/$defs/Tree");
    let client = Client::new(&Server::new("test", "0").only([sum::tool()]));
    let tree = json!({ "value": 1, "children": [{ "value": 2, "children": [] }] });
    assert_eq!(call(&client, json!({ "tree": tree })).await.text(), "3");
    let wrong = json!({ "value": 1, "children": [{ "value": "2", "childen": [] }] });
    let answer = call(&client, json!({ "tree": wrong })).await;
    assert!(answer.is_error());
    assert!(answer.text().contains("tree.children[0].value: expected an integer, got \"2\""), "{}", answer.text());
    assert!(answer.text().contains("tree.children[0].childen: unknown name; did you mean `children`?"), "{}", answer.text());
}

#[tokio::test]
async fn deep_arguments_are_checked_to_the_end() {
    let client = Client::new(&Server::new("test", "0").only([sum::tool()]));
    for (depth, innermost, problem) in [
        (55, json!({ "value": 1, "children": [] }), None),
        (55, json!({ "value": "1", "children": [] }), Some(".value: expected an integer")),
        (500, json!({ "value": 1, "children": [] }), Some("nested too deeply")),
    ] {
        let tree = (0..depth).fold(innermost, |tree, _| json!({ "value": 1, "children": [tree] }));
        let answer = call(&client, json!({ "tree": tree })).await;
        match problem {
            Some(problem) => assert!(answer.is_error() && answer.text().contains(problem), "{}", answer.text()),
            None => assert_eq!(answer.text(), "56"),
        }
    }
}

#[data]
#[serde(tag = "op", rename_all = "snake_case")]
enum Tagged {
    Not { of: Box<Tagged> },
    Same { of: Box<Tagged> },
    Leaf,
}

#[data]
enum Outside {
    Not(Box<Outside>),
    Same(Box<Outside>),
    Leaf,
}

#[data]
#[serde(untagged)]
enum Untagged {
    Not { of: Box<Untagged>, a: Option<u8> },
    Same { of: Box<Untagged>, b: Option<u8> },
    Leaf(u8),
}

/// Take what could be walked in exponentially many ways.
#[tool]
fn manifold(tagged: Option<Tagged>, outside: Option<Outside>, untagged: Option<Untagged>) -> bool {
    tagged.is_some() || outside.is_some() || untagged.is_some()
}

#[tokio::test]
async fn alternatives_at_every_level_take_no_exponential_time() {
    let client = Client::new(&Server::new("test", "0").only([manifold::tool()]));
    let nested = |innermost: Value, wrap: fn(Value) -> Value| (0..60).fold(innermost, |value, _| wrap(value));
    let not = |value| json!({ "op": "not", "of": value });
    let answer = call(&client, json!({ "tagged": nested(json!({ "op": "leaf" }), not) })).await;
    assert_eq!(answer.text(), "true");
    let answer = call(&client, json!({ "tagged": nested(json!({ "op": "laef" }), not) })).await;
    assert!(answer.text().contains("did you mean \"leaf\"?"), "{}", answer.text());
    let answer = call(&client, json!({ "outside": nested(json!("Leaf"), |value| json!({ "Not": value })) })).await;
    assert_eq!(answer.text(), "true");
    let answer = call(&client, json!({ "untagged": nested(json!("x"), |value| json!({ "of": value })) })).await;
    assert!(answer.is_error() && answer.text().contains("too manifold to check"), "{}", answer.text());
}

#[data]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Shape {
    Circle { radius: f64 },
    Square { side: f64 },
}

/// Take all kinds of arguments.
#[tool]
#[expect(clippy::too_many_arguments, reason = "one of each")]
fn all_kinds(
    shape: Shape,
    maybe: Option<Shape>,
    pair: (u8, String),
    set: HashSet<String>,
    map: HashMap<String, i32>,
    sorted: BTreeMap<String, Option<bool>>,
    list: Vec<Option<u16>>,
    any: Value,
    #[serde(default)] count: u64,
    #[arg(default = "en")] language: String,
) -> String {
    drop((shape, maybe, pair, set, map, sorted, list, any, count));
    language
}

#[tokio::test]
async fn every_kind_of_argument_has_a_plain_schema() {
    let schema = input(all_kinds::tool()).await;
    let text = schema.to_string();
    for noise in ["$ref", "$schema", "title", "uint", "int32", "double"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
    assert_eq!(schema["properties"]["language"], json!({ "type": "string", "default": "en" }));
    assert_eq!(schema["properties"]["maybe"]["oneOf"], schema["properties"]["shape"]["oneOf"]);
    assert_eq!(schema["properties"]["pair"]["prefixItems"][0], json!({ "type": "integer", "minimum": 0, "maximum": 255 }));
    assert_eq!(schema["properties"]["map"]["additionalProperties"], json!({ "type": "integer" }));
    let client = Client::new(&Server::new("test", "0").only([all_kinds::tool()]));
    let good = json!({
        "shape": { "kind": "circle", "radius": 1 }, "pair": [1, "a"], "set": ["a"], "map": { "a": 1 }, "sorted": { "a": null },
        "list": [null, 1], "any": [1],
    });
    assert_eq!(call(&client, good.clone()).await.text(), "en");
    let mut null = good.clone();
    null["language"] = Value::Null;
    assert_eq!(call(&client, null).await.text(), "en", "null is how models leave out what has a default");
    for (name, value, problem) in [
        ("shape", json!({ "kind": "circle", "radius": "1" }), "shape.radius: expected a number, got \"1\""),
        (
            "shape",
            json!({ "kind": "cirlce", "radius": 1 }),
            "shape.kind: expected one of \"circle\", \"square\", got \"cirlce\"; did you mean \"circle\"?",
        ),
        ("shape", json!({ "radius": 1 }), "shape.kind: required, but missing (expected one of \"circle\", \"square\")"),
        ("shape", json!([]), "shape: expected an object, got an empty array"),
        ("pair", json!([256, "a"]), "pair[0]: expected an integer from 0 to 255, got 256"),
        ("pair", json!([1]), "pair: expected an array of 2 items, got 1"),
        ("set", json!(["a", "a"]), "set: expected items that are all different"),
        ("map", json!({ "a": "b" }), "map.a: expected an integer, got \"b\""),
        ("list", json!([1, -1]), "list[1]: expected an integer from 0 to 65535, got -1"),
    ] {
        let mut arguments = good.clone();
        arguments[name] = value;
        let answer = call(&client, arguments).await;
        assert!(answer.is_error() && answer.text().contains(problem), "{problem} not in {}", answer.text());
    }
}

/// Nothing to say.
#[tool]
fn nothing() {}

#[tokio::test]
async fn a_tool_without_arguments_takes_none() {
    assert_eq!(input(nothing::tool()).await, json!({ "type": "object", "additionalProperties": false }));
    let client = Client::new(&Server::new("test", "0").only([nothing::tool()]));
    for (era, client) in every_era::eras_of(client.clone()) {
        let answer = client.request("tools/call", json!({ "name": "nothing" })).await;
        assert_eq!(answer.result()["content"], json!([]), "{era:?}");
    }
    let answer = call(&client, json!({ "x": 1 })).await;
    assert!(answer.text().contains("x: unknown name; nothing is expected here"), "{}", answer.text());
}

#[data]
struct Report {
    /// How many.
    count: u32,
    note: Option<String>,
}

/// Report.
#[tool]
fn report() -> Json<Report> {
    Json(Report { count: 1, note: None })
}

#[tokio::test]
async fn an_output_schema_describes_what_is_serialised() {
    let expected = json!({
        "type": "object",
        "properties": { "count": { "type": "integer", "minimum": 0, "description": "How many." }, "note": { "type": ["string", "null"] } },
        "required": ["count", "note"],
    });
    for (era, mut tool) in published(report::tool()).await {
        let expected = if era < Era::V2025_06_18 { Value::Null } else { expected.clone() };
        assert_eq!(tool["outputSchema"].take(), expected, "{era:?}");
    }
    let client = Client::new(&Server::new("test", "0").only([report::tool()]));
    let answer = call(&client, json!({})).await;
    assert_eq!(answer.structured(), &json!({ "count": 1, "note": null }));
    assert_eq!(answer.text(), r#"{"count":1,"note":null}"#);
}

/// Count up.
#[tool]
fn numbers() -> Json<Vec<u8>> {
    Json(vec![1, 2])
}

#[tokio::test]
async fn an_output_schema_of_no_object_came_with_the_newest_revision() {
    for (era, mut tool) in published(numbers::tool()).await {
        let array = json!({ "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 255 } });
        let expected = if era.is_legacy() { Value::Null } else { array };
        assert_eq!(tool["outputSchema"].take(), expected, "{era:?}");
    }
}

/// An enum as all there is.
#[tool]
fn only_a_shape(Args(shape): Args<Shape>) -> f64 {
    match shape {
        Shape::Circle { radius } => radius,
        Shape::Square { side } => side,
    }
}

/// A pattern.
#[tool]
fn patterned(#[schemars(regex(pattern = "^a"))] text: String, #[schemars(extend("multipleOf" = 2))] even: u8) -> String {
    format!("{text}{even}")
}

fn message(tool: mcp_runtime::Tool) -> String {
    Server::new("test", "0").only([tool]).build().expect_err("must not build").to_string()
}

#[test]
fn arguments_that_are_no_object_do_not_build() {
    let enumeration = message(only_a_shape::tool());
    assert!(enumeration.contains("`only_a_shape`") && enumeration.contains("put an enum into a field"), "{enumeration}");
}

#[cfg(not(any(feature = "regex", feature = "jsonschema")))]
#[test]
fn what_nothing_enforces_does_not_build() {
    let patterned = message(patterned::tool());
    assert!(patterned.contains("`pattern` at `/properties/text`") && patterned.contains("feature `regex`"), "{patterned}");
    assert!(
        patterned.contains("`multipleOf` at `/properties/even`") && patterned.contains("feature `jsonschema`"),
        "{patterned}"
    );
}

#[cfg(feature = "jsonschema")]
#[tokio::test]
async fn with_its_features_every_keyword_is_enforced() {
    let client = Client::new(&Server::new("test", "0").only([patterned::tool()]));
    assert_eq!(call(&client, json!({ "text": "abc", "even": 2 })).await.text(), "abc2");
    let answer = call(&client, json!({ "text": "cba", "even": 3 })).await;
    assert!(answer.is_error(), "{}", answer.text());
    for part in ["- text: ", "^a", "- even: ", "multiple of 2"] {
        assert!(answer.text().contains(part), "{part} not in {}", answer.text());
    }
}

#[cfg(feature = "jsonschema")]
#[data]
#[serde(tag = "op")]
enum Sum {
    Not {
        of: Box<Sum>,
    },
    Leaf {
        #[schemars(extend("multipleOf" = 2))]
        value: u8,
    },
}

/// Take what the crate would walk in exponential time.
#[cfg(feature = "jsonschema")]
#[tool]
fn unbounded(sum: Option<Sum>) -> bool {
    sum.is_some()
}

#[cfg(feature = "jsonschema")]
#[test]
fn what_can_not_be_enforced_in_bounded_time_does_not_build() {
    let text = message(unbounded::tool());
    assert!(text.contains("contains itself, with alternatives") && text.contains("`multipleOf`"), "{text}");
}

/// A pattern that is none.
#[cfg(feature = "regex")]
#[tool]
fn mispatterned(#[schemars(regex(pattern = "("))] text: String) -> String {
    text
}

#[cfg(feature = "regex")]
#[test]
fn a_pattern_must_compile() {
    assert!(message(mispatterned::tool()).contains("a pattern that can not be compiled"));
}

/// `#[data]` would not compile.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Hiding {
    #[doc = "Seen.\u{200b}"]
    seen: String,
}

/// Take what hides something.
#[tool]
fn hiding(hiding: Hiding) -> String {
    hiding.seen
}

#[test]
fn a_description_hides_nothing() {
    let text = message(hiding::tool());
    assert!(text.contains("at `/properties/hiding/properties/seen/description` the invisible character U+200B"), "{text}");
}

macro_rules! wide {
    ($name:ident $next:ident $($more:ident)*) => {
        #[data(input)]
        #[expect(dead_code, reason = "only described")]
        struct $name {
            a: Box<$next>,
            b: Box<$next>,
            c: Box<$next>,
        }
        wide!($next $($more)*);
    };
    ($last:ident) => {
        #[data(input)]
        #[expect(dead_code, reason = "only described")]
        struct $last {
            a: u8,
        }
    };
}
wide!(Wide A B C D E F G H I J K L M N);

/// Take what inlines to gigabytes.
#[tool]
fn widest(wide: Option<Wide>) -> bool {
    wide.is_some()
}

#[tokio::test]
async fn what_would_explode_is_referred_to() {
    let schema = input(widest::tool()).await;
    assert!(schema.to_string().len() < 4000 && schema["$defs"]["N"].is_object(), "{schema}");
    let client = Client::new(&Server::new("test", "0").only([widest::tool()]));
    let answer = call(&client, json!({ "wide": { "a": 1 } })).await;
    assert!(answer.text().contains("wide.b: required, but missing"), "{}", answer.text());
}

/// Mirrored arguments.
#[tool]
fn mirrored(#[arg(header = "Region")] region: Option<String>, #[arg(header = "Tenant-Id")] tenant: u64) -> String {
    format!("{region:?}{tenant}")
}

#[tokio::test]
async fn only_the_newest_revision_demands_the_headers_of_mirrored_arguments() {
    for (era, client) in every_era::clients(&Server::new("test", "0").only([mirrored::tool()])) {
        let contradicted = client.clone().header("Mcp-Param-Tenant-Id", "8");
        let answer = contradicted.call("mirrored", json!({ "tenant": 7 })).await;
        let expected = if era.is_legacy() { None } else { Some(-32020) };
        assert_eq!(answer.error_code(), expected, "{era:?}");
        // The legacy ones know no such header, so none says anything.
        assert_eq!(client.call("mirrored", json!({ "tenant": 7 })).await.text(), "None7", "{era:?}");
    }
}

#[tokio::test]
async fn mirrored_arguments_have_one_type_and_safe_integers() {
    let schema = input(mirrored::tool()).await;
    assert_eq!(schema["properties"]["region"], json!({ "type": "string", "x-mcp-header": "Region" }));
    let tenant = json!({ "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64, "x-mcp-header": "Tenant-Id" });
    assert_eq!(schema["properties"]["tenant"], tenant);
    let client = Client::new(&Server::new("test", "0").only([mirrored::tool()]));
    let client = client.header("Mcp-Param-Tenant-Id", "9007199254740992");
    let answer = call(&client, json!({ "tenant": 9_007_199_254_740_992_u64 })).await;
    assert!(answer.is_error() && answer.text().contains("from 0 to 9007199254740991"), "{}", answer.text());
}
