//! Questions to clients of the handshake revisions on the wire: requests on the call's own stream, answered by messages of their own.

mod http_call;
mod round_trip;

use std::collections::HashSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use http_call::{HttpCall, messages, open, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use mcp_runtime::{AskError, Elicited, LegacyClients, Question};
use round_trip::accept;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const ASKING: [Era; 2] = [Era::V2025_06_18, Era::V2025_11_25];
const ADA: &str = "ada-0123456789abcdefgh";
const BOB: &str = "bob-0123456789abcdefgh";

#[data]
struct Named {
    name: String,
}

/// Ask who it is.
#[tool]
async fn who(ctx: Context) -> Result<String, ToolError> {
    Ok(ctx.elicit::<Named>("Who?").await?.accepted()?.name)
}

/// Ask two things at once.
#[tool]
async fn both(ctx: Context) -> Result<String, ToolError> {
    let who: Question<Elicited<Named>> = ctx.elicit("Who?");
    let (who, whom) = tokio::try_join!(who.named("who"), ctx.elicit::<Named>("Whom?").named("whom"))?;
    Ok(format!("{} {}", who.accepted()?.name, whom.accepted()?.name))
}

/// Wait a little for an answer, then ask again.
#[tool]
async fn patient(ctx: Context) -> Result<String, ToolError> {
    let first = tokio::time::timeout(Duration::from_secs(5), ctx.elicit::<Named>("Who?").named("who")).await;
    assert!(first.is_err(), "answered in time");
    Ok(ctx.elicit::<Named>("Who?").named("who").await?.accepted()?.name)
}

/// Ask for a sample.
#[tool]
async fn sample(ctx: Context) -> Result<String, ToolError> {
    match ctx.sample("Hm?").await {
        Ok(sampled) => Ok(sampled.text()),
        Err(AskError::Client { code, message }) => Ok(format!("{code} {message}")),
        Err(error) => Err(error.into()),
    }
}

/// Ask for the roots.
#[tool]
async fn roots(ctx: Context) -> Result<usize, ToolError> {
    Ok(ctx.roots().await?.len())
}

fn bare() -> Server {
    Server::new("live", "0").only([who::tool(), both::tool(), patient::tool(), sample::tool(), roots::tool()])
}

fn served() -> Router {
    router(bare().allow_anonymous())
}

fn initialize(era: Era) -> HttpCall {
    let able = json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} });
    HttpCall::initialize(era).edit(|message| message["params"]["capabilities"] = able)
}

/// One client in its session.
#[derive(Clone)]
struct Session {
    router: Router,
    era: Era,
    id: String,
}

/// A call under way, as its client reads it.
struct Stream(Body);

impl Session {
    async fn open(router: &Router, era: Era) -> Self {
        let id = open(router, initialize(era)).await;
        Self { router: router.clone(), era, id }
    }

    fn call(&self, tool: &str) -> HttpCall {
        HttpCall::tool(tool, json!({})).in_era(self.era).session(&self.id)
    }

    async fn begin(&self, tool: &str) -> Stream {
        let response = self.router.clone().oneshot(self.call(tool).request()).await.expect("routers do not fail");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream(response.into_body())
    }

    fn message(&self, message: &Value) -> HttpCall {
        HttpCall::legacy(self.era, "ping", json!({})).session(&self.id).body(message.to_string())
    }

    /// Answers a question; whatever becomes of it, the message is accepted.
    async fn post(&self, message: Value) {
        let answer = self.message(&message).send(&self.router).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0), "{message}: {}", answer.shown());
    }

    async fn answer(&self, id: &Value, result: Value) {
        self.post(json!({ "jsonrpc": "2.0", "id": id, "result": result })).await;
    }
}

impl Stream {
    /// The next message.
    async fn next(&mut self) -> Value {
        loop {
            let frame = self.0.frame().await.expect("a frame").expect("no error").into_data().expect("data");
            let text = std::str::from_utf8(&frame).expect("text");
            let sent = messages(text);
            if let [message] = &sent[..] {
                return message.clone();
            }
            assert!(sent.is_empty(), "one event in each frame: {text}");
        }
    }

    async fn question(&mut self) -> Value {
        let question = self.next().await;
        assert!(question["id"].is_string() && question["method"].is_string(), "{question}");
        question
    }

    /// The text of its answer, which is its last message.
    async fn text(mut self) -> String {
        let last = self.next().await;
        assert_eq!(last["id"], 7, "{last}");
        assert!(self.0.frame().await.is_none(), "and nothing after it");
        last["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {last}")).to_owned()
    }

    /// Nothing comes, however often the others have their turn.
    async fn is_quiet(&mut self) {
        let others = async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            next = self.0.frame() => panic!("{next:?}"),
            () = others => {}
        }
    }
}

fn named(name: &str) -> Value {
    accept(json!({ "name": name }))
}

