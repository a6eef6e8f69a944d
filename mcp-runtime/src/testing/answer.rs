//! What a test client was answered.

use http::StatusCode;
use serde_json::Value;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: StatusCode,
    pub(super) message: Value,
    pub(super) progress: Vec<Value>,
    pub(super) logs: Vec<Value>,
    pub(super) questions: Vec<Value>,
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
