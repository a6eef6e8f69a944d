//! The per-request era: MCP 2026-07-28. From a message and its headers to a request that may be carried out.
//!
//! The order of the checks is the ladder of the specification's single faults; a request with several faults gets the first.

use std::borrow::Cow;

use http::HeaderMap;
use serde_json::json;

use super::envelope::{Meta, Object, Params, Text};
use super::message::{Kind, malformed, more, one_of_the_levels, progress_token, raw_params};
use super::{Code, Era, Incoming, Message, Method, Offer, Refusal, headers, key, printable};
use crate::call::{Capability, LogLevel, RequestMeta};

const MODERN: &str = Era::V2026_07_28.version();

/// Reads a message. `http` is absent on transports without them.
pub(crate) fn read<'a>(message: Incoming<'a>, http: Option<&HeaderMap>, offer: &Offer) -> Result<Message<'a>, Refusal> {
    let Incoming::Asked { id, method, params, text } = message else {
        return Err(super::invalid("this is a response; this server sends no requests"));
    };
    let Some(id) = id else {
        // No header is required of a notification, but one that contradicts the body is as wrong as elsewhere.
        if let Some(http) = http
            && headers::single(http, &headers::METHOD, "Mcp-Method")?.is_some()
        {
            headers::check_method(http, &method)?;
        }
        return Ok(params.notification(&method));
    };
    request(id, method, params, text, http, offer).map_err(|refusal| refusal.with_id(Some(id)))
}

fn request<'a>(
    id: &'a str,
    method: Cow<'a, str>,
    mut params: Params<'a>,
    text: &'a str,
    http: Option<&HeaderMap>,
    offer: &Offer,
) -> Result<Message<'a>, Refusal> {
    let none = Meta::default();
    let meta = params.meta().unwrap_or(&none);
    version(meta, http, &method)?;
    let meta = request_meta(meta)?;
    if let Some(http) = http {
        headers::check_method(http, &method)?;
        let rare = params.rare.as_deref();
        // What names the thing that the method is about.
        let named = match &*method {
            "tools/call" if offer.tools => Some(params.name.as_ref()),
            "prompts/get" if offer.prompts => Some(params.name.as_ref()),
            "resources/read" if offer.resources => Some(rare.and_then(|rare| rare.uri.as_ref())),
            "tasks/get" | "tasks/update" | "tasks/cancel" if offer.tasks => Some(rare.and_then(|rare| rare.task_id.as_ref())),
            _ => None,
        };
        if let Some(named) = named {
            headers::check_name(http, named.and_then(Text::as_str))?;
        }
    }
    let method = match &*method {
        "server/discover" => Method::Discover,
        "tools/list" if offer.tools => params.list(Kind::Tools)?,
        "tools/call" if offer.tools => params.call_tool()?,
        "prompts/list" if offer.prompts => params.list(Kind::Prompts)?,
        "prompts/get" if offer.prompts => params.get_prompt()?,
        "resources/list" if offer.resources => params.list(Kind::Resources)?,
        "resources/templates/list" if offer.resources => params.list(Kind::Templates)?,
        "resources/read" if offer.resources => params.read_resource()?,
        "completion/complete" if offer.completions => params.complete()?,
        "subscriptions/listen" if offer.subscriptions() => params.listen()?,
        "tasks/get" | "tasks/update" | "tasks/cancel" if offer.tasks => {
            if !meta.capabilities.contains(Capability::Tasks) {
                return Err(Refusal::missing_capabilities(&method, &[Capability::Tasks]));
            }
            let id = params.task()?;
            match &*method {
                "tasks/get" => Method::GetTask { id },
                "tasks/update" => Method::UpdateTask { id, responses: params.task_responses() },
                _ => Method::CancelTask { id },
            }
        }
        other if offer.extensions.has_method(other) => Method::Extension { method, params: raw_params(text) },
        other => return Err(Refusal::unknown_method(other)),
    };
    Ok(Message::Request { id, method, meta })
}

/// The body's version, the header's version, and ours must be one.
fn version(meta: &Meta<'_>, http: Option<&HeaderMap>, method: &str) -> Result<(), Refusal> {
    let header = match http {
        Some(http) => headers::single(http, &headers::PROTOCOL_VERSION, "MCP-Protocol-Version")?,
        None => None,
    };
    let Some(claimed) = &meta.protocol_version else {
        return Err(if method == "initialize" && header.is_some() {
            Refusal::header(format!("initialize belongs to the handshake revisions, but MCP-Protocol-Version is {MODERN}"))
        } else {
            unclaimed(Some(meta))
        });
    };
    let Some(claimed) = claimed.as_str() else {
        return Err(malformed(key::PROTOCOL_VERSION, "a string"));
    };
    match header {
        Some(header) if header != claimed => {
            Err(Refusal::header(format!("MCP-Protocol-Version is {} but _meta says {}", printable(header), printable(claimed))))
        }
        None if http.is_some() => Err(Refusal::header("MCP-Protocol-Version is required, with the version that _meta names")),
        _ if claimed != MODERN => Err(Refusal::unsupported_version(claimed)),
        _ => Ok(()),
    }
}

/// What a request without any claim lacks.
pub(crate) fn unclaimed(meta: Option<&Meta<'_>>) -> Refusal {
    let mut missing = vec![key::PROTOCOL_VERSION];
    if meta.is_none_or(|meta| meta.capabilities.is_none()) {
        missing.push(key::CLIENT_CAPABILITIES);
    }
    missing_keys(&missing)
}

fn missing_keys(missing: &[&str]) -> Refusal {
    Refusal::bad(Code::InvalidParams, format!("params._meta is missing {}", missing.join(" and ")))
        .data(json!({ "missing": missing }))
}

fn request_meta(meta: &Meta<'_>) -> Result<RequestMeta, Refusal> {
    let declared = match &meta.capabilities {
        Some(Object::Is(declared)) => declared,
        Some(Object::Other) => return Err(malformed(key::CLIENT_CAPABILITIES, "an object")),
        None => return Err(missing_keys(&[key::CLIENT_CAPABILITIES])),
    };
    if matches!(meta.client_info, Some(Object::Other)) {
        return Err(malformed(key::CLIENT_INFO, "an object"));
    }
    let log_level = match &meta.log_level {
        Some(level) => {
            let level = level.as_str().and_then(LogLevel::of);
            Some(level.ok_or_else(|| malformed(key::LOG_LEVEL, &one_of_the_levels()))?)
        }
        None => None,
    };
    Ok(RequestMeta {
        capabilities: declared.set,
        progress_token: progress_token(meta)?,
        log_level,
        more: more(declared.extensions, Some(meta)),
    })
}
