#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool(name = "a_name_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on")]
fn weather() {}

fn main() {}
