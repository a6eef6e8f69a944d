//! Clients that open with `initialize`, on the endpoint that serves the newest revision as well: which era a message is of, how
//! a session is agreed on, what the three revisions are answered, and what bad input gets.

mod http_call;

use axum::Router;
use http::Method;
use http_call::{Answer, CAPABILITIES_KEY, HttpCall, VERSION, VERSION_KEY, messages, open, router};
use mcp_runtime::LegacyClients;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};
use tokio::sync::Barrier;

const LEGACY: [Era; 3] = [Era::V2025_03_26, Era::V2025_06_18, Era::V2025_11_25];
const NEWEST_LEGACY: &str = "2025-11-25";
const NO_SESSION: &str = "No session: send initialize first, then its Mcp-Session-Id with every request";

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

/// Two numbers.
#[tool(title = "Numbers", icons("https://example.com/n.png"))]
fn pair(#[arg(header = "First")] first: u8, second: u8) -> Json<Vec<u8>> {
    Json(vec![first, second])
}

/// Sample.
#[tool(requires(sampling))]
fn sample() -> &'static str {
    "sampled"
}

/// Only with a scope.
#[tool(scopes("admin"))]
fn guarded(message: String) -> String {
    message
}

/// Answer once the other caller is there as well.
#[tool]
async fn meet(message: String, barrier: State<Barrier>) -> String {
    barrier.wait().await;
    message
}

/// What a tool can know of its call.
#[tool]
async fn facts(ctx: Context, caller: Principal, headers: HeaderMap) -> String {
    ctx.progress(1.0, 2.0, "half");
    tokio::task::yield_now().await;
    use Capability::{Elicitation, ElicitationUrl, Roots, Sampling};
    let can: Vec<_> = [Elicitation, ElicitationUrl, Sampling, Roots].into_iter().filter(|able| ctx.client_can(*able)).collect();
    let mine = headers.get("x-mine").and_then(|value| value.to_str().ok());
    format!("{} by {} {mine:?} {:?} {can:?}", ctx.tool_name(), caller.subject(), headers.get("mcp-session-id"))
}

fn server() -> Server {
    let tools = [echo::tool(), pair::tool(), sample::tool(), meet::tool()];
    let server = Server::new("old and new", "1.2.3").title("Old & new").instructions("Take your time.");
    server.only(tools).state(Barrier::new(2)).allow_anonymous()
}

fn echo_call() -> HttpCall {
    HttpCall::tool("echo", json!({ "message": "hi" }))
}

/// In a session of its own.
async fn opened(router: &Router, era: Era, call: HttpCall) -> HttpCall {
    call.in_era(era).session(&open(router, HttpCall::initialize(era)).await)
}

/// A message of no revision in particular, byte for byte, without any header that names one.
fn raw(body: impl Into<Vec<u8>>) -> HttpCall {
    HttpCall::legacy(Era::V2025_03_26, "ping", json!({})).body(body)
}

// ---------------------------------------------------------------------------------------------- which era

