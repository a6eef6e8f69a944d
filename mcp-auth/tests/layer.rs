//! The layer lets in whom the chain accepts, and answers all others.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::routing::any;
use axum::{Extension, Router};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use mcp_auth::{
    ApiKeys, Auth, AuthLayer, Authenticate, AuthenticateFuture, Place, Presented, Principal, Rejection, Resource, StaticTokens,
    Verdict,
};
use tower::{Layer, Service, ServiceExt};

const TOKEN: &str = "0123456789abcdef-ci";

fn auth() -> Auth {
    Auth::chain().with(StaticTokens::new().token(TOKEN, Principal::user("ci").scopes(["reports:read"])))
}

fn layer(auth: Auth) -> AuthLayer {
    AuthLayer::try_new(auth).expect("no problems")
}

/// Says who calls, and with which headers.
async fn who(caller: Option<Extension<Principal>>, headers: HeaderMap) -> String {
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    format!("{} {}", caller.map_or("nobody".to_owned(), |caller| caller.subject().to_owned()), names.join(","))
}

fn app(layer: AuthLayer) -> Router {
    Router::new().route("/mcp", any(who)).layer(layer)
}

fn request(method: Method, uri: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).expect("a valid request")
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let response = app.clone().oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 16).await.expect("a body");
    (head.status, head.headers, String::from_utf8(body.to_vec()).expect("text"))
}

async fn post(app: &Router, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
    send(app, request(Method::POST, "/mcp", headers)).await
}

#[tokio::test]
async fn what_is_for_one_body_comes_in_where_somebody_compares() {
    let exact = Principal::user("ci").with_body_digest([7; 32]);
    let layer = layer(Auth::chain().with(StaticTokens::new().token(TOKEN, exact)));
    let bearer = format!("Bearer {TOKEN}");
    let (status, ..) = post(&app(layer.clone()), &[("authorization", &bearer)]).await;
    assert_eq!(status, 401, "nobody would notice another body");
    assert_eq!(post(&app(layer.bodies_are_checked()), &[("authorization", &bearer)]).await.0, 200);
}

#[tokio::test]
async fn who_is_accepted_is_known_and_what_proved_it_is_gone() {
    let (key, record) = ApiKeys::generate("acme").expect("a key");
    let auth = auth().with(ApiKeys::prefix("acme").key(record.owner("machine")).header());
    let app = app(layer(auth));
    let bearer = format!("Bearer {TOKEN}");
    let (status, _, said) = post(&app, &[("authorization", &bearer), ("cookie", "theme=dark"), ("x-request-id", "1")]).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "ci cookie,x-request-id"));
    let (status, _, said) = post(&app, &[("x-api-key", &key), ("x-request-id", "1")]).await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, "machine x-request-id"));
}

