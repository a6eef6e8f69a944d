use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::MetadataMirror;
use crate::{Fetch, FetchError, FetchFuture, Trust};

const ISSUER: &str = "https://www.example.com/o";
const FIRST: &str = "https://www.example.com/.well-known/oauth-authorization-server/o";
const LAST: &str = "https://www.example.com/o/.well-known/openid-configuration";

/// Where it is, and what it says.
type Page = (&'static str, Vec<u8>);

/// Answers one URL, or nothing, and counts what it is asked.
#[derive(Clone, Default)]
struct Site {
    page: Arc<Mutex<Option<Page>>>,
    asked: Arc<AtomicUsize>,
    slow: Option<Arc<Notify>>,
}

impl Site {
    fn with(url: &'static str, document: impl Into<Vec<u8>>) -> Self {
        let site = Self::default();
        site.answers(url, document);
        site
    }

    fn answers(&self, url: &'static str, document: impl Into<Vec<u8>>) {
        *self.page.lock().expect("whole") = Some((url, document.into()));
    }

    fn is_down(&self) {
        *self.page.lock().expect("whole") = None;
    }

    /// How many requests there were, since the last time.
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    fn mirror(&self) -> MetadataMirror {
        MetadataMirror::of(ISSUER).fetching_with(self.clone())
    }
}

impl Fetch for Site {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        assert_eq!((request.method(), trust), (&Method::GET, Trust::Configured));
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            if let Some(slow) = &self.slow {
                slow.notified().await;
            }
            let Some((url, document)) = self.page.lock().expect("whole").clone() else {
                return Err(FetchError::new("connection refused"));
            };
            let is_there = *request.uri() == url;
            let answer = Response::builder().status(if is_there { StatusCode::OK } else { StatusCode::NOT_FOUND });
            Ok(answer.body(document).expect("an answer"))
        })
    }
}

fn document(token_endpoint: &str) -> String {
    json!({ "issuer": ISSUER, "token_endpoint": token_endpoint, "scopes_supported": ["mcp"] }).to_string()
}

async fn get(mirror: &MetadataMirror) -> Response<Vec<u8>> {
    mirror.answer(&Method::GET).await
}

/// The token endpoint of the document, if there is one.
async fn told(mirror: &MetadataMirror) -> Option<String> {
    let answer = get(mirror).await;
    let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
    body["token_endpoint"].as_str().map(str::to_owned)
}

async fn wait(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn header<'a>(answer: &'a Response<Vec<u8>>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().expect("ASCII"))
}

#[tokio::test]
async fn everybody_may_read_the_document_from_any_page() {
    let mirror = Site::with(FIRST, document("https://www.example.com/o/token/")).mirror();
    for method in [Method::GET, Method::HEAD] {
        let answer = mirror.answer(&method).await;
        assert_eq!((answer.status(), header(&answer, "access-control-allow-origin")), (StatusCode::OK, Some("*")));
        assert_eq!(header(&answer, "content-type"), Some("application/json"));
        assert_eq!(header(&answer, "cache-control"), Some("public, max-age=600"));
        let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
        assert_eq!(body["scopes_supported"], json!(["mcp"]), "as the authority has it");
    }
}

