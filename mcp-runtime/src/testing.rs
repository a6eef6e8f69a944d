//! An MCP client inside the test's own process.
//!
//! ```
//! use mcp_runtime::prelude::*;
//! use mcp_runtime::testing::Client;
//! use serde_json::json;
//!
//! /// Greet somebody.
//! #[tool]
//! fn greet(name: String) -> String {
//!     format!("Hello, {name}!")
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let client = Client::new(&Server::new("test", "0").only([greet::tool()]));
//! assert_eq!(client.call("greet", json!({ "name": "Ada" })).await.text(), "Hello, Ada!");
//! # });
//! ```
//!
//! What is masked for clients is in the log, which no test shows by itself: where an answer says that "the cause is in the server's
//! log", begin the test with `tracing_subscriber::fmt().with_test_writer().init()`, or call the function itself.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode};
use mcp_auth::Principal;
use serde_json::{Map, Value, json};

use crate::call::LogLevel;
use crate::endpoint::{Carrier, Endpoint, Head, Pipe, Reply, Said};
pub use crate::protocol::Era;
use crate::protocol::{Code, key};
use crate::server::{Reach, Server};

/// A client that calls a server without a socket, over the path that real requests take from their body on.
///
/// Nothing guards the way in: the caller is whom the test says, and servers without `.auth(..)` may have tools that need one.
///
/// A tool that does not end at once needs a tokio runtime with its timer, as it has in a `#[tokio::test]`.
#[derive(Clone)]
pub struct Client {
    endpoint: Arc<Endpoint>,
    era: Era,
    principal: Option<Principal>,
    capabilities: Value,
    progress: bool,
    log_level: Option<LogLevel>,
    headers: Vec<(String, String)>,
    extensions: Extensions,
    answers: Option<Answers>,
    /// By tool.
    mirrored: Arc<HashMap<String, Vec<Mirrored>>>,
}

/// What the client answers to a question: its method and params are given, and its result is returned.
type Answers = Arc<dyn Fn(&str, &Value) -> Value + Send + Sync>;

/// An argument that a client repeats in a header.
#[derive(Debug)]
struct Mirrored {
    header: String,
    /// Names from the root of the arguments.
    path: Vec<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    message: Value,
    progress: Vec<Value>,
    logs: Vec<Value>,
    questions: Vec<Value>,
}

/// A client that asks on has a fault, or its server does.
const MOST_ROUNDS: usize = 64;

impl Client {
    /// A client of this server: of the newest revision, anonymous and without capabilities.
    ///
    /// # Panics
    /// If the server does not build; the message says why.
    #[must_use]
    #[track_caller]
    pub fn new(server: &Server) -> Self {
        match server.clone().build_for(Reach::InProcess) {
            Ok(built) => {
                let client = Self {
                    endpoint: built.endpoint,
                    era: Era::V2026_07_28,
                    principal: None,
                    capabilities: json!({}),
                    progress: false,
                    log_level: None,
                    headers: Vec::new(),
                    extensions: Extensions::new(),
                    answers: None,
                    mirrored: Arc::default(),
                };
                client.informed()
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads the list of tools, as clients do before they call: it says which arguments go into headers.
    fn informed(mut self) -> Self {
        let mut tools = Vec::new();
        let mut cursor = json!({});
        loop {
            let meta = json!({ (key::PROTOCOL_VERSION): Era::V2026_07_28.version(), (key::CLIENT_CAPABILITIES): {} });
            cursor["_meta"] = meta;
            let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": cursor });
            let carrier = Carrier::Pipe(Arc::new(Pipe::default()));
            let head = Head { carrier, extensions: Extensions::new(), principal: self.principal.clone(), streams: true };
            let Reply::Json { body, .. } = self.endpoint.answer(head, list.to_string().as_bytes()) else { break };
            let mut page = parse(&body)["result"].take();
            if let Some(listed) = page["tools"].as_array_mut() {
                tools.append(listed);
            }
            match page["nextCursor"].take() {
                Value::Null => break,
                next => cursor = json!({ "cursor": next }),
            }
        }
        let mirrored = tools.iter().filter_map(|tool| {
            let mut found = Vec::new();
            find_mirrored(&tool["inputSchema"], &[], &mut found);
            Some((tool["name"].as_str()?.to_owned(), found)).filter(|(_, found)| !found.is_empty())
        });
        self.mirrored = Arc::new(mirrored.collect());
        self
    }

    /// Speaks this revision. A legacy client opens a session for each of its requests, so that a test may change who calls,
    /// and what the client can do, at any time.
    ///
    /// What a revision does not have, its answers do not have: 2025-03-26 no structured content, the next two only objects.
    /// [`Answer::text`] is the same in all of them.
    ///
    /// ```
    /// # use mcp_runtime::prelude::*;
    /// # use mcp_runtime::testing::{Client, Era};
    /// # use serde_json::json;
    /// # #[tool]
    /// # fn greet(name: String) -> String { format!("Hello, {name}!") }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let server = Server::new("test", "0").only([greet::tool()]);
    /// for era in Era::ALL {
    ///     let client = Client::new(&server).era(era);
    ///     assert_eq!(client.call("greet", json!({ "name": "Ada" })).await.text(), "Hello, Ada!");
    /// }
    /// # });
    /// ```
    #[must_use]
    pub fn era(mut self, era: Era) -> Self {
        self.era = era;
        self
    }

    /// Calls as this principal.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        // A caller may see tools that others do not.
        self.informed()
    }

    /// Declares these capabilities, a JSON object as on the wire: `json!({"sampling": {}})`.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Answers what it is asked: forms and links are accepted, forms with this content; a sample is this content as text; there are no
    /// roots. Declares the capabilities for it, unless [`capabilities`](Self::capabilities) says others. Content that does not fit the
    /// form is asked for again in 2026-07-28, so the call ends with "more than 50 rounds"; the log has at `debug` what does not fit.
    #[must_use]
    pub fn answering(self, content: Value) -> Self {
        let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        self.answering_with(move |method, params| match method {
            "sampling/createMessage" => {
                json!({ "role": "assistant", "model": "test", "content": { "type": "text", "text": text } })
            }
            "roots/list" => json!({ "roots": [] }),
            _ if params["mode"] == "url" => json!({ "action": "accept" }),
            _ => json!({ "action": "accept", "content": content }),
        })
    }

    /// Answers what it is asked by this function, from method and params to the result; otherwise as
    /// [`answering`](Self::answering).
    #[must_use]
    pub fn answering_with(mut self, answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> Self {
        if self.capabilities == json!({}) {
            self.capabilities = json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {}, "roots": {} });
        }
        self.answers = Some(Arc::new(answer));
        self
    }

    /// Asks for progress; it is in [`Answer::progress`].
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.progress = true;
        self
    }

