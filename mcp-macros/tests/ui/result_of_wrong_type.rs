#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
struct Forecast {
    text: String,
}

/// Forecasts.
#[tool]
fn forecasts() -> Vec<Forecast> {
    Vec::new()
}

fn main() {}
