//! Whatever comes in: never a panic, never a hang, never a 5xx, and every answer is one that the protocol knows.
//!
//! The cases are the same on each run, so that a failure is one for everybody.

mod http_call;

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::{HeaderName, HeaderValue, Method, Request};
use http_call::{Answer, CAPABILITIES_KEY, HttpCall, VERSION, VERSION_KEY, messages, router, send};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use serde_json::{Map, Number, Value, json};
use tokio::runtime::Runtime;

/// Longer than any answer takes, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(5);
const TOKEN: &str = "0123456789abcdef0123";
/// One for all servers here, so that each knows the sessions of the others.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

// ---------------------------------------------------------------------------------------------- the server

#[data(input)]
struct Place {
    #[arg(header = "Region")]
    region: Option<String>,
    #[schemars(range(min = 1, max = 99))]
    number: Option<u8>,
}

#[data(input)]
#[serde(rename_all = "lowercase")]
enum Speed {
    Slow,
    Fast,
}

#[data(input)]
struct Tree {
    value: i64,
    children: Vec<Tree>,
}

/// Take every kind of argument.
#[tool]
#[expect(clippy::too_many_arguments, reason = "one of each")]
fn every_kind(
    #[arg(header = "Text")] text: Option<String>,
    #[arg(header = "Count")] count: Option<i64>,
    #[arg(header = "Flag")] flag: Option<bool>,
    place: Option<Place>,
    speed: Option<Speed>,
    tree: Option<Tree>,
    ratio: Option<f64>,
    list: Option<Vec<(u8, String)>>,
    any: Option<Value>,
) -> String {
    fn sum(tree: &Tree) -> i64 {
        tree.children.iter().map(sum).fold(tree.value, i64::wrapping_add)
    }
    let place = place.map(|place| (place.region.is_some(), place.number));
    let speed = speed.map(|speed| matches!(speed, Speed::Fast));
    let (tree, list, any) = (tree.as_ref().map(sum), list.map(|list| list.len()), any.is_some());
    format!("{} {count:?} {flag:?} {place:?} {speed:?} {tree:?} {ratio:?} {list:?} {any}", text.is_some())
}

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

/// Report progress.
#[tool]
async fn steps(ctx: Context) -> Json<u8> {
    for done in 1..=3 {
        ctx.progress(f64::from(done), 3.0, "on the way");
        tokio::task::yield_now().await;
    }
    Json(3)
}

/// Needs much.
#[tool(scopes("much"), requires(sampling, elicitation_url))]
fn demanding(caller: Principal) -> String {
    caller.subject().to_owned()
}

/// Nobody knows.
#[tool(hidden, scopes("never"))]
fn concealed() -> &'static str {
    "revealed"
}

fn server() -> Server {
    let tokens = StaticTokens::new().token(TOKEN, Principal::user("ci").scopes(["much"]));
    let tools = [every_kind::tool(), echo::tool(), steps::tool(), demanding::tool(), concealed::tool()];
    let server = Server::new("hostile", "0").only(tools).auth(Auth::chain().with(tokens)).allow_anonymous();
    server.max_body_bytes(64 * 1024).sealing_keys([KEY])
}

/// Requests that are answered with results.
fn good_attacks() -> Vec<Attack> {
    let mut attacks: Vec<_> = good_calls().into_iter().map(Attack::of).collect();
    for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
        let capabilities = json!({ "sampling": {}, "elicitation": { "url": {} }, "roots": {} });
        let client = Client::new(&server()).era(era).capabilities(capabilities);
        let anonymous = client.open().expect("a session");
        let known = client.principal(Principal::user("ci")).open().expect("a session");
        // An older client could not be asked for all that one of the tools demands.
        let calls = good_calls().into_iter().filter(|call| {
            let text = call.text();
            !text.contains("server/discover") && (era == Era::V2025_11_25 || !text.contains("demanding"))
        });
        for call in calls.chain([HttpCall::new("ping", json!({}))]) {
            let session = if call.has_header("authorization") { &known } else { &anonymous };
            attacks.push(Attack::of(call.in_era(era).session(session)));
        }
        attacks.push(Attack::of(HttpCall::initialize(era)));
        if era == Era::V2025_03_26 {
            let batch =
                [HttpCall::list(), HttpCall::tool("echo", json!({ "message": "hi" }))].map(|call| call.in_era(era).text());
            let body = format!("[{}]", batch.join(",")).into_bytes();
            attacks.push(Attack::of(HttpCall::list().in_era(era).session(&anonymous)).with_body(body));
        }
    }
    attacks
}

