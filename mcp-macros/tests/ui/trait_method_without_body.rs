#![allow(unused)]

use mcp_runtime::prelude::*;

trait Shop {
    /// Refunds an order.
    #[tool]
    fn refund(order: String) -> String;
}

fn main() {}
