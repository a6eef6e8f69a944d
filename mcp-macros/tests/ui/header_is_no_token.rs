#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[arg(header = "The Region")] region: String) -> String {
    region
}

fn main() {}
