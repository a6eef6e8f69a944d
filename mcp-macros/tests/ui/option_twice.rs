#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(title = "Weather", read_only, title = "The weather", tags("a", "a"))]
fn weather() {}

fn main() {}