#[tokio::test]
async fn a_question_is_a_request_on_the_calls_stream_and_its_answer_a_message() {
    let router = served();
    for era in ASKING {
        let session = Session::open(&router, era).await;
        let mut stream = session.begin("who").await;
        let question = stream.question().await;
        assert_eq!((&question["jsonrpc"], &question["method"]), (&json!("2.0"), &json!("elicitation/create")), "{era:?}");
        assert_eq!(question["params"]["message"], "Who?", "{era:?}");
        session.answer(&question["id"], named("Ada")).await;
        assert_eq!(stream.text().await, "Ada", "{era:?}");
        let mut stream = session.begin("roots").await;
        let question = stream.question().await;
        assert_eq!((&question["method"], question.get("params")), (&json!("roots/list"), None), "{era:?}");
        session.answer(&question["id"], json!({ "roots": [{ "uri": "file:///" }] })).await;
        assert_eq!(stream.text().await, "1", "{era:?}");
    }
}

#[tokio::test]
async fn what_is_joined_is_asked_before_the_first_answer() {
    let router = served();
    for order in [[0, 1], [1, 0]] {
        let session = Session::open(&router, Era::V2025_11_25).await;
        let mut stream = session.begin("both").await;
        let asked = [stream.question().await, stream.question().await];
        assert_eq!(asked.each_ref().map(|asked| asked["params"]["message"].clone()), [json!("Who?"), json!("Whom?")]);
        for index in order {
            stream.is_quiet().await;
            session.answer(&asked[index]["id"], named(["Ada", "Bob"][index])).await;
        }
        assert_eq!(stream.text().await, "Ada Bob");
    }
}

#[tokio::test]
async fn each_of_two_calls_gets_its_own_answer() {
    let router = served();
    for era in ASKING {
        let session = Session::open(&router, era).await;
        let mut ids = HashSet::new();
        // With one and the same request id, which a client should not use and some do.
        let mut streams = [session.begin("who").await, session.begin("who").await, session.begin("who").await];
        let mut asked = Vec::new();
        for stream in &mut streams {
            let question = stream.question().await;
            assert!(ids.insert(question["id"].to_string()), "{era:?}: {question}");
            asked.push(question["id"].clone());
        }
        for index in [2, 0, 1] {
            session.answer(&asked[index], named(&format!("name {index}"))).await;
        }
        for (index, stream) in streams.into_iter().enumerate() {
            assert_eq!(stream.text().await, format!("name {index}"), "{era:?}");
        }
    }
}

#[tokio::test]
async fn nobody_else_answers_and_nothing_else_is_an_answer() {
    let tokens = StaticTokens::new().token(ADA, Principal::user("ada")).token(BOB, Principal::user("bob"));
    let router = router(bare().auth(Auth::chain().with(tokens)).allow_anonymous());
    let (session, other) = (Session::open(&router, Era::V2025_11_25).await, Session::open(&router, Era::V2025_11_25).await);
    let mut stream = session.begin("who").await;
    let id = stream.question().await["id"].clone();
    let text = id.as_str().expect("a string");
    // Another session, with a call of its own and without.
    other.answer(&id, named("Mallory")).await;
    let mut others = other.begin("who").await;
    let others_id = others.question().await["id"].clone();
    other.answer(&id, named("Mallory")).await;
    session.answer(&others_id, named("Mallory")).await;
    // Another caller, by this session's id: the session is not theirs.
    let message = json!({ "jsonrpc": "2.0", "id": id, "result": named("Mallory") });
    assert_eq!(session.message(&message).token(BOB).send(&router).await.status, 404);
    // Another revision's message, and one without a session.
    assert_eq!(HttpCall::tool("who", json!({})).body(message.to_string()).send(&router).await.status, 400);
    let stray = HttpCall::legacy(Era::V2025_11_25, "ping", json!({})).body(message.to_string()).send(&router).await;
    assert_eq!(stray.status, 400, "{}", stray.shown());
    for id in [
        json!("unknown"),
        json!(7),
        json!(0),
        json!(""),
        json!(format!("{text}x")),
        json!(&text[1..]),
        json!(text.to_uppercase()),
    ] {
        session.answer(&id, named("Mallory")).await;
    }
    session
        .post(json!({ "jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": { "elicitationId": id } }))
        .await;
    stream.is_quiet().await;
    others.is_quiet().await;
    session.answer(&id, named("Ada")).await;
    session.answer(&id, named("Mallory")).await;
    assert_eq!(stream.text().await, "Ada");
    session.answer(&id, named("late")).await;
    other.answer(&others_id, named("Bob")).await;
    assert_eq!(others.text().await, "Bob");
}

