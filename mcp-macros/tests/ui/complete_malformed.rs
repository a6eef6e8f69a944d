#![allow(unused)]

use mcp_runtime::prelude::*;

/// Not a list.
#[prompt]
fn one(#[complete("rust", "python")] language: String, #[complete] other: String) -> String {
    language
}

/// Not for the server's own values, nor for structs.
#[prompt]
fn two(#[complete(["a"])] ctx: Context) -> String {
    String::new()
}

fn main() {}
