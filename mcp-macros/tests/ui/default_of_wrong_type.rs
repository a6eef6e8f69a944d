#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[arg(default = "one")] days: u8, #[arg(default = 1.5)] hours: u8) -> String {
    String::new()
}

fn main() {}
