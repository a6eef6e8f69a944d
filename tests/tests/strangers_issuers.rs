//! Two people whom two issuers call by one name are strangers to each other, wherever something belongs to somebody.

mod event_stream;
mod http_call;
mod round_trip;
mod task_calls;

use axum::Router;
use event_stream::{Stream, get, get_after};
use http::Method;
use http_call::{HttpCall, open};
use mcp_runtime::RateLimit;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use round_trip::{accept, again, asked, state, tool};
use serde_json::json;
use task_calls::{Events, Gate, asking, begun, calling, declared, listening};

const OURS: &str = "ours-0123456789abcdefg";
const THEIRS: &str = "theirs-0123456789abcde";
const NOBODYS: &str = "nobodys-0123456789abcd";

/// The same name, of another issuer, and of none.
const STRANGERS: [&str; 2] = [THEIRS, NOBODYS];

/// Wait for the gate.
#[tool(task)]
async fn wait(gate: State<Gate>) -> &'static str {
    gate.pass().await;
    "through"
}

#[data]
struct Name {
    name: String,
}

/// Ask for a name.
#[tool]
async fn ask(ctx: Context) -> Result<String, ToolError> {
    Ok(ctx.elicit::<Name>("Who?").named("who").await?.accepted()?.name)
}

/// Say something.
#[tool]
fn say() -> &'static str {
    "said"
}

fn server() -> Server {
    let ada = || Principal::user("ada").scopes(["all"]);
    let tokens = StaticTokens::new()
        .token(OURS, ada().issued_by("https://ours.example"))
        .token(THEIRS, ada().issued_by("https://theirs.example"))
        .token(NOBODYS, ada());
    Server::new("issuers", "0")
        .only([wait::tool(), ask::tool(), say::tool()])
        .shared_state::<Gate>(Gate::closed())
        .list_changes()
        .auth(Auth::chain().with(tokens))
}

fn router(server: Server) -> Router {
    http_call::router(server)
}

#[tokio::test(start_paused = true)]
async fn a_session_is_its_openers() {
    let router = router(server());
    for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
        let session = open(&router, HttpCall::initialize(era).token(OURS)).await;
        let ping = || HttpCall::legacy(era, "ping", json!({})).session(&session);
        for stranger in STRANGERS {
            let delete = ping().http_method(Method::DELETE);
            for call in [ping(), delete, get(era, &session), get_after(era, &session, "abc-1")] {
                assert_eq!(call.clone().token(stranger).send(&router).await.status, 404, "{era:?} {call:?}");
            }
        }
        assert_eq!(ping().token(OURS).send(&router).await.status, 200, "and it is still there");
        let mut stream = Stream::open(&router, get(era, &session).token(OURS)).await;
        stream.is_quiet().await;
    }
}

#[tokio::test]
async fn a_task_is_its_beginners() {
    let router = router(server());
    let id = begun(&calling("wait", json!({})).token(OURS).send(&router).await.json());
    for stranger in STRANGERS {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let theirs = asking(method, &id).token(stranger).send(&router).await;
            let unknown = asking(method, "0123456789abcdef0123456789abcdef").token(stranger).send(&router).await;
            assert_eq!(theirs.outcome(), (200, Some(-32602)), "{}", theirs.shown());
            assert_eq!(theirs.shown(), unknown.shown());
        }
        let (_events, ids) = Events::of(&router, listening(&[&id]).token(stranger)).await;
        assert!(ids.is_empty(), "{ids:?}");
    }
    let mine = asking("tasks/get", &id).token(OURS).send(&router).await.json();
    assert_eq!(mine["result"]["status"], "working", "nobody cancelled it");
    let (_events, ids) = Events::of(&router, listening(&[&id]).token(OURS)).await;
    assert_eq!(ids, [id]);
}

#[tokio::test]
async fn the_state_of_a_call_is_its_callers() {
    let router = router(server());
    let first = tool("ask", json!({})).token(OURS);
    let answer = first.clone().send(&router).await;
    assert_eq!(asked(&answer).len(), 1);
    let next = again(&first, state(&answer), json!({ "who": accept(json!({ "name": "Eve" })) }));
    for stranger in STRANGERS {
        let refused = next.clone().token(stranger).send(&router).await;
        assert_eq!(refused.outcome().1, Some(-32602), "{}", refused.shown());
    }
    assert_eq!(next.send(&router).await.tool_text(), "Eve");
}