#[tokio::test]
async fn the_body_decides_the_era_then_the_version_header() {
    let router = router(server());
    let session = open(&router, HttpCall::initialize(Era::V2025_11_25)).await;
    let claimless = || echo_call().in_era(Era::V2025_03_26);
    let initialize = || HttpCall::initialize(Era::V2025_11_25);
    let version = "mcp-protocol-version";
    for (what, call, outcome) in [
        ("ERA-01: a claim", echo_call(), (200, None)),
        ("ERA-14: a claim, with a session", echo_call().session(&session), (200, None)),
        ("ERA-14: a claim, with a session that is none", echo_call().session("forged"), (200, None)),
        ("ERA-02: initialize with a claim", HttpCall::new("initialize", initialize_params()), (404, Some(-32601))),
        ("ERA-02: ping with a claim", HttpCall::new("ping", json!({})).session(&session), (404, Some(-32601))),
        ("ERA-03: the newest version in the header alone", claimless().header(version, VERSION), (400, Some(-32602))),
        ("ERA-03: so in a session", claimless().session(&session).header(version, VERSION), (400, Some(-32602))),
        ("ERA-04: no claim", claimless().session(&session), (200, None)),
        ("ERA-04: no claim, and a legacy header", claimless().session(&session).header(version, NEWEST_LEGACY), (200, None)),
        ("ERA-05: a claim without its header", echo_call().without_header(version), (400, Some(-32020))),
        ("ERA-05: so in a session", echo_call().without_header(version).session(&session), (400, Some(-32020))),
        ("ERA-05: a claim against a legacy header", echo_call().header(version, NEWEST_LEGACY), (400, Some(-32020))),
        ("ERA-06: initialize against its header", initialize().header(version, VERSION), (400, Some(-32020))),
        ("ERA-07: an unknown old version", claimless().session(&session).header(version, "2024-11-05"), (400, Some(-32600))),
        ("ERA-07: a version that is none", claimless().session(&session).header(version, ""), (400, Some(-32600))),
        ("ERA-07: an unknown new version", claimless().session(&session).header(version, "2025-11-26"), (400, Some(-32022))),
        ("ERA-07: a version that is no date", initialize().header(version, "latest"), (400, Some(-32022))),
        ("two versions", initialize().header(version, NEWEST_LEGACY).another(version, NEWEST_LEGACY), (400, Some(-32600))),
        ("bytes in the version", initialize().header(version, b"2025\xff"), (400, Some(-32600))),
        ("ERA-08: Mcp-Method on a handshake", initialize().header("mcp-method", "initialize"), (200, None)),
        ("ERA-08: an Mcp-Method that differs", initialize().header("mcp-method", "tools/call"), (200, None)),
        (
            "ERA-08: headers of the newest revision",
            claimless().session(&session).header("mcp-method", "x").header("mcp-name", "y").header("mcp-param-first", "z"),
            (200, None),
        ),
        ("ERA-08: an unknown key in _meta", claimless().session(&session).meta("com.example/x", json!(1)), (200, None)),
        ("a claim of the wrong type", claimless().session(&session).meta(VERSION_KEY, json!(5)), (400, Some(-32602))),
        ("a claim of an old version", claimless().session(&session).meta(VERSION_KEY, json!(NEWEST_LEGACY)), (400, Some(-32020))),
        ("ERA-09: a notification by its header", claimless().notification().header(version, VERSION), (202, None)),
        ("ERA-09: a notification by its session", claimless().notification().session(&session), (202, None)),
        ("ERA-09: a response by its header", response().header(version, VERSION), (400, Some(-32600))),
        ("ERA-09: a response by its session", response().session(&session), (202, None)),
        ("ERA-09: a response to nobody", response(), (400, Some(-32600))),
    ] {
        let answer = call.send(&router).await;
        assert_eq!(answer.outcome(), outcome, "{what}: {}", answer.shown());
    }
}

fn initialize_params() -> Value {
    json!({ "protocolVersion": NEWEST_LEGACY, "capabilities": {}, "clientInfo": { "name": "oldie", "version": "4.2" } })
}

