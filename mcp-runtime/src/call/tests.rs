//! What the macros make of functions, called as a server calls it.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{RawStrings, ReadOutcome, ReadTarget, ResourceError};
use crate::prelude::*;
use crate::{ContentAnnotations, Prompt, Resource};

fn given<'a>(item: &'static str, values: &[(&'a str, &'a str)]) -> RawStrings<'a> {
    RawStrings::new(item, values.iter().map(|&(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect())
}

async fn read(resource: Resource, uri: &str, values: &[(&str, &str)]) -> ReadOutcome {
    let definition = resource.definition();
    let target = ReadTarget { mime_type: definition.mime_type, ..ReadTarget::new(uri) };
    (definition.read)(Context::detached(), given(definition.name, values), target).await
}

async fn get(prompt: Prompt, values: &[(&str, &str)]) -> Result<Value, String> {
    let definition = prompt.definition();
    let outcome = (definition.get)(Context::detached(), given(definition.name, values)).await;
    match outcome {
        Ok(result) => Ok(serde_json::to_value(result.messages()).expect("json")),
        Err(error) => Err(error.user_message().map_or_else(|| format!("masked: {error}"), str::to_owned)),
    }
}

/// A part of a text.
#[resource("texts://{id}{?from,loud}", crate = crate)]
async fn text(id: u32, #[arg(default = 1)] from: usize, loud: Option<bool>) -> Result<String, ResourceError> {
    if id == 0 {
        return Err(ResourceError::NotFound);
    }
    let text = "a text".get(from..).ok_or_else(|| ResourceError::user("It is not that long."))?;
    Ok(if loud == Some(true) { text.to_uppercase() } else { text.to_owned() })
}

/// The caller's own.
#[resource("own://notes", mime_type = "application/notes+json", crate = crate)]
fn notes(_caller: Principal) -> Json<u8> {
    Json(1)
}

#[tokio::test]
async fn a_resource_is_read_by_its_variables() {
    let contents = async |values: &[(&str, &str)]| {
        let result = read(text::resource(), "texts://7", values).await;
        result.map(|result| serde_json::to_value(result.contents()).expect("json"))
    };
    let expected = json!([{ "uri": "texts://7", "text": " text" }]);
    assert_eq!(contents(&[("id", "7")]).await.expect("contents"), expected);
    let expected = json!([{ "uri": "texts://7", "text": "TEXT" }]);
    assert_eq!(contents(&[("id", "7"), ("from", "2"), ("loud", "true")]).await.expect("contents"), expected);
    for unfit in [&[("id", "-7")][..], &[("id", "seven")], &[], &[("id", "7"), ("loud", "")], &[("id", "7"), ("other", "")]] {
        assert!(matches!(contents(unfit).await, Err(ResourceError::NotFound)), "{unfit:?}");
    }
    assert!(matches!(contents(&[("id", "0")]).await, Err(ResourceError::NotFound)));
    let Err(ResourceError::Failed(error)) = contents(&[("id", "7"), ("from", "9")]).await else { panic!("no failure") };
    assert_eq!(error.user_message(), Some("It is not that long."));
}

#[tokio::test]
async fn what_cannot_be_injected_is_a_failure() {
    let Err(ResourceError::Failed(error)) = read(notes::resource(), "own://notes", &[]).await else { panic!("no failure") };
    assert_eq!(error.user_message(), Some("This needs a signed-in caller."));
}

/// How to greet.
#[data(crate = crate)]
#[serde(rename_all = "lowercase")]
enum Manner {
    Plain,
    Warm,
}

/// Greets.
#[prompt(crate = crate)]
fn greeting(name: String, times: u8, #[complete(["warm", "plain"])] manner: Option<Manner>) -> Vec<Message> {
    let greeting = if matches!(manner, Some(Manner::Warm)) { "Welcome" } else { "Hello" };
    vec![Message::user(format!("{greeting}, {name}").repeat(times.into()))]
}

/// Runs off the async threads.
#[prompt(blocking, crate = crate)]
fn thread() -> String {
    format!("{}", std::thread::current().name() == Some("main"))
}

#[tokio::test]
async fn a_prompt_is_made_from_texts() {
    let expected = json!([{ "role": "user", "content": { "type": "text", "text": "Welcome, A" } }]);
    assert_eq!(get(greeting::prompt(), &[("name", "A"), ("times", "1"), ("manner", "warm")]).await, Ok(expected));
    let report = "The arguments do not fit `greeting`:\
                  \n- times: expected a whole number from 0 to 255, got \"many\"\
                  \n- manner: expected one of `plain`, `warm`, got \"cold\"\
                  \n- name: required, but missing";
    assert_eq!(get(greeting::prompt(), &[("times", "many"), ("manner", "cold")]).await, Err(report.to_owned()));
    assert!(get(thread::prompt(), &[]).await.is_ok());
}

#[tokio::test]
async fn a_prompt_describes_and_completes_its_arguments() {
    let definition = greeting::prompt().definition();
    let mut generator = schemars::SchemaGenerator::default();
    let schema = (definition.arguments)(&mut generator).to_value();
    assert_eq!(schema["required"], json!(["name", "times"]));
    let completion = definition.completions[0];
    assert_eq!(completion.argument, "manner");
    let suggested = (completion.complete)(CompletionRequest::new(Context::detached(), "P")).await.expect("suggestions");
    assert_eq!(suggested.values(), ["plain"]);
}

#[test]
fn old_clients_get_blocks_without_later_members() {
    let annotations = ContentAnnotations::new().audience([Role::User]).priority(7.0).last_modified("2026-01-01T00:00:00Z");
    let mut block = Content::text("x").annotations(annotations).meta("k", 1);
    let full = json!({
        "type": "text",
        "text": "x",
        "annotations": { "audience": ["user"], "priority": 1.0, "lastModified": "2026-01-01T00:00:00Z" },
        "_meta": { "k": 1 },
    });
    assert_eq!(serde_json::to_value(&block).expect("json"), full);
    block.make_old();
    let old = json!({ "type": "text", "text": "x", "annotations": { "audience": ["user"], "priority": 1.0 } });
    assert_eq!(serde_json::to_value(&block).expect("json"), old);
    let mut block = Content::from(EmbeddedResource::from(ResourceContents::text("a:b", "x").meta("k", 1)))
        .annotations(ContentAnnotations::new().last_modified("2026-01-01T00:00:00Z"));
    block.make_old();
    let old = json!({ "type": "resource", "resource": { "uri": "a:b", "text": "x" } });
    assert_eq!(serde_json::to_value(&block).expect("json"), old);
}
