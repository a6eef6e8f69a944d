//! JSON-RPC and MCP on the wire: envelope, `_meta`, header rules, errors.
//!
//! A body is parsed once. What is parsed borrows the body; arguments stay raw until the tool's types read them.

mod classify;
mod envelope;
mod era;
mod headers;
mod json;
pub(crate) mod legacy;
mod message;
pub(crate) mod modern;
mod refusal;
mod render;

pub(crate) use classify::{Wire, classify, wire_of};
#[cfg(test)]
pub(crate) use envelope::Text;
pub use era::Era;
pub(crate) use headers::{SESSION_ID, check_parameters, last_event_id, session_id};
pub(crate) use message::{
    Completed, Completing, Filter, Incoming, Kind, Message, Method, Offer, Outcome, Retry, Target, invalid, not_json,
};
pub(crate) use refusal::{Code, Refusal, printable};
pub(crate) use render::{
    CacheHint, Implementation, Renderer, acknowledged, cancelled, heard, log_message, progress, question, questions, unsubscribed,
};

/// Keys of the protocol in `_meta`.
pub(crate) mod key {
    pub(crate) const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    pub(crate) const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    pub(crate) const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    pub(crate) const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    pub(crate) const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
    pub(crate) const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// The extension of tasks.
    pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";
    /// The extension of MCP Apps.
    pub(crate) const UI: &str = "io.modelcontextprotocol/ui";
}
