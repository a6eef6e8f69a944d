#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[arg(defualt = 1)] days: u8, #[arg(rename = "x")] y: u8) -> String {
    String::new()
}

fn main() {}
