#![allow(unused)]

use mcp_runtime::prelude::*;

use std::rc::Rc;

/// Current weather.
#[tool]
async fn weather(city: String) -> String {
    let shared = Rc::new(city);
    std::future::ready(()).await;
    shared.to_string()
}

fn main() {}
