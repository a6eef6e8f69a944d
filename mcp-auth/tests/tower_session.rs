//! Sessions of a Rust application: who is logged in there is known here, by the rules for cookies.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::routing::{any, post};
use axum::{Extension, Router};
use axum_login::{AuthManagerLayerBuilder, AuthSession, AuthUser, AuthnBackend};
use http::{HeaderMap, Request, StatusCode};
use mcp_auth::{Auth, AuthLayer, Authenticate, Decision, Principal, Resource, Scheme, StaticTokens, TowerSession};
use tower::ServiceExt;
use tower_sessions::cookie::time;
use tower_sessions::session::{self, Id, Record};
use tower_sessions::session_store;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer, SessionStore};

const TOKEN: &str = "0123456789abcdef-ci";
const ORIGIN: (&str, &str) = ("origin", "https://app.example");
const JSON: (&str, &str) = ("content-type", "application/json");

async fn log_in(session: Session) -> Result<(), StatusCode> {
    session.insert("user", "alice").await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn log_out(session: Session) -> Result<(), StatusCode> {
    session.flush().await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn visit(session: Session) -> Result<(), StatusCode> {
    session.insert("theme", "dark").await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn who(caller: Option<Extension<Principal>>, headers: HeaderMap) -> String {
    let cookies = headers.get_all("cookie").iter().count();
    match caller {
        Some(Extension(caller)) => format!("{} {:?} {cookies}", caller.subject(), caller.scheme()),
        None => format!("nobody {cookies}"),
    }
}

fn people() -> TowerSession<Session> {
    TowerSession::new(|session: Session| async move {
        if !session.is_modified() {
            session.load().await?;
        }
        let name: Option<String> = session.get("user").await?;
        let end = session.expiry_date().into();
        Ok::<_, session::Error>(name.map(|name| Principal::user(name).scopes(["notes"]).valid_until(end)))
    })
}

fn auth(people: impl Authenticate) -> Auth {
    let resource = Resource::new("https://app.example/mcp").expect("a URL");
    let ci = StaticTokens::new().token(TOKEN, Principal::user("ci"));
    Auth::chain().with(ci).with(people).protecting(resource)
}

fn pages(layer: AuthLayer) -> Router {
    let mcp = Router::new().route("/mcp", any(who)).layer(layer);
    let pages = Router::new().route("/login", post(log_in)).route("/logout", post(log_out)).route("/visit", post(visit));
    pages.merge(mcp)
}

fn app_over(store: impl SessionStore + Clone) -> Router {
    let layer = AuthLayer::try_new(auth(people())).expect("no problems");
    pages(layer).layer(SessionManagerLayer::new(store).with_expiry(Expiry::OnInactivity(time::Duration::hours(1))))
}

fn app() -> Router {
    app_over(MemoryStore::default())
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    /// The cookie that it sets, as a browser sends it.
    fn cookie(&self) -> String {
        let set = self.headers["set-cookie"].to_str().expect("text");
        set.split(';').next().expect("a pair").to_owned()
    }
}

async fn send(app: &Router, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a valid request");
    let (head, body) = app.clone().oneshot(request).await.expect("infallible").into_parts();
    let body = to_bytes(body, 1 << 16).await.expect("a body");
    Answer { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body.to_vec()).expect("text") }
}

async fn call(app: &Router, cookie: &str, headers: &[(&str, &str)]) -> Answer {
    let mut all = vec![("cookie", cookie)];
    all.extend(headers);
    send(app, "POST", "/mcp", &all).await
}

async fn logged_in(app: &Router) -> String {
    send(app, "POST", "/login", &[]).await.cookie()
}

#[tokio::test]
async fn a_session_counts_from_log_in_to_log_out() {
    let app = app();
    assert_eq!(send(&app, "POST", "/mcp", &[ORIGIN, JSON]).await.status, 401);
    let cookie = logged_in(&app).await;
    let answer = call(&app, &cookie, &[ORIGIN, JSON]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "alice Session 1"), "the application still has its cookie");
    assert!(!answer.headers.contains_key("set-cookie"), "a call renews nothing");
    assert_eq!(send(&app, "POST", "/logout", &[("cookie", &cookie)]).await.status, 200);
    let answer = call(&app, &cookie, &[ORIGIN, JSON]).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, r#"{"error":"unauthorized"}"#));
}

/// As a stream does that is open for long: with the request that opened it.
#[tokio::test]
async fn who_logged_out_elsewhere_is_nobody_when_asked_again() {
    let store = Arc::new(MemoryStore::default());
    let session = Session::new(None, store.clone(), None);
    session.insert("user", "alice").await.expect("a value");
    session.save().await.expect("a store");
    let cookie = format!("id={}", session.id().expect("saved"));
    let request = Request::post("/mcp").header("cookie", cookie).header(ORIGIN.0, ORIGIN.1).header(JSON.0, JSON.1);
    let request = request.extension(Session::new(session.id(), store, None)).body(()).expect("a request");
    let (auth, head) = (auth(people()), request.into_parts().0);
    for _ in 0..2 {
        let decision = auth.decide(&head).await;
        assert!(matches!(&decision, Decision::Accepted(caller) if caller.subject() == "alice"), "{decision:?}");
    }
    session.flush().await.expect("a store");
    let decision = auth.decide(&head).await;
    assert!(matches!(decision, Decision::Anonymous), "{decision:?}");
}

#[tokio::test]
async fn a_visitor_is_anonymous() {
    let store = MemoryStore::default();
    let cookie = send(&app_over(store.clone()), "POST", "/visit", &[]).await.cookie();
    assert_eq!(call(&app_over(store.clone()), &cookie, &[ORIGIN, JSON]).await.status, 401);
    let open = AuthLayer::try_new(auth(people())).expect("no problems").allow_anonymous();
    let open = pages(open).layer(SessionManagerLayer::new(store));
    assert_eq!(call(&open, &cookie, &[ORIGIN, JSON]).await.body, "nobody 1");
    for unknown in [format!("id={}", Id::default()), "id=x".to_owned(), "id=".to_owned()] {
        assert_eq!(call(&open, &unknown, &[ORIGIN, JSON]).await.body, "nobody 1", "{unknown}");
    }
}

#[tokio::test]
async fn another_sites_request_is_refused() {
    let app = app();
    let cookie = logged_in(&app).await;
    let evil = ("origin", "https://evil.example");
    for headers in [&[evil, JSON][..], &[JSON], &[("origin", "null"), JSON], &[("sec-fetch-site", "same-site"), JSON]] {
        assert_eq!(call(&app, &cookie, headers).await.status, 403, "{headers:?}");
    }
    for form in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        assert_eq!(call(&app, &cookie, &[ORIGIN, ("content-type", form)]).await.status, 415, "{form}");
    }
    let stream = [("cookie", &*cookie), ("accept", "text/event-stream")];
    assert_eq!(send(&app, "GET", "/mcp", &stream).await.status, 403);
    assert_eq!(call(&app, &cookie, &[("sec-fetch-site", "same-origin"), JSON]).await.status, 200);
}

