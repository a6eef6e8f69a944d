#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
struct Query {
    #[arg(header = "Ratio")]
    ratio: f64,
    #[arg(defualt)]
    limit: u32,
}

#[data]
struct Id(#[arg(default)] u64);

fn main() {}