#[tokio::test]
async fn a_client_may_answer_with_an_error() {
    let session = Session::open(&served(), Era::V2025_11_25).await;
    for (error, told) in [
        (json!({ "code": -1, "message": "User rejected sampling request" }), "-1 User rejected sampling request"),
        (json!({ "code": -32601, "message": "x".repeat(1000) }), "-32601 xxx"),
        (json!({}), "0 "),
        // What is no error of JSON-RPC ends the question as well.
        (json!({ "code": "ENOENT", "message": 5 }), "-32603 its error can not be read"),
        (json!(null), "-32603 its error can not be read"),
    ] {
        let mut stream = session.begin("sample").await;
        let id = stream.question().await["id"].clone();
        session.post(json!({ "jsonrpc": "2.0", "id": id, "error": error })).await;
        let text = stream.text().await;
        assert!(text.starts_with(told) && text.len() < 300, "{text}");
    }
    // Where the function passes it on, the model is told nothing of what the client's error says.
    let mut stream = session.begin("who").await;
    let id = stream.question().await["id"].clone();
    session.post(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32602, "message": "no such mode" } })).await;
    assert_eq!(stream.text().await, "The tool failed. The cause is in the server's log.");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_no_answer_to_the_next_question() {
    let session = Session::open(&served(), Era::V2025_11_25).await;
    let mut stream = session.begin("patient").await;
    let first = stream.question().await["id"].clone();
    let second = stream.question().await["id"].clone();
    assert_ne!(first, second);
    session.answer(&first, named("late")).await;
    stream.is_quiet().await;
    session.answer(&second, named("Ada")).await;
    assert_eq!(stream.text().await, "Ada");
}

/// ELIC-07: people think for longer than tools may run, and some never answer.
#[tokio::test(start_paused = true)]
async fn a_question_waits_for_long_and_not_for_ever() {
    let session = Session::open(&router(bare().allow_anonymous().timeout(Duration::from_secs(2))), Era::V2025_11_25).await;
    let mut stream = session.begin("who").await;
    let id = stream.question().await["id"].clone();
    tokio::time::sleep(Duration::from_secs(500)).await;
    session.answer(&id, named("Ada")).await;
    // Proxies see signs of life meanwhile, which are no events.
    let mut rest = String::new();
    while let Some(frame) = stream.0.frame().await {
        rest.push_str(std::str::from_utf8(&frame.expect("no error").into_data().expect("data")).expect("text"));
    }
    assert!(rest.contains(r#""text":"Ada""#), "{rest}");
    let mut stream = session.begin("who").await;
    stream.question().await;
    let mut rest = String::new();
    while let Some(frame) = stream.0.frame().await {
        rest.push_str(std::str::from_utf8(&frame.expect("no error").into_data().expect("data")).expect("text"));
    }
    assert!(rest.contains("The tool did not finish within its limit of "), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_without_end_is_no_fault() {
    let limits = bare().allow_anonymous().timeout(Duration::MAX).heartbeat(Duration::MAX);
    let session = Session::open(&router(limits), Era::V2025_11_25).await;
    let mut stream = session.begin("who").await;
    let id = stream.question().await["id"].clone();
    session.answer(&id, named("Ada")).await;
    assert_eq!(stream.text().await, "Ada");
}

#[tokio::test]
async fn a_call_whose_session_ends_asks_nobody() {
    let session = Session::open(&served(), Era::V2025_11_25).await;
    let mut stream = session.begin("who").await;
    let id = stream.question().await["id"].clone();
    let ended = session.call("who").http_method(http::Method::DELETE).send(&session.router).await;
    assert_eq!(ended.status, 204);
    assert!(stream.0.frame().await.is_none(), "its stream ends without an answer");
    let message = json!({ "jsonrpc": "2.0", "id": id, "result": named("Ada") });
    assert_eq!(session.message(&message).send(&session.router).await.status, 404);
}

#[tokio::test]
async fn who_can_not_be_asked_is_told_why() {
    let router = served();
    for era in ASKING {
        let session = Session::open(&router, era).await;
        let json_only = session.call("who").header("accept", "application/json").send(&router).await;
        assert!(json_only.is_tool_error(), "{era:?}");
        let told = "Nobody can be asked here: a question needs a stream, so this client must accept text/event-stream, and send the \
                    call by itself";
        assert_eq!(json_only.tool_text(), told, "{era:?}");
    }
    // A batch is answered by one array, in which there is no place for questions.
    let session = Session::open(&router, Era::V2025_03_26).await;
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "sample", "arguments": {} } });
    let batch = session.call("sample").body(json!([call]).to_string()).send(&router).await;
    let text = batch.json()[0]["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.starts_with("Nobody can be asked here: a question needs a stream"), "{}", batch.shown());
    // Nothing is known of a client without a session.
    let sessionless = http_call::router(bare().allow_anonymous().legacy_clients(LegacyClients::Sessionless));
    for era in [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25] {
        for tool in ["who", "sample", "roots"] {
            let answer = HttpCall::tool(tool, json!({})).in_era(era).send(&sessionless).await;
            assert!(answer.is_tool_error(), "{era:?}: {}", answer.shown());
            assert_eq!(answer.tool_text(), "Nobody can be asked here: this client has no session", "{era:?} {tool}");
        }
    }
}
