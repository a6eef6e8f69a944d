#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(ui = "https://example.com/card")]
fn weather() {}

/// Tomorrow's weather.
#[tool(ui)]
fn forecast() {}

fn main() {}
