//! The client's end of a conversation over a pipe with a server in this process.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead as _, BufReader, PipeWriter, Write as _};
use std::time::Duration;

use mcp_runtime::prelude::*;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) struct Conversation {
    pub(crate) to: Option<PipeWriter>,
    /// The lines, read by a thread of its own: a read that blocks can not be given up.
    from: mpsc::UnboundedReceiver<String>,
    pub(crate) served: JoinHandle<mcp_runtime::Result<()>>,
}

pub(crate) fn converse(server: Server) -> Conversation {
    let (input, to) = std::io::pipe().expect("a pipe");
    let (from, output) = std::io::pipe().expect("a pipe");
    let served = tokio::spawn(server.serve_lines(input, output));
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    Conversation { to: Some(to), from: lines, served }
}

impl Conversation {
    #[expect(clippy::needless_pass_by_value, reason = "tests write it inline")]
    pub(crate) fn say(&mut self, message: Value) {
        let to = self.to.as_mut().expect("an open pipe");
        writeln!(to, "{message}").expect("a server that reads");
    }

    /// The next line.
    pub(crate) async fn hear(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(20), self.from.recv()).await.expect("a line in time");
        line.expect("a line").parse().expect("JSON on a line")
    }

    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        self.say(message);
        self.hear().await
    }

    /// The handshake of a legacy client, without its end: `notifications/initialized`.
    pub(crate) async fn open(&mut self, version: &str) -> Value {
        let client = json!({ "name": "test", "version": "0" });
        let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        self.ask(request("open", "initialize", params)).await
    }

    /// Whatever was said before was carried out, and nothing was answered to it.
    pub(crate) async fn is_quiet(&mut self) {
        let pong = self.ask(request("quiet?", "ping", json!({}))).await;
        assert_eq!(pong, json!({ "jsonrpc": "2.0", "id": "quiet?", "result": {} }));
    }

    /// Closes the client's end; what the server still says until it is done.
    pub(crate) async fn close(mut self) -> String {
        drop(self.to.take());
        self.served.await.expect("no panic").expect("a good end");
        let mut rest = String::new();
        while let Some(line) = self.from.recv().await {
            rest.push_str(&line);
        }
        rest
    }
}

pub(crate) fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    let mut message = json!({ "jsonrpc": "2.0", "id": id.into(), "method": method });
    message["params"] = params;
    message
}

/// With the claims of the modern era.
pub(crate) fn modern(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": "progress",
    });
    request(id, method, params)
}

pub(crate) fn notification(method: &str, params: Value) -> Value {
    let mut message = json!({ "jsonrpc": "2.0", "method": method });
    message["params"] = params;
    message
}

pub(crate) fn cancel(id: impl Into<Value>) -> Value {
    notification("notifications/cancelled", json!({ "requestId": id.into(), "reason": "enough" }))
}
