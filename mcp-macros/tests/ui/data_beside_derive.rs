#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
#[derive(Debug, serde::Serialize)]
struct Forecast {
    text: String,
}

fn main() {}
