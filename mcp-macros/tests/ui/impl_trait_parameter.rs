#![allow(unused)]

use mcp_runtime::prelude::*;

/// Echoes.
#[tool]
fn echo(text: impl Into<String>) -> String {
    text.into()
}

fn main() {}