#[tokio::test]
async fn a_cookie_that_could_be_a_neighbours_is_refused() {
    let app = app();
    let cookie = logged_in(&app).await;
    let other = logged_in(&app).await;
    for two in [format!("{cookie}; {other}"), format!("{cookie}; {}", other.replace("id=", "%69d="))] {
        assert_eq!(call(&app, &two, &[ORIGIN, JSON]).await.status, 400, "{two}");
    }
    let alone = cookie.replace("id=", "%69d=");
    assert_eq!(call(&app, &alone, &[ORIGIN, JSON]).await.status, 401, "the name is exact");
}

#[tokio::test]
async fn a_bearer_goes_before_any_session() {
    let app = app();
    let cookie = logged_in(&app).await;
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(call(&app, &cookie, &[("authorization", &bearer(TOKEN)), JSON]).await.body, "ci Bearer 1");
    assert_eq!(call(&app, &cookie, &[("authorization", &bearer("wrong-but-well-formed")), ORIGIN, JSON]).await.status, 401);
}

#[tokio::test]
async fn without_the_session_layer_nobody_is_anonymous() {
    let layer = AuthLayer::try_new(auth(people())).expect("no problems").allow_anonymous();
    let (heard, hears) = std::sync::mpsc::channel();
    let layer = layer.on_rejection(move |rejection| heard.send(rejection.to_string()).expect("a receiver"));
    let app = Router::new().route("/mcp", any(who)).layer(layer);
    let answer = call(&app, "id=abc", &[ORIGIN, JSON]).await;
    assert_eq!((answer.status, answer.headers.contains_key("retry-after")), (503, true));
    let logged = hears.try_recv().expect("a rejection");
    assert!(logged.contains("no_session_layer: there is no `tower_sessions_core::session::Session`"), "{logged}");
    assert!(!logged.contains("abc"), "{logged}");
    assert_eq!(call(&app, "theme=dark", &[ORIGIN, JSON]).await.body, "nobody 1", "no session, no need of the layer");
}