fn good_calls() -> Vec<HttpCall> {
    let arguments = json!({
        "text": "us", "count": 42, "flag": true, "place": { "region": "eu", "number": 7 }, "speed": "fast",
        "tree": { "value": 1, "children": [{ "value": 2, "children": [] }] }, "ratio": 0.5, "list": [[1, "a"]], "any": { "x": [null] },
    });
    vec![
        HttpCall::tool("every_kind", arguments)
            .header("mcp-param-text", "us")
            .header("mcp-param-count", "42.0")
            .header("mcp-param-flag", "true")
            .header("mcp-param-region", "=?base64?ZXU=?="),
        HttpCall::tool("echo", json!({ "message": "hi" })).token(TOKEN),
        HttpCall::tool("steps", json!({})).meta("progressToken", json!("p")),
        HttpCall::tool("demanding", json!({}))
            .token(TOKEN)
            .meta(CAPABILITIES_KEY, json!({ "sampling": {}, "elicitation": { "url": {} }, "roots": {} })),
        HttpCall::list().meta("io.modelcontextprotocol/logLevel", json!("info")),
        HttpCall::new("server/discover", json!({}))
            .meta("io.modelcontextprotocol/clientInfo", json!({ "name": "x", "version": "1" })),
    ]
}

// ---------------------------------------------------------------------------------------------- the judge

/// A request as the test case shows it when it fails.
#[derive(Clone, Debug)]
struct Attack {
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Attack {
    fn of(call: HttpCall) -> Self {
        let body = call.text().into_bytes();
        let (parts, _) = call.request().into_parts();
        let headers = parts.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { method: parts.method, headers, body }
    }

    fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = "/mcp".parse().expect("a URI");
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        request
    }

    /// Everything that the client itself wrote; an answer may repeat it.
    fn words(&self) -> String {
        let mut words = String::from_utf8_lossy(&self.body).into_owned();
        for (_, value) in &self.headers {
            words.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        words
    }
}

struct Court {
    runtime: Runtime,
    server: Router,
}

impl Court {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        Self { runtime, server: router(server()) }
    }

    fn judge(&self, attack: &Attack) -> TestCaseResult {
        let (server, request) = (self.server.clone(), attack.request());
        let begin = Instant::now();
        // On another thread, so that a loop without an end is noticed as well.
        let answering = self.runtime.spawn(async move { send(&server, request).await });
        let answer = match self.runtime.block_on(async { tokio::time::timeout(LIMIT, answering).await }) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(TestCaseError::fail(format!("panicked: {error}"))),
            Err(_) => return Err(TestCaseError::fail("no answer in time")),
        };
        prop_assert!(begin.elapsed() < LIMIT, "took {:?}", begin.elapsed());
        verdict(attack, &answer).map_err(|error| TestCaseError::fail(format!("{error}\nin {}", answer.shown())))
    }
}

fn verdict(attack: &Attack, answer: &Answer) -> TestCaseResult {
    prop_assert!((200..500).contains(&answer.status), "status {}", answer.status);
    let text = std::str::from_utf8(&answer.body).map_err(|_| TestCaseError::fail("the body is not UTF-8"))?;
    let kind = answer.header("content-type");
    match (answer.status, kind) {
        // HTTP has no body there.
        _ if attack.method == Method::HEAD => prop_assert!(text.is_empty() && answer.status >= 400),
        (202 | 204, kind) => prop_assert!(text.is_empty() && kind.is_none(), "an accepted message is not answered"),
        (status, Some("application/json")) => {
            let message = parsed(text)?;
            let signed_out = answer.headers.contains_key("www-authenticate")
                && match status {
                    400 => message["error"] == "invalid_request" && message["error_description"].is_string(),
                    401 => message == json!({ "error": "unauthorized" }),
                    _ => false,
                };
            if !signed_out {
                match &message {
                    // A batch, whose answers have no status of their own.
                    Value::Array(messages) if status == 200 && !messages.is_empty() => {
                        messages.iter().try_for_each(|message| response(message, None))?;
                    }
                    message => response(message, Some(status))?,
                }
            }
        }
        (200, Some("text/event-stream")) => {
            let events = messages(text);
            let (last, before) = events.split_last().ok_or_else(|| TestCaseError::fail("an empty stream"))?;
            response(last, Some(200))?;
            for event in before {
                prop_assert_eq!(&event["method"], "notifications/progress");
            }
        }
        _ => prop_assert!(false, "content type {kind:?}"),
    }
    leaks(attack, text)
}

