//! One HTTP request to a server's router, without a socket: a well-formed one, to be spoiled by the test.

#![allow(dead_code, reason = "each test binary uses its own part")]

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt as _;
use mcp_runtime::Server;
use mcp_runtime::testing::Era;
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const VERSION: &str = "2026-07-28";
pub(crate) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
pub(crate) const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// A request as a conforming client sends it, until the test changes it.
#[derive(Clone, Debug)]
pub(crate) struct HttpCall {
    method: Method,
    uri: String,
    headers: HeaderMap,
    message: Value,
    raw: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl HttpCall {
    /// Any method of the protocol; `_meta` is added to `params`.
    pub(crate) fn new(method: &str, mut params: Value) -> Self {
        params["_meta"] = json!({ VERSION_KEY: VERSION, CAPABILITIES_KEY: {} });
        let name = params["name"].as_str().map(str::to_owned);
        let call = Self {
            method: Method::POST,
            uri: "/mcp".to_owned(),
            headers: HeaderMap::new(),
            message: json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params }),
            raw: None,
        };
        let call = call
            .header("host", "localhost:8000")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", VERSION)
            .header("mcp-method", method);
        match name {
            // Other names go as Base64, which is for the test to write.
            Some(name) if method == "tools/call" && name.bytes().all(|b| b.is_ascii_graphic()) => call.header("mcp-name", name),
            _ => call,
        }
    }

    /// `tools/call`.
    pub(crate) fn tool(name: &str, arguments: Value) -> Self {
        let mut params = json!({ "name": name });
        params["arguments"] = arguments;
        Self::new("tools/call", params)
    }

    pub(crate) fn list() -> Self {
        Self::new("tools/list", json!({}))
    }

    /// A message as a legacy client sends it, outside any session. It names its revision in a header from the second one on.
    pub(crate) fn legacy(era: Era, method: &str, params: Value) -> Self {
        Self::new(method, params).in_era(era)
    }

    /// The handshake of a legacy client, which names no version in a header yet.
    pub(crate) fn initialize(era: Era) -> Self {
        let client = json!({ "name": "oldie", "version": "4.2" });
        let params = json!({ "protocolVersion": era.version(), "capabilities": {}, "clientInfo": client });
        Self::legacy(era, "initialize", params).without_header("mcp-protocol-version")
    }

    /// The same request as a client of this revision sends it, still without a session.
    pub(crate) fn in_era(mut self, era: Era) -> Self {
        if !era.is_legacy() {
            return self;
        }
        let mirrored: Vec<_> = self.headers.keys().filter(|name| name.as_str().starts_with("mcp-")).cloned().collect();
        for name in mirrored {
            self.headers.remove(name);
        }
        if let Some(params) = self.message["params"].as_object_mut() {
            let own = params.get_mut("_meta").and_then(Value::as_object_mut);
            let is_empty = own.is_some_and(|meta| {
                meta.retain(|key, _| !key.starts_with("io.modelcontextprotocol/"));
                meta.is_empty()
            });
            if is_empty {
                params.remove("_meta");
            }
        }
        if era > Era::V2025_03_26 { self.header("mcp-protocol-version", era.version()) } else { self }
    }

    /// In this session.
    pub(crate) fn session(self, id: &str) -> Self {
        self.header("mcp-session-id", id)
    }

    /// Without an id.
    pub(crate) fn notification(self) -> Self {
        self.edit(|message| drop(message.as_object_mut().expect("an object").remove("id")))
    }

    pub(crate) fn http_method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn uri(mut self, uri: &str) -> Self {
        uri.clone_into(&mut self.uri);
        self
    }

    /// Sets a header, in place of others of its name. Any bytes that HTTP can carry.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.insert(header_name(name), HeaderValue::from_bytes(value.as_ref()).expect("bytes of a header value"));
        self
    }

    /// Adds a header beside those of its name.
    pub(crate) fn another(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(header_name(name), HeaderValue::from_bytes(value.as_ref()).expect("bytes of a header value"));
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Changes the message.
    pub(crate) fn edit(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.message);
        self
    }

    pub(crate) fn meta(self, key: &str, value: Value) -> Self {
        self.edit(|message| message["params"]["_meta"][key] = value)
    }

    pub(crate) fn without_meta(self, key: &str) -> Self {
        self.edit(|message| {
            message["params"]["_meta"].as_object_mut().expect("an object").remove(key);
        })
    }

    /// Sends these bytes instead of the message.
    pub(crate) fn body(mut self, raw: impl Into<Vec<u8>>) -> Self {
        self.raw = Some(raw.into());
        self
    }

    /// The message as it would be sent.
    pub(crate) fn text(&self) -> String {
        self.message.to_string()
    }

    pub(crate) fn request(self) -> Request<Body> {
        let body = self.raw.clone().unwrap_or_else(|| self.message.to_string().into_bytes());
        self.request_with(Body::from(body))
    }

    pub(crate) fn request_with(self, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri.parse().expect("a URI");
        *request.headers_mut() = self.headers;
        request
    }

    /// The bytes of the request on an HTTP/1.1 connection.
    pub(crate) fn wire(self) -> Vec<u8> {
        let mut wire = format!("{} {} HTTP/1.1\r\n", self.method, self.uri).into_bytes();
        let body = self.raw.unwrap_or_else(|| self.message.to_string().into_bytes());
        for (name, value) in &self.headers {
            wire.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        wire.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        wire.extend_from_slice(&body);
        wire
    }

    pub(crate) async fn send(self, router: &Router) -> Answer {
        send(router, self.request()).await
    }

    /// Sends it as a client of this revision does: a legacy one opens a session of its own before, with the same credentials
    /// and capabilities.
    pub(crate) async fn send_in(self, era: Era, router: &Router) -> Answer {
        if !era.is_legacy() {
            return self.send(router).await;
        }
        let capabilities = self.message["params"]["_meta"][CAPABILITIES_KEY].clone();
        let own = self.in_era(era);
        let mut opening = Self::initialize(era).edit(|message| message["params"]["capabilities"] = capabilities);
        opening.headers = own.headers.clone();
        opening.headers.remove("mcp-protocol-version");
        match opening.send(router).await.header("mcp-session-id") {
            Some(session) => own.session(session).send(router).await,
            None => own.send(router).await,
        }
    }
}

