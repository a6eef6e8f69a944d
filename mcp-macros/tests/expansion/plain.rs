/// Says hello.
#[tool]
pub async fn hello(
    /// Whom to greet.
    name: String,
    mut times: Option<u8>,
) -> String {
    format!("Hello, {name}!")
}
