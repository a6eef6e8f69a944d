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

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mcp_auth::Principal;
use serde_json::{Map, Value, json};

use crate::call::Event;
use crate::protocol::{self, MODERN, key};
use crate::server::{Endpoint, Head, Reach, Reply, Server};

/// A client that calls a server without a socket, over the path that real requests take from their body on.
///
/// Nothing guards the way in: the caller is whom the test says, and servers without `.auth(..)` may have tools that need one.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: Arc<Endpoint>,
    principal: Option<Principal>,
    capabilities: Value,
    progress: bool,
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    message: Value,
    progress: Vec<Value>,
}

impl Client {
    /// A client of this server, anonymous and without capabilities.
    ///
    /// # Panics
    /// If the server does not build; the message says why.
    #[must_use]
    #[track_caller]
    pub fn new(server: &Server) -> Self {
        match server.clone().build_for(Reach::InProcess) {
            Ok(built) => {
                Self { endpoint: built.endpoint, principal: None, capabilities: json!({}), progress: false, headers: Vec::new() }
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls as this principal.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Declares these capabilities, a JSON object as on the wire: `json!({"sampling": {}})`.
    #[must_use]
    pub fn capabilities(mut self, capabilities: Value) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Asks for progress; it is in [`Answer::progress`].
    #[must_use]
    pub fn progress(mut self) -> Self {
        self.progress = true;
        self
    }

    /// Sends this header as well.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Calls a tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// The tools as `tools/list` shows them to this caller.
    pub async fn tools(&self) -> Vec<Value> {
        let answer = self.request("tools/list", json!({})).await;
        answer.result()["tools"].as_array().cloned().unwrap_or_default()
    }

    /// Sends any request. `params` is a JSON object; `_meta` is added to it.
    ///
    /// # Panics
    /// If `params` is no object, or a header can not be sent.
    pub async fn request(&self, method: &str, params: Value) -> Answer {
        let Value::Object(mut params) = params else { panic!("params must be a JSON object") };
        let mut meta = Map::new();
        meta.insert(key::PROTOCOL_VERSION.to_owned(), MODERN.into());
        meta.insert(key::CLIENT_CAPABILITIES.to_owned(), self.capabilities.clone());
        if self.progress {
            meta.insert("progressToken".to_owned(), "progress".into());
        }
        params.insert("_meta".to_owned(), meta.into());
        let mut headers = HeaderMap::new();
        let mut set = |name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap_or_else(|_| panic!("`{name}` is no header name"));
            let value = HeaderValue::from_str(value).unwrap_or_else(|_| panic!("`{value}` can not be sent as a header"));
            headers.append(name, value);
        };
        set("mcp-protocol-version", MODERN);
        set("mcp-method", method);
        if let Some(name) = params.get("name").and_then(Value::as_str) {
            set("mcp-name", name);
        }
        for (name, value) in &self.headers {
            set(name, value);
        }
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.send(headers, body.to_string().as_bytes()).await
    }

    /// Sends these bytes, as they are, with these headers: for what a well-behaved client never sends.
    pub async fn send(&self, headers: HeaderMap, body: &[u8]) -> Answer {
        let mut progress = Vec::new();
        let (status, body) = self.exchange(headers, body, |reported| progress.push(parse(reported)["params"].take())).await;
        Answer { status, message: parse(&body), progress }
    }

    /// As [`send`](Self::send), bytes for bytes: returns the HTTP status and the answer's body.
    pub async fn send_bytes(&self, headers: HeaderMap, body: &[u8]) -> (u16, Vec<u8>) {
        let (status, body) = self.exchange(headers, body, |_| {}).await;
        (status.as_u16(), body)
    }

    async fn exchange(&self, headers: HeaderMap, body: &[u8], mut on_progress: impl FnMut(&[u8])) -> (StatusCode, Vec<u8>) {
        let head = Head { headers: Some(headers), extensions: http::Extensions::new(), principal: self.principal.clone() };
        let mut call = match self.endpoint.answer(head, body) {
            Reply::Accepted => return (StatusCode::ACCEPTED, Vec::new()),
            Reply::Json { status, body } => return (status, body),
            Reply::Challenge { challenge, body } => return (challenge.status(), body),
            Reply::Call(call) => call,
        };
        loop {
            match call.running.next().await {
                Event::Done(result) => return (StatusCode::OK, call.render(&result)),
                Event::Progress(reported) => {
                    if let Some(token) = call.running.context().progress_token() {
                        on_progress(&protocol::progress(token, &reported));
                    }
                }
            }
        }
    }
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
    #[must_use]
    #[track_caller]
    pub fn is_error(&self) -> bool {
        self.result()["isError"] == true
    }

    /// The text blocks of the result, joined by line breaks.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> String {
        let blocks = self.result()["content"].as_array().into_iter().flatten();
        blocks.filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The structured content; null where there is none.
    #[must_use]
    #[track_caller]
    pub fn structured(&self) -> &Value {
        &self.result()["structuredContent"]
    }

    /// The `params` of the progress notifications, in order.
    #[must_use]
    pub fn progress(&self) -> &[Value] {
        &self.progress
    }
}
