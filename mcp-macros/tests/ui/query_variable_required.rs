#![allow(unused)]

use mcp_runtime::prelude::*;

/// Orders.
#[resource("orders://all{?page}")]
fn orders(page: u32) -> String {
    String::new()
}

fn main() {}
