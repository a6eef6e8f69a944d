#![allow(unused)]

use mcp_runtime::prelude::*;

#[data]
fn weather() {}

fn main() {}
