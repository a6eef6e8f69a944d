//! Sessions that the site itself is asked about.
#![cfg(feature = "django")]

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use mcp_auth::{Auth, Decision, DjangoSession, Fetch, FetchError, FetchFuture, RejectionKind, Resource, Scheme, Trust};
use serde_json::json;

const NOW: u64 = 1_781_524_800;
const TOKEN_URL: &str = "https://www.example.com/o/token/";

thread_local! {
    /// The time, in seconds since 1970.
    static TIME: Cell<u64> = const { Cell::new(NOW) };
}

fn clock() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(TIME.get())
}

/// A site that answers the same until it is told otherwise, and keeps what it was asked.
#[derive(Clone, Default)]
struct Site(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// `None`: it is down.
    answer: Option<(u16, String)>,
    asked: Vec<Request<Vec<u8>>>,
}

impl Site {
    fn answers(&self, status: u16, body: &(impl ToString + ?Sized)) {
        self.0.lock().expect("nobody panicked").answer = Some((status, body.to_string()));
    }

    fn goes_down(&self) {
        self.0.lock().expect("nobody panicked").answer = None;
    }

    fn asked(&self) -> usize {
        self.0.lock().expect("nobody panicked").asked.len()
    }
}

impl Fetch for Site {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        assert_eq!(trust, Trust::Configured);
        Box::pin(async move {
            // Who else waits is let in.
            tokio::task::yield_now().await;
            let mut state = self.0.lock().expect("nobody panicked");
            state.asked.push(request);
            let (status, body) = state.answer.clone().ok_or_else(|| FetchError::new("connection refused"))?;
            let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
            let answer = Response::builder().status(status).header("content-type", kind);
            Ok(answer.body(body.into_bytes()).expect("an answer"))
        })
    }
}

/// A site that keeps silent until nobody waits any longer.
#[derive(Clone, Default)]
struct Silent(Arc<AtomicUsize>);

impl Fetch for Silent {
    fn fetch(&self, _: Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
        Box::pin(async {
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(5)).await;
            Err(FetchError::new("no answer in time"))
        })
    }
}

fn silent() -> (Auth, Silent) {
    let silent = Silent::default();
    let session = DjangoSession::delegated("https://www.example.com/rs/session/").bearer("of-this-service");
    (auth(session.fetching_with(silent.clone())), silent)
}

fn session(site: &Site) -> DjangoSession {
    DjangoSession::delegated("https://www.example.com/rs/session/").bearer("of-this-service").fetching_with(site.clone())
}

fn auth(session: DjangoSession) -> Auth {
    let auth = Auth::chain().with(session).protecting(Resource::new("https://a.example/mcp").expect("a URL")).clock(clock);
    assert_eq!(auth.problems(), Vec::<String>::new());
    auth
}

async fn decide(auth: &Auth, cookie: &str) -> Decision {
    let request = Request::get("/mcp").header("cookie", format!("sessionid={cookie}")).body(()).expect("a request");
    auth.decide(&request.into_parts().0).await
}

