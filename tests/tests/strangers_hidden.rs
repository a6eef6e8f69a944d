//! What is hidden reveals nothing to who may not use it: in no answer, no header, no list, and by no event.

mod event_stream;
mod http_call;
mod pipe;
mod task_calls;

use axum::Router;
use event_stream::{Stream, get, settle};
use http_call::{Answer, HttpCall, open};
use mcp_runtime::notify::{Event, EventBus as _};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use mcp_runtime::{Built, Handle};
use pipe::{converse, notification, request};
use serde_json::{Value, json};
use task_calls::Bus;

const STAFF: &str = "staff-0123456789abcdef";
const GUEST: &str = "guest-0123456789abcdef";
const NEWEST: Era = Era::V2025_11_25;

/// For all.
#[tool]
fn look(query: Option<String>) -> String {
    query.unwrap_or_default()
}

/// For the staff, with an argument in a header.
#[tool(hidden, scopes("staff"))]
fn look_deep(#[arg(header = "Region")] region: String) -> String {
    region
}

/// For all.
#[prompt]
fn letter(#[complete(["Ada"])] to: String) -> String {
    to
}

/// For the staff.
#[prompt(hidden, scopes("staff"))]
fn letters(#[complete(["Eve"])] to: String) -> String {
    to
}

/// A note, for all.
#[resource("notes://{id}")]
fn note(id: String) -> String {
    id
}

/// For the staff, and everybody may know.
#[resource("vault://{door}", scopes("staff"))]
fn vault(door: String) -> String {
    door
}

/// For the staff.
#[resource("cellar://{room}", hidden, scopes("staff"))]
fn cellar(#[complete(["wine"])] room: String) -> String {
    room
}

/// For the staff.
#[resource("attic://box", hidden, scopes("staff"))]
fn attic() -> &'static str {
    "box"
}

/// Comes later, for those with both scopes.
#[tool(hidden, scopes("staff", "night"))]
fn at_night() {}

fn bare() -> Server {
    let tokens = StaticTokens::new()
        .token(STAFF, Principal::user("sam").scopes(["staff"]))
        .token(GUEST, Principal::user("gus").scopes(["guest"]));
    Server::new("hidden", "0").list_changes().resource_updates().auth(Auth::chain().with(tokens)).allow_anonymous()
}

fn server() -> Server {
    bare().only([look::tool(), look_deep::tool()]).only_prompts([letter::prompt(), letters::prompt()]).only_resources([
        note::resource(),
        vault::resource(),
        cellar::resource(),
        attic::resource(),
    ])
}

fn built(server: Server) -> (Built, Router) {
    let built = server.build().expect("it builds");
    let router = built.router();
    (built, router)
}

/// The callers who may not see it.
fn strangers(call: &HttpCall) -> [HttpCall; 2] {
    [call.clone(), call.clone().token(GUEST)]
}

/// What a stranger is told of something hidden, and of what is not there, is the same but for the name.
async fn looks_like_nothing(router: &Router, hidden: &HttpCall, nothing: &HttpCall, names: [&str; 2]) {
    for era in Era::ALL {
        for (hidden, nothing) in strangers(hidden).into_iter().zip(strangers(nothing)) {
            let (hidden, nothing) = (hidden.send_in(era, router).await, nothing.send_in(era, router).await);
            let facts = |answer: &Answer| {
                let mut headers = answer.headers.clone();
                headers.remove("mcp-session-id");
                (headers, answer.shown())
            };
            assert!(nothing.json()["error"]["code"].is_i64(), "{era:?}: {}", nothing.shown());
            let (headers, text) = facts(&hidden);
            assert_eq!((headers, text.replace(names[0], names[1])), facts(&nothing), "{era:?}");
        }
    }
}

fn get_prompt(name: &str) -> HttpCall {
    HttpCall::new("prompts/get", json!({ "name": name, "arguments": {} })).header("mcp-name", name)
}

fn read(uri: &str) -> HttpCall {
    HttpCall::new("resources/read", json!({ "uri": uri })).header("mcp-name", uri)
}

fn complete(reference: &Value, argument: &str) -> HttpCall {
    let argument = json!({ "name": argument, "value": "" });
    HttpCall::new("completion/complete", json!({ "ref": reference, "argument": argument }))
}

// ---------------------------------------------------------------------------------------------- answers

