#![allow(unused)]

use mcp_runtime::prelude::*;

/// Does much.
#[tool]
unsafe extern "C" fn much() {}

/// Does little.
#[tool]
const fn little() {}

fn main() {}