fn response() -> HttpCall {
    raw(r#"{"jsonrpc":"2.0","id":"srv-1","result":{}}"#)
}

#[tokio::test]
async fn an_unknown_version_is_answered_with_those_that_are_known() {
    let router = router(server());
    let call = |version: &str| HttpCall::initialize(Era::V2025_11_25).header("mcp-protocol-version", version);
    let newer = call("2027-01-01").send(&router).await.json();
    assert_eq!(newer["error"]["data"], json!({ "supported": [VERSION], "requested": "2027-01-01" }));
    assert_eq!(newer["id"], 7);
    let older = call("2024-11-05").send(&router).await;
    assert_eq!(
        older.message(),
        "MCP-Protocol-Version is 2024-11-05, none of the versions that open with initialize: 2025-03-26, 2025-06-18, 2025-11-25",
        "{}",
        older.shown()
    );
}

#[tokio::test]
async fn a_claimless_request_is_never_served_as_the_newest_revision_nor_a_claim_as_an_old_one() {
    let router = router(server());
    for era in LEGACY {
        let text = opened(&router, era, echo_call()).await.send(&router).await.shown();
        assert!(!text.contains("resultType") && !text.contains("serverInfo"), "{era:?}: {text}");
        let claim = opened(&router, era, HttpCall::list()).await.header("mcp-protocol-version", VERSION);
        let claim = claim.header("mcp-method", "tools/list").edit(|message| {
            message["params"] = json!({ "_meta": { VERSION_KEY: VERSION, CAPABILITIES_KEY: {} } });
        });
        assert_eq!(claim.send(&router).await.json()["result"]["resultType"], "complete", "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- the handshake

#[tokio::test]
async fn a_handshake_is_answered_in_the_form_of_its_revision() {
    let router = router(server());
    for era in LEGACY {
        let answer = HttpCall::initialize(era).send(&router).await;
        let mut info = json!({ "name": "old and new", "version": "1.2.3" });
        if era >= Era::V2025_06_18 {
            info["title"] = json!("Old & new");
        }
        let result = json!({
            "protocolVersion": era.version(),
            "capabilities": { "tools": {} },
            "serverInfo": info,
            "instructions": "Take your time.",
        });
        assert_eq!(answer.json(), json!({ "jsonrpc": "2.0", "id": 7, "result": result }), "{era:?}");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        let initialized = HttpCall::legacy(era, "notifications/initialized", json!({})).notification();
        let accepted = initialized.session(answer.header("mcp-session-id").expect("a session")).send(&router).await;
        assert_eq!((accepted.status, accepted.body.len()), (202, 0), "{era:?}");
    }
    let bare = http_call::router(Server::new("bare", "0").only([]).allow_anonymous());
    let answer = HttpCall::initialize(Era::V2025_11_25).send(&bare).await.json();
    assert_eq!(answer["result"]["capabilities"], json!({}), "what is not there is not advertised");
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_answered_with_the_newest_legacy_one() {
    let router = router(server());
    let ask = async |version: &str, header: Option<&str>| {
        let call = HttpCall::initialize(Era::V2025_11_25).edit(|message| message["params"]["protocolVersion"] = json!(version));
        let call = header.map_or(call.clone(), |header| call.header("mcp-protocol-version", header));
        call.send(&router).await
    };
    for (asked, agreed) in [
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        (VERSION, NEWEST_LEGACY),
        ("2024-11-05", NEWEST_LEGACY),
        ("1999-01-01", NEWEST_LEGACY),
        ("2031-01-01", NEWEST_LEGACY),
        ("2025-06-18 ", NEWEST_LEGACY),
        ("", NEWEST_LEGACY),
    ] {
        let answer = ask(asked, None).await;
        assert_eq!(answer.json()["result"]["protocolVersion"], agreed, "{asked:?}: {}", answer.shown());
        assert!(answer.header("mcp-session-id").is_some(), "{asked:?}");
    }
    for (asked, header, outcome) in [
        ("2025-06-18", "2025-06-18", (200, None)),
        ("2025-06-18", "2025-11-25", (400, Some(-32600))),
        ("2025-11-25", "2025-03-26", (400, Some(-32600))),
        // Nothing that both could mean is contradicted.
        (VERSION, NEWEST_LEGACY, (200, None)),
        ("1999-01-01", NEWEST_LEGACY, (200, None)),
    ] {
        let answer = ask(asked, Some(header)).await;
        assert_eq!(answer.outcome(), outcome, "{asked} and {header}: {}", answer.shown());
        assert_eq!(answer.header("mcp-session-id").is_some(), outcome.0 == 200, "{asked} and {header}");
    }
}

#[tokio::test]
async fn every_field_that_a_handshake_lacks_is_named() {
    const NEEDED: &str = "initialize needs params.protocolVersion (a string), params.capabilities (an object) and \
        params.clientInfo (an object with the strings name and version)";
    type Spoil = fn(&mut Value);
    let spoilt: [(Spoil, &[&str], &[&str]); 19] = [
        (|m| drop(params(m).remove("protocolVersion")), &["protocolVersion"], &[]),
        (|m| drop(params(m).insert("protocolVersion".into(), json!(20251125))), &[], &["protocolVersion"]),
        (|m| drop(params(m).insert("protocolVersion".into(), json!(["2025-11-25"]))), &[], &["protocolVersion"]),
        (|m| drop(params(m).remove("capabilities")), &["capabilities"], &[]),
        (|m| drop(params(m).insert("capabilities".into(), json!([]))), &[], &["capabilities"]),
        (|m| drop(params(m).insert("capabilities".into(), json!("sampling"))), &[], &["capabilities"]),
        (|m| drop(params(m).remove("clientInfo")), &["clientInfo"], &[]),
        (|m| drop(params(m).insert("clientInfo".into(), json!("oldie"))), &[], &["clientInfo"]),
        (|m| drop(params(m).insert("clientInfo".into(), json!({}))), &["clientInfo.name", "clientInfo.version"], &[]),
        (|m| m["params"]["clientInfo"] = json!({ "name": "oldie" }), &["clientInfo.version"], &[]),
        (|m| m["params"]["clientInfo"] = json!({ "version": "4.2" }), &["clientInfo.name"], &[]),
        (|m| m["params"]["clientInfo"]["name"] = json!(1), &[], &["clientInfo.name"]),
        (|m| m["params"]["clientInfo"]["version"] = json!({}), &[], &["clientInfo.version"]),
        (
            |m| m["params"] = json!({ "protocolVersion": null, "capabilities": null, "clientInfo": null }),
            &[],
            &["protocolVersion", "capabilities", "clientInfo"],
        ),
        (|m| m["params"] = json!({}), &["protocolVersion", "capabilities", "clientInfo"], &[]),
        (
            |m| drop(m.as_object_mut().expect("an object").remove("params")),
            &["protocolVersion", "capabilities", "clientInfo"],
            &[],
        ),
        (|m| m["params"] = json!([]), &["protocolVersion", "capabilities", "clientInfo"], &[]),
        (
            |m| m["params"] = json!({ "protocolVersion": 1, "capabilities": 2, "clientInfo": 3 }),
            &[],
            &["protocolVersion", "capabilities", "clientInfo"],
        ),
        (
            |m| m["params"] = json!({ "capabilities": [], "clientInfo": { "version": 4.2 } }),
            &["protocolVersion", "clientInfo.name"],
            &["capabilities", "clientInfo.version"],
        ),
    ];
    let router = router(server());
    for (spoil, missing, wrong) in spoilt {
        for header in [None, Some(NEWEST_LEGACY)] {
            let call = HttpCall::initialize(Era::V2025_11_25).edit(spoil);
            let call = header.map_or(call.clone(), |header| call.header("mcp-protocol-version", header));
            let text = call.text();
            let answer = call.send(&router).await;
            let mut faults = Vec::new();
            if !missing.is_empty() {
                faults.push(format!("missing {}", missing.join(", ")));
            }
            if !wrong.is_empty() {
                faults.push(format!("of the wrong type: {}", wrong.join(", ")));
            }
            let message = format!("{NEEDED}; {}", faults.join("; "));
            let data = json!({ "missing": missing, "wrongType": wrong });
            let error = json!({ "code": -32602, "message": message, "data": data });
            assert_eq!((answer.status, answer.json()), (200, json!({ "jsonrpc": "2.0", "id": 7, "error": error })), "{text}");
            assert_eq!(answer.header("mcp-session-id"), None, "{text}");
        }
    }
}

fn params(message: &mut Value) -> &mut serde_json::Map<String, Value> {
    message["params"].as_object_mut().expect("an object")
}

// ---------------------------------------------------------------------------------------------- methods

#[tokio::test]
async fn tools_are_listed_in_the_form_of_the_revision() {
    let router = router(server());
    for era in LEGACY {
        let answer = opened(&router, era, HttpCall::list()).await.send(&router).await;
        let listed = answer.json();
        let result = listed["result"].as_object().expect("a result");
        assert_eq!(result.keys().collect::<Vec<_>>(), ["tools"], "{era:?}");
        let pair = result["tools"].as_array().expect("a list").iter().find(|tool| tool["name"] == "pair").expect("it is there");
        assert_eq!(pair.get("title").is_some(), era >= Era::V2025_06_18, "{era:?}");
        let title = if era < Era::V2025_06_18 { json!("Numbers") } else { Value::Null };
        assert_eq!(pair["annotations"]["title"], title, "{era:?}");
        assert_eq!(pair.get("icons").is_some(), era >= Era::V2025_11_25, "{era:?}");
        assert_eq!(pair.get("outputSchema"), None, "{era:?}: it is no object");
    }
}

#[tokio::test]
async fn no_header_has_to_repeat_what_a_legacy_body_says() {
    let router = router(server());
    for era in LEGACY {
        let call = opened(&router, era, HttpCall::tool("pair", json!({ "first": 1, "second": 2 }))).await;
        for call in [call.clone(), call.header("mcp-param-first", "9").header("mcp-name", "echo").header("mcp-method", "ping")] {
            let answer = call.send(&router).await;
            let content = json!([{ "type": "text", "text": "[1,2]" }]);
            assert_eq!(answer.json(), json!({ "jsonrpc": "2.0", "id": 7, "result": { "content": content } }), "{era:?}");
        }
    }
}

#[tokio::test]
async fn a_ping_is_answered_with_and_without_a_session() {
    let router = router(server());
    let pong = json!({ "jsonrpc": "2.0", "id": 7, "result": {} });
    for era in LEGACY {
        let ping = HttpCall::legacy(era, "ping", json!({}));
        let with = opened(&router, era, ping.clone()).await;
        for call in [ping.clone(), ping.without_header("mcp-protocol-version"), with] {
            let answer = call.send(&router).await;
            assert_eq!((answer.status, answer.json()), (200, pong.clone()), "{era:?}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_legacy_request_has_the_codes_of_its_era_and_no_status() {
    let router = router(server());
    for era in LEGACY {
        for (what, call, status, code) in [
            ("an unknown method", HttpCall::new("tools/drop", json!({})), 200, Some(-32601)),
            ("a method of the newest revision", HttpCall::new("server/discover", json!({})), 200, Some(-32601)),
            ("a method that is not advertised", HttpCall::new("prompts/list", json!({})), 200, Some(-32601)),
            ("no method", HttpCall::new("", json!({})), 200, Some(-32601)),
            ("an unknown cursor", HttpCall::new("tools/list", json!({ "cursor": "x" })), 200, Some(-32602)),
            ("an unknown tool", HttpCall::tool("ecko", json!({})), 200, Some(-32602)),
            ("a tool without a name", HttpCall::new("tools/call", json!({})), 200, Some(-32602)),
            ("a name that is none", HttpCall::new("tools/call", json!({ "name": 5 })), 200, Some(-32602)),
            ("a token that is none", echo_call().meta("progressToken", json!({})), 200, Some(-32602)),
            ("a missing capability", HttpCall::tool("sample", json!({})), 200, None),
            ("arguments that do not fit", HttpCall::tool("echo", json!({})), 200, None),
            ("an id that is null", echo_call().edit(|message| message["id"] = Value::Null), 400, Some(-32600)),
            ("an id that is an object", echo_call().edit(|message| message["id"] = json!({})), 400, Some(-32600)),
            ("another JSON-RPC", echo_call().edit(|message| message["jsonrpc"] = json!("1.0")), 400, Some(-32600)),
            ("a method that is none", echo_call().edit(|message| message["method"] = json!(5)), 400, Some(-32600)),
        ] {
            let answer = opened(&router, era, call).await.send(&router).await;
            assert_eq!(answer.outcome(), (status, code), "{what}, {era:?}: {}", answer.shown());
            if code.is_none() {
                assert!(answer.is_tool_error(), "{what}, {era:?}: {}", answer.shown());
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_message_is_answered_alike_in_a_session_and_without() {
    let router = router(server());
    for era in LEGACY {
        let session = open(&router, HttpCall::initialize(era)).await;
        for (body, code) in [
            (b"".as_slice(), -32700),
            (b"{", -32700),
            (b"[", -32700),
            (b"{]", -32700),
            (b"hello", -32700),
            (b"\xff", -32700),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} {}", -32700),
            (b"5", -32600),
            (b"null", -32600),
            (b"\"ping\"", -32600),
            (b"{}", -32600),
            (b"{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"method\":\"ping\",\"id\":1}", -32600),
            (b"{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"result\":{},\"id\":1}", -32600),
        ] {
            let call = HttpCall::legacy(era, "ping", json!({})).body(body);
            for call in [call.clone(), call.session(&session)] {
                let answer = call.send(&router).await;
                assert_eq!(answer.outcome(), (400, Some(code)), "{era:?} {}: {}", body.escape_ascii(), answer.shown());
            }
        }
    }
}

#[tokio::test]
async fn a_request_before_the_handshake_is_told_what_to_send_first() {
    let router = router(server());
    for method in ["tools/list", "tools/call", "no/such/method", "logging/setLevel"] {
        let call = HttpCall::legacy(Era::V2025_03_26, method, json!({}));
        // It may be a client of any era, and is told both ways.
        let answer = call.clone().send(&router).await;
        assert_eq!(answer.outcome(), (400, Some(-32602)), "{method}");
        for part in [NO_SESSION, VERSION, VERSION_KEY, CAPABILITIES_KEY] {
            assert!(answer.message().contains(part), "{part} not in {}", answer.message());
        }
        for era in LEGACY {
            let answer = call.clone().header("mcp-protocol-version", era.version()).send(&router).await;
            assert_eq!((answer.outcome(), &*answer.message()), ((400, Some(-32600)), NO_SESSION), "{method}, {era:?}");
            assert_eq!(answer.json()["id"], 7);
        }
    }
}

#[tokio::test]
async fn ids_come_back_byte_for_byte() {
    let router = router(server());
    let session = open(&router, HttpCall::initialize(Era::V2025_11_25)).await;
    for id in ["1", "\"1\"", "0", "-5", "9007199254740993", "18446744073709551616", "\"\"", "\"\\u00e9 \\\"x\\\"\"", "\"é\""] {
        for (method, expected) in [("ping", "\"result\":{}}"), ("no/such", "\"error\":{\"code\":-32601")] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#);
            let text = raw(body).session(&session).send(&router).await.shown();
            assert!(text.starts_with(&format!("200 {{\"jsonrpc\":\"2.0\",\"id\":{id},{expected}")), "{text}");
        }
    }
}

#[tokio::test]
async fn responses_and_notifications_are_accepted_and_not_answered() {
    let router = router(server());
    for era in LEGACY {
        for body in [
            r#"{"jsonrpc":"2.0","id":"srv-1","result":{"action":"accept"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"declined"}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2}}"#,
            r#"{"jsonrpc":"2.0","method":"no/such/thing","params":[]}"#,
            r#"{"jsonrpc":"2.0","method":"initialize"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#,
        ] {
            let answer = opened(&router, era, echo_call()).await.body(body).send(&router).await;
            assert_eq!((answer.status, answer.body.len()), (202, 0), "{era:?} {body}: {}", answer.shown());
            assert_eq!(answer.header("content-type"), None);
        }
    }
}

#[tokio::test]
async fn there_is_no_stream_to_get() {
    let router = router(server());
    for era in LEGACY {
        let get = opened(&router, era, echo_call()).await.http_method(Method::GET).header("accept", "text/event-stream");
        for call in [get.clone(), get.clone().without_header("mcp-session-id")] {
            let answer = call.send(&router).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, DELETE")), "{era:?}");
        }
        for (event, status) in
            [("1", 400), ("", 400), ("-1", 400), ("a/b-1", 400), ("00000000-1", 404), ("a-18446744073709551616", 400)]
        {
            let answer = get.clone().header("last-event-id", event).send(&router).await;
            assert_eq!(answer.outcome(), (status, Some(-32600)), "{era:?} {event}");
        }
    }
    let modern = HttpCall::list().http_method(Method::GET).send(&router).await;
    assert_eq!((modern.status, modern.header("allow")), (405, Some("POST")));
}

// ---------------------------------------------------------------------------------------------- what a tool sees

#[tokio::test]
async fn a_tool_sees_the_same_facts_in_every_revision() {
    const TOKEN: &str = "0123456789abcdef0123";
    let auth = Auth::chain().with(StaticTokens::new().token(TOKEN, Principal::user("ada")));
    let router = router(Server::new("facts", "0").only([facts::tool()]).auth(auth));
    let everything = json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {}, "tasks": {} });
    for token in [json!(9_007_199_254_740_993_u64), json!("é \"x\"")] {
        for (capabilities, seen) in [
            (json!({}), "[]"),
            (json!({ "sampling": {} }), "[Sampling]"),
            (json!({ "roots": { "listChanged": true } }), "[Roots]"),
            (everything.clone(), "[Elicitation, ElicitationUrl, Sampling, Roots]"),
        ] {
            for era in Era::ALL {
                let seen = match (era, seen.contains("Elicitation")) {
                    (Era::V2025_03_26, true) => "[Sampling, Roots]",
                    (Era::V2025_06_18, true) => "[Elicitation, Sampling, Roots]",
                    _ => seen,
                };
                let call = HttpCall::tool("facts", json!({})).token(TOKEN).header("x-mine", "1");
                let call = call.meta(CAPABILITIES_KEY, capabilities.clone()).meta("progressToken", token.clone());
                let answer = call.send_in(era, &router).await;
                let events = events(&answer);
                let params = json!({ "progressToken": token, "progress": 1.0, "total": 2.0, "message": "half" });
                let report = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
                assert_eq!(events[0], report, "{era:?}");
                let text = format!("facts by ada Some(\"1\") None {seen}");
                assert_eq!(events[1]["result"]["content"][0]["text"], text, "{era:?}");
                assert_eq!(events.len(), 2);
            }
        }
    }
}

/// The messages of a stream.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")), "{}", answer.shown());
    messages(std::str::from_utf8(&answer.body).expect("UTF-8"))
}

// ---------------------------------------------------------------------------------------------- batches

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

fn call_text(id: &str, tool: &str, message: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{{"message":"{message}"}}}}}}"#
    )
}

async fn batch(router: &Router, messages: &[&str]) -> Answer {
    let call = opened(router, Era::V2025_03_26, echo_call()).await;
    call.body(format!("[{}]", messages.join(","))).send(router).await
}

/// The answers of a batch by their ids, which come in any order.
fn by_id(answer: &Answer, id: &Value) -> Value {
    let answers = answer.json();
    let mut found = answers.as_array().expect("an array").iter().filter(|answer| &answer["id"] == id);
    let one = found.next().unwrap_or_else(|| panic!("{id} is not answered in {answers}"));
    assert!(found.next().is_none(), "{id} is answered twice in {answers}");
    one.clone()
}

#[tokio::test]
async fn a_batch_is_answered_with_an_array_of_what_was_asked() {
    let router = router(server());
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}"#;
    let unknown = r#"{"jsonrpc":"2.0","id":"x","method":"no/such/method"}"#;
    let called = call_text("\"1\"", "echo", "hi");
    let answer = batch(&router, &[PING, INITIALIZED, list, cancelled, unknown, &called]).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json().as_array().map(Vec::len), Some(4), "{}", answer.shown());
    assert_eq!(by_id(&answer, &json!(1))["result"], json!({}));
    assert_eq!(by_id(&answer, &json!(2))["result"]["tools"][0]["name"], "echo");
    assert_eq!(by_id(&answer, &json!("x"))["error"]["code"], -32601);
    assert_eq!(by_id(&answer, &json!("1"))["result"], json!({ "content": [{ "type": "text", "text": "hi" }] }));
    let one = batch(&router, &[PING]).await;
    assert_eq!(one.json(), json!([{ "jsonrpc": "2.0", "id": 1, "result": {} }]), "an array as well");
}

