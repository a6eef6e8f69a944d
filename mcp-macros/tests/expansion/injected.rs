/// Refunds an order.
#[tool]
async fn refund(
    order: OrderId,
    shop: State<Shop>,
    caller: Option<Principal>,
    #[inject] tenant: Tenant,
    ctx: Context,
) -> Result<String, ToolError> {
    shop.refund(order).await
}
