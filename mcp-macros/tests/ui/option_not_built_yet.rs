#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(task, ui)]
fn weather() {}

fn main() {}
