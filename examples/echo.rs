//! The smallest server: one tool that says back what it is told.
//!
//! `cargo run --example echo -- --addr 127.0.0.1:8000`, or `-- --stdio` for a client that starts it itself.

use mcp_runtime::prelude::*;

/// What was said.
#[data(output)]
struct Echoed {
    #[serde(rename = "Echo")]
    echo: String,
}

/// Say back what you are told.
#[tool(read_only, idempotent, open_world = false)]
fn echo(
    /// What to say back.
    message: String,
) -> Json<Echoed> {
    Json(Echoed { echo: message })
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is for the person who started the example")]
async fn main() -> mcp_runtime::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let server = Server::new("echo", env!("CARGO_PKG_VERSION"));
    let Some(address) = address() else { return server.stdio().await };
    let server = server.bind(address).await?;
    let url = server.url();
    println!("MCP server at {url}");
    println!("Tools: {}", server.tools().collect::<Vec<_>>().join(", "));
    println!("\nTry it:\n\n{}\n", try_it(&url));
    server.run().await
}

/// `--addr HOST:PORT`, or where nothing else listens by habit; `None` for `--stdio`.
fn address() -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => Some("127.0.0.1:8000".to_owned()),
        (Some("--addr"), Some(address), None) => Some(address),
        (Some("--stdio"), None, None) => None,
        (asked, ..) => {
            eprintln!("usage: echo [--addr HOST:PORT | --stdio], 127.0.0.1:8000 unless told otherwise");
            std::process::exit(if asked == Some("--help") { 0 } else { 2 })
        }
    }
}

/// One line to paste into a shell.
fn try_it(url: &str) -> String {
    let meta =
        r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let params = format!(r#"{{"name":"echo","arguments":{{"message":"hi"}},{meta}}}"#);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let headers =
        ["content-type: application/json", "mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: echo"];
    let headers: String = headers.iter().map(|header| format!(" -H '{header}'")).collect();
    format!("curl -s {url}{headers} -d '{body}'")
}
