#![allow(unused)]

use mcp_runtime::prelude::*;

struct Point {
    x: u8,
    y: u8,
}

/// Measures.
#[tool]
fn measure((a, b): (u8, u8), Point { x, y }: Point) -> String {
    format!("{a}{b}{x}{y}")
}

fn main() {}
