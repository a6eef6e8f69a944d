//! Streams of legacy sessions that break, and clients that come back for the rest with `Last-Event-ID`.

mod event_stream;
mod http_call;
mod shared_events;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use event_stream::{Event, Stream, get, get_after, settle, status};
use http::Method;
use http_call::{HttpCall, open};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use mcp_runtime::{Built, LegacyClients};
use serde_json::{Value, json};
use shared_events::SharedEvents;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

const LEGACY: [Era; 3] = [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25];
const OLDER: [Era; 2] = [Era::V2025_03_26, Era::V2025_06_18];
const NEWEST: Era = Era::V2025_11_25;

const ADA: &str = "ada-0123456789abcdefgh";
const BOB: &str = "bob-0123456789abcdefgh";
const BRIEF: &str = "brief-0123456789abcdef";

/// Opens when the test says so, and knows how many calls were dropped before their end.
struct Gate {
    steps: Semaphore,
    dropped: Semaphore,
}

impl Gate {
    fn open(&self) {
        self.steps.add_permits(1);
    }

    async fn pass(&self) {
        self.steps.acquire().await.expect("open").forget();
    }

    /// A call was dropped.
    async fn dropped(&self) {
        self.dropped.acquire().await.expect("open").forget();
    }
}

struct Unless<'g>(&'g Gate, bool);

impl Drop for Unless<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.add_permits(1);
        }
    }
}

/// Report, and go on when the gate opens.
#[tool]
async fn work(name: String, steps: u32, ctx: Context, gate: State<Gate>) -> String {
    let mut ended = Unless(&gate.0, false);
    for step in 1..=steps {
        ctx.progress(step.into(), None, format!("{name} {step}"));
        gate.pass().await;
    }
    ended.1 = true;
    format!("{name} is done")
}

/// Let go of the connection, and go on when the gate opens.
#[tool]
async fn let_go(report: bool, ctx: Context, gate: State<Gate>) -> &'static str {
    if report {
        ctx.progress(1.0, None, "before");
        tokio::task::yield_now().await;
    }
    ctx.close_stream(Duration::from_millis(250));
    gate.pass().await;
    "done"
}

/// Let go of the connection, and end at once.
#[tool]
async fn let_go_and_end(ctx: Context) -> &'static str {
    ctx.close_stream(Duration::from_millis(10));
    tokio::task::yield_now().await;
    "done"
}

#[data]
struct Confirm {
    sure: bool,
}

/// Report, wait for the gate, ask, report a lot, and answer.
#[tool]
async fn ask(reports: u32, ctx: Context, gate: State<Gate>) -> Result<String, ToolError> {
    ctx.progress(0.5, None, "before");
    gate.pass().await;
    let answer = ctx.elicit::<Confirm>("Are you sure?").await?.accepted()?;
    for report in 1..=reports {
        ctx.progress(report.into(), None, "more");
        tokio::task::yield_now().await;
    }
    Ok(format!("sure: {}", answer.sure))
}

struct Fixture {
    built: Built,
    router: Router,
    gate: Arc<Gate>,
    events: SharedEvents,
}

fn server(gate: &Arc<Gate>) -> Server {
    let brief = Principal::user("brief").valid_until(SystemTime::now() + Duration::from_secs(60));
    let tokens = StaticTokens::new().token(ADA, Principal::user("ada")).token(BOB, Principal::user("bob")).token(BRIEF, brief);
    Server::new("resumption", "0")
        .auth(Auth::chain().with(tokens))
        .allow_anonymous()
        .list_changes()
        .heartbeat(None)
        .shared_state(Arc::clone(gate))
        .only([work::tool(), let_go::tool(), let_go_and_end::tool(), ask::tool()])
        .only_prompts([])
        .only_resources([])
}

fn fixture_with(change: impl FnOnce(Server) -> Server) -> Fixture {
    let gate = Arc::new(Gate { steps: Semaphore::new(0), dropped: Semaphore::new(0) });
    let events = SharedEvents::default();
    let built = change(server(&gate).event_store(events.clone())).build().expect("a server that builds");
    Fixture { router: built.router(), built, gate, events }
}

