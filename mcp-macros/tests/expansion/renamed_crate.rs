/// Renamed.
#[tool(crate = ::my_mcp)]
fn renamed(Args(q): Args<Query>) {}
