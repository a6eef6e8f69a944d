//! Extensions of the protocol: what a server declares beyond its core, and the methods that come with it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::call::{Context, ToolError};
use crate::error::Problem;

/// How a method of an extension ends.
pub(crate) type ExtensionFuture = Pin<Box<dyn Future<Output = Result<Value, ToolError>> + Send>>;

type Handler = Arc<dyn Fn(Context, Map<String, Value>) -> ExtensionFuture + Send + Sync>;

/// An extension of the protocol that this server supports (MCP 2026-07-28, "Extension Negotiation").
///
/// ```
/// use mcp_runtime::ProtocolExtension;
/// use mcp_runtime::prelude::*;
/// use serde_json::json;
///
/// let greetings = ProtocolExtension::new("com.example/greetings")
///     .settings(json!({ "languages": ["en", "pt"] }))
///     .method("greetings/say", async |ctx, params| {
///         // What the client declared for it on this request.
///         let polite = ctx.client_extension("com.example/greetings").is_some_and(|own| own.contains_key("polite"));
///         let name = params.get("name").and_then(|name| name.as_str()).ok_or_else(|| ToolError::user("Send a name."))?;
///         Ok(json!({ "greeting": if polite { format!("Good day, {name}.") } else { format!("Hi, {name}!") } }))
///     });
/// let server = Server::new("greeter", "1.0.0").extension(greetings);
/// ```
#[derive(Clone)]
#[must_use]
pub struct ProtocolExtension {
    id: String,
    settings: Value,
    methods: Vec<(&'static str, Handler)>,
}

impl ProtocolExtension {
    /// An extension by its identifier: a prefix of your own domain, `/`, and a name.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), settings: json!({}), methods: Vec::new() }
    }

    /// What the server declares of it: a JSON object.
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings;
        self
    }

    /// Adds a method. Its handler gets the context of the request and the request's params without `_meta`, and answers with a JSON
    /// object. [`ToolError::user`] becomes an error -32602 with that message, [`ToolError::rpc`] one of your own code, all else is
    /// logged and masked.
    ///
    /// The scopes of the caller are for the handler to check: [`Context::principal`].
    pub fn method<F, R>(mut self, name: &'static str, handler: F) -> Self
    where
        F: Fn(Context, Map<String, Value>) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, ToolError>> + Send + 'static,
    {
        self.methods.push((name, Arc::new(move |context, params| Box::pin(handler(context, params)))));
        self
    }
}

impl fmt::Debug for ProtocolExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.methods.iter().map(|(name, _)| name).collect();
        f.debug_struct("ProtocolExtension").field("id", &self.id).field("methods", &methods).finish_non_exhaustive()
    }
}

/// All extensions of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extensions(Arc<[ProtocolExtension]>);

impl Extensions {
    pub(crate) fn new(all: Vec<ProtocolExtension>) -> Self {
        Self(all.into())
    }

    pub(crate) fn has_method(&self, method: &str) -> bool {
        self.0.iter().flat_map(|extension| &extension.methods).any(|(name, _)| *name == method)
    }

    /// A method's name, if there is one of it.
    pub(crate) fn name_of(&self, method: &str) -> Option<&'static str> {
        let mut names = self.0.iter().flat_map(|extension| &extension.methods).map(|(name, _)| *name);
        names.find(|name| *name == method)
    }

    /// Begins a method.
    pub(crate) fn begin(&self, method: &str, context: Context, params: Map<String, Value>) -> ExtensionFuture {
        let found = self.0.iter().flat_map(|extension| &extension.methods).find(|(name, _)| *name == method);
        match found {
            Some((_, handler)) => handler(context, params),
            None => Box::pin(std::future::ready(Err(ToolError::user("There is no such method.")))),
        }
    }

    /// What the server declares.
    pub(crate) fn declared(&self) -> Map<String, Value> {
        self.0.iter().map(|extension| (extension.id.clone(), extension.settings.clone())).collect()
    }

    pub(crate) fn check(&self, problems: &mut Vec<Problem>) {
        const ID: &str = "a prefix of your own domain, `/` and a name, as in `com.example/greetings`, and there once";
        const METHOD: &str = "a plain name with a `/` that no part of the protocol and no other extension has";
        for (index, extension) in self.0.iter().enumerate() {
            let id = &extension.id;
            // The grammar of keys in `_meta` (MCP 2026-07-28, "General fields").
            let is = |text: &str, begins: fn(char) -> bool, between: &str| {
                text.starts_with(begins)
                    && text.ends_with(|c: char| c.is_ascii_alphanumeric())
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || between.contains(c))
            };
            let fits = id.split_once('/').is_some_and(|(prefix, name)| {
                let labels: Vec<&str> = prefix.split('.').collect();
                !matches!(labels.get(1), Some(&("mcp" | "modelcontextprotocol")))
                    && labels.iter().all(|label| is(label, |c| c.is_ascii_alphabetic(), "-"))
                    && is(name, |c| c.is_ascii_alphanumeric(), "-_.")
            });
            if !fits || self.0[..index].iter().any(|earlier| earlier.id == *id) {
                problems.push(Problem::setting("extension", id, ID));
            }
            if !extension.settings.is_object() {
                problems.push(Problem::setting("the settings of an extension", id, "a JSON object"));
            }
        }
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in self.0.iter().flat_map(|extension| &extension.methods) {
            let (group, rest) = name.split_once('/').unwrap_or((name, ""));
            let taken = matches!(
                group,
                "tools"
                    | "prompts"
                    | "resources"
                    | "completion"
                    | "logging"
                    | "server"
                    | "subscriptions"
                    | "tasks"
                    | "notifications"
                    | "initialize"
                    | "ping"
                    | "sampling"
                    | "elicitation"
                    | "roots"
            );
            // It is repeated in a header.
            let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic());
            if group.is_empty() || rest.is_empty() || !is_plain || taken || seen.contains(name) {
                problems.push(Problem::setting("the method of an extension", name, METHOD));
            }
            seen.push(name);
        }
    }
}
