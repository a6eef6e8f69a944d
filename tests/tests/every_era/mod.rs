//! The same call by a client of each revision, and what their answers have in common.

#![allow(dead_code, reason = "each test binary uses its own part")]

use mcp_runtime::Server;
use mcp_runtime::testing::{Answer, Client, Era};
use serde_json::Value;

/// A client of each revision, the oldest first.
pub(crate) fn clients(server: &Server) -> impl Iterator<Item = (Era, Client)> + use<> {
    eras_of(Client::new(server))
}

/// This client in each revision, the oldest first.
pub(crate) fn eras_of(client: Client) -> impl Iterator<Item = (Era, Client)> {
    Era::ALL.into_iter().map(move |era| (era, client.clone().era(era)))
}

/// Calls a tool in every revision, and returns what the newest answers. The others must have answered the same, but for what
/// their revisions lack.
pub(crate) async fn call(client: &Client, tool: &str, arguments: Value) -> Answer {
    let newest = client.clone().era(Era::V2026_07_28).call(tool, arguments.clone()).await;
    for (era, client) in eras_of(client.clone()).filter(|(era, _)| era.is_legacy()) {
        let answer = client.call(tool, arguments.clone()).await;
        assert_eq!(answer.status(), 200, "{era:?}");
        assert_eq!(answer.result(), &result_in(era, newest.result()), "{era:?}");
    }
    newest
}

/// A result of the newest revision as a client of `era` reads it.
pub(crate) fn result_in(era: Era, newest: &Value) -> Value {
    let mut result = newest.clone();
    let Some(members) = result.as_object_mut().filter(|_| era.is_legacy()) else { return result };
    assert_eq!(members.remove("resultType"), Some("complete".into()), "{era:?}");
    let meta = members["_meta"].as_object_mut().expect("an object");
    assert!(meta.remove("io.modelcontextprotocol/serverInfo").is_some(), "{era:?}");
    if meta.is_empty() {
        members.remove("_meta");
    }
    if era < Era::V2025_06_18 || !newest["structuredContent"].is_object() {
        members.remove("structuredContent");
    }
    result
}
