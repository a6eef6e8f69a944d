//! `subscriptions/listen`, over HTTP and over a pipe: what is honoured, what arrives, and how a subscription ends.

mod event_stream;
mod http_call;
mod pipe;

use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use event_stream::{Stream, settle, status};
use http_call::HttpCall;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use mcp_runtime::{Built, LegacyClients, Notifier};
use pipe::{Conversation, cancel, converse, modern, notification, request};
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

const ADA: &str = "ada-0123456789abcdefgh";
const BOB: &str = "bob-0123456789abcdefgh";
const BRIEF: &str = "brief-0123456789abcdef";

/// Say back what you are told.
#[tool]
fn echo(message: String) -> String {
    message
}

/// Another tool.
#[tool]
fn extra() -> &'static str {
    "extra"
}

/// Tell clients that a resource is another.
#[tool]
fn touch(uri: String, ctx: Context) -> &'static str {
    ctx.notify().resource_updated(uri);
    "told"
}

/// A prompt.
#[prompt]
fn review() -> &'static str {
    "Review it."
}

/// A note.
#[resource("notes://{id}")]
fn note(id: String) -> String {
    id
}

/// For those who may read it.
#[resource("notes://1/secret", scopes("gold"), hidden)]
fn secret() -> &'static str {
    "secret"
}

/// For those who may read it, and everybody may know.
#[resource("vault://gold", scopes("gold"))]
fn gold() -> &'static str {
    "gold"
}

fn bare() -> Server {
    let ada = Principal::user("ada").scopes(["gold"]);
    let brief = Principal::user("brief").valid_until(SystemTime::now() + Duration::from_secs(60));
    let tokens = StaticTokens::new().token(ADA, ada).token(BOB, Principal::user("bob")).token(BRIEF, brief);
    Server::new("subscriptions", "0")
        .auth(Auth::chain().with(tokens))
        .allow_anonymous()
        .only([echo::tool(), touch::tool()])
        .only_prompts([review::prompt()])
        .only_resources([note::resource(), secret::resource(), gold::resource()])
}

fn server() -> Server {
    bare().list_changes().resource_updates()
}

fn built(server: Server) -> (Built, Router) {
    let built = server.build().expect("a server that builds");
    let router = built.router();
    (built, router)
}

/// `subscriptions/listen` with the id 7.
fn listen(notifications: Value) -> HttpCall {
    let mut params = json!({});
    params["notifications"] = notifications;
    HttpCall::new("subscriptions/listen", params)
}

fn everything() -> Value {
    json!({
        "toolsListChanged": true,
        "promptsListChanged": true,
        "resourcesListChanged": true,
        "resourceSubscriptions": ["notes://1"],
    })
}

fn acknowledgement(id: &Value, honoured: &Value) -> Value {
    let params = json!({ "notifications": honoured, "_meta": { SUBSCRIPTION: id } });
    json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params })
}

/// What a subscription hears of a list.
fn changed(what: &str, id: &Value) -> Value {
    let method = format!("notifications/{what}/list_changed");
    json!({ "jsonrpc": "2.0", "method": method, "params": { "_meta": { SUBSCRIPTION: id } } })
}

fn updated(uri: &str, id: &Value) -> Value {
    let params = json!({ "uri": uri, "_meta": { SUBSCRIPTION: id } });
    json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params })
}

/// What the server ends a subscription with.
fn last_word(id: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "complete", "_meta": { SUBSCRIPTION: id } } })
}

/// A subscription that was acknowledged.
async fn subscribed(router: &Router, call: HttpCall) -> Stream {
    let mut stream = Stream::open(router, call).await;
    assert_eq!(stream.plain().await["method"], "notifications/subscriptions/acknowledged");
    stream
}

/// How many listeners the server knows; those that are gone are forgotten when another one comes.
fn listeners(notifier: &Notifier) -> String {
    format!("{notifier:?}")
}

// ---------------------------------------------------------------------------------------------- what is honoured

