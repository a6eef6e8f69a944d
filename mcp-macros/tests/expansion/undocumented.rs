#[tool]
#[allow(unused)]
fn ping(#[serde(flatten)] rest: Rest) -> &'static str {
    "pong"
}