    /// Asks for log messages of this level and graver ones; they are in [`Answer::logs`].
    #[must_use]
    pub fn log_level(mut self, level: LogLevel) -> Self {
        self.log_level = Some(level);
        self
    }

    /// Puts a value into the extensions of each request, as a middleware of the host application would: for `Extension<T>`.
    #[must_use]
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Sends this header as well. An `Mcp-Param-*` header is sent instead of the one that the arguments ask for.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Calls a tool. Arguments that the tool wants mirrored into `Mcp-Param-*` headers are.
    ///
    /// # Panics
    /// As [`request`](Self::request).
    pub async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Reads a resource.
    ///
    /// # Panics
    /// As [`request`](Self::request).
    pub async fn read(&self, uri: &str) -> Answer {
        self.request("resources/read", json!({ "uri": uri })).await
    }

    /// Gets a prompt. `arguments` is a JSON object of strings.
    ///
    /// # Panics
    /// As [`request`](Self::request).
    pub async fn prompt(&self, name: &str, arguments: Value) -> Answer {
        self.request("prompts/get", json!({ "name": name, "arguments": arguments })).await
    }

    /// The tools as `tools/list` shows them to this caller. A server without tools has no `tools/list`, and an empty list here.
    ///
    /// # Panics
    /// As [`request`](Self::request), or if the request was refused.
    pub async fn tools(&self) -> Vec<Value> {
        let mut tools = Vec::new();
        let mut params = json!({});
        loop {
            let answer = self.request("tools/list", params).await;
            if answer.error_code() == Some(Code::MethodNotFound.number().into()) {
                return tools;
            }
            tools.extend(answer.result()["tools"].as_array().into_iter().flatten().cloned());
            match answer.result().get("nextCursor") {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return tools,
            }
        }
    }

    /// Sends any request. `params` is a JSON object; `_meta` is added to it. Of a client that [answers](Self::answering), the last
    /// answer is returned: it goes on through all rounds.
    ///
    /// # Panics
    /// If `params` is no object, or a header can not be sent; if it is a request that listens (`subscriptions/listen`), for which a
    /// test sends to the server's router; and as [`send`](Self::send).
    pub async fn request(&self, method: &str, params: Value) -> Answer {
        let Value::Object(params) = params else { panic!("params must be a JSON object") };
        let mut asked = Vec::new();
        let mut round = params.clone();
        for _ in 0..MOST_ROUNDS {
            let mut answer = self.request_once(method, round).await;
            let result = &answer.message["result"];
            if let (Some(respond), Some("input_required")) = (&self.answers, result["resultType"].as_str()) {
                let questions = result["inputRequests"].as_object().cloned().unwrap_or_default();
                let responses = questions.iter().map(|(key, question)| {
                    let method = question["method"].as_str().unwrap_or_default();
                    (key.clone(), respond(method, &question["params"]))
                });
                round = params.clone();
                round.insert("inputResponses".to_owned(), responses.collect::<Map<_, _>>().into());
                if let Some(state) = result.get("requestState") {
                    round.insert("requestState".to_owned(), state.clone());
                }
                asked.extend(questions.into_iter().map(|(_, question)| question));
                continue;
            }
            answer.questions.splice(..0, asked);
            return answer;
        }
        panic!("`{method}` asked more than {MOST_ROUNDS} rounds of questions");
    }

