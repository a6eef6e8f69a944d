//! Integration tests live in `tests/`, runs against real clients in `live/`.

/// The README's programs compile.
#[doc = include_str!("../../README.md")]
#[derive(Debug)]
pub struct Readme;
