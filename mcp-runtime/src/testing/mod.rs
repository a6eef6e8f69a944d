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

mod answer;
mod exchange;
mod mirror;
mod task;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use http::Extensions;
use mcp_auth::Principal;
use serde_json::{Map, Value, json};

pub use answer::Answer;
use mirror::Mirrored;

use crate::call::LogLevel;
use crate::endpoint::Endpoint;
use crate::protocol::Code;
pub use crate::protocol::Era;
use crate::server::{Handle, Reach, Server};

/// A client that calls a server without a socket, over the path that real requests take from their body on.
///
/// The caller is whom the test [says](Self::principal), and servers without `.auth(..)` may have tools that need one. A
/// credential that it [shows](Self::bearer) instead is judged by the server's chain. What else guards the way in (names of hosts,
/// origins, signed-in callers only) is not there: for that, send requests to [`Built::router`](crate::Built::router).
///
/// A tool that does not end at once needs a tokio runtime with its timer, as it has in a `#[tokio::test]`.
#[derive(Clone)]
pub struct Client {
    endpoint: Arc<Endpoint>,
    era: Era,
    principal: Option<Principal>,
    capabilities: Value,
    takes_tasks: bool,
    progress: bool,
    log_level: Option<LogLevel>,
    headers: Vec<(String, String)>,
    extensions: Extensions,
    answers: Option<Answers>,
    /// By tool.
    mirrored: Arc<HashMap<String, Vec<Mirrored>>>,
}

/// From the method and the params of a question to the result.
type Respond = dyn Fn(&str, &Value) -> Value + Send + Sync;

/// What the client answers to questions.
#[derive(Clone)]
struct Answers(Arc<Respond>);

impl Answers {
    fn to(&self, question: &Value) -> Value {
        (self.0)(question["method"].as_str().unwrap_or_default(), &question["params"])
    }

    /// # Panics
    /// If a question is asked again after the same answer: it does not fit.
    fn to_all(&self, questions: &Map<String, Value>, before: &Map<String, Value>) -> Map<String, Value> {
        let respond = |(key, question): (&String, &Value)| {
            let response = self.to(question);
            assert_ne!(before.get(key), Some(&response), "an answer that does not fit its question: {question}");
            (key.clone(), response)
        };
        questions.iter().map(respond).collect()
    }
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
                    takes_tasks: false,
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

    /// Changes what the server offers, as the application would while it runs. This client's next request meets the change.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.endpoint))
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
    /// roots. Declares the capabilities for it, unless [`capabilities`](Self::capabilities) says others. Content that does not fit the form
    /// is asked for again in 2026-07-28, which ends the test; the log has at `debug` what does not fit.
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
        self.answers = Some(Answers(Arc::new(answer)));
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

    /// Shows this bearer token: the server's chain says who calls, and turns the requests down whose token does not hold.
    ///
    /// ```
    /// # use mcp_runtime::prelude::*;
    /// # use mcp_runtime::testing::Client;
    /// # use serde_json::json;
    /// /// Who am I?
    /// #[tool]
    /// fn whoami(caller: Principal) -> String { caller.subject().to_owned() }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let tokens = StaticTokens::new().token("a-token-of-twenty-bytes", Principal::user("ada"));
    /// let client = Client::new(&Server::new("test", "0").only([whoami::tool()]).auth(Auth::chain().with(tokens)));
    /// let ada = client.clone().bearer("a-token-of-twenty-bytes");
    /// assert_eq!(ada.call("whoami", json!({})).await.text(), "ada");
    /// assert_eq!(client.bearer("another").call("whoami", json!({})).await.status(), 401);
    /// # });
    /// ```
    #[must_use]
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sends this header as well. One with a credential is judged, as a [bearer token](Self::bearer) is. An `Mcp-Param-*` header is sent instead of the one that the arguments ask for.
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
    /// If `params` is no object, or a header can not be sent; if a question is asked again because its answer does not fit, and the
    /// answer is still the same; if it is a request that listens (`subscriptions/listen`), for which a
    /// test sends to the server's router; and as [`send`](Self::send).
    pub async fn request(&self, method: &str, params: Value) -> Answer {
        let Value::Object(params) = params else { panic!("params must be a JSON object") };
        let mut asked = Vec::new();
        let mut round = params.clone();
        let mut answered = Map::new();
        for _ in 0..MOST_ROUNDS {
            let mut answer = self.request_once(method, round).await;
            let result = &answer.message["result"];
            if let (Some(respond), Some("input_required")) = (&self.answers, result["resultType"].as_str()) {
                let questions = result["inputRequests"].as_object().cloned().unwrap_or_default();
                answered = respond.to_all(&questions, &answered);
                round = params.clone();
                round.insert("inputResponses".to_owned(), answered.clone().into());
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
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("era", &self.era).field("principal", &self.principal).finish_non_exhaustive()
    }
}
