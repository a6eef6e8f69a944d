//! Where the keys are looked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{Fetch, FetchError, FetchFuture, Trust};

/// Answers by URL, and keeps what it was asked. What it does not know is a 404.
#[derive(Clone, Default)]
struct Routes {
    answers: Arc<Mutex<HashMap<String, (StatusCode, String)>>>,
    asked: Arc<Mutex<Vec<(String, Trust)>>>,
}

impl Routes {
    fn with(self, url: &str, answer: &Value) -> Self {
        self.set(url, StatusCode::OK, &answer.to_string());
        self
    }

    fn set(&self, url: &str, status: StatusCode, body: &str) {
        self.answers.lock().expect("no panic").insert(url.to_owned(), (status, body.to_owned()));
    }

    fn asked(&self) -> Vec<(String, Trust)> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl Fetch for Routes {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        let url = request.uri().to_string();
        let (status, body) =
            self.answers.lock().expect("no panic").get(&url).cloned().unwrap_or((StatusCode::NOT_FOUND, String::new()));
        self.asked.lock().expect("no panic").push((url, trust));
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = status;
        Box::pin(async { Ok(response) })
    }
}

const RFC_8414: &str = "https://a.example/.well-known/oauth-authorization-server/o";
const OIDC: &str = "https://a.example/.well-known/openid-configuration/o";
const OIDC_BELOW: &str = "https://a.example/o/.well-known/openid-configuration";
const KEYS: &str = "https://a.example/o/jwks";

fn metadata(jwks: &str) -> Value {
    json!({ "issuer": "https://a.example/o", "jwks_uri": jwks })
}

fn urls(asked: Vec<(String, Trust)>) -> Vec<String> {
    asked.into_iter().map(|(url, _)| url).collect()
}

