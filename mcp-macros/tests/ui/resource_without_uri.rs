#![allow(unused)]

use mcp_runtime::prelude::*;

/// An order.
#[resource(title = "Order")]
fn order() -> String {
    String::new()
}

/// Another.
#[resource(uri = "orders://all")]
fn orders() -> String {
    String::new()
}

/// A third.
#[resource]
fn last() -> String {
    String::new()
}

const URI: &str = "orders://constant";

/// A fourth.
#[resource(URI, title = "Constant")]
fn constant() -> String {
    String::new()
}

fn main() {}
