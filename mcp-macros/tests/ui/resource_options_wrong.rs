#![allow(unused)]

use mcp_runtime::prelude::*;

/// Unknown names in `unchecked`.
#[resource("repo://{+path}", unchecked("pth"))]
fn file(path: String) -> String {
    path
}

/// Contradictory caching.
#[resource("a://b", cache(public, ttl = "1m"), scopes("a:read"))]
fn shared() -> String {
    String::new()
}

/// No time.
#[resource("a://c", cache(private))]
fn forever() -> String {
    String::new()
}

/// Wrong hints.
#[resource("a://d", annotations(audience(everyone), priority = 2))]
fn hints() -> String {
    String::new()
}

fn main() {}
