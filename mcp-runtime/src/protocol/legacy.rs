//! The handshake revisions, 2025-03-26 to 2025-11-25: `initialize` says once what later requests rely on.
//!
//! No header is compared with the body here: clients of these revisions do not know the headers that repeat it.

use std::borrow::Cow;

use serde_json::json;

use super::envelope::{Implementation, Meta, Object, Rare, Text};
use super::message::{Kind, more, progress_token, raw_params};
use super::{Code, Era, Incoming, Message, Method, Offer, Refusal, modern};
use crate::call::{Capabilities, Capability, LogLevel, RequestMeta};

/// What a client said of itself when it opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) era: Era,
    pub(crate) capabilities: Capabilities,
}

/// How a client opens on this transport.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opening {
    /// By a session, whose id it sends with each request; it may name its revision in a header as well.
    Session { named: Option<Era> },
    /// By a handshake on the pipe that it has for itself.
    Handshake,
}

impl Opening {
    fn named(self) -> Option<Era> {
        match self {
            Self::Session { named } => named,
            Self::Handshake => None,
        }
    }

    /// What a client reads that did not open. Without a version it may be of any era, so it is told both ways.
    fn missing(self, meta: Option<&Meta<'_>>) -> Refusal {
        match self {
            Self::Session { named: Some(_) } => no_session(),
            Self::Session { named: None } => modern::unclaimed(meta).after(NO_SESSION),
            Self::Handshake => modern::unclaimed(meta).after("Send initialize first"),
        }
    }
}

const NO_SESSION: &str = "No session: send initialize first, then its Mcp-Session-Id with every request";

/// Reads a message. `client` is whom it comes from, if it opened before; `log_level` what it asked for since.
pub(crate) fn read<'a>(
    message: Incoming<'a>,
    client: Option<Client>,
    opening: Opening,
    offer: &Offer,
    log_level: Option<LogLevel>,
) -> Result<Message<'a>, Refusal> {
    let (id, method, mut params, text) = match message {
        Incoming::Asked { id, method, params, text } => (id, method, params, text),
        Incoming::Response { id: Some(id), outcome } if client.is_some() => return Ok(Message::Answered { id, outcome }),
        Incoming::Response { .. } if client.is_some() => return Ok(Message::Ignored),
        Incoming::Response { .. } => return Err(super::invalid("this is a response to no request")),
    };
    let Some(id) = id else {
        return Ok(params.notification(&method));
    };
    if client.is_none() && !matches!(&*method, "initialize" | "ping") {
        // A stranger may be of any era: it gets a status that all of them understand.
        return Err(opening.missing(params.meta()).with_id(Some(id)));
    }
    let client = client.unwrap_or(Client { era: Era::NEWEST_LEGACY, capabilities: Capabilities::default() });
    let request = || {
        let mut meta = RequestMeta::default();
        let method = match &*method {
            "initialize" => handshake(params.rare.as_deref().unwrap_or(&Rare::default()), opening.named())?,
            "ping" => Method::Ping,
            "tools/list" if offer.tools => params.list(Kind::Tools)?,
            "prompts/list" if offer.prompts => params.list(Kind::Prompts)?,
            "resources/list" if offer.resources => params.list(Kind::Resources)?,
            "resources/templates/list" if offer.resources => params.list(Kind::Templates)?,
            "tools/call" | "prompts/get" | "resources/read" | "completion/complete" => {
                meta = request_meta(params.meta(), client, log_level)?;
                match &*method {
                    "tools/call" if offer.tools => params.call_tool()?,
                    "prompts/get" if offer.prompts => params.get_prompt()?,
                    "resources/read" if offer.resources => params.read_resource()?,
                    "completion/complete" if offer.completions => params.complete()?,
                    other => return Err(Refusal::unknown_method(other)),
                }
            }
            "logging/setLevel" if offer.logging => params.set_log_level()?,
            "resources/subscribe" if offer.resource_updates => Method::Subscribe { uri: params.uri()? },
            "resources/unsubscribe" if offer.resource_updates => Method::Unsubscribe { uri: params.uri()? },
            other if offer.extensions.has_method(other) => {
                meta = request_meta(params.meta(), client, log_level)?;
                Method::Extension { method: Cow::Owned(other.to_owned()), params: raw_params(text) }
            }
            other => return Err(Refusal::unknown_method(other)),
        };
        Ok(Message::Request { id, method, meta })
    };
    request().map_err(|refusal: Refusal| refusal.in_era(client.era).with_id(Some(id)))
}

