#![allow(unused)]

use mcp_runtime::prelude::*;

/// Forgets.
#[tool(read_only, destructive = true)]
fn forget() {}

fn main() {}
