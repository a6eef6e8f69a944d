#![allow(unused)]

use mcp_runtime::prelude::*;

/// Review a piece of code.
#[prompt(read_only)]
fn review(#[arg(header = "Language")] language: String) -> String {
    language
}

fn main() {}