fn parsed(text: &str) -> Result<Value, TestCaseError> {
    serde_json::from_str(text).map_err(|error| TestCaseError::fail(format!("no JSON: {error}")))
}

/// A JSON-RPC response: a result with 200, or an error.
fn response(message: &Value, status: Option<u16>) -> TestCaseResult {
    let members = message.as_object().ok_or_else(|| TestCaseError::fail("no object"))?;
    prop_assert_eq!(members.get("jsonrpc"), Some(&json!("2.0")));
    prop_assert!(members.keys().all(|name| ["jsonrpc", "id", "result", "error"].contains(&name.as_str())), "further members");
    let id_fits = match members.get("id") {
        None => !members.contains_key("result"),
        Some(Value::String(_)) => true,
        // Integers beyond 64 bits are read as floats here.
        Some(Value::Number(number)) => !number.is_f64() || number.as_f64().is_some_and(|number| number.abs() >= 9e18),
        Some(_) => false,
    };
    prop_assert!(id_fits, "the id");
    match (members.get("result"), members.get("error")) {
        (Some(result), None) => {
            prop_assert!(matches!(status, None | Some(200)));
            // The newest revision says both, the others neither.
            let of_server = result["_meta"].get("io.modelcontextprotocol/serverInfo").is_some();
            let complete = result.get("resultType").map(|kind| kind == "complete");
            prop_assert_eq!(complete, of_server.then_some(true));
        }
        (None, Some(error)) => {
            let code = error["code"].as_i64().unwrap_or_default();
            let known = match status {
                None => [-32600, -32601, -32602].contains(&code),
                // An unknown method is one with 404 in the newest revision alone, a session that is gone one in the others.
                Some(200) => [-32601, -32602].contains(&code),
                Some(404) => [-32601, -32600].contains(&code),
                Some(400) => [-32700, -32600, -32602, -32020, -32021, -32022].contains(&code),
                _ => code == -32600,
            };
            prop_assert!(known, "code {code} with status {status:?}");
            prop_assert!(error["message"].as_str().is_some_and(|text| !text.is_empty() && text.len() < 1000), "the message");
        }
        _ => prop_assert!(false, "neither a result nor an error, or both"),
    }
    Ok(())
}

/// What no answer may tell, unless the client said it first.
fn leaks(attack: &Attack, text: &str) -> TestCaseResult {
    // None of the tools fails: this would be a panic that was caught.
    prop_assert!(!text.contains("The tool failed"), "a caught panic");
    prop_assert!(!text.contains("revealed"), "a hidden tool was called");
    let words = attack.words();
    for inside in [
        "::",
        "src/",
        ".rs",
        "panick",
        "unwrap",
        "serde",
        "mcp_runtime",
        "hostile::",
        "visit_",
        "struct ",
        "concealed",
        " at line ",
    ] {
        prop_assert!(!text.contains(inside) || words.contains(inside), "`{inside}` leaks");
    }
    Ok(())
}

/// Runs a fixed number of cases, the same each time.
fn trial<S: Strategy<Value = Attack>>(cases: u32, attacks: &S) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let court = Court::new();
    if let Err(failure) = runner.run(attacks, |attack| court.judge(&attack)) {
        panic!("{failure}");
    }
}

// ---------------------------------------------------------------------------------------------- the attacks

fn good_attack() -> impl Strategy<Value = Attack> {
    select(good_attacks())
}

/// Pieces of messages that are likely to meet a rule.
const PIECES: [&str; 49] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    " ",
    "\n",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.0",
    "1e999",
    "-1e-999",
    "18446744073709551616",
    "9007199254740993",
    "123456789012345678901234567890",
    "\"\"",
    "\"2.0\"",
    "\"jsonrpc\":",
    "\"id\":",
    "\"method\":",
    "\"params\":",
    "\"name\":",
    "\"arguments\":",
    "\"_meta\":",
    "\"result\":",
    "\"error\":",
    "\"cursor\":",
    "\"progressToken\":",
    "\"tools/call\"",
    "\"tools/list\"",
    "\"server/discover\"",
    "\"initialize\"",
    "\"ping\"",
    "\"notifications/cancelled\"",
    "\"requestId\":",
    "\"protocolVersion\":",
    "\"2025-03-26\"",
    "\"every_kind\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\u{feff}",
    "{}",
];

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => Just(VERSION_KEY.as_bytes().to_vec()),
        1 => Just(VERSION.as_bytes().to_vec()),
        2 => vec(any::<u8>(), 1..4),
    ]
}

