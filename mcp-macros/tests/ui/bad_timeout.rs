#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(timeout = "0s")]
fn weather() {}

/// A forecast.
#[tool(timeout = "10 minutes")]
fn forecast() {}

fn main() {}
