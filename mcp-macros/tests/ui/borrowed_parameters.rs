#![allow(unused)]

use mcp_runtime::prelude::*;

use std::borrow::Cow;
use std::path::Path;

/// Searches.
#[tool]
fn search(
    text: &str,
    tags: &[String],
    language: Option<&str>,
    title: Cow<'_, str>,
    folder: &Path,
    api: &State<u8>,
) -> String {
    String::new()
}

fn main() {}
