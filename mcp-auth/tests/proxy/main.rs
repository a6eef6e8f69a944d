//! What a trusted proxy or a relay presents, and everything that is refused.

mod assertions;
mod relays;
mod signing;

use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Request;
use http::request::Parts;
use mcp_auth::{Auth, Decision, Peer, Principal, Resource};

const HEADER: &str = "x-mcp-proxy-session-token";
const RESOURCE: &str = "https://mcp.example.com/mcp";
/// What time it is, in seconds of the Unix time, unless a test says otherwise.
const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn now() -> SystemTime {
    at(NOW)
}

fn resource() -> Resource {
    Resource::new(RESOURCE).expect("a URL")
}

/// A request with these headers, from this address.
fn head(peer: Option<&str>, headers: &[(&'static str, &str)]) -> Parts {
    let mut request = Request::post("/mcp").body(()).expect("a request");
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().expect("a value"));
    }
    if let Some(peer) = peer {
        request.extensions_mut().insert(Peer((peer.parse::<std::net::IpAddr>().expect("an address"), 40000).into()));
    }
    request.into_parts().0
}

/// What becomes of a future that does not wait.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// The caller, or the status and the reason why not.
fn decide(auth: &Auth, head: &Parts) -> Result<Principal, (u16, &'static str)> {
    match ready(auth.decide(head)) {
        Decision::Accepted(principal) => Ok(principal),
        Decision::Rejected(rejection) => Err((rejection.kind().status().as_u16(), rejection.reason())),
        Decision::Anonymous => Err((401, "anonymous")),
    }
}
