//! Questions to the user and to the client, written once: what a function asks and is told, in every revision.

use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Client, Era};
use mcp_runtime::{AskError, Elicited, SamplingRequest};
use serde_json::{Value, json};

/// Those that have forms.
const ASKING: [Era; 3] = [Era::V2025_06_18, Era::V2025_11_25, Era::V2026_07_28];
const MODERN: Era = Era::V2026_07_28;

#[data]
struct Confirm {
    /// Anything to add?
    note: Option<String>,
}

/// Cancel an order.
#[tool]
async fn cancel(order: String, ctx: Context) -> Result<String, ToolError> {
    let answer = ctx.elicit::<Confirm>(format!("Cancel {order}?")).await?.accepted()?;
    Ok(format!("Cancelled {order}: {}", answer.note.as_deref().unwrap_or("-")))
}

/// Tell the three apart.
#[tool]
async fn which(ctx: Context) -> Result<&'static str, ToolError> {
    Ok(match ctx.elicit::<Confirm>("Well?").await? {
        Elicited::Accepted(_) => "yes",
        Elicited::Declined => "no",
        Elicited::Cancelled => "closed",
        _ => "something new",
    })
}

/// A letter about an order.
#[prompt]
async fn letter(order: String, ctx: Context) -> Result<String, ToolError> {
    let answer = ctx.elicit::<Confirm>(format!("What about {order}?")).await?.accepted()?;
    Ok(format!("Write about {order}: {}", answer.note.unwrap_or_default()))
}

/// An order with a note.
#[resource("orders://{id}")]
async fn order(id: u32, ctx: Context) -> Result<String, ResourceError> {
    let answer = ctx.elicit::<Confirm>(format!("Show {id}?")).await?.accepted()?;
    Ok(format!("{id}: {}", answer.note.unwrap_or_default()))
}

/// Sign in elsewhere.
#[tool]
async fn sign_in(ctx: Context) -> Result<&'static str, ToolError> {
    Ok(match ctx.elicit_url("Sign in.", "https://login.example/start").await? {
        Elicited::Accepted(()) => "opened",
        Elicited::Declined => "declined",
        _ => "closed",
    })
}

/// Have the client's model write.
#[tool]
async fn write(ctx: Context) -> Result<String, ToolError> {
    let request = SamplingRequest::new("Name a river.").system("Be short.").max_tokens(7).temperature(0.5);
    let request = request.stop_sequences(["."]).model_hint("small").message(Message::assistant("The "));
    let written = ctx.sample(request).await?;
    Ok(format!("{} by {} ({})", written.text(), written.model, written.stop_reason.as_deref().unwrap_or("?")))
}

/// A summary by the client's model.
#[prompt]
async fn summary(ctx: Context) -> Result<String, ToolError> {
    Ok(ctx.sample("Sum up.").await?.text())
}

/// The client's places.
#[resource("places://all")]
async fn places(ctx: Context) -> Result<String, ResourceError> {
    let roots = ctx.roots().await?;
    let roots = roots.iter().map(|root| format!("{}={}", root.name.as_deref().unwrap_or("?"), root.uri));
    Ok(roots.collect::<Vec<_>>().join(" "))
}

fn server() -> Server {
    let tools = [cancel::tool(), which::tool(), sign_in::tool(), write::tool(), order_pizza::tool(), several::tool()];
    let more = [spawned::tool(), spawned_step::tool(), lenient::tool(), late::tool(), wild::tool(), twice::tool(), links::tool()];
    let prompts = [letter::prompt(), summary::prompt()];
    let resources = [order::resource(), places::resource()];
    Server::new("questions", "0").only(tools.into_iter().chain(more)).only_prompts(prompts).only_resources(resources)
}

fn client(era: Era) -> Client {
    Client::new(&server()).era(era)
}

/// One that answers every question so.
fn answering(era: Era, answer: Value) -> Client {
    client(era).answering_with(move |_, _| answer.clone())
}

fn accept(content: Value) -> Value {
    let mut answer = json!({ "action": "accept" });
    answer["content"] = content;
    answer
}

// ---------------------------------------------------------------------------------------------- forms

