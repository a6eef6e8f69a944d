//! A credential that is present and wrong ends the request.

use http::Request;
use http::request::Parts;
use mcp_auth::{Auth, Decision, Principal, RejectionKind, StaticTokens, Verdict};

const TOKEN: &str = "0123456789abcdef-ci";

fn request(authorization: &[&str]) -> Parts {
    let mut request = Request::builder();
    for value in authorization {
        request = request.header("Authorization", *value);
    }
    request.body(()).expect("a valid request").into_parts().0
}

/// Accepts everyone: what must never be reached by a wrong token.
fn everyone(_: &Parts) -> std::future::Ready<Verdict> {
    std::future::ready(Verdict::Accepted(Principal::user("everyone")))
}

fn decide(auth: &Auth, authorization: &[&str]) -> Decision {
    let parts = request(authorization);
    let mut future = Box::pin(auth.decide(&parts));
    let waker = std::task::Waker::noop();
    match future.as_mut().poll(&mut std::task::Context::from_waker(waker)) {
        std::task::Poll::Ready(decision) => decision,
        std::task::Poll::Pending => panic!("nothing here waits"),
    }
}

fn tokens() -> StaticTokens {
    StaticTokens::new().token(TOKEN, Principal::user("ci"))
}

#[test]
fn the_right_token_is_its_principal() {
    let Decision::Accepted(principal) = decide(&Auth::chain().with(tokens()), &[&format!("bearer {TOKEN}")]) else {
        panic!("the scheme is case-insensitive")
    };
    assert_eq!(principal.subject(), "ci");
}

#[test]
fn a_wrong_token_never_falls_through() {
    let auth = Auth::chain().with(tokens()).with(everyone);
    let Decision::Rejected(rejection) = decide(&auth, &["Bearer wrong-but-well-formed"]) else { panic!("must be rejected") };
    assert_eq!(rejection.kind(), RejectionKind::InvalidToken);
    assert!(matches!(decide(&auth, &[]), Decision::Accepted(_)), "without a token the next one is asked");
}

#[test]
fn an_expired_principal_is_nobody() {
    let now = std::time::SystemTime::now();
    let tokens = |end| StaticTokens::new().token(TOKEN, Principal::user("ci").valid_until(end));
    let header = format!("Bearer {TOKEN}");
    let Decision::Rejected(rejection) = decide(&Auth::chain().with(tokens(now)), &[&header]) else { panic!("must be rejected") };
    assert_eq!(rejection.kind(), RejectionKind::InvalidToken);
    let later = now + std::time::Duration::from_secs(3600);
    assert!(matches!(decide(&Auth::chain().with(tokens(later)), &[&header]), Decision::Accepted(_)));
}

#[test]
fn a_right_credential_does_not_excuse_a_wrong_one_beside_it() {
    let auth = Auth::chain().with(everyone).with(tokens());
    assert!(matches!(decide(&auth, &["Bearer wrong-but-well-formed"]), Decision::Rejected(_)));
    assert!(matches!(decide(&auth, &[&format!("Bearer {TOKEN}")]), Decision::Rejected(_)), "two that hold are one too many");
}

#[test]
fn unreadable_and_repeated_headers_are_bad_requests() {
    let auth = Auth::chain().with(tokens());
    for bad in [&["Bearer "][..], &["Bearer a b"], &["Bearer \u{e9}"], &[&format!("Bearer {TOKEN}"), "Bearer other"]] {
        let Decision::Rejected(rejection) = decide(&auth, bad) else { panic!("{bad:?} must be rejected") };
        assert_eq!(rejection.kind(), RejectionKind::InvalidRequest, "{bad:?}");
    }
}

#[test]
fn a_credential_nobody_claims_is_not_anonymous() {
    let auth = Auth::chain().with(tokens());
    assert!(matches!(decide(&auth, &["Basic dTpw"]), Decision::Rejected(_)));
    assert!(matches!(decide(&auth, &[]), Decision::Anonymous));
}

#[test]
fn weak_configuration_is_named_without_the_secret() {
    let auth = Auth::chain()
        .with(StaticTokens::new().token("short", Principal::user("ops")).token("white space in it", Principal::user("b")));
    let problems = auth.problems().join("\n");
    assert!(problems.contains("`ops` has 5 bytes"), "{problems}");
    assert!(problems.contains("`b` can not be sent"), "{problems}");
    assert!(!problems.contains("short") && !problems.contains("white"), "{problems}");
    assert_eq!(Auth::chain().problems().len(), 1);
    assert!(!format!("{:?}", tokens()).contains(TOKEN));
}
