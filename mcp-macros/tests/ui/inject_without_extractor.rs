#![allow(unused)]

use mcp_runtime::prelude::*;

struct Tenant;

/// Current weather.
#[tool]
async fn weather(city: String, #[inject] tenant: Tenant) -> String {
    city
}

fn main() {}
