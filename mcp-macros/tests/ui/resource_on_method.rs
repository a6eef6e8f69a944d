#![allow(unused)]

use mcp_runtime::prelude::*;

struct Shop;

impl Shop {
    /// An order.
    #[resource("orders://{id}")]
    fn order(&self, id: &str) -> String {
        String::new()
    }
}

fn main() {}
