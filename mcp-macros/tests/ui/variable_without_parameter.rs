#![allow(unused)]

use mcp_runtime::prelude::*;

/// A file.
#[resource("repo://{owner}/{+path}")]
fn file(ower: String, path: String) -> String {
    path
}

fn main() {}
