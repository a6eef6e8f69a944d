#![allow(unused)]

use mcp_runtime::prelude::*;

/// Hashes.
#[tool(blocking)]
async fn hash(text: String) -> String {
    text
}

fn main() {}
