#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[cfg(unix)] city: String) -> String {
    String::new()
}

fn main() {}