#[tokio::test]
async fn tools_prompts_and_resources_ask_by_a_form() {
    for era in ASKING {
        let client = answering(era, accept(json!({ "note": "thanks" })));
        let answer = client.call("cancel", json!({ "order": "o-1" })).await;
        assert_eq!(answer.text(), "Cancelled o-1: thanks", "{era:?}");
        let [question] = answer.questions() else { panic!("{era:?}: {:?}", answer.questions()) };
        assert_eq!((&question["method"], &question["params"]["message"]), (&json!("elicitation/create"), &json!("Cancel o-1?")));
        let fields = json!({ "note": { "type": "string", "description": "Anything to add?" } });
        assert_eq!(question["params"]["requestedSchema"], json!({ "type": "object", "properties": fields }), "{era:?}");
        // ELIC-02: 2025-06-18 has no modes.
        let mode = if era == Era::V2025_06_18 { Value::Null } else { json!("form") };
        assert_eq!(question["params"]["mode"], mode, "{era:?}");
        let letter = client.prompt("letter", json!({ "order": "o-2" })).await;
        assert_eq!(letter.messages()[0]["content"]["text"], "Write about o-2: thanks", "{era:?}");
        let read = client.read("orders://3").await;
        assert_eq!(read.contents()[0]["text"], "3: thanks", "{era:?}");
    }
}

#[tokio::test]
async fn what_is_optional_may_be_left_out() {
    for era in ASKING {
        for content in [json!({}), json!({ "note": null })] {
            let answer = answering(era, accept(content.clone())).call("cancel", json!({ "order": "o-1" })).await;
            assert_eq!(answer.text(), "Cancelled o-1: -", "{era:?} {content}");
        }
        let answer = answering(era, json!({ "action": "accept" })).call("cancel", json!({ "order": "o-1" })).await;
        assert_eq!(answer.text(), "Cancelled o-1: -", "{era:?}: without content");
    }
}

#[tokio::test]
async fn a_no_and_a_closed_form_are_told_apart() {
    for era in ASKING {
        for (action, said, text) in
            [("decline", "no", "The user declined."), ("cancel", "closed", "The user closed the question without an answer.")]
        {
            // What comes with a no is not looked at.
            for answer in [json!({ "action": action }), json!({ "action": action, "content": { "note": 5 } })] {
                let client = answering(era, answer);
                assert_eq!(client.call("which", json!({})).await.text(), said, "{era:?}");
                let refused = client.call("cancel", json!({ "order": "o-1" })).await;
                assert!(refused.is_error(), "{era:?}");
                assert_eq!(refused.text(), text, "{era:?}");
                assert_eq!(client.prompt("letter", json!({ "order": "o" })).await.error_message(), text, "{era:?}");
                assert_eq!(client.read("orders://3").await.error_message(), text, "{era:?}");
            }
        }
    }
}

/// How fast?
#[data]
#[derive(Debug, Default)]
#[serde(rename_all = "lowercase")]
enum Speed {
    /// Within a day
    Fast,
    /// Some time
    #[default]
    Slow,
}

#[data]
#[derive(Debug)]
#[serde(rename_all = "lowercase")]
enum Topping {
    Olives,
    Capers,
    Garlic,
}

fn two() -> u8 {
    2
}

#[data]
struct Pizza {
    /// Who gets it?
    name: String,
    #[schemars(range(min = 1, max = 9))]
    #[serde(default = "two")]
    count: u8,
    #[serde(default)]
    speed: Speed,
    topping: Topping,
    #[serde(default)]
    sliced: bool,
    tip: Option<f64>,
}

/// Order a pizza.
#[tool]
async fn order_pizza(ctx: Context) -> Result<String, ToolError> {
    let Pizza { name, count, speed, topping, sliced, tip } = ctx.elicit("Which?").await?.accepted()?;
    Ok(format!("{name} {count} {speed:?} {topping:?} {sliced} {tip:?}"))
}

#[data]
struct Toppings {
    #[schemars(length(min = 1, max = 2))]
    toppings: Vec<Topping>,
}

/// Choose several.
#[tool]
async fn several(ctx: Context) -> Result<String, ToolError> {
    Ok(format!("{:?}", ctx.elicit::<Toppings>("Which?").await?.accepted()?.toppings))
}

