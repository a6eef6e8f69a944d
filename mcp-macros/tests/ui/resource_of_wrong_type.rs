#![allow(unused)]

use mcp_runtime::prelude::*;

/// An order.
#[resource("orders://{id}")]
fn order(id: u64) -> u64 {
    id
}

/// An order whose id can not be read.
#[resource("others://{id}")]
fn other(id: std::time::Instant) -> String {
    String::new()
}

struct Failure;

/// An order whose error is none.
#[resource("failing://{id}")]
fn failing(id: u64) -> Result<String, Failure> {
    Err(Failure)
}

fn main() {}