#[derive(Clone, Debug)]
enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Replace(Index, usize, Vec<u8>),
    Repeat(Index, usize, usize),
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        // Most often still JSON.
        (any::<Index>(), b'0'..=b'z').prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (any::<Index>(), piece()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (any::<Index>(), 1_usize..30, piece()).prop_map(|(at, length, piece)| Mutation::Replace(at, length, piece)),
        (any::<Index>(), 1_usize..60, 1_usize..5).prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
        any::<Index>().prop_map(Mutation::Cut),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let size = bytes.len();
        let range = |at: &Index, length: usize| at.index(size)..(at.index(size) + length).min(size);
        match self {
            Self::Set(at, byte) => bytes[at.index(size)] = *byte,
            Self::Insert(at, piece) => drop(bytes.splice(range(at, 0), piece.iter().copied())),
            Self::Replace(at, length, piece) => drop(bytes.splice(range(at, *length), piece.iter().copied())),
            Self::Repeat(at, length, times) => {
                let part = bytes[range(at, *length)].repeat(*times);
                drop(bytes.splice(range(at, 0), part));
            }
            Self::Cut(at) => bytes.truncate(at.index(size)),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        vec(any::<char>(), 0..6).prop_map(String::from_iter),
        select(vec![
            "",
            "2.0",
            VERSION,
            "2025-11-25",
            "tools/call",
            "echo",
            "ehco",
            "concealde",
            "every_kind",
            "us",
            "42",
            "true",
            "fast",
            "p"
        ])
        .prop_map(str::to_owned),
        Just("x".repeat(3000)),
    ]
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        (-100_i64..300).prop_map(Number::from),
        any::<f64>().prop_filter_map("JSON has no infinities", Number::from_f64),
        select(vec![-0.0, 42.0, 1e300, 9_007_199_254_740_993.0]).prop_filter_map("finite", Number::from_f64),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let known =
        ["text", "count", "flag", "place", "region", "tree", "value", "children", "list", "message", "_meta", "name", "$ref"];
    prop_oneof![3 => select(known.to_vec()).prop_map(str::to_owned), 1 => text()]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name(), inner), 0..6).prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The place of every member of a message.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                places(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

const HEADERS: [&str; 24] = [
    "host",
    "origin",
    "content-type",
    "accept",
    "authorization",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "mcp-param-text",
    "mcp-param-count",
    "mcp-param-flag",
    "mcp-param-region",
    "mcp-param-other",
    "mcp-session-id",
    "last-event-id",
    "cookie",
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "expect",
    "connection",
    "upgrade",
    "access-control-request-method",
    "x-forwarded-host",
];

const VALUES: [&str; 38] = [
    "",
    " ",
    "localhost",
    "localhost:8000",
    "[::1]:80",
    "evil.example",
    "http://localhost:1",
    "https://evil.example",
    "null",
    "*/*",
    "application/json",
    "application/json;charset=utf-8",
    "text/event-stream",
    "text/plain",
    "Bearer 0123456789abcdef0123",
    "Bearer x",
    "Bearer ",
    "Basic YTpi",
    VERSION,
    "2025-11-25",
    "2025-03-26",
    "2024-11-05",
    "tools/call",
    "tools/list",
    "every_kind",
    "echo",
    "us",
    "42",
    "42.0",
    "-0",
    "true",
    "=?base64?dXM=?=",
    "=?base64??=",
    "=?base64?=",
    "=?base64?/w==?=",
    "=?base64?####?=",
    "99999999999999999999999999999999999999999999",
    "0",
];

fn header_name() -> impl Strategy<Value = HeaderName> {
    let any_token =
        "[a-z0-9!#$%&'*+.^_`|~-]{1,20}".prop_filter_map("a token", |name: String| HeaderName::from_bytes(name.as_bytes()).ok());
    prop_oneof![8 => select(&HEADERS[..]).prop_map(HeaderName::from_static), 1 => any_token]
}

fn header_value() -> impl Strategy<Value = HeaderValue> {
    let any_bytes = vec(any::<u8>(), 0..24).prop_filter_map("bytes of a header", |bytes| HeaderValue::from_bytes(&bytes).ok());
    let visible = "[ -~]{0,24}".prop_filter_map("a header", |text: String| HeaderValue::from_str(&text).ok());
    prop_oneof![4 => select(&VALUES[..]).prop_map(HeaderValue::from_static), 1 => any_bytes, 1 => visible]
}

fn http_method() -> impl Strategy<Value = Method> {
    let others = vec![
        Method::GET,
        Method::OPTIONS,
        Method::DELETE,
        Method::PUT,
        Method::HEAD,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    prop_oneof![9 => Just(Method::POST), 1 => select(others)]
}

// ---------------------------------------------------------------------------------------------- the trials

#[test]
fn what_the_attacks_begin_with_is_answered_with_results() {
    let court = Court::new();
    for attack in good_attacks() {
        let answer = court.runtime.block_on(send(&court.server, attack.request()));
        assert_eq!(answer.status, 200, "{attack:?}: {}", answer.shown());
        assert!(!answer.shown().contains("\"isError\"") && !answer.shown().contains("\"error\""), "{}", answer.shown());
        verdict(&attack, &answer).expect("a good answer");
    }
}

#[test]
fn random_bytes_are_answered() {
    let bytes = prop_oneof![vec(any::<u8>(), 0..300), vec(piece(), 0..40).prop_map(|pieces| pieces.concat())];
    trial(1500, &(good_attack(), bytes).prop_map(|(attack, bytes)| attack.with_body(bytes)));
}

#[test]
fn valid_requests_with_changed_bytes_are_answered() {
    let attacks = (good_attack(), vec(mutation(), 1..4)).prop_map(|(mut attack, mutations)| {
        for mutation in &mutations {
            mutation.apply(&mut attack.body);
        }
        attack
    });
    trial(2500, &attacks);
}

#[test]
fn any_json_in_any_member_is_answered() {
    let replaced = (good_attack(), vec((any::<Index>(), any_json()), 1..4), name()).prop_map(|(attack, replacements, added)| {
        let mut message: Value = serde_json::from_slice(&attack.body).expect("a valid request");
        for (place, value) in replacements {
            let mut all = Vec::new();
            places(&message, "", &mut all);
            let target = message.pointer_mut(place.get::<String>(&all)).expect("a place that was just found");
            match target {
                // An object sometimes keeps what it has and gets one more.
                Value::Object(members) if place.index(2) == 0 => drop(members.insert(added.clone(), value)),
                target => *target = value,
            }
        }
        attack.with_body(message.to_string().into_bytes())
    });
    trial(2500, &replaced);
}

#[test]
fn any_arguments_are_answered() {
    let members = ["text", "count", "flag", "place", "speed", "tree", "ratio", "list", "any", "taxt"];
    let arguments = vec((select(members.to_vec()), any_json()), 0..8);
    let attacks = arguments.prop_map(|members| {
        let arguments: Map<_, _> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        // The headers agree, so that the arguments reach the tool.
        let mut call = HttpCall::tool("every_kind", Value::from(arguments.clone()));
        let region = arguments.get("place").and_then(|place| place.get("region"));
        for (header, value) in [
            ("text", arguments.get("text")),
            ("count", arguments.get("count")),
            ("flag", arguments.get("flag")),
            ("region", region),
        ] {
            let text = match value {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_graphic()) => text.clone(),
                Some(Value::String(_)) => "=?base64??=".to_owned(),
                Some(other) if other.is_object() || other.is_array() => "x".to_owned(),
                Some(other) => other.to_string(),
            };
            call = call.header(&format!("mcp-param-{header}"), text);
        }
        Attack::of(call)
    });
    trial(1500, &attacks);
}

#[test]
fn any_headers_are_answered() {
    let attacks = (good_attack(), http_method(), vec((header_name(), header_value(), any::<bool>()), 1..5)).prop_map(
        |(mut attack, method, headers)| {
            attack.method = method;
            for (name, value, beside) in headers {
                if !beside {
                    attack.headers.retain(|(known, _)| *known != name);
                }
                attack.headers.push((name, value));
            }
            attack
        },
    );
    trial(2500, &attacks);
}

#[test]
fn everything_at_once_is_answered() {
    let headers = vec((header_name(), header_value()), 0..4);
    let attacks =
        (good_attack(), vec(mutation(), 0..3), headers, http_method()).prop_map(|(mut attack, mutations, headers, method)| {
            mutations.iter().for_each(|mutation| mutation.apply(&mut attack.body));
            attack.headers.extend(headers);
            attack.method = method;
            attack
        });
    trial(1500, &attacks);
}