/// A question in a session is answered within it, and a session is its opener's.
#[tokio::test(start_paused = true)]
async fn a_question_of_a_session_is_answered_by_its_opener() {
    let router = router(server());
    let capable = |call: HttpCall| call.edit(|message| message["params"]["capabilities"] = declared());
    let session = open(&router, capable(HttpCall::initialize(Era::V2025_11_25)).token(OURS)).await;
    let call = HttpCall::tool("ask", json!({})).in_era(Era::V2025_11_25).session(&session).token(OURS);
    let mut stream = Stream::open(&router, call).await;
    stream.priming().await;
    let question = stream.numbered().await.1;
    let answer = |name: &str| {
        let result = json!({ "jsonrpc": "2.0", "id": question["id"], "result": accept(json!({ "name": name })) });
        HttpCall::legacy(Era::V2025_11_25, "none", json!({})).edit(move |message| *message = result)
    };
    for stranger in STRANGERS {
        let own = open(&router, capable(HttpCall::initialize(Era::V2025_11_25)).token(stranger)).await;
        assert_eq!(answer("Eve").session(&own).token(stranger).send(&router).await.status, 202, "of nothing that was asked");
        assert_eq!(answer("Eve").session(&session).token(stranger).send(&router).await.status, 404);
    }
    assert_eq!(answer("Ada").session(&session).token(OURS).send(&router).await.status, 202);
    assert_eq!(stream.numbered().await.1["result"]["content"][0]["text"], "Ada");
}

#[tokio::test]
async fn a_cursor_is_its_lists_readers() {
    let router = router(server().page_size(1));
    for era in Era::ALL {
        let first = HttpCall::list().token(OURS).send_in(era, &router).await.json();
        let cursor = first["result"]["nextCursor"].as_str().expect("a cursor").to_owned();
        let next = HttpCall::new("tools/list", json!({ "cursor": cursor }));
        for stranger in STRANGERS {
            let refused = next.clone().token(stranger).send_in(era, &router).await;
            assert_eq!(refused.outcome(), (200, Some(-32602)), "{era:?}: {}", refused.shown());
        }
        assert_eq!(next.token(OURS).send_in(era, &router).await.outcome(), (200, None), "{era:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_each_callers_own() {
    let router = router(server().rate_limit(RateLimit::per_minute(3)));
    let call = HttpCall::tool("say", json!({}));
    for token in [OURS, THEIRS, NOBODYS] {
        for _ in 0..3 {
            assert!(!call.clone().token(token).send(&router).await.is_tool_error(), "what others did is theirs");
        }
        assert!(call.clone().token(token).send(&router).await.is_tool_error());
    }
}

/// Places for streams are counted by caller, too.
#[tokio::test(start_paused = true)]
async fn a_place_to_listen_is_each_callers_own() {
    let router = router(server());
    let listen = || HttpCall::new("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    let mut streams = Vec::new();
    while let 200 = event_stream::status(&router, listen().token(OURS)).await {
        streams.push(Stream::open(&router, listen().token(OURS)).await);
        assert!(streams.len() <= 64, "one caller has so many places");
    }
    for stranger in STRANGERS {
        assert_eq!(event_stream::status(&router, listen().token(stranger)).await, 200);
    }
}

#[tokio::test]
async fn what_one_issuers_caller_may_is_not_the_others() {
    /// For those of our own house.
    #[tool(scopes("house"))]
    fn inside() -> &'static str {
        "inside"
    }
    let ada = || Principal::user("ada");
    let tokens = StaticTokens::new()
        .token(OURS, ada().issued_by("https://ours.example").scopes(["house"]))
        .token(THEIRS, ada().issued_by("https://theirs.example"));
    let router = router(Server::new("issuers", "0").only([inside::tool()]).auth(Auth::chain().with(tokens)));
    for era in Era::ALL {
        let call = HttpCall::tool("inside", json!({}));
        assert_eq!(call.clone().token(OURS).send_in(era, &router).await.tool_text(), "inside");
        assert_eq!(call.token(THEIRS).send_in(era, &router).await.status, 403, "{era:?}");
    }
}
