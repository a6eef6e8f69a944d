#![allow(unused)]

use std::collections::HashMap;

use mcp_runtime::prelude::*;

/// Current weather.
#[tool]
fn weather(
    #[schemars(range(min = 1))] city: String,
    #[schemars(length(max = 5), range(max = 9))] days: Option<Vec<u8>>,
    #[schemars(length(max = 5))] hour: u8,
    #[schemars(regex(pattern = "^a"))] places: Vec<String>,
    #[schemars(range(max = 2))] detailed: bool,
    #[schemars(length(max = 5))] labels: HashMap<String, String>,
    #[schemars(inner(range(max = 5)))] hours: Vec<u8>,
    #[schemars(with = "String", length(max = 5))] zone: u64,
) -> String {
    city
}

fn main() {}
