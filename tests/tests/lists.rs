//! The four lists: in pages, with hints for caches, as they change while the server runs, and as the server declares them.

mod every_era;
mod http_call;

use std::time::Duration;

use every_era::{clients, eras_of};
use http_call::{HttpCall, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Client, Era};
use mcp_runtime::{Built, Error, Problem};
use serde_json::{Value, json};

/// Of each kind three, by macro: names in the order of the alphabet.
macro_rules! items {
    ($($name:ident $uri:literal $template:literal;)*) => { $(
        mod $name {
            use mcp_runtime::prelude::*;

            /// A tool.
            #[tool]
            pub(crate) fn $name() {}

            pub(crate) mod other {
                use mcp_runtime::prelude::*;

                /// A prompt.
                #[prompt]
                pub(crate) fn $name() -> &'static str {
                    "prompt"
                }
            }

            pub(crate) mod fixed {
                use mcp_runtime::prelude::*;

                /// A resource.
                #[resource($uri)]
                pub(crate) fn $name() -> &'static str {
                    "resource"
                }
            }

            pub(crate) mod family {
                use mcp_runtime::prelude::*;

                /// Many resources.
                #[resource($template)]
                pub(crate) fn $name(id: u8) -> String {
                    id.to_string()
                }
            }
        }
    )* };
}
items! {
    ant "a:ant" "a:ant/{id}";
    bee "b:bee" "b:bee/{id}";
    cat "c:cat" "c:cat/{id}";
}

