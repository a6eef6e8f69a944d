//! One resource or family of resources, as `#[resource]` describes it.

use std::fmt;
use std::time::Duration;

use super::uri_template::UriTemplate;
use super::{CompletionDefinition, Injected, Location};
use crate::call::{Capability, Context, RawStrings, ReadFuture, ReadTarget};

/// A resource that can be served, or a family of them: what [`#[resource]`](macro@crate::resource) makes of a function, in hand for
/// [`Server::only_resources`](crate::Server::only_resources).
///
#[doc = include_str!("../docs/resources.md")]
#[derive(Clone, Copy)]
pub struct Resource(&'static ResourceDefinition);

inventory::collect!(Resource);

impl Resource {
    #[doc(hidden)]
    #[must_use]
    pub const fn from_definition(definition: &'static ResourceDefinition) -> Self {
        Self(definition)
    }

    /// Its URI, or the template of its URIs (RFC 6570).
    #[must_use]
    pub fn uri(self) -> &'static str {
        self.0.uri
    }

    /// The URI with these values for its variables, percent-encoded where they must be; a variable without a value is left out. For
    /// links, and for telling which one was [updated](crate::Notifier::resource_updated):
    ///
    /// ```
    /// use mcp_runtime::prelude::*;
    ///
    /// /// An order.
    /// #[resource("orders://{id}")]
    /// fn order(id: String) -> String {
    ///     format!("order {id}")
    /// }
    ///
    /// assert_eq!(order::resource().uri_with([("id", "a b")]), "orders://a%20b");
    /// ```
    #[must_use]
    pub fn uri_with<'v>(self, values: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
        let values: Vec<_> = values.into_iter().collect();
        let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        // A template that can not be read fails the build of its server.
        UriTemplate::parse(self.0.uri).map_or_else(|_| self.0.uri.to_owned(), |template| template.expand(value))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Its tags.
    #[must_use]
    pub fn tags(self) -> &'static [&'static str] {
        self.0.tags
    }

    #[doc(hidden)]
    #[must_use]
    pub fn definition(self) -> &'static ResourceDefinition {
        self.0
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({} at {})", self.0.uri, self.0.location)
    }
}

/// Everything the macro knows about a resource. Hidden: only generated code makes one.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "hidden; the words of `#[resource]`")]
pub struct ResourceDefinition {
    /// A URI, or where it has a `{`, a template.
    pub uri: &'static str,
    pub name: &'static str,
    pub title: Option<&'static str>,
    pub description: Option<&'static str>,
    pub mime_type: Option<&'static str>,
    pub annotations: ResourceAnnotations,
    pub cache: Option<Cache>,
    pub tags: &'static [&'static str],
    pub scopes: &'static [&'static str],
    pub hidden: bool,
    pub requires: &'static [Capability],
    pub timeout: Option<Duration>,
    pub max_result_bytes: Option<usize>,
    pub icons: &'static [&'static str],
    /// Key, and the value as JSON text.
    pub meta: &'static [(&'static str, &'static str)],
    /// Variables that may hold `..`, absolute paths and backslashes.
    pub unchecked: &'static [&'static str],
    pub completions: &'static [CompletionDefinition],
    pub injected: &'static [Injected],
    /// May it ask the user while it is read?
    pub asks: bool,
    pub read: fn(Context, RawStrings<'_>, ReadTarget) -> ReadFuture,
    pub location: Location,
}

/// Hints for clients (MCP 2026-07-28, `Annotations`).
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceAnnotations {
    /// `user`, `assistant`, or both.
    pub audience: &'static [&'static str],
    /// From 0 to 1.
    pub priority: Option<f64>,
    /// ISO 8601.
    pub last_modified: Option<&'static str>,
}

/// How long, and for whom, what was read may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "hidden; the words of `#[resource]`")]
pub struct Cache {
    pub is_public: bool,
    pub ttl: Duration,
}
