#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(name = weather, read_only = "yes", tags = "weather", timeout = 10, max_result_bytes = "1 MB", hidden(true), scopes(), meta("a"), crate = "mcp")]
fn weather() {}

fn main() {}