#[tokio::test]
async fn answers_are_typed_and_defaults_fill_in() {
    for era in ASKING {
        for (content, told) in [
            (json!({ "name": "Ada", "topping": "capers" }), "Ada 2 Slow Capers false None"),
            (
                json!({ "name": "Ada", "topping": "garlic", "count": 3, "speed": "fast", "sliced": true, "tip": 1.5 }),
                "Ada 3 Fast Garlic true Some(1.5)",
            ),
            // Many clients have floats alone.
            (json!({ "name": "", "topping": "olives", "count": 4.0, "tip": 1 }), " 4 Slow Olives false Some(1.0)"),
        ] {
            let answer = answering(era, accept(content.clone())).call("order_pizza", json!({})).await;
            assert_eq!(answer.text(), told, "{era:?} {content}");
        }
    }
}

#[tokio::test]
async fn each_revision_is_shown_what_it_knows() {
    for era in ASKING {
        let answer = answering(era, accept(json!({ "name": "Ada", "topping": "capers" }))).call("order_pizza", json!({})).await;
        let schema = &answer.questions()[0]["params"]["requestedSchema"];
        assert_eq!(schema["required"], json!(["name", "topping"]), "{era:?}");
        assert!(schema.get("additionalProperties").is_none() && schema.get("$defs").is_none(), "{era:?}: {schema}");
        let fields = &schema["properties"];
        assert_eq!(fields["name"], json!({ "type": "string", "description": "Who gets it?" }), "{era:?}");
        assert_eq!(fields["topping"], json!({ "type": "string", "enum": ["olives", "capers", "garlic"] }), "{era:?}");
        assert_eq!(fields["sliced"], json!({ "type": "boolean", "default": false }), "{era:?}");
        let (mut count, mut speed) = (json!({ "type": "integer", "minimum": 1, "maximum": 9 }), fields["speed"].clone());
        speed.as_object_mut().expect("an object").remove("description");
        if era == Era::V2025_06_18 {
            // G-37: names of choices by `enumNames`, and defaults of yes-or-no fields alone.
            assert_eq!(fields["count"], count);
            assert_eq!(speed, json!({ "type": "string", "enum": ["fast", "slow"], "enumNames": ["Within a day", "Some time"] }));
        } else {
            count["default"] = json!(2);
            assert_eq!(fields["count"], count, "{era:?}");
            let choices = json!([{ "const": "fast", "title": "Within a day" }, { "const": "slow", "title": "Some time" }]);
            assert_eq!(speed, json!({ "type": "string", "oneOf": choices, "default": "slow" }), "{era:?}");
        }
    }
}

#[tokio::test]
async fn several_are_chosen_where_the_revision_can_show_it() {
    for era in [Era::V2025_11_25, MODERN] {
        let answer = answering(era, accept(json!({ "toppings": ["garlic", "olives"] }))).call("several", json!({})).await;
        assert_eq!(answer.text(), "[Garlic, Olives]", "{era:?}");
        let field = &answer.questions()[0]["params"]["requestedSchema"]["properties"]["toppings"];
        let items = json!({ "type": "string", "enum": ["olives", "capers", "garlic"] });
        assert_eq!(field, &json!({ "type": "array", "items": items, "minItems": 1, "maxItems": 2 }), "{era:?}");
    }
    let refused = answering(Era::V2025_06_18, accept(json!({}))).call("several", json!({})).await;
    assert!(refused.is_error() && refused.questions().is_empty(), "{:?}", refused.message());
    let told = "Nobody can be asked here: MCP 2025-06-18 has no field in which several are chosen, as `toppings` is";
    assert_eq!(refused.text(), told);
}

// ---------------------------------------------------------------------------------------------- answers that do not fit

