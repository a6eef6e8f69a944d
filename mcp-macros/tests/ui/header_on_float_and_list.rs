#![allow(unused)]

use mcp_runtime::prelude::*;

use std::collections::HashMap;

/// Current weather.
#[tool]
fn weather(
    #[arg(header = "Latitude")] latitude: f64,
    #[arg(header = "Height")] height: Option<f32>,
    #[arg(header = "Days")] days: Vec<u8>,
    #[arg(header = "Units")] units: HashMap<String, String>,
) -> String {
    String::new()
}

fn main() {}
