//! An MCP server beside a Django site: the site's people call its tools, in any of the ways that `examples/django` lists.
//!
//! ```sh
//! CLIENT_SECRET=.. cargo run --example django_server --features django-server
//! ```
//!
//! | variable | is | unless it is set |
//! |---|---|---|
//! | `MODE` | the ways to let people in, separated by commas; the arms of [`auth`] | `introspection,session-delegated` |
//! | `ADDRESS` | where to listen | `127.0.0.1:9000` |
//! | `PUBLIC_URL` | this server as clients know it: what tokens must be for, and the `Host` that it answers to | `http://127.0.0.1:9000/mcp` |
//! | `ISSUER` | the site's authorization server | `http://127.0.0.1:8000/o` |
//! | `INTROSPECTION_URL`, `SESSION_URL` | the site's views that are asked | those of the app `rs` at `http://127.0.0.1:8000` |
//! | `TOKEN_URL`, `CLIENT_ID`, `CLIENT_SECRET` | with which client they are asked | `http://127.0.0.1:8000/o/token/`, `rs`, none |
//! | `DATABASE_URL` | `sqlite:///srv/site/db.sqlite3` or `postgres://mcp_ro@db.example.com/site` | none |
//! | `SECRET_KEY`, `SECRET_KEY_FALLBACKS` | of the site, the latter separated by commas | none |
//! | `REDIS_URL` | the site's cache | none |

use std::env;
use std::error::Error;

use mcp_runtime::auth::{ApiKeyTable, ApiKeys, DjangoOAuth, DjangoSession, Introspection, Jwt};
use mcp_runtime::prelude::*;

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

/// Whom to let in, and how.
///
/// Every way has the same issuer, so that a person is the same caller by token and by session: the toolkit's issuer, and the
/// primary key that Django has for them.
fn auth() -> Result<Auth, Box<dyn Error>> {
    let issuer = or("ISSUER", "http://127.0.0.1:8000/o");
    let mut auth = Auth::chain();
    for mode in or("MODE", "introspection,session-delegated").split(',') {
        auth = match mode {
            // The toolkit's own view, `/o/introspect/`, knows people by their names alone; the one of `rs` by their keys.
            "introspection" => {
                let (url, id, secret) = asking()?;
                let view = or("INTROSPECTION_URL", "http://127.0.0.1:8000/rs/introspect/");
                // Where the site's tokens are JWTs, it is asked about them too, unless `jwt` comes before.
                let tokens = Introspection::at(view).issuer(&*issuer).jwts_of(&*issuer).subject_from_username();
                auth.with(tokens.client_credentials(url, id, secret, "introspection"))
            }
            "oauth" => auth.with(DjangoOAuth::connect(&required("DATABASE_URL")?).issuer(&*issuer)),
            "jwt" => auth.with(Jwt::issuer(&*issuer)),
            // For people's machines: the owner of a key is the primary key of a person.
            "api-keys" => {
                let table = ApiKeyTable::at(&required("DATABASE_URL")?);
                auth.with(ApiKeys::prefix("site").store(table).issuer(&*issuer))
            }
            "session-delegated" => {
                let (url, id, secret) = asking()?;
                let view = or("SESSION_URL", "http://127.0.0.1:8000/rs/session/");
                let sessions = DjangoSession::delegated(&view).issuer(&*issuer).scopes(["mcp:tools"]);
                auth.with(sessions.client_credentials(url, id, secret, "introspection"))
            }
            direct => auth.with(read_directly(direct)?.issuer(&*issuer).scopes(["mcp:tools"])),
        };
    }
    Ok(auth)
}

/// Sessions that are not asked about, but read where the site keeps them: that takes the site's `SECRET_KEY`, with which
/// anybody can be anybody there.
fn read_directly(mode: &str) -> Result<DjangoSession, Box<dyn Error>> {
    let (database, key) = (required("DATABASE_URL")?, required("SECRET_KEY")?);
    let sessions = match mode {
        "session-database" => DjangoSession::database(&database, &key),
        "session-signed-cookies" => DjangoSession::signed_cookies(&database, &key),
        "session-redis" => DjangoSession::redis(&required("REDIS_URL")?, &database, &key),
        // The half of the engine that `session-database` does not read.
        "session-redis-cached-db" => DjangoSession::redis(&required("REDIS_URL")?, &database, &key).cached_db(),
        unknown => return Err(format!("MODE has `{unknown}`, which is no way to let people in").into()),
    };
    Ok(sessions.fallback_keys(or("SECRET_KEY_FALLBACKS", "").split(',').filter(|key| !key.is_empty())))
}

/// The client with which the site is asked: the URL where it gets its token, its id and its secret.
fn asking() -> Result<(String, String, String), Box<dyn Error>> {
    Ok((or("TOKEN_URL", "http://127.0.0.1:8000/o/token/"), or("CLIENT_ID", "rs"), required("CLIENT_SECRET")?))
}

fn or(variable: &str, otherwise: &str) -> String {
    env::var(variable).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}

fn required(variable: &str) -> Result<String, Box<dyn Error>> {
    let value = env::var(variable).ok().filter(|value| !value.is_empty());
    value.ok_or_else(|| format!("set {variable}, which this MODE needs").into())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is for the person who started the example")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let server = Server::new("django-server", env!("CARGO_PKG_VERSION"))
        .public_url(or("PUBLIC_URL", "http://127.0.0.1:9000/mcp"))
        .auth(auth()?)
        .bind(or("ADDRESS", "127.0.0.1:9000"))
        .await?;
    println!("listening on http://{}", server.address());
    Ok(server.run().await?)
}