fn misfits() -> Vec<Value> {
    let fitting = || json!({ "name": "Ada", "topping": "capers" });
    let with = |name: &str, value: Value| {
        let mut content = fitting();
        content[name] = value;
        accept(content)
    };
    vec![
        Value::Null,
        json!(5),
        json!("accept"),
        json!(true),
        json!([]),
        // A list is no object, however it is read.
        json!(["accept"]),
        json!(["accept", fitting()]),
        json!({}),
        json!({ "action": "yes" }),
        json!({ "action": 1 }),
        json!({ "action": null }),
        json!({ "action": ["accept"] }),
        json!({ "Action": "accept", "content": fitting() }),
        json!({ "content": fitting() }),
        json!({ "action": "accept" }),
        json!({ "action": "accept", "content": null }),
        accept(json!([])),
        accept(json!(["Ada", 2, "slow", "capers", false, null])),
        accept(json!("Ada")),
        accept(json!({ "name": "Ada" })),
        with("topping", json!("ham")),
        with("topping", json!(["capers"])),
        with("topping", Value::Null),
        with("name", json!(5)),
        with("count", json!(0)),
        with("count", json!(10)),
        with("count", json!(2.5)),
        with("count", json!("2")),
        with("sliced", json!("true")),
        with("tip", json!("much")),
        with("admin", json!(true)),
    ]
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_an_error_to_a_client_that_was_asked_live() {
    for era in [Era::V2025_06_18, Era::V2025_11_25] {
        for misfit in misfits() {
            let answer = answering(era, misfit.clone()).call("order_pizza", json!({})).await;
            assert!(answer.is_error(), "{era:?} {misfit}: {}", answer.text());
            assert!(answer.text().starts_with("The client's answer does not fit the question: "), "{misfit}: {}", answer.text());
            assert_eq!(answer.questions().len(), 1, "{era:?} {misfit}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_again_in_rounds() {
    for misfit in misfits() {
        let asked = AtomicUsize::new(0);
        let wrong = misfit.clone();
        let client = client(MODERN).answering_with(move |_, _| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => wrong.clone(),
            _ => accept(json!({ "name": "Bob", "topping": "garlic" })),
        });
        let answer = client.call("order_pizza", json!({})).await;
        assert_eq!(answer.text(), "Bob 2 Slow Garlic false None", "{misfit}");
        let [first, second] = answer.questions() else { panic!("{misfit}: {:?}", answer.questions()) };
        assert_eq!(first, second, "{misfit}: the same question");
    }
}

#[tokio::test]
async fn a_list_is_taken_for_no_answer_of_any_kind() {
    let root = json!([{ "uri": "file:///home", "name": "home" }]);
    let wrote = json!(["test", "endTurn", { "type": "text", "text": "Po" }]);
    for (tool, lists) in [
        ("sign_in", vec![json!(["accept"]), json!("accept"), Value::Null, json!({})]),
        ("write", vec![wrote, json!([]), Value::Null, json!({}), json!({ "content": "Po" }), json!({ "content": [{}] })]),
    ] {
        for list in lists {
            let answer = answering(Era::V2025_11_25, list.clone()).call(tool, json!({})).await;
            assert!(answer.is_error(), "{tool} {list}: {}", answer.text());
        }
    }
    for era in Era::ALL {
        for list in
            [json!([root]), root.clone(), json!({ "roots": {} }), json!({ "roots": [["file:///home", "home"]] }), Value::Null]
        {
            let asked = AtomicUsize::new(0);
            let wrong = list.clone();
            let client = client(era).answering_with(move |_, _| match asked.fetch_add(1, Ordering::Relaxed) {
                0 => wrong.clone(),
                _ => json!({ "roots": [] }),
            });
            let answer = client.read("places://all").await;
            if era.is_legacy() {
                assert!(answer.error_code().is_some(), "{era:?} {list}: {}", answer.message());
            } else {
                assert_eq!(answer.questions().len(), 2, "{list}");
            }
        }
    }
}

/// Ask for what no form can hold.
#[tool]
async fn wild(ctx: Context) -> String {
    #[data]
    struct Nested {
        inner: Confirm,
    }
    match ctx.elicit::<Nested>("Well?").await {
        Ok(_) => "asked".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn what_is_no_form_is_not_asked() {
    for era in ASKING {
        let answer = answering(era, accept(json!({ "inner": {} }))).call("wild", json!({})).await;
        assert!(answer.text().starts_with("this can not be asked: the form has faults: its field `inner` "), "{}", answer.text());
        assert!(answer.questions().is_empty(), "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- links

#[tokio::test]
async fn a_link_is_opened_declined_or_closed() {
    for era in [Era::V2025_11_25, MODERN] {
        for (action, told) in [("accept", "opened"), ("decline", "declined"), ("cancel", "closed")] {
            let answer = answering(era, json!({ "action": action })).call("sign_in", json!({})).await;
            assert_eq!(answer.text(), told, "{era:?}");
            let [question] = answer.questions() else { panic!("{era:?}: {:?}", answer.questions()) };
            let mut params = question["params"].clone();
            // ELIC-05: 2025-11-25 has ids, 2026-07-28 must not.
            let id = params.as_object_mut().expect("an object").remove("elicitationId");
            assert_eq!(id.is_some(), era == Era::V2025_11_25, "{era:?}");
            assert!(id.is_none_or(|id| id.as_str().is_some_and(|id| id.len() == 32)), "{era:?}");
            let expected = json!({ "mode": "url", "message": "Sign in.", "url": "https://login.example/start" });
            assert_eq!(params, expected, "{era:?}");
        }
    }
}

#[tokio::test]
async fn two_calls_have_two_elicitation_ids() {
    let client = answering(Era::V2025_11_25, json!({ "action": "accept" }));
    let id = |answer: &Answer| answer.questions()[0]["params"]["elicitationId"].clone();
    let (one, two) = (client.call("sign_in", json!({})).await, client.call("sign_in", json!({})).await);
    assert_ne!(id(&one), id(&two));
}

/// Try links.
#[tool]
async fn links(url: String, ctx: Context) -> String {
    match ctx.elicit_url("Go?", url).await {
        Ok(_) => "asked".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_link_is_https_or_of_this_machine_and_carries_no_credentials() {
    let client = answering(MODERN, json!({ "action": "accept" }));
    for (url, good) in [
        ("https://example.com/x?y=1", true),
        ("http://localhost:8000/x", true),
        ("http://127.0.0.1/x", true),
        ("http://[::1]:1/x", true),
        ("http://example.com/", false),
        ("http://localhost.example.com/", false),
        ("http://localhost@example.com/", false),
        ("https://user:secret@example.com/", false),
        ("https://user@example.com/", false),
        ("javascript:alert(1)", false),
        ("file:///etc/passwd", false),
        ("data:text/html,x", false),
        ("//example.com/", false),
        ("https:///x", false),
        ("/x", false),
        ("", false),
        ("https://example.com/a b", false),
        ("https://example.com/\nx", false),
    ] {
        let answer = client.call("links", json!({ "url": url })).await;
        assert_eq!(answer.text() == "asked", good, "{url}: {}", answer.text());
        assert_eq!(answer.questions().len(), usize::from(good), "{url}");
        assert!(good || answer.text().starts_with("this can not be asked: the URL "), "{url}: {}", answer.text());
    }
}

// ---------------------------------------------------------------------------------------------- samples and roots

#[tokio::test]
async fn the_clients_model_writes() {
    let block = |text: &str| json!({ "type": "text", "text": text });
    for era in Era::ALL {
        let answered = |content: Value| {
            let answer = json!({ "role": "assistant", "model": "m-1", "stopReason": "endTurn", "content": content });
            answering(era, answer)
        };
        let answer = answered(block("Po")).call("write", json!({})).await;
        assert_eq!(answer.text(), "Po by m-1 (endTurn)", "{era:?}");
        let [question] = answer.questions() else { panic!("{era:?}: {:?}", answer.questions()) };
        let expected = json!({
            "messages": [
                { "role": "user", "content": { "type": "text", "text": "Name a river." } },
                { "role": "assistant", "content": { "type": "text", "text": "The " } },
            ],
            "systemPrompt": "Be short.",
            "maxTokens": 7,
            "temperature": 0.5,
            "stopSequences": ["."],
            "modelPreferences": { "hints": [{ "name": "small" }] },
        });
        assert_eq!((&question["method"], &question["params"]), (&json!("sampling/createMessage"), &expected), "{era:?}");
        // SAMP-06: one block or several.
        let several = json!([block("Po"), { "type": "image", "data": "", "mimeType": "image/png" }, block("Oder")]);
        assert_eq!(answered(several).call("write", json!({})).await.text(), "Po\nOder by m-1 (endTurn)", "{era:?}");
        let prompt = answered(block("Much.")).prompt("summary", json!({})).await;
        assert_eq!(prompt.messages()[0]["content"]["text"], "Much.", "{era:?}");
    }
}

#[tokio::test]
async fn the_client_names_its_roots() {
    for era in Era::ALL {
        let roots = json!({ "roots": [{ "uri": "file:///home", "name": "home" }, { "uri": "file:///tmp", "_meta": {} }] });
        let answer = answering(era, roots).read("places://all").await;
        assert_eq!(answer.contents()[0]["text"], "home=file:///home ?=file:///tmp", "{era:?}");
        assert_eq!(answer.questions()[0]["method"], "roots/list", "{era:?}");
        let none = answering(era, json!({ "roots": [] })).read("places://all").await;
        assert_eq!(none.contents()[0]["text"], "", "{era:?}");
        if era.is_legacy() {
            // ROOT-02: a root is a file URI.
            let other = answering(era, json!({ "roots": [{ "uri": "https://example.com/" }] })).read("places://all").await;
            assert_eq!(other.error_code(), Some(-32603), "{era:?}: {}", other.message());
        }
    }
}

// ---------------------------------------------------------------------------------------------- who can not be asked

#[tokio::test]
async fn a_client_that_did_not_declare_it_is_not_asked() {
    let form = "elicitation by form";
    for (era, tool, declared, lacks, required) in [
        (MODERN, "which", json!({}), form, json!({ "elicitation": { "form": {} } })),
        (MODERN, "which", json!({ "elicitation": { "url": {} } }), form, json!({ "elicitation": { "form": {} } })),
        (MODERN, "sign_in", json!({ "elicitation": {} }), "elicitation by URL", json!({ "elicitation": { "url": {} } })),
        (MODERN, "write", json!({ "elicitation": {}, "roots": {} }), "sampling", json!({ "sampling": {} })),
        (Era::V2025_11_25, "which", json!({ "elicitation": { "url": {} } }), form, Value::Null),
        (Era::V2025_11_25, "sign_in", json!({ "elicitation": {} }), "elicitation by URL", Value::Null),
        // There are no links before 2025-11-25, and no forms before 2025-06-18, whatever a client says.
        (Era::V2025_06_18, "sign_in", json!({ "elicitation": { "url": {} } }), "elicitation by URL", Value::Null),
        (Era::V2025_03_26, "which", json!({ "elicitation": {} }), form, Value::Null),
        (Era::V2025_03_26, "several", json!({ "elicitation": {} }), form, Value::Null),
        (Era::V2025_03_26, "write", json!({}), "sampling", Value::Null),
    ] {
        let answering = client(era).answering_with(|_, _| json!({ "action": "accept" })).capabilities(declared.clone());
        let answer = answering.call(tool, json!({})).await;
        assert!(answer.questions().is_empty(), "{era:?} {tool} {declared}");
        if era.is_legacy() {
            assert_eq!(answer.text(), format!("The client can not do what this tool needs: {lacks}."), "{era:?} {tool}");
            assert!(answer.is_error());
        } else {
            assert_eq!((answer.status(), answer.error_code()), (400, Some(-32021)), "{tool} {declared}");
            assert_eq!(answer.message()["error"]["data"]["requiredCapabilities"], required, "{tool}");
        }
    }
    for era in Era::ALL {
        let (read, got) = (client(era).read("orders://3").await, client(era).prompt("letter", json!({ "order": "o" })).await);
        let expected = if era.is_legacy() { (200, Some(-32603)) } else { (400, Some(-32021)) };
        assert_eq!((read.status(), read.error_code()), expected, "{era:?}");
        assert_eq!((got.status(), got.error_code()), expected, "{era:?}");
    }
}

/// Go on without an answer.
#[tool]
async fn lenient(ctx: Context) -> Result<String, ToolError> {
    match ctx.elicit::<Confirm>("Well?").await {
        Err(AskError::Unsupported(capability)) => Ok(format!("without {capability}")),
        other => Ok(format!("{:?}", other?.accepted()?.note)),
    }
}

#[tokio::test]
async fn a_function_may_go_on_without() {
    for era in Era::ALL {
        let answer = client(era).call("lenient", json!({})).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "without elicitation by form"), "{era:?}");
        assert!(!answer.is_error());
    }
}

/// Report, then ask.
#[tool]
async fn late(ctx: Context) -> Result<&'static str, ToolError> {
    ctx.progress(1.0, 2.0, "half");
    tokio::task::yield_now().await;
    ctx.elicit::<Confirm>("Well?").await?;
    Ok("asked")
}

#[tokio::test]
async fn once_the_head_is_sent_the_model_is_told() {
    for era in Era::ALL {
        let answer = client(era).progress().call("late", json!({})).await;
        assert_eq!(answer.progress().len(), 1, "{era:?}");
        assert_eq!((answer.status(), answer.is_error()), (200, true), "{era:?}: {}", answer.message());
        assert_eq!(answer.text(), "The client can not do what this tool needs: elicitation by form.", "{era:?}");
    }
    for era in ASKING {
        let answer = answering(era, accept(json!({}))).progress().call("late", json!({})).await;
        assert_eq!(answer.text(), "asked", "{era:?}");
    }
}

/// Have a task of its own ask.
#[tool]
async fn spawned(ctx: Context) -> String {
    let theirs = ctx.clone();
    let form = tokio::spawn(async move { theirs.elicit::<Confirm>("Well?").await.map(|_| ()) });
    let sample = tokio::spawn(async move { ctx.sample("Well?").await.map(|_| ()) });
    let [form, sample] = [form.await, sample.await].map(|ended| match ended.expect("no panic") {
        Ok(()) => "answered".to_owned(),
        Err(error) => error.to_string(),
    });
    assert_eq!(form, sample);
    form
}

/// Have a task of its own do a step.
#[tool]
async fn spawned_step(ctx: Context) -> String {
    let step = tokio::spawn(async move { ctx.step("work", async || Ok::<_, ToolError>(1)).await });
    step.await.expect("no panic").map_or_else(|error| error.to_string(), |value| value.to_string())
}

#[tokio::test]
async fn a_spawned_task_can_not_ask_and_is_told_so() {
    for era in ASKING {
        let client = answering(era, accept(json!({})));
        let asked = client.call("spawned", json!({})).await;
        let told =
            "only the function itself can ask, not a step of it, nor a task that it spawned: ask there, and hand the answer over";
        assert_eq!(asked.text(), format!("Nobody can be asked here: {told}"), "{era:?}");
        assert!(asked.questions().is_empty(), "{era:?}");
        let step = client.call("spawned_step", json!({})).await;
        assert_eq!(
            step.text(),
            "a step belongs to the function itself, not to another step, nor to a task that it spawned",
            "{era:?}"
        );
    }
}

#[tokio::test]
async fn outside_of_any_server_nobody_is_asked() {
    let error = which(Context::detached()).await.expect_err("nobody is there");
    assert!(error.to_string().starts_with("Nobody can be asked here: "), "{error}");
}

// ---------------------------------------------------------------------------------------------- the same twice

/// Ask the same twice.
#[tool]
async fn twice(ctx: Context) -> Result<String, ToolError> {
    let first = ctx.elicit::<Confirm>("Name one.").await?.accepted()?.note;
    let (second, third) = tokio::try_join!(ctx.elicit::<Confirm>("Name one."), ctx.elicit::<Confirm>("Name one."))?;
    let all = [first, second.accepted()?.note, third.accepted()?.note];
    Ok(all.map(Option::unwrap_or_default).join(" "))
}

#[tokio::test]
async fn the_same_question_is_answered_as_often_as_it_is_asked() {
    for era in ASKING {
        let asked = AtomicUsize::new(0);
        let next = move |_: &str, _: &Value| accept(json!({ "note": asked.fetch_add(1, Ordering::Relaxed).to_string() }));
        let answer = client(era).answering_with(next).call("twice", json!({})).await;
        let mut told: Vec<_> = answer.text().split(' ').map(str::to_owned).collect();
        assert_eq!(told[0], "0", "{era:?}");
        told.sort();
        assert_eq!((told, answer.questions().len()), (vec!["0".to_owned(), "1".to_owned(), "2".to_owned()], 3), "{era:?}");
    }
}
