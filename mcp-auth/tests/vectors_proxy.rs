//! Cases of other makers, from the file that `MCP_AUTH_VECTORS` names.

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Request;
use mcp_auth::{Auth, Caller, Decision, MemoryReplays, Peer, ProxyToken, Resource, Standing};
use serde_json::Value;

/// The `reference_unix` of the file, which the clock can not read there.
const REFERENCE: u64 = 1_781_524_800;

fn reference() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(REFERENCE)
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Every case has a server of its own, since they share names.
fn decide(design: &Value, inactive: Vec<String>, token: &str) -> Decision {
    let user_check = move |caller: Caller| {
        let is_inactive = inactive.iter().any(|id| id == caller.principal().subject());
        async move { Ok(if is_inactive { Standing::Gone } else { Standing::Good }) }
    };
    let proxies = ProxyToken::keys([("inspector-1", text(&design["secret"]))])
        .peers(["127.0.0.1"])
        .user_check(user_check)
        .replay_store(MemoryReplays::since(UNIX_EPOCH));
    let resource = Resource::new(text(&design["audience"])).expect("a URL");
    let auth = Auth::chain().with(proxies).protecting(resource).clock(reference);
    assert_eq!(auth.problems(), [""; 0]);
    let request = Request::post("/mcp").header(text(&design["header"]), token).body(()).expect("a request");
    let mut head = request.into_parts().0;
    head.extensions.insert(Peer(SocketAddr::from(([127, 0, 0, 1], 40000))));
    match std::pin::pin!(auth.decide(&head)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(decision) => decision,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[test]
fn assertions_are_judged_as_required() {
    let Ok(path) = std::env::var("MCP_AUTH_VECTORS") else {
        eprintln!("skip - MCP_AUTH_VECTORS is not set");
        return;
    };
    let file = std::fs::read_to_string(path).expect("a file");
    let vectors: Value = serde_json::from_str(&file).expect("JSON");
    assert_eq!(vectors["meta"]["reference_unix"], REFERENCE);
    let design = &vectors["proxy_token_design"];
    let users = vectors["users"].as_array().expect("users");
    let inactive: Vec<_> = users.iter().filter(|user| user["is_active"] == false).map(|user| user["id"].to_string()).collect();
    assert!(!inactive.is_empty());
    let cases = design["cases"].as_array().expect("cases");
    for case in cases {
        let decision = decide(design, inactive.clone(), text(&case["token"]));
        let expect = &case["expect"];
        match &decision {
            Decision::Accepted(principal) if expect["ok"] == true => {
                assert_eq!(principal.subject(), expect["user_id"].to_string(), "{}", case["name"]);
            }
            Decision::Rejected(rejection) if expect["ok"] == false => {
                assert_eq!(rejection.kind().status(), 401, "{}", case["name"]);
                eprintln!("ok - {}: {}", case["name"], rejection.reason());
            }
            _ => panic!("{}: {decision:?}", case["name"]),
        }
    }
    eprintln!("{} cases", cases.len());
}
