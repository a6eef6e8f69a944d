//! An axum application with a log-in, pages and files of its own, and an MCP server at `/mcp` for those who are logged in.
//!
//! `cargo run --example embed_axum --features embed` serves it at 127.0.0.1:8000.
//!
//! Sessions are those of `tower-sessions`. The application reads and writes them as it always did; the MCP server only reads
//! who is logged in, by one function. Tools and pages share what the application keeps.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State as AppState};
use axum::http::header::ORIGIN;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use mcp_runtime::auth::{TowerSession, sha256};
use mcp_runtime::prelude::*;
use tower_http::services::ServeDir;
use tower_sessions::cookie::time;
use tower_sessions::{Expiry, MemoryStore, Session, SessionManagerLayer, session};

/// What a session has the name of its user under.
const USER: &str = "user";

/// What users wrote down, beside their names.
#[derive(Default)]
struct Notes(Mutex<Vec<(String, String)>>);

impl Notes {
    fn of(&self, user: &str) -> Vec<String> {
        self.all().iter().filter(|(of, _)| of == user).map(|(_, note)| note.clone()).collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Write a note down.
#[tool(scopes("notes"))]
fn note(text: String, caller: Principal, notes: State<Notes>) -> String {
    notes.all().push((caller.subject().to_owned(), text));
    format!("{} has {} notes.", caller.subject(), notes.of(caller.subject()).len())
}

/// List the notes.
#[tool(read_only, scopes("notes"))]
fn notes(caller: Principal, notes: State<Notes>) -> Json<Vec<String>> {
    Json(notes.of(caller.subject()))
}

/// What the pages know.
#[derive(Clone)]
struct Site {
    origin: HeaderValue,
    /// Of the one user, `ada`. A real application keeps a slow hash of each password.
    password: Arc<str>,
    notes: Arc<Notes>,
}

/// The whole application, to be served at this origin.
pub(crate) fn application(origin: &str, password: &str) -> Result<Router, Box<dyn std::error::Error>> {
    let site = Site { origin: HeaderValue::try_from(origin)?, password: password.into(), notes: Arc::default() };
    let people = TowerSession::new(|session: Session| async move {
        // A stream asks again while it is open: what the store has counts, not what the session remembers.
        if !session.is_modified() {
            session.load().await?;
        }
        let name: Option<String> = session.get(USER).await?;
        let end = session.expiry_date().into();
        Ok::<_, session::Error>(name.map(|name| Principal::user(name).scopes(["notes"]).valid_until(end)))
    });
    let server = Server::new("notes", env!("CARGO_PKG_VERSION"))
        .only([note::tool(), notes::tool()])
        .shared_state(site.notes.clone())
        .public_url(format!("{origin}/mcp"))
        .auth(Auth::chain().with(people));
    let pages = Router::new()
        .route("/", get(home))
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .layer(from_fn_with_state(site.clone(), of_this_site))
        .with_state(site)
        .nest_service("/static", ServeDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/embed_axum/static")));
    // Over HTTPS, leave `with_secure` out. `HttpOnly` and `SameSite=Strict` are what the layer sets by itself.
    let sessions = SessionManagerLayer::new(MemoryStore::default())
        .with_secure(false)
        .with_expiry(Expiry::OnInactivity(time::Duration::hours(8)));
    // Later layers run earlier: the session must be known before the MCP server asks for it.
    Ok(pages.merge(server.router()?).layer(sessions))
}

/// Forms of other sites are turned away. Requests to `/mcp` do not come here: the chain has rules of its own for cookies.
async fn of_this_site(AppState(site): AppState<Site>, request: Request, next: Next) -> Response {
    match request.headers().get(ORIGIN) {
        Some(origin) if *origin != site.origin => StatusCode::FORBIDDEN.into_response(),
        _ => next.run(request).await,
    }
}

async fn home(AppState(site): AppState<Site>, session: Session) -> Result<Html<String>, Failed> {
    let Some(user) = session.get::<String>(USER).await? else {
        return Ok(Html(include_str!("embed_axum/welcome.html").to_owned()));
    };
    let notes: String = site.notes.of(&user).iter().map(|note| format!("<li>{}</li>\n", escaped(note))).collect();
    let page = include_str!("embed_axum/home.html");
    Ok(Html(page.replace("{user}", &escaped(&user)).replace("{notes}", &notes)))
}

#[derive(serde::Deserialize)]
struct LogIn {
    user: String,
    password: String,
}

async fn log_in(AppState(site): AppState<Site>, session: Session, Form(said): Form<LogIn>) -> Result<Response, Failed> {
    // Digests, so that the time it takes tells nothing of how much was right.
    if said.user != "ada" || sha256(said.password.as_bytes()) != sha256(site.password.as_bytes()) {
        return Ok((StatusCode::UNAUTHORIZED, Html(include_str!("embed_axum/welcome.html"))).into_response());
    }
    // Whoever knew the visitor's session does not know that of the user.
    session.cycle_id().await?;
    session.insert(USER, said.user).await?;
    Ok(Redirect::to("/").into_response())
}

/// Ends the session: for calls at once, and within seconds for the streams that it opened.
async fn log_out(session: Session) -> Result<Redirect, Failed> {
    session.flush().await?;
    Ok(Redirect::to("/"))
}

/// The store of sessions does not answer.
struct Failed;

impl From<session::Error> for Failed {
    fn from(error: session::Error) -> Self {
        eprintln!("sessions: {error}");
        Self
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the password is for the person who started the example")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random)?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    println!("{origin}: ada, with the password {password}");
    let application = application(&origin, &password)?;
    // It waits for ever for who sends slowly: on the open network, put a proxy before it, or hyper's own limits.
    axum::serve(listener, application.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
