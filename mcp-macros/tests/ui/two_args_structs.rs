#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
struct Query {
    text: String,
}

/// Searches.
#[tool]
fn search(Args(a): Args<Query>, Args(b): Args<Query>) -> String {
    a.text + &b.text
}

fn main() {}
