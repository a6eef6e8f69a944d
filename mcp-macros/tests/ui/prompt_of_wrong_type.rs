#![allow(unused)]

use mcp_runtime::prelude::*;

/// Review a piece of code.
#[prompt]
fn review(code: String) -> u32 {
    3
}

/// Review it by something that is no argument.
#[prompt]
fn other(code: std::time::Instant) -> String {
    String::new()
}

fn main() {}
