#![allow(unused)]

use mcp_runtime::prelude::*;

struct Shop;

impl Shop {
    /// Refunds an order.
    #[tool]
    fn refund(order: String) -> String {
        order
    }
}

fn main() {}
