#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
///
/// # Arguments
///
/// * the name of the city
#[tool]
fn weather(city: String) -> String {
    city
}

fn main() {}
