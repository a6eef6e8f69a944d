#![allow(unused)]

use mcp_runtime::prelude::*;

struct Failure;

/// Forecasts.
#[tool]
async fn forecast() -> Result<String, Failure> {
    Err(Failure)
}

fn main() {}
