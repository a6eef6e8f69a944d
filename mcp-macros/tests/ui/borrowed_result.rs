#![allow(unused)]

use mcp_runtime::prelude::*;

/// Lists things.
#[tool]
fn list(mut text: String) -> Result<&str, ToolError> {
    Ok("a")
}

fn main() {}
