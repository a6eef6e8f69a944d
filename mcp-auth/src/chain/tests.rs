use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::Request;

use super::*;
use crate::{ApiKeys, AuthenticateFuture, RejectionKind, StaticTokens};

const ALICE: &str = "alice-0123456789abcdef";

/// A scripted authenticator: accepts credentials that end with `!`, as the name before it.
struct Scripted {
    place: Place,
    prefix: &'static str,
}

fn at(place: Place) -> Scripted {
    Scripted { place, prefix: "" }
}

impl Authenticate for Scripted {
    fn places(&self) -> Vec<Place> {
        vec![self.place.clone()]
    }

    fn owns(&self, token: Presented<'_>) -> bool {
        token.credential().starts_with(self.prefix)
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        let verdict = match presented.credential().strip_suffix('~') {
            Some(name) => Verdict::Accepted(Principal::user(name)),
            None if presented.credential() == "nobody" => Verdict::NotMine,
            None if presented.credential() == "silent" => {
                Verdict::Rejected(Rejection::unavailable("down", Duration::from_secs(3)))
            }
            None => Verdict::Rejected(Rejection::invalid_token("scripted").detail("it does not end right")),
        };
        Box::pin(std::future::ready(verdict))
    }
}

fn header(name: &'static str) -> Place {
    Place::Header(HeaderName::from_static(name))
}

