//! What stands before the message: names and origins, HTTP methods, media types, size and time.

mod http_call;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::Method;
use http_body::{Frame, SizeHint};
use http_call::{Answer, HttpCall, router, send};
use mcp_runtime::auth::{Place, Verdict};
use mcp_runtime::prelude::*;
use serde_json::json;
use tokio::time::{Instant, Sleep};

const TOKEN: &str = "0123456789abcdef0123";

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

fn server() -> Server {
    without_protection().allow_anonymous()
}

fn without_protection() -> Server {
    Server::new("guarded", "0").only([echo::tool()])
}

fn with_token() -> Server {
    without_protection().auth(StaticTokens::new().token(TOKEN, Principal::user("ci")))
}

fn call() -> HttpCall {
    HttpCall::tool("echo", json!({ "message": "hi" }))
}

const METHODS: [Method; 7] =
    [Method::POST, Method::GET, Method::DELETE, Method::PUT, Method::PATCH, Method::HEAD, Method::OPTIONS];

fn assert_refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!(answer.status, status, "{}", answer.shown());
    assert_eq!(answer.json(), json!({ "jsonrpc": "2.0", "error": { "code": -32600, "message": message } }));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

// ---------------------------------------------------------------------------------------------- Host and Origin

#[tokio::test]
async fn only_known_hosts_are_answered_whatever_the_method() {
    let local = router(server());
    for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]", "[::1]:8000"] {
        assert_eq!(call().header("host", host).send(&local).await.status, 200, "{host}");
    }
    for host in [
        b"evil.example".as_slice(),
        b"evil.example:8000",
        b"localhost.evil.example",
        b"127.0.0.1.evil.example",
        b"127.0.0.2",
        b"0.0.0.0",
        b"localhost@evil.example",
        b"localhost:8000:8000",
        b"localhost, evil.example",
        b" localhost",
        b"",
        b"::1",
        b"[::1",
        b"loc\xffalhost",
    ] {
        for method in METHODS {
            let what = format!("{method} {}", host.escape_ascii());
            let answer = call().http_method(method.clone()).header("host", host).send(&local).await;
            assert_eq!(answer.status, 403, "{what}");
            if method == Method::POST {
                assert_refused(&answer, 403, "Host not allowed");
            }
        }
    }
}

#[tokio::test]
async fn a_request_has_one_host() {
    let local = router(server());
    assert_refused(&call().another("host", "localhost:8000").send(&local).await, 403, "Host not allowed");
    assert_refused(&call().another("host", "evil.example").send(&local).await, 403, "Host not allowed");
    assert_refused(&call().without_header("host").send(&local).await, 403, "Host not allowed");
}

#[tokio::test]
async fn the_authority_of_http_2_stands_for_the_host() {
    let local = router(server());
    let bare = call().without_header("host");
    assert_eq!(bare.clone().uri("http://localhost:8000/mcp").send(&local).await.status, 200);
    assert_refused(&bare.uri("http://evil.example/mcp").send(&local).await, 403, "Host not allowed");
    assert_refused(
        &call().header("host", "evil.example").uri("http://localhost/mcp").send(&local).await,
        403,
        "Host not allowed",
    );
}

#[tokio::test]
async fn a_foreign_origin_is_refused_whatever_the_method() {
    let local = router(server());
    for origin in [
        b"https://evil.example".as_slice(),
        b"null",
        b"",
        b"http://localhost.evil.example",
        b"http://localhost@evil.example",
        b"http://127.0.0.1.evil.example:8000",
        b"file://localhost",
        b"localhost",
        b"http://localhost:8000/x",
        b"http://localhost http://evil.example",
        b"http://loc\xffalhost",
    ] {
        for method in METHODS {
            let what = format!("{method} {}", origin.escape_ascii());
            let answer = call().http_method(method.clone()).header("origin", origin).send(&local).await;
            assert_eq!(answer.status, 403, "{what}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{what}");
            if method == Method::POST {
                assert_refused(&answer, 403, "Origin not allowed");
            }
        }
    }
    let two = call().header("origin", "http://localhost:1").another("origin", "https://evil.example");
    assert_eq!(two.send(&local).await.status, 403);
}

