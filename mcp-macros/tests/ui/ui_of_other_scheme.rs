#![allow(unused)]

use mcp_runtime::prelude::*;

/// A page.
#[resource("https://example.com/card", ui(prefers_border))]
fn card() -> String {
    String::new()
}

/// Another page.
#[resource("ui://weather/card", mime_type = "text/html")]
fn other() -> String {
    String::new()
}

/// A page that may load too much.
#[resource("ui://weather/map", ui(connect("*"), permissions(camra)))]
fn map() -> String {
    String::new()
}

fn main() {}
