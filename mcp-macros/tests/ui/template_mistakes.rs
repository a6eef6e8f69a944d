#![allow(unused)]

use mcp_runtime::prelude::*;

/// No scheme.
#[resource("orders/{id}")]
fn no_scheme(id: u64) -> String {
    String::new()
}

/// Not closed.
#[resource("orders://{id")]
fn open(id: u64) -> String {
    String::new()
}

/// An operator of RFC 6570 that is not supported.
#[resource("orders://{#id}")]
fn operator(id: u64) -> String {
    String::new()
}

/// A modifier.
#[resource("orders://{id*}")]
fn modifier(id: u64) -> String {
    String::new()
}

/// A name with a hyphen.
#[resource("orders://{order-id}")]
fn name(id: u64) -> String {
    String::new()
}

/// Twice.
#[resource("orders://{id}/{id}")]
fn twice(id: u64) -> String {
    String::new()
}

fn main() {}
