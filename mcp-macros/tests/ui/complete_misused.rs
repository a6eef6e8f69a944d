#![allow(unused)]

use mcp_runtime::prelude::*;

async fn owners(value: String) -> Vec<String> {
    vec![value]
}

async fn count(_: CompletionRequest) -> usize {
    3
}

/// The function takes something else.
#[prompt]
fn one(#[complete(owners)] owner: String) -> String {
    owner
}

/// The function returns something else.
#[prompt]
fn two(#[complete(count)] owner: String) -> String {
    owner
}

fn main() {}