#[tokio::test]
async fn the_calls_of_a_batch_run_at_the_same_time() {
    let router = router(server());
    let answer = batch(&router, &[&call_text("1", "meet", "one"), &call_text("1", "meet", "two")]).await;
    let mut texts: Vec<_> = answer.json().as_array().expect("an array").iter().map(|one| one["result"].to_string()).collect();
    texts.sort();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].contains("\"one\"") && texts[1].contains("\"two\""), "{texts:?}");
}

#[tokio::test]
async fn a_batch_of_what_is_not_answered_is_accepted() {
    let router = router(server());
    let answer = batch(&router, &[INITIALIZED, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, INITIALIZED]).await;
    assert_eq!((answer.status, answer.body.len()), (202, 0), "{}", answer.shown());
}

#[tokio::test]
async fn an_element_that_is_no_message_is_answered_with_an_error_of_its_own() {
    let router = router(server());
    let answer = batch(&router, &["5", PING, "[]", r#"{"jsonrpc":"2.0","id":"x"}"#]).await;
    let answers = answer.json();
    let answers = answers.as_array().expect("an array");
    assert_eq!((answer.status, answers.len()), (200, 4), "{}", answer.shown());
    assert_eq!(by_id(&answer, &json!(1))["result"], json!({}));
    assert_eq!(by_id(&answer, &json!("x"))["error"]["code"], -32600);
    let without_id = answers.iter().filter(|answer| answer.get("id").is_none() && answer["error"]["code"] == -32600).count();
    assert_eq!(without_id, 2, "{}", answer.shown());
}

#[tokio::test]
async fn what_a_caller_may_not_do_alone_is_not_done_in_a_batch() {
    let scoped = Server::new("batch", "0").only([echo::tool(), guarded::tool(), sample::tool()]);
    let tokens = StaticTokens::new().token("0123456789abcdef0123", Principal::user("ada"));
    let router = router(scoped.auth(Auth::chain().with(tokens)).allow_anonymous());
    for (token, message) in
        [(None, "guarded needs a signed-in caller"), (Some("0123456789abcdef0123"), "guarded needs the scope admin")]
    {
        let as_caller = |call: HttpCall| token.map_or(call.clone(), |token| call.token(token));
        let session = open(&router, as_caller(HttpCall::initialize(Era::V2025_03_26))).await;
        let calls = ["guarded", "echo", "sample"].map(|tool| call_text(&format!("\"{tool}\""), tool, "hi"));
        let answer = as_caller(raw(format!("[{}]", calls.join(","))).session(&session)).send(&router).await;
        let error = json!({ "code": -32600, "message": message });
        assert_eq!(by_id(&answer, &json!("guarded"))["error"], error);
        assert_eq!(by_id(&answer, &json!("echo"))["result"]["content"][0]["text"], "hi");
        assert_eq!(by_id(&answer, &json!("sample"))["result"]["isError"], true);
    }
}

#[tokio::test]
async fn what_may_not_stand_in_a_batch_refuses_all_of_it() {
    let router = router(server());
    let initialize = HttpCall::initialize(Era::V2025_03_26).text();
    let claim = echo_call().text();
    let many = |count| vec![PING; count];
    for (what, messages, message) in [
        ("nothing", vec![], "a batch has 1 to 50 messages"),
        ("too much", many(51), "a batch has 1 to 50 messages"),
        ("initialize", vec![PING, &initialize], "initialize can not be part of a batch"),
        ("initialize alone", vec![&initialize], "initialize can not be part of a batch"),
        ("a claim", vec![PING, &claim], "a message with a version in its _meta can not be part of a batch"),
    ] {
        let answer = batch(&router, &messages).await;
        let message = format!("Not a JSON-RPC request: {message}");
        let error = json!({ "jsonrpc": "2.0", "error": { "code": -32600, "message": message } });
        assert_eq!((answer.status, answer.json()), (400, error), "{what}");
    }
    let answer = batch(&router, &many(50)).await;
    assert_eq!(answer.json().as_array().map(Vec::len), Some(50), "{}", answer.shown());
}

#[tokio::test]
async fn only_the_first_revision_has_batches() {
    let router = router(server());
    let body = format!("[{PING}]");
    for era in [Era::V2025_06_18, Era::V2025_11_25] {
        let call = opened(&router, era, echo_call()).await.body(body.as_str());
        // Nor does a header make a session one of the first revision.
        for call in
            [call.clone(), call.clone().header("mcp-protocol-version", "2025-03-26"), call.without_header("mcp-protocol-version")]
        {
            assert_eq!(call.send(&router).await.outcome(), (400, Some(-32600)), "{era:?}");
        }
    }
    let modern = echo_call().body(body.as_str());
    let in_session = modern.clone().session(&open(&router, HttpCall::initialize(Era::V2025_03_26)).await);
    for call in [modern, in_session, raw(body.as_str()), raw(body.as_str()).header("mcp-protocol-version", "2025-03-26")] {
        assert_eq!(call.send(&router).await.outcome(), (400, Some(-32600)));
    }
    let forged = raw(body).session("forged").send(&router).await;
    assert_eq!(forged.outcome(), (404, Some(-32600)));
}

// ---------------------------------------------------------------------------------------------- without sessions

#[tokio::test]
async fn a_sessionless_server_answers_each_request_alone() {
    let router = router(server().legacy_clients(LegacyClients::Sessionless));
    for era in LEGACY {
        let opening = HttpCall::initialize(era).send(&router).await;
        assert_eq!(opening.json()["result"]["protocolVersion"], era.version());
        assert_eq!(opening.header("mcp-session-id"), None);
        let answer = echo_call().in_era(era).send(&router).await;
        assert_eq!(answer.json()["result"], json!({ "content": [{ "type": "text", "text": "hi" }] }), "{era:?}");
        let pair = HttpCall::list().in_era(era).send(&router).await.json()["result"]["tools"][2].take();
        assert_eq!((pair["name"].as_str(), pair.get("icons").is_some()), (Some("pair"), era == Era::V2025_11_25), "{era:?}");
        let needing = HttpCall::tool("sample", json!({})).in_era(era).send(&router).await;
        assert!(needing.is_tool_error(), "nothing is known of its client, {era:?}: {}", needing.shown());
        let stale = echo_call().in_era(era).session("of another time").send(&router).await;
        assert_eq!(stale.tool_text(), "hi", "{era:?}");
        let delete = echo_call().in_era(era).http_method(Method::DELETE).send(&router).await;
        assert_eq!((delete.status, delete.header("allow")), (405, Some("POST")), "{era:?}");
        let batch = HttpCall::legacy(era, "ping", json!({})).body(format!("[{PING}]")).send(&router).await;
        assert_eq!(batch.status, if era == Era::V2025_03_26 { 200 } else { 400 }, "{era:?}");
    }
    assert_eq!(echo_call().send(&router).await.json()["result"]["resultType"], "complete");
}

#[tokio::test]
async fn a_server_that_refuses_legacy_clients_says_what_it_speaks() {
    let router = router(server().legacy_clients(LegacyClients::Refused));
    assert_eq!(echo_call().send(&router).await.tool_text(), "hi");
    for era in LEGACY {
        for opening in [HttpCall::initialize(era), HttpCall::initialize(era).header("mcp-protocol-version", era.version())] {
            let answer = opening.send(&router).await;
            let data = json!({ "supported": [VERSION], "requested": era.version() });
            assert_eq!((answer.outcome(), &answer.json()["error"]["data"]), ((400, Some(-32022)), &data), "{era:?}");
            assert_eq!((answer.json()["id"].take(), answer.header("mcp-session-id")), (json!(7), None));
        }
        for (what, call, outcome) in [
            ("a call", echo_call(), (400, Some(-32602))),
            ("a list", HttpCall::list(), (400, Some(-32602))),
            ("a ping", HttpCall::new("ping", json!({})), (400, Some(-32602))),
            ("a notification", HttpCall::new("notifications/initialized", json!({})).notification(), (202, None)),
            ("a response", response(), (400, Some(-32600))),
            ("a batch", raw(format!("[{PING}]")), (400, Some(-32600))),
            ("a delete", echo_call().http_method(Method::DELETE), (405, Some(-32600))),
        ] {
            for call in [call.clone().in_era(era), call.in_era(era).session("forged")] {
                let answer = call.send(&router).await;
                assert_eq!(answer.outcome(), outcome, "{what}, {era:?}: {}", answer.shown());
            }
        }
    }
}
