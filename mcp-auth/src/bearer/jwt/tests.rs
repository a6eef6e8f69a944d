//! Tokens of an authority in this process, through a chain.

mod fetching;
mod keys;
mod presets;
mod refusals;

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use http::Request;

use super::key_set::tests::VERIFICATIONS;
use crate::testing::{Authority, TokenBuilder};
use crate::{Auth, Decision, Jwt, Principal, RejectionKind, Resource};

const RESOURCE: &str = "https://mcp.example.com/mcp";

thread_local! {
    /// How far the tests' clock is, in seconds.
    static ELAPSED: Cell<u64> = const { Cell::new(0) };
}

/// The time that tokens are judged by.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + ELAPSED.get())
}

/// Both clocks go on.
async fn wait(seconds: u64) {
    ELAPSED.set(ELAPSED.get() + seconds);
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

fn resource() -> Resource {
    Resource::new(RESOURCE).expect("a URL")
}

fn chain(jwt: Jwt) -> Auth {
    Auth::chain().with(jwt).protecting(resource()).clock(now)
}

fn trusting(authority: &Authority) -> Auth {
    chain(Jwt::issuer(authority.issuer()).fetching_with(authority.clone()))
}

/// A token that counts.
fn good(authority: &Authority) -> TokenBuilder {
    authority.token().subject("alice").audience(RESOURCE).scopes(["notes"]).issued_at(now())
}

async fn decide(auth: &Auth, token: &str) -> Decision {
    let request = Request::builder().header("Authorization", format!("Bearer {token}"));
    auth.decide(&request.body(()).expect("a valid request").into_parts().0).await
}

async fn accepted(auth: &Auth, token: &str) -> Principal {
    match decide(auth, token).await {
        Decision::Accepted(principal) => principal,
        other => panic!("{other:?}"),
    }
}

/// The code of the reason, and of an accepted token `ok`.
async fn reason(auth: &Auth, token: &str) -> &'static str {
    match decide(auth, token).await {
        Decision::Accepted(_) => "ok",
        Decision::Anonymous => "anonymous",
        Decision::Rejected(rejection) => {
            let unavailable = rejection.reason() == "keys_unavailable";
            let kind = if unavailable { RejectionKind::Unavailable } else { RejectionKind::InvalidToken };
            assert_eq!(rejection.kind(), kind, "{rejection}");
            assert_eq!(rejection.retry_after().is_some(), unavailable, "{rejection}");
            assert!(!rejection.to_string().contains(token), "{rejection}");
            rejection.reason()
        }
    }
}

fn verifications() -> usize {
    VERIFICATIONS.get()
}
