//! One program in front of a Django site: it serves `/mcp` itself, and forwards every other path to Django.
//!
//! ```sh
//! CLIENT_SECRET=.. cargo run --example one_origin --features one-origin
//! ```
//!
//! | variable | is | unless it is set |
//! |---|---|---|
//! | `SITE_URL` | what browsers see, without a path; Django is told the same | `http://127.0.0.1:8000` |
//! | `ADDRESS` | where to listen | `127.0.0.1:8000` |
//! | `DJANGO_URL` | where Django listens, by plain HTTP, and for this program alone | `http://127.0.0.1:8001` |
//! | `CLIENT_ID`, `CLIENT_SECRET` | the client with which the site is asked about its people | `rs`, none |
//!
//! This program does not speak TLS. Where `SITE_URL` is `https`, something in front of it does, and Django is told `https`.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;
use std::{env, io};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::UPGRADE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve};
use axum_reverse_proxy::{HostBehaviour, ProxyPolicy, ReverseProxy};
use mcp_runtime::Built;
use mcp_runtime::auth::{DjangoSession, Introspection};
use mcp_runtime::prelude::*;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Who is calling.
#[data(output)]
struct Caller {
    issuer: Option<String>,
    subject: String,
}

/// Tell who you are.
#[tool(read_only, idempotent, open_world = false, scopes("mcp:tools"))]
fn whoami(caller: Principal) -> Json<Caller> {
    Json(Caller { issuer: caller.issuer().map(str::to_owned), subject: caller.subject().to_owned() })
}

/// The server, which is merged with the rest of the site.
fn mcp(site: &str, django: &str) -> Result<Built, Box<dyn Error>> {
    let (issuer, token_url) = (format!("{site}/o"), format!("{django}/o/token/"));
    let (id, secret) = (or("CLIENT_ID", "rs"), env::var("CLIENT_SECRET").map_err(|_| "set CLIENT_SECRET")?);
    let tokens = Introspection::at(format!("{django}/rs/introspect/")).issuer(&*issuer).client_credentials(
        &*token_url,
        &*id,
        &*secret,
        "introspection",
    );
    let sessions = DjangoSession::delegated(&format!("{django}/rs/session/"))
        .issuer(issuer)
        .client_credentials(token_url, id, secret, "introspection")
        .scopes(["mcp:tools"]);
    let server = Server::new("one-origin", env!("CARGO_PKG_VERSION"))
        .public_url(format!("{site}/mcp"))
        .auth(Auth::chain().with(tokens).with(sessions));
    Ok(server.build()?)
}

/// Every path that nobody else has, with the site's name as `Host`, and `X-Forwarded-*` about the client.
fn django(site: &str, django: &str) -> Router {
    let policy = ProxyPolicy::new()
        .with_host_behaviour(HostBehaviour::Preserve)
        .with_public_scheme(if site.starts_with("https:") { "https" } else { "http" })
        .with_upstream_timeout(Duration::from_secs(60));
    let proxy = ReverseProxy::new("/", django).with_policy(policy);
    Router::new().fallback_service(proxy).layer(middleware::from_fn(outside))
}

/// What comes from outside, made fit for Django.
async fn outside(mut request: Request, next: Next) -> Response {
    // For the MCP server alone, which asks Django itself. Django's servers decode a path, and some of them shorten the
    // slashes that it begins with.
    let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let path = path.trim_start_matches('/');
    if path == "rs" || path.starts_with("rs/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let headers = request.headers_mut();
    // Who a client is said to be is said here. A header with an underscore is, to Django, the one with a hyphen.
    let forged = |name: &str| {
        name.starts_with("x-forwarded-")
            || ["forwarded", "x-real-ip", "x-mcp-proxy-session-token"].contains(&name)
            || name.contains('_')
    };
    let forged: Vec<_> = headers.keys().filter(|name| forged(name.as_str())).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
    // No WebSockets: a request that wants one is an ordinary request.
    headers.remove(UPGRADE);
    next.run(request).await
}

fn or(variable: &str, otherwise: &str) -> String {
    env::var(variable).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}

/// Ends when the program is asked to.
fn stopped() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is for the person who started the example")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let (site, upstream) = (or("SITE_URL", "http://127.0.0.1:8000"), or("DJANGO_URL", "http://127.0.0.1:8001"));
    let mcp = mcp(&site, &upstream)?;
    let app = mcp.router().merge(django(&site, &upstream)).into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind(or("ADDRESS", "127.0.0.1:8000")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let stopped = stopped()?;
    let shutdown = async move {
        stopped.await;
        // Ends its streams, which would otherwise be waited for.
        mcp.handle().shutdown();
    };
    Ok(serve(listener, app).with_graceful_shutdown(shutdown).await?)
}
