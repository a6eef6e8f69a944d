//! Google's access tokens, which are opaque, and which Google answers about in a way of its own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderValue, Request, StatusCode};
use serde_json::{Map, Value};

use super::introspection::MAX_TOKEN;
use super::{Active, foreign_audience};
use crate::authority::{Answer, Failure, Lookups, ask, object};
use crate::{
    Authenticate, AuthenticateFuture, Fetch, Place, Presented, Principal, Rejection, Resource, Scheme, Scopes, Trust, fetch,
    is_scope_token,
};

const ISSUER: &str = "https://accounts.google.com";
const TOKEN_INFO: &str = "https://oauth2.googleapis.com/tokeninfo";

/// Asks Google's token info endpoint about every token.
///
/// Google issues no token for a resource, so the OAuth clients decide: a token counts where it was issued to one of these. Anybody
/// may get a token of Google for a client of their own, and so the list must only have clients that send tokens here and nowhere
/// else. A caller is who `sub` says, which Google answers with for tokens of the scope `openid`; `email` is a claim, and may
/// change.
///
/// ```
/// use mcp_auth::{Auth, GoogleTokens};
///
/// let auth = Auth::chain().with(GoogleTokens::of_clients(["1234-abcd.apps.googleusercontent.com"]));
/// # #[cfg(feature = "fetch")]
/// assert!(auth.problems().is_empty());
/// ```
///
/// The limits are those of [`Introspection`](crate::Introspection).
pub struct GoogleTokens {
    clients: Vec<Box<str>>,
    fetch: Arc<dyn Fetch>,
    lookups: Lookups<Active>,
}

impl GoogleTokens {
    /// Of these OAuth clients, by `client_id`. Where one asks for tokens in the name of another (`azp` and `aud` differ), both
    /// must be listed.
    #[must_use]
    pub fn of_clients<S: Into<Box<str>>>(clients: impl IntoIterator<Item = S>) -> Self {
        let clients = clients.into_iter().map(Into::into).collect();
        Self { clients, fetch: fetch::shared(), lookups: Lookups::default() }
    }

    /// Asks through this client: one with a proxy, or a test's. Without the feature `fetch` there must be one.
    #[must_use]
    pub fn fetching_with(self, fetch: impl Fetch) -> Self {
        Self { fetch: Arc::new(fetch), ..self }
    }

    async fn judge(&self, presented: Presented<'_>) -> Result<Principal, Rejection> {
        let (token, now) = (presented.credential(), presented.now());
        if token.len() > MAX_TOKEN {
            return Err(Rejection::invalid_token("too_long"));
        }
        let answer = self.lookups.look_up(presented, self.question(token, now)).await?;
        let active = answer.as_ref().as_ref().map_err(Rejection::clone)?;
        Ok(active.principal.clone())
    }

    /// The token goes into a header, not into the URL, as Google's documentation shows it: URLs are logged.
    async fn question(&self, token: &str, now: SystemTime) -> Result<Answer<Active>, Failure> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Failure::unreadable("it can not be asked about such a token"))?;
        bearer.set_sensitive(true);
        let request = Request::post(TOKEN_INFO)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "application/json")
            .header(CONTENT_LENGTH, 0)
            .body(Vec::new())
            .map_err(|_| Failure::unreadable("it can not be asked about such a token"))?;
        let answer = ask(&*self.fetch, request).await.map_err(|failure| failure.at(TOKEN_INFO))?;
        match answer.status() {
            StatusCode::OK => Ok(self.read(object(&answer)?, now)),
            // We show nothing of our own, so this is about the token where Google says so.
            status @ (StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED) => match object(&answer) {
                Ok(answer) if says_invalid(&answer) => Ok(Err(Rejection::invalid_token("inactive"))),
                _ => Err(Failure::of_status(status, answer.headers())),
            },
            status => Err(Failure::of_status(status, answer.headers())),
        }
    }

    fn read(&self, answer: Map<String, Value>, now: SystemTime) -> Answer<Active> {
        let text = |name: &str| answer.get(name).map(|value| value.as_str().filter(|text| !text.is_empty()));
        let is_ours = |client: &str| self.clients.iter().any(|ours| **ours == *client);
        let refused = |reason| move || Rejection::invalid_token(reason);
        let audience = text("aud").flatten().ok_or_else(refused("no_audience"))?;
        let client = match text("azp") {
            None => audience,
            Some(client) => client.ok_or_else(refused("foreign_audience"))?,
        };
        if let Some(other) = [audience, client].into_iter().find(|client| !is_ours(client)) {
            return Err(foreign_audience(&mut [other].into_iter(), &self.clients, None));
        }
        let end = answer.get("exp").and_then(seconds).ok_or_else(refused("malformed_exp"))?;
        if end <= now {
            return Err(refused("expired")());
        }
        let subject = text("sub").flatten().ok_or_else(refused("no_subject"))?;
        let scopes = answer.get("scope").map_or(Some(""), Value::as_str).ok_or_else(refused("malformed_scope"))?;
        if !scopes.split_ascii_whitespace().all(is_scope_token) {
            return Err(refused("malformed_scope")());
        }
        let principal = Principal::user(subject)
            .issued_by(ISSUER)
            .authenticated_by(Scheme::Bearer)
            .via_client(client)
            .scopes(Scopes::parse(scopes).iter())
            .valid_until(end);
        let principal = answer.into_iter().fold(principal, |principal, (name, value)| principal.claim(name, value));
        Ok(Active { principal, audiences: Vec::new() })
    }
}

