#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
///
/// # Arguments
///
/// * `ctiy` - City name.
/// * `ctx` - The context.
#[tool]
fn weather(city: String, ctx: Context) -> String {
    city
}

fn main() {}
