//! What strangers get who put a credential where none is read, or two where one counts.

mod event_stream;
mod http_call;

use axum::Router;
use event_stream::get;
use http_call::{Answer, HttpCall, open, router};
use mcp_runtime::auth::{Place, ProxyToken, Rejection, Verdict};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Era;
use serde_json::json;

const ADA: &str = "ada-0123456789abcdefgh";
const RELAY: &str = "x-mcp-proxy-session-token";
const PROXY_KEY: &str = "a key of a proxy, of thirty-two bytes";

/// Who calls.
#[tool]
fn whoami(caller: Option<Principal>) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.subject().to_owned())
}

fn tokens() -> StaticTokens {
    StaticTokens::new().token(ADA, Principal::user("ada"))
}

/// Cookies of a site where Cora is logged in.
fn cookies(chain: Auth) -> Auth {
    chain.with_fn(Place::Cookie("sid".into()), |cookie| {
        std::future::ready(match &*cookie {
            "cora" => Verdict::Accepted(Principal::user("cora")),
            "out" => Verdict::NotMine,
            _ => Verdict::Rejected(Rejection::invalid_token("no_session")),
        })
    })
}

fn server(auth: Auth) -> Server {
    Server::new("strangers", "0").only([whoami::tool()]).public_url("https://mcp.example.com/mcp").list_changes().auth(auth)
}

fn call() -> HttpCall {
    HttpCall::tool("whoami", json!({})).header("host", "mcp.example.com")
}

fn by_cookie(call: HttpCall, value: &str) -> HttpCall {
    call.header("cookie", format!("sid={value}")).header("origin", "https://mcp.example.com")
}

/// Status and, where somebody was let in, who, which must be the same in every revision.
async fn told(router: &Router, call: &HttpCall) -> (u16, String) {
    let mut told = Vec::new();
    for era in Era::ALL {
        told.push(who(&call.clone().send_in(era, router).await));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    told.remove(0)
}

fn who(answer: &Answer) -> (u16, String) {
    (answer.status, if answer.status == 200 { answer.tool_text() } else { String::new() })
}

fn let_in(name: &str) -> (u16, String) {
    (200, name.to_owned())
}

fn refused(status: u16) -> (u16, String) {
    (status, String::new())
}

#[tokio::test]
async fn a_relay_header_is_believed_by_nobody() {
    let values = ["x", "", "mcpr1.", "mcpr1.x", "ada", ADA, PROXY_KEY];
    // Off, it is not there.
    for value in values {
        let off = router(server(Auth::chain().with(tokens())));
        assert_eq!(told(&off, &call().header(RELAY, value)).await, refused(401), "{value}");
        assert_eq!(told(&off, &call().header(RELAY, value).token(ADA)).await, let_in("ada"), "{value}");
        let open = router(server(Auth::chain().with(tokens())).allow_anonymous());
        assert_eq!(told(&open, &call().header(RELAY, value)).await, let_in("nobody"), "{value}");
    }
    // On, it is a credential, and a wrong one is no anonymous call.
    let proxies = || ProxyToken::keys([("proxy-1", PROXY_KEY)]).any_peer();
    for value in values {
        for server in [server(Auth::chain().with(proxies())), server(Auth::chain().with(proxies())).allow_anonymous()] {
            assert_eq!(told(&router(server), &call().header(RELAY, value)).await, refused(401), "{value}");
        }
    }
}

#[tokio::test]
async fn nothing_is_read_from_the_url_or_the_body() {
    let chain = || cookies(Auth::chain().with(tokens()));
    let (closed, open) = (router(server(chain())), router(server(chain()).allow_anonymous()));
    let names = ["mcp_proxy_session_token", RELAY, "access_token", "token", "authorization", "api_key", "sid"];
    for name in names {
        let in_url = call().uri(&format!("/mcp?{name}={ADA}&{name}=cora"));
        let in_body = call().edit(|message| {
            for place in ["arguments", "_meta"] {
                message["params"][place][name] = json!(ADA);
            }
        });
        assert_eq!(told(&closed, &in_url).await, refused(401), "{name}");
        assert_eq!(told(&closed, &in_body).await, refused(401), "{name}");
        assert_eq!(told(&open, &in_url).await, let_in("nobody"), "{name}");
    }
    let form = call().body(format!("access_token={ADA}")).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.send(&closed).await.status, 401);
}

