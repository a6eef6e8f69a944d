//! The fixture of the official conformance suite: the tools, prompts and resources that it calls by name.
//!
//! `cargo run --example everything --features full -- 127.0.0.1:8001`, or `-- --stdio`

mod everything {
    pub(crate) mod asking;
    pub(crate) mod prompts;
    pub(crate) mod resources;
    pub(crate) mod tasks;
}

use std::borrow::Cow;
use std::time::Duration;

use mcp_runtime::prelude::*;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A picture of one pixel.
pub(crate) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\rIDATx\xdac\xfc\xcf\xc0\xf0\x1f\0\x05\x05\x02\0_\xc8\xf1\xd2\0\0\0\0IEND\xaeB`\x82";

/// A sound of one sample.
const WAV: &[u8] = b"RIFF&\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0@\x1f\0\0\0}\0\0\x02\0\x10\0data\x02\0\0\0\0\0";

/// Answers with text.
#[tool]
fn test_simple_text() -> &'static str {
    "This is a simple text response for testing."
}

/// Answers with a picture.
#[tool]
fn test_image_content() -> Image {
    Image::png(PNG)
}

/// Answers with a sound.
#[tool]
fn test_audio_content() -> Audio {
    Audio::new(WAV, "audio/wav")
}

/// Answers with a resource and its contents.
#[tool]
fn test_embedded_resource() -> EmbeddedResource {
    EmbeddedResource::text("test://embedded-resource", "This is an embedded resource content.").mime_type("text/plain")
}

/// Answers with text, a picture and a resource.
#[tool]
fn test_multiple_content_types() -> Vec<Content> {
    let resource = EmbeddedResource::text("test://mixed-content-resource", r#"{"test":"data","value":123}"#);
    vec!["Multiple content types test:".into(), Image::png(PNG).into(), resource.mime_type("application/json").into()]
}

/// Reports progress while it works.
#[tool]
async fn test_tool_with_progress(ctx: Context) -> &'static str {
    for done in [0.0, 50.0, 100.0] {
        ctx.progress(done, 100.0, "");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    "Three steps done."
}

/// Answers with a list: structured content that is no object, which clients before 2026-07-28 do not take.
#[tool]
fn test_list_output() -> Json<Vec<u32>> {
    Json(vec![1, 2, 3])
}

/// Answers with a link to a resource, which clients before 2025-06-18 do not know.
#[tool(title = "A link")]
fn test_resource_link() -> ResourceLink {
    ResourceLink::new("test://static-text", "static-text").mime_type("text/plain")
}

/// Fails, and says so.
#[tool]
fn test_error_handling() -> Result<(), ToolError> {
    Err(ToolError::user("This tool intentionally returns an error for testing"))
}

/// Has an argument that clients mirror into a header.
#[tool]
fn test_x_mcp_header(#[arg(header = "Region")] region: Option<String>, level: Option<i64>) -> String {
    format!("region {region:?}, level {level:?}")
}

/// Needs a client that can sample.
#[tool(requires(sampling))]
fn test_missing_capability() -> &'static str {
    "The client can sample."
}

/// Tells listeners that the tools changed.
#[tool]
fn test_trigger_tool_change(ctx: Context) -> &'static str {
    ctx.notify().tools_changed();
    "Told those who listen."
}

/// Tells listeners that the prompts changed.
#[tool]
fn test_trigger_prompt_change(ctx: Context) -> &'static str {
    ctx.notify().prompts_changed();
    "Told those who listen."
}

/// Tells subscribers that the watched resource changed.
#[tool]
fn test_trigger_resource_update(ctx: Context) -> &'static str {
    ctx.notify().resource_updated("test://watched-resource");
    "Told those who subscribed."
}

/// Lets go of the connection, and answers a client that comes back.
#[tool]
async fn test_reconnection(ctx: Context) -> &'static str {
    ctx.close_stream(Duration::from_millis(100));
    tokio::time::sleep(Duration::from_millis(150)).await;
    "The client came back."
}

/// Answers without asking anything.
#[tool]
fn test_streaming_elicitation() -> &'static str {
    "Nothing to ask."
}

/// Logs to clients that ask for it.
#[tool]
fn test_logging_tool(ctx: Context) -> &'static str {
    ctx.log(LogLevel::Info, "The logging tool was called");
    "Logged to those who asked."
}

/// Logs while it works.
#[tool]
async fn test_tool_with_logging(ctx: Context) -> &'static str {
    for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        ctx.log(LogLevel::Info, message);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    "Three messages logged."
}

/// Arguments whose schema uses what JSON Schema 2020-12 has.
struct Contact(serde_json::Value);

impl<'de> serde::Deserialize<'de> for Contact {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Contact {
    fn schema_name() -> Cow<'static, str> {
        "Contact".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "$defs": {
                "address": {
                    "$anchor": "addressDef",
                    "type": "object",
                    "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
                },
            },
            "properties": {
                "name": { "type": "string" },
                "address": { "$ref": "#/$defs/address" },
                "contactMethod": { "type": "string", "enum": ["phone", "email"] },
                "phone": { "type": "string" },
                "email": { "type": "string" },
            },
            "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
            "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
            "then": { "required": ["phone"] },
            "else": { "required": ["email"] },
            "additionalProperties": false,
        })
    }
}

/// Takes a person's name and how to reach them.
#[tool]
fn json_schema_2020_12_tool(Args(contact): Args<Contact>) -> String {
    format!("noted: {}", contact.0)
}

#[tokio::main]
async fn main() -> mcp_runtime::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let server = Server::new("everything", env!("CARGO_PKG_VERSION"))
        .instructions("Fixtures: every tool says what it does.")
        .client_logging()
        .list_changes()
        .resource_updates();
    match std::env::args().nth(1).as_deref() {
        Some("--stdio") => server.stdio().await,
        address => server.serve(address.unwrap_or("127.0.0.1:8001")).await,
    }
}
