#![allow(unused)]

use mcp_runtime::prelude::*;

#[tool]
#[doc = include_str!("on_struct.rs")]
fn weather() {}

fn main() {}
