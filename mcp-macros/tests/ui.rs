//! What a user reads after a mistake: one file per mistake in `ui/`, with the compiler's words beside it.
//!
//! `TRYBUILD=overwrite cargo test -p mcp-macros --test ui` writes the words anew; read them as a user would.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