/// What the chain says of a POST with these headers: a name, `-` for nobody, or the status and reason of a rejection.
fn told(auth: &Auth, headers: &[(&'static str, &str)]) -> String {
    match decided(auth, headers) {
        Decision::Anonymous => "-".to_owned(),
        Decision::Accepted(principal) => principal.subject().to_owned(),
        Decision::Rejected(rejection) => format!("{} {}", rejection.kind().status().as_u16(), rejection.reason()),
    }
}

fn decided(auth: &Auth, headers: &[(&'static str, &str)]) -> Decision {
    let mut request = Request::post("https://a.example/mcp?access_token=alice~&x-key=alice~").body(()).expect("a request");
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().expect("a value"));
    }
    let (head, ()) = request.into_parts();
    match pin!(auth.decide(&head)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(decided) => decided,
        Poll::Pending => panic!("nothing waits here"),
    }
}

fn everything() -> Auth {
    Auth::chain()
        .with(StaticTokens::new().token(ALICE, Principal::user("alice")))
        .with(Scripted { place: Place::Bearer, prefix: "acme_" })
        .with(at(Place::AnyBearer))
        .with(at(header("x-key")))
        .with(at(Place::Cookie("sessionid".into())))
        .protecting(Resource::new("https://a.example/mcp").expect("a URL"))
}

const SAME: (&str, &str) = ("origin", "https://a.example");
const JSON: (&str, &str) = ("content-type", "application/json");
const COOKIE: (&str, &str) = ("cookie", "sessionid=carol~");

#[test]
fn a_bearer_token_is_shown_to_its_owner_alone() {
    let auth = everything();
    let bearer = |token: &str| told(&auth, &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(bearer(ALICE), "alice");
    assert_eq!(bearer("acme_bob~"), "acme_bob");
    assert_eq!(bearer("acme_bob"), "401 scripted", "the owner's word is the last");
    assert_eq!(bearer("carol~"), "carol", "nobody's own, so that of who takes all");
    // A JWT whose issuer nobody knows is sent to nobody.
    assert_eq!(bearer("eyJhbGciOiJub25lIn0.e30.x~"), "401 nobodys");
    assert_eq!(bearer("silent"), "503 down");
    assert_eq!(bearer("nobody"), "401 nobodys", "a token is somebody's or wrong");
}

#[test]
fn an_authenticator_is_a_chain_of_one() {
    let one = Auth::from(StaticTokens::new().token(ALICE, Principal::user("alice")));
    assert_eq!(told(&one, &[("authorization", &format!("Bearer {ALICE}"))]), "alice");
    let function: Auth = (|_: &Parts| async { Verdict::Accepted(Principal::user("gate")) }).into();
    assert_eq!(told(&function, &[]), "gate");
}

#[test]
fn one_explicit_credential_counts() {
    let auth = everything();
    assert_eq!(told(&auth, &[("x-key", "dan~")]), "dan");
    assert_eq!(told(&auth, &[("x-key", "dan")]), "401 scripted");
    assert_eq!(told(&auth, &[("x-key", "dan~"), ("x-key", "dan~")]), "400 a header with a credential is given twice");
    assert_eq!(told(&auth, &[("x-key", "dan~"), ("authorization", "Bearer carol~")]), "400 more than one credential");
    assert_eq!(told(&auth, &[("x-key", "dan~"), ("authorization", "Basic x")]), "400 more than one credential");
    assert_eq!(
        told(&auth, &[("authorization", "Bearer carol~"), ("authorization", "Bearer carol~")]),
        "400 more than one Authorization header"
    );
}

#[test]
fn a_cookie_is_not_read_beside_an_explicit_credential() {
    let auth = everything();
    let with = |header| told(&auth, &[header, COOKIE, SAME, JSON]);
    assert_eq!(told(&auth, &[COOKIE, SAME, JSON]), "carol");
    assert_eq!(with(("authorization", "Bearer dan~")), "dan");
    assert_eq!(with(("authorization", "Bearer dan")), "401 scripted");
    assert_eq!(with(("authorization", "Basic dan~")), "401 nobodys");
    assert_eq!(with(("x-key", "dan")), "401 scripted");
    // Not even to find that it is there twice.
    assert_eq!(told(&auth, &[("x-key", "dan~"), COOKIE, COOKIE]), "dan");
}

#[test]
fn a_cookie_counts_for_pages_of_this_site() {
    let auth = everything();
    assert_eq!(told(&auth, &[COOKIE, ("origin", "https://evil.example"), JSON]), "403 cookie_of_a_foreign_origin");
    assert_eq!(told(&auth, &[COOKIE, JSON]), "403 cookie_without_an_origin");
    assert_eq!(told(&auth, &[COOKIE, SAME]), "415 cookie_without_json");
    assert_eq!(told(&auth, &[("cookie", "sessionid=eve"), SAME, JSON]), "401 scripted");
    assert_eq!(told(&auth, &[("cookie", "sessionid=nobody"), SAME, JSON]), "-", "nobody is logged in");
    assert_eq!(told(&auth, &[COOKIE, COOKIE, SAME, JSON]), "400 the session cookie is given twice");
}

#[test]
fn what_is_not_enabled_is_not_read() {
    let auth = Auth::chain().with(at(Place::AnyBearer));
    assert_eq!(told(&auth, &[]), "-", "nothing is read from the URL");
    assert_eq!(told(&auth, &[("x-key", "dan~"), COOKIE]), "-");
}

#[test]
fn a_function_looks_itself() {
    let badge = |head: &Parts| {
        let badge = head.headers.get("x-badge").and_then(|badge| badge.to_str().ok()).map(str::to_owned);
        async move {
            match badge.as_deref() {
                None => Verdict::NotMine,
                Some("gate") => Verdict::Accepted(Principal::user("gate")),
                Some(_) => Verdict::Rejected(Rejection::invalid_token("badge")),
            }
        }
    };
    let auth = everything().with(badge);
    assert_eq!(told(&auth, &[("x-badge", "gate")]), "gate");
    assert_eq!(told(&auth, &[("x-badge", "gate"), COOKIE]), "gate");
    assert_eq!(told(&auth, &[("x-badge", "x")]), "401 badge");
    assert_eq!(told(&auth, &[("x-badge", "x"), ("authorization", "Bearer dan~")]), "401 badge");
    assert_eq!(told(&auth, &[("x-badge", "gate"), ("authorization", "Bearer dan")]), "401 scripted");
    assert_eq!(told(&auth, &[("x-badge", "gate"), ("authorization", "Bearer dan~")]), "400 more than one credential");
    assert_eq!(told(&auth, &[("x-badge", "gate"), ("authorization", "Badge dan~")]), "401 nobodys");
    let by_scheme = everything().with_fn(Place::Scheme("Badge".into()), |badge| async move {
        if badge == "gate" { Verdict::Accepted(Principal::user("gate")) } else { Verdict::NotMine }
    });
    assert_eq!(told(&by_scheme, &[("authorization", "badge  gate")]), "gate");
    assert_eq!(told(&by_scheme, &[("authorization", "badge x"), COOKIE, SAME, JSON]), "401 nobodys");
}

#[test]
fn the_chain_s_own_scopes_are_needed_for_everything() {
    let auth = Auth::chain()
        .with(
            StaticTokens::new()
                .token(ALICE, Principal::user("alice").scopes(["mcp"]))
                .token("bob-0123456789abcdef", Principal::user("bob").scopes(["mcp:read"])),
        )
        .require_scopes(["mcp:read", "mcp:call"]);
    assert_eq!(told(&auth, &[("authorization", &format!("Bearer {ALICE}"))]), "alice");
    assert_eq!(told(&auth, &[("authorization", "Bearer bob-0123456789abcdef")]), "403 insufficient_scope");
    let challenge = auth.challenge(Some(&Rejection::insufficient_scope())).header_value();
    assert!(
        challenge
            .to_str()
            .is_ok_and(|text| text.contains(r#"error="insufficient_scope""#) && text.contains(r#"scope="mcp:read mcp:call""#))
    );
}

#[test]
fn an_expired_credential_is_over() {
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    let tokens = StaticTokens::new().token(ALICE, Principal::user("alice").valid_until(end));
    let auth = Auth::chain().with(tokens);
    let token = [("authorization", &*format!("Bearer {ALICE}"))];
    let before = auth.clone().clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(999));
    let then = auth.clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1000));
    assert_eq!((told(&before, &token), told(&then, &token)), ("alice".to_owned(), "401 expired".to_owned()));
}

#[test]
fn a_rejection_tells_the_log_which_and_the_client_nothing() {
    let rejection = Rejection::invalid_token("expired").detail("since noon").of("a secret");
    let checksum = sha256_of("a secret");
    assert_eq!(rejection.to_string(), format!("expired: since noon (credential {checksum})"));
    assert_eq!(rejection.message(), Rejection::invalid_token("unknown").message());
    assert!(!format!("{rejection:?}").contains("a secret"));
    assert_eq!(rejection.kind(), RejectionKind::InvalidToken);
}

#[test]
fn every_refusal_of_one_credential_tells_the_log_which() {
    let auth = everything().require_scopes(["notes"]);
    let (other_cookie, evil) = (("cookie", "sessionid=dan~"), ("origin", "https://evil.example"));
    for (headers, reason, credential) in [
        (&[COOKIE, evil, JSON][..], "cookie_of_a_foreign_origin", Some("carol~")),
        (&[COOKIE, JSON], "cookie_without_an_origin", Some("carol~")),
        (&[COOKIE, SAME], "cookie_without_json", Some("carol~")),
        (&[COOKIE, COOKIE, SAME, JSON], "the session cookie is given twice", Some("carol~")),
        (&[COOKIE, other_cookie, SAME, JSON], "the session cookie is given twice", None),
        (&[COOKIE, SAME, JSON], "insufficient_scope: carol", Some("carol~")),
        (&[("x-key", "dan~")], "insufficient_scope: dan", Some("dan~")),
        (&[("x-key", "dan~"), ("x-key", "dan~")], "a header with a credential is given twice", Some("dan~")),
        (&[("x-key", "dan~"), ("x-key", "eve~")], "a header with a credential is given twice", None),
        (&[("x-key", "dan~"), ("x-key", "dan~"), ("x-key", "eve~")], "a header with a credential is given twice", None),
        (&[("authorization", "Bearer eve~")], "insufficient_scope: eve", Some("eve~")),
    ] {
        let Decision::Rejected(rejection) = decided(&auth, headers) else { panic!("{headers:?} is let in") };
        let of = credential.map(|text| format!(" (credential {})", sha256_of(text))).unwrap_or_default();
        assert_eq!(rejection.to_string(), format!("{reason}{of}"), "{headers:?}");
    }
    let itself = Auth::chain().with(|_: &Parts| async { Verdict::Accepted(Principal::user("gate")) }).require_scopes(["notes"]);
    let Decision::Rejected(rejection) = decided(&itself, &[]) else { panic!("it lacks a scope") };
    assert_eq!(rejection.to_string(), "insufficient_scope: gate", "the chain has seen none");
}

#[test]
fn the_log_says_why_a_credential_is_nobodys() {
    let heard = |auth: &Auth, value: &str| match decided(auth, &[("authorization", value)]) {
        Decision::Rejected(rejection) => rejection.to_string(),
        other => panic!("{value}: {other:?}"),
    };
    let auth = everything();
    let of = sha256_of("acme_key_without_a_scheme");
    let expected = format!("nobodys: no scheme: write `Bearer <token>` (credential {of})");
    assert_eq!(heard(&auth, "acme_key_without_a_scheme"), expected);
    assert_eq!(heard(&auth, "acme_key_without_a_scheme "), expected);
    assert_eq!(heard(&auth, "Basic dan~"), format!("nobodys (credential {})", sha256_of("dan~")));
    assert_eq!(heard(&auth, ""), "nobodys", "there is none");
    let badge = everything().with(at(Place::Scheme("Badge".into())));
    assert_eq!(heard(&badge, "Badge"), "scripted: it does not end right", "a scheme without a credential");
    // {"iss":"https://evil.example"}
    let jwt = "e30.eyJpc3MiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9.";
    let of = sha256_of(jwt);
    let bearer = format!("Bearer {jwt}");
    assert_eq!(heard(&auth, &bearer), format!("nobodys: a JWT of `https://evil.example` (credential {of})"));
    #[cfg(feature = "jwt")]
    {
        let auth = everything().with(crate::Jwt::issuer("https://a.example")).with(crate::Jwt::issuer("https://b.example"));
        let expected = "nobodys: a JWT of `https://evil.example`, not of `https://a.example`, `https://b.example`";
        assert_eq!(heard(&auth, &bearer), format!("{expected} (credential {of})"));
    }
}

fn sha256_of(text: &str) -> String {
    crate::digest::sha256(text.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn who_would_never_be_asked_is_a_mistake() {
    let problems = |auth: Auth| auth.problems().len();
    assert_eq!(problems(everything()), 0);
    assert_eq!(problems(Auth::chain()), 1, "empty");
    assert_eq!(problems(everything().with(at(Place::AnyBearer))), 1, "a second that takes all");
    assert_eq!(problems(everything().with(Scripted { place: Place::Bearer, prefix: "x" })), 1, "behind the one that takes all");
    assert_eq!(problems(everything().with(at(header("x-key")))), 1);
    assert_eq!(problems(everything().with(at(Place::Cookie("sessionid".into())))), 1);
    assert_eq!(problems(everything().with(at(header("cookie")))), 1, "without the rules for cookies");
    assert_eq!(problems(everything().with(at(header("authorization")))), 1);
    assert_eq!(problems(everything().require_scopes(["two words"])), 1);
    let nowhere = Auth::chain().with(at(Place::Cookie("sessionid".into())));
    let missing = &nowhere.problems()[0];
    assert!(missing.contains("`Server::public_url`") && missing.contains("`Auth::protecting(Resource::new(..))`"), "{missing}");
    let says = |auth: Auth| auth.problems().remove(0);
    assert_eq!(
        says(everything().with(at(Place::Cookie("sessionid".into())))),
        "two authenticators read the cookie `sessionid`: the second would never be asked"
    );
    let all = says(everything().with(at(Place::AnyBearer)));
    for kind in ["`Introspection`", "`GoogleTokens`", "`DjangoOAuth`", "`Place::AnyBearer`"] {
        assert!(all.contains(kind), "{all}");
    }
}

/// What is said of authenticators that own what another owns.
fn owned_twice(auth: &Auth) -> Vec<String> {
    auth.problems().into_iter().filter(|problem| problem.contains("two authenticators own")).collect()
}

#[test]
fn a_bearer_token_has_one_owner() {
    let keys = |prefix: &str| {
        let (_, key) = ApiKeys::generate(prefix).expect("a key");
        ApiKeys::prefix(prefix).key(key.owner("machine"))
    };
    let told = |auth: Auth| owned_twice(&auth).join("; ");
    let twice =
        |what: &str| format!("two authenticators own {what}: the second would never be asked, so have only one that does");
    assert_eq!(told(Auth::chain().with(keys("acme")).with(keys("acme2"))), "");
    assert_eq!(told(Auth::chain().with(keys("acme")).with(keys("acme"))), twice("tokens that begin with `acme_`"));
    let acme = Scripted { place: Place::Bearer, prefix: "acme" };
    assert_eq!(told(Auth::chain().with(acme).with(keys("acme2"))), twice("tokens that begin with `acme2_`"));
    let tokens = |names: &[&str]| {
        let add = |tokens: StaticTokens, name: &&str| tokens.token(format!("acme_{name}-0123456789"), Principal::user(*name));
        names.iter().fold(StaticTokens::new(), add)
    };
    let shared = Auth::chain().with(tokens(&["ada", "bob"])).with(tokens(&["bob", "eve"]));
    assert_eq!(told(shared), twice("the static token of `bob`"), "named, and not shown");
    assert_eq!(told(Auth::chain().with(tokens(&["ada"])).with(keys("acme"))), "", "the keys have others");
    assert_eq!(told(Auth::chain().with(keys("acme")).with(tokens(&["ada"]))), twice("the static token of `ada`"));
    assert!(!format!("{:?}", tokens(&["ada"]).looks()).contains("0123456789"));
}

#[cfg(feature = "jwt")]
#[test]
fn an_issuer_has_one_authenticator() {
    use crate::Jwt;
    let [one, other] = ["https://a.example/o", "https://b.example"];
    let twice =
        ["two authenticators own JWTs of `https://a.example/o`: the second would never be asked, so have only one that does"];
    assert!(owned_twice(&Auth::chain().with(Jwt::issuer(one)).with(Jwt::issuer(other))).is_empty());
    assert_eq!(owned_twice(&Auth::chain().with(Jwt::issuer(one)).with(Jwt::issuer(one).audience("x"))), twice);
    #[cfg(feature = "introspection")]
    {
        let asked = |issuer: &str| crate::Introspection::at("https://a.example/o/introspect/").issuer(one).jwts_of(issuer);
        assert!(owned_twice(&Auth::chain().with(Jwt::issuer(one)).with(asked(other))).is_empty());
        assert_eq!(owned_twice(&Auth::chain().with(Jwt::issuer(one)).with(asked(one))), twice);
        assert_eq!(owned_twice(&Auth::chain().with(asked(one)).with(Jwt::issuer(one))), twice);
    }
}

#[test]
fn a_function_owns_no_bearer_tokens() {
    let at = |place| Auth::chain().with_fn(place, |name| async { Verdict::Accepted(Principal::user(name)) });
    let auth = at(Place::Bearer);
    assert!(matches!(&auth.problems()[..], [one] if one.contains("`Place::AnyBearer`")), "{:?}", auth.problems());
    assert!(at(Place::AnyBearer).problems().is_empty());
    for token in ["eyJhbGciOiJub25lIn0.e30.x~", "opaque"] {
        assert_eq!(told(&auth, &[("authorization", &format!("Bearer {token}"))]), "401 nobodys", "it is shown to nobody");
    }
}

#[test]
fn a_scheme_has_one_name() {
    let problems = |auth: &Auth| auth.problems().len();
    let schemes = |names: &[&str]| names.iter().fold(Auth::chain(), |auth, name| auth.with(at(Place::Scheme((*name).into()))));
    assert_eq!(problems(&schemes(&["Badge", "Basic"])), 0);
    assert_eq!(problems(&schemes(&["Badge", "badge"])), 1, "it is read in any case");
    for never in ["Bearer", "bearer", "", "a b", "a\tb"] {
        assert_eq!(problems(&schemes(&[never])), 1, "{never:?} is never found");
    }
}
