//! How a request becomes a message, and what is done about all that comes back.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use mcp_auth::Decision;
use serde_json::{Map, Value, json};

use super::mirror::header_text;
use super::{Answer, Client, Era};
use crate::endpoint::{Carrier, Head, Reply, Said};
use crate::protocol::key;

impl Client {
    pub(super) async fn request_once(&self, method: &str, params: Map<String, Value>) -> Answer {
        match self.judged().await {
            Ok(client) => client.request_as(method, params).await,
            Err(turned_down) => turned_down,
        }
    }

    /// As the caller whom its credential shows, if it shows one.
    async fn judged(&self) -> Result<Cow<'_, Self>, Answer> {
        let Some(auth) = &self.endpoint.access.auth else { return Ok(Cow::Borrowed(self)) };
        let (mut head, ()) = Request::post("/").body(()).unwrap_or_default().into_parts();
        head.extensions = self.extensions.clone();
        self.headers.iter().for_each(|(name, value)| set(&mut head.headers, name, value));
        head.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        let mut places = [AUTHORIZATION, COOKIE].iter().chain(auth.headers());
        let shown = places.any(|place| head.headers.contains_key(place));
        // What looks for itself may find something; but whom the test says is whom it says.
        if !shown && self.principal.is_some() {
            return Ok(Cow::Borrowed(self));
        }
        let rejection = match auth.decide(&head).await {
            Decision::Accepted(principal) => return Ok(Cow::Owned(self.clone().principal(principal))),
            // A session in which nobody is logged in is refused where callers must be known.
            Decision::Anonymous if !shown || self.endpoint.access.allow_anonymous => return Ok(Cow::Borrowed(self)),
            Decision::Anonymous => None,
            Decision::Rejected(rejection) => Some(rejection),
        };
        let (parts, body) = auth.refusal(rejection.as_ref()).into_parts();
        Err(Answer { status: parts.status, message: parse(&body), progress: Vec::new(), logs: Vec::new(), questions: Vec::new() })
    }

    async fn request_as(&self, method: &str, mut params: Map<String, Value>) -> Answer {
        let mut headers = HeaderMap::new();
        if self.era.is_legacy() {
            if self.progress {
                params.insert("_meta".to_owned(), json!({ "progressToken": "progress" }));
            }
            if let Some(session) = self.open() {
                set(&mut headers, "mcp-session-id", &session);
            }
            if self.era > Era::V2025_03_26 {
                set(&mut headers, "mcp-protocol-version", self.era.version());
            }
            if let Some(level) = self.log_level {
                let params = json!({ "level": level.name() });
                let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "logging/setLevel", "params": params });
                let answer = self.send(headers.clone(), body.to_string().as_bytes()).await;
                assert!(answer.message.get("result").is_some(), "logging/setLevel was refused: {}", answer.message);
            }
        } else {
            self.claim(&mut headers, method, &mut params);
        }
        for (name, value) in &self.headers {
            set(&mut headers, name, value);
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.send(headers, body.to_string().as_bytes()).await
    }

    /// What every request of the modern era says of itself.
    fn claim(&self, headers: &mut HeaderMap, method: &str, params: &mut Map<String, Value>) {
        let mut meta = Map::new();
        meta.insert(key::PROTOCOL_VERSION.to_owned(), self.era.version().into());
        let mut capabilities = self.capabilities.clone();
        if self.takes_tasks {
            capabilities["extensions"][key::TASKS] = json!({});
        }
        meta.insert(key::CLIENT_CAPABILITIES.to_owned(), capabilities);
        if self.progress {
            meta.insert("progressToken".to_owned(), "progress".into());
        }
        if let Some(level) = self.log_level {
            meta.insert(key::LOG_LEVEL.to_owned(), level.name().into());
        }
        params.insert("_meta".to_owned(), meta.into());
        set(headers, "mcp-protocol-version", self.era.version());
        set(headers, "mcp-method", method);
        let named = match method {
            "resources/read" => "uri",
            "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
            _ => "name",
        };
        if let Some(name) = params.get(named).and_then(Value::as_str) {
            set(headers, "mcp-name", &header_text(name));
            if method == "tools/call" {
                for (name, value) in self.mirror(name, params.get("arguments").unwrap_or(&Value::Null)) {
                    set(headers, name, &value);
                }
            }
        }
    }

    /// The id of a new session; none where the server has no sessions.
    ///
    /// # Panics
    /// If the client's revision has no sessions, or the server refuses it.
    #[must_use]
    pub fn open(&self) -> Option<String> {
        assert!(self.era.is_legacy(), "{} has no sessions", self.era.version());
        let params = json!({
            "protocolVersion": self.era.version(),
            "capabilities": self.capabilities,
            "clientInfo": { "name": "test", "version": "0" },
        });
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        match self.endpoint.answer(self.head(HeaderMap::new()), body.to_string().as_bytes()) {
            Reply::Opened { session, .. } => Some(session),
            Reply::Json { status: StatusCode::OK, .. } => None,
            Reply::Json { status, body } => panic!("initialize was refused: {status} {}", String::from_utf8_lossy(&body)),
            other => panic!("initialize was refused: {other:?}"),
        }
    }

    pub(super) fn head(&self, headers: HeaderMap) -> Head {
        let carrier = Carrier::Http(headers);
        Head {
            carrier,
            uri: Uri::default(),
            extensions: self.extensions.clone(),
            principal: self.principal.clone(),
            streams: true,
        }
    }

    /// Sends these bytes, as they are, with these headers: for what a well-behaved client never sends.
    ///
    /// # Panics
    /// If there is no tokio runtime and the tool does not end at once, or the server sends what is no JSON.
    pub async fn send(&self, headers: HeaderMap, body: &[u8]) -> Answer {
        let (mut progress, mut logs, mut questions) = (Vec::new(), Vec::new(), Vec::new());
        let exchanged = self.exchange(headers, body, |report| {
            let mut report = parse(report);
            match report["method"].as_str() {
                Some("notifications/progress") => progress.push(report["params"].take()),
                Some("notifications/message") => logs.push(report["params"].take()),
                _ => questions.push(report),
            }
        });
        let (status, body) = exchanged.await;
        Answer { status, message: parse(&body), progress, logs, questions }
    }

    /// As [`send`](Self::send), bytes for bytes: returns the HTTP status and the answer's body.
    ///
    /// # Panics
    /// If there is no tokio runtime and the tool does not end at once.
    pub async fn send_bytes(&self, headers: HeaderMap, body: &[u8]) -> (u16, Vec<u8>) {
        let (status, body) = self.exchange(headers, body, |_| {}).await;
        (status.as_u16(), body)
    }

    async fn exchange(&self, headers: HeaderMap, body: &[u8], mut on_report: impl FnMut(&[u8])) -> (StatusCode, Vec<u8>) {
        let mut call = match self.endpoint.answer(self.head(headers.clone()), body) {
            Reply::Accepted => return (StatusCode::ACCEPTED, Vec::new()),
            Reply::Json { status, body } => return (status, body),
            Reply::TooMany { body, .. } => return (StatusCode::TOO_MANY_REQUESTS, body),
            Reply::Opened { body, .. } => return (StatusCode::OK, body),
            Reply::Challenge { challenge, body } => return (challenge.status(), body),
            Reply::Batch(batch) => return (StatusCode::OK, batch.answers().await.unwrap_or_default()),
            Reply::Later(later) => return later.answer().await,
            Reply::Listen(_) => panic!("a test client does not listen: use the server's router"),
            Reply::Call(call) => call,
        };
        loop {
            match call.next().await {
                Said::Answer { status, body } => return (status, body),
                Said::Report(report) => {
                    call.head_is_sent();
                    on_report(&report);
                }
                Said::Question(question) => {
                    call.head_is_sent();
                    on_report(&question);
                    self.answer(&headers, &parse(&question));
                }
                Said::CloseStream(_) => {}
                Said::Cancelled => return (StatusCode::OK, Vec::new()),
            }
        }
    }

    /// Answers a question of the handshake revisions, by a message of its own.
    fn answer(&self, headers: &HeaderMap, question: &Value) {
        let mut answer = json!({ "jsonrpc": "2.0", "id": question["id"] });
        match &self.answers {
            Some(respond) => answer["result"] = respond.to(question),
            None => answer["error"] = json!({ "code": -32601, "message": "this client answers nothing" }),
        }
        let _ = self.endpoint.answer(self.head(headers.clone()), answer.to_string().as_bytes());
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes()).unwrap_or_else(|_| panic!("`{name}` is no header name"));
    let value = HeaderValue::from_str(value).unwrap_or_else(|_| panic!("`{value}` can not be sent as a header"));
    headers.append(name, value);
}

pub(super) fn parse(json: &[u8]) -> Value {
    if json.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(json).unwrap_or_else(|error| panic!("the server sent no JSON: {error}"))
    }
}
