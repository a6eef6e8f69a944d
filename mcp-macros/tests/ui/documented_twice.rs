#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
///
/// # Arguments
///
/// * `city` - City name.
#[tool]
fn weather(
    /// The name of the city.
    city: String,
) -> String {
    city
}

fn main() {}