#[tokio::test(start_paused = true)]
async fn the_acknowledgement_comes_first_and_names_what_is_honoured() {
    let (built, router) = built(server());
    let asked = json!({
        "toolsListChanged": true,
        "promptsListChanged": false,
        "resourceSubscriptions": ["notes://1", "notes://..", "vault://gold", "notes://1/secret", "unknown://1", "", "notes://2"],
        "somethingNewer": { "of": "a later revision" },
    });
    let honoured = json!({ "toolsListChanged": true, "resourceSubscriptions": ["notes://1", "notes://2"] });
    for id in [json!(1), json!("1"), json!(0), json!(-5), json!(9_007_199_254_740_993_u64), json!("ü \"quoted\"")] {
        let call = listen(asked.clone()).token(BOB).edit(|message| message["id"] = id.clone());
        let mut stream = Stream::open(&router, call).await;
        // Said before anything was read.
        built.notify().tools_changed();
        for (name, value) in [("cache-control", "no-cache"), ("x-accel-buffering", "no")] {
            assert_eq!(stream.headers.get(name).expect(name), value);
        }
        assert_eq!(stream.plain().await, acknowledgement(&id, &honoured));
        assert_eq!(stream.plain().await, changed("tools", &id));
        stream.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_may_read_a_resource_hears_of_it() {
    let (built, router) = built(server());
    let asked = json!({ "resourceSubscriptions": ["vault://gold", "notes://1/secret", "vault://silver"] });
    let mut ada = Stream::open(&router, listen(asked.clone()).token(ADA)).await;
    let honoured = json!({ "resourceSubscriptions": ["vault://gold", "notes://1/secret"] });
    assert_eq!(ada.plain().await, acknowledgement(&json!(7), &honoured));
    for stranger in [listen(asked.clone()).token(BOB), listen(asked.clone())] {
        let mut stream = Stream::open(&router, stranger).await;
        assert_eq!(stream.plain().await, acknowledgement(&json!(7), &json!({ "resourceSubscriptions": [] })));
        built.notify().resource_updated("vault://gold");
        assert_eq!(ada.plain().await, updated("vault://gold", &json!(7)));
        stream.is_quiet().await;
    }
    assert_eq!(listen(asked).token("wrong").send(&router).await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_does_not_offer_is_left_out() {
    for (server, honoured) in [
        (bare().resource_updates(), json!({ "resourceSubscriptions": ["notes://1"] })),
        (bare().list_changes(), json!({ "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true })),
    ] {
        let (built, router) = built(server);
        let mut stream = Stream::open(&router, listen(everything())).await;
        assert_eq!(stream.plain().await, acknowledgement(&json!(7), &honoured));
        let (lists, resources) = (honoured.get("toolsListChanged").is_some(), honoured.get("resourceSubscriptions").is_some());
        built.notify().resource_updated("notes://1");
        if resources {
            assert_eq!(stream.plain().await, updated("notes://1", &json!(7)));
        }
        built.notify().prompts_changed();
        if lists {
            assert_eq!(stream.plain().await, changed("prompts", &json!(7)));
        }
        stream.is_quiet().await;
    }
    // An empty filter is a subscription to nothing.
    let (built, router) = built(server());
    let mut nothing = Stream::open(&router, listen(json!({}))).await;
    assert_eq!(nothing.plain().await, acknowledgement(&json!(7), &json!({})));
    built.notify().tools_changed();
    nothing.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_without_changes_has_no_such_method() {
    let (_, router) = built(bare());
    assert_eq!(listen(everything()).send(&router).await.outcome(), (404, Some(-32601)));
    let discovered = HttpCall::new("server/discover", json!({})).send(&router).await.json();
    let capabilities = &discovered["result"]["capabilities"];
    assert_eq!((&capabilities["tools"], &capabilities["resources"]), (&json!({}), &json!({})), "{discovered}");

    let (_, router) = built(server());
    let discovered = HttpCall::new("server/discover", json!({})).send(&router).await.json();
    let capabilities = &discovered["result"]["capabilities"];
    assert_eq!(capabilities["tools"], json!({ "listChanged": true }));
    assert_eq!(capabilities["prompts"], json!({ "listChanged": true }));
    assert_eq!(capabilities["resources"], json!({ "listChanged": true, "subscribe": true }));
    // The legacy revisions do not have it.
    let legacy = listen(everything()).send_in(Era::V2025_11_25, &router).await;
    assert_eq!(legacy.outcome(), (200, Some(-32601)));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_can_not_be_read_is_refused() {
    let (_, router) = built(server());
    for wrong in [
        json!(null),
        json!([]),
        json!("toolsListChanged"),
        json!({ "toolsListChanged": "yes" }),
        json!({ "resourceSubscriptions": "notes://1" }),
        json!({ "resourceSubscriptions": [1] }),
        json!({ "resourceSubscriptions": null }),
    ] {
        let answer = listen(wrong.clone()).send(&router).await;
        assert_eq!((answer.outcome(), answer.json()["id"].clone()), ((200, Some(-32602)), json!(7)), "{wrong}");
    }
    let none = HttpCall::new("subscriptions/listen", json!({})).send(&router).await;
    assert_eq!(none.outcome(), (200, Some(-32602)));
    // A task is for clients that take tasks.
    let tasks = listen(json!({ "taskIds": ["t"] })).send(&router).await;
    assert_eq!(tasks.outcome(), (400, Some(-32021)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_events_can_not_listen() {
    let (_, router) = built(server());
    for (accept, status) in [("application/json", 406), ("text/html", 406), ("application/*", 406)] {
        let answer = listen(everything()).header("accept", accept).send(&router).await;
        assert_eq!(answer.outcome(), (status, Some(-32600)), "{accept}: {}", answer.shown());
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    for accept in ["text/event-stream", "*/*", "application/json;q=0.1,  TEXT/Event-Stream ; q=1"] {
        subscribed(&router, listen(everything()).header("accept", accept)).await;
    }
}

// ---------------------------------------------------------------------------------------------- what arrives

#[tokio::test(start_paused = true)]
async fn only_what_was_asked_for_arrives() {
    let (built, router) = built(server());
    for (asked, heard) in [
        (json!({ "toolsListChanged": true }), changed("tools", &json!(7))),
        (json!({ "promptsListChanged": true, "toolsListChanged": false }), changed("prompts", &json!(7))),
        (json!({ "resourcesListChanged": true }), changed("resources", &json!(7))),
        (json!({ "resourceSubscriptions": ["notes://1"] }), updated("notes://1", &json!(7))),
    ] {
        let mut stream = subscribed(&router, listen(asked.clone())).await;
        let notifier = built.notify();
        notifier.tools_changed();
        notifier.prompts_changed();
        notifier.resources_changed();
        notifier.resource_updated("notes://1");
        notifier.resource_updated("notes://3");
        assert_eq!(stream.plain().await, heard, "{asked}");
        stream.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_below_a_resource_is_heard_and_what_only_looks_alike_is_not() {
    let (built, router) = built(server());
    let mut stream = subscribed(&router, listen(json!({ "resourceSubscriptions": ["notes://1"] })).token(BOB)).await;
    for uri in ["notes://10", "notes://", "notes:/", "NOTES://1", "notes://1.5", "other://notes://1/x"] {
        built.notify().resource_updated(uri);
    }
    built.notify().resource_updated("notes://1/part");
    assert_eq!(stream.plain().await, updated("notes://1/part", &json!(7)));
    stream.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_below_a_resource_is_told_only_to_those_who_may_read_it() {
    let (built, router) = built(server());
    let asked = json!({ "resourceSubscriptions": ["notes://1"] });
    let mut bob = subscribed(&router, listen(asked.clone()).token(BOB)).await;
    let mut ada = subscribed(&router, listen(asked).token(ADA)).await;
    built.notify().resource_updated("notes://1/secret");
    built.notify().resource_updated("notes://1/open");
    assert_eq!(ada.plain().await, updated("notes://1/secret", &json!(7)));
    assert_eq!(ada.plain().await, updated("notes://1/open", &json!(7)));
    assert_eq!(bob.plain().await, updated("notes://1/open", &json!(7)));
    bob.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_has_a_bounded_number_of_resources() {
    let (built, router) = built(server());
    let uris: Vec<String> = (0..300).map(|id| format!("notes://{id}")).collect();
    let mut stream = Stream::open(&router, listen(json!({ "resourceSubscriptions": uris }))).await;
    let acknowledged = stream.plain().await;
    assert_eq!(acknowledged["params"]["notifications"]["resourceSubscriptions"], json!(uris[..256]));
    built.notify().resource_updated("notes://256");
    built.notify().resource_updated("notes://255");
    assert_eq!(stream.plain().await, updated("notes://255", &json!(7)));
    stream.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn the_subscriptions_of_a_client_know_nothing_of_each_other() {
    let (built, router) = built(server());
    let mut tools = subscribed(&router, listen(json!({ "toolsListChanged": true })).token(BOB)).await;
    // With the same id, as clients on several connections have it.
    let mut same = subscribed(&router, listen(json!({ "toolsListChanged": true })).token(BOB)).await;
    let other = listen(everything()).token(BOB).edit(|message| message["id"] = json!("other"));
    let mut other = subscribed(&router, other).await;
    built.notify().tools_changed();
    assert_eq!(tools.plain().await, changed("tools", &json!(7)));
    assert_eq!(same.plain().await, changed("tools", &json!(7)));
    assert_eq!(other.plain().await, changed("tools", &json!("other")));
    drop(same);
    built.notify().prompts_changed();
    assert_eq!(other.plain().await, changed("prompts", &json!("other")));
    // Over HTTP no message ends one: ids of different clients are the same all the time.
    for call in [HttpCall::new("notifications/cancelled", json!({ "requestId": 7 })).token(BOB).notification()] {
        assert_eq!(call.send(&router).await.status, 202);
    }
    built.notify().tools_changed();
    assert_eq!(tools.plain().await, changed("tools", &json!(7)));
    assert_eq!(other.plain().await, changed("tools", &json!("other")));
    tools.is_quiet().await;
    other.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn everybody_who_knows_of_a_change_can_tell_of_it() {
    let server = server();
    let before = server.notify();
    let (built, router) = built(server);
    let mut stream = subscribed(&router, listen(everything())).await;
    before.tools_changed();
    assert_eq!(stream.plain().await, changed("tools", &json!(7)));
    built.handle().notify().resources_changed();
    assert_eq!(stream.plain().await, changed("resources", &json!(7)));
    for era in Era::ALL {
        let told = HttpCall::tool("touch", json!({ "uri": "notes://1" })).send_in(era, &router).await;
        assert_eq!(told.tool_text(), "told");
        assert_eq!(stream.plain().await, updated("notes://1", &json!(7)), "{era:?}");
    }
    // What nobody listens to is lost, and does no harm.
    drop(stream);
    before.tools_changed();
    before.resource_updated("x".repeat(100_000));
}

#[tokio::test(start_paused = true)]
async fn what_is_added_and_removed_at_run_time_is_told_and_listed() {
    let (built, router) = built(server().only([]).only_prompts([]).only_resources([]));
    let handle = built.handle();
    let mut stream = subscribed(&router, listen(everything())).await;
    let names = async |method: &str, key: &str| {
        let page = HttpCall::new(method, json!({})).send(&router).await.json();
        let items = page["result"][key].as_array().unwrap_or_else(|| panic!("no list in {page}")).clone();
        items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("tools/list", "tools").await, [""; 0]);
    handle.add_tool(extra::tool()).expect("a good tool");
    assert_eq!(stream.plain().await, changed("tools", &json!(7)));
    assert_eq!(names("tools/list", "tools").await, ["extra"]);
    assert_eq!(HttpCall::tool("extra", json!({})).send(&router).await.tool_text(), "extra");
    handle.remove_tool("extra").expect("it was there");
    assert_eq!(stream.plain().await, changed("tools", &json!(7)));
    assert_eq!(names("tools/list", "tools").await, [""; 0]);
    assert_eq!(HttpCall::tool("extra", json!({})).send(&router).await.outcome(), (200, Some(-32602)));

    handle.add_prompt(review::prompt()).expect("a good prompt");
    assert_eq!(stream.plain().await, changed("prompts", &json!(7)));
    assert_eq!(names("prompts/list", "prompts").await, ["review"]);
    handle.remove_prompt("review").expect("it was there");
    assert_eq!(stream.plain().await, changed("prompts", &json!(7)));

    handle.add_resource(note::resource()).expect("a good resource");
    assert_eq!(stream.plain().await, changed("resources", &json!(7)));
    assert_eq!(names("resources/templates/list", "resourceTemplates").await, ["note"]);
    handle.remove_resource("notes://{id}").expect("it was there");
    assert_eq!(stream.plain().await, changed("resources", &json!(7)));
    assert_eq!(names("resources/templates/list", "resourceTemplates").await, [""; 0]);
    stream.is_quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_carries_comments_and_no_reports() {
    let (_, router) = built(server().heartbeat(Duration::from_secs(1)).client_logging());
    let call = listen(everything()).meta("progressToken", json!("t")).meta("io.modelcontextprotocol/logLevel", json!("debug"));
    let mut stream = subscribed(&router, call).await;
    let began = tokio::time::Instant::now();
    for beat in 1..=4 {
        let event = stream.event().await.expect("an open stream");
        assert!(event.comment && event.data.is_none() && event.id.is_none(), "{event:?}");
        assert_eq!(began.elapsed().as_secs(), beat * 15);
    }
}

// ---------------------------------------------------------------------------------------------- how it ends

#[tokio::test(start_paused = true)]
async fn a_stopping_server_says_so_and_ends_its_subscriptions() {
    let (built, router) = built(server());
    let mut first = subscribed(&router, listen(everything())).await;
    let mut second = subscribed(&router, listen(json!({})).edit(|message| message["id"] = json!("b"))).await;
    built.notify().tools_changed();
    built.handle().shutdown();
    assert_eq!(first.plain().await, changed("tools", &json!(7)), "what was said before");
    assert_eq!(first.plain().await, last_word(&json!(7)));
    first.ends().await;
    assert_eq!(second.plain().await, last_word(&json!("b")));
    second.ends().await;
    assert_eq!(listen(everything()).send(&router).await.outcome(), (503, Some(-32603)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_gives_its_place_back() {
    let (built, router) = built(server().max_streams(2));
    let first = subscribed(&router, listen(everything())).await;
    let second = subscribed(&router, listen(everything())).await;
    let refused = listen(everything()).send(&router).await;
    assert_eq!((refused.outcome(), refused.json()["id"].clone()), ((503, Some(-32603)), json!(7)));
    drop(first);
    settle().await;
    // One that is not even read comes and goes.
    drop(Stream::open(&router, listen(everything())).await);
    settle().await;
    let mut third = subscribed(&router, listen(everything())).await;
    assert_eq!(status(&router, listen(everything())).await, 503);
    drop(second);
    settle().await;
    for _ in 0..100 {
        drop(subscribed(&router, listen(everything())).await);
        settle().await;
    }
    drop(subscribed(&router, listen(everything())).await);
    let known = listeners(built.notify());
    assert!(known.contains("listeners: 2"), "{known}");
    built.notify().tools_changed();
    assert_eq!(third.plain().await, changed("tools", &json!(7)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_has_so_many_streams_and_takes_no_place_of_others() {
    let (_, router) = built(server());
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(subscribed(&router, listen(everything()).token(BOB)).await);
    }
    assert_eq!(status(&router, listen(everything()).token(BOB)).await, 503);
    open.push(subscribed(&router, listen(everything()).token(ADA)).await);
    for _ in 0..1024 {
        open.push(Stream::open(&router, listen(everything())).await);
    }
    assert_eq!(status(&router, listen(everything())).await, 503, "nobody is known, and all share");
    open.push(subscribed(&router, listen(everything()).token(ADA)).await);
    open.remove(0);
    settle().await;
    subscribed(&router, listen(everything()).token(BOB)).await;
}

#[tokio::test(start_paused = true)]
async fn a_subscription_ends_with_the_credential_that_opened_it() {
    let (built, router) = built(server());
    let mut brief = subscribed(&router, listen(everything()).token(BRIEF)).await;
    let mut unread = Stream::open(&router, listen(everything()).token(BRIEF)).await;
    let mut other = subscribed(&router, listen(everything()).token(BOB)).await;
    built.notify().tools_changed();
    assert_eq!(brief.plain().await, changed("tools", &json!(7)));
    tokio::time::advance(Duration::from_secs(61)).await;
    settle().await;
    built.notify().prompts_changed();
    assert_eq!(brief.plain().await, last_word(&json!(7)));
    brief.ends().await;
    let rest: Vec<_> = unread.rest().await.iter().map(|event| event.json()["method"].clone()).collect();
    assert_eq!(rest, ["notifications/subscriptions/acknowledged".into(), json!("notifications/tools/list_changed"), json!(null)]);
    assert_eq!(other.plain().await, changed("tools", &json!(7)));
    assert_eq!(other.plain().await, changed("prompts", &json!(7)));
    other.is_quiet().await;
}

// ---------------------------------------------------------------------------------------------- a client that does not read

#[tokio::test(start_paused = true)]
async fn of_a_flood_about_one_resource_a_slow_client_reads_a_little() {
    let (built, router) = built(server());
    let mut stream = Stream::open(&router, listen(everything())).await;
    for round in 0..1000 {
        for _ in 0..100 {
            built.notify().resource_updated("notes://1");
            built.notify().tools_changed();
        }
        if round < 50 {
            settle().await;
        }
    }
    let mut count = 0;
    assert_eq!(stream.plain().await["method"], "notifications/subscriptions/acknowledged");
    while tokio::time::timeout(Duration::from_secs(1), stream.event()).await.is_ok_and(|event| event.is_some()) {
        count += 1;
    }
    assert!((2..=20).contains(&count), "{count} events wait for a client that does not read");
    // It is still told.
    built.notify().prompts_changed();
    assert_eq!(stream.plain().await, changed("prompts", &json!(7)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_that_misses_too_much_loses_its_stream_and_nobody_elses() {
    let (built, router) = built(server());
    let mut slow = Stream::open(&router, listen(everything())).await;
    let mut quick = subscribed(&router, listen(json!({ "toolsListChanged": true }))).await;
    settle().await;
    for part in 0..100_000 {
        built.notify().resource_updated(format!("notes://1/{part}"));
        if part % 1000 == 0 {
            settle().await;
        }
    }
    let rest = slow.rest().await;
    assert!(rest.len() <= 20, "{} events wait for a client that does not read", rest.len());
    // It knows that it must ask again.
    assert_eq!(rest.last().expect("an end").json(), last_word(&json!(7)));
    built.notify().tools_changed();
    assert_eq!(quick.plain().await, changed("tools", &json!(7)));
    quick.is_quiet().await;
}

// ---------------------------------------------------------------------------------------------- over a pipe

fn piped() -> (Notifier, Conversation) {
    let server = server().stdio_principal(Principal::user("ada").scopes(["gold"]));
    (server.notify(), converse(server))
}

async fn listening(pipe: &mut Conversation, id: &Value, notifications: Value) {
    let acknowledged = pipe.ask(modern(id.clone(), "subscriptions/listen", json!({ "notifications": notifications }))).await;
    assert_eq!(acknowledged, acknowledgement(id, &notifications));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_subscriptions_share_the_line_and_are_told_apart() {
    let (notifier, mut pipe) = piped();
    let (number, text) = (json!(1), json!("1"));
    listening(&mut pipe, &number, json!({ "toolsListChanged": true })).await;
    listening(&mut pipe, &text, json!({ "resourceSubscriptions": ["vault://gold"] })).await;
    notifier.tools_changed();
    assert_eq!(pipe.hear().await, changed("tools", &number));
    notifier.prompts_changed();
    notifier.resource_updated("vault://gold");
    assert_eq!(pipe.hear().await, updated("vault://gold", &text));
    // A call runs beside them.
    let called = pipe.ask(modern(2, "tools/call", json!({ "name": "touch", "arguments": { "uri": "vault://gold" } }))).await;
    let both = [called, pipe.hear().await];
    assert!(both.contains(&updated("vault://gold", &text)) && both.iter().any(|message| message["id"] == 2), "{both:?}");
    // Nobody opened with initialize, so nothing is said without an id.
    pipe.say(notification("notifications/initialized", json!({})));
    notifier.tools_changed();
    assert_eq!(pipe.hear().await, changed("tools", &number));
    pipe.is_quiet().await;
    assert_eq!(pipe.close().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_a_client_ends_a_subscription_by_a_message() {
    let (notifier, mut pipe) = piped();
    listening(&mut pipe, &json!(1), json!({ "toolsListChanged": true })).await;
    listening(&mut pipe, &json!("1"), json!({ "toolsListChanged": true })).await;
    pipe.say(cancel(2));
    pipe.say(cancel(1));
    pipe.is_quiet().await;
    // The task behind it has ended when it was woken.
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            notifier.tools_changed();
            let heard = pipe.hear().await;
            if heard == changed("tools", &json!("1")) {
                break;
            }
            assert_eq!(heard, changed("tools", &json!(1)));
        }
    })
    .await
    .expect("the other one goes on");
    notifier.tools_changed();
    assert_eq!(pipe.hear().await, changed("tools", &json!("1")));
    // The id is free again.
    listening(&mut pipe, &json!(1), json!({ "promptsListChanged": true })).await;
    assert_eq!(pipe.close().await, "", "nothing is said of what the client ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_a_subscription_that_the_server_ends_is_answered_and_said_to_be_cancelled() {
    let soon = SystemTime::now() + Duration::from_millis(500);
    let mut pipe = converse(server().stdio_principal(Principal::user("ada").valid_until(soon)));
    listening(&mut pipe, &json!(1), json!({ "toolsListChanged": true })).await;
    assert_eq!(pipe.hear().await, last_word(&json!(1)));
    let cancelled = pipe.hear().await;
    assert_eq!((&cancelled["method"], &cancelled["params"]["requestId"]), (&json!("notifications/cancelled"), &json!(1)));
    assert_eq!((cancelled.get("id"), cancelled["params"]["reason"].is_string()), (None, true));
    pipe.is_quiet().await;
    assert_eq!(pipe.close().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_subscriptions_do_not_hold_up_the_end() {
    let (_, mut pipe) = piped();
    listening(&mut pipe, &json!(1), json!({ "toolsListChanged": true })).await;
    pipe.open("2025-11-25").await;
    pipe.say(notification("notifications/initialized", json!({})));
    pipe.is_quiet().await;
    let began = Instant::now();
    assert_eq!(pipe.close().await, "");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_a_pipe_a_client_has_so_many_subscriptions_and_then_an_error() {
    let (notifier, mut pipe) = piped();
    for id in 0..64 {
        listening(&mut pipe, &json!(id), json!({ "toolsListChanged": true })).await;
    }
    let ask = json!({ "notifications": { "toolsListChanged": true } });
    let refused = pipe.ask(modern("more", "subscriptions/listen", ask)).await;
    assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(-32603), &json!("more")));
    let refused = pipe.ask(modern("odd", "subscriptions/listen", json!({ "notifications": 1 }))).await;
    assert_eq!(refused["error"]["code"], -32602);
    notifier.tools_changed();
    let mut heard = Vec::new();
    for _ in 0..64 {
        heard.push(pipe.hear().await["params"]["_meta"][SUBSCRIPTION].as_u64().expect("a number"));
    }
    heard.sort_unstable();
    assert!(heard.into_iter().eq(0..64));
    pipe.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_without_legacy_clients_has_subscriptions() {
    let server = server().legacy_clients(LegacyClients::Refused).stdio_principal(Principal::user("ada").scopes(["gold"]));
    let (notifier, mut pipe) = (server.notify(), converse(server));
    listening(&mut pipe, &json!(1), json!({ "toolsListChanged": true })).await;
    notifier.tools_changed();
    assert_eq!(pipe.hear().await, changed("tools", &json!(1)));
    assert_eq!(pipe.ask(request(2, "ping", json!({}))).await["error"]["code"], -32602);
}