/// The subject, or the reason against it: `unavailable` for all that are no fault of the session.
async fn told(auth: &Auth, cookie: &str) -> String {
    match decide(auth, cookie).await {
        Decision::Accepted(principal) => principal.subject().to_owned(),
        Decision::Anonymous => "anonymous".to_owned(),
        Decision::Rejected(rejection) => {
            assert!(!rejection.to_string().contains(cookie) && !rejection.to_string().contains("of-this-service"), "{rejection}");
            if rejection.kind() == RejectionKind::Unavailable { "unavailable".to_owned() } else { rejection.reason().to_owned() }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_silent_site_shares_its_silence() {
    let (auth, silent) = silent();
    let begun = tokio::time::Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        TIME.set(NOW + 2);
        told(&auth, "abc").await
    };
    let both = tokio::join!(told(&auth, "abc"), later);
    assert_eq!((both.0.as_str(), both.1.as_str()), ("unavailable", "unavailable"));
    assert_eq!((silent.0.load(Ordering::Relaxed), begun.elapsed()), (1, Duration::from_secs(5)));
}

#[tokio::test(start_paused = true)]
async fn a_site_is_asked_so_many_questions_at_once() {
    let (auth, silent) = silent();
    for cookie in 0..64 {
        let auth = auth.clone();
        tokio::spawn(async move { told(&auth, &format!("cookie-{cookie}")).await });
    }
    while silent.0.load(Ordering::Relaxed) < 64 {
        tokio::task::yield_now().await;
    }
    let begun = tokio::time::Instant::now();
    assert_eq!(told(&auth, "one-more").await, "unavailable");
    assert_eq!((silent.0.load(Ordering::Relaxed), begun.elapsed()), (64, Duration::ZERO));
}

#[tokio::test]
async fn the_site_names_the_user() {
    let site = Site::default();
    site.answers(
        200,
        &json!({"active": true, "sub": "1", "username": "alice", "iss": "https://www.example.com", "exp": NOW + 9, "groups": ["staff"]}),
    );
    let auth = auth(session(&site).scopes(["notes"]));
    let Decision::Accepted(alice) = decide(&auth, "abc:d+e&f").await else { panic!("valid") };
    assert_eq!((alice.subject(), alice.issuer(), alice.scheme()), ("1", Some("https://www.example.com"), Scheme::Session));
    assert_eq!(alice.claims().get("groups"), Some(&json!(["staff"])));
    assert_eq!(alice.claims().get("username"), Some(&json!("alice")));
    assert_eq!(alice.expires_at(), Some(clock() + Duration::from_secs(9)));
    assert!(alice.granted().grants("notes"));

    let state = site.0.lock().expect("nobody panicked");
    let [request] = &*state.asked else { panic!("one question") };
    assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("POST", "https://www.example.com/rs/session/"));
    assert_eq!(request.headers()["authorization"], "Bearer of-this-service");
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(request.body(), b"session=abc%3Ad%2Be%26f");
}

/// The token endpoint of a site, beside its view.
#[derive(Clone, Default)]
struct TokenEndpoint {
    site: Site,
    issued: Arc<Mutex<usize>>,
}

impl Fetch for TokenEndpoint {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        if request.uri() != TOKEN_URL {
            return self.site.fetch(request, trust);
        }
        assert_eq!(request.headers()["authorization"], "Basic bWNwOnNlY3JldA==");
        assert_eq!(request.body(), b"grant_type=client_credentials&scope=introspection");
        let mut issued = self.issued.lock().expect("nobody panicked");
        *issued += 1;
        let token = json!({"access_token": format!("t{issued}"), "token_type": "Bearer", "expires_in": 3600});
        let answer = Response::builder().header("content-type", "application/json").body(token.to_string().into_bytes());
        Box::pin(std::future::ready(Ok(answer.expect("an answer"))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_to_ask_with_is_fetched_and_renewed() {
    let fetch = TokenEndpoint::default();
    let site = fetch.site.clone();
    let session = DjangoSession::delegated("https://www.example.com/rs/session/");
    let auth = auth(session.client_credentials(TOKEN_URL, "mcp", "secret", "introspection").fetching_with(fetch.clone()));
    site.answers(200, &json!({"active": true, "sub": "1"}));
    let after = async |seconds: u64| {
        TIME.set(NOW + seconds);
        let told = told(&auth, "abcdefgh").await;
        let state = site.0.lock().expect("nobody panicked");
        (told, state.asked.last().expect("a question").headers()["authorization"].to_str().expect("text").to_owned())
    };
    assert_eq!(after(0).await, ("1".to_owned(), "Bearer t1".to_owned()));
    assert_eq!(after(3000).await, ("1".to_owned(), "Bearer t1".to_owned()));
    assert_eq!(after(3300).await, ("1".to_owned(), "Bearer t2".to_owned()), "before it ends");
    // A token that the site takes no longer is not the session's fault: another one is tried.
    site.answers(403, &json!({"error": "insufficient_scope"}));
    assert_eq!(after(3400).await, ("unavailable".to_owned(), "Bearer t3".to_owned()));
    assert_eq!(*fetch.issued.lock().expect("nobody panicked"), 3);
    site.answers(200, &json!({"active": true, "sub": "1"}));
    assert_eq!(after(3401).await, ("1".to_owned(), "Bearer t3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_site_that_is_down_is_asked_once_a_second() {
    let site = Site::default();
    let auth = auth(session(&site));
    assert_eq!((told(&auth, "of alice").await.as_str(), site.asked()), ("unavailable", 1));
    assert_eq!((told(&auth, "of bob").await.as_str(), site.asked()), ("unavailable", 1));
    TIME.set(NOW + 1);
    site.answers(200, &json!({"active": true, "sub": "1"}));
    assert_eq!((told(&auth, "of bob").await.as_str(), site.asked()), ("1", 2));
}

#[tokio::test]
async fn only_a_clear_answer_counts() {
    let issuer = "https://www.example.com";
    for (status, body, expected) in [
        (200, json!({"active": true, "sub": "1"}).to_string(), "1"),
        (200, json!({"active": true, "sub": "1", "exp": null, "groups": null, "iss": issuer}).to_string(), "1"),
        (200, json!({"active": false}).to_string(), "session_not_active"),
        (200, json!({"active": false, "sub": "1"}).to_string(), "session_not_active"),
        (200, json!({"active": false, "anonymous": true}).to_string(), "anonymous"),
        (200, json!({"active": true, "sub": "1", "exp": NOW}).to_string(), "session_not_active"),
        (200, json!({"active": "true", "sub": "1"}).to_string(), "unavailable"),
        (200, json!({"active": 1, "sub": "1"}).to_string(), "unavailable"),
        (200, json!({"sub": "1"}).to_string(), "unavailable"),
        (200, json!({"active": true}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": ""}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": 1}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": "x".repeat(256)}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": "1", "iss": "https://evil.example"}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": "1", "exp": "soon"}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": "1", "exp": -1}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": "1", "exp": u64::MAX}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": "1", "groups": "staff"}).to_string(), "unavailable"),
        (200, json!({"active": true, "sub": "1", "groups": [1]}).to_string(), "unavailable"),
        (200, "[]".to_owned(), "unavailable"),
        (200, "<html>Log in</html>".to_owned(), "unavailable"),
        (200, String::new(), "unavailable"),
        (201, json!({"active": true, "sub": "1"}).to_string(), "unavailable"),
        (301, json!({"active": true, "sub": "1"}).to_string(), "unavailable"),
        (401, json!({"active": false}).to_string(), "unavailable"),
        (403, "<html>Forbidden</html>".to_owned(), "unavailable"),
        (500, json!({"active": false}).to_string(), "unavailable"),
    ] {
        let site = Site::default();
        site.answers(status, &body);
        let auth = auth(session(&site));
        assert_eq!(told(&auth, "abcdefgh").await, expected, "{status} {body:.80}");
        if expected == "unavailable" {
            let Decision::Rejected(rejection) = decide(&auth, "abcdefgh").await else { panic!("{body}") };
            assert!(rejection.retry_after().is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answers_are_remembered_for_their_time() {
    let site = Site::default();
    let auth = auth(session(&site));
    let after = async |seconds: u64, cookie: &str| {
        TIME.set(NOW + seconds);
        (told(&auth, cookie).await, site.asked())
    };
    site.answers(200, &json!({"active": true, "sub": "1"}));
    assert_eq!(after(0, "of alice").await, ("1".to_owned(), 1));
    site.answers(200, &json!({"active": false}));
    assert_eq!(after(29, "of alice").await, ("1".to_owned(), 1));
    assert_eq!(after(30, "of alice").await, ("session_not_active".to_owned(), 2), "a log-out is seen after 30 s");
    site.answers(200, &json!({"active": true, "sub": "1", "exp": NOW + 40}));
    assert_eq!(after(31, "of alice").await, ("session_not_active".to_owned(), 2));
    assert_eq!(after(32, "of alice").await, ("1".to_owned(), 3), "and a log-in after 2 s");
    assert_eq!(after(32, "of bob").await, ("1".to_owned(), 4), "every cookie has its own");
    site.goes_down();
    assert_eq!(after(39, "of alice").await, ("1".to_owned(), 4));
    assert_eq!(after(40, "of alice").await, ("unavailable".to_owned(), 5), "never longer than the session");
    assert_eq!(after(40, "of alice").await, ("unavailable".to_owned(), 5));
    site.answers(200, &json!({"active": true, "sub": "1"}));
    assert_eq!(after(41, "of alice").await, ("1".to_owned(), 6), "it comes back without a restart");
}

#[tokio::test]
async fn many_who_wait_ask_once() {
    let site = Site::default();
    let auth = auth(session(&site));
    site.goes_down();
    let all = tokio::join!(told(&auth, "abcdefgh"), told(&auth, "abcdefgh"), told(&auth, "abcdefgh"));
    assert_eq!((all.0.as_str(), site.asked()), ("unavailable", 1));
    assert_eq!((all.1.as_str(), all.2.as_str()), ("unavailable", "unavailable"));
    // A stranger's cookie of any length costs the site nothing.
    assert_eq!(told(&auth, &"a".repeat(8193)).await, "session_too_large");
    assert_eq!(site.asked(), 1);
}

#[test]
fn mistakes_are_named_without_secrets() {
    let session = DjangoSession::delegated("www.example.com/rs/session/?key=hunter2").bearer("two words").fallback_keys(["x"]);
    let problems = Auth::chain().with(session.age(Duration::from_secs(1))).problems();
    let mut parts = vec!["the URL of the view", "bearer token", "`.fallback_keys(..)`", "`.age(..)`", "public URL"];
    if !cfg!(feature = "fetch") {
        parts.push("`.fetching_with(..)`");
    }
    for part in &parts {
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:#?}");
    }
    assert_eq!(problems.len(), parts.len(), "{problems:#?}");
    assert!(!problems.concat().contains("hunter2") && !problems.concat().contains("two words"));

    let site = Site::default();
    let named = |session: DjangoSession| Auth::chain().with(session.fetching_with(site.clone())).problems().join("\n");
    let delegated = || DjangoSession::delegated("https://www.example.com/rs/session/");
    assert!(named(delegated()).contains("`.client_credentials(..)`"));
    assert!(named(delegated().client_credentials(TOKEN_URL, "", "hush", "x")).contains("client id"));
    assert!(named(delegated().client_credentials(TOKEN_URL, "mcp", "", "x")).contains("client secret"));
    assert!(
        named(DjangoSession::database("sqlite:x", "key").client_credentials(TOKEN_URL, "a", "b", "")).contains("means nothing")
    );
}
