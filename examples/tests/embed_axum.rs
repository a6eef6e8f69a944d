//! What the example `embed_axum` promises: whoever is logged in on its pages may call at `/mcp`, from these pages, until log-out.

#[path = "../embed_axum.rs"]
#[expect(dead_code, reason = "the example's `main` is not run here")]
mod embed_axum;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

const ORIGIN: &str = "http://127.0.0.1:8000";
const EVIL: &str = "https://evil.example";
const FORM: &str = "application/x-www-form-urlencoded";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    /// The cookie that it sets, as a browser sends it.
    fn cookie(&self) -> String {
        let set = self.headers["set-cookie"].to_str().expect("text");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
        set.split(';').next().expect("a pair").to_owned()
    }

    fn tool_text(&self) -> String {
        let answer: Value = serde_json::from_str(&self.body).expect("JSON");
        answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no result: {answer}")).to_owned()
    }
}

async fn send(app: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).expect("a valid request");
    let (head, body) = app.clone().oneshot(request).await.expect("infallible").into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a body");
    Answer { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.to_vec()).expect("text") }
}

async fn call(app: &Router, tool: &str, arguments: Value, headers: &[(&str, &str)]) -> Answer {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
    let mut all = vec![
        ("content-type", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", tool),
    ];
    all.extend(headers);
    send(app, "POST", "/mcp", &all, &body).await
}

async fn post_form(app: &Router, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = vec![("content-type", FORM), ("origin", ORIGIN)];
    all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
    all.extend(headers);
    send(app, "POST", path, &all, body).await
}

fn app() -> Router {
    embed_axum::application(ORIGIN, "of-the-test").expect("no problems")
}

async fn logged_in(app: &Router, headers: &[(&str, &str)]) -> String {
    let answer = post_form(app, "/login", headers, "user=ada&password=of-the-test").await;
    assert_eq!((answer.status, answer.headers["location"].as_bytes()), (303, &b"/"[..]), "{}", answer.body);
    answer.cookie()
}

#[tokio::test]
async fn a_session_counts_from_log_in_to_log_out() {
    let app = app();
    let anonymous = call(&app, "note", json!({ "text": "tea" }), &[("origin", ORIGIN)]).await;
    assert_eq!((anonymous.status, &*anonymous.body), (401, r#"{"error":"unauthorized"}"#));
    let cookie = logged_in(&app, &[]).await;
    let ours = [("cookie", &*cookie), ("origin", ORIGIN)];
    let answer = call(&app, "note", json!({ "text": "tea" }), &ours).await;
    assert_eq!((answer.status, answer.tool_text().as_str()), (200, "ada has 1 notes."));
    assert!(!answer.headers.contains_key("set-cookie"), "a call renews nothing");
    let by_browser = [("cookie", &*cookie), ("sec-fetch-site", "same-origin")];
    assert_eq!(call(&app, "notes", json!({}), &by_browser).await.tool_text(), r#"["tea"]"#);
    let out = post_form(&app, "/logout", &[("cookie", &cookie)], "").await;
    assert_eq!(out.status, 303);
    assert_eq!(call(&app, "notes", json!({}), &ours).await.status, 401);
}

#[tokio::test]
async fn another_sites_request_is_refused() {
    let app = app();
    let cookie = logged_in(&app, &[]).await;
    for headers in [&[("cookie", &*cookie), ("origin", EVIL)][..], &[("cookie", &*cookie)]] {
        assert_eq!(call(&app, "note", json!({ "text": "spam" }), headers).await.status, 403, "{headers:?}");
    }
    for path in ["/login", "/logout"] {
        let headers = [("cookie", &*cookie), ("origin", EVIL)];
        let answer = post_form(&app, path, &headers, "user=ada&password=of-the-test").await;
        assert_eq!((answer.status, answer.headers.get("set-cookie")), (403, None), "{path}");
    }
    assert_eq!(call(&app, "notes", json!({}), &[("cookie", &cookie), ("origin", ORIGIN)]).await.tool_text(), "[]");
}

#[tokio::test]
async fn a_log_in_gives_a_session_of_its_own() {
    let app = app();
    for wrong in ["user=ada&password=wrong", "user=eve&password=of-the-test", "user=ada&password="] {
        let answer = post_form(&app, "/login", &[], wrong).await;
        assert_eq!((answer.status, answer.headers.get("set-cookie")), (401, None), "{wrong}");
    }
    let first = logged_in(&app, &[]).await;
    let second = logged_in(&app, &[("cookie", &first)]).await;
    assert_ne!(first, second);
    assert_eq!(call(&app, "notes", json!({}), &[("cookie", &first), ("origin", ORIGIN)]).await.status, 401);
    assert_eq!(call(&app, "notes", json!({}), &[("cookie", &second), ("origin", ORIGIN)]).await.status, 200);
}

#[tokio::test]
async fn pages_and_files_are_the_applications() {
    let app = app();
    let visitor = send(&app, "GET", "/", &[], "").await;
    assert!(visitor.status == 200 && visitor.body.contains("Log in"), "{}", visitor.body);
    assert!(!visitor.headers.contains_key("set-cookie"), "a visitor has no session");
    let style = send(&app, "GET", "/static/style.css", &[], "").await;
    assert_eq!((style.status, style.headers["content-type"].as_bytes()), (200, &b"text/css"[..]));
    assert_eq!(send(&app, "GET", "/static/../home.html", &[], "").await.status, 404);
    let cookie = logged_in(&app, &[]).await;
    let text = json!({ "text": "<b>bold</b> & more" });
    call(&app, "note", text, &[("cookie", &cookie), ("origin", ORIGIN)]).await.tool_text();
    let page = send(&app, "GET", "/", &[("cookie", &cookie)], "").await.body;
    assert!(page.contains("Notes of ada") && page.contains("<li>&lt;b>bold&lt;/b> &amp; more</li>"), "{page}");
}
