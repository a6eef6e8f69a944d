#![allow(unused)]

use mcp_runtime::prelude::*;

/// Echoes.
#[tool]
fn echo<T: ToString, const N: usize>(value: T) -> String
where
    T: Clone,
{
    value.to_string()
}

fn main() {}
