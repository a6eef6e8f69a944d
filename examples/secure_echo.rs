//! The echo example behind three doors: bearer tokens, the sessions of a log-in page, and relay tokens.
//!
//! `cargo run --example secure_echo` serves it at 127.0.0.1:8000, or `-- --addr 127.0.0.1:PORT`, and prints lines to paste.
//!
//! It needs nothing else: the authorization server is the one that tests have, in this process. A real one is named by its URL,
//! and `.fetching_with(..)` is left out. Of the log-in page, a real one needs more than is here: see `embed_axum.rs`.

#[path = "secure_echo/commands.rs"]
mod commands;
#[path = "secure_echo/pages.rs"]
mod pages;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use mcp_runtime::auth::testing::Authority;
use mcp_runtime::auth::{Introspection, KeyRing, Place, ProxyToken, Rejection, RelaySessions, Resource, Scheme, Verdict};
use mcp_runtime::prelude::*;
use pages::{COOKIE_NAME, Site};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What was said, and by whom.
#[data(output)]
struct Echoed {
    #[serde(rename = "Echo")]
    echo: String,
    caller: String,
    known_by: String,
}

/// Say back what you are told, and who you are.
#[tool(read_only, idempotent, open_world = false, scopes("echo"))]
fn echo(
    /// What to say back.
    message: String,
    caller: Principal,
) -> Json<Echoed> {
    Json(Echoed { echo: message, caller: caller.subject().to_owned(), known_by: format!("{:?}", caller.scheme()) })
}

/// The pages and the server. Pages first: who is logged in there may call here.
fn application(site: &Site, authority: &Authority) -> Result<Router, Box<dyn std::error::Error>> {
    let url = format!("{}/mcp", site.origin);
    let resource = Resource::new(&url).ok_or("no URL of a server")?;
    let (sessions, issuer) = (site.sessions.clone(), authority.issuer().to_owned());
    let people = Auth::chain()
        .with(
            Introspection::at(authority.introspection_url())
                .issuer(authority.issuer())
                .basic("secure_echo", "known to the authority")
                .fetching_with(authority.clone()),
        )
        .with_fn(Place::Cookie(COOKIE_NAME.into()), move |cookie| {
            let verdict = match sessions.until(&cookie) {
                // With the issuer of the tokens, she is the same person whichever way she comes.
                Some(end) => Verdict::Accepted(
                    Principal::user("ada")
                        .issued_by(&*issuer)
                        .scopes(["echo"])
                        .authenticated_by(Scheme::Session)
                        .valid_until(end),
                ),
                None => Verdict::Rejected(Rejection::invalid_token("no_such_session")),
            };
            std::future::ready(verdict)
        });
    // A relay may act for her for an hour, unless she logs out before.
    let relay = RelaySessions::new(KeyRing::ephemeral()?, resource).recheck_with(people.clone());
    let server = Server::new("secure_echo", env!("CARGO_PKG_VERSION"))
        .public_url(url)
        .auth(people.with(ProxyToken::relay_only(relay.clone())))
        .relay_sessions("/relay", relay);
    Ok(pages::router(site.clone()).merge(server.router()?))
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the commands are for the person who started the example")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let listener = tokio::net::TcpListener::bind(address()).await?;
    let site = Site::new(format!("http://{}", listener.local_addr()?));
    let authority = Authority::new().introspected_by("secure_echo", "known to the authority");
    let application = application(&site, &authority)?;

    let token =
        |audience: String| authority.token().subject("ada").audience(audience).scopes(["echo"]).expires_in(DAY).issue_opaque();
    let bearer = token(format!("{}/mcp", site.origin));
    let foreign = token("https://mcp.example.com/mcp".to_owned());
    println!("{}", commands::all(&site.origin, &site.password, &bearer, &foreign));
    // With the addresses of connections, wrong credentials are counted by network, and not all together.
    axum::serve(listener, application.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// `--addr HOST:PORT`, or where nothing else listens by habit.
fn address() -> String {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => "127.0.0.1:8000".to_owned(),
        (Some("--addr"), Some(address), None) => address,
        (asked, ..) => {
            eprintln!("usage: secure_echo [--addr HOST:PORT], 127.0.0.1:8000 unless told otherwise");
            std::process::exit(if asked == Some("--help") { 0 } else { 2 })
        }
    }
}
