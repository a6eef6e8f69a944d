#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[arg(header = "Region")] region: String, #[arg(header = "region")] area: String) -> String {
    region + &area
}

fn main() {}
