#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
struct Query {
    text: String,
}

/// Searches.
#[tool]
fn search(Args(query): Args<Query>, limit: u32) -> String {
    query.text
}

fn main() {}