#[tokio::test]
async fn without_a_credential_there_is_a_challenge() {
    let app = app(layer(auth().require_scopes(["reports:read"])));
    let (status, headers, body) = post(&app, &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::UNAUTHORIZED, r#"{"error":"unauthorized"}"#));
    assert_eq!(headers["www-authenticate"], r#"Bearer scope="reports:read""#);
    assert_eq!(headers["content-type"], "application/json");
}

/// Turns every token down, for the reason that it names.
struct Refuser;

impl Authenticate for Refuser {
    fn places(&self) -> Vec<Place> {
        vec![Place::Bearer]
    }

    fn owns(&self, _: Presented<'_>) -> bool {
        true
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        let verdict = match presented.credential() {
            "scope" => Verdict::Accepted(Principal::user("a")),
            "down" => Verdict::Rejected(Rejection::unavailable("down", Duration::from_secs(7))),
            "moment" => Verdict::Rejected(Rejection::unavailable("down", Duration::from_millis(1))),
            _ => Verdict::Rejected(Rejection::invalid_token("revoked")),
        };
        Box::pin(std::future::ready(verdict))
    }
}

#[tokio::test]
async fn each_fault_has_its_answer() {
    let app = app(layer(Auth::chain().with(Refuser).require_scopes(["x"])));
    let told = async |authorization: &str| {
        let (status, headers, body) = post(&app, &[("authorization", authorization)]).await;
        let header = |name| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
        (status.as_u16(), header("www-authenticate"), header("retry-after"), body)
    };
    let (status, challenge, retry, body) = told("Bearer revoked").await;
    assert_eq!((status, retry, body.as_str()), (401, None, r#"{"error":"unauthorized"}"#));
    assert!(challenge.expect("a challenge").contains(r#"error="invalid_token""#));
    let (status, challenge, retry, body) = told("Bearer a b").await;
    assert_eq!((status, retry, body.contains(r#""error":"invalid_request""#)), (400, None, true), "{body}");
    assert!(challenge.expect("a challenge").contains(r#"error="invalid_request""#));
    let (status, challenge, retry, body) = told("Bearer scope").await;
    assert_eq!((status, retry, body.contains(r#""error":"insufficient_scope""#)), (403, None, true), "{body}");
    assert!(challenge.expect("a challenge").ends_with(r#"scope="x""#));
    let (status, challenge, retry, body) = told("Bearer down").await;
    assert_eq!((status, challenge, retry.as_deref()), (503, None, Some("7")));
    assert!(body.contains(r#""error":"temporarily_unavailable""#), "{body}");
    assert_eq!(told("Bearer moment").await.2.as_deref(), Some("1"), "never at once");
}

#[tokio::test]
async fn anonymous_callers_come_in_only_where_they_may() {
    let app = app(layer(auth()).allow_anonymous());
    assert_eq!(post(&app, &[]).await.2, "nobody ");
    assert_eq!(post(&app, &[("authorization", &format!("Bearer {TOKEN}"))]).await.2, "ci ");
    for wrong in ["Bearer wrong-but-well-formed", "Bearer ", "Basic dTpw"] {
        assert_ne!(post(&app, &[("authorization", wrong)]).await.0, StatusCode::OK, "{wrong}");
    }
}

#[tokio::test]
async fn a_principal_that_was_there_before_does_not_count() {
    let app = app(layer(auth()).allow_anonymous()).layer(Extension(Principal::user("planted")));
    assert_eq!(post(&app, &[]).await.2, "nobody ");
    assert_eq!(post(&app, &[("authorization", &format!("Bearer {TOKEN}"))]).await.2, "ci ");
}

#[tokio::test]
async fn rejections_are_heard_without_the_credential() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let layer = layer(auth()).on_rejection(move |rejection| hears.lock().expect("a lock").push(rejection.to_string()));
    let app = app(layer);
    post(&app, &[("authorization", "Bearer a-secret-of-somebody")]).await;
    post(&app, &[]).await;
    post(&app, &[("authorization", &format!("Bearer {TOKEN}"))]).await;
    let heard = heard.lock().expect("a lock");
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(heard[0].starts_with("nobodys (credential ") && !heard[0].contains("a-secret"), "{heard:?}");
}

#[tokio::test]
async fn the_peer_is_the_one_of_the_connection() {
    let auth = Auth::chain().with(|head: &http::request::Parts| {
        let peer = head.extensions.get::<mcp_auth::Peer>().copied();
        async move { peer.map_or(Verdict::NotMine, |peer| Verdict::Accepted(Principal::user(peer.0.to_string()))) }
    });
    let layer = layer(auth).peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0));
    let address: SocketAddr = "192.0.2.7:4711".parse().expect("an address");
    let app = app(layer);
    assert_eq!(post(&app, &[]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(post(&app.layer(Extension(ConnectInfo(address))), &[]).await.2, "192.0.2.7:4711 ");
}

/// Tokens of an authorization server, none of which holds.
struct Issued;

impl Authenticate for Issued {
    fn places(&self) -> Vec<Place> {
        vec![Place::AnyBearer]
    }

    fn authenticate<'a>(&'a self, _: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async { Verdict::Rejected(Rejection::invalid_token("unknown")) })
    }

    fn issuers(&self) -> Vec<String> {
        vec!["https://auth.example.com".to_owned()]
    }
}

#[tokio::test]
async fn the_metadata_is_for_everybody_where_it_is_served() {
    const PATH: &str = "/.well-known/oauth-protected-resource/mcp";
    let resource = || Resource::new("https://mcp.example.com/mcp").expect("a URL");
    let issued = || Auth::chain().with(Issued).protecting(resource()).require_scopes(["notes"]);
    let served = app(layer(issued()).metadata());
    let ask = async |app: &Router, method: Method, path: &str| send(app, request(method, path, &[])).await;

    let (status, headers, body) = ask(&served, Method::GET, PATH).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &"application/json".parse().expect("a value")));
    assert_eq!(
        (&headers["access-control-allow-origin"], headers["cache-control"].is_empty()),
        (&"*".parse().expect("a value"), false)
    );
    let document: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(document["resource"], "https://mcp.example.com/mcp");
    assert_eq!(document["authorization_servers"], serde_json::json!(["https://auth.example.com"]));

    let (status, headers, body) = ask(&served, Method::OPTIONS, PATH).await;
    assert_eq!((status, body.as_str()), (StatusCode::NO_CONTENT, ""));
    for (name, value) in [("origin", "*"), ("methods", "GET, OPTIONS"), ("headers", "*")] {
        assert_eq!(headers[format!("access-control-allow-{name}")], value);
    }
    assert!(!headers.contains_key("access-control-allow-credentials"));
    let (status, headers, _) = ask(&served, Method::POST, PATH).await;
    assert_eq!((status, &headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD, OPTIONS".parse().expect("a value")));

    let (status, headers, _) = ask(&served, Method::POST, "/mcp").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(headers["www-authenticate"].to_str().expect("text").contains(&format!("https://mcp.example.com{PATH}")));
    for other in ["/.well-known/oauth-protected-resource", &format!("{PATH}/"), &format!("{PATH}x"), "/"] {
        assert_eq!(ask(&served, Method::GET, other).await.0, StatusCode::UNAUTHORIZED, "{other}");
    }
    assert_eq!(ask(&app(layer(issued())), Method::GET, PATH).await.0, StatusCode::UNAUTHORIZED, "not asked for");
    let nobody_issues = app(layer(auth().protecting(resource())).metadata());
    assert_eq!(ask(&nobody_issues, Method::GET, PATH).await.0, StatusCode::UNAUTHORIZED, "there is none");
}

#[test]
fn a_wrong_configuration_makes_no_layer() {
    let error = AuthLayer::try_new(Auth::chain()).expect_err("an empty chain");
    assert_eq!(error.problems().len(), 1);
    assert!(error.to_string().contains("accept nobody"), "{error}");
    let short = Auth::chain().with(StaticTokens::new().token("short", Principal::user("ci"))).require_scopes(["not a scope"]);
    assert_eq!(AuthLayer::try_new(short).expect_err("two problems").problems().len(), 2);
}

/// Must be polled before it is called, as tower demands; a clone of it must be polled anew.
#[derive(Default)]
struct OnceReady {
    is_ready: bool,
}

impl Clone for OnceReady {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for OnceReady {
    type Response = Response<Vec<u8>>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        std::future::ready(if self.is_ready { Ok(Response::new(Vec::new())) } else { Err("not ready") })
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let service = layer(auth()).allow_anonymous().layer(OnceReady::default());
    let response = service.oneshot(Request::new(())).await.expect("ready");
    assert_eq!(response.status(), StatusCode::OK);
}
