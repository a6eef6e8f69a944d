#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(name = "current weather")]
fn weather() {}

/// Size.
#[tool]
fn größe() {}

fn main() {}