/// Takes sessions, and does not bring them back.
#[derive(Clone, Debug)]
struct Broken;

type Answered<'a, T> = Pin<Box<dyn Future<Output = session_store::Result<T>> + Send + 'a>>;

impl SessionStore for Broken {
    fn save<'s, 'r, 'a>(&'s self, _: &'r Record) -> Answered<'a, ()>
    where
        's: 'a,
        'r: 'a,
        Self: 'a,
    {
        Box::pin(async { Ok(()) })
    }

    fn load<'s, 'r, 'a>(&'s self, _: &'r Id) -> Answered<'a, Option<Record>>
    where
        's: 'a,
        'r: 'a,
        Self: 'a,
    {
        Box::pin(async { Err(session_store::Error::Backend("connection refused".to_owned())) })
    }

    fn delete<'s, 'r, 'a>(&'s self, _: &'r Id) -> Answered<'a, ()>
    where
        's: 'a,
        'r: 'a,
        Self: 'a,
    {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_logs_nobody_out() {
    let answer = call(&app_over(Broken), &format!("id={}", Id::default()), &[ORIGIN, JSON]).await;
    assert_eq!((answer.status, answer.headers.contains_key("set-cookie")), (503, false));
}

#[derive(Clone, Debug)]
struct User {
    name: String,
    password_hash: String,
}

impl AuthUser for User {
    type Id = String;

    fn id(&self) -> String {
        self.name.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.password_hash.as_bytes()
    }
}

/// Knows one user, whose password may be changed.
#[derive(Clone, Debug)]
struct Backend(User);

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = ();
    type Error = Infallible;

    async fn authenticate(&self, (): ()) -> Result<Option<User>, Infallible> {
        Ok(Some(self.0.clone()))
    }

    async fn get_user(&self, name: &String) -> Result<Option<User>, Infallible> {
        Ok((*name == self.0.name).then(|| self.0.clone()))
    }
}

#[tokio::test]
async fn axum_login_says_who_is_logged_in() {
    async fn log_in(mut login: AuthSession<Backend>) -> Result<(), StatusCode> {
        let user = login.authenticate(()).await.ok().flatten().ok_or(StatusCode::UNAUTHORIZED)?;
        login.login(&user).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    }
    // `axum-login` has `tower-sessions` of another version.
    let store = tower_sessions_memory_store::MemoryStore::default();
    let app = |password: &str| {
        let people = TowerSession::new(|login: AuthSession<Backend>| async move {
            Ok::<_, Infallible>(login.user.map(|user| Principal::user(user.name)))
        });
        let layer = AuthLayer::try_new(auth(people.cookie_name("login"))).expect("no problems");
        let backend = Backend(User { name: "bob".to_owned(), password_hash: password.to_owned() });
        let sessions = axum_login::tower_sessions::SessionManagerLayer::new(store.clone()).with_name("login");
        let mcp = Router::new().route("/mcp", any(who)).layer(layer);
        Router::new().route("/login", post(log_in)).merge(mcp).layer(AuthManagerLayerBuilder::new(backend, sessions).build())
    };
    let cookie = logged_in(&app("one")).await;
    assert_eq!(call(&app("one"), &cookie, &[ORIGIN, JSON]).await.body, format!("bob {:?} 1", Scheme::Session));
    assert_eq!(call(&app("one"), &cookie, &[("origin", "https://evil.example"), JSON]).await.status, 403);
    assert_eq!(call(&app("another"), &cookie, &[ORIGIN, JSON]).await.status, 401, "after a change of the password");
}

#[test]
fn a_name_that_is_read_in_two_ways_is_no_name() {
    for bad in ["", "%69d", "a b", "a=b", "é"] {
        let problems = people().cookie_name(bad).problems(None);
        assert_eq!(problems.len(), 1, "{bad}");
        assert!(problems[0].contains(&format!("`{bad}` is no name of a session cookie")), "{problems:?}");
    }
    assert!(people().cookie_name("__Host-id").problems(None).is_empty());
    let homeless = Auth::chain().with(people());
    assert!(homeless.problems()[0].contains("set the public URL"), "{:?}", homeless.problems());
}
