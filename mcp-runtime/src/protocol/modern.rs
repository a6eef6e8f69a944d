//! The per-request era: MCP 2026-07-28. From a body and its headers to a request that may be carried out.
//!
//! The order of the checks is the ladder of the specification's single faults; a request with several faults gets the first.

use std::borrow::Cow;

use http::{HeaderMap, StatusCode};
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;

use super::envelope::{Envelope, Meta, Object, Params, Text, is_id};
use super::{Code, MODERN, Refusal, headers, key};
use crate::call::{Capabilities, RequestMeta};

/// A message that passed all checks that need no catalogue.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    /// Nothing is answered.
    Notification,
    Call {
        id: &'a str,
        method: Method<'a>,
        meta: RequestMeta,
    },
}

#[derive(Debug)]
pub(crate) enum Method<'a> {
    Discover,
    ListTools,
    CallTool { name: Cow<'a, str>, arguments: Option<&'a str> },
}

/// The levels of `logLevel` (RFC 5424).
const LOG_LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Reads a message. `headers` is absent on transports without them.
pub(crate) fn read<'a>(body: &'a [u8], headers: Option<&HeaderMap>, has_tools: bool) -> Result<Request<'a>, Refusal> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Err(Refusal::bad(Code::ParseError, "The body is not UTF-8"));
    };
    let envelope = Envelope::parse(text).map_err(|error| diagnose(text, &error))?;
    let id = envelope.id.filter(|id| is_id(id)).map(RawValue::get);
    checked(envelope, id, headers, has_tools).map_err(|refusal| match id {
        Some(id) => refusal.with_id(id),
        None => refusal,
    })
}

fn checked<'a>(
    envelope: Envelope<'a>,
    id: Option<&'a str>,
    http: Option<&HeaderMap>,
    has_tools: bool,
) -> Result<Request<'a>, Refusal> {
    let method = match (envelope.jsonrpc.as_ref().and_then(Text::as_str), envelope.method) {
        _ if envelope.is_response => return Err(invalid("this is a response; this server sends no requests")),
        (Some("2.0"), Some(Text::Is(method))) => method,
        (Some("2.0"), _) => return Err(invalid("`method` must be a string")),
        _ => return Err(invalid("`jsonrpc` must be \"2.0\"")),
    };
    if id.is_none() && envelope.id.is_some() {
        return Err(invalid("`id` must be a string or an integer, of at most 1024 bytes"));
    }
    let Some(id) = id else {
        // No header is required of a notification, but one that contradicts the body is as wrong as elsewhere.
        if let Some(http) = http
            && headers::single(http, &headers::METHOD, "Mcp-Method")?.is_some()
        {
            headers::check_method(http, &method)?;
        }
        return Ok(Request::Notification);
    };
    let params = match envelope.params {
        Some(Object::Is(params)) => params,
        Some(Object::Other) | None => Params::default(),
    };
    let meta = match &params.meta {
        Some(Object::Is(meta)) => meta,
        Some(Object::Other) | None => &Meta::default(),
    };
    version(meta, http, &method, &params)?;
    let meta = request_meta(meta)?;
    if let Some(http) = http {
        headers::check_method(http, &method)?;
        if method == "tools/call" {
            headers::check_name(http, params.name.as_ref().and_then(Text::as_str))?;
        }
    }
    let method = match &*method {
        "server/discover" => Method::Discover,
        "tools/list" if has_tools => {
            if params.cursor.is_some() {
                return Err(Refusal::params("Unknown cursor: the list of tools has one page"));
            }
            Method::ListTools
        }
        "tools/call" if has_tools => match params.name {
            Some(Text::Is(name)) => Method::CallTool { name, arguments: params.arguments.map(RawValue::get) },
            _ => return Err(Refusal::params("params.name must be a string: the name of a tool")),
        },
        other => return Err(Refusal::unknown_method(other)),
    };
    Ok(Request::Call { id, method, meta })
}

fn invalid(what: &str) -> Refusal {
    Refusal::bad(Code::InvalidRequest, format!("Not a JSON-RPC request: {what}"))
}

