//! rmcp's Streamable HTTP server as its own documentation sets it up, without sessions and with JSON answers.

use std::{error::Error, sync::Arc};

use axum::{Router, serve::ListenerExt};
use rmcp::{
    ServerHandler,
    handler::server::{tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager},
};

include!("../../shared/servers.rs");

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Echo {
    message: String,
}

/// `echo` alone.
#[derive(Clone)]
struct One;

#[tool_router]
impl One {
    #[tool(description = "Echo a message.")]
    async fn echo(&self, Parameters(Echo { message }): Parameters<Echo>) -> String {
        message
    }
}

#[tool_handler(name = "bench", version = "0")]
impl ServerHandler for One {}

/// `echo` and its company.
#[derive(Clone)]
struct Many;

macro_rules! many {
    ($($name:ident)*) => {
        #[tool_router]
        impl Many {
            #[tool(description = "Echo a message.")]
            async fn echo(&self, Parameters(Echo { message }): Parameters<Echo>) -> String {
                message
            }

            $(
                #[tool(description = "Echo a message, like its neighbours.")]
                async fn $name(&self, Parameters(Echo { message }): Parameters<Echo>) -> String {
                    message
                }
            )*
        }
    };
}
with_company!(many);

#[tool_handler(name = "bench", version = "0")]
impl ServerHandler for Many {}

/// The same tools for `--kept-router`: rmcp's default builds the router anew for every call, this keeps one.
#[derive(Clone)]
struct Kept<S: 'static> {
    tools: S,
    router: Arc<ToolRouter<Self>>,
}

#[tool_router(router = one_kept)]
impl Kept<One> {
    #[tool(description = "Echo a message.")]
    async fn echo(&self, parameters: Parameters<Echo>) -> String {
        self.tools.echo(parameters).await
    }
}

#[tool_handler(router = self.router, name = "bench", version = "0")]
impl ServerHandler for Kept<One> {}

macro_rules! many_kept {
    ($($name:ident)*) => {
        #[tool_router(router = many_kept)]
        impl Kept<Many> {
            #[tool(description = "Echo a message.")]
            async fn echo(&self, parameters: Parameters<Echo>) -> String {
                self.tools.echo(parameters).await
            }

            $(
                #[tool(description = "Echo a message, like its neighbours.")]
                async fn $name(&self, parameters: Parameters<Echo>) -> String {
                    self.tools.$name(parameters).await
                }
            )*
        }
    };
}
with_company!(many_kept);

#[tool_handler(router = self.router, name = "bench", version = "0")]
impl ServerHandler for Kept<Many> {}

/// Revision 2026-07-28 knows no sessions; the switches settle the older ones and ask for JSON where there is a choice.
fn router<S: ServerHandler + Clone + Sync>(server: S) -> Router {
    let config = StreamableHttpServerConfig::default().with_legacy_session_mode(false).with_json_response(true);
    let service = StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config);
    Router::new().nest_service("/mcp", service)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_command_line()?;
    options.allow(&["--kept-router"])?;

    let app = match (options.many, options.has("--kept-router")) {
        (false, false) => router(One),
        (true, false) => router(Many),
        (false, true) => router(Kept { tools: One, router: Arc::new(Kept::one_kept()) }),
        (true, true) => router(Kept { tools: Many, router: Arc::new(Kept::many_kept()) }),
    };

    let listener = tokio::net::TcpListener::bind(options.addr).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    println!("ready");
    axum::serve(listener, app).await?;
    Ok(())
}