#[tokio::test]
async fn a_tools_headers_are_not_asked_for() {
    let (_, router) = built(server());
    let names = ["look_deep", "read_deep"];
    for arguments in [json!({}), json!({ "region": "eu" }), json!({ "region": 5 })] {
        let [hidden, nothing] = names.map(|name| HttpCall::tool(name, arguments.clone()));
        looks_like_nothing(&router, &hidden, &nothing, names).await;
        let [hidden, nothing] = [hidden, nothing].map(|call| call.header("mcp-param-region", "us"));
        looks_like_nothing(&router, &hidden, &nothing, names).await;
    }
    // The staff is told what differs.
    let without = HttpCall::tool("look_deep", json!({ "region": "eu" })).token(STAFF).send(&router).await;
    assert_eq!(without.status, 400, "{}", without.shown());
}

#[tokio::test]
async fn nothing_hidden_is_proposed() {
    let (_, router) = built(server());
    for (call, staff) in [
        (HttpCall::tool("look_dep", json!({})), "did you mean look_deep?"),
        (get_prompt("letterss"), "did you mean letters?"),
        (complete(&json!({ "type": "ref/prompt", "name": "letterss" }), "to"), "did you mean letters?"),
    ] {
        for stranger in strangers(&call) {
            let answer = stranger.send(&router).await;
            assert!(!answer.shown().contains("look_deep") && !answer.shown().contains("letters?"), "{}", answer.shown());
        }
        let answer = call.token(STAFF).send(&router).await;
        assert!(answer.message().contains(staff), "{}", answer.shown());
    }
}

#[tokio::test]
async fn prompts_and_resources_look_like_nothing() {
    let (_, router) = built(server());
    let prompts = ["letters", "letterz"];
    let [hidden, nothing] = prompts.map(get_prompt);
    looks_like_nothing(&router, &hidden, &nothing, prompts).await;
    for uris in [["cellar://wine", "pantry://wine"], ["attic://box", "attic://bag"]] {
        let [hidden, nothing] = uris.map(read);
        looks_like_nothing(&router, &hidden, &nothing, uris).await;
    }
    for (uri, status) in [("cellar://wine", 200), ("attic://box", 200)] {
        assert_eq!(read(uri).token(STAFF).send(&router).await.status, status);
    }
}

#[tokio::test]
async fn nothing_hidden_is_completed() {
    let (_, router) = built(server());
    let prompts = ["letters", "letterz"];
    for argument in ["to", "other"] {
        let [hidden, nothing] = prompts.map(|name| complete(&json!({ "type": "ref/prompt", "name": name }), argument));
        looks_like_nothing(&router, &hidden, &nothing, prompts).await;
    }
    let templates = ["cellar://{room}", "pantry://{room}"];
    for argument in ["room", "other"] {
        let [hidden, nothing] = templates.map(|uri| complete(&json!({ "type": "ref/resource", "uri": uri }), argument));
        looks_like_nothing(&router, &hidden, &nothing, templates).await;
    }
    let staff = complete(&json!({ "type": "ref/prompt", "name": "letters" }), "to").token(STAFF).send(&router).await;
    assert_eq!(staff.json()["result"]["completion"]["values"], json!(["Eve"]));
}

