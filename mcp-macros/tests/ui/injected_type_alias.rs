#![allow(unused)]

use mcp_runtime::prelude::*;

struct Api;

type ApiState = State<Api>;

/// Current weather.
#[tool]
async fn weather(city: String, api: ApiState) -> String {
    city
}

fn main() {}
