#![allow(unused)]

use mcp_runtime::prelude::*;

/// Reads memory.
#[tool]
fn peek(address: *const u8) -> String {
    String::new()
}

fn main() {}
