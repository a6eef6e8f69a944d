use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Dispatch, Event, Metadata, Subscriber};

use super::mirror::header_text;
use super::{Arc, Client, Era, Value, json};
use crate::Tool;
use crate::prelude::*;

// ------------------------------------------------------------------------------------------ what is sent

#[test]
fn only_what_is_not_plain_goes_as_base64() {
    for plain in ["", "eu", "in the middle", "~!", "=?base64?", "=?BASE64?ZXU=?=", "ZXU="] {
        assert_eq!(header_text(plain), plain);
    }
    for (value, sent) in [
        (" eu", "=?base64?IGV1?="),
        ("eu ", "=?base64?ZXUg?="),
        ("\teu", "=?base64?CWV1?="),
        ("a\nb", "=?base64?YQpi?="),
        ("a\u{7f}", "=?base64?YX8=?="),
        ("Zürich", "=?base64?WsO8cmljaA==?="),
        ("=?base64?ZXU=?=", "=?base64?PT9iYXNlNjQ/WlhVPT89?="),
    ] {
        assert_eq!(header_text(value), sent);
    }
}

/// Say the headers that came.
#[tool(crate = crate)]
fn mirrored(
    #[arg(header = "Region")] region: Option<String>,
    #[arg(header = "Count")] count: Option<u32>,
    #[arg(header = "Sure")] sure: Option<bool>,
    headers: HeaderMap,
) -> String {
    drop((region, count, sure));
    let sent = headers.iter().filter(|(name, _)| name.as_str().starts_with("mcp-param-"));
    let mut sent: Vec<_> = sent.map(|(name, value)| format!("{name}={}", value.to_str().expect("ASCII"))).collect();
    sent.sort();
    sent.join(" ")
}

#[tokio::test]
async fn arguments_are_mirrored_as_their_tool_wants() {
    let client = Client::new(&Server::new("test", "0").only([mirrored::tool()]));
    for (arguments, sent) in [
        (json!({}), ""),
        (json!({ "region": null, "count": 7 }), "mcp-param-count=7"),
        (
            json!({ "region": "ü", "count": 0, "sure": false }),
            "mcp-param-count=0 mcp-param-region==?base64?w7w=?= mcp-param-sure=false",
        ),
    ] {
        assert_eq!(client.call("mirrored", arguments).await.text(), sent);
    }
    let own = client.clone().header("MCP-PARAM-REGION", "=?base64?ZXU=?=");
    let answer = own.call("mirrored", json!({ "region": "eu", "sure": true })).await;
    assert_eq!(answer.text(), "mcp-param-region==?base64?ZXU=?= mcp-param-sure=true");
    let answer = own.call("mirrored", json!({ "region": "us" })).await;
    assert_eq!(answer.error_code(), Some(-32020));
    let answer = client.call("mirrored", json!("no object")).await;
    assert!(answer.is_error(), "{}", answer.message());
}

/// Only for some.
#[tool(crate = crate, hidden, scopes("inside"))]
fn hidden(#[arg(header = "Region")] region: String) -> String {
    region
}

#[tokio::test]
async fn a_caller_who_sees_a_hidden_tool_mirrors_for_it() {
    let client = Client::new(&Server::new("test", "0").only([hidden::tool()]));
    assert_eq!(client.call("hidden", json!({ "region": "eu" })).await.error_code(), Some(-32602));
    let client = client.principal(Principal::user("ada").scopes(["inside"]));
    assert_eq!(client.call("hidden", json!({ "region": "eu" })).await.text(), "eu");
}

#[derive(Clone)]
struct Tenant(&'static str);

/// Whose call this is.
#[tool(crate = crate)]
fn tenant(tenant: Extension<Tenant>) -> &'static str {
    tenant.0.0
}

#[tokio::test]
async fn extensions_reach_the_tool_in_every_call() {
    let client = Client::new(&Server::new("test", "0").only([tenant::tool()]));
    assert!(client.call("tenant", json!({})).await.is_error());
    let client = client.extension(Tenant("acme"));
    for _ in 0..2 {
        assert_eq!(client.call("tenant", json!({})).await.text(), "acme");
    }
}

// ------------------------------------------------------------------------------------------ what came back

#[tokio::test]
async fn a_server_without_tools_has_an_empty_list() {
    assert_eq!(Client::new(&Server::new("test", "0").only([])).tools().await, Vec::<Value>::new());
}