fn fixture() -> Fixture {
    fixture_with(|server| server)
}

fn call(tool: &str, arguments: Value) -> HttpCall {
    HttpCall::tool(tool, arguments).meta("progressToken", json!("t"))
}

/// `work` in a session.
fn work_of(session: &str, name: &str, steps: u32) -> HttpCall {
    call("work", json!({ "name": name, "steps": steps })).in_era(NEWEST).session(session)
}

async fn session(router: &Router) -> String {
    open(router, HttpCall::initialize(NEWEST)).await
}

/// That can be asked.
async fn asked_session(router: &Router) -> String {
    let call = HttpCall::initialize(NEWEST);
    open(router, call.edit(|message| message["params"]["capabilities"] = json!({ "elicitation": {} }))).await
}

fn progress(message: &str) -> impl Fn(&Value) -> bool {
    move |value| value["method"] == "notifications/progress" && value["params"]["message"] == message
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

/// The answer to a question, as its client posts it.
fn answer(session: &str, id: &Value, result: Value) -> HttpCall {
    HttpCall::legacy(NEWEST, "none", json!({})).session(session).edit(|message| {
        *message = json!({ "jsonrpc": "2.0", "id": id });
        message["result"] = result;
    })
}

fn cancel(session: &str) -> HttpCall {
    HttpCall::legacy(NEWEST, "notifications/cancelled", json!({ "requestId": 7 })).notification().session(session)
}

// ---------------------------------------------------------------------------------------------- event ids

#[tokio::test(start_paused = true)]
async fn the_events_of_a_session_have_ids_of_their_own() {
    let Fixture { router, gate, built, .. } = fixture();
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let mut ids = Vec::new();
        let mut listens = Stream::open(&router, get(era, &session)).await;
        // With one id for both, which is wrong of a client, but no reason to mix up their streams.
        let call = |name: &str| call("work", json!({ "name": name, "steps": 2 })).in_era(era).session(&session);
        let (mut a, mut b) = (Stream::open(&router, call("a")).await, Stream::open(&router, call("b")).await);
        if era == NEWEST {
            ids.push(a.priming().await);
            ids.push(b.priming().await);
        }
        built.notify().tools_changed();
        ids.push(listens.numbered().await.0);
        for stream in [&mut a, &mut b] {
            ids.push(stream.numbered().await.0);
        }
        for _ in 0..4 {
            gate.open();
        }
        for stream in [&mut a, &mut b] {
            let rest = stream.rest().await;
            assert_eq!(rest.len(), 2, "{era:?}: {rest:?}");
            ids.extend(rest.into_iter().map(|event| event.id.expect("an id")));
        }
        let distinct: HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:?}");
        assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_graphic()) && id.len() <= 100), "{ids:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_newest_revision_has_neither_ids_nor_a_first_empty_event() {
    let Fixture { router, gate, .. } = fixture();
    let mut stream = Stream::open(&router, call("work", json!({ "name": "a", "steps": 1 }))).await;
    assert!(progress("a 1")(&stream.plain().await));
    gate.open();
    assert_eq!(text(&stream.plain().await), "a is done");
    stream.ends().await;
    // It lets go of nothing either, and knows no events to come back to.
    gate.open();
    let call = call("let_go", json!({ "report": true })).header("last-event-id", "get-1").session("none");
    let mut stream = Stream::open(&router, call).await;
    assert!(progress("before")(&stream.plain().await));
    assert_eq!(text(&stream.plain().await), "done");
    stream.ends().await;
}

#[tokio::test(start_paused = true)]
async fn without_sessions_there_is_nothing_to_come_back_to() {
    let Fixture { router, gate, events, .. } = fixture_with(|server| server.legacy_clients(LegacyClients::Sessionless));
    let mut stream = Stream::open(&router, call("work", json!({ "name": "a", "steps": 1 })).in_era(NEWEST)).await;
    assert!(progress("a 1")(&stream.plain().await));
    gate.open();
    assert_eq!(text(&stream.plain().await), "a is done");
    stream.ends().await;
    assert_eq!(events.names(), [""; 0]);
    let get = get_after(NEWEST, "none", "a-1");
    assert_eq!(get.send(&router).await.status, 405);
}