/// What a function knows of a request that runs it.
fn request_meta(meta: Option<&Meta<'_>>, client: Client, log_level: Option<LogLevel>) -> Result<RequestMeta, Refusal> {
    Ok(RequestMeta {
        capabilities: client.capabilities,
        progress_token: meta.map(progress_token).transpose()?.flatten(),
        log_level,
        more: more(None, meta),
    })
}

/// What a server that serves no legacy client reads. It may be the only diagnostic that the user of one gets to see.
pub(crate) fn refuse(message: Incoming<'_>) -> Result<Message<'_>, Refusal> {
    match message {
        Incoming::Response { .. } => Err(super::invalid("this is a response to no request")),
        Incoming::Asked { id: None, .. } => Ok(Message::Ignored),
        Incoming::Asked { id, method, params, .. } if method == "initialize" => {
            let requested = params.rare.as_ref().and_then(|params| params.protocol_version.as_ref()?.as_str());
            let requested = requested.unwrap_or_default();
            Err(Refusal::unsupported_version(requested).after(REFUSED).with_id(id))
        }
        Incoming::Asked { id, params, .. } => Err(modern::unclaimed(params.meta()).after(REFUSED).with_id(id)),
    }
}

const REFUSED: &str = "This server does not serve the versions that open with initialize";

/// A request that needs a session names none.
pub(crate) fn no_session() -> Refusal {
    Refusal::bad(Code::InvalidRequest, NO_SESSION)
}

/// `initialize`: every field that is missing or wrong is named. A version that is not spoken here is no error: the client is
/// offered the newest, and decides (MCP 2025-11-25, "Version Negotiation").
fn handshake<'a>(params: &Rare<'_>, header: Option<Era>) -> Result<Method<'a>, Refusal> {
    let mut missing = Vec::new();
    let mut wrong = Vec::new();
    let requested = text(params.protocol_version.as_ref(), "protocolVersion", &mut missing, &mut wrong);
    let capabilities = match &params.capabilities {
        Some(Object::Is(declared)) => declared.set,
        other => {
            if other.is_some() { &mut wrong } else { &mut missing }.push("capabilities");
            Capabilities::default()
        }
    };
    match &params.client_info {
        Some(Object::Is(Implementation { name, version })) => {
            text(name.as_ref(), "clientInfo.name", &mut missing, &mut wrong);
            text(version.as_ref(), "clientInfo.version", &mut missing, &mut wrong);
        }
        other => if other.is_some() { &mut wrong } else { &mut missing }.push("clientInfo"),
    }
    let mut faults = Vec::new();
    if !missing.is_empty() {
        faults.push(format!("missing {}", missing.join(", ")));
    }
    if !wrong.is_empty() {
        faults.push(format!("of the wrong type: {}", wrong.join(", ")));
    }
    if !faults.is_empty() {
        let message = format!(
            "initialize needs params.protocolVersion (a string), params.capabilities (an object) and params.clientInfo (an object with the strings name and version); {}",
            faults.join("; ")
        );
        return Err(Refusal::params(message).data(json!({ "missing": missing, "wrongType": wrong })));
    }
    let spoken = Era::legacy(requested);
    match (header, spoken) {
        (Some(header), Some(spoken)) if header != spoken => Err(Refusal::bad(
            Code::InvalidRequest,
            format!("MCP-Protocol-Version is {}, but initialize asks for {}", header.version(), spoken.version()),
        )),
        _ => {
            let era = spoken.unwrap_or(Era::NEWEST_LEGACY);
            Ok(Method::Initialize { era, capabilities: known_to(era, capabilities) })
        }
    }
}

fn text<'t>(value: Option<&'t Text<'_>>, name: &'static str, missing: &mut Vec<&str>, wrong: &mut Vec<&str>) -> &'t str {
    match value {
        Some(Text::Is(text)) => text,
        Some(Text::Other) => {
            wrong.push(name);
            ""
        }
        None => {
            missing.push(name);
            ""
        }
    }
}

/// The capabilities that the revision itself has: whatever else a client declares, there is no message to use it with.
fn known_to(era: Era, declared: Capabilities) -> Capabilities {
    let mut known = Capabilities::default();
    for capability in Capability::ALL {
        let since = match capability {
            Capability::Sampling | Capability::Roots => Era::V2025_03_26,
            Capability::Elicitation => Era::V2025_06_18,
            Capability::ElicitationUrl => Era::V2025_11_25,
            Capability::Ui => Era::V2025_06_18,
            // The tasks of 2025-11-25 are something else (MCP 2026-07-28, "Tasks").
            Capability::Tasks => Era::V2026_07_28,
        };
        if era >= since && declared.contains(capability) {
            known.insert(capability);
        }
    }
    known
}