/// Count, or do not.
#[tool(crate = crate)]
fn count(up_to: u8) -> Result<Json<u8>, ToolError> {
    if up_to > 100 { Err(ToolError::user("I can not count so far.")) } else { Ok(Json(up_to)) }
}

#[tokio::test]
async fn structured_content_is_no_errors() {
    let client = Client::new(&Server::new("test", "0").only([count::tool()]));
    assert_eq!(client.call("count", json!({ "up_to": 3 })).await.structured(), 3);
    let answer = client.call("count", json!({ "up_to": 101 })).await;
    let panic = std::panic::catch_unwind(|| drop(answer.structured().clone())).expect_err("an error is no number");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("I can not count so far."), "{message}");
}

// ------------------------------------------------------------------------------------------ what is logged

/// Each event as one text: level, message and fields, strings escaped as `tracing_subscriber::fmt` escapes them.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<String>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("mcp_runtime")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Calls the tool with a text that is given by the test, and returns what the client and the log read.
fn logged(tool: Tool, text: &str) -> (String, Vec<String>) {
    /// With one dispatcher alone, `tracing` asks the thread that comes first whether an event is wanted at all, which
    /// may be that of another test.
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Log::default()));
    let _second = &*SECOND;
    let log = Arc::new(Log::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let answer = with_default(Arc::clone(&log), || {
        let client = Client::new(&Server::new("test", "0").only([tool]));
        runtime.block_on(client.call(tool.name(), json!({ "text": text })))
    });
    let lines = std::mem::take(&mut *log.0.lock().unwrap_or_else(PoisonError::into_inner));
    (answer.text(), lines)
}

