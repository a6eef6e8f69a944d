#![allow(unused)]

use mcp_runtime::prelude::*;

/// Takes long.
#[tool(task)]
fn slow() {}

/// Takes longer.
#[tool(task = "deferred")]
async fn slower(ctx: State<u8>) {}

/// Takes longest.
#[tool(task = "always")]
async fn slowest() {}

fn main() {}
