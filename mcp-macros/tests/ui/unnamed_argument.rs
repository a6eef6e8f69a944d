#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(_: String) -> String {
    String::new()
}

fn main() {}
