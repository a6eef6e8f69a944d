#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
struct Query {
    text: String,
}

/// Searches.
#[tool]
fn search(#[arg(default)] Args(query): Args<Query>) -> String {
    query.text
}

fn main() {}
