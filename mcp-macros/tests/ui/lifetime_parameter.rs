#![allow(unused)]

use mcp_runtime::prelude::*;

/// Echoes.
#[tool]
fn echo<'a>(text: &'a str) -> &'a str {
    text
}

fn main() {}
