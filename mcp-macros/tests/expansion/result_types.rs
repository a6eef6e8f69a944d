/// Structured.
#[tool]
async fn structured() -> Result<Json<Forecast>, std::io::Error> {
    todo!()
}

/// A number.
#[tool]
fn number() -> u64 {
    1
}
