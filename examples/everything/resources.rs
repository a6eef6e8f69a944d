//! Resources: fixed ones, a template, and one that clients watch.

use mcp_runtime::prelude::*;

/// A text that never changes.
#[resource("test://static-text", mime_type = "text/plain", cache(public, ttl = "1h"))]
fn static_text() -> &'static str {
    "This is the content of the static text resource."
}

/// A picture of one pixel.
#[resource("test://static-binary", mime_type = "image/png")]
fn static_binary() -> &'static [u8] {
    crate::PNG
}

/// What a template's URI is made of.
#[data(output)]
struct Templated {
    id: String,
    #[serde(rename = "templateTest")]
    template_test: bool,
    data: String,
}

/// Data by id.
#[resource("test://template/{id}/data", mime_type = "application/json")]
fn templated(#[complete(["123", "124", "200"])] id: String) -> Json<Templated> {
    let data = format!("Data for ID: {id}");
    Json(Templated { id, template_test: true, data })
}

/// A resource that `test_trigger_resource_update` says has changed.
#[resource("test://watched-resource", mime_type = "text/plain")]
fn watched() -> &'static str {
    "Watched."
}
