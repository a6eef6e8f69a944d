#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(icons("http://example.com/icon.png", "javascript:alert(1)"))]
fn weather() {}

fn main() {}
