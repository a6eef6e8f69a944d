//! The least that axum can do for this exchange: parse the request into borrowed types, look the tool up, write the answer.
//!
//! No header is checked, a session's neither; nothing is registered but names, and nothing is allocated but the answer.
//! What a server loses against this is what its protocol checks, its catalogue and its typed call cost.

use std::{borrow::Cow, collections::HashMap, error::Error, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE},
    routing::post,
    serve::ListenerExt,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

include!("../../shared/servers.rs");

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Params<'a>,
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    arguments: Arguments<'a>,
    /// Of the modern era alone: it decides how the answer looks.
    #[serde(borrow, rename = "_meta")]
    meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
struct Arguments<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: Cow<'a, str>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientInfo")]
    #[expect(dead_code, reason = "parsed because every server has to")]
    client: Option<Client<'a>>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    #[expect(dead_code, reason = "parsed because every server has to")]
    capabilities: &'a RawValue,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsed because every server has to")]
struct Client<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
}

#[derive(Serialize)]
struct Echoed<'a> {
    message: &'a str,
}

#[derive(Clone, Copy)]
enum Tool {
    Text,
    Json,
}

type Tools = Arc<HashMap<&'static str, Tool>>;

/// What frames an answer, beside the request's id and message.
struct Frame {
    before_text: &'static [u8],
    end: &'static [u8],
}

const BEFORE_ID: &[u8] = br#"{"jsonrpc":"2.0","id":"#;
const AFTER_TEXT: &[u8] = br#"}]"#;
const BEFORE_STRUCTURED: &[u8] = br#","structuredContent":"#;
const MODERN: Frame = Frame {
    before_text: br#","result":{"resultType":"complete","content":[{"type":"text","text":"#,
    end: br#","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"0"}}}}"#,
};
const LEGACY: Frame = Frame { before_text: br#","result":{"content":[{"type":"text","text":"#, end: b"}}" };

async fn call(State(tools): State<Tools>, body: Bytes) -> Response<Body> {
    answer(&tools, &body).map_or_else(refused, |bytes| {
        let mut response = Response::new(Body::from(bytes));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    })
}

fn answer(tools: &HashMap<&str, Tool>, body: &[u8]) -> Option<Vec<u8>> {
    let request: Request<'_> = serde_json::from_slice(body).ok()?;
    let frame = match &request.params.meta {
        Some(meta) if meta.protocol_version == "2026-07-28" => &MODERN,
        Some(_) => return None,
        None => &LEGACY,
    };
    let known = request.jsonrpc == "2.0" && request.method == "tools/call";
    let tool = known.then(|| tools.get(&*request.params.name).copied())??;

    let id = request.id.get().as_bytes();
    let message = &*request.params.arguments.message;
    // Room for quotes and some escapes, so that the usual answer is one allocation.
    let fixed = BEFORE_ID.len() + frame.before_text.len() + AFTER_TEXT.len() + BEFORE_STRUCTURED.len() + frame.end.len();
    let room = fixed + id.len() + 64;
    let mut out;
    match tool {
        Tool::Text => {
            out = Vec::with_capacity(room + message.len());
            out.extend_from_slice(BEFORE_ID);
            out.extend_from_slice(id);
            out.extend_from_slice(frame.before_text);
            serde_json::to_writer(&mut out, message).ok()?;
            out.extend_from_slice(AFTER_TEXT);
        }
        Tool::Json => {
            let mut json = Vec::with_capacity(message.len() + 32);
            serde_json::to_writer(&mut json, &Echoed { message }).ok()?;
            let json = String::from_utf8(json).ok()?;
            out = Vec::with_capacity(room + 2 * json.len());
            out.extend_from_slice(BEFORE_ID);
            out.extend_from_slice(id);
            out.extend_from_slice(frame.before_text);
            serde_json::to_writer(&mut out, &json).ok()?;
            out.extend_from_slice(AFTER_TEXT);
            out.extend_from_slice(BEFORE_STRUCTURED);
            out.extend_from_slice(json.as_bytes());
        }
    }
    out.extend_from_slice(frame.end);
    Some(out)
}

fn refused() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

macro_rules! names {
    ($($name:ident)*) => { [$(stringify!($name)),*] };
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::from_command_line()?;
    options.allow(&["--json"])?;

    let mut tools = HashMap::from([("echo", Tool::Text)]);
    if options.has("--json") {
        tools.insert("echo_json", Tool::Json);
    }
    if options.many {
        tools.extend(with_company!(names).map(|name| (name, Tool::Text)));
    }
    let app = Router::new().route("/mcp", post(call)).with_state(Tools::new(tools));

    let listener = tokio::net::TcpListener::bind(options.addr).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    println!("ready");
    axum::serve(listener, app).await?;
    Ok(())
}
