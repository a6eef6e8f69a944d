#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
union Either {
    a: u8,
    b: u8,
}

fn main() {}
