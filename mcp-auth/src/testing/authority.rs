//! The authorization server.

#[cfg(feature = "jwt")]
mod keys;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode, Uri};
use serde_json::{Map, Value, json};

use super::TokenBuilder;
#[cfg(feature = "jwt")]
use super::signer::Signer;
use crate::{Fetch, FetchError, FetchFuture, Trust};

/// An authorization server in process: it issues tokens, and answers for its metadata (RFC 8414), its keys, and introspection
/// (RFC 7662), as a [`Fetch`] that needs no network. A clone is the same server. Keys and JWTs need the feature `jwt`; with
/// `introspection` alone, tokens are opaque.
///
/// ```
/// # #[cfg(feature = "jwt")] {
/// use mcp_auth::{Auth, Jwt, testing::Authority};
///
/// let authority = Authority::new();
/// let auth = Auth::chain()
///     .with(Jwt::issuer(authority.issuer()).audience("https://mcp.example.com/mcp").fetching_with(authority.clone()));
///
/// let token = authority.token().subject("alice").audience("https://mcp.example.com/mcp").scopes(["notes:read"]).issue();
/// let request = http::Request::post("/mcp").header("Authorization", format!("Bearer {token}"));
/// # }
/// ```
#[derive(Clone)]
pub struct Authority {
    issuer: Arc<str>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The last one signs.
    #[cfg(feature = "jwt")]
    signers: Vec<Signer>,
    /// The claims of all tokens.
    issued: HashMap<Box<str>, Map<String, Value>>,
    revoked: HashSet<Box<str>>,
    /// Who may introspect, by id and secret. Anybody who sends some `Authorization`, while it is empty.
    clients: Vec<(Box<str>, Box<str>)>,
    failure: Option<Failure>,
    requests: Vec<String>,
    count: u64,
}

#[derive(Clone)]
enum Failure {
    Unreachable,
    Answer(StatusCode, &'static str),
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// An authority at `https://authority.test`, with the feature `jwt` with a fresh ES256 key.
    #[must_use]
    pub fn new() -> Self {
        Self::at("https://authority.test")
    }

    /// An authority of this issuer, which stands for another's in tests: the issuer is what it calls itself, with any path.
    #[must_use]
    pub fn at(issuer: impl Into<Arc<str>>) -> Self {
        let state = State {
            #[cfg(feature = "jwt")]
            signers: vec![Signer::new("ES256", "key-1").expect("ES256 is known")],
            issued: HashMap::new(),
            revoked: HashSet::new(),
            clients: Vec::new(),
            failure: None,
            requests: Vec::new(),
            count: 1,
        };
        Self { issuer: issuer.into(), state: Arc::new(Mutex::new(state)) }
    }

    /// Its issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token to order.
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new(self.clone())
    }

    /// From now on introspection calls this token inactive. JWTs that are verified without asking live on.
    pub fn revoke(&self, token: &str) {
        self.state().revoked.insert(token.into());
    }

    /// Only this client may introspect, and those named so before: by HTTP Basic, with the secret.
    #[must_use]
    pub fn introspected_by(self, client: &str, secret: &str) -> Self {
        self.state().clients.push((client.into(), secret.into()));
        self
    }

    /// Where it introspects.
    #[must_use]
    pub fn introspection_url(&self) -> String {
        self.url("introspect")
    }

    /// Does not answer from now on.
    pub fn down(&self) {
        self.state().failure = Some(Failure::Unreachable);
    }

    /// Answers everything with this status and a page of HTML from now on: a 502 of the proxy before it, or a 200 of a
    /// captive portal.
    ///
    /// # Panics
    /// It is no status.
    pub fn answers_html(&self, status: u16) {
        let status = StatusCode::from_u16(status).expect("a status");
        self.state().failure = Some(Failure::Answer(status, "<!doctype html><title>Not what you asked for</title>"));
    }

    /// Answers as it should from now on.
    pub fn up(&self) {
        self.state().failure = None;
    }

