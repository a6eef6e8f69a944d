//! An MCP server beside a Django site, for the MCP Inspector and other relays: people sign in there with OAuth, or lend them a
//! relay session for an hour.
//!
//! `cargo run --example relayed --features relayed`, with these variables; the site is the one of `examples/django`.
//!
//! | variable | is | unless it is set |
//! |---|---|---|
//! | `DATABASE_URL`, `SECRET_KEY` | the site's | none: both are needed |
//! | `ADDRESS` | where to listen | `127.0.0.1:9000` |
//! | `PUBLIC_URL` | this server as clients know it: what tokens must be for | `http://127.0.0.1:9000/mcp` |
//! | `ISSUER` | the site's authorization server | `http://127.0.0.1:8000/o` |
//! | `ALLOWED_ORIGIN` | whose pages may call as well: a client that runs in a browser | none |
//!
//! Who is logged in to the site asks for a relay session by a POST to `/mcp/relay`, from a page of this server's origin. Its
//! text goes into the relay's custom header `x-mcp-proxy-session-token`.

use std::env;
use std::error::Error;

use mcp_runtime::auth::{DjangoOAuth, DjangoSession, KeyRing, MetadataMirror, ProxyToken, RelaySessions, Resource};
use mcp_runtime::prelude::*;

/// What was said, and who said it.
#[data(output)]
struct Echoed {
    #[serde(rename = "Echo")]
    echo: String,
    subject: String,
    /// How they are known: `Bearer`, `Session` or `Proxy`.
    scheme: String,
}

/// Say back what you are told.
#[tool(read_only, idempotent, open_world = false, scopes("mcp:tools"))]
fn echo(
    caller: Principal,
    /// What to say back.
    message: String,
) -> Json<Echoed> {
    Json(Echoed { echo: message, subject: caller.subject().to_owned(), scheme: format!("{:?}", caller.scheme()) })
}

fn server() -> Result<Server, Box<dyn Error>> {
    let (database, key) = (required("DATABASE_URL")?, required("SECRET_KEY")?);
    let url = or("PUBLIC_URL", "http://127.0.0.1:9000/mcp");
    let issuer = or("ISSUER", "http://127.0.0.1:8000/o");

    // The same issuer everywhere, so that a person is the same caller by token, by session and by relay.
    let people = Auth::chain()
        .with(DjangoOAuth::connect(&database).issuer(&*issuer))
        .with(DjangoSession::database(&database, &key).issuer(&*issuer).scopes(["mcp:tools"]));
    let resource = Resource::new(&url).ok_or("PUBLIC_URL is no URL")?;
    // Each time a relay calls, the session that lent it this must still be there.
    let relays = RelaySessions::new(KeyRing::ephemeral()?, resource).recheck_with(people.clone());

    let server = Server::new("relayed", env!("CARGO_PKG_VERSION"))
        .public_url(url)
        .auth(people.with(ProxyToken::relay_only(relays.clone())))
        .relay_sessions("/mcp/relay", relays)
        .mirror_authorization_server(MetadataMirror::of(issuer));
    Ok(match env::var("ALLOWED_ORIGIN") {
        Ok(origin) => server.allow_origin(origin),
        Err(_) => server,
    })
}

fn or(variable: &str, otherwise: &str) -> String {
    env::var(variable).unwrap_or_else(|_| otherwise.to_owned())
}

fn required(variable: &str) -> Result<String, Box<dyn Error>> {
    env::var(variable).map_err(|_| format!("{variable} is not set").into())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is for the person who started the example")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let server = server()?.bind(or("ADDRESS", "127.0.0.1:9000")).await?;
    println!("listening on http://{}", server.address());
    Ok(server.run().await?)
}
