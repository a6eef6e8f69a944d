#![allow(unused)]

use mcp_runtime::prelude::*;

#[tool]
struct Query {
    text: String,
}

fn main() {}
