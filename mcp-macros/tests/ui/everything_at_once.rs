#![allow(unused)]

use mcp_runtime::prelude::*;

/// Current weather.
///
/// # Arguments
///
/// * `citty` - City name.
#[tool(readonly, read_only, destructive, name = "the weather", timeout = "soon", scopes("a b"))]
async unsafe fn weather<T>(
    &self,
    city: &str,
    _: u8,
    #[arg(header = "Région", defualt)] region: Option<&str>,
    #[arg(default)] ctx: Context,
) -> impl std::fmt::Display {
    city
}

fn caller() -> impl Sized {
    // The function itself is still there, so this adds no error.
    let _ = weather::<u8>;
}

fn main() {}