/// Opens a session and returns its id.
pub(crate) async fn open(router: &Router, call: HttpCall) -> String {
    let answer = call.send(router).await;
    answer.header("mcp-session-id").unwrap_or_else(|| panic!("no session, but {}", answer.shown())).to_owned()
}

/// The messages of a stream: each one event of one `data` line. In a session each has an id, and the first event of 2025-11-25 is
/// empty, so that a client can go on from there.
pub(crate) fn messages(stream: &str) -> Vec<Value> {
    let events = stream.strip_suffix("\n\n").expect("the end of an event").split("\n\n").enumerate();
    let data = events.filter_map(|(index, event)| {
        let (id, data) = match event.strip_prefix("id: ") {
            Some(rest) => rest.split_once('\n').map(|(id, data)| (Some(id), data)).expect("data after an id"),
            None => (None, event),
        };
        let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("no data line: {event:?}"));
        assert!(!data.contains(['\n', '\r']), "one line: {event:?}");
        assert!(!data.is_empty() || (index == 0 && id.is_some()), "an empty event: {stream:?}");
        (!data.is_empty()).then(|| serde_json::from_str(data).expect("JSON"))
    });
    data.collect()
}

fn header_name(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).expect("a header name")
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// The real router of a server.
pub(crate) fn router(server: Server) -> Router {
    server.router::<()>().expect("a server that builds")
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.shown()))
    }

    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("an ASCII header"))
    }

    /// Status and JSON-RPC code; no code for a result.
    pub(crate) fn outcome(&self) -> (u16, Option<i64>) {
        let code = if self.body.is_empty() { None } else { self.json()["error"]["code"].as_i64() };
        (self.status, code)
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// The text of a tool's answer.
    pub(crate) fn tool_text(&self) -> String {
        self.json()["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {}", self.shown())).to_owned()
    }

    pub(crate) fn is_tool_error(&self) -> bool {
        self.status == 200 && self.json()["result"]["isError"] == true
    }
}
