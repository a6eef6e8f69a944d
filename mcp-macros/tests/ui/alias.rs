#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(#[serde(default, alias = "town")] city: String) -> String {
    city
}

#[data]
struct Query {
    #[arg(header = "Region")]
    #[serde(alias = "area")]
    region: String,
    #[serde(alias = "words")]
    text: String,
}

fn main() {}
