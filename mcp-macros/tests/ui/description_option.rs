#![allow(unused)]

use mcp_runtime::prelude::*;

#[tool(description = "Current weather.")]
fn weather() {}

fn main() {}
