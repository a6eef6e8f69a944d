#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(requires(elicit, samplings, progress))]
fn weather() {}

fn main() {}