#[tokio::test]
async fn metadata_is_taken_from_the_first_place_that_has_it() {
    let authority = Authority::at("https://a.example/o");
    let token = good(&authority).issue();
    let wrong = json!({ "issuer": "https://a.example", "jwks_uri": "https://a.example/wrong" });
    for (routes, asked) in [
        (Routes::default().with(RFC_8414, &metadata(KEYS)), &[RFC_8414, KEYS][..]),
        (Routes::default().with(OIDC, &metadata(KEYS)), &[RFC_8414, OIDC, KEYS]),
        (Routes::default().with(OIDC_BELOW, &metadata(KEYS)), &[RFC_8414, OIDC, OIDC_BELOW, KEYS]),
        (Routes::default().with(RFC_8414, &wrong).with(OIDC, &metadata(KEYS)), &[RFC_8414, OIDC, KEYS]),
        (Routes::default().with(RFC_8414, &json!("<html>")).with(OIDC, &metadata(KEYS)), &[RFC_8414, OIDC, KEYS]),
    ] {
        let routes = routes.with(KEYS, &authority.jwks());
        let auth = chain(Jwt::issuer("https://a.example/o").fetching_with(routes.clone()));
        assert_eq!(reason(&auth, &token).await, "ok");
        assert_eq!(urls(routes.asked()), asked);
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    let authority = Authority::at("https://a.example/o");
    for issuer in
        [json!("https://a.example/o/"), json!("https://A.example/o"), json!("https://b.example"), Value::Null, json!([])]
    {
        let document = json!({ "issuer": issuer, "jwks_uri": KEYS });
        let routes = Routes::default().with(RFC_8414, &document).with(OIDC_BELOW, &document).with(KEYS, &authority.jwks());
        let auth = chain(Jwt::issuer("https://a.example/o").fetching_with(routes.clone()));
        assert_eq!(reason(&auth, &good(&authority).issue()).await, "keys_unavailable", "{issuer}");
        assert!(!urls(routes.asked()).contains(&KEYS.to_owned()), "{issuer}");
    }
}

#[tokio::test]
async fn what_a_document_names_is_trusted_less() {
    let authority = Authority::at("https://a.example/o");
    let elsewhere = "https://keys.example/jwks";
    for (keys, trust) in [(KEYS, Trust::Configured), (elsewhere, Trust::Discovered)] {
        let routes = Routes::default().with(RFC_8414, &metadata(keys)).with(keys, &authority.jwks());
        let auth = chain(Jwt::issuer("https://a.example/o").fetching_with(routes.clone()));
        assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
        assert_eq!(routes.asked(), [(RFC_8414.to_owned(), Trust::Configured), (keys.to_owned(), trust)]);
    }
    let routes = Routes::default().with(elsewhere, &authority.jwks());
    let auth = chain(Jwt::issuer("https://a.example/o").jwks_url(elsewhere).fetching_with(routes.clone()));
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(routes.asked(), [(elsewhere.to_owned(), Trust::Configured)], "the operator wrote it");
}

#[tokio::test(start_paused = true)]
async fn keys_that_move_are_found_again() {
    let authority = Authority::at("https://a.example/o");
    let moved = "https://a.example/o/keys-2";
    let routes = Routes::default().with(RFC_8414, &metadata(KEYS)).with(KEYS, &authority.jwks());
    let auth = chain(Jwt::issuer("https://a.example/o").fetching_with(routes.clone()));
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    routes.asked();

    wait(15 * 60).await;
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(urls(routes.asked()), [KEYS], "where they are is known for an hour");

    let routes = routes.with(RFC_8414, &metadata(moved)).with(moved, &authority.jwks());
    routes.set(KEYS, StatusCode::GONE, "");
    wait(15 * 60).await;
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(urls(routes.asked()), [KEYS, RFC_8414, moved], "unless they are gone");

    let routes = routes.with(RFC_8414, &metadata(KEYS)).with(KEYS, &authority.jwks());
    wait(60 * 60).await;
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(urls(routes.asked()), [RFC_8414, KEYS]);

    routes.set(RFC_8414, StatusCode::BAD_GATEWAY, "");
    wait(60 * 60).await;
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(urls(routes.asked()), [RFC_8414, OIDC, OIDC_BELOW, KEYS], "keys do not need the metadata to be there");
}

#[tokio::test(start_paused = true)]
async fn the_one_place_of_the_keys_is_asked_once() {
    let authority = Authority::at("https://a.example/o");
    let routes = Routes::default().with(KEYS, &authority.jwks());
    let auth = chain(Jwt::issuer("https://a.example/o").jwks_url(KEYS).fetching_with(routes.clone()));
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    routes.set(KEYS, StatusCode::BAD_GATEWAY, "");
    routes.asked();
    wait(15 * 60).await;
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
    assert_eq!(urls(routes.asked()), [KEYS]);
}

#[tokio::test]
async fn keys_for_something_else_are_no_keys() {
    let authority = Authority::at("https://a.example/o");
    for (name, value) in [("use", json!("enc")), ("key_ops", json!(["sign"])), ("alg", json!("ES384")), ("d", json!("AAAA"))] {
        let mut jwks = authority.jwks();
        jwks["keys"][0][name] = value;
        let other = Authority::at("https://a.example/o");
        other.rotate();
        other.retire();
        jwks["keys"].as_array_mut().expect("keys").push(other.jwks()["keys"][0].clone());
        let routes = Routes::default().with("https://k.example", &jwks).with("https://k.example/", &jwks);
        let auth = chain(Jwt::issuer("https://a.example/o").jwks_url("https://k.example").fetching_with(routes));
        assert_eq!(reason(&auth, &good(&authority).issue()).await, "unknown_key", "{name}");
        assert_eq!(reason(&auth, &good(&other).issue()).await, "ok", "{name}: the others count");
    }
}

#[tokio::test]
async fn what_is_no_key_set_is_no_answer() {
    let authority = Authority::at("https://a.example/o");
    let long = format!("{}{}", authority.jwks(), " ".repeat(1024 * 1024));
    for (status, body) in [
        (StatusCode::OK, "<html>"),
        (StatusCode::OK, "{}"),
        (StatusCode::OK, r#"{"keys":[]}"#),
        (StatusCode::OK, &long),
        (StatusCode::FOUND, &authority.jwks().to_string()),
        (StatusCode::NOT_FOUND, &authority.jwks().to_string()),
        (StatusCode::INTERNAL_SERVER_ERROR, &authority.jwks().to_string()),
    ] {
        let routes = Routes::default();
        routes.set(KEYS, status, body);
        let auth = chain(Jwt::issuer("https://a.example/o").jwks_url(KEYS).fetching_with(routes));
        let short = &body[..body.len().min(20)];
        assert_eq!(reason(&auth, &good(&authority).issue()).await, "keys_unavailable", "{status} {short}");
    }
    // As Django OAuth Toolkit may send it.
    let twice = authority.jwks().to_string().replace(r#""kid":"key-1""#, r#""kid":"key-1","kid":"key-1""#);
    let routes = Routes::default();
    routes.set(KEYS, StatusCode::OK, &twice);
    let auth = chain(Jwt::issuer("https://a.example/o").jwks_url(KEYS).fetching_with(routes));
    assert_eq!(reason(&auth, &good(&authority).issue()).await, "ok");
}

/// Waits for these URLs in vain, as long as the client of this crate does.
#[derive(Clone)]
struct Silent {
    routes: Routes,
    urls: Arc<Mutex<Vec<&'static str>>>,
}

impl Fetch for Silent {
    fn fetch(&self, request: Request<Vec<u8>>, trust: Trust) -> FetchFuture<'_> {
        let url = request.uri().to_string();
        if !self.urls.lock().expect("no panic").iter().any(|silent| *silent == url) {
            return self.routes.fetch(request, trust);
        }
        Box::pin(async {
            sleep(Duration::from_secs(5)).await;
            Err(FetchError::new("no answer in time"))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_silent_is_waited_for_once() {
    let authority = Authority::at("https://a.example/o");
    let routes = Routes::default().with(RFC_8414, &metadata(KEYS)).with(OIDC, &metadata(KEYS)).with(KEYS, &authority.jwks());
    let silent = Silent { routes, urls: Arc::default() };
    let auth = chain(Jwt::issuer("https://a.example/o").fetching_with(silent.clone()));
    let token = || good(&authority).issue();
    let told = async |urls: &[&'static str]| {
        *silent.urls.lock().expect("no panic") = urls.to_vec();
        let began = Instant::now();
        let reason = reason(&auth, &token()).await;
        (reason, began.elapsed().as_secs())
    };
    assert_eq!(told(&[RFC_8414, OIDC, OIDC_BELOW]).await, ("keys_unavailable", 7));
    wait(5).await;
    assert_eq!(told(&[RFC_8414]).await, ("ok", 5), "there is time for a second place");
    wait(60 * 60).await;
    assert_eq!(told(&[RFC_8414, OIDC, OIDC_BELOW]).await, ("ok", 7), "and for keys that are where they were");
    wait(10 * 60).await;
    assert_eq!(told(&[RFC_8414, KEYS]).await, ("ok", 12), "the last keys, since there are no newer ones after three questions");
    assert_eq!(told(&[RFC_8414, KEYS]).await, ("ok", 0), "and nobody waits a second time");
}
