#![allow(unused)]

use mcp_runtime::prelude::*;

/// Texts only.
#[prompt]
fn review(files: Vec<String>, #[schemars(range(min = 1))] depth: u8, #[serde(flatten)] rest: Rest) -> String {
    String::new()
}

#[data]
struct Rest {
    a: u8,
}

fn main() {}
