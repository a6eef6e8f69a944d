#![allow(unused)]

use mcp_runtime::prelude::*;

#[deny(deprecated)]
mod strict {
    use super::*;

    #[resource("orders://all")]
    fn orders() -> String {
        String::new()
    }

    #[prompt]
    fn review() -> String {
        String::new()
    }
}

fn main() {}
