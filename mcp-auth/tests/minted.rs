//! Takes an assertion that a program of another language signed, from `MCP_AUTH_MINTED`, with the key, proxy, audience and
//! subject below; with `MCP_AUTH_MINTED_BODY`, a file, it must be for that body. The clock is the system's.
//! `python3 tests/live/minting.py` runs it.

use std::task::{Context, Poll, Waker};
use std::time::UNIX_EPOCH;

use http::Request;
use mcp_auth::{Auth, Decision, MemoryReplays, ProxyToken, Resource};
use orion::hazardous::hash::sha2::sha256::Sha256;

const KEY: &str = "a key that both ends of the live test know";
const PROXY: &str = "proxy-1";
const AUDIENCE: &str = "https://mcp.example.com/mcp";
const SUBJECT: &str = "ålice";

#[test]
fn an_assertion_of_another_language_holds() {
    let Ok(token) = std::env::var("MCP_AUTH_MINTED") else {
        eprintln!("skip - MCP_AUTH_MINTED is not set");
        return;
    };
    let proxies = ProxyToken::keys([(PROXY, KEY)]).any_peer().replay_store(MemoryReplays::since(UNIX_EPOCH));
    let auth = Auth::chain().with(proxies).protecting(Resource::new(AUDIENCE).expect("a URL"));
    let request = Request::post("/mcp").header("x-mcp-proxy-session-token", token.trim()).body(()).expect("a header's value");
    let head = request.into_parts().0;
    let Poll::Ready(decision) = std::pin::pin!(auth.decide(&head)).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing here waits")
    };
    let principal = match decision {
        Decision::Accepted(principal) => principal,
        other => panic!("{other:?}"),
    };
    assert_eq!(principal.subject(), SUBJECT);
    let body = std::env::var_os("MCP_AUTH_MINTED_BODY").map(|path| std::fs::read(path).expect("a file"));
    let digest = body.map(|body| Sha256::digest(&body).expect("a short body").as_ref().to_vec());
    assert_eq!(principal.body_digest().map(|digest| digest.to_vec()), digest);
}