const KINDS: [(&str, &str); 4] = [
    ("tools/list", "tools"),
    ("prompts/list", "prompts"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
];

fn server() -> Server {
    Server::new("lists", "0")
        .allow_anonymous()
        .only([ant::ant::tool(), bee::bee::tool(), cat::cat::tool()])
        .only_prompts([ant::other::ant::prompt(), bee::other::bee::prompt(), cat::other::cat::prompt()])
        .only_resources(
            [ant::fixed::ant::resource(), bee::fixed::bee::resource(), cat::fixed::cat::resource()].into_iter().chain([
                ant::family::ant::resource(),
                bee::family::bee::resource(),
                cat::family::cat::resource(),
            ]),
        )
}

fn empty() -> Server {
    Server::new("lists", "0").allow_anonymous().only([]).only_prompts([]).only_resources([])
}

fn names(answer: &Answer, member: &str) -> Vec<String> {
    let items = answer.result()[member].as_array().expect("a list");
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

async fn page(client: &Client, method: &str, cursor: Option<&Value>) -> Answer {
    client.request(method, cursor.map_or(json!({}), |cursor| json!({ "cursor": cursor }))).await
}

// ---------------------------------------------------------------------------------------------- pages

#[tokio::test]
async fn every_list_has_pages_that_are_the_whole_list() {
    for (size, pages) in [(1, vec![1, 1, 1]), (2, vec![2, 1]), (3, vec![3]), (100, vec![3])] {
        for (era, client) in clients(&server().page_size(size)) {
            for (method, member) in KINDS {
                let (mut all, mut counts, mut cursor) = (Vec::new(), Vec::new(), None);
                loop {
                    let answer = page(&client, method, cursor.as_ref()).await;
                    let names = names(&answer, member);
                    counts.push(names.len());
                    all.extend(names);
                    match answer.result().get("nextCursor") {
                        Some(next) => cursor = Some(next.clone()),
                        None => break,
                    }
                }
                assert_eq!(
                    (all, &counts),
                    (["ant", "bee", "cat"].map(str::to_owned).to_vec(), &pages),
                    "{era:?} {method} {size}"
                );
            }
        }
    }
    for (era, client) in clients(&server()) {
        for (method, member) in KINDS {
            let answer = page(&client, method, None).await;
            assert_eq!(names(&answer, member), ["ant", "bee", "cat"], "{era:?} {method}");
            assert_eq!(answer.result().get("nextCursor"), None, "{era:?} {method}");
        }
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_one_list_and_one_caller() {
    let alice = Principal::user("alice");
    for (era, client) in eras_of(Client::new(&server().page_size(1)).principal(alice.clone())) {
        for (method, _) in KINDS {
            let cursor = page(&client, method, None).await.result()["nextCursor"].clone();
            assert_eq!(page(&client, method, Some(&cursor)).await.error_code(), None, "{era:?} {method}");
            assert_eq!(page(&client, method, Some(&cursor)).await.error_code(), None, "{era:?} {method}: it stays good");
            for (other, _) in KINDS.into_iter().filter(|(other, _)| *other != method) {
                let answer = page(&client, other, Some(&cursor)).await;
                assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?} {method} {other}");
            }
            for stranger in [Principal::user("bob"), alice.clone().issued_by("elsewhere")] {
                let stranger = client.clone().principal(stranger);
                assert_eq!(page(&stranger, method, Some(&cursor)).await.error_code(), Some(-32602), "{era:?} {method}");
            }
            let elsewhere = Client::new(&server().page_size(1)).era(era).principal(alice.clone());
            assert_eq!(page(&elsewhere, method, Some(&cursor)).await.error_code(), Some(-32602), "{era:?}: another key");
        }
    }
}

#[tokio::test]
async fn an_unknown_cursor_is_refused() {
    // An empty one is a cursor too.
    let cursors = [json!(""), json!("abc"), json!("b:bee"), json!("x".repeat(100_000)), json!(5), json!({}), json!(null)];
    for server in [server().page_size(1), server()] {
        for (era, client) in clients(&server) {
            for (method, _) in KINDS {
                for cursor in &cursors {
                    let answer = page(&client, method, Some(cursor)).await;
                    assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?} {method}");
                    assert!(answer.error_message().len() < 100, "{}", answer.error_message());
                }
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------- caches

fn hint(answer: &Answer) -> (Value, Value) {
    (answer.result()["ttlMs"].clone(), answer.result()["cacheScope"].clone())
}

#[tokio::test]
async fn all_lists_and_all_pages_say_for_how_long_and_for_whom() {
    let token = || StaticTokens::new().token("9f2c61d8a7e04b3f8d15", Principal::user("ci"));
    let kept = server().page_size(2).cache_lists(Duration::from_secs(90));
    for (server, expected) in [
        (server().page_size(2), (json!(0), json!("private"))),
        (kept.clone(), (json!(90_000), json!("public"))),
        (kept.clone().auth(Auth::chain().with(token())), (json!(90_000), json!("private"))),
    ] {
        for (era, client) in clients(&server) {
            let expected = if era.is_legacy() { (Value::Null, Value::Null) } else { expected.clone() };
            for (method, _) in KINDS {
                let first = page(&client, method, None).await;
                let second = page(&client, method, first.result().get("nextCursor")).await;
                assert_eq!((hint(&first), hint(&second)), (expected.clone(), expected.clone()), "{era:?} {method}");
            }
            if !era.is_legacy() {
                assert_eq!(hint(&client.request("server/discover", json!({})).await), expected);
            }
        }
    }
}

/// Kept by its reader.
#[resource("kept:private", cache(private, ttl = "30s"))]
fn kept_private() -> &'static str {
    "mine"
}

/// Kept by all.
#[resource("kept:public", cache(public, ttl = "2h"))]
fn kept_public() -> &'static str {
    "ours"
}

#[data]
struct Name {
    name: String,
}

/// Made for whom it asks.
#[resource("kept:asked", cache(public, ttl = "2h"))]
async fn kept_asked(ctx: Context) -> Result<String, ResourceError> {
    Ok(ctx.elicit::<Name>("Who are you?").await?.accepted()?.name)
}

#[tokio::test]
async fn what_was_read_may_be_kept_as_its_author_says() {
    let token = StaticTokens::new().token("9f2c61d8a7e04b3f8d15", Principal::user("ci"));
    let resources = [kept_private::resource(), kept_public::resource(), kept_asked::resource(), ant::fixed::ant::resource()];
    let open = empty().only_resources(resources);
    for (server, public) in [(open.clone(), "public"), (open.clone().auth(Auth::chain().with(token)), "private")] {
        for (era, client) in clients(&server) {
            for (uri, ttl, scope) in
                [("a:ant", 0, "private"), ("kept:private", 30_000, "private"), ("kept:public", 7_200_000, public)]
            {
                let expected = if era.is_legacy() { (Value::Null, Value::Null) } else { (json!(ttl), json!(scope)) };
                assert_eq!(hint(&client.read(uri).await), expected, "{era:?} {uri}");
            }
            let answering = client.clone().answering(json!({ "name": "Ada" }));
            if era < Era::V2025_06_18 {
                continue;
            }
            // What depends on an answer is nobody else's, and no later question's.
            let answer = answering.read("kept:asked").await;
            assert_eq!(answer.contents()[0]["text"], "Ada", "{era:?} {}", answer.message());
            let never = (json!(0), json!("private"));
            assert_eq!(hint(&answer), if era.is_legacy() { (Value::Null, Value::Null) } else { never }, "{era:?}");
            if !era.is_legacy() {
                let asks = client.capabilities(json!({ "elicitation": {} })).read("kept:asked").await;
                assert_eq!(asks.result()["resultType"], "input_required");
                assert_eq!(hint(&asks), (Value::Null, Value::Null), "a question is not kept");
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------- what is declared

#[tokio::test]
async fn what_is_declared_works_and_nothing_else() {
    let (a_tool, a_prompt) = (ant::ant::tool(), ant::other::ant::prompt());
    let (a_resource, a_family) = (ant::fixed::ant::resource(), ant::family::ant::resource());
    for (server, offered) in [
        (empty(), json!({})),
        (empty().only([a_tool]), json!({ "tools": {} })),
        (empty().only_prompts([a_prompt]), json!({ "prompts": {} })),
        (empty().only_resources([a_resource]), json!({ "resources": {} })),
        (empty().only_resources([a_family]), json!({ "resources": {} })),
        (server(), json!({ "tools": {}, "prompts": {}, "resources": {} })),
        (
            empty().list_changes().resource_updates(),
            json!({
                "tools": { "listChanged": true }, "prompts": { "listChanged": true },
                "resources": { "listChanged": true, "subscribe": true },
            }),
        ),
    ] {
        let router = router(server);
        for era in Era::ALL {
            let opening = if era.is_legacy() { HttpCall::initialize(era) } else { HttpCall::new("server/discover", json!({})) };
            let opened = opening.send(&router).await.json();
            assert_eq!(opened["result"]["capabilities"], offered, "{era:?}");
            let methods = [
                ("tools/list", "tools", json!({})),
                ("tools/call", "tools", json!({ "name": "nosuch" })),
                ("prompts/list", "prompts", json!({})),
                ("prompts/get", "prompts", json!({ "name": "nosuch" })),
                ("resources/list", "resources", json!({})),
                ("resources/templates/list", "resources", json!({})),
                ("resources/read", "resources", json!({ "uri": "nosuch" })),
                ("completion/complete", "completions", json!({})),
            ];
            for (method, capability, params) in methods {
                let call = HttpCall::new(method, params.clone());
                let named = params.get("name").or(params.get("uri")).is_some();
                let call = if named { call.header("mcp-name", "nosuch") } else { call };
                let (status, code) = call.send_in(era, &router).await.outcome();
                let is_offered = offered.get(capability).is_some();
                let absent = (if era.is_legacy() { 200 } else { 404 }, Some(-32601));
                assert_eq!((status, code) == absent, !is_offered, "{era:?} {method} {offered}: {status} {code:?}");
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------- changes

/// What each list has now, in one revision.
async fn now(built: &Built, era: Era) -> Vec<Vec<String>> {
    let router = built.router::<()>();
    let mut all = Vec::new();
    for (method, member) in KINDS {
        let answer = HttpCall::new(method, json!({})).send_in(era, &router).await.json();
        let items = answer["result"][member].as_array().unwrap_or_else(|| panic!("{answer}"));
        all.push(items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect());
    }
    all
}

/// Another of the name.
#[prompt(name = "ant")]
fn other_ant(leg: u8) -> String {
    format!("leg {leg}")
}

#[tokio::test]
async fn what_is_added_and_removed_changes_the_next_list() {
    let built = server().list_changes().build().expect("a server that builds");
    let handle = built.handle();
    let all = || ["ant", "bee", "cat"].map(str::to_owned).to_vec();
    let without = |name: &str| all().into_iter().filter(|own| own != name).collect::<Vec<_>>();
    assert!(handle.remove_tool("ant").expect("a tool less"));
    assert!(handle.remove_prompt("bee").expect("a prompt less"));
    assert!(handle.remove_resource("c:cat").expect("a resource less"));
    assert!(handle.remove_resource("a:ant/{id}").expect("a family less"));
    assert!(!handle.remove_tool("nosuch").expect("nothing to remove"));
    assert!(!handle.remove_prompt("nosuch").expect("nothing to remove"));
    assert!(!handle.remove_resource("no:such").expect("nothing to remove"));
    for era in Era::ALL {
        assert_eq!(now(&built, era).await, [without("ant"), without("bee"), without("cat"), without("ant")], "{era:?}");
    }
    let router = built.router::<()>();
    let read = |uri: &str| HttpCall::new("resources/read", json!({ "uri": uri })).header("mcp-name", uri);
    for era in Era::ALL {
        let missing = if era.is_legacy() { -32002 } else { -32602 };
        for uri in ["c:cat", "a:ant/7"] {
            assert_eq!(read(uri).send_in(era, &router).await.outcome(), (200, Some(missing)), "{era:?} {uri}");
        }
        assert_eq!(HttpCall::tool("ant", json!({})).send_in(era, &router).await.outcome(), (200, Some(-32602)), "{era:?}");
    }
    handle.add_tool(ant::ant::tool()).expect("a tool more");
    handle.add_prompt(bee::other::bee::prompt()).expect("a prompt more");
    handle.add_resource(cat::fixed::cat::resource()).expect("a resource more");
    handle.add_resource(ant::family::ant::resource()).expect("a family more");
    handle.add_prompt(other_ant::prompt()).expect("in place of one of its name");
    for era in Era::ALL {
        assert_eq!(now(&built, era).await, [all(), all(), all(), all()], "{era:?}");
        let get = HttpCall::new("prompts/get", json!({ "name": "ant", "arguments": { "leg": "6" } })).header("mcp-name", "ant");
        let answer = get.send_in(era, &router).await.json();
        assert_eq!(answer["result"]["messages"][0]["content"]["text"], "leg 6", "{era:?}");
        assert_eq!(read("a:ant/7").send_in(era, &router).await.outcome(), (200, None), "{era:?}");
    }
    for kind in ["ant", "bee", "cat"] {
        handle.remove_prompt(kind).expect("a prompt less");
    }
    assert_eq!(now(&built, Era::V2026_07_28).await[1], Vec::<String>::new(), "an offered list may be empty");
}

/// Needs what the server does not have.
#[tool]
fn stateful(state: State<u64>) -> String {
    state.to_string()
}

/// Needs somebody.
#[prompt(scopes("audit:read"))]
fn scoped() -> &'static str {
    "scoped"
}

/// The same family by another name.
#[resource("a:ant/{leg}")]
fn twin(leg: u8) -> String {
    leg.to_string()
}

#[tokio::test]
async fn what_can_not_be_served_changes_nothing() {
    let built = server().list_changes().build().expect("a server that builds");
    let handle = built.handle();
    let before = now(&built, Era::V2026_07_28).await;
    let problems = |error: Error| match error {
        Error::Change(problems) => problems,
        other => panic!("{other}"),
    };
    let missing = problems(handle.add_tool(stateful::tool()).expect_err("no such state"));
    assert!(matches!(&missing[..], [Problem::MissingState { name: "stateful", parameter: "state", .. }]), "{missing:?}");
    let nobody = problems(handle.add_prompt(scoped::prompt()).expect_err("nobody is known"));
    assert!(matches!(&nobody[..], [Problem::CallerNeverKnown { name: "scoped", .. }]), "{nobody:?}");
    let twin = problems(handle.add_resource(twin::resource()).expect_err("two of one shape"));
    assert!(matches!(&twin[..], [Problem::DuplicateResource { .. }]), "{twin:?}");
    for era in Era::ALL {
        assert_eq!(now(&built, era).await, before, "{era:?}");
    }
    handle.remove_resource("a:ant/{id}").expect("a family less");
    handle.add_resource(twin::resource()).expect("now it is alone");
}

#[tokio::test]
async fn what_was_never_declared_is_not_added() {
    let built = empty().only([ant::ant::tool()]).build().expect("a server that builds");
    let handle = built.handle();
    handle.add_tool(bee::bee::tool()).expect("there are tools");
    let refused = [handle.add_prompt(bee::other::bee::prompt()), handle.add_resource(bee::fixed::bee::resource())];
    for refused in refused {
        let message = refused.expect_err("nobody would find it").to_string();
        assert!(message.contains("list_changes is `false`"), "{message}");
    }
    let later = empty().list_changes().build().expect("a server that builds");
    later.handle().add_prompt(bee::other::bee::prompt()).expect("declared");
    for era in Era::ALL {
        assert_eq!(now(&later, era).await, [vec![], vec!["bee".to_owned()], vec![], vec![]], "{era:?}");
    }
}

#[tokio::test]
async fn a_cursor_goes_on_in_a_list_that_changed() {
    let built = server().list_changes().page_size(1).build().expect("a server that builds");
    let router = built.router::<()>();
    for (method, member) in KINDS {
        let first = HttpCall::new(method, json!({})).send(&router).await.json();
        let cursor = first["result"]["nextCursor"].clone();
        let handle = built.handle();
        match method {
            "tools/list" => handle.remove_tool("ant").and_then(|_| handle.remove_tool("bee")),
            "prompts/list" => handle.remove_prompt("ant").and_then(|_| handle.remove_prompt("bee")),
            "resources/list" => handle.remove_resource("a:ant").and_then(|_| handle.remove_resource("b:bee")),
            _ => handle.remove_resource("a:ant/{id}").and_then(|_| handle.remove_resource("b:bee/{id}")),
        }
        .expect("less");
        let rest = HttpCall::new(method, json!({ "cursor": cursor })).send(&router).await.json();
        assert_eq!(rest["result"][member][0]["name"], "cat", "{method} {rest}");
        assert_eq!(rest["result"].get("nextCursor"), None, "{method}");
    }
}

// ---------------------------------------------------------------------------------------------- items

/// The note of today.
#[resource(
    "notes://today",
    title = "Today",
    mime_type = "text/plain",
    annotations(audience(user, assistant), priority = 0.5, last_modified = "2026-01-01T00:00:00Z"),
    icons("https://example.com/note.png"),
    meta("com.example/level" = 3)
)]
fn note() -> &'static str {
    "sunny"
}

#[tokio::test]
async fn the_lists_describe_resources_as_the_revision_knows_them() {
    let server = empty().only_resources([note::resource(), picture::resource()]);
    for (era, client) in clients(&server) {
        let listed = client.request("resources/list", json!({})).await.result()["resources"].clone();
        let annotations = json!({ "audience": ["user", "assistant"], "priority": 0.5, "lastModified": "2026-01-01T00:00:00Z" });
        let mut expected = json!({
            "uri": "notes://today", "name": "note", "title": "Today", "description": "The note of today.",
            "mimeType": "text/plain", "annotations": annotations, "icons": [{ "src": "https://example.com/note.png" }],
            "_meta": { "com.example/level": 3 },
        });
        let members = expected.as_object_mut().expect("an object");
        if era < Era::V2025_11_25 {
            members.remove("icons");
        }
        if era < Era::V2025_06_18 {
            members.retain(|name, _| name != "title" && name != "_meta");
            members["annotations"].as_object_mut().expect("an object").remove("lastModified");
        }
        assert_eq!(listed, json!([expected]), "{era:?}");
        let families = client.request("resources/templates/list", json!({})).await.result()["resourceTemplates"].clone();
        let picture = json!({
            "uriTemplate": "pictures://{id}", "name": "picture", "description": "A picture.", "mimeType": "image/png",
        });
        assert_eq!(families, json!([picture]), "{era:?}");
    }
}

/// A picture.
#[resource("pictures://{id}", mime_type = "image/png")]
fn picture(id: u8) -> Vec<u8> {
    vec![id]
}