// ---------------------------------------------------------------------------------------------- coming back

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_gets_what_followed_on_that_stream_alone() {
    let Fixture { router, gate, built, .. } = fixture();
    let session = session(&router).await;
    let _listens = Stream::open(&router, get(NEWEST, &session)).await;
    let (mut a, mut b) =
        (Stream::open(&router, work_of(&session, "a", 2)).await, Stream::open(&router, work_of(&session, "b", 1)).await);
    let primed = a.priming().await;
    built.notify().tools_changed();
    b.priming().await;
    (0..3).for_each(|_| gate.open());
    let (sent, of_b) = (a.rest().await, b.rest().await);
    assert_eq!((sent.len(), of_b.len()), (3, 2));
    assert!(progress("a 1")(&sent[0].json()) && progress("a 2")(&sent[1].json()));
    assert_eq!(text(&sent[2].json()), "a is done");
    let ids: Vec<String> = sent.iter().map(|event| event.id.clone().expect("an id")).collect();
    for (after, rest) in [(&primed, &sent[..]), (&ids[0], &sent[1..]), (&ids[1], &sent[2..]), (&ids[2], &[])] {
        let mut again = Stream::open(&router, get_after(NEWEST, &session, after)).await;
        assert_eq!(again.rest().await, rest, "after {after}");
        // As often as it likes.
        assert_eq!(Stream::open(&router, get_after(NEWEST, &session, after)).await.rest().await, rest);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_belongs_to_its_session() {
    let Fixture { router, gate, .. } = fixture();
    let ada = open(&router, HttpCall::initialize(NEWEST).token(ADA)).await;
    let other = open(&router, HttpCall::initialize(NEWEST).token(ADA)).await;
    let bob = open(&router, HttpCall::initialize(NEWEST).token(BOB)).await;
    let mut stream = Stream::open(&router, work_of(&ada, "a", 1).token(ADA)).await;
    let id = stream.priming().await;
    gate.open();
    assert_eq!(stream.rest().await.len(), 2);
    let rest = |session: &str, token: &str| get_after(NEWEST, session, &id).token(token);
    for (what, call) in [
        ("another session of the same caller", rest(&other, ADA)),
        ("another caller's session", rest(&bob, BOB)),
        ("another caller in this session", rest(&ada, BOB)),
        ("an unknown stream", get_after(NEWEST, &ada, "0123456789abcdef-1").token(ADA)),
    ] {
        let refused = call.send(&router).await;
        assert_eq!(refused.status, 404, "{what}: {}", refused.shown());
    }
    assert_eq!(rest(&ada, ADA).without_header("mcp-session-id").send(&router).await.status, 400);
    assert_eq!(Stream::open(&router, rest(&ada, ADA)).await.rest().await.len(), 2);
    let delete = get(NEWEST, &ada).token(ADA).http_method(Method::DELETE);
    assert_eq!(delete.send(&router).await.status, 204);
    assert_eq!(rest(&ada, ADA).send(&router).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_id_is_refused() {
    let Fixture { router, .. } = fixture();
    let session = session(&router).await;
    let long = format!("{}-1", "a".repeat(65));
    for malformed in [
        "",
        "abc",
        "-",
        "abc-",
        "-1",
        "abc-x",
        "abc-+1",
        "abc--1",
        "abc-1x",
        "abc-0x1",
        "a b-1",
        "../a-1",
        "a.b-1",
        "a*-1",
        &long,
        "abc-18446744073709551616",
        "\u{e9}-1",
    ] {
        let refused = get_after(NEWEST, &session, malformed).send(&router).await;
        assert_eq!(refused.outcome(), (400, Some(-32600)), "{malformed:?}: {}", refused.shown());
    }
    let twice = get_after(NEWEST, &session, "get-1").another("last-event-id", "get-2").send(&router).await;
    assert_eq!(twice.status, 400, "{}", twice.shown());
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_connection_broke_goes_on_and_its_answer_is_fetched() {
    let Fixture { router, gate, .. } = fixture();
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        let call = call("work", json!({ "name": "a", "steps": 2 })).in_era(era).session(&session);
        let mut stream = Stream::open(&router, call).await;
        let mut last = if era == NEWEST { Some(stream.priming().await) } else { None };
        let (id, first) = stream.numbered().await;
        assert!(progress("a 1")(&first), "{era:?}");
        let last = last.take().map_or(id.clone(), |_| id);
        drop(stream);
        (0..2).for_each(|_| gate.open());
        settle().await;
        let mut again = Stream::open(&router, get_after(era, &session, &last)).await;
        assert!(progress("a 2")(&again.numbered().await.1), "{era:?}");
        assert_eq!(text(&again.numbered().await.1), "a is done", "{era:?}");
        again.ends().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_early_hears_the_rest_as_it_comes() {
    let Fixture { router, gate, .. } = fixture();
    let session = session(&router).await;
    let mut stream = Stream::open(&router, work_of(&session, "a", 3)).await;
    let primed = stream.priming().await;
    drop(stream);
    let mut again = Stream::open(&router, get_after(NEWEST, &session, &primed)).await;
    let began = tokio::time::Instant::now();
    assert!(progress("a 1")(&again.numbered().await.1));
    again.is_quiet().await;
    gate.open();
    assert!(progress("a 2")(&again.numbered().await.1));
    again.is_quiet().await;
    // It breaks again.
    drop(again);
    gate.open();
    settle().await;
    let mut again = Stream::open(&router, get_after(NEWEST, &session, &primed)).await;
    for step in 1..=3 {
        assert!(progress(&format!("a {step}"))(&again.numbered().await.1));
    }
    again.is_quiet().await;
    gate.open();
    assert_eq!(text(&again.numbered().await.1), "a is done");
    again.ends().await;
    assert!(began.elapsed() < Duration::from_millis(500), "nothing was waited for: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_a_session_goes_on_after_a_break() {
    let Fixture { router, built, events, .. } = fixture();
    let session = session(&router).await;
    let mut stream = Stream::open(&router, get(NEWEST, &session)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        built.notify().tools_changed();
        ids.push(stream.numbered().await.0);
    }
    built.notify().prompts_changed();
    // Sent, and not arrived.
    settle().await;
    drop(stream);
    settle().await;
    built.notify().resources_changed();
    let mut again = Stream::open(&router, get_after(NEWEST, &session, &ids[1])).await;
    for what in ["tools", "prompts", "resources"] {
        let (id, message) = again.numbered().await;
        assert_eq!(message["method"], format!("notifications/{what}/list_changed"));
        assert!(what == "tools" || !ids.contains(&id), "{id} is there twice");
        ids.push(id);
    }
    again.is_quiet().await;
    drop(again);
    settle().await;
    // Where the events are forgotten, their ids are not used again.
    events.forget_all().await;
    let mut later = Stream::open(&router, get_after(NEWEST, &session, &ids[5])).await;
    built.notify().tools_changed();
    let (id, _) = later.numbered().await;
    assert!(!ids.contains(&id), "{id} is there twice");
    // Of another session's stream it gets nothing.
    let other = open(&router, HttpCall::initialize(NEWEST)).await;
    Stream::open(&router, get_after(NEWEST, &other, &ids[0])).await.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn where_nothing_changes_there_are_still_calls_to_come_back_to() {
    let gate = Arc::new(Gate { steps: Semaphore::new(0), dropped: Semaphore::new(0) });
    let plain = Server::new("plain", "0").allow_anonymous().shared_state(Arc::clone(&gate)).only([work::tool()]);
    let router = plain.only_resources([]).only_prompts([]).router::<()>().expect("a server that builds");
    let session = session(&router).await;
    let mut stream = Stream::open(&router, work_of(&session, "a", 1)).await;
    let primed = stream.priming().await;
    drop(stream);
    assert_eq!(get(NEWEST, &session).send(&router).await.status, 405);
    gate.open();
    let mut again = Stream::open(&router, get_after(NEWEST, &session, &primed)).await;
    assert!(progress("a 1")(&again.numbered().await.1));
    assert_eq!(text(&again.numbered().await.1), "a is done");
    again.ends().await;
}

// ---------------------------------------------------------------------------------------------- closed by the server

#[tokio::test(start_paused = true)]
async fn a_tool_lets_go_of_the_connection_and_its_answer_is_fetched() {
    let Fixture { router, gate, .. } = fixture();
    let session = session(&router).await;
    for report in [false, true] {
        let let_go = call("let_go", json!({ "report": report })).in_era(NEWEST).session(&session);
        let mut stream = Stream::open(&router, let_go).await;
        let primed = stream.priming().await;
        if report {
            assert!(progress("before")(&stream.numbered().await.1));
        }
        let retry = stream.next_event().await.expect("a word about the return");
        assert_eq!(retry, Event { retry: Some(250), ..Event::default() });
        stream.ends().await;
        let mut again = Stream::open(&router, get_after(NEWEST, &session, &primed)).await;
        if report {
            assert!(progress("before")(&again.numbered().await.1));
        }
        again.is_quiet().await;
        gate.open();
        assert_eq!(text(&again.numbered().await.1), "done");
        again.ends().await;
    }
    // Nothing is sent behind the word that the client shall come back.
    let at_once = call("let_go_and_end", json!({})).in_era(NEWEST).session(&session);
    let mut stream = Stream::open(&router, at_once).await;
    let primed = stream.priming().await;
    settle().await;
    assert_eq!(stream.rest().await, [Event { retry: Some(10), ..Event::default() }]);
    let rest = Stream::open(&router, get_after(NEWEST, &session, &primed)).await.rest().await;
    assert_eq!((rest.len(), text(&rest[0].json())), (1, "done"));
}

#[tokio::test(start_paused = true)]
async fn an_older_client_keeps_its_connection() {
    let Fixture { router, gate, .. } = fixture();
    for era in OLDER {
        let session = open(&router, HttpCall::initialize(era)).await;
        gate.open();
        let let_go = call("let_go", json!({ "report": true })).in_era(era).session(&session);
        let mut stream = Stream::open(&router, let_go).await;
        assert!(progress("before")(&stream.numbered().await.1), "{era:?}");
        assert_eq!(text(&stream.numbered().await.1), "done", "{era:?}");
        stream.ends().await;
    }
    // One that takes no events has nothing to let go of.
    gate.open();
    let session = session(&router).await;
    let json = call("let_go", json!({ "report": true })).in_era(NEWEST).session(&session).header("accept", "application/json");
    assert_eq!(json.send(&router).await.tool_text(), "done");
}

// ---------------------------------------------------------------------------------------------- questions

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_heard_is_asked_again_and_answered() {
    let Fixture { router, gate, .. } = fixture();
    let session = asked_session(&router).await;
    let other = asked_session(&router).await;
    let mut stream = Stream::open(&router, call("ask", json!({ "reports": 1 })).in_era(NEWEST).session(&session)).await;
    let primed = stream.priming().await;
    assert!(progress("before")(&stream.numbered().await.1));
    drop(stream);
    gate.open();
    settle().await;
    let mut again = Stream::open(&router, get_after(NEWEST, &session, &primed)).await;
    assert!(progress("before")(&again.numbered().await.1));
    let (_, question) = again.numbered().await;
    assert_eq!((&question["method"], &question["params"]["message"]), (&json!("elicitation/create"), &json!("Are you sure?")));
    again.is_quiet().await;
    let yes = json!({ "action": "accept", "content": { "sure": true } });
    // Others may know the id.
    for stranger in [answer(&other, &question["id"], yes.clone()), answer(&session, &json!("another"), yes.clone())] {
        assert_eq!(stranger.send(&router).await.status, 202);
    }
    again.is_quiet().await;
    assert_eq!(answer(&session, &question["id"], yes).send(&router).await.status, 202);
    assert!(progress("more")(&again.numbered().await.1));
    assert_eq!(text(&again.numbered().await.1), "sure: true");
    again.ends().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_long_stream_reports_are_forgotten_and_questions_and_answers_are_not() {
    let Fixture { router, gate, .. } = fixture();
    let session = asked_session(&router).await;
    let mut stream = Stream::open(&router, call("ask", json!({ "reports": 1000 })).in_era(NEWEST).session(&session)).await;
    let primed = stream.priming().await;
    stream.numbered().await;
    gate.open();
    let (_, question) = stream.numbered().await;
    drop(stream);
    settle().await;
    let yes = json!({ "action": "accept", "content": { "sure": true } });
    assert_eq!(answer(&session, &question["id"], yes).send(&router).await.status, 202);
    for _ in 0..20 {
        settle().await;
    }
    let kept = Stream::open(&router, get_after(NEWEST, &session, &primed)).await.rest().await;
    assert!((200..=256).contains(&kept.len()), "{} events are kept", kept.len());
    assert_eq!(kept[0].json()["method"], "elicitation/create");
    assert_eq!(text(&kept[kept.len() - 1].json()), "sure: true");
}

// ---------------------------------------------------------------------------------------------- bounds and ends

#[tokio::test(start_paused = true)]
async fn so_many_calls_go_on_without_their_clients() {
    let Fixture { router, gate, .. } = fixture_with(|server| server.max_unattended_calls(1));
    let session = session(&router).await;
    let mut first = Stream::open(&router, work_of(&session, "a", 1)).await;
    let mut second = Stream::open(&router, work_of(&session, "b", 1)).await;
    let (a, b) = (first.priming().await, second.priming().await);
    drop(first);
    drop(second);
    gate.dropped().await;
    // Who comes back to it does not wait for ever.
    let rest = Stream::open(&router, get_after(NEWEST, &session, &b)).await.rest().await;
    assert!(rest.len() <= 1 && rest.iter().all(|event| progress("b 1")(&event.json())), "{rest:?}");
    gate.open();
    let rest = Stream::open(&router, get_after(NEWEST, &session, &a)).await.rest().await;
    assert_eq!((rest.len(), text(&rest[1].json())), (2, "a is done"));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_cancelled_whether_its_client_is_there_or_not() {
    let Fixture { router, gate, .. } = fixture();
    let session = session(&router).await;
    for is_there in [true, false] {
        let mut stream = Stream::open(&router, work_of(&session, "a", 2)).await;
        let primed = stream.priming().await;
        let mut stream = if is_there {
            assert!(progress("a 1")(&stream.numbered().await.1));
            stream
        } else {
            drop(stream);
            settle().await;
            let mut again = Stream::open(&router, get_after(NEWEST, &session, &primed)).await;
            assert!(progress("a 1")(&again.numbered().await.1));
            again
        };
        assert_eq!(cancel(&session).send(&router).await.status, 202);
        gate.dropped().await;
        stream.ends().await;
        gate.open();
        settle().await;
        let rest = Stream::open(&router, get_after(NEWEST, &session, &primed)).await.rest().await;
        assert!(rest.iter().all(|event| progress("a 1")(&event.json())), "an answer to what was cancelled: {rest:?}");
        gate.steps.acquire().await.expect("open").forget();
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_deleted_takes_its_events_with_it() {
    let Fixture { router, gate, events, .. } = fixture();
    let session = session(&router).await;
    let other = open(&router, HttpCall::initialize(NEWEST)).await;
    let mut kept = Stream::open(&router, work_of(&other, "b", 1)).await;
    kept.priming().await;
    let mut stream = Stream::open(&router, work_of(&session, "a", 2)).await;
    let primed = stream.priming().await;
    stream.numbered().await;
    let mut again = Stream::open(&router, get_after(NEWEST, &session, &primed)).await;
    again.numbered().await;
    assert_eq!(get(NEWEST, &session).http_method(Method::DELETE).send(&router).await.status, 204);
    gate.dropped().await;
    stream.ends().await;
    again.ends().await;
    settle().await;
    let names = events.names();
    let [ref of_other, ref of_session] = names[..] else { panic!("{names:?}") };
    assert!(events.knows(of_other).await && !events.knows(of_session).await);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_takes_a_place_for_as_long_as_the_credential_lasts() {
    let Fixture { router, gate, .. } = fixture_with(|server| server.max_streams(1));
    let session = open(&router, HttpCall::initialize(NEWEST).token(BRIEF)).await;
    let mut stream = Stream::open(&router, work_of(&session, "a", 1).token(BRIEF)).await;
    let primed = stream.priming().await;
    drop(stream);
    let again = get_after(NEWEST, &session, &primed).token(BRIEF);
    let mut first = Stream::open(&router, again.clone()).await;
    assert_eq!(status(&router, again.clone()).await, 503);
    drop(first);
    settle().await;
    first = Stream::open(&router, again).await;
    assert!(progress("a 1")(&first.numbered().await.1));
    tokio::time::advance(Duration::from_secs(61)).await;
    settle().await;
    gate.open();
    first.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_costs_the_return_and_nothing_else() {
    let Fixture { router, gate, events, .. } = fixture();
    let session = session(&router).await;
    events.breaks();
    let mut stream = Stream::open(&router, work_of(&session, "a", 1)).await;
    let primed = stream.priming().await;
    assert!(progress("a 1")(&stream.numbered().await.1));
    gate.open();
    assert_eq!(text(&stream.numbered().await.1), "a is done");
    stream.ends().await;
    assert_eq!(get_after(NEWEST, &session, &primed).send(&router).await.status, 404);
}

// ---------------------------------------------------------------------------------------------- over a socket

async fn until(stream: &mut TcpStream, what: &str) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(what) {
            assert_ne!(stream.read_buf(&mut read).await.expect("a connection"), 0, "closed without {what}");
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), reading).await;
    in_time.unwrap_or_else(|_| panic!("waited in vain for {what}"));
    String::from_utf8_lossy(&read).into_owned()
}

#[tokio::test]
async fn a_stopping_server_waits_for_calls_that_clients_come_back_to() {
    let gate = Arc::new(Gate { steps: Semaphore::new(0), dropped: Semaphore::new(0) });
    let server = server(&gate).drain_timeout(Duration::from_secs(60)).bind("127.0.0.1:0").await.expect("an address");
    let (address, handle) = (server.address(), server.handle());
    let served = tokio::spawn(server.run());
    let connect = async |call: HttpCall| {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(&call.header("host", address.to_string()).wire()).await.expect("a server that reads");
        stream
    };
    let mut opening = connect(HttpCall::initialize(NEWEST)).await;
    let head = until(&mut opening, "protocolVersion").await;
    let (_, rest) = head.split_once("mcp-session-id: ").expect("a session");
    let session = rest.split_once("\r\n").expect("a header").0.to_owned();
    let mut leaves = connect(work_of(&session, "a", 1)).await;
    let head = until(&mut leaves, "a 1").await;
    let (_, rest) = head.split_once("id: ").expect("an id");
    let primed = rest.split_once('\n').expect("an event").0.to_owned();
    drop(leaves);
    let mut comes_back = connect(get_after(NEWEST, &session, &primed)).await;
    until(&mut comes_back, "a 1").await;
    let mut listens = connect(get(NEWEST, &session)).await;
    until(&mut listens, "text/event-stream").await;
    handle.shutdown();
    // The stream of the session ends, the call does not.
    until(&mut listens, "0\r\n\r\n").await;
    assert!(!served.is_finished());
    gate.open();
    until(&mut comes_back, "a is done").await;
    let ended = tokio::time::timeout(Duration::from_secs(20), served).await.expect("the end in time");
    ended.expect("no panic").expect("a good end");
}

/// A client that does not read must not keep what another stream took over.
#[tokio::test(start_paused = true)]
async fn a_replay_that_nobody_reads_gives_way_to_the_next_stream() {
    let Fixture { built, router, .. } = fixture();
    let id = session(&router).await;
    let mut stream = Stream::open(&router, get(NEWEST, &id)).await;
    let mut first = None;
    for _ in 0..40 {
        built.handle().notify().tools_changed();
        let (event, _) = stream.numbered().await;
        first.get_or_insert(event);
    }
    let missed = get_after(NEWEST, &id, &first.expect("an event"));
    let mut unread = Stream::open(&router, missed).await;
    settle().await;
    let _next = Stream::open(&router, get(NEWEST, &id)).await;
    settle().await;
    let replayed = unread.rest().await.len();
    assert!(replayed < 20, "{replayed} events of a stream that was replaced");
}
