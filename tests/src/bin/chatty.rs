//! A server whose tools print, read, and start programs that do: what the protocol's streams must withstand.

use std::io::Read as _;

use mcp_runtime::prelude::*;

/// Print to standard output, here and in a child.
#[tool]
#[expect(clippy::print_stdout, reason = "the point")]
fn print() -> &'static str {
    println!("from the tool");
    print!("without a line break");
    let child = std::process::Command::new("sh").args(["-c", "echo from the child"]).status();
    if child.is_ok_and(|status| status.success()) { "printed" } else { "no child" }
}

/// Read standard input, here and in a child; say how many bytes came.
#[tool]
fn read() -> Result<usize, ToolError> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let child = std::process::Command::new("sh").args(["-c", "cat"]).output()?;
    Ok(text.len() + child.stdout.len())
}

/// Ends when the process is told to.
#[cfg(unix)]
#[tool]
async fn linger(ctx: Context) -> Result<&'static str, ToolError> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    ctx.progress(0.0, 1.0, "ready");
    terminate.recv().await;
    Ok("told to stop")
}

/// Never ends.
#[tool]
async fn wait() {
    std::future::pending::<()>().await;
}

/// With `--log-to-stdout` the log goes where an unsuspecting author sends it.
#[tokio::main]
async fn main() -> mcp_runtime::Result<()> {
    if std::env::args().any(|argument| argument == "--log-to-stdout") {
        tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).init();
    }
    Server::new("chatty", "0").stdio().await
}
