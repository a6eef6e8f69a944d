#![allow(unused)]

use mcp_runtime::prelude::*;

struct Shop;

impl Shop {
    /// Refunds an order.
    #[tool]
    fn refund(&self, order: String) -> String {
        order
    }
}

fn main() {}