/// The one line that has all of this.
fn line<'l>(lines: &'l [String], parts: &[&str]) -> &'l str {
    let mut found = lines.iter().filter(|line| parts.iter().all(|part| line.contains(part)));
    match (found.next(), found.next()) {
        (Some(line), None) => line,
        _ => panic!("not exactly one line has {parts:?}: {lines:#?}"),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the archive is closed")]
struct Closed(#[source] std::io::Error);

/// Fail.
#[tool(crate = crate)]
fn fails(text: String) -> Result<(), ToolError> {
    Err(Closed(std::io::Error::other(text)).into())
}

/// Tell the model why not.
#[tool(crate = crate)]
fn declines(text: String) -> Result<(), ToolError> {
    Err(ToolError::user(text))
}

/// Panic.
#[tool(crate = crate)]
fn panics(text: String) {
    panic!("{text}")
}

#[test]
fn a_failing_tool_is_logged_with_its_chain() {
    let (answer, lines) = logged(fails::tool(), "disk 7 is gone");
    assert!(!answer.contains("archive") && !answer.contains("disk"), "{answer}");
    let line = line(&lines, &["tool failed"]);
    assert!(line.starts_with("ERROR ") && line.contains(r#" tool="fails""#), "{line}");
    assert!(line.contains("the archive is closed: disk 7 is gone"), "{line}");
}

#[test]
fn a_panic_is_logged_with_its_tool() {
    let (answer, lines) = logged(panics::tool(), "disk 7 is gone");
    assert!(!answer.contains("disk"), "{answer}");
    let line = line(&lines, &["tool panicked"]);
    assert!(line.starts_with("ERROR ") && line.contains(r#" tool="panics""#) && line.contains("disk 7 is gone"), "{line}");
}

#[test]
fn the_tools_are_counted_and_named_when_the_server_is_built() {
    let (_, lines) = logged(fails::tool(), "");
    let line = line(&lines, &["server built"]);
    assert!(line.starts_with("INFO ") && line.contains(" tools=1") && line.contains("fails"), "{line}");
}

#[test]
fn a_text_with_line_breaks_stays_one_line_of_the_log() {
    for tool in [fails::tool(), declines::tool(), panics::tool()] {
        let (_, lines) = logged(tool, "first\nERROR second\r\u{1b}[31mthird");
        let line = line(&lines, &["first", "third"]);
        assert!(line.contains(tool.name()) && line.contains("ERROR second"), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

/// Work for so many seconds, and report at these.
#[tool(crate = crate)]
async fn long(seconds: u64, reports: Vec<u64>, ctx: Context) -> &'static str {
    for second in 1..=seconds {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        if reports.contains(&second) {
            ctx.progress(f64::from(u32::try_from(second).expect("seconds")), 100.0, "");
        }
    }
    "done"
}

#[tokio::test(start_paused = true)]
async fn a_quiet_tool_gives_signs_of_life_to_those_who_ask() {
    let beats = async |client: &Client, seconds: u64, reports: &[u64]| {
        let answer = client.call("long", json!({ "seconds": seconds, "reports": reports })).await;
        assert_eq!(answer.text(), "done");
        answer.progress().iter().map(|report| report["progress"].as_f64().expect("a number")).collect::<Vec<_>>()
    };
    let server = Server::new("test", "0").only([long::tool()]);
    for era in Era::ALL {
        let client = Client::new(&server).era(era);
        assert!(beats(&client, 60, &[]).await.is_empty(), "nobody asked");
        let asking = client.progress();
        assert!(beats(&asking, 14, &[]).await.is_empty(), "it ends in time");
        let quiet = beats(&asking, 50, &[]).await;
        assert!(quiet.len() == 3 && quiet.is_sorted_by(|one, next| one < next), "{quiet:?}");
        assert_eq!(beats(&asking, 50, &[10, 20, 30, 40]).await, [10.0, 20.0, 30.0, 40.0], "it is not quiet");
        let both = beats(&asking, 45, &[20]).await;
        assert!(matches!(both[..], [first, 20.0, last] if first < 1.0 && last > 20.0 && last < 20.001), "{both:?}");
    }
    let never = Client::new(&server.clone().heartbeat(None)).progress();
    assert!(beats(&never, 250, &[]).await.is_empty());
    let often = Client::new(&server.heartbeat(std::time::Duration::from_secs(1))).progress();
    assert_eq!(beats(&often, 5, &[]).await.len(), 4);
}

#[tokio::test]
async fn a_list_in_pages_is_the_whole_list() {
    let named = |name: String| {
        let mut definition = long::tool().definition().clone();
        definition.name = name.leak();
        definition.scopes = if definition.name.ends_with('3') { &["secret"] } else { &[] };
        definition.hidden = true;
        Tool::from_definition(Box::leak(Box::new(definition)))
    };
    let server = Server::new("test", "0").only((0..10).map(|index| named(format!("tool_{index}"))));
    let alice = Principal::user("alice");
    for era in Era::ALL {
        for (size, first) in [(1, 1), (3, 3), (9, 9), (10, 9), (100, 9)] {
            let whole = Client::new(&server).era(era).principal(alice.clone());
            let paged = Client::new(&server.clone().page_size(size)).era(era).principal(alice.clone());
            assert_eq!(paged.tools().await, whole.tools().await, "{era:?} {size}");
            let page = paged.request("tools/list", json!({})).await;
            assert_eq!(page.result()["tools"].as_array().map(Vec::len), Some(first), "{era:?} {size}");
            let Some(next) = page.result().get("nextCursor") else { continue };
            for stranger in [Principal::user("bob"), alice.clone().issued_by("elsewhere")] {
                let refused = paged.clone().principal(stranger).request("tools/list", json!({ "cursor": next })).await;
                assert_eq!(refused.error_code(), Some(-32602), "{era:?} {size}");
            }
            // Who may see more meanwhile sees more.
            let risen = paged.clone().principal(alice.clone().scopes(["secret"]));
            let rest = risen.request("tools/list", json!({ "cursor": next })).await;
            assert!(!rest.result()["tools"].as_array().expect("a list").is_empty());
        }
        let client = Client::new(&server.clone().page_size(2)).era(era);
        for cursor in [json!(""), json!("abc"), json!(5), json!({}), Value::Null] {
            let answer = client.request("tools/list", json!({ "cursor": cursor })).await;
            assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?} {cursor}");
        }
    }
    let problem = server.page_size(0).allow_anonymous().build().expect_err("no page").to_string();
    assert!(problem.contains("page_size is `0`"), "{problem}");
}

#[tokio::test]
async fn what_is_offered_may_be_kept_as_long_as_was_said() {
    let hints = async |server: &Server| {
        let client = Client::new(server);
        let (list, offer) = (client.request("tools/list", json!({})).await, client.request("server/discover", json!({})).await);
        let hint = |answer: &super::Answer| (answer.result()["ttlMs"].clone(), answer.result()["cacheScope"].clone());
        assert_eq!(hint(&list), hint(&offer));
        hint(&list)
    };
    let server = Server::new("test", "0").only([long::tool()]);
    assert_eq!(hints(&server).await, (json!(0), json!("private")));
    let kept = server.cache_lists(std::time::Duration::from_secs(90));
    assert_eq!(hints(&kept).await, (json!(90_000), json!("public")));
    let token = StaticTokens::new().token("9f2c61d8a7e04b3f8d15", Principal::user("ci"));
    assert_eq!(hints(&kept.clone().auth(Auth::chain().with(token))).await, (json!(90_000), json!("private")));
    let mut hidden = long::tool().definition().clone();
    (hidden.name, hidden.hidden, hidden.scopes) = ("hidden", true, &["secret"]);
    let hidden = Tool::from_definition(Box::leak(Box::new(hidden)));
    assert_eq!(hints(&kept.clone().only([long::tool(), hidden])).await, (json!(90_000), json!("private")));
    let legacy = Client::new(&kept).era(Era::V2025_11_25).request("tools/list", json!({})).await;
    assert_eq!(legacy.result().get("ttlMs"), None);
}

/// Log at every level, in one go or with a pause.
#[tool(crate = crate)]
async fn chatter(pause: bool, ctx: Context) -> &'static str {
    for level in LogLevel::ALL {
        ctx.log(level, json!({ "said": level.name() }));
        if pause {
            tokio::task::yield_now().await;
        }
    }
    ctx.progress(1.0, None, "");
    "done"
}

#[tokio::test]
async fn log_messages_go_to_clients_that_ask_and_no_others() {
    let server = Server::new("test", "0").only([chatter::tool()]);
    for era in Era::ALL {
        for pause in [true, false] {
            let logs = async |client: &Client| {
                let answer = client.call("chatter", json!({ "pause": pause })).await;
                assert_eq!(answer.text(), "done");
                answer.logs().to_vec()
            };
            let client = Client::new(&server.clone().client_logging()).era(era);
            assert!(logs(&client).await.is_empty(), "{era:?}: nobody asked");
            for (index, least) in LogLevel::ALL.into_iter().enumerate() {
                let expected: Vec<_> = LogLevel::ALL[index..]
                    .iter()
                    .map(|level| json!({ "level": level.name(), "logger": "chatter", "data": { "said": level.name() } }))
                    .collect();
                assert_eq!(logs(&client.clone().log_level(least)).await, expected, "{era:?}");
            }
            if !era.is_legacy() {
                assert!(logs(&Client::new(&server).log_level(LogLevel::Debug)).await.is_empty(), "it is off unless set");
            }
        }
        let offered = async |server: &Server| {
            let client = Client::new(server).era(era);
            client.request("logging/setLevel", json!({ "level": "info" })).await
        };
        assert_eq!(offered(&server).await.error_code(), Some(-32601), "{era:?}");
        let set = offered(&server.clone().client_logging()).await;
        assert_eq!(set.error_code(), (!era.is_legacy()).then_some(-32601), "{era:?}");
        let client = Client::new(&server.clone().client_logging()).era(era);
        for level in [json!("loud"), json!(5), Value::Null] {
            let wrong = client.request("logging/setLevel", json!({ "level": level })).await;
            assert_eq!(wrong.error_code(), Some(if era.is_legacy() { -32602 } else { -32601 }), "{era:?} {level}");
        }
        let sessionless = server.clone().client_logging().legacy_clients(crate::LegacyClients::Sessionless);
        assert_eq!(offered(&sessionless).await.error_code(), Some(-32601), "{era:?}: nowhere to remember it");
    }
}

// ------------------------------------------------------------------------------------------ tasks

/// Takes longer than it may.
#[tool(task, timeout = "10s", crate = crate)]
async fn slow_task() {
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_keeps_to_the_time_of_its_tool() {
    let client = Client::new(&Server::new("test", "0").only([slow_task::tool()])).taking_tasks();
    let begun = client.call("slow_task", json!({})).await;
    let started = tokio::time::Instant::now();
    let ended = client.finished(&begun).await;
    assert_eq!(ended.text(), "The tool did not finish within its limit of 10s.");
    assert!((10..13).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}

/// How many, then.
#[crate::data(crate = crate)]
struct Seats {
    seats: u8,
}

/// Asks in the middle of its work.
#[tool(task, crate = crate)]
async fn book(ctx: Context) -> Result<String, ToolError> {
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let Seats { seats } = ctx.elicit::<Seats>("How many?").await?.accepted()?;
    Ok(format!("{seats} seats"))
}

#[tokio::test(start_paused = true)]
async fn a_task_is_answered_as_a_call_is() {
    for era in [Era::V2025_06_18, Era::V2025_11_25, Era::V2026_07_28] {
        let client = Client::new(&Server::new("test", "0").only([book::tool()])).era(era).taking_tasks();
        let client = client.answering(json!({ "seats": 7 }));
        let mut answer = client.call("book", json!({})).await;
        if !era.is_legacy() {
            assert_eq!(answer.result()["resultType"], "task");
            answer = client.finished(&answer).await;
        }
        assert_eq!(answer.text(), "7 seats", "{era:?}");
    }
}

#[tokio::test]
#[should_panic = "an answer that does not fit its question: {\"method\":\"elicitation/create\""]
async fn an_answer_that_never_fits_ends_the_test() {
    let client = Client::new(&Server::new("test", "0").only([book_now::tool()])).answering(json!({ "seats": "many" }));
    let _ = client.call("book_now", json!({})).await;
}

/// Asks at once.
#[tool(crate = crate)]
async fn book_now(ctx: Context) -> Result<String, ToolError> {
    Ok(ctx.elicit::<Seats>("How many?").await?.accepted()?.seats.to_string())
}

#[tokio::test]
async fn what_is_added_and_removed_is_met_by_the_next_request() {
    let client = Client::new(&Server::new("test", "0").only([book::tool()]));
    client.handle().add_tool(count::tool()).expect("another tool");
    assert_eq!(*client.call("count", json!({ "up_to": 3 })).await.structured(), 3);
    assert!(client.handle().remove_tool("count").expect("a tool less"));
    assert_eq!(client.tools().await.len(), 1);
}

/// Who calls.
#[tool(crate = crate)]
fn whoami(caller: Option<Principal>) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.subject().to_owned())
}

#[tokio::test]
async fn a_credential_is_judged_by_the_servers_chain() {
    let token = "ada-0123456789abcdef";
    let tokens = StaticTokens::new().token(token, Principal::user("ada"));
    let server = Server::new("test", "0").only([whoami::tool()]).auth(Auth::chain().with(tokens)).allow_anonymous();
    for era in Era::ALL {
        let client = Client::new(&server).era(era);
        assert_eq!(client.call("whoami", json!({})).await.text(), "nobody");
        let ada = client.clone().bearer(token);
        assert_eq!(ada.call("whoami", json!({})).await.text(), "ada", "{era:?}");
        let wrong = client.clone().bearer("wrong").call("whoami", json!({})).await;
        assert_eq!((wrong.status(), wrong.message()), (401, &json!({ "error": "unauthorized" })), "{era:?}");
        let as_bob = ada.principal(Principal::user("bob"));
        assert_eq!(as_bob.call("whoami", json!({})).await.text(), "ada", "what it shows counts");
    }
}

#[tokio::test]
async fn what_looks_for_itself_is_asked_too() {
    let gate = |head: &http::request::Parts| {
        let badge = head.headers.get("x-badge").cloned();
        let known = head.extensions.get::<u8>().is_some();
        std::future::ready(match badge {
            None => mcp_auth::Verdict::NotMine,
            Some(badge) if badge == "right" && known => mcp_auth::Verdict::Accepted(Principal::user("gate")),
            Some(_) => mcp_auth::Verdict::Rejected(mcp_auth::Rejection::invalid_token("unknown_badge")),
        })
    };
    let client = Client::new(&Server::new("test", "0").only([whoami::tool()]).auth(Auth::chain().with(gate)));
    assert_eq!(client.call("whoami", json!({})).await.text(), "nobody");
    assert_eq!(client.clone().header("x-badge", "right").call("whoami", json!({})).await.status(), 401);
    let client = client.extension(7_u8);
    assert_eq!(client.clone().header("x-badge", "right").call("whoami", json!({})).await.text(), "gate");
    assert_eq!(client.header("x-badge", "wrong").call("whoami", json!({})).await.status(), 401);
}
