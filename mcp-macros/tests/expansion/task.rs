/// Takes its time.
#[tool(task = "required", ui = "ui://weather/card", meta("a" = 1))]
async fn slow(caller: Option<Principal>) {}
