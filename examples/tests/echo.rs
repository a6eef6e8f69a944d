//! What the echo example offers. The committed list is the review: a change of it is a change of what clients see.

#[path = "../echo.rs"]
#[expect(dead_code, reason = "the example's `main` is not run here")]
mod echo;

use mcp_runtime::prelude::*;
use mcp_runtime::testing::Client;
use serde_json::{Value, json};

#[tokio::test]
async fn the_list_of_tools_is_the_committed_one() {
    let tools = Client::new(&Server::new("echo", "0")).tools().await;
    let shown = serde_json::to_string_pretty(&tools).expect("JSON") + "\n";
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/echo.tools.json");
    if std::env::var_os("UPDATE_LISTS").is_some() {
        std::fs::write(committed, &shown).expect("written");
    }
    let expected = std::fs::read_to_string(committed).expect("the committed list");
    assert_eq!(shown, expected, "run with UPDATE_LISTS=1 if this is meant");
}

#[tokio::test]
async fn it_says_back_what_it_is_told() {
    let answer = Client::new(&Server::new("echo", "0")).call("echo", json!({ "message": "hi" })).await;
    assert_eq!(answer.structured(), &json!({ "Echo": "hi" }));
    assert_eq!(answer.text().parse::<Value>().expect("JSON"), json!({ "Echo": "hi" }));
}
