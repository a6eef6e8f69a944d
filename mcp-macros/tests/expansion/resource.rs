/// An order as JSON.
#[resource("orders://{id}{?format}", mime_type = "application/json", cache(private, ttl = "30s"), unchecked("id"), timeout = "1s")]
async fn order(
    id: OrderId,
    #[complete(formats)] format: Option<String>,
    shop: State<Shop>,
    ctx: Context,
) -> Result<Json<Order>, ResourceError> {
    shop.find(id).await?.map(Json).ok_or(ResourceError::NotFound)
}

/// A page.
#[resource(
    "ui://weather/card",
    ui(connect("https://api.example.com"), prefers_border),
    annotations(audience(user), priority = 0.5)
)]
fn card() -> &'static str {
    include_str!("card.html")
}
