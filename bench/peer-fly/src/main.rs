//! FlyMCPRust's HTTP server with its defaults.

use std::error::Error;

use flymcprust::{
    prelude::*,
    transport::http::{StreamableHttpService, serve},
};

include!("../../shared/servers.rs");

/// Echo a message.
#[tool]
async fn echo(message: String) -> String {
    message
}

macro_rules! company {
    ($($name:ident)*) => {
        $(
            /// Echo a message, like its neighbours.
            #[tool]
            async fn $name(message: String) -> String {
                message
            }
        )*

        fn add_company(server: flymcprust::ServerBuilder) -> flymcprust::ServerBuilder {
            server $(.tool::<$name>())*
        }
    };
}
with_company!(company);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_command_line()?;
    options.allow(&[])?;

    let mut server = Server::builder("bench", "0").tool::<echo>();
    if options.many {
        server = add_company(server);
    }
    let service = StreamableHttpService::new(server.build()?);

    let listener = tokio::net::TcpListener::bind(options.addr).await?;
    println!("ready");
    serve(listener, service, "/mcp", std::future::pending()).await?;
    Ok(())
}
