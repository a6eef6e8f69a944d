//! A request that is answered with an error instead of a result.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Era, key};
use crate::call::Capability;

/// The error codes this server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    ParseError,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    InternalError,
    /// MCP 2026-07-28, `HeaderMismatchError`.
    HeaderMismatch,
    /// MCP 2026-07-28, `MissingRequiredClientCapabilityError`.
    MissingCapability,
    /// MCP 2026-07-28, `UnsupportedProtocolVersionError`.
    UnsupportedVersion,
    /// MCP 2025-11-25, "Resources", "Error Handling". Only for the handshake revisions.
    ResourceNotFound,
    /// What a tool or an extension answers of its own.
    Custom(i32),
}

impl Code {
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::ParseError => -32700,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::InvalidParams => -32602,
            Self::InternalError => -32603,
            Self::HeaderMismatch => -32020,
            Self::MissingCapability => -32021,
            Self::UnsupportedVersion => -32022,
            Self::ResourceNotFound => -32002,
            Self::Custom(code) => code,
        }
    }
}

/// What the client is told, and with which HTTP status.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) data: Option<Value>,
    /// When to try again, in seconds.
    pub(crate) retry_after: Option<u64>,
    /// The request's id as JSON text, where it could be read.
    pub(crate) id: Option<Box<str>>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), data: None, retry_after: None, id: None }
    }

    pub(crate) fn bad(code: Code, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// Faults that are the method's own. With a 400, clients of both eras would take the server for a legacy one.
    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, Code::InvalidParams, message)
    }

    pub(crate) fn header(message: impl Into<String>) -> Self {
        Self::bad(Code::HeaderMismatch, message)
    }

    /// The same for a request that is not known to be of the per-request era, whose codes others do not know.
    pub(crate) fn without_modern_code(mut self) -> Self {
        self.code = Code::InvalidRequest;
        self
    }

    pub(crate) fn unsupported_version(requested: &str) -> Self {
        let supported = Era::V2026_07_28.version();
        Self::bad(
            Code::UnsupportedVersion,
            format!(
                "Protocol version not supported; this server speaks {supported} with per-request _meta ({} and older open with initialize)",
                Era::NEWEST_LEGACY.version()
            ),
        )
        .data(json!({ "supported": [supported], "requested": printable(requested) }))
    }

    pub(crate) fn unknown_method(method: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code::MethodNotFound, format!("No such method: {}", printable(method)))
    }

    /// A resource that is not there, or not for this caller. Clients of each era know it by another code.
    pub(crate) fn no_such_resource(uri: &str, era: Era) -> Self {
        let code = if era.is_legacy() { Code::ResourceNotFound } else { Code::InvalidParams };
        Self::new(StatusCode::OK, code, "No such resource").data(json!({ "uri": uri }))
    }

    pub(crate) fn missing_capabilities(tool: &str, missing: &[Capability]) -> Self {
        let mut required = json!({});
        let mut words = Vec::new();
        for capability in missing {
            let (word, path) = match capability {
                Capability::Elicitation => ("elicitation", ["elicitation", "form"].as_slice()),
                Capability::ElicitationUrl => ("URL elicitation", ["elicitation", "url"].as_slice()),
                Capability::Sampling => ("sampling", ["sampling"].as_slice()),
                Capability::Roots => ("roots", ["roots"].as_slice()),
                Capability::Tasks => ("the tasks extension", ["extensions", key::TASKS].as_slice()),
                Capability::Ui => ("MCP Apps", ["extensions", key::UI].as_slice()),
            };
            words.push(word);
            path.iter().fold(&mut required, |place, name| {
                if !place[*name].is_object() {
                    place[*name] = json!({});
                }
                &mut place[*name]
            });
        }
        Self::bad(Code::MissingCapability, format!("{tool} needs a client with {}", words.join(" and ")))
            .data(json!({ "requiredCapabilities": required }))
    }

    /// After another way to mend it.
    pub(crate) fn after(mut self, other: &str) -> Self {
        self.message = format!("{other}; as a request of {} it is not complete: {}", Era::V2026_07_28.version(), self.message);
        self
    }

    pub(crate) fn data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn with_id(mut self, id: Option<&str>) -> Self {
        self.id = id.map(Into::into);
        self
    }

    /// With the status that it has as an answer to a request of `era`. The handshake revisions map no error of a method to a
    /// status, and their clients do not read the body of a failed exchange.
    pub(crate) fn in_era(mut self, era: Era) -> Self {
        if era.is_legacy()
            && matches!(
                self.code,
                Code::MethodNotFound | Code::InvalidParams | Code::InternalError | Code::ResourceNotFound | Code::Custom(_)
            )
        {
            self.status = StatusCode::OK;
        }
        self
    }

    /// The JSON-RPC error message. Without an id the member is left out: the schema has no null id.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        out.extend_from_slice(br#"{"jsonrpc":"2.0","#);
        if let Some(id) = &self.id {
            out.extend_from_slice(br#""id":"#);
            out.extend_from_slice(id.as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(br#""error":{"code":"#);
        out.extend_from_slice(self.code.number().to_string().as_bytes());
        out.extend_from_slice(br#","message":"#);
        super::json::write_string(&mut out, &self.message);
        if let Some(data) = &self.data {
            out.extend_from_slice(br#","data":"#);
            out.extend_from_slice(data.to_string().as_bytes());
        }
        out.extend_from_slice(b"}}");
        out
    }
}

/// What a client sent, fit for a message.
pub(crate) fn printable(text: &str) -> String {
    crate::excerpt::excerpt(text, 80)
}