#[tokio::test]
async fn other_methods_ask_nobody() {
    let site = Site::with(FIRST, document("x"));
    let mirror = site.mirror();
    let preflight = mirror.answer(&Method::OPTIONS).await;
    assert_eq!((preflight.status(), header(&preflight, "access-control-allow-origin")), (StatusCode::NO_CONTENT, Some("*")));
    assert_eq!(header(&preflight, "access-control-allow-headers"), Some("*"));
    let posted = mirror.answer(&Method::POST).await;
    assert_eq!((posted.status(), header(&posted, "allow")), (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD, OPTIONS")));
    assert_eq!(site.asked(), 0);
}

#[tokio::test]
async fn it_is_looked_for_at_each_well_known_url() {
    let site = Site::with(LAST, document("x"));
    assert!(told(&site.mirror()).await.is_some());
    assert_eq!(site.asked(), 3);
}

#[tokio::test]
async fn what_is_not_the_issuers_metadata_is_not_mirrored() {
    let foreign = document("x").replace(ISSUER, "https://www.example.com/o/");
    // Twice, for readers of which one takes the first and another the last.
    let twofold = document("x").replace(r#"{"issuer""#, r#"{"issuer":"https://www.example.com/o","issuer""#);
    let twofold = twofold.replacen(ISSUER, "https://evil.example", 1);
    let long = document(&"x".repeat(1024 * 1024));
    for wrong in [foreign, long, "<!doctype html>".to_owned(), "[]".to_owned(), "{}".to_owned()] {
        let mirror = Site::with(FIRST, wrong).mirror();
        let answer = get(&mirror).await;
        assert_eq!((answer.status(), header(&answer, "retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("5")));
        assert_eq!(
            (header(&answer, "access-control-allow-origin"), header(&answer, "cache-control")),
            (Some("*"), Some("no-store"))
        );
        assert!(mirror.failure().is_some_and(|failure| failure.contains(FIRST)));
    }
    let answer = get(&Site::with(FIRST, twofold).mirror()).await;
    assert!(!String::from_utf8_lossy(answer.body()).contains("evil"), "what was checked is what is sent");
}

#[tokio::test(start_paused = true)]
async fn it_is_kept_for_10_minutes() {
    let site = Site::with(FIRST, document("old"));
    let mirror = site.mirror();
    assert_eq!(told(&mirror).await.as_deref(), Some("old"));
    site.answers(FIRST, document("new"));
    wait(599).await;
    assert_eq!((told(&mirror.clone()).await.as_deref(), site.asked()), (Some("old"), 1));
    wait(1).await;
    assert_eq!((told(&mirror).await.as_deref(), site.asked()), (Some("new"), 1));
}

#[tokio::test(start_paused = true)]
async fn the_last_one_counts_through_a_day_without_the_authority() {
    let site = Site::with(FIRST, document("old"));
    let mirror = site.mirror();
    assert!(told(&mirror).await.is_some() && mirror.failure().is_none());
    site.is_down();
    wait(24 * 60 * 60 - 1).await;
    assert_eq!(told(&mirror).await.as_deref(), Some("old"));
    assert!(mirror.failure().is_some_and(|failure| failure.contains("connection refused")));
    site.asked();
    wait(1).await;
    assert_eq!((told(&mirror).await, get(&mirror).await.status()), (None, StatusCode::SERVICE_UNAVAILABLE));
    site.answers(FIRST, document("new"));
    wait(5).await;
    assert_eq!(told(&mirror).await.as_deref(), Some("new"));
    assert!(mirror.failure().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_is_down_is_asked_now_and_then() {
    let site = Site::default();
    let mirror = site.mirror();
    for _ in 0..10 {
        assert!(told(&mirror).await.is_none());
    }
    assert_eq!(site.asked(), 3, "each URL once");
    wait(5).await;
    site.answers(FIRST, document("x"));
    assert!(told(&mirror).await.is_some());
    site.is_down();
    wait(600).await;
    site.asked();
    for _ in 0..10 {
        assert!(told(&mirror).await.is_some());
        wait(1).await;
    }
    assert_eq!(site.asked(), 3, "once a minute, while there is a document");
}

#[tokio::test]
async fn all_wait_for_one_fetch_and_the_next_goes_on_with_it() {
    let slow = Arc::new(Notify::new());
    let site = Site { slow: Some(slow.clone()), ..Site::with(FIRST, document("x")) };
    let mirror = site.mirror();
    let spawn = || {
        let mirror = mirror.clone();
        tokio::spawn(async move { told(&mirror).await })
    };
    let first = spawn();
    tokio::task::yield_now().await;
    let others: Vec<_> = (0..100).map(|_| spawn()).collect();
    first.abort();
    assert!(first.await.is_err(), "given up");
    slow.notify_one();
    for other in others {
        assert_eq!(other.await.expect("it ends").as_deref(), Some("x"));
    }
    assert_eq!(site.asked(), 1);
}

#[test]
fn an_issuer_without_metadata_is_told_at_the_start() {
    let site = Site::default();
    assert!(site.mirror().problems().is_empty());
    for wrong in ["auth", "https://www.example.com/o?x", "https://u:p@www.example.com"] {
        let problems = MetadataMirror::of(wrong).fetching_with(site.clone()).problems();
        assert!(problems.iter().any(|problem| problem.contains(wrong)), "{problems:?}");
    }
    let plain = MetadataMirror::of("http://www.example.com").problems();
    assert!(plain.iter().any(|problem| problem.contains("plain HTTP")), "{plain:?}");
}