#[tokio::test]
async fn no_list_has_anything_hidden() {
    for server in [server(), server().page_size(1)] {
        let (_, router) = built(server);
        for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
            for era in Era::ALL {
                for call in strangers(&HttpCall::new(method, json!({}))) {
                    let mut call = call;
                    loop {
                        let page = call.clone().send_in(era, &router).await;
                        for name in ["look_deep", "letters", "cellar", "attic"] {
                            assert!(!page.shown().contains(name), "{era:?} {method}: {}", page.shown());
                        }
                        let next = page.json()["result"]["nextCursor"].clone();
                        if next.is_null() {
                            break;
                        }
                        call = call.edit(|message| message["params"]["cursor"] = next);
                    }
                }
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------- subscriptions

#[tokio::test(start_paused = true)]
async fn a_subscription_is_answered_like_a_read() {
    let (_, router) = built(server());
    for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
        for token in [None, Some(GUEST)] {
            let by = |call: HttpCall| token.map_or(call.clone(), |token| call.token(token));
            let session = open(&router, by(HttpCall::initialize(era))).await;
            let subscribe = |uri: &str| {
                let call = HttpCall::legacy(era, "resources/subscribe", json!({ "uri": uri })).session(&session);
                by(call).send(&router)
            };
            let listed = subscribe("vault://gold").await;
            let read = by(read("vault://gold").in_era(era).session(&session)).send(&router).await;
            let facts = |answer: &Answer| (answer.status, answer.header("www-authenticate").map(str::to_owned), answer.shown());
            assert_eq!(facts(&listed), facts(&read), "{era:?}");
            assert_eq!(listed.status, if token.is_some() { 403 } else { 401 }, "{}", listed.shown());
            assert!(listed.header("www-authenticate").is_some_and(|challenge| challenge.contains(r#"scope="staff""#)));
            let mut answers = Vec::new();
            for uri in ["cellar://wine", "attic://box", "pantry://wine"] {
                let answer = subscribe(uri).await;
                assert_eq!(answer.outcome(), (200, Some(-32002)), "{era:?} {uri}: {}", answer.shown());
                answers.push(answer.shown().replace(uri, ""));
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{answers:?}");
            assert_eq!(subscribe("notes://1").await.outcome(), (200, None));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_uri_holds_for_subscriptions() {
    let server = bare().only([look::tool()]).only_resources([note::resource()]);
    let (built, router) =
        built(server.scopes_by("note", |asked| if *asked.argument("id") == "1" { vec![] } else { vec!["staff"] }));
    let session = open(&router, HttpCall::initialize(NEWEST).token(GUEST)).await;
    let subscribe =
        |uri: &str| HttpCall::legacy(NEWEST, "resources/subscribe", json!({ "uri": uri })).session(&session).token(GUEST);
    assert_eq!(subscribe("notes://1").send(&router).await.outcome(), (200, None));
    assert_eq!(subscribe("notes://2").send(&router).await.status, 403, "it may not read that one");
    let uris = json!({ "resourceSubscriptions": ["notes://1", "notes://2"] });
    let mut stream =
        Stream::open(&router, HttpCall::new("subscriptions/listen", json!({ "notifications": uris })).token(GUEST)).await;
    let honoured = stream.plain().await["params"]["notifications"]["resourceSubscriptions"].clone();
    assert_eq!(honoured, json!(["notes://1"]));
    built.notify().resource_updated("notes://2");
    stream.is_quiet().await;
    built.notify().resource_updated("notes://1");
    assert_eq!(stream.plain().await["params"]["uri"], "notes://1");
}

// ---------------------------------------------------------------------------------------------- changes of lists

/// All that can be hidden, added and removed.
fn changes(handle: &Handle) {
    handle.add_tool(look_deep::tool()).expect("it fits");
    handle.add_prompt(letters::prompt()).expect("it fits");
    handle.add_resource(attic::resource()).expect("it fits");
    handle.add_resource(cellar::resource()).expect("it fits");
    assert!(handle.remove_tool("look_deep").expect("it goes"));
    assert!(handle.remove_prompt("letters").expect("it goes"));
    assert!(handle.remove_resource("attic://box").expect("it goes"));
    assert!(handle.remove_resource("cellar://{room}").expect("it goes"));
    assert!(!handle.remove_tool("look_deep").expect("nothing went"));
}

fn listen() -> HttpCall {
    let all = json!({ "toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true });
    HttpCall::new("subscriptions/listen", json!({ "notifications": all }))
}

/// A stream of the modern era and one of a session, of this caller.
async fn streams(router: &Router, token: Option<&str>) -> [Stream; 2] {
    let by = |call: HttpCall| token.map_or(call.clone(), |token| call.token(token));
    let mut modern = Stream::open(router, by(listen())).await;
    modern.plain().await;
    let session = open(router, by(HttpCall::initialize(NEWEST))).await;
    let legacy = Stream::open(router, by(get(NEWEST, &session))).await;
    settle().await;
    [modern, legacy]
}

/// What lists changed, in the order in which a listener is told.
async fn heard(stream: &mut Stream, count: usize) -> Vec<String> {
    let mut heard = Vec::new();
    for _ in 0..count {
        heard.push(stream.message().await.1["method"].as_str().expect("a method").to_owned());
    }
    heard
}

const LISTS: [&str; 3] =
    ["notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed"];

#[tokio::test(start_paused = true)]
async fn only_who_may_see_it_hears_that_something_hidden_comes_and_goes() {
    let (built, router) = built(bare().only([look::tool()]));
    let (nobody, guest) = (streams(&router, None).await, streams(&router, Some(GUEST)).await);
    let mut staff = streams(&router, Some(STAFF)).await;
    changes(&built.handle());
    for stream in &mut staff {
        assert_eq!(heard(stream, 3).await, LISTS);
    }
    let mut others: Vec<_> = nobody.into_iter().chain(guest).collect();
    for stream in &mut others {
        stream.is_quiet().await;
    }
    built.handle().add_tool(look::tool()).expect("it fits");
    for stream in others.iter_mut().chain(&mut staff) {
        assert_eq!(heard(stream, 1).await, LISTS[..1], "of what all may see, all hear");
    }
}

/// With one scope of two, nothing is seen.
#[tokio::test(start_paused = true)]
async fn all_scopes_are_needed_to_hear_of_it() {
    let (built, router) = built(bare().only([look::tool()]));
    let mut staff = streams(&router, Some(STAFF)).await;
    built.handle().add_tool(at_night::tool()).expect("it fits");
    assert!(built.handle().remove_tool("at_night").expect("it goes"));
    for stream in &mut staff {
        stream.is_quiet().await;
    }
}

mod seen {
    use super::*;

    /// For all.
    #[tool(name = "changing")]
    pub(super) fn tool_for_all() {}
}

mod hidden {
    use super::*;

    /// For few.
    #[tool(name = "changing", hidden, scopes("staff"))]
    pub(super) fn tool_for_few() {}
}

#[tokio::test(start_paused = true)]
async fn what_becomes_hidden_or_seen_is_a_change_for_all() {
    let (built, router) = built(bare().only([look::tool()]));
    let mut guest = streams(&router, Some(GUEST)).await;
    let handle = built.handle();
    handle.add_tool(hidden::tool_for_few::tool()).expect("it fits");
    for stream in &mut guest {
        stream.is_quiet().await;
    }
    for tool in [seen::tool_for_all::tool(), hidden::tool_for_few::tool()] {
        handle.add_tool(tool).expect("it takes its place");
        for stream in &mut guest {
            assert_eq!(heard(stream, 1).await, LISTS[..1]);
        }
    }
    // Hidden in the place of hidden.
    handle.add_tool(hidden::tool_for_few::tool()).expect("it takes its place");
    for stream in &mut guest {
        stream.is_quiet().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_hears_what_the_stream_of_the_moment_may() {
    let tokens = StaticTokens::new().token(STAFF, Principal::user("sam").scopes(["staff"])).token(GUEST, Principal::user("sam"));
    let (built, router) = built(bare().only([look::tool()]).auth(Auth::chain().with(tokens)));
    let session = open(&router, HttpCall::initialize(NEWEST).token(STAFF)).await;
    let opened = async |token: &str| {
        let stream = Stream::open(&router, get(NEWEST, &session).token(token)).await;
        settle().await;
        stream
    };
    let (handle, add) = (built.handle(), || look_deep::tool());
    let mut less = opened(GUEST).await;
    handle.add_tool(add()).expect("it fits");
    less.is_quiet().await;
    let mut more = opened(STAFF).await;
    handle.add_tool(add()).expect("it fits");
    assert_eq!(heard(&mut more, 1).await, LISTS[..1]);
}

#[tokio::test(start_paused = true)]
async fn other_instances_tell_those_who_may_see_it() {
    let bus = Bus::default();
    let instance = || built(bare().only([look::tool()]).event_bus(bus.clone()));
    let ((here, _), (_there, router)) = (instance(), instance());
    let mut guest = streams(&router, Some(GUEST)).await;
    let mut staff = streams(&router, Some(STAFF)).await;
    changes(&here.handle());
    for stream in &mut staff {
        assert_eq!(heard(stream, 3).await, LISTS);
    }
    for stream in &mut guest {
        stream.is_quiet().await;
    }
    // As an instance of an earlier release says it, and one that has nothing to hide.
    for name in ["toolsChanged", "promptsChanged", "resourcesChanged"] {
        let event: Event = serde_json::from_value(json!({ "event": name })).expect("an event");
        assert_eq!(serde_json::to_value(&event).expect("JSON"), json!({ "event": name }), "and as it says it");
        bus.publish(event);
    }
    assert_eq!(heard(&mut guest[0], 3).await, LISTS);
}

#[tokio::test]
async fn a_pipe_hears_what_its_principal_may() {
    for (principal, count) in [(Principal::user("sam").scopes(["staff"]), 1), (Principal::user("gus"), 0)] {
        let bus = Bus::default();
        let server = Server::new("hidden", "0").only([look::tool()]).list_changes().event_bus(bus.clone());
        let mut conversation = converse(server.stdio_principal(principal));
        conversation.open("2025-11-25").await;
        conversation.say(notification("notifications/initialized", json!({})));
        conversation.is_quiet().await;
        let event = json!({ "event": "toolsChanged", "scopes": ["staff"] });
        bus.publish(serde_json::from_value(event).expect("an event"));
        if count == 1 {
            assert_eq!(conversation.hear().await["method"], LISTS[0]);
        }
        let pong = conversation.ask(request(1, "ping", json!({}))).await;
        assert_eq!(pong["id"], 1, "and nothing before it");
        conversation.close().await;
    }
}
