//! Serves the process that started this one.

use std::io::{Read, Write};
use std::sync::Arc;

use super::serve::interruption;
use super::{Built, Reach, Server};
use crate::error::{Error, Result};
use crate::transport::stdio;

impl Server {
    /// Serves standard input and output, one JSON-RPC message per line, until the input ends or SIGINT or SIGTERM comes: for
    /// clients that start the server themselves. Clients of every revision are served, on the same pipe as well.
    ///
    /// The streams are taken over: on Unix, `println!` in a tool goes to standard error, as do the children's outputs, and
    /// standard input is empty for them. Before, and on other systems, nothing must print to standard output. A call that still runs at
    /// the end may end within two seconds; [tasks](crate::tasks) that still run have failed.
    ///
    /// No credential comes over a pipe, so [`auth`](Self::auth) is not asked; the caller is
    /// [`stdio_principal`](Self::stdio_principal).
    ///
    /// # Errors
    /// The configuration is not right, or the streams can not be taken.
    pub async fn stdio(self) -> Result<()> {
        let principal = self.stdio_principal.clone();
        // First of all: what a log writes to standard output, it must not write into the conversation.
        let (input, output) = stdio::take_standard().map_err(Error::Stdio)?;
        let Built { endpoint } = self.build_for(Reach::Pipe)?;
        tracing::info!(target: "mcp_runtime::server", "serving standard input and output");
        let shutdown = endpoint.shutdown.clone();
        let interrupted = interruption()?;
        let mut served = std::pin::pin!(async {
            let served = stdio::serve(Arc::clone(&endpoint), principal, input, output).await;
            // The process ends now, and its tasks with it: who looks into their store later shall read so.
            if endpoint.tasks.abandon() > 0 {
                endpoint.tasks.said_so().await;
            }
            served
        });
        tokio::select! {
            served = &mut served => return served.map_err(Error::Stdio),
            () = interrupted => {}
        }
        let again = interruption()?;
        shutdown.cancel();
        tokio::select! {
            served = served => served.map_err(Error::Stdio),
            // Whoever asks twice does not want to wait.
            () = again => Ok(()),
        }
    }

    /// As [`stdio`](Self::stdio), over any pair of byte streams: a Unix socket, or a pipe of a test. Serves until `input`
    /// ends, or `output` takes no more.
    ///
    /// Not for the process's own standard streams: `stdio` keeps what tools and their children print and read apart, and this does
    /// not. Both are used by threads of their own. A read that blocks does so until something comes, also when this future is
    /// dropped.
    ///
    /// # Errors
    /// The configuration is not right, or the threads can not be started.
    pub async fn serve_lines(self, input: impl Read + Send + 'static, output: impl Write + Send + 'static) -> Result<()> {
        let principal = self.stdio_principal.clone();
        let built = self.build_for(Reach::Pipe)?;
        stdio::serve(built.endpoint, principal, input, output).await.map_err(Error::Stdio)
    }
}
