#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(city: String, #[arg(name = "city")] place: String) -> String {
    city + &place
}

fn main() {}