/// The body's version, the header's version, and ours must be one.
fn version(meta: &Meta<'_>, http: Option<&HeaderMap>, method: &str, params: &Params<'_>) -> Result<(), Refusal> {
    let header = match http {
        Some(http) => headers::single(http, &headers::PROTOCOL_VERSION, "MCP-Protocol-Version")?,
        None => None,
    };
    let Some(claimed) = meta.protocol_version.as_ref().and_then(Text::as_str) else {
        return Err(unclaimed(meta, header, method, params));
    };
    match header {
        Some(header) if header != claimed => {
            let header = super::refusal::printable(header);
            let claimed = super::refusal::printable(claimed);
            Err(Refusal::header(format!("MCP-Protocol-Version is {header} but _meta says {claimed}")))
        }
        None if http.is_some() => Err(Refusal::header("MCP-Protocol-Version is required, with the version that _meta names")),
        _ if claimed != MODERN => Err(Refusal::unsupported_version(&super::refusal::printable(claimed))),
        _ => Ok(()),
    }
}

/// The body claims no version: a broken modern request, or a legacy one.
fn unclaimed(meta: &Meta<'_>, header: Option<&str>, method: &str, params: &Params<'_>) -> Refusal {
    match header {
        _ if meta.protocol_version.is_some() => {
            Refusal::bad(Code::InvalidParams, format!("params._meta: {} must be a string", key::PROTOCOL_VERSION))
        }
        Some(MODERN) if method == "initialize" => {
            Refusal::header(format!("initialize belongs to the handshake revisions, but MCP-Protocol-Version is {MODERN}"))
        }
        Some(other) if other != MODERN => Refusal::unsupported_version(&super::refusal::printable(other)),
        // This may be the only diagnostic that the user of a legacy client gets to see.
        None if method == "initialize" => {
            let requested = params.protocol_version.as_ref().and_then(Text::as_str).unwrap_or_default();
            Refusal::unsupported_version(&super::refusal::printable(requested))
        }
        _ => {
            let mut missing = vec![key::PROTOCOL_VERSION];
            if meta.capabilities.is_none() {
                missing.push(key::CLIENT_CAPABILITIES);
            }
            missing_keys(&missing)
        }
    }
}

fn missing_keys(missing: &[&str]) -> Refusal {
    Refusal::bad(Code::InvalidParams, format!("params._meta is missing {}", missing.join(" and ")))
        .data(json!({ "missing": missing }))
}

fn request_meta(meta: &Meta<'_>) -> Result<RequestMeta, Refusal> {
    let malformed = |key: &str, rule: &str| Refusal::bad(Code::InvalidParams, format!("params._meta: {key} must be {rule}"));
    let capabilities: Capabilities = match &meta.capabilities {
        Some(Object::Is(declared)) => declared.0,
        Some(Object::Other) => return Err(malformed(key::CLIENT_CAPABILITIES, "an object")),
        None => return Err(missing_keys(&[key::CLIENT_CAPABILITIES])),
    };
    if matches!(meta.client_info, Some(Object::Other)) {
        return Err(malformed(key::CLIENT_INFO, "an object"));
    }
    if let Some(level) = &meta.log_level
        && !level.as_str().is_some_and(|level| LOG_LEVELS.contains(&level))
    {
        return Err(malformed(key::LOG_LEVEL, &format!("one of {}", LOG_LEVELS.join(", "))));
    }
    if meta.progress_token.is_some_and(|token| !is_id(token)) {
        return Err(malformed("progressToken", "a string or an integer, of at most 1024 bytes"));
    }
    Ok(RequestMeta { capabilities, progress_token: meta.progress_token.map(ToOwned::to_owned) })
}

/// What is wrong with a text that is no envelope.
fn diagnose(text: &str, error: &serde_json::Error) -> Refusal {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return Refusal::bad(Code::ParseError, "The body is not valid JSON");
    }
    let message = match text.trim_start().as_bytes() {
        [b'[', ..] => "Not a JSON-RPC request: batches are not part of this protocol version, send one message per request",
        [b'{', ..] if error.to_string().starts_with("a member is given twice") => {
            "Not a JSON-RPC request: a member is given twice"
        }
        [b'{', ..] => "Not a JSON-RPC request: the message can not be read",
        _ => "Not a JSON-RPC request: the body must be one JSON object",
    };
    Refusal::new(StatusCode::BAD_REQUEST, Code::InvalidRequest, message)
}
