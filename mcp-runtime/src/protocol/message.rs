//! What a client says, whatever its revision: read by `modern` or `legacy`, carried out by the endpoint.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::envelope::{Envelope, Meta, Object, Params, Text, is_id};
use super::{Code, Era, Refusal};
use crate::call::{Capabilities, LogLevel, RequestMeta};

/// What the server offers: methods of anything else it does not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) tools: bool,
    pub(crate) logging: bool,
}

/// A message that may be carried out.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Request {
        id: &'a str,
        method: Method<'a>,
        meta: RequestMeta,
    },
    /// The client no longer waits for this request.
    Cancelled {
        /// Its id as JSON text.
        request: &'a str,
        reason: Option<Cow<'a, str>>,
    },
    /// A notification that changes nothing here, or an answer that nobody waits for.
    Ignored,
}

#[derive(Debug)]
pub(crate) enum Method<'a> {
    Discover,
    Initialize {
        era: Era,
        capabilities: Capabilities,
    },
    Ping,
    ListTools {
        cursor: Option<Cow<'a, str>>,
    },
    /// Of the client's session, from now on.
    SetLogLevel(LogLevel),
    CallTool {
        name: Cow<'a, str>,
        arguments: Option<&'a str>,
    },
}

/// A message in JSON-RPC's terms.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Asked {
        /// As JSON text; without it the message is a notification.
        id: Option<&'a str>,
        method: Cow<'a, str>,
        params: Params<'a>,
    },
    Response,
}

impl<'a> Incoming<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Refusal> {
        let envelope = Envelope::parse(text).map_err(|error| diagnose(text, &error))?;
        let id = envelope.id.filter(|id| is_id(id)).map(RawValue::get);
        let refused = |what| Err(invalid(what).with_id(id));
        if envelope.is_response {
            return if envelope.method.is_none() {
                Ok(Self::Response)
            } else {
                refused("it is a request and a response at once")
            };
        }
        let method = match (envelope.jsonrpc.as_ref().and_then(Text::as_str), envelope.method) {
            (Some("2.0"), Some(Text::Is(method))) => method,
            (Some("2.0"), _) => return refused("`method` must be a string"),
            _ => return refused("`jsonrpc` must be \"2.0\""),
        };
        if id.is_none() && envelope.id.is_some() {
            return refused("`id` must be a string or an integer, of at most 1024 bytes");
        }
        let params = match envelope.params {
            Some(Object::Is(params)) => params,
            Some(Object::Other) | None => Params::default(),
        };
        Ok(Self::Asked { id, method, params })
    }

    /// Does its `_meta` name a protocol version? Only the per-request era does that, also where it does it wrongly.
    pub(crate) fn claims_a_version(&self) -> bool {
        match self {
            Self::Asked { params, .. } => params.meta().is_some_and(|meta| meta.protocol_version.is_some()),
            Self::Response => false,
        }
    }

    /// The id of what may be answered.
    pub(crate) fn id(&self) -> Option<&'a str> {
        match self {
            Self::Asked { id, .. } => *id,
            Self::Response => None,
        }
    }
}

impl<'a> Params<'a> {
    pub(crate) fn meta(&self) -> Option<&Meta<'a>> {
        match &self.meta {
            Some(Object::Is(meta)) => Some(meta),
            Some(Object::Other) | None => None,
        }
    }

    /// A notification of the same meaning in every revision. A malformed cancellation is ignored, as the specification has it.
    pub(super) fn notification(self, method: &str) -> Message<'a> {
        if method != "notifications/cancelled" {
            return Message::Ignored;
        }
        let Some(params) = self.lifecycle else { return Message::Ignored };
        let reason = match params.reason {
            Some(Text::Is(reason)) => Some(reason),
            Some(Text::Other) | None => None,
        };
        match params.request_id.filter(|id| is_id(id)) {
            Some(request) => Message::Cancelled { request: request.get(), reason },
            None => Message::Ignored,
        }
    }

    pub(super) fn list_tools(self) -> Result<Method<'a>, Refusal> {
        match self.cursor {
            None => Ok(Method::ListTools { cursor: None }),
            Some(Text::Is(cursor)) => Ok(Method::ListTools { cursor: Some(cursor) }),
            Some(Text::Other) => Err(Refusal::params("params.cursor must be a string: the nextCursor of a page")),
        }
    }

    pub(super) fn set_log_level(self) -> Result<Method<'a>, Refusal> {
        let level = self.lifecycle.as_ref().and_then(|params| params.level.as_ref()?.as_str()).and_then(LogLevel::of);
        match level {
            Some(level) => Ok(Method::SetLogLevel(level)),
            None => Err(Refusal::params(format!("params.level must be {}", one_of_the_levels()))),
        }
    }

    pub(super) fn call_tool(self) -> Result<Method<'a>, Refusal> {
        match self.name {
            Some(Text::Is(name)) => Ok(Method::CallTool { name, arguments: self.arguments.map(RawValue::get) }),
            _ => Err(Refusal::params("params.name must be a string: the name of a tool")),
        }
    }
}

pub(super) fn progress_token(meta: &Meta<'_>) -> Result<Option<Box<RawValue>>, Refusal> {
    match meta.progress_token {
        Some(token) if !is_id(token) => Err(malformed("progressToken", "a string or an integer, of at most 1024 bytes")),
        token => Ok(token.map(ToOwned::to_owned)),
    }
}

pub(super) fn one_of_the_levels() -> String {
    format!("one of {}", LogLevel::ALL.map(LogLevel::name).join(", "))
}

pub(super) fn malformed(key: &str, rule: &str) -> Refusal {
    Refusal::bad(Code::InvalidParams, format!("params._meta: {key} must be {rule}"))
}

pub(crate) fn invalid(what: &str) -> Refusal {
    Refusal::bad(Code::InvalidRequest, format!("Not a JSON-RPC request: {what}"))
}

pub(crate) fn not_json() -> Refusal {
    Refusal::bad(Code::ParseError, "The message is not valid JSON")
}

/// What is wrong with a text that is no envelope.
fn diagnose(text: &str, error: &serde_json::Error) -> Refusal {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return not_json();
    }
    invalid(match text.trim_start().as_bytes() {
        [b'{', ..] if error.to_string().starts_with("a member is given twice") => "a member is given twice",
        [b'{', ..] => "the message can not be read",
        _ => "the message must be one JSON object",
    })
}
