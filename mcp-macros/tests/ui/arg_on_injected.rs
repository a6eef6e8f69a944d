#![allow(unused)]

use mcp_runtime::prelude::*;

struct Tenant;

/// Refunds an order.
#[tool]
fn refund(
    #[arg(default)] ctx: Context,
    #[inject]
    #[serde(default)]
    #[schemars(title = "Tenant")]
    tenant: Tenant,
) -> String {
    String::new()
}

fn main() {}
