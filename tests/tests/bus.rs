//! Two instances of one server, with one bus between them.

mod event_stream;
mod http_call;
mod shared_events;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use event_stream::{Stream, get, get_after, settle};
use http::Method;
use http_call::{HttpCall, open};
use mcp_runtime::Built;
use mcp_runtime::notify::{Deliver, Event, EventBus};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};
use shared_events::SharedEvents;
use tokio::sync::Semaphore;

const NEWEST: Era = Era::V2025_11_25;
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_KEY: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Carries what is published, as text, to all that are attached.
#[derive(Clone, Default)]
struct Shared {
    attached: Arc<Mutex<Vec<Deliver>>>,
    carried: Arc<Mutex<Vec<String>>>,
}

impl Shared {
    /// As another program on the bus would.
    fn carry(&self, text: &str) {
        if let Ok(event) = serde_json::from_str::<Event>(text) {
            self.attached.lock().expect("no panic").iter().for_each(|deliver| deliver(event.clone()));
        }
    }

    fn carried(&self) -> usize {
        self.carried.lock().expect("no panic").len()
    }
}

impl EventBus for Shared {
    fn publish(&self, event: Event) {
        let text = serde_json::to_string(&event).expect("an event is JSON");
        self.carried.lock().expect("no panic").push(text.clone());
        self.carry(&text);
    }

    fn attach(&self, deliver: Deliver) {
        self.attached.lock().expect("no panic").push(deliver);
    }
}

/// Another tool.
#[tool]
fn extra() -> &'static str {
    "extra"
}

#[data]
struct Confirm {
    sure: bool,
}

/// Ask.
#[tool]
async fn ask(ctx: Context) -> Result<String, ToolError> {
    let answer = ctx.elicit::<Confirm>("Are you sure?").await?.accepted()?;
    Ok(format!("sure: {}", answer.sure))
}

/// Report, and wait for the gate.
#[tool]
async fn work(ctx: Context, gate: State<Semaphore>) -> &'static str {
    ctx.progress(1.0, None, "half");
    gate.acquire().await.expect("open").forget();
    "done"
}

/// A note.
#[resource("notes://{id}")]
fn note(id: String) -> String {
    id
}

struct Fixture {
    bus: Shared,
    gate: Arc<Semaphore>,
    a: (Built, Router),
    b: (Built, Router),
}

fn instance(bus: &Shared, gate: &Arc<Semaphore>, events: &SharedEvents, key: &str) -> (Built, Router) {
    let server = Server::new("bus", "0")
        .allow_anonymous()
        .public_url("http://localhost:8000/mcp")
        .sealing_keys([key])
        .list_changes()
        .resource_updates()
        .event_bus(bus.clone())
        .event_store(events.clone())
        .shared_state(Arc::clone(gate))
        .only([ask::tool(), work::tool()])
        .only_prompts([])
        .only_resources([note::resource()]);
    let built = server.build().expect("a server that builds");
    let router = built.router();
    (built, router)
}

fn fixture() -> Fixture {
    let (bus, gate, events) = (Shared::default(), Arc::new(Semaphore::new(0)), SharedEvents::default());
    let [a, b] = [(); 2].map(|()| instance(&bus, &gate, &events, KEY));
    Fixture { bus, gate, a, b }
}

fn listen() -> HttpCall {
    let asked = json!({ "toolsListChanged": true, "resourceSubscriptions": ["notes://1"] });
    HttpCall::new("subscriptions/listen", json!({ "notifications": asked }))
}

async fn subscribed(router: &Router) -> Stream {
    let mut stream = Stream::open(router, listen()).await;
    assert_eq!(stream.plain().await["method"], "notifications/subscriptions/acknowledged");
    stream
}

/// A session that was opened on A, and can be asked.
async fn session(fixture: &Fixture) -> String {
    let call = HttpCall::initialize(NEWEST);
    let call = call.edit(|message| message["params"]["capabilities"] = json!({ "elicitation": {} }));
    open(&fixture.a.1, call).await
}

fn answer(session: &str, id: &Value, result: Value) -> HttpCall {
    HttpCall::legacy(NEWEST, "none", json!({})).session(session).edit(|message| {
        *message = json!({ "jsonrpc": "2.0", "id": id });
        message["result"] = result;
    })
}

