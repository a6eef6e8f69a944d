#![allow(unused)]

use mcp_runtime::prelude::*;

struct Place {
    city: String,
}

/// Current weather.
#[tool]
fn weather(place: Place) -> String {
    place.city
}

fn main() {}