#[tokio::test]
async fn a_stream_is_for_who_shows_a_credential() {
    let router = router(server(cookies(Auth::chain().with(tokens()))));
    for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
        let opening = HttpCall::initialize(era).header("host", "mcp.example.com").token(ADA);
        let session = open(&router, opening).await;
        let stream = || get(era, &session).header("host", "mcp.example.com");
        let nobody = [
            stream(),
            stream().without_header("mcp-session-id"),
            stream().header("last-event-id", "1"),
            stream().uri(&format!("/mcp?access_token={ADA}")),
            stream().header("accept", "text/event-stream, */*"),
            stream().token("wrong-0123456789abcdef"),
            by_cookie(stream(), "wrong"),
            by_cookie(stream(), "out"),
        ];
        for call in nobody {
            assert_eq!(call.clone().send(&router).await.status, 401, "{era:?}: {call:?}");
        }
        let foreign = by_cookie(stream(), "cora").without_header("origin");
        let foreign = [
            foreign.clone(),
            foreign.clone().header("sec-fetch-site", "cross-site"),
            foreign.clone().header("accept", "*/*"),
            foreign.clone().header("accept", "text/*"),
            foreign.without_header("accept"),
        ];
        for call in foreign {
            assert_eq!(call.send(&router).await.status, 403, "{era:?}: a cookie shows nothing of the page that sends it");
        }
        assert_eq!(by_cookie(stream(), "cora").send(&router).await.status, 404, "{era:?}: another's session");
    }
    // The modern era has no such stream; but that is not for strangers to hear either.
    let modern = || call().http_method(http::Method::GET).header("accept", "text/event-stream");
    assert_eq!(modern().send(&router).await.status, 401);
    assert_eq!(modern().token(ADA).send(&router).await.status, 405);
    let without_streams = Server::new("strangers", "0").only([whoami::tool()]).auth(Auth::chain().with(tokens()));
    let without_streams = http_call::router(without_streams);
    let get = || get(Era::V2025_11_25, "x");
    assert_eq!(get().send(&without_streams).await.status, 401);
    assert_eq!(get().token(ADA).send(&without_streams).await.status, 405);
}

#[tokio::test]
async fn a_bearer_stands_before_any_cookie() {
    let router = router(server(cookies(Auth::chain().with(tokens()))));
    assert_eq!(told(&router, &by_cookie(call(), "cora")).await, let_in("cora"));
    for cookie in ["cora", "out", "wrong", ""] {
        assert_eq!(told(&router, &by_cookie(call().token(ADA), cookie)).await, let_in("ada"), "{cookie}");
        let foreign = call().token(ADA).header("cookie", format!("sid={cookie}"));
        assert_eq!(told(&router, &foreign).await, let_in("ada"), "{cookie}: nor is it looked at for its page");
    }
    let wrong = ["Bearer wrong-0123456789abcdef", "Basic YTpi", "", "Negotiate x"];
    for authorization in wrong {
        let both = by_cookie(call().header("authorization", authorization), "cora");
        assert_eq!(told(&router, &both).await, refused(401), "{authorization}: never the cookie's user");
    }
    for malformed in ["Bearer", "Bearer a b", "Bearer \"x\""] {
        let both = by_cookie(call().header("authorization", malformed), "cora");
        assert_eq!(told(&router, &both).await, refused(400), "{malformed}: never the cookie's user");
    }
    let twice = by_cookie(call().token(ADA).another("authorization", format!("Bearer {ADA}")), "cora");
    assert_eq!(told(&router, &twice).await, refused(400));
}

#[tokio::test]
async fn a_relay_header_stands_before_any_cookie() {
    let proxies = ProxyToken::keys([("proxy-1", PROXY_KEY)]).any_peer();
    let router = router(server(cookies(Auth::chain().with(tokens()).with(proxies))));
    assert_eq!(told(&router, &by_cookie(call().header(RELAY, "x"), "cora")).await, refused(401));
    assert_eq!(told(&router, &by_cookie(call().header(RELAY, "x").token(ADA), "cora")).await, refused(400), "two on purpose");
}

#[tokio::test]
async fn another_sites_page_has_no_use_for_a_cookie() {
    let router = router(server(cookies(Auth::chain())).allow_anonymous());
    let posted = || call().header("cookie", "sid=cora");
    for (what, call, answer) in [
        ("our page", posted().header("origin", "https://mcp.example.com"), let_in("cora")),
        ("our page, as the browser says", posted().header("sec-fetch-site", "same-origin"), let_in("cora")),
        ("a foreign page", posted().header("origin", "https://evil.example"), refused(403)),
        ("its sandbox", posted().header("origin", "null"), refused(403)),
        ("a sister site", posted().header("origin", "https://blog.example.com"), refused(403)),
        ("without TLS", posted().header("origin", "http://mcp.example.com"), refused(403)),
        ("a look-alike", posted().header("origin", "https://mcp.example.com.evil.example"), refused(403)),
        ("no word of the page", posted(), refused(403)),
        ("a foreign page, as the browser says", posted().header("sec-fetch-site", "cross-site"), refused(403)),
        ("a sister site, as the browser says", posted().header("sec-fetch-site", "same-site"), refused(403)),
        ("what a form can send", by_cookie(call(), "cora").header("content-type", "text/plain"), refused(415)),
        ("two types", by_cookie(call(), "cora").another("content-type", "text/plain"), refused(415)),
        ("a cookie twice", by_cookie(call(), "cora").header("cookie", "sid=cora; sid=out"), refused(400)),
    ] {
        assert_eq!(told(&router, &call).await, answer, "{what}");
    }
}