    async fn request_once(&self, method: &str, mut params: Map<String, Value>) -> Answer {
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
        meta.insert(key::CLIENT_CAPABILITIES.to_owned(), self.capabilities.clone());
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

    fn head(&self, headers: HeaderMap) -> Head {
        let carrier = Carrier::Http(headers);
        Head { carrier, extensions: self.extensions.clone(), principal: self.principal.clone(), streams: true }
    }

    /// The headers that repeat arguments, but for those that the test sets itself.
    fn mirror<'a>(&'a self, tool: &str, arguments: &'a Value) -> impl Iterator<Item = (&'a str, String)> {
        let mirrored = self.mirrored.get(tool).into_iter().flatten();
        mirrored.filter_map(move |Mirrored { header, path }| {
            let argument = path.iter().try_fold(arguments, |value, name| value.get(name)).filter(|value| !value.is_null())?;
            let overridden = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header));
            let text = argument.as_str().map_or_else(|| argument.to_string(), str::to_owned);
            (!overridden).then(|| (header.as_str(), header_text(&text)))
        })
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
            Some(respond) => answer["result"] = respond(question["method"].as_str().unwrap_or_default(), &question["params"]),
            None => answer["error"] = json!({ "code": -32601, "message": "this client answers nothing" }),
        }
        let _ = self.endpoint.answer(self.head(headers.clone()), answer.to_string().as_bytes());
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("era", &self.era).field("principal", &self.principal).finish_non_exhaustive()
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes()).unwrap_or_else(|_| panic!("`{name}` is no header name"));
    let value = HeaderValue::from_str(value).unwrap_or_else(|_| panic!("`{value}` can not be sent as a header"));
    headers.append(name, value);
}

/// The members of a published schema that say `x-mcp-header`; never below a list or a combination, which the build refuses.
fn find_mirrored(schema: &Value, above: &[String], found: &mut Vec<Mirrored>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path: Vec<String> = above.iter().chain([name]).cloned().collect();
        match member["x-mcp-header"].as_str() {
            Some(header) => found.push(Mirrored { header: format!("Mcp-Param-{header}"), path }),
            None => find_mirrored(member, &path, found),
        }
    }
}

/// A value as a header carries it: in Base64 where it is not plain (MCP 2026-07-28, Streamable HTTP, "Value Encoding").
fn header_text(value: &str) -> String {
    let plain = value.bytes().all(|b| matches!(b, b' '..=b'~')) && value.trim_matches(' ') == value;
    let like_a_sentinel = value.starts_with("=?base64?") && value.ends_with("?=");
    if plain && !like_a_sentinel { value.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(value)) }
}

fn parse(json: &[u8]) -> Value {
    if json.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(json).unwrap_or_else(|error| panic!("the server sent no JSON: {error}"))
    }
}

impl Answer {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The whole JSON-RPC message; null where the answer has no body.
    #[must_use]
    pub fn message(&self) -> &Value {
        &self.message
    }

    /// The JSON-RPC error code, if the request was refused.
    #[must_use]
    pub fn error_code(&self) -> Option<i64> {
        self.message["error"]["code"].as_i64()
    }

    /// The JSON-RPC error's message; empty if there is none.
    #[must_use]
    pub fn error_message(&self) -> &str {
        self.message["error"]["message"].as_str().unwrap_or_default()
    }

    /// The result.
    ///
    /// # Panics
    /// If the request was refused.
    #[must_use]
    #[track_caller]
    pub fn result(&self) -> &Value {
        match self.message.get("result") {
            Some(result) => result,
            None => panic!("no result, but {} {}", self.status, self.message),
        }
    }

    /// Did the tool report an error?
    ///
    /// # Panics
    /// If the request was refused.
    #[must_use]
    #[track_caller]
    pub fn is_error(&self) -> bool {
        self.result()["isError"] == true
    }

    /// The text blocks of the result, joined by line breaks.
    ///
    /// # Panics
    /// If the request was refused.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> String {
        let blocks = self.result()["content"].as_array().into_iter().flatten();
        blocks.filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The structured content; null where there is none.
    ///
    /// # Panics
    /// If the request was refused, or the tool reported an error; the message has its text.
    #[must_use]
    #[track_caller]
    pub fn structured(&self) -> &Value {
        assert!(!self.is_error(), "no structured content, but an error: {}", self.text());
        &self.result()["structuredContent"]
    }

    /// The `params` of the log messages, in order.
    #[must_use]
    pub fn logs(&self) -> &[Value] {
        &self.logs
    }

    /// What the client was asked, in order: the method and params of each question.
    #[must_use]
    pub fn questions(&self) -> &[Value] {
        &self.questions
    }

    /// The contents of a resource that was read; empty if it was refused.
    #[must_use]
    pub fn contents(&self) -> &[Value] {
        self.message["result"]["contents"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The messages of a prompt; empty if it was refused.
    #[must_use]
    pub fn messages(&self) -> &[Value] {
        self.message["result"]["messages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The `params` of the progress notifications, in order.
    #[must_use]
    pub fn progress(&self) -> &[Value] {
        &self.progress
    }
}

#[cfg(test)]
mod tests;
