#![allow(unused)]

use mcp_runtime::prelude::*;

/// Hashes.
#[tool(read_only, timeout = "10s")]
fn hash(text: String) -> String {
    text
}

/// Hashes elsewhere.
#[tool(blocking, timeout = "10s")]
fn hash_elsewhere(text: String) -> String {
    text
}

fn main() {}
