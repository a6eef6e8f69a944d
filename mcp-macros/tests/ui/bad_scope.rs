#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(scopes("weather:read weather:write", "say\"so", ""))]
fn weather() {}

fn main() {}
