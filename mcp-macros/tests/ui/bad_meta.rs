#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(meta("io.modelcontextprotocol/x" = 1, "com.example/" = 2, "a" = [1], "b" = 1e999))]
fn weather() {}

fn main() {}