/// The answer to a token that is unknown or expired: `{"error": "invalid_token", "error_description": "Invalid Value"}`.
fn says_invalid(answer: &Map<String, Value>) -> bool {
    let is = |name: &str, text: &str| answer.get(name).and_then(Value::as_str) == Some(text);
    is("error", "invalid_token") || (!answer.contains_key("error") && is("error_description", "Invalid Value"))
}

/// Google writes numbers as texts.
fn seconds(value: &Value) -> Option<SystemTime> {
    let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

impl Authenticate for GoogleTokens {
    fn places(&self) -> Vec<Place> {
        vec![Place::AnyBearer]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        Box::pin(async move { self.judge(presented).await.into() })
    }

    fn problems(&self, _: Option<&Resource>) -> Vec<String> {
        let mut problems: Vec<_> = self.fetch.problem(TOKEN_INFO, Trust::Configured).into_iter().collect();
        if self.clients.is_empty() {
            problems.push("GoogleTokens has no client, so it would accept nobody: give the `client_id`s".to_owned());
        }
        if self.clients.iter().any(|client| client.is_empty()) {
            problems.push("GoogleTokens has an empty `client_id`".to_owned());
        }
        problems
    }

    fn issuers(&self) -> Vec<String> {
        vec![ISSUER.to_owned()]
    }
}

impl fmt::Debug for GoogleTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleTokens").field("clients", &self.clients).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::Response;
    use http::header::CONTENT_TYPE;
    use serde_json::json;

    use super::*;
    use crate::authenticate::Credential;
    use crate::{FetchFuture, RejectionKind};

    const NOW: u64 = 1_800_000_000;

    /// Answers every question alike, and keeps the last one.
    #[derive(Clone)]
    struct Google(u16, String, Arc<Mutex<Option<Request<Vec<u8>>>>>);

    impl Fetch for Google {
        fn fetch(&self, request: Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
            *self.2.lock().expect("whole") = Some(request);
            let answer = Response::builder().status(self.0).header(CONTENT_TYPE, "application/json; charset=utf-8");
            Box::pin(std::future::ready(Ok(answer.body(self.1.clone().into_bytes()).expect("an answer"))))
        }
    }

    async fn ask(google: &Google) -> Result<Principal, Rejection> {
        let tokens = GoogleTokens::of_clients(["web", "phone"]).fetching_with(google.clone());
        let (head, now) = (Request::new(()).into_parts().0, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
        tokens.judge(Presented { credential: &Credential::new("ya29.theirs"), head: &head, resource: None, now }).await
    }

    fn google(status: u16, answer: &Value) -> Google {
        Google(status, answer.to_string(), Arc::default())
    }

    /// The answer about a good token, with these members instead of its own; `null` leaves one out.
    async fn good(changes: Value) -> Result<Principal, (RejectionKind, &'static str)> {
        let mut answer = json!({
            "azp": "web", "aud": "web", "sub": "1083", "scope": "openid https://www.googleapis.com/auth/userinfo.email",
            "exp": (NOW + 600).to_string(), "expires_in": "600", "email": "a@example.com", "email_verified": "true",
        });
        let members = answer.as_object_mut().expect("an object");
        let Value::Object(changes) = changes else { panic!("no object: {changes}") };
        members.extend(changes);
        members.retain(|_, value| !value.is_null());
        ask(&google(200, &answer)).await.map_err(|rejection| (rejection.kind(), rejection.reason()))
    }

    #[tokio::test]
    async fn a_token_of_a_known_client_is_its_user() {
        let principal = good(json!({})).await.expect("good");
        assert_eq!((principal.subject(), principal.issuer(), principal.client()), ("1083", Some(ISSUER), Some("web")));
        assert!(principal.granted().grants("openid"));
        assert_eq!(principal.claims()["email"], "a@example.com");
        assert_eq!(principal.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW + 600)));
        assert_eq!(good(json!({ "azp": "phone" })).await.expect("both are known").client(), Some("phone"));
        assert_eq!(good(json!({ "azp": null })).await.expect("the audience is").client(), Some("web"));
    }

    #[tokio::test]
    async fn the_token_is_in_no_url() {
        let google = google(200, &json!({}));
        ask(&google).await.expect_err("an empty answer");
        let request = google.2.lock().expect("whole").take().expect("a question");
        assert_eq!((request.method().as_str(), request.uri().to_string()), ("POST", TOKEN_INFO.to_owned()));
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer ya29.theirs");
        assert!(request.headers()[AUTHORIZATION].is_sensitive());
    }

    #[tokio::test]
    async fn what_is_for_others_or_malformed_does_not_count() {
        for (changes, expected) in [
            (json!({ "aud": "other" }), "foreign_audience"),
            (json!({ "azp": "other" }), "foreign_audience"),
            (json!({ "azp": "" }), "foreign_audience"),
            (json!({ "azp": ["web"] }), "foreign_audience"),
            (json!({ "aud": null }), "no_audience"),
            (json!({ "aud": ["web"] }), "no_audience"),
            (json!({ "aud": "" }), "no_audience"),
            (json!({ "exp": NOW.to_string() }), "expired"),
            (json!({ "exp": null }), "malformed_exp"),
            (json!({ "exp": "-1" }), "malformed_exp"),
            (json!({ "exp": "soon" }), "malformed_exp"),
            (json!({ "exp": u64::MAX }), "malformed_exp"),
            (json!({ "sub": null }), "no_subject"),
            (json!({ "sub": "" }), "no_subject"),
            (json!({ "sub": 1083 }), "no_subject"),
            (json!({ "scope": ["openid"] }), "malformed_scope"),
        ] {
            let (kind, reason) = good(changes.clone()).await.expect_err("it does not count");
            assert_eq!((kind, reason), (RejectionKind::InvalidToken, expected), "{changes}");
        }
    }

    #[tokio::test]
    async fn the_log_says_which_clients_count() {
        let answer = json!({ "aud": "web", "azp": "other" });
        let rejection = ask(&google(200, &answer)).await.expect_err("another client's");
        assert_eq!(rejection.to_string(), "foreign_audience: for `other`, not `web`, `phone`");
    }

    #[tokio::test]
    async fn only_google_says_that_a_token_is_invalid() {
        let invalid = json!({ "error": "invalid_token", "error_description": "Invalid Value" });
        for (status, answer, expected) in [
            (400, invalid.clone(), RejectionKind::InvalidToken),
            (401, invalid.clone(), RejectionKind::InvalidToken),
            (400, json!({ "error_description": "Invalid Value" }), RejectionKind::InvalidToken),
            (400, json!({ "error": "invalid_request" }), RejectionKind::Unavailable),
            (400, json!([]), RejectionKind::Unavailable),
            (403, invalid.clone(), RejectionKind::Unavailable),
            (429, invalid.clone(), RejectionKind::Unavailable),
            (500, invalid, RejectionKind::Unavailable),
            (200, json!("<html>"), RejectionKind::Unavailable),
        ] {
            assert_eq!(ask(&google(status, &answer)).await.expect_err("no token").kind(), expected, "{status} {answer}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let problems = |tokens: GoogleTokens| tokens.fetching_with(google(200, &json!({}))).problems(None);
        assert!(problems(GoogleTokens::of_clients(["web"])).is_empty());
        assert!(problems(GoogleTokens::of_clients::<&str>([]))[0].contains("no client"));
        assert!(problems(GoogleTokens::of_clients([""]))[0].contains("empty"));
        let unasked = GoogleTokens::of_clients(["web"]).problems(None);
        assert_eq!(unasked.is_empty(), cfg!(feature = "fetch"), "{unasked:?}");
    }
}