fn sure(sure: bool) -> Value {
    json!({ "action": "accept", "content": { "sure": sure } })
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

/// A call on A that asks, until its question was sent.
async fn asking(fixture: &Fixture, session: &str) -> (Stream, Value) {
    let call = HttpCall::tool("ask", json!({})).in_era(NEWEST).session(session);
    let mut stream = Stream::open(&fixture.a.1, call).await;
    stream.priming().await;
    let (_, question) = stream.numbered().await;
    assert_eq!(question["method"], "elicitation/create");
    (stream, question["id"].clone())
}

#[tokio::test(start_paused = true)]
async fn what_changes_on_one_instance_is_heard_on_all() {
    let fixture = fixture();
    let Fixture { a: (a, router_a), b: (_, router_b), .. } = &fixture;
    let session = session(&fixture).await;
    let call = HttpCall::legacy(NEWEST, "resources/subscribe", json!({ "uri": "notes://1" })).session(&session);
    assert_eq!(call.send(router_b).await.json()["result"], json!({}));
    let mut here = subscribed(router_a).await;
    let mut there = subscribed(router_b).await;
    let mut legacy = Stream::open(router_b, get(NEWEST, &session)).await;
    a.notify().tools_changed();
    a.notify().resource_updated("notes://1");
    for stream in [&mut here, &mut there, &mut legacy] {
        assert_eq!(stream.message().await.1["method"], "notifications/tools/list_changed");
        assert_eq!(stream.message().await.1["params"]["uri"], "notes://1");
        stream.is_quiet().await;
    }
    // What a session subscribed to on B it hears on B.
    let mut elsewhere = Stream::open(router_a, get(NEWEST, &session)).await;
    a.notify().resource_updated("notes://1");
    assert_eq!(legacy.message().await.1["params"]["uri"], "notes://1");
    elsewhere.is_quiet().await;
    assert_eq!((here.plain().await, there.plain().await).0["params"]["uri"], "notes://1");
    a.handle().add_tool(extra::tool()).expect("a good tool");
    for stream in [&mut here, &mut there, &mut legacy, &mut elsewhere] {
        assert_eq!(stream.message().await.1["method"], "notifications/tools/list_changed");
        stream.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_finds_its_question_on_another_instance() {
    let fixture = fixture();
    let session = session(&fixture).await;
    let other = self::session(&fixture).await;
    let (mut stream, id) = asking(&fixture, &session).await;
    let router_b = &fixture.b.1;
    for stranger in [answer(&other, &id, sure(false)), answer(&session, &json!("unknown"), sure(false))] {
        assert_eq!(stranger.send(router_b).await.status, 202);
    }
    for nobody in [answer("forged", &id, sure(false)), answer(&session, &id, sure(false)).without_header("mcp-session-id")] {
        assert!(nobody.send(router_b).await.status >= 400);
    }
    stream.is_quiet().await;
    assert_eq!(answer(&session, &id, sure(true)).send(router_b).await.status, 202);
    // A second answer is late.
    assert_eq!(answer(&session, &id, sure(false)).send(router_b).await.status, 202);
    assert_eq!(text(&stream.numbered().await.1), "sure: true");
    stream.ends().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_found_here_does_not_travel() {
    let fixture = fixture();
    let session = session(&fixture).await;
    let (mut stream, id) = asking(&fixture, &session).await;
    assert_eq!(answer(&session, &id, sure(true)).send(&fixture.a.1).await.status, 202);
    assert_eq!(text(&stream.numbered().await.1), "sure: true");
    assert_eq!(fixture.bus.carried(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_an_answer_too() {
    let fixture = fixture();
    let session = session(&fixture).await;
    let (mut stream, id) = asking(&fixture, &session).await;
    let error = answer(&session, &id, json!({})).edit(|message| {
        message.as_object_mut().expect("an object").remove("result");
        message["error"] = json!({ "code": -1, "message": "not now" });
    });
    assert_eq!(error.send(&fixture.b.1).await.status, 202);
    let (_, ended) = stream.numbered().await;
    assert_eq!(ended["result"]["isError"], true, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_with_another_key_knows_neither_session_nor_question() {
    let fixture = fixture();
    let session = session(&fixture).await;
    let (mut stream, id) = asking(&fixture, &session).await;
    let (_, stranger) = instance(&fixture.bus, &fixture.gate, &SharedEvents::default(), OTHER_KEY);
    assert_eq!(answer(&session, &id, sure(true)).send(&stranger).await.status, 404);
    assert_eq!(get(NEWEST, &session).send(&stranger).await.status, 404);
    stream.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_of_ours_is_ignored() {
    let fixture = fixture();
    let session = session(&fixture).await;
    let (mut stream, id) = asking(&fixture, &session).await;
    let mut listens = subscribed(&fixture.b.1).await;
    let scope = {
        // As the instances name the session among themselves.
        assert_eq!(answer(&session, &json!("unknown"), sure(false)).send(&fixture.b.1).await.status, 202);
        let carried = fixture.bus.carried.lock().expect("no panic").pop().expect("an answer");
        serde_json::from_str::<Value>(&carried).expect("JSON")["scope"].clone()
    };
    let answered = |scope: &Value, key: &Value, answer: &str| {
        json!({ "event": "answered", "scope": scope, "key": key, "answer": answer, "is_error": false }).to_string()
    };
    for odd in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"event":"somethingNewer","of":1}"#,
        r#"{"event":"resourceUpdated"}"#,
        &answered(&scope, &id, "not json"),
        &answered(&scope, &id, ""),
        &answered(&scope, &id, "{} {}"),
        &answered(&scope, &json!("unknown"), "{}"),
        &answered(&json!("unknown"), &id, "{}"),
        &answered(&json!(""), &json!(""), "{}"),
        r#"{"event":"taskCancelled","id":"unknown"}"#,
        r#"{"event":"taskChanged","id":"unknown","state":"}}"}"#,
    ] {
        fixture.bus.carry(odd);
        stream.is_quiet().await;
        listens.is_quiet().await;
    }
    // What is written into a stream can not end its event.
    let uri = "notes://1/\n\ndata: {}\r\n\r\n\"}}\u{2028}";
    fixture.bus.publish(Event::ResourceUpdated { uri: uri.to_owned() });
    assert_eq!(listens.plain().await["params"]["uri"], uri);
    assert_eq!(answer(&session, &id, sure(true)).send(&fixture.b.1).await.status, 202);
    assert_eq!(text(&stream.numbered().await.1), "sure: true");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_hears_nothing() {
    let fixture = fixture();
    let Fixture { bus, a, b, .. } = fixture;
    drop(a);
    let mut listens = subscribed(&b.1).await;
    bus.publish(Event::ToolsChanged { scopes: Vec::new() });
    assert_eq!(listens.plain().await["method"], "notifications/tools/list_changed");
    listens.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn with_a_shared_store_a_client_comes_back_on_another_instance() {
    let fixture = fixture();
    let session = session(&fixture).await;
    let call = HttpCall::tool("work", json!({})).meta("progressToken", json!("t")).in_era(NEWEST).session(&session);
    let mut stream = Stream::open(&fixture.a.1, call).await;
    let primed = stream.priming().await;
    drop(stream);
    settle().await;
    let mut again = Stream::open(&fixture.b.1, get_after(NEWEST, &session, &primed)).await;
    assert_eq!(again.numbered().await.1["params"]["message"], "half");
    again.is_quiet().await;
    fixture.gate.add_permits(1);
    let began = tokio::time::Instant::now();
    assert_eq!(text(&again.numbered().await.1), "done");
    again.ends().await;
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    // An instance that stops does not wait for what runs elsewhere.
    let call = HttpCall::tool("work", json!({})).meta("progressToken", json!("t")).in_era(NEWEST).session(&session);
    let mut stream = Stream::open(&fixture.a.1, call).await;
    let primed = stream.priming().await;
    let mut again = Stream::open(&fixture.b.1, get_after(NEWEST, &session, &primed)).await;
    again.numbered().await;
    fixture.b.0.handle().shutdown();
    again.ends().await;
    // What ends on one instance takes its events with it everywhere.
    assert_eq!(get(NEWEST, &session).http_method(Method::DELETE).send(&fixture.a.1).await.status, 204);
    settle().await;
    assert_eq!(get_after(NEWEST, &session, &primed).send(&fixture.a.1).await.status, 404);
}
