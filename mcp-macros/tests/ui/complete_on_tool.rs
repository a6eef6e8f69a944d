#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[complete(["Lisbon", "Porto"])] city: String) {}

fn main() {}
