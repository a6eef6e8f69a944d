#![allow(unused)]

use mcp_runtime::prelude::*;

struct Shop;

#[tool]
impl Shop {
    fn refund(order: String) -> String {
        order
    }
}

fn main() {}