    /// The URLs that it was asked for, failures included, in their order.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    pub(super) fn issue_opaque(&self, claims: Map<String, Value>) -> String {
        let mut random = [0; 24];
        getrandom::fill(&mut random).expect("the system has randomness");
        let token = BASE64_URL_SAFE_NO_PAD.encode(random);
        self.state().issued.insert(token.as_str().into(), claims);
        token
    }

    /// A text that this authority has not made before.
    pub(super) fn unique(&self) -> String {
        let mut state = self.state();
        state.count += 1;
        state.count.to_string()
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.issuer.trim_end_matches('/'))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metadata(&self) -> Value {
        #[cfg_attr(not(feature = "jwt"), expect(unused_mut, reason = "there are no keys to name"))]
        let mut metadata = json!({
            "issuer": *self.issuer,
            "authorization_endpoint": self.url("authorize"),
            "token_endpoint": self.url("token"),
            "introspection_endpoint": self.introspection_url(),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        });
        #[cfg(feature = "jwt")]
        {
            metadata["jwks_uri"] = self.jwks_url().into();
        }
        metadata
    }

    fn answer(&self, request: &Request<Vec<u8>>) -> Result<Response<Vec<u8>>, FetchError> {
        let url = request.uri().to_string();
        let failure = {
            let mut state = self.state();
            state.requests.push(url.clone());
            state.failure.clone()
        };
        match failure {
            Some(Failure::Unreachable) => return Err(FetchError::new("connection refused")),
            Some(Failure::Answer(status, page)) => return Ok(response(status, "text/html", page.as_bytes())),
            None => {}
        }
        let get = request.method() == Method::GET;
        Ok(match () {
            () if get && url == metadata_url(&self.issuer) => json_response(StatusCode::OK, &self.metadata()),
            #[cfg(feature = "jwt")]
            () if get && url == self.jwks_url() => json_response(StatusCode::OK, &self.jwks()),
            () if url == self.introspection_url() => self.introspect(request),
            () => response(StatusCode::NOT_FOUND, "text/html", b"<!doctype html><title>Not found</title>"),
        })
    }

    fn introspect(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let state = self.state();
        let caller = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let is_client = |caller: &str| state.clients.is_empty() || basic(caller).is_some_and(|one| state.clients.contains(&one));
        if !caller.is_some_and(is_client) {
            return json_response(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_client" }));
        }
        let Some(token) = form_value(request.body(), "token").filter(|_| request.method() == Method::POST) else {
            return json_response(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request" }));
        };
        let claims = state.issued.get(&*token).filter(|_| !state.revoked.contains(&*token)).cloned();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let answer = match claims {
            Some(mut claims) if claims.get("exp").and_then(Value::as_u64).is_some_and(|end| now < end) => {
                claims.insert("active".to_owned(), true.into());
                claims.insert("token_type".to_owned(), "Bearer".into());
                Value::Object(claims)
            }
            _ => json!({ "active": false }),
        };
        json_response(StatusCode::OK, &answer)
    }
}

impl Fetch for Authority {
    fn fetch(&self, request: Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
        Box::pin(async move { self.answer(&request) })
    }
}

/// The well-known path goes before the issuer's own (RFC 8414 section 3.1).
fn metadata_url(issuer: &str) -> String {
    let uri: Uri = issuer.parse().unwrap_or_default();
    let origin = issuer.strip_suffix(uri.path()).unwrap_or(issuer).trim_end_matches('/');
    format!("{origin}/.well-known/oauth-authorization-server{}", uri.path().trim_end_matches('/'))
}

fn json_response(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    response(status, "application/json", body.to_string().as_bytes())
}

fn response(status: StatusCode, content_type: &'static str, body: &[u8]) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

/// The id and the secret of a client, each encoded as in a form (RFC 6749 section 2.3.1).
fn basic(authorization: &str) -> Option<(Box<str>, Box<str>)> {
    let credentials = BASE64_STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let (id, secret) = std::str::from_utf8(&credentials).ok()?.split_once(':')?;
    Some((form_decoded(id)?.into(), form_decoded(secret)?.into()))
}

/// A value of an `application/x-www-form-urlencoded` body.
fn form_value(body: &[u8], name: &str) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let (_, value) = body.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    form_decoded(value)
}

fn form_decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
