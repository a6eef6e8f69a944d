//! Limits of how often callers may call.

use mcp_auth::RateLimit;

use super::{Reach, Server};
use crate::catalog::{Offered, Prompt, Resource, Tool};
use crate::endpoint::CallRates;
use crate::error::Problem;
use crate::schema::closest;

impl Server {
    /// How often each caller may call, whatever it is: tools, prompts, resources, completions and methods of extensions.
    /// Default: as often as they like, since only you know what a call costs and whether a caller is one person or a gateway.
    ///
    /// ```
    /// # use mcp_runtime::{RateLimit, Server};
    /// Server::new("shop", "1.0.0").rate_limit(RateLimit::per_minute(600).burst(100))
    /// # ;
    /// ```
    ///
    /// Known callers are told apart by issuer and subject, anonymous ones by network: an IPv4 address, or 64 bits of an IPv6
    /// address. Behind a proxy that is the proxy's, and over stdio, or in an application that does not tell
    /// (`into_make_service_with_connect_info::<SocketAddr>()`), there is none: then all anonymous callers are one.
    ///
    /// A tool answers what is too much with an error that says when to try again; everything else with an error, over HTTP with
    /// status 429 and `Retry-After` (legacy clients: with status 200). What is refused for lack of rights, or because the client
    /// can not do what is needed, is not counted; each round of a call that asks its client (2026-07-28) is.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = Some(limit);
        self
    }

    /// How often each caller may call this tool, get this prompt, or read this resource: by name, or by URI or template. Beside
    /// [`rate_limit`](Self::rate_limit); what is too much for one of them counts for neither. Items of one name are counted
    /// together. A name that the server does not offer is a mistake, which [`build`](Self::build) reports.
    ///
    /// ```
    /// # use mcp_runtime::prelude::*;
    /// # use mcp_runtime::RateLimit;
    /// # /// Refund an order.
    /// # #[tool]
    /// # fn refund() {}
    /// # fn main() -> mcp_runtime::Result<()> {
    /// Server::new("shop", "1.0.0").rate_limit_of("refund", RateLimit::per_minute(5))
    /// # .only([refund::tool()]).only_prompts([]).only_resources([]).allow_anonymous().build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rate_limit_of(mut self, name: impl Into<String>, limit: RateLimit) -> Self {
        let name = name.into();
        self.rate_limits_of.retain(|(known, _)| *known != name);
        self.rate_limits_of.push((name, limit));
        self
    }

    pub(super) fn rates(&self, reach: Reach, offered: &Offered, problems: &mut Vec<Problem>) -> Option<CallRates> {
        const SOME: &str = "more than nothing, per period and at once";
        if let Some(limit) = self.rate_limit.filter(|limit| limit.is_nothing()) {
            problems.push(Problem::setting("rate_limit", &format!("{limit:?}"), SOME));
        }
        for (name, limit) in &self.rate_limits_of {
            if limit.is_nothing() {
                problems.push(Problem::setting("rate_limit_of", &format!("{name}, {limit:?}"), SOME));
            }
            let known = self.names(offered);
            if !known.contains(&name.as_str()) {
                problems.push(Problem::UnknownItem { name: name.clone(), meant: closest(name, known.into_iter()) });
            }
        }
        let is_public = self.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        if self.rate_limit.is_none() && (is_public || matches!(reach, Reach::Listening(address) if !address.ip().is_loopback())) {
            tracing::warn!(target: "mcp_runtime::server", "callers may call as often as they like, and MCP asks public servers to limit that: add `.rate_limit(RateLimit::per_minute(..))`");
        }
        CallRates::new(self.rate_limit, &self.rate_limits_of)
    }

    /// Of all that is offered, or may be while the server runs.
    fn names(&self, offered: &Offered) -> Vec<&'static str> {
        let resource = |resource: &Resource| [resource.uri(), resource.definition().name];
        let mut names: Vec<_> = offered.tools.iter().copied().map(Tool::name).collect();
        names.extend(offered.prompts.iter().copied().map(Prompt::name));
        names.extend(offered.resources.iter().flat_map(resource));
        if self.list_changes {
            names.extend(inventory::iter::<Tool>().copied().map(Tool::name));
            names.extend(inventory::iter::<Prompt>().copied().map(Prompt::name));
            names.extend(inventory::iter::<Resource>().flat_map(resource));
        }
        names
    }
}
