#![deny(deprecated)]

use mcp_runtime::prelude::*;

#[tool]
fn weather(city: String) -> String {
    city
}

fn main() {}