#[tokio::test]
async fn pages_of_this_machine_may_call_and_read_the_answer() {
    let local = router(server());
    for origin in ["http://localhost:6274", "http://127.0.0.1", "https://localhost", "http://[::1]:3000"] {
        let answer = call().header("origin", origin).send(&local).await;
        assert_eq!(answer.status, 200, "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.header("access-control-expose-headers"), Some("Mcp-Session-Id, WWW-Authenticate"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    let answer = call().send(&local).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None), "no page, no CORS");
}

#[tokio::test]
async fn hosts_and_origins_are_added_exactly() {
    let public = router(
        server()
            .public_url("https://MCP.acme.test/mcp")
            .allow_anonymous()
            .allow_host("inner.acme.test:8080")
            .allow_origin("https://app.acme.test"),
    );
    for (host, status) in [
        ("mcp.acme.test", 200),
        ("MCP.ACME.TEST", 200),
        ("mcp.acme.test:443", 200),
        ("mcp.acme.test:8443", 403),
        ("inner.acme.test:8080", 200),
        ("inner.acme.test", 403),
        ("acme.test", 403),
        ("x.mcp.acme.test", 403),
    ] {
        assert_eq!(call().header("host", host).send(&public).await.status, status, "{host}");
    }
    for (origin, status) in [
        ("https://app.acme.test", 200),
        ("https://mcp.acme.test", 200),
        ("http://app.acme.test", 403),
        ("https://app.acme.test:8443", 403),
        ("https://acme.test", 403),
        ("https://x.app.acme.test", 403),
    ] {
        let answer = call().header("host", "mcp.acme.test").header("origin", origin).send(&public).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_public_url_that_writes_out_its_default_port_means_the_same_host() {
    let public = router(server().public_url("https://mcp.acme.test:443/mcp").allow_anonymous());
    assert_eq!(call().header("host", "mcp.acme.test:443").send(&public).await.status, 200);
    assert_eq!(call().header("host", "mcp.acme.test").send(&public).await.status, 200, "as clients send it");
    let page = call().header("host", "mcp.acme.test:443").header("origin", "https://mcp.acme.test");
    assert_eq!(page.send(&public).await.status, 200, "as browsers send it");
}

// ---------------------------------------------------------------------------------------------- CORS and methods

fn preflight(origin: &str) -> HttpCall {
    HttpCall::list()
        .http_method(Method::OPTIONS)
        .body("")
        .without_header("content-type")
        .without_header("accept")
        .without_header("mcp-method")
        .without_header("mcp-protocol-version")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,mcp-method,mcp-param-depot")
}

#[tokio::test]
async fn a_preflight_needs_no_token_and_allows_the_headers_of_the_protocol() {
    let server = router(with_token());
    let answer = preflight("http://localhost:6274").send(&server).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for (name, value) in [
        ("access-control-allow-origin", Some("http://localhost:6274")),
        ("access-control-allow-methods", Some("POST, GET, DELETE")),
        ("access-control-allow-headers", Some("authorization,content-type,mcp-method,mcp-param-depot")),
        ("access-control-max-age", Some("600")),
        ("access-control-allow-credentials", None),
        ("vary", Some("origin")),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
}

#[tokio::test]
async fn browsers_send_cookies_from_the_origins_that_are_listed() {
    let people = Auth::chain()
        .with_fn(Place::Cookie("sid".into()), |cookie| std::future::ready(Verdict::Accepted(Principal::user(cookie))));
    let listed = |server: Server| router(server.public_url("http://127.0.0.1/mcp").allow_origin("https://www.acme.test"));
    let (with_cookies, without) = (listed(without_protection().auth(people)), listed(with_token()));
    for (origin, allowed) in
        [("https://www.acme.test", Some("true")), ("http://127.0.0.1", Some("true")), ("http://localhost:6274", None)]
    {
        let asked = preflight(origin).send(&with_cookies).await;
        assert_eq!((asked.status, asked.header("access-control-allow-credentials")), (204, allowed), "{origin}");
        let answer = call().header("origin", origin).header("cookie", "sid=cora").send(&with_cookies).await;
        assert_eq!(answer.header("access-control-allow-credentials"), allowed, "{origin}");
        assert_eq!(answer.status, if allowed.is_some() { 200 } else { 403 }, "{origin}");
        let asked = preflight(origin).send(&without).await;
        assert_eq!((asked.status, asked.header("access-control-allow-credentials")), (204, None), "no session is read");
    }
}

#[tokio::test]
async fn a_preflight_from_elsewhere_is_refused() {
    let server = router(server());
    for call in
        [preflight("https://evil.example"), preflight("null"), preflight("http://localhost").header("host", "evil.example")]
    {
        let answer = call.send(&server).await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("access-control-allow-methods"), None);
        assert_eq!(answer.header("access-control-allow-headers"), None);
    }
}

#[tokio::test]
async fn a_page_may_read_why_it_was_turned_away() {
    let answer = call().header("origin", "http://localhost:6274").send(&router(with_token())).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:6274"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("Mcp-Session-Id, WWW-Authenticate"));
}

#[tokio::test]
async fn every_method_but_post_is_405_and_says_so() {
    for server in [router(server()), router(with_token())] {
        for method in METHODS.into_iter().filter(|method| *method != Method::POST) {
            let answer = call().token(TOKEN).http_method(method.clone()).send(&server).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        }
    }
    for method in [Method::GET, Method::DELETE] {
        let stranger = call().http_method(method).send(&router(with_token())).await;
        assert_eq!(stranger.status, 401, "who it is comes first");
    }
    let answer = preflight("http://localhost").without_header("origin").send(&router(server())).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, DELETE")), "OPTIONS that no page sent");
}

#[tokio::test]
async fn other_paths_are_not_served() {
    let server = router(server());
    for path in ["/", "/mcp/", "/mcp/x", "/MCP", "/mcpx"] {
        assert_eq!(call().uri(path).send(&server).await.status, 404, "{path}");
    }
    assert_eq!(call().uri("/mcp?x=1").send(&server).await.status, 200);
}

// ---------------------------------------------------------------------------------------------- media types

#[tokio::test]
async fn the_body_must_say_that_it_is_json() {
    let server = router(server());
    for good in ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json ;x"] {
        assert_eq!(call().header("content-type", good).send(&server).await.status, 200, "{good}");
    }
    for bad in [b"text/plain".as_slice(), b"application/jsonx", b"application/json-seq", b"application/*", b"*/*", b"", b"\xff"] {
        let answer = call().header("content-type", bad).send(&server).await;
        assert_refused(&answer, 415, "Content-Type must be application/json");
    }
    assert_refused(&call().without_header("content-type").send(&server).await, 415, "Content-Type must be application/json");
}

#[tokio::test]
async fn the_client_must_take_an_answer_that_exists() {
    let server = router(server());
    for good in [
        "application/json, text/event-stream",
        "application/json",
        "text/event-stream",
        "*/*",
        "application/*",
        "text/html, */*;q=0.1",
        "Application/JSON;q=0.9",
    ] {
        assert_eq!(call().header("accept", good).send(&server).await.status, 200, "{good}");
    }
    assert_eq!(call().without_header("accept").send(&server).await.status, 200);
    assert_eq!(call().header("accept", "text/html").another("accept", "application/json").send(&server).await.status, 200);
    for bad in [b"text/html".as_slice(), b"image/*", b"application/jsonx", b"", b"\xff"] {
        let answer = call().header("accept", bad).send(&server).await;
        assert_refused(&answer, 406, "Accept must list application/json and text/event-stream");
    }
}

// ---------------------------------------------------------------------------------------------- size and time

/// A body that arrives in pieces, announces what it is told to, and counts how often it was asked.
struct Pieces {
    left: VecDeque<Bytes>,
    announced: Option<u64>,
    asked: Arc<AtomicUsize>,
    end: End,
}

enum End {
    Whole,
    Never,
    Broken,
    /// A byte each time this has passed.
    Trickle(Duration, Pin<Box<Sleep>>),
}

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = Vec<u8>>, end: End) -> Self {
        Self { left: pieces.into_iter().map(Bytes::from).collect(), announced: None, asked: Arc::default(), end }
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(piece) = self.left.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &mut self.end {
            End::Whole => Poll::Ready(None),
            End::Never => Poll::Pending,
            End::Broken => Poll::Ready(Some(Err(std::io::Error::other("connection reset in src/secret.rs")))),
            End::Trickle(pace, sleep) => {
                std::task::ready!(sleep.as_mut().poll(cx));
                let next = Instant::now() + *pace;
                sleep.as_mut().reset(next);
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

async fn post(server: &Router, call: HttpCall, body: Pieces) -> Answer {
    send(server, call.request_with(Body::new(body))).await
}

#[tokio::test]
async fn a_body_that_arrives_in_pieces_is_one_body() {
    let text = call().text();
    let pieces = text.as_bytes().chunks(7).map(<[u8]>::to_vec).chain([Vec::new()]);
    assert_eq!(post(&router(server()), call(), Pieces::new(pieces, End::Whole)).await.tool_text(), "hi");
    let empty_first = [Vec::new(), text.into_bytes()];
    assert_eq!(post(&router(server()), call(), Pieces::new(empty_first, End::Whole)).await.tool_text(), "hi");
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_413_and_never_read() {
    let mut body = Pieces::new([], End::Never);
    body.announced = Some(4 * 1024 * 1024 + 1);
    let asked = Arc::clone(&body.asked);
    let answer = post(&router(server()), call(), body).await;
    assert_refused(&answer, 413, "The body is over the limit of 4194304 bytes");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_that_grows_beyond_the_limit_is_413_and_read_no_further() {
    let limited = router(server().max_body_bytes(1000));
    let body = Pieces::new(vec![vec![b' '; 400]; 50], End::Never);
    let asked = Arc::clone(&body.asked);
    assert_refused(&post(&limited, call(), body).await, 413, "The body is over the limit of 1000 bytes");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let one_piece = Pieces::new([vec![b' '; 1001]], End::Whole);
    assert_eq!(post(&limited, call(), one_piece).await.status, 413);
}

#[tokio::test]
async fn the_limit_itself_still_fits() {
    let text = call().text();
    let padded = |size: usize| format!("{text}{}", " ".repeat(size - text.len()));
    let limited = router(server().max_body_bytes(1000));
    assert_eq!(call().body(padded(1000)).send(&limited).await.status, 200);
    assert_eq!(call().body(padded(1001)).send(&limited).await.status, 413);
    let pieces = |size| Pieces::new(padded(size).as_bytes().chunks(300).map(<[u8]>::to_vec), End::Whole);
    assert_eq!(post(&limited, call(), pieces(1000)).await.status, 200);
    assert_eq!(post(&limited, call(), pieces(1001)).await.status, 413);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_408_after_the_read_timeout() {
    let pace = Duration::from_secs(10);
    for end in [End::Never, End::Trickle(pace, Box::pin(tokio::time::sleep(pace)))] {
        let begin = Instant::now();
        let answer = post(&router(server()), call(), Pieces::new([b"{".to_vec()], end)).await;
        assert_refused(&answer, 408, "The body did not arrive in time");
        assert!((30..31).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400_and_says_nothing_of_the_cause() {
    let answer = post(&router(server()), call(), Pieces::new([b"{".to_vec()], End::Broken)).await;
    assert_refused(&answer, 400, "The body could not be read");
}

#[tokio::test]
async fn nothing_of_a_body_is_read_before_the_caller_is_known() {
    let protected = router(with_token());
    for (call, status) in [
        (call(), 401),
        (call().token("wrong-wrong-wrong-wrong"), 401),
        (call().header("origin", "null"), 403),
        (call().http_method(Method::PUT), 405),
        (call().token(TOKEN).header("content-type", "text/plain"), 415),
        (call().token(TOKEN).another("content-type", "text/plain"), 415),
        (call().token(TOKEN).header("accept", "text/html"), 406),
    ] {
        let body = Pieces::new([], End::Never);
        let asked = Arc::clone(&body.asked);
        assert_eq!(post(&protected, call, body).await.status, status);
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{status}");
    }
}

#[tokio::test]
async fn of_two_faults_the_first_step_is_answered() {
    type Spoil = fn(HttpCall) -> HttpCall;
    let protected = router(with_token().max_body_bytes(600));
    let steps: [(u16, Spoil); 7] = [
        (403, |call| call.header("origin", "https://evil.example")),
        (405, |call| call.http_method(Method::PUT)),
        (401, |call| call.without_header("authorization")),
        (415, |call| call.header("content-type", "text/plain")),
        (406, |call| call.header("accept", "text/html")),
        (413, |call| call.body(vec![b'x'; 601])),
        (400, |call| call.without_header("mcp-method")),
    ];
    let good = || call().token(TOKEN);
    assert_eq!(good().send(&protected).await.status, 200);
    for (earlier, (status, spoil)) in steps.iter().enumerate() {
        for (_, also) in &steps[earlier + 1..] {
            assert_eq!(also(spoil(good())).send(&protected).await.status, *status);
        }
        assert_eq!(spoil(good()).send(&protected).await.status, *status);
    }
}
