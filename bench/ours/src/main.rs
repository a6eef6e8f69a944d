//! This framework's server with its defaults; with `--sessionless`, legacy clients get no session.

use std::error::Error;

use mcp_runtime::{LegacyClients, prelude::*};

include!("../../shared/servers.rs");

/// Echo a message.
#[tool(tags("one", "many"))]
async fn echo(message: String) -> String {
    message
}

#[data]
struct Echoed {
    message: String,
}

/// Echo as JSON.
#[tool(tags("json"))]
async fn echo_json(message: String) -> Json<Echoed> {
    Json(Echoed { message })
}

macro_rules! company {
    ($($name:ident)*) => {
        $(
            /// Echo a message, like its neighbours.
            #[tool(tags("many"))]
            async fn $name(message: String) -> String {
                message
            }
        )*
    };
}
with_company!(company);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_command_line()?;
    options.allow(&["--json", "--sessionless"])?;

    let mut tags = vec![if options.many { "many" } else { "one" }];
    if options.has("--json") {
        tags.push("json");
    }
    let mut server = Server::new("bench", "0").tags(tags);
    if options.has("--sessionless") {
        server = server.legacy_clients(LegacyClients::Sessionless);
    }
    let bound = server.bind(options.addr.to_string()).await?;
    println!("ready");
    bound.run().await?;
    Ok(())
}
