//! What an authorization server is asked: one question, what an answer must be to count as one, and for how long it does.

mod credentials;
mod form;
mod lookups;

use std::time::Duration;

use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use serde_json::{Map, Value};

pub(crate) use credentials::Credentials;
pub(crate) use lookups::{Answer, Lookups, Until};

use crate::{Fetch, Rejection, Trust};

/// The longest answer, in bytes. Thousands are kept for a while.
const MAX_ANSWER: usize = 64 << 10;
/// When to try again, where the server does not say, and the longest that it may say.
const RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(60);

/// Who could tell whether a token holds did not say.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    reason: &'static str,
    detail: Box<str>,
    retry_after: Duration,
    /// Who was asked, and as which client.
    asked: Option<Box<str>>,
    /// Is it the server's state, so that other tokens fare the same? Otherwise this token may be what it fails at, and whoever
    /// sends it must not keep others from being asked about.
    of_server: bool,
}

impl Failure {
    fn new(reason: &'static str, of_server: bool, detail: impl Into<Box<str>>) -> Self {
        Self { reason, detail: detail.into(), retry_after: RETRY, asked: None, of_server }
    }

    /// One that other tokens share.
    pub(crate) fn of_server(self) -> Self {
        Self { of_server: true, ..self }
    }

    pub(crate) fn is_of_server(&self) -> bool {
        self.of_server
    }

    /// Where this was asked. Of the URL without what may be a secret.
    pub(crate) fn at(mut self, url: &str) -> Self {
        self.asked.get_or_insert_with(|| {
            let uri = url.parse::<Uri>().unwrap_or_default();
            let host = uri.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or_default());
            format!("{host}{}", uri.path()).into()
        });
        self
    }

    /// As which of its clients.
    pub(crate) fn by_client(mut self, id: &str) -> Self {
        self.asked = self.asked.map(|asked| format!("{asked} as client `{id}`").into());
        self
    }

    /// So many questions are open that no further one is asked.
    pub(crate) fn busy() -> Self {
        Self::new("authority_busy", false, "too many questions to it are open")
    }

    /// The server does not let us ask.
    pub(crate) fn refused(detail: impl Into<Box<str>>) -> Self {
        Self::new("authority_refuses_us", true, detail)
    }

    /// It answers, but nothing that can be made sense of.
    pub(crate) fn unreadable(detail: impl Into<Box<str>>) -> Self {
        Self::new("authority_unreadable", false, detail)
    }

    /// An answer with a status that says nothing about the token.
    pub(crate) fn of_status(status: StatusCode, headers: &HeaderMap) -> Self {
        let detail = format!("its answer has status {}", status.as_u16());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::refused(detail),
            _ if status.is_redirection() => {
                let whither = if headers.contains_key(LOCATION) { ": its URL must be the exact one" } else { "" };
                Self::new("authority_redirects", true, detail + whither)
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                let retry_after = seconds.map_or(RETRY, |seconds| Duration::from_secs(seconds).clamp(RETRY, MAX_RETRY));
                Self { retry_after, ..Self::new("authority_failed", true, detail) }
            }
            _ => Self::new("authority_failed", false, detail),
        }
    }
}

impl From<Failure> for Rejection {
    fn from(failure: Failure) -> Self {
        let asked = failure.asked.map(|asked| format!("{asked}: ")).unwrap_or_default();
        Self::unavailable(failure.reason, failure.retry_after).detail(asked + &failure.detail)
    }
}

/// Sends a request to a URL that the operator wrote.
pub(crate) async fn ask(fetch: &dyn Fetch, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Failure> {
    let unreachable = |error: crate::FetchError| Failure::new("authority_unreachable", true, error.to_string());
    fetch.fetch(request, Trust::Configured).await.map_err(unreachable)
}

/// Why such a URL can not be asked, where the operator wrote it.
pub(crate) fn url_problem(fetch: &dyn Fetch, url: &str) -> Option<String> {
    let is_url = url.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some());
    if is_url { fetch.problem(url, Trust::Configured) } else { Some(format!("`{url}` is no absolute URL")) }
}

/// The JSON object that an answer is.
pub(crate) fn object(answer: &Response<Vec<u8>>) -> Result<Map<String, Value>, Failure> {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        return Err(Failure::unreadable("its answer is no JSON by its Content-Type"));
    }
    if answer.body().len() > MAX_ANSWER {
        return Err(Failure::unreadable(format!("its answer is longer than {MAX_ANSWER} bytes")));
    }
    serde_json::from_slice(answer.body()).map_err(|_| Failure::unreadable("its answer is no JSON object"))
}
