#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(readonly, tag("weather"), zzz)]
fn weather() {}

fn main() {}
