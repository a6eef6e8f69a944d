#[derive(
    ::mcp_runtime::__private::serde::Serialize,
    ::mcp_runtime::__private::serde::Deserialize,
    ::mcp_runtime::__private::schemars::JsonSchema
)]
#[serde(crate = "::mcp_runtime::__private::serde")]
#[schemars(crate = "::mcp_runtime::__private::schemars")]
/// What to look for.
#[derive(Debug)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// Words.
    pub text: String,
    #[serde(default = "__default_Query_limit")]
    #[schemars(extend("x-mcp-header" = "Limit"))]
    pub limit: u32,
    #[serde(default)]
    #[serde(rename = "from")]
    pub start: Option<u64>,
}
#[doc(hidden)]
#[allow(non_snake_case, clippy::unnecessary_wraps)]
fn __default_Query_limit() -> u32 {
    10
}
#[derive(
    ::mcp_runtime::__private::serde::Serialize,
    ::mcp_runtime::__private::schemars::JsonSchema
)]
#[serde(crate = "::mcp_runtime::__private::serde")]
#[schemars(crate = "::mcp_runtime::__private::schemars")]
enum Answer {
    None,
    Some { #[serde(default = "__default_Answer_Some_text")] text: String },
}
#[doc(hidden)]
#[allow(non_snake_case, clippy::unnecessary_wraps)]
fn __default_Answer_Some_text() -> String {
    ::core::convert::Into::into("x")
}
#[derive(
    crate::mcp::__private::serde::Deserialize,
    crate::mcp::__private::schemars::JsonSchema
)]
#[serde(crate = "crate::mcp::__private::serde")]
#[schemars(crate = "crate::mcp::__private::schemars")]
struct Id(u64);
