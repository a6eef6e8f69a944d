#![allow(unused)]

use mcp_runtime::prelude::*;

/// Lists things.
#[tool]
fn list() -> impl std::fmt::Display {
    "a"
}

fn main() {}
