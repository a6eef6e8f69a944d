#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[args(default = 1)] days: u8, #[injected] y: u8) -> String {
    String::new()
}

fn main() {}
