//! What one call costs, and a batch that is none: the allocations from the body's bytes to the answer's.

use std::alloc::System;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Say back what you are told.
#[tool]
fn echo(message: String) -> String {
    message
}

fn headers() -> HeaderMap {
    let pairs = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    pairs.into_iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

const BODY: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"sixteen bytes ok"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;

/// The echo tool and `others` with other names.
fn server(others: usize) -> Server {
    let named = |index: usize| {
        let mut definition = echo::tool().definition().clone();
        definition.name = Box::leak(format!("tool_{index}").into_boxed_str());
        mcp_runtime::Tool::from_definition(Box::leak(Box::new(definition)))
    };
    Server::new("test", "0").only((0..others).map(named).chain([echo::tool()]))
}

/// Allocations and bytes of one call; the least of several, since the test harness allocates in a thread of its own.
fn cost(client: &Client, headers: &HeaderMap, body: &[u8]) -> (usize, usize) {
    (0..20).map(|_| once(client, headers.clone(), body)).min().expect("twenty")
}

fn once(client: &Client, headers: HeaderMap, body: &[u8]) -> (usize, usize) {
    let region = Region::new(ALLOCATOR);
    let (status, body) = {
        let mut call = pin!(client.send_bytes(headers, body));
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("echo does not wait"),
        }
    };
    let change = region.change();
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&body).contains("sixteen bytes ok"));
    (change.allocations + change.reallocations, change.bytes_allocated)
}

/// One test, since the counter is the process's.
#[test]
fn an_echo_costs_little_among_a_thousand_tools_and_in_a_session_and_a_huge_batch_no_more() {
    an_echo_costs_the_same_among_a_thousand_tools();
    an_echo_in_a_session_costs_little_more();
    a_list_costs_the_same_in_four_views();
    a_huge_batch_is_refused_without_being_kept();
}

fn an_echo_costs_the_same_among_a_thousand_tools() {
    let alone = cost(&Client::new(&server(0)), &headers(), BODY);
    let among_many = cost(&Client::new(&server(999)), &headers(), BODY);
    let (allocations, bytes) = alone;
    eprintln!("one echo: {allocations} allocations, {bytes} bytes");
    assert!(allocations <= 20, "{allocations} allocations");
    assert!(bytes <= 4096, "{bytes} bytes");
    assert_eq!(alone, among_many);
}

/// A session is a statement in a header: to read it costs what it costs, but nothing is looked up and nothing kept.
fn an_echo_in_a_session_costs_little_more() {
    const BODY: &[u8] =
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"sixteen bytes ok"}}}"#;
    let client = Client::new(&server(0)).era(Era::V2025_11_25);
    let session = client.open().expect("a session").parse().expect("a header's value");
    let version = HeaderValue::from_static("2025-11-25");
    let headers = [("mcp-session-id", session), ("mcp-protocol-version", version)];
    let headers = headers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)).collect();
    let (allocations, bytes) = cost(&client, &headers, BODY);
    eprintln!("one echo in a session: {allocations} allocations, {bytes} bytes");
    assert!(allocations <= 20, "{allocations} allocations");
    assert!(bytes <= 4096, "{bytes} bytes");
}

/// 200 tools, of which each caller sees 50 others. Each view is written once, not for each request.
fn a_list_costs_the_same_in_four_views() {
    const SCOPES: [&[&str]; 4] = [&["a"], &["b"], &["c"], &["d"]];
    const BODY: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let hidden = |index: usize| {
        let mut definition = echo::tool().definition().clone();
        definition.name = Box::leak(format!("tool_{index:03}").into_boxed_str());
        definition.hidden = true;
        definition.scopes = SCOPES[index % 4];
        mcp_runtime::Tool::from_definition(Box::leak(Box::new(definition)))
    };
    let client = Client::new(&Server::new("test", "0").only((0..200).map(hidden)));
    let callers = SCOPES.map(|scopes| client.clone().principal(Principal::user("x").scopes(scopes.iter().copied())));
    let headers: HeaderMap = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let listed = |caller: &Client| {
        let region = Region::new(ALLOCATOR);
        let mut call = pin!(caller.send_bytes(headers.clone(), BODY));
        let Poll::Ready((200, body)) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("a list does not wait")
        };
        let change = region.change();
        assert_eq!(String::from_utf8_lossy(&body).matches("\"name\":\"tool_").count(), 50);
        (change.allocations + change.reallocations, change.bytes_allocated)
    };
    // The least of a few rounds, since the test harness allocates in a thread of its own.
    let round = |callers: [&Client; 4]| callers.map(listed).into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let [a, b, c, d] = callers.each_ref();
    let four_views = (0..10).map(|_| round([a, b, c, d])).min().expect("ten");
    let one_view = (0..10).map(|_| round([a, a, a, a])).min().expect("ten");
    eprintln!("four lists: {four_views:?} in four views, {one_view:?} in one");
    assert_eq!(four_views, one_view);
    assert!(four_views.0 <= 4 * 20, "{} allocations", four_views.0);
}

/// Its elements, each a slice of the text, would take eight times as much as the text.
fn a_huge_batch_is_refused_without_being_kept() {
    let client = Client::new(&server(0)).era(Era::V2025_03_26);
    let session: HeaderValue = client.open().expect("a session").parse().expect("a header's value");
    let elements = "1,".repeat(2 * 1024 * 1024 - 1);
    let (whole, cut) = (format!("[{elements}1]"), format!("[{elements}"));
    let no_session = "No session: send initialize first, then its Mcp-Session-Id with every request";
    let too_many = "Not a JSON-RPC request: a batch has 1 to 50 messages";
    for (what, body, session, code, message) in [
        ("in a session", &whole, Some(&session), -32600, too_many),
        ("in a session, and cut", &cut, Some(&session), -32600, too_many),
        ("before the handshake", &whole, None, -32600, no_session),
        ("before the handshake, and cut", &cut, None, -32700, "The message is not valid JSON"),
    ] {
        let headers =
            || session.map(|session| (HeaderName::from_static("mcp-session-id"), session.clone())).into_iter().collect();
        let bytes = (0..3).map(|_| {
            let (region, begin) = (Region::new(ALLOCATOR), Instant::now());
            let mut call = pin!(client.send_bytes(headers(), body.as_bytes()));
            let Poll::Ready((status, answer)) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
                panic!("{what}: nothing is to be waited for")
            };
            let bytes = region.change().bytes_allocated;
            let error = format!(r#"{{"jsonrpc":"2.0","error":{{"code":{code},"message":"{message}"}}}}"#);
            assert_eq!((status, &*String::from_utf8_lossy(&answer)), (400, &*error), "{what}");
            assert!(begin.elapsed() < Duration::from_secs(10), "{what}: {:?}", begin.elapsed());
            bytes
        });
        let bytes = bytes.min().expect("three");
        eprintln!("a huge batch {what}: {bytes} bytes");
        assert!(bytes <= 64 * 1024, "{what}: {bytes} bytes");
    }
}
