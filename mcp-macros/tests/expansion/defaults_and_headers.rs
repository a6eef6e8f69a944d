/// Current weather.
///
/// # Arguments
///
/// * `city` - City name.
#[tool]
fn weather(
    city: String,
    #[arg(default = 1)]
    #[schemars(range(min = 1, max = 14))]
    days: u8,
    #[arg(default = "metric", header = "Units")] units: String,
    #[arg(default, name = "lang")] r#type: Option<String>,
    #[serde(rename = "zone")] time_zone: Option<String>,
) -> String {
    String::new()
}
