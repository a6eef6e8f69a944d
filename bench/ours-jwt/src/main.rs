//! This framework's server, whose callers show a JWT. It prints one that holds.

use std::error::Error;

use mcp_runtime::auth::Jwt;
use mcp_runtime::auth::testing::Authority;
use mcp_runtime::prelude::*;

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
    options.allow(&["--json"])?;

    let mut tags = vec![if options.many { "many" } else { "one" }];
    if options.has("--json") {
        tags.push("json");
    }
    let url = format!("http://{}/mcp", options.addr);
    let authority = Authority::new();
    let token = authority.token().subject("bench").audience(&url).scopes(["bench"]).issue();
    let server = Server::new("bench", "0")
        .tags(tags)
        .auth(Auth::chain().with(Jwt::issuer(authority.issuer()).fetching_with(authority)))
        .public_url(url);
    let bound = server.bind(options.addr.to_string()).await?;
    println!("token {token}");
    println!("ready");
    bound.run().await?;
    Ok(())
}
