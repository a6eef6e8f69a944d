//! Checks everything that a compiler cannot, and makes the server.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use serde_json::json;

use super::{Handle, Server};
use crate::call::Limits;
use crate::catalog::{Catalog, Paging, Surroundings, Tool};
use crate::endpoint::{Access, Endpoint, Origins, Parts, PublicUrl};
use crate::error::{Error, Problem, Result};
use crate::protocol::{CacheHint, Implementation, Offer, Renderer};
use crate::transport;

/// From where the server can be reached, as far as it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// By function calls of a test.
    InProcess,
    /// By the process that started it.
    Pipe,
    /// As part of a host application that listens somewhere.
    Embedded,
    /// At this address.
    Listening(SocketAddr),
}

/// A checked server, ready to be served or merged into an application.
#[derive(Clone, Debug)]
pub struct Built {
    pub(crate) endpoint: Arc<Endpoint>,
}

impl Server {
    /// Checks the configuration.
    ///
    /// # Errors
    /// Every mistake at once: [`Error::Config`].
    pub fn build(self) -> Result<Built> {
        self.build_for(Reach::Embedded)
    }

    /// The server as a router, to be **merged** into the host application's: `app.merge(server.router()?)`.
    ///
    /// It fits an application of any state type, has its endpoint at [`path`](Self::path), and has no fallback. Nesting it
    /// (`nest("/api", ..)`) is wrong: the endpoint would move, and with it the documents whose places at the root are fixed by
    /// RFC 9728. Set `path("/api/mcp")` instead.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Result<Router<S>> {
        Ok(self.build()?.router())
    }

    pub(crate) fn build_for(self, reach: Reach) -> Result<Built> {
        let mut problems = Vec::new();
        let origins = self.check_access(reach, &mut problems);
        self.check_bounds(&mut problems);
        let tools = self.chosen(&mut problems);
        let around = Surroundings {
            limits: Limits {
                timeout: self.limits.timeout,
                max_result_bytes: self.limits.max_result_bytes,
                heartbeat: self.limits.heartbeat,
            },
            has_state: &|id| self.states.contains(id),
            nobody_known: match reach {
                Reach::Pipe if self.stdio_principal.is_none() => Some(
                    "over stdio nobody is known, since `.auth(..)` is not asked there: add `.stdio_principal(Principal::user(\"..\"))`",
                ),
                Reach::Embedded | Reach::Listening(_) if self.auth.is_none() => Some("the server has no `.auth(..)`"),
                _ => None,
            },
        };
        let catalog = Catalog::build(tools, &around, &mut problems);
        let sealing = self.sealing(reach, &mut problems);
        if !problems.is_empty() {
            return Err(Error::Config(problems));
        }
        let legacy = self.legacy(reach, sealing.as_ref());
        let catalog = match (self.page_size, &sealing) {
            (Some(size), Some(sealing)) => catalog.paged(Paging::new(size, sealing.seal("cursor"))),
            _ => catalog,
        };
        if let Some(sealing) = sealing.filter(|_| !matches!(reach, Reach::InProcess | Reach::Pipe)) {
            sealing.tell();
        }
        let count = catalog.names().count();
        let names = catalog.names().collect::<Vec<_>>().join(", ");
        tracing::info!(target: "mcp_runtime::server", server = self.name, tools = count, names, "server built");
        if catalog.is_empty() {
            tracing::warn!(target: "mcp_runtime::server", "the server has no tools: a crate whose `#[tool]` functions nothing names is not linked; write `use that_crate as _;`");
        }
        let access = Access { origins, auth: self.auth.clone(), allow_anonymous: self.auth.is_none() || self.allow_anonymous };
        let offer = Offer { tools: !catalog.is_empty(), logging: self.client_logging };
        let renderer = self.renderer(&catalog, offer);
        let (path, states, bounds) = (self.path, self.states, self.limits);
        let parts = Parts { path, catalog, states, renderer, offer, legacy, access, bounds };
        Ok(Built { endpoint: Arc::new(Endpoint::new(parts)) })
    }

    /// Who could call, and under which names.
    fn check_access(&self, reach: Reach, problems: &mut Vec<Problem>) -> Origins {
        let public = match self.public_url.as_deref().map(PublicUrl::parse).transpose() {
            Ok(public) => public,
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let far = match reach {
            Reach::Listening(address) if !address.ip().is_loopback() => Some(address),
            _ => None,
        };
        // An embedded server does not know its address; until told otherwise it answers to loopback names only.
        let mut origins = Origins::new(far.is_none());
        problems.extend(self.hosts.iter().filter_map(|host| origins.add_host(host).err()));
        problems.extend(self.origins.iter().filter_map(|origin| origins.add_origin(origin).err()));
        let far_host = origins.far_host().map(str::to_owned);
        if let Some(public) = &public {
            origins.add_public(public);
        }
        problems.extend(check_path(&self.path).err());
        if let Some(auth) = &self.auth {
            problems.extend(auth.problems().into_iter().map(Problem::Auth));
        }
        if let Some(address) = far
            && self.public_url.is_none()
            && far_host.is_none()
        {
            problems.push(Problem::NoPublicUrl { address: address.to_string() });
        }
        if self.auth.is_none() && !self.allow_anonymous && !matches!(reach, Reach::InProcess | Reach::Pipe) {
            let public = public.filter(|public| !public.is_local).and(self.public_url.as_ref());
            let reach = match (far, public) {
                (Some(address), _) => Some(format!("the server listens on {address}, which other machines reach")),
                (None, Some(url)) => Some(format!("the server is public at {url}")),
                // A name that others know is as good as a public URL.
                // Where its host application listens, a router cannot know.
                (None, None) if reach == Reach::Embedded => {
                    Some("the router is reached wherever its application listens".to_owned())
                }
                (None, None) => far_host.map(|host| format!("the server answers to `{host}`")),
            };
            problems.extend(reach.map(|reach| Problem::Unprotected { reach }));
        }
        origins
    }

    fn check_bounds(&self, problems: &mut Vec<Problem>) {
        let limits = &self.limits;
        let mut more_than_none = |name: &'static str, none: bool| {
            if none {
                problems.push(Problem::setting(name, "0", "more than nothing"));
            }
        };
        more_than_none("timeout", limits.timeout.is_zero());
        more_than_none("page_size", self.page_size == Some(0));
        more_than_none("max_result_bytes", limits.max_result_bytes == 0);
        more_than_none("max_body_bytes", limits.max_body_bytes == 0);
        more_than_none("max_concurrent_calls", limits.max_concurrent_calls == 0);
        more_than_none("max_connections", limits.max_connections == 0);
        more_than_none("client_timeout", limits.client_timeout.is_zero());
        more_than_none("heartbeat", limits.heartbeat.is_some_and(|interval| interval.is_zero()));
        if self.session_lifetime.as_secs() == 0 {
            problems.push(Problem::setting("session_lifetime", &format!("{:?}", self.session_lifetime), "at least a second"));
        }
        if limits.max_buffered_bytes < limits.max_body_bytes {
            let value = limits.max_buffered_bytes.to_string();
            problems.push(Problem::setting("max_buffered_bytes", &value, "at least `max_body_bytes`"));
        }
        // What the semaphores behind these can count.
        for (name, value) in [
            ("max_concurrent_calls", limits.max_concurrent_calls),
            ("max_unattended_calls", limits.max_unattended_calls),
            ("max_connections", limits.max_connections),
        ] {
            if value > tokio::sync::Semaphore::MAX_PERMITS {
                problems.push(Problem::setting(name, &value.to_string(), "a number that fits into 60 bits"));
            }
        }
        if self.name.is_empty() {
            problems.push(Problem::setting("name", "", "a name that clients can show"));
        }
    }

    fn chosen(&self, problems: &mut Vec<Problem>) -> Vec<Tool> {
        let mut tools = self.only.clone().unwrap_or_else(|| inventory::iter::<Tool>().copied().collect());
        for tag in &self.tags {
            if !tools.iter().any(|tool| tool.tags().contains(&tag.as_str())) {
                problems.push(Problem::setting("tags", tag, "a tag that at least one of the tools carries"));
            }
        }
        if !self.tags.is_empty() {
            tools.retain(|tool| tool.tags().iter().any(|tag| self.tags.iter().any(|chosen| chosen == tag)));
        }
        tools
    }

    fn renderer(&self, catalog: &Catalog, offer: Offer) -> Renderer {
        let server = Implementation { name: &self.name, version: &self.version, title: self.title.as_deref() };
        let mut capabilities = json!({});
        for (name, offered) in [("tools", offer.tools), ("logging", offer.logging)] {
            if offered {
                capabilities[name] = json!({});
            }
        }
        // Where callers must be known, or see different things, no cache may give one's answer to another.
        let is_public = self.auth.is_none() && !catalog.depends_on_caller() && !self.cache_lists.is_zero();
        let hint = CacheHint { ttl: self.cache_lists, is_public };
        Renderer::new(server, &capabilities, self.instructions.as_deref(), hint)
    }
}

impl Built {
    /// The router, to be merged; see [`Server::router`].
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        transport::http::router(&self.endpoint)
    }

    /// A handle that stops the server.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(self.endpoint.shutdown.clone())
    }

    /// The names of the tools, sorted.
    pub fn tools(&self) -> impl Iterator<Item = &'static str> {
        self.endpoint.catalog().names()
    }
}

fn check_path(path: &str) -> Result<(), Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-._~".contains(&b);
    let valid = path.starts_with('/') && path.bytes().all(plain) && !path.contains("//") && (path == "/" || !path.ends_with('/'));
    if valid {
        Ok(())
    } else {
        Err(Problem::setting(
            "path",
            path,
            "a path that begins with `/`, of letters, digits and `-._~/`, without a `/` at its end",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_plain() {
        assert!(check_path("/").is_ok() && check_path("/a/mcp").is_ok());
        for bad in ["", "mcp", "/mcp/", "/{id}", "/a b", "/a//b", "/*x"] {
            assert!(check_path(bad).is_err(), "{bad}");
        }
    }
}
