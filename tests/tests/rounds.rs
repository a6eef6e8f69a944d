//! Multi round-trip requests on the wire (MCP 2026-07-28): what a round asks, what the next one may answer, and what becomes of a
//! `requestState` that somebody changed, kept, or carried elsewhere.

mod http_call;
mod round_trip;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use http_call::{Answer, HttpCall, messages, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use mcp_runtime::{AskError, Elicited, Question};
use round_trip::{ALPHABET, accept, again, answered, asked, bytes_of, messages_asked, prompt, read, state, tool};
use serde_json::{Value, json};

const ADA: &str = "ada-0123456789abcdefgh";
const BOB: &str = "bob-0123456789abcdefgh";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
const URL: &str = "https://mcp.example.com/mcp";

/// How often functions ran, and what the test has them ask.
#[derive(Default)]
struct Facts {
    runs: AtomicUsize,
    wording: Mutex<String>,
}

impl Facts {
    fn say(&self, wording: &str) {
        wording.clone_into(&mut self.wording.lock().expect("no panic"));
    }

    fn said(&self) -> String {
        self.wording.lock().expect("no panic").clone()
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

#[data]
struct Named {
    name: String,
}

#[data]
struct Confirm {}

#[data]
struct Consent {
    sure: bool,
}

type Asks = Question<Elicited<Named>>;

/// What was filled in.
fn name(answer: Elicited<Named>) -> Result<String, ToolError> {
    Ok(answer.accepted()?.name)
}

/// One question.
#[tool(requires(elicitation))]
async fn one(order: Option<String>, facts: State<Facts>, ctx: Context) -> Result<String, ToolError> {
    facts.runs.fetch_add(1, Ordering::SeqCst);
    let name = name(ctx.elicit("Who?").named("who").await?)?;
    Ok(format!("{name} {}", order.unwrap_or_default()))
}

/// As `one`, elsewhere.
#[tool]
async fn other(order: Option<String>, ctx: Context) -> Result<String, ToolError> {
    Ok(format!("{} {order:?}", name(ctx.elicit("Who?").named("who").await?)?))
}

/// Asks nothing, and can not.
#[tool]
fn plain(order: Option<String>, facts: State<Facts>) -> String {
    facts.runs.fetch_add(1, Ordering::SeqCst);
    order.unwrap_or_default()
}

/// Could ask, and does not.
#[tool]
async fn silent(order: Option<String>, facts: State<Facts>, ctx: Context) -> String {
    facts.runs.fetch_add(1, Ordering::SeqCst);
    format!("{} {}", ctx.tool_name(), order.unwrap_or_default())
}

/// Three questions, one after the other.
#[tool]
async fn three(ctx: Context) -> Result<String, ToolError> {
    let a = name(ctx.elicit("First?").named("a").await?)?;
    let b = name(ctx.elicit("Second?").named("b").await?)?;
    let c = name(ctx.elicit("Third?").named("c").await?)?;
    Ok([a, b, c].join(" "))
}

/// Three questions of one name, one after the other.
#[tool]
async fn namesakes(ctx: Context) -> Result<String, ToolError> {
    let mut names = Vec::new();
    for message in ["First?", "Second?", "Third?", "Fourth?"] {
        names.push(name(ctx.elicit(message).named("it").await?)?);
    }
    Ok(names.join(" "))
}

/// Three questions at once, then one more.
#[tool]
async fn together(ctx: Context) -> Result<String, ToolError> {
    let form: Asks = ctx.elicit("Who?");
    let (who, roots, text) = tokio::try_join!(form.named("who"), ctx.roots().named("where"), ctx.sample("What?").named("what"))?;
    ctx.elicit::<Confirm>("Sure?").named("sure").await?.accepted()?;
    Ok(format!("{} {} {}", name(who)?, roots.len(), text.text()))
}

/// Asks in the words of the moment, or in another way.
#[tool]
async fn shifting(facts: State<Facts>, ctx: Context) -> Result<String, ToolError> {
    let said = facts.said();
    let message = said.split_once(' ').map_or("Pay 1?", |(_, message)| message).to_owned();
    if said.starts_with("url") {
        ctx.elicit_url(message, "https://pay.example/").named("pay").await?.accepted()?;
    } else if said.starts_with("schema") {
        ctx.elicit::<Consent>(message.clone()).named("pay").await?.accepted()?;
    } else {
        ctx.elicit::<Confirm>(message.clone()).named("pay").await?.accepted()?;
    }
    Ok("paid".to_owned())
}

/// Asks without an end.
#[tool]
async fn endless(ctx: Context) -> Result<String, ToolError> {
    for number in 0.. {
        ctx.elicit::<Confirm>(format!("{number}?")).await?.accepted()?;
    }
    Ok("the end".to_owned())
}

/// Asks so much at once, so often.
#[tool]
async fn crowd(at_once: usize, times: usize, ctx: Context) -> Result<usize, ToolError> {
    let mut accepted = 0;
    for _ in 0..times {
        let mut questions: Vec<_> = (0..at_once).map(|_| (ctx.elicit::<Confirm>("Well?"), None)).collect();
        let all = poll_fn(|cx| {
            for (question, answer) in questions.iter_mut().filter(|(_, answer)| answer.is_none()) {
                if let Poll::Ready(ready) = Pin::new(question).poll(cx) {
                    *answer = Some(ready.map_err(|error| matches!(error, AskError::TooMany(_)).then(|| error.to_string())));
                }
            }
            let failed = questions.iter().find_map(|(_, answer)| answer.as_ref()?.as_ref().err().cloned());
            match failed {
                Some(error) => Poll::Ready(Err(ToolError::user(error.unwrap_or_default()))),
                None if questions.iter().all(|(_, answer)| answer.is_some()) => Poll::Ready(Ok(())),
                None => Poll::Pending,
            }
        });
        all.await?;
        accepted += at_once;
    }
    Ok(accepted)
}

/// Reports, then asks.
#[tool]
async fn reporting(ctx: Context) -> Result<String, ToolError> {
    ctx.progress(1.0, 2.0, "half");
    tokio::task::yield_now().await;
    name(ctx.elicit("Who?").await?)
}

/// Knows a secret.
#[tool]
async fn secretive(ctx: Context) -> Result<String, ToolError> {
    let secret = ctx.step("secret", async || Ok::<_, ToolError>("step-5ecret".to_owned())).await?;
    let first = name(ctx.elicit("First?").await?)?;
    let second = name(ctx.elicit("Second?").await?)?;
    Ok(format!("{secret} {first} {second}"))
}

/// Takes numbers that no float can hold.
#[tool]
async fn exact(amount: Value, ctx: Context) -> Result<String, ToolError> {
    ctx.elicit::<Confirm>("Pay?").await?.accepted()?;
    Ok(amount.to_string())
}

/// Sums up by the client's model.
#[prompt]
async fn greeting(order: Option<String>, ctx: Context) -> Result<String, ToolError> {
    Ok(format!("{} {order:?}", name(ctx.elicit("Who?").named("who").await?)?))
}

/// A page, by whom it is for.
#[resource("pages://{page}", cache(public, ttl = "1h"))]
async fn page(page: String, ctx: Context) -> Result<String, ResourceError> {
    if page == "free" {
        return Ok(page);
    }
    Ok(format!("{page} for {}", name(ctx.elicit("Who?").named("who").await?)?))
}

fn bare() -> Server {
    let tools = [one::tool(), other::tool(), plain::tool(), silent::tool(), three::tool(), namesakes::tool(), together::tool()];
    let more = [shifting::tool(), endless::tool(), crowd::tool(), reporting::tool(), secretive::tool(), exact::tool()];
    let server = Server::new("rounds", "0").only(tools.into_iter().chain(more));
    server.only_prompts([greeting::prompt()]).only_resources([page::resource()]).state(Facts::default()).allow_anonymous()
}

fn bare_with(facts: &Arc<Facts>) -> Server {
    bare().shared_state(Arc::clone(facts))
}

fn served() -> Router {
    router(bare())
}

fn ada() -> Value {
    accept(json!({ "name": "Ada" }))
}

fn yes() -> Value {
    accept(json!({}))
}

async fn all_answered(router: &Router, call: HttpCall, answer: Value) -> (usize, Answer) {
    let mut last = call.clone().send(router).await;
    let mut rounds = 0;
    while last.json()["result"]["resultType"] == "input_required" {
        rounds += 1;
        last = answered(&call, &last, &answer).send(router).await;
    }
    (rounds, last)
}

#[track_caller]
fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.outcome(), (200, Some(-32602)), "{what}: {}", answer.shown());
    assert_eq!(
        answer.message(),
        "requestState was refused: it was changed, has expired, or belongs to another call; begin anew without it",
        "{what}"
    );
}

// ---------------------------------------------------------------------------------------------- rounds

#[tokio::test]
async fn a_question_is_the_answer_and_the_call_is_made_again() {
    let router = served();
    for (call, expected) in [
        (tool("one", json!({ "order": "o-1" })), "Ada o-1"),
        (prompt("greeting", json!({ "order": "o-1" })), "Ada Some(\"o-1\")"),
        (read("pages://one"), "one for Ada"),
    ] {
        for accepts in ["application/json, text/event-stream", "application/json"] {
            let call = call.clone().header("accept", accepts);
            let first = call.clone().send(&router).await;
            assert_eq!(first.header("content-type"), Some("application/json"));
            assert_eq!(first.json()["id"], 7);
            let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
            let params = json!({ "mode": "form", "message": "Who?", "requestedSchema": schema });
            let questions = asked(&first);
            assert_eq!(Value::from(questions), json!({ "who": { "method": "elicitation/create", "params": params } }));
            let second = again(&call, state(&first), json!({ "who": ada() })).send(&router).await;
            assert_eq!((second.status, &second.json()["id"]), (200, &json!("again")), "{}", second.shown());
            assert!(second.shown().contains(&expected.replace('"', "\\\"")), "{}", second.shown());
            assert_eq!(second.json()["result"]["resultType"], "complete");
            assert!(second.json()["result"].get("requestState").is_none());
        }
    }
}

#[tokio::test]
async fn fields_are_asked_for_in_their_order() {
    #[data]
    struct Ordered {
        zip: String,
        city: String,
        apartment: Option<String>,
    }

    /// Ask in order.
    #[tool]
    async fn address(ctx: Context) -> Result<String, ToolError> {
        Ok(ctx.elicit::<Ordered>("Where?").await?.accepted()?.city)
    }

    let router = router(Server::new("ordered", "0").only([address::tool()]).allow_anonymous());
    let shown = tool("address", json!({})).send(&router).await.shown();
    let place = |name: &str| shown.find(&format!("\"{name}\":{{")).unwrap_or_else(|| panic!("no {name} in {shown}"));
    assert!(place("zip") < place("city") && place("city") < place("apartment"), "{shown}");
}

#[tokio::test]
async fn what_is_joined_is_asked_together_in_one_round() {
    let router = served();
    let call = tool("together", json!({}));
    let first = call.clone().send(&router).await;
    let questions = asked(&first);
    let methods: Vec<_> = questions.iter().map(|(key, question)| (key.as_str(), question["method"].clone())).collect();
    let elicit = json!("elicitation/create");
    let expected = [("what", json!("sampling/createMessage")), ("where", json!("roots/list")), ("who", elicit.clone())];
    assert_eq!(methods, expected);
    // MRTR-11: what is missing is asked again, and only that; the answers so far stay.
    let text = json!({ "role": "assistant", "model": "m", "content": { "type": "text", "text": "rivers" } });
    let second = again(&call, state(&first), json!({ "what": text, "unknown": ada(), "sure": yes() })).send(&router).await;
    assert_eq!(asked(&second).keys().collect::<Vec<_>>(), ["where", "who"]);
    let third = again(&call, state(&second), json!({ "who": ada(), "where": { "roots": [] } })).send(&router).await;
    assert_eq!(asked(&third).keys().collect::<Vec<_>>(), ["sure"], "and what was not asked yet could not be answered");
    let fourth = again(&call, state(&third), json!({ "sure": yes() })).send(&router).await;
    assert_eq!(fourth.tool_text(), "Ada 0 rivers");
}

#[tokio::test]
async fn old_answers_are_not_sent_again_and_new_ones_not_before() {
    let router = served();
    let call = tool("three", json!({}));
    let named = |name: &str| accept(json!({ "name": name }));
    // Alone, and with everything that the client ever knew.
    for hoards in [false, true] {
        let mut last = call.clone().send(&router).await;
        let mut known = json!({ "b": named("early"), "c": named("early") });
        for (key, message) in [("a", "First?"), ("b", "Second?"), ("c", "Third?")] {
            assert_eq!(messages_asked(&last), [(key.to_owned(), message.to_owned())]);
            known[key] = named(key);
            let responses = if hoards { known.clone() } else { json!({ key: named(key) }) };
            last = again(&call, state(&last), responses).send(&router).await;
            // An answer that was used is not changed by a later one.
            known[key] = named("changed");
        }
        assert_eq!(last.tool_text(), "a b c", "{hoards}");
    }
}

#[tokio::test]
async fn a_key_is_never_that_of_another_question() {
    let router = served();
    let call = tool("namesakes", json!({}));
    let mut last = call.clone().send(&router).await;
    let mut keys = Vec::new();
    for message in ["First?", "Second?", "Third?", "Fourth?"] {
        let (key, said) = messages_asked(&last).remove(0);
        assert_eq!(said, message);
        // A client that sends all that it ever answered answers nothing by it.
        let stale: serde_json::Map<_, _> = keys.iter().map(|key: &String| (key.clone(), ada())).collect();
        last = again(&call, state(&last), stale.into()).send(&router).await;
        assert_eq!(messages_asked(&last), [(key.clone(), said)]);
        last = again(&call, state(&last), json!({ key.as_str(): ada() })).send(&router).await;
        keys.push(key);
    }
    assert_eq!(last.tool_text(), "Ada Ada Ada Ada");
    assert_eq!(keys, ["it", "it-2", "it-3", "it-4"]);
}

#[tokio::test]
async fn a_question_that_changed_is_asked_again_and_an_old_yes_is_not_its_answer() {
    for change in ["form Pay 1000?", "form pay 1?", "url Pay 1?", "schema Pay 1?"] {
        let facts = Arc::new(Facts::default());
        let router = router(bare_with(&facts));
        let call = tool("shifting", json!({}));
        facts.say("form Pay 1?");
        let first = call.clone().send(&router).await;
        assert_eq!(messages_asked(&first), [("pay".to_owned(), "Pay 1?".to_owned())]);
        facts.say(change);
        // As often as it is said.
        for _ in 0..2 {
            let second = again(&call, state(&first), json!({ "pay": yes(), "pay-2": yes() })).send(&router).await;
            let questions = asked(&second);
            let [(key, question)] = questions.iter().collect::<Vec<_>>()[..] else { panic!("{change}: {questions:?}") };
            assert_eq!(key, "pay-2", "{change}: another question has another key");
            assert_ne!(question, &asked(&first)["pay"], "{change}");
            let stale = again(&call, state(&second), json!({ "pay": yes() })).send(&router).await;
            assert_eq!(asked(&stale).keys().collect::<Vec<_>>(), ["pay-2"], "{change}: still open");
            let sure = if change.starts_with("schema") { accept(json!({ "sure": true })) } else { yes() };
            let third = again(&call, state(&stale), json!({ "pay-2": sure })).send(&router).await;
            assert_eq!(third.tool_text(), "paid", "{change}");
        }
        facts.say("form Pay 1?");
        let same = again(&call, state(&first), json!({ "pay": yes() })).send(&router).await;
        assert_eq!(same.tool_text(), "paid", "{change}: an unchanged one is answered");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_asked_again() {
    let router = served();
    let call = tool("one", json!({}));
    let first = call.clone().send(&router).await;
    let named = accept(json!({ "name": "Ada" }));
    for responses in [
        Value::Null,
        json!({}),
        json!({ "who": null }),
        json!({ "who": 5 }),
        json!({ "who": "accept" }),
        json!({ "who": ["accept", { "name": "Ada" }] }),
        json!({ "who": {} }),
        json!({ "who": { "result": named } }),
        json!({ "who": { "action": "accept" } }),
        json!({ "who": accept(json!({ "name": 5 })) }),
        json!({ "who": accept(json!({ "name": "Ada", "admin": true })) }),
        json!({ "Who": named, "who ": named, "q": named, "": named }),
    ] {
        let again = again(&call, state(&first), responses.clone()).send(&router).await;
        assert_eq!(messages_asked(&again), [("who".to_owned(), "Who?".to_owned())], "{responses}");
    }
    for responses in [json!([]), json!([named]), json!(5), json!("who"), json!(true)] {
        let refused = again(&call, state(&first), responses.clone()).send(&router).await;
        assert_eq!(refused.outcome(), (200, Some(-32602)), "{responses}: {}", refused.shown());
        assert!(refused.message().starts_with("params.inputResponses must be an object"), "{}", refused.message());
    }
    // Without the state nothing was asked, and nothing is answered.
    for responses in [json!({ "who": named }), json!({}), Value::Null] {
        let unasked = call.clone().edit(|message| message["params"]["inputResponses"] = responses).send(&router).await;
        assert_eq!(asked(&unasked).keys().collect::<Vec<_>>(), ["who"]);
    }
}

#[tokio::test]
async fn no_request_ever_goes_out_on_a_stream() {
    let router = served();
    let call = tool("reporting", json!({})).meta("progressToken", json!("p"));
    let first = call.clone().send(&router).await;
    assert_eq!(first.header("content-type"), Some("text/event-stream"));
    let sent = messages(std::str::from_utf8(&first.body).expect("text"));
    let [progress, last] = &sent[..] else { panic!("{sent:?}") };
    // MRTR-01, MRTR-14: the questions are the answer, and the last message.
    assert_eq!((&progress["method"], progress.get("id")), (&json!("notifications/progress"), None));
    assert_eq!((&last["id"], &last["result"]["resultType"], last.get("method")), (&json!(7), &json!("input_required"), None));
    let questions = last["result"]["inputRequests"].as_object().expect("questions");
    let responses: serde_json::Map<_, _> = questions.keys().map(|key| (key.clone(), ada())).collect();
    let second = again(&call, last["result"]["requestState"].clone(), responses.into()).send(&router).await;
    let sent = messages(std::str::from_utf8(&second.body).expect("text"));
    assert_eq!(sent.last().expect("an answer")["result"]["content"][0]["text"], "Ada");
}

#[tokio::test]
async fn a_response_by_post_answers_nothing() {
    let router = served();
    let first = tool("one", json!({})).send(&router).await;
    let key = asked(&first).keys().next().expect("a question").clone();
    let message = json!({ "jsonrpc": "2.0", "id": key, "result": ada() });
    let posted = tool("one", json!({})).body(message.to_string()).send(&router).await;
    assert_eq!(posted.outcome(), (400, Some(-32600)), "{}", posted.shown());
}

#[tokio::test]
async fn a_client_that_can_not_be_asked_is_refused_before_anything_runs() {
    let facts = Arc::new(Facts::default());
    let router = router(bare_with(&facts));
    let refused = HttpCall::tool("one", json!({})).send(&router).await;
    assert_eq!((refused.outcome(), facts.runs()), ((400, Some(-32021)), 0), "{}", refused.shown());
    let required = &refused.json()["error"]["data"]["requiredCapabilities"];
    assert_eq!(required, &json!({ "elicitation": { "form": {} } }));
    // META-08: each request declares for itself.
    let call = tool("one", json!({}));
    let first = call.clone().send(&router).await;
    let less = answered(&call, &first, &ada()).meta(http_call::CAPABILITIES_KEY, json!({})).send(&router).await;
    assert_eq!((less.outcome(), facts.runs()), ((400, Some(-32021)), 1), "{}", less.shown());
    assert_eq!(answered(&call, &first, &ada()).send(&router).await.tool_text(), "Ada ");
}

#[tokio::test]
async fn what_answers_made_is_not_kept_by_caches() {
    let router = served();
    let free = read("pages://free").send(&router).await.json()["result"].take();
    assert_eq!((&free["ttlMs"], &free["cacheScope"]), (&json!(3_600_000), &json!("public")));
    let call = read("pages://one");
    let first = call.clone().send(&router).await;
    let told = answered(&call, &first, &ada()).send(&router).await.json()["result"].take();
    assert_eq!(told["contents"][0]["text"], "one for Ada");
    assert_eq!((&told["ttlMs"], &told["cacheScope"]), (&json!(0), &json!("private")));
}

// ---------------------------------------------------------------------------------------------- bounds

#[tokio::test]
async fn rounds_have_an_end() {
    let (rounds, last) = all_answered(&served(), tool("endless", json!({})), yes()).await;
    assert_eq!(rounds, 50);
    assert!(last.is_tool_error(), "{}", last.shown());
    assert_eq!(last.tool_text(), "The call asked more than 50 rounds of questions.");
}

#[tokio::test]
async fn so_many_questions_are_open_at_once_and_asked_in_all() {
    let router = served();
    let crowd = |at_once: usize, times: usize| tool("crowd", json!({ "at_once": at_once, "times": times }));
    let (rounds, last) = all_answered(&router, crowd(32, 8), yes()).await;
    assert_eq!((rounds, last.tool_text().as_str()), (8, "256"));
    let (rounds, last) = all_answered(&router, crowd(33, 1), yes()).await;
    assert_eq!((rounds, last.tool_text().as_str()), (0, "at most 32 questions may be open at the same time"));
    let (rounds, last) = all_answered(&router, crowd(32, 9), yes()).await;
    assert_eq!((rounds, last.tool_text().as_str()), (8, "a call asks at most 256 questions"));
    let client = Client::new(&bare()).era(Era::V2025_11_25).answering(json!({}));
    assert_eq!(client.call("crowd", json!({ "at_once": 1, "times": 256 })).await.text(), "256");
    let last = client.call("crowd", json!({ "at_once": 1, "times": 257 })).await;
    assert_eq!(last.text(), "a call asks at most 256 questions");
    let last = client.call("crowd", json!({ "at_once": 33, "times": 1 })).await;
    assert_eq!(last.text(), "at most 32 questions may be open at the same time");
}

#[tokio::test]
async fn what_travels_is_bounded() {
    let router = router(bare().max_round_bytes(1000));
    let long = accept(json!({ "name": "x".repeat(1000) }));
    let call = tool("three", json!({}));
    let first = call.clone().send(&router).await;
    let refused = answered(&call, &first, &long).send(&router).await;
    assert!(refused.is_tool_error(), "{}", refused.shown());
    let text = refused.tool_text();
    assert!(
        text.starts_with("The answers and steps of this call have 1") && text.contains(" more than the 1000 that "),
        "{text}"
    );
    // What need not travel on has room.
    let call = tool("one", json!({}));
    let first = call.clone().send(&router).await;
    assert!(answered(&call, &first, &long).send(&router).await.tool_text().starts_with("xxx"));
    // Neither is a long state read.
    assert_refused(&again(&call, "A".repeat(900_000), json!({})).send(&router).await, "a long state");
}

#[tokio::test]
async fn of_many_answers_those_that_were_asked_for_are_found() {
    let router = served();
    let call = tool("one", json!({}));
    let first = call.clone().send(&router).await;
    let mut responses: serde_json::Map<_, _> = (0..200).map(|number| (format!("a{number}"), ada())).collect();
    responses.insert("who".to_owned(), ada());
    assert_eq!(again(&call, state(&first), responses.into()).send(&router).await.tool_text(), "Ada ");
}

// ---------------------------------------------------------------------------------------------- the state, attacked

#[tokio::test]
async fn a_state_with_one_bit_changed_is_refused() {
    let facts = Arc::new(Facts::default());
    let router = router(bare_with(&facts));
    let call = tool("one", json!({}));
    let good = state(&call.clone().send(&router).await);
    let runs = facts.runs();
    for position in 0..good.len() {
        for bit in 0..6 {
            let mut bytes = good.clone().into_bytes();
            let six = ALPHABET.iter().position(|known| *known == bytes[position]).expect("Base64");
            bytes[position] = ALPHABET[six ^ 1 << bit];
            let forged = String::from_utf8(bytes).expect("ASCII");
            let answer = again(&call, forged, json!({ "who": ada() })).send(&router).await;
            assert_refused(&answer, &format!("bit {bit} at {position}"));
        }
    }
    for length in 0..good.len() {
        assert_refused(&again(&call, &good[..length], json!({ "who": ada() })).send(&router).await, "cut short");
        assert_refused(&again(&call, &good[length + 1..], json!({ "who": ada() })).send(&router).await, "its end alone");
    }
    for forged in [format!("{good}="), format!("{good}A"), format!("{good}{good}"), format!(" {good}"), good.to_lowercase()] {
        assert_refused(&again(&call, forged, json!({ "who": ada() })).send(&router).await, "longer");
    }
    assert_eq!(facts.runs(), runs, "and nothing ran");
    assert_eq!(again(&call, good, json!({ "who": ada() })).send(&router).await.tool_text(), "Ada ");
}

#[tokio::test]
async fn a_state_is_a_string() {
    let facts = Arc::new(Facts::default());
    let router = router(bare_with(&facts));
    for name in ["one", "plain", "silent"] {
        let call = tool(name, json!({}));
        for forged in [json!(5), json!({}), json!([]), json!(true), json!(""), json!("k1.AEAD.9f3c0b"), json!("\u{0}")] {
            assert_refused(&again(&call, forged.clone(), json!({})).send(&router).await, &format!("{name} {forged}"));
        }
    }
    assert_eq!(facts.runs(), 0);
}

/// All that a state could be carried to.
fn elsewhere() -> Vec<(&'static str, HttpCall)> {
    vec![
        ("another tool", tool("other", json!({ "order": "o-1" }))),
        ("a tool that can not ask", tool("plain", json!({ "order": "o-1" }))),
        ("a tool that does not ask", tool("silent", json!({ "order": "o-1" }))),
        ("other arguments", tool("one", json!({ "order": "o-2" }))),
        ("no arguments", tool("one", json!({}))),
        ("another type", tool("one", json!({ "order": ["o-1"] }))),
        ("one more argument", tool("one", json!({ "order": "o-1", "more": 1 }))),
        ("a prompt", prompt("greeting", json!({ "order": "o-1" }))),
        ("another resource", read("pages://two")),
        ("a resource that does not ask", read("pages://free")),
    ]
}

#[tokio::test]
async fn a_state_belongs_to_one_call() {
    let facts = Arc::new(Facts::default());
    let router = router(bare_with(&facts));
    let own = tool("one", json!({ "order": "o-1" }));
    let mine = state(&own.clone().send(&router).await);
    for (what, call) in elsewhere() {
        assert_refused(&again(&call, mine.clone(), json!({ "who": ada() })).send(&router).await, what);
    }
    assert_eq!(facts.runs(), 1, "Q-15: also where nothing would be asked");
    for (own, text) in [(prompt("greeting", json!({ "order": "o-1" })), "Ada Some"), (read("pages://one"), "one for Ada")] {
        let mine = state(&own.clone().send(&router).await);
        let others = elsewhere().into_iter().filter(|(_, call)| call.text() != own.text());
        for (what, call) in others.chain([("a tool", tool("one", json!({ "order": "o-1" })))]) {
            assert_refused(&again(&call, mine.clone(), json!({ "who": ada() })).send(&router).await, what);
        }
        let good = again(&own, mine, json!({ "who": ada() })).send(&router).await;
        assert!(good.shown().contains(text), "{}", good.shown());
    }
    assert_eq!(again(&own, mine, json!({ "who": ada() })).send(&router).await.tool_text(), "Ada o-1");
}

#[tokio::test]
async fn the_order_of_members_is_no_difference_and_all_else_is() {
    let router = served();
    let call = |amount: &str| {
        let text = tool("exact", json!({ "amount": "here" })).text();
        tool("exact", json!({})).body(text.replace("\"here\"", amount))
    };
    let again = |amount: &str, state: &str| {
        let params = format!("\"requestState\":\"{state}\",\"inputResponses\":{{}},\"arguments\"");
        let text = tool("exact", json!({ "amount": "here" })).text();
        call(amount).body(text.replace("\"here\"", amount).replace("\"arguments\"", &params))
    };
    for (first, then, same) in [
        (r#"{"a":1,"b":{"c":[1,2],"d":null}}"#, r#"{ "b": {"d":null, "c":[1, 2]}, "a":1 }"#, true),
        (r#""\u0041""#, r#""A""#, true),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, false),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, false),
        (r#"{"a":null}"#, "{}", false),
        ("1", "1.0", false),
        ("0.1", "0.2", false),
        ("18446744073709551615", "18446744073709551614", false),
        // These are one and the same float.
        ("18446744073709551616", "18446744073709551617", false),
        ("-9223372036854775809", "-9223372036854775810", false),
        ("340282366920938463463374607431768211455", "340282366920938463463374607431768211454", false),
        ("1e400", "1e401", false),
    ] {
        let state = state_or_refusal(&call(first).send(&router).await);
        let Ok(state) = state else { continue };
        let answer = again(then, &state).send(&router).await;
        if same {
            asked(&answer);
        } else {
            assert_refused(&answer, &format!("{first} then {then}"));
        }
    }
}

fn state_or_refusal(answer: &Answer) -> Result<String, Value> {
    let message = answer.json();
    message["result"]["requestState"].as_str().map(str::to_owned).ok_or(message)
}

fn guarded() -> Server {
    let tokens = StaticTokens::new().token(ADA, Principal::user("ada")).token(BOB, Principal::user("bob"));
    bare().auth(Auth::chain().with(tokens))
}

#[tokio::test]
async fn a_state_belongs_to_one_caller() {
    let router = router(guarded());
    let by = |call: HttpCall, token: Option<&str>| token.map_or(call.clone(), |token| call.token(token));
    let callers = [None, Some(ADA), Some(BOB)];
    for owner in callers {
        let call = tool("one", json!({}));
        let mine = state(&by(call.clone(), owner).send(&router).await);
        for thief in callers.into_iter().filter(|caller| *caller != owner) {
            for name in ["one", "plain", "silent"] {
                let stolen = by(again(&tool(name, json!({})), mine.clone(), json!({ "who": ada() })), thief);
                assert_refused(&stolen.send(&router).await, &format!("{owner:?} to {thief:?}"));
            }
        }
        let own = by(again(&call, mine, json!({ "who": ada() })), owner).send(&router).await;
        assert_eq!(own.tool_text(), "Ada ", "{owner:?}");
    }
}

#[tokio::test]
async fn a_state_belongs_to_one_server_and_its_keys() {
    let at = |url: &str, keys: &[&str]| router(bare().public_url(url).sealing_keys(keys));
    let home = at(URL, &[KEY]);
    let call = tool("one", json!({})).header("host", "mcp.example.com");
    let mine = state(&call.clone().send(&home).await);
    let again = again(&call, mine, json!({ "who": ada() }));
    for (what, other) in [
        ("another path", at("https://mcp.example.com/other", &[KEY])),
        ("another key", at(URL, &[OTHER_KEY])),
        ("a server without a URL", router(bare().sealing_keys([KEY]).allow_host("mcp.example.com"))),
        ("a key of its own", router(bare().public_url(URL))),
    ] {
        let path = if what == "another path" { "/other" } else { "/mcp" };
        let call = again.clone();
        let answer = call.clone().uri(path).send(&other).await;
        let answer = if answer.status == 404 { call.send(&other).await } else { answer };
        assert_refused(&answer, what);
    }
    // MRTR-06, MRTR-15: any instance with the key opens it, also one that seals by a newer key.
    for (what, other) in [("a second instance", at(URL, &[KEY])), ("after a rotation", at(URL, &[OTHER_KEY, KEY]))] {
        assert_eq!(again.clone().send(&other).await.tool_text(), "Ada ", "{what}");
    }
}

#[tokio::test]
async fn a_state_ends_with_its_lifetime() {
    let facts = Arc::new(Facts::default());
    let living = |seconds| router(bare_with(&facts).sealing_keys([KEY]).round_lifetime(Duration::from_secs(seconds)));
    let (long, short) = (living(3600), living(1));
    let mut made = Vec::new();
    for call in [tool("one", json!({})), prompt("greeting", json!({ "order": "o-1" })), read("pages://one")] {
        let (lasting, passing) = (state(&call.clone().send(&long).await), state(&call.clone().send(&short).await));
        made.push((call, lasting, passing));
    }
    for (call, lasting, passing) in made {
        let retry = |state: &str| again(&call, state, json!({ "who": ada() }));
        let over = async {
            while retry(&passing).send(&short).await.outcome() == (200, None) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), over).await.expect("a second is soon over");
        let runs = facts.runs();
        for (what, router) in [("where it was made", &short), ("where others live longer", &long)] {
            assert_refused(&retry(&passing).send(router).await, what);
        }
        assert_eq!(facts.runs(), runs, "and nothing ran");
        // It is nothing but the time: one that lasts is taken by both.
        for router in [&short, &long] {
            assert!(retry(&lasting).send(router).await.shown().contains("Ada"));
        }
    }
}

#[tokio::test]
async fn other_methods_and_revisions_do_not_look_at_it() {
    let router = served();
    // MRTR-13.
    for method in ["tools/list", "prompts/list", "resources/list", "server/discover"] {
        let params = json!({ "requestState": "forged", "inputResponses": 5 });
        let answer = HttpCall::new(method, params).send(&router).await;
        assert_eq!(answer.outcome(), (200, None), "{method}: {}", answer.shown());
    }
    let call = again(&HttpCall::tool("plain", json!({ "order": "o-1" })), "forged", json!([]));
    for era in [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25] {
        assert_eq!(call.clone().send_in(era, &router).await.tool_text(), "o-1", "{era:?}");
    }
}

#[tokio::test]
async fn a_state_tells_its_client_nothing() {
    let router = served();
    let call = tool("secretive", json!({}));
    let first = call.clone().send(&router).await;
    let second = answered(&call, &first, &accept(json!({ "name": "answer-5ecret" }))).send(&router).await;
    for round in [&first, &second] {
        let state = state(round);
        let bytes = bytes_of(&state);
        assert!(state.len() * 3 / 4 == bytes.len() && bytes.len() > 100);
        for secret in ["5ecret", "secret", "First", "accept", "tools/call"] {
            let shown = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!shown && !state.contains(secret), "{secret}");
        }
    }
    // The same is sealed anew each time: nobody sees that two states say the same.
    let twin = answered(&call, &first, &accept(json!({ "name": "answer-5ecret" }))).send(&router).await;
    let (one, two) = (bytes_of(&state(&second)), bytes_of(&state(&twin)));
    assert_eq!(one.len(), two.len());
    assert!(one[5..].iter().zip(&two[5..]).filter(|(one, two)| one == two).count() < one.len() / 8);
    let third = answered(&call, &second, &ada()).send(&router).await;
    assert_eq!(third.tool_text(), "step-5ecret answer-5ecret Ada");
}
