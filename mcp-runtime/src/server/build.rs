//! Checks everything that a compiler cannot, and makes the server.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use mcp_auth::Auth;
use serde_json::{Map, Value, json};

use super::{Handle, LegacyClients, Server};
use crate::call::Limits;
use crate::catalog::{Catalog, Live, Offered, Paging, Prompt, Resource, Surroundings, Tool};
use crate::endpoint::{Access, Endpoint, Origins, Parts, PublicUrl, Rounds, SessionEars, Tasks};
use crate::error::{Error, Problem, Result};
use crate::extension::Extensions;
use crate::notify::Notifier;
use crate::protocol::{CacheHint, Era, Implementation, Offer, Renderer, SESSION_ID, key};
use crate::streams::{MemoryEvents, Streams};
use crate::tasks::MemoryTasks;
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
    /// Checks the configuration, as that of a server which an application will listen for: it asks for `.auth(..)` or
    /// `.allow_anonymous()`, and for a name. [`testing::Client::new`](crate::testing::Client::new) builds without these.
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
    /// Connections are the application's: how many there may be, and how long a client may take to send the head of a request,
    /// is for it to bound, or for the proxy before it. `axum::serve` bounds neither; [`serve`](Self::serve) does.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Result<Router<S>> {
        Ok(self.build()?.router())
    }

    pub(crate) fn build_for(self, reach: Reach) -> Result<Built> {
        let mut problems = Vec::new();
        let auth = self.guard();
        let origins = self.check_access(reach, auth.as_ref(), &mut problems);
        self.check_bounds(&mut problems);
        let offered = self.chosen(&mut problems);
        self.extensions().check(&mut problems);
        let rates = self.rates(reach, &offered, &mut problems);
        let around = Surroundings {
            limits: Limits {
                timeout: self.limits.timeout,
                max_result_bytes: self.limits.max_result_bytes,
                heartbeat: self.limits.heartbeat,
            },
            states: self.states.types(),
            nobody_known: match reach {
                Reach::Pipe if self.stdio_principal.is_none() => Some(
                    "over stdio nobody is known, since `.auth(..)` is not asked there: add `.stdio_principal(Principal::user(\"..\"))`",
                ),
                Reach::Embedded | Reach::Listening(_) if self.auth.is_none() => Some("the server has no `.auth(..)`: add it"),
                _ => None,
            },
        };
        let catalog = Catalog::build(&offered, &around, &mut problems);
        self.permits.check(&catalog, self.list_changes, &mut problems);
        let sealing = self.sealing(reach, catalog.asks() || self.list_changes, &mut problems);
        let Some(sealing) = sealing.filter(|_| problems.is_empty()) else {
            return Err(Error::Config(problems));
        };
        let legacy = self.legacy(reach, &sealing);
        let paging = self.page_size.map(|size| Paging::new(size, sealing.seal("cursor")));
        let rounds = Rounds::new(sealing.seal("request state"), self.round_lifetime, self.max_round_bytes);
        if !matches!(reach, Reach::InProcess | Reach::Pipe) {
            sealing.tell();
        }
        let names = catalog.tools.entries().iter().map(|entry| entry.common.name).collect::<Vec<_>>().join(", ");
        let (tools, prompts) = (catalog.tools.entries().len(), catalog.prompts.entries().len());
        let resources = catalog.resources.entries().count();
        let public_url = self.public_url.as_deref();
        tracing::info!(target: "mcp_runtime::server", server = self.name, public_url, tools, names, prompts, resources, "server built");
        if catalog.is_empty() {
            tracing::warn!(target: "mcp_runtime::server", "the server has no tools: a crate whose `#[tool]` functions nothing names is not linked; write `use that_crate as _;`");
        }
        let described = auth.as_ref().filter(|auth| auth.metadata().is_some());
        let metadata = described.and_then(Auth::resource).map(mcp_auth::Resource::metadata_path);
        let access = Access {
            origins,
            metadata,
            allow_anonymous: auth.is_none() || self.allow_anonymous,
            judges: auth.is_some() && !matches!(reach, Reach::InProcess | Reach::Pipe),
            hidden: hidden(auth.as_ref()),
            auth,
            permits: self.permits.clone(),
            relay: self.relay.clone(),
            #[cfg(feature = "fetch")]
            mirror: self.mirror.clone(),
        };
        let offer = Offer {
            tools: !catalog.tools.is_empty() || self.list_changes,
            prompts: !catalog.prompts.is_empty() || self.list_changes,
            resources: !catalog.resources.is_empty() || self.list_changes,
            completions: catalog.completes(),
            logging: self.client_logging,
            list_changes: self.list_changes,
            resource_updates: self.resource_updates,
            tasks: catalog.has_tasks(),
            extensions: self.extensions(),
        };
        let renderer = self.renderer(&catalog, &offer);
        let store = self.task_store.clone().unwrap_or_else(|| Arc::new(MemoryTasks::new()));
        let tasks = Tasks::new(store, self.task_ttl, self.task_poll_interval, self.task_timeout);
        let events = self.event_store.clone().unwrap_or_else(|| Arc::new(MemoryEvents::default()));
        self.notifier.hub().attach();
        let parts = Parts {
            path: self.path,
            catalog: Live::new(catalog, offered, around),
            paging,
            states: self.states,
            renderer,
            offer,
            legacy,
            rounds,
            notifier: self.notifier,
            session_ears: SessionEars::new(self.session_idle),
            streams: Streams::new(events),
            tasks,
            access,
            rates,
            bounds: self.limits,
        };
        Ok(Built { endpoint: Arc::new(Endpoint::new(parts)) })
    }

    fn extensions(&self) -> Extensions {
        Extensions::new(self.extensions.clone())
    }

    /// The chain, told what it protects.
    fn guard(&self) -> Option<Auth> {
        let auth = self.auth.clone()?;
        let Some(resource) = self.public_url.as_deref().and_then(mcp_auth::Resource::new) else { return Some(auth) };
        Some(auth.protecting(resource.origins(&self.origins)))
    }

    /// Who could call, and under which names.
    fn check_access(&self, reach: Reach, auth: Option<&Auth>, problems: &mut Vec<Problem>) -> Origins {
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
        if let Some((path, _)) = &self.relay {
            if auth.is_none() {
                problems.push(Problem::setting(
                    "relay_sessions",
                    path,
                    "on a server with `.auth(..)`: somebody must be known to lend",
                ));
            }
            if check_path(path).is_err() || *path == self.path {
                problems.push(Problem::setting("relay_sessions", path, "a plain path, other than that of the endpoint"));
            }
        }
        #[cfg(feature = "fetch")]
        self.check_mirror(auth, problems);
        if let Some(auth) = auth {
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

    #[cfg(feature = "fetch")]
    fn check_mirror(&self, auth: Option<&Auth>, problems: &mut Vec<Problem>) {
        use crate::transport::mirror::PATH;

        let Some(mirror) = &self.mirror else { return };
        problems.extend(mirror.problems().into_iter().map(Problem::Auth));
        let issuers = auth.map(Auth::issuers).unwrap_or_default();
        if !issuers.iter().any(|issuer| issuer == mirror.issuer()) {
            problems.push(Problem::setting(
                "mirror_authorization_server",
                mirror.issuer(),
                "an issuer whose tokens `.auth(..)` takes: clients would get tokens that count for nothing",
            ));
        }
        if self.path == PATH || self.relay.as_ref().is_some_and(|(path, _)| path == PATH) {
            problems.push(Problem::setting("mirror_authorization_server", PATH, "at a path where nothing else is"));
        }
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
        more_than_none("max_streams", limits.max_streams == 0);
        more_than_none("task_timeout", self.task_timeout.is_zero());
        more_than_none("task_ttl", self.task_ttl.is_zero());
        more_than_none("round_lifetime", self.round_lifetime.as_secs() == 0);
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
        const LOADED: &str = "an `https://` URL; clients load no other";
        if let Some(url) = self.website_url.as_ref().filter(|url| !url.starts_with("https://")) {
            problems.push(Problem::setting("website_url", url, LOADED));
        }
        let loads = |icon: &&String| icon.starts_with("https://") || icon.starts_with("data:image/");
        for icon in self.icons.iter().filter(|icon| !loads(icon)) {
            problems.push(Problem::setting("icon", icon, "an `https://` or `data:image/` URI; clients load no other"));
        }
        if self.name.is_empty() {
            problems.push(Problem::setting("name", "", "a name that clients can show"));
        }
    }

    fn chosen(&self, problems: &mut Vec<Problem>) -> Offered {
        let mut offered = Offered {
            tools: self.only.clone().unwrap_or_else(|| inventory::iter::<Tool>().copied().collect()),
            prompts: self.only_prompts.clone().unwrap_or_else(|| inventory::iter::<Prompt>().copied().collect()),
            resources: self.only_resources.clone().unwrap_or_else(|| inventory::iter::<Resource>().copied().collect()),
        };
        let has = |tags: &[&str], tag: &str| tags.contains(&tag);
        for tag in &self.tags {
            let known = offered.tools.iter().any(|tool| has(tool.tags(), tag))
                || offered.prompts.iter().any(|prompt| has(prompt.tags(), tag))
                || offered.resources.iter().any(|resource| has(resource.tags(), tag));
            if !known {
                problems.push(Problem::setting("tags", tag, "a tag that at least one of the tools carries"));
            }
        }
        if !self.tags.is_empty() {
            let chosen = |tags: &[&str]| self.tags.iter().any(|tag| has(tags, tag));
            offered.tools.retain(|tool| chosen(tool.tags()));
            offered.prompts.retain(|prompt| chosen(prompt.tags()));
            offered.resources.retain(|resource| chosen(resource.tags()));
        }
        offered
    }

    fn renderer(&self, catalog: &Catalog, offer: &Offer) -> Renderer {
        let server = Implementation {
            name: &self.name,
            version: &self.version,
            title: self.title.as_deref(),
            description: self.description.as_deref(),
            website: self.website_url.as_deref(),
            icons: &self.icons,
        };
        // A pipe and a session can be told of changes, a client without either can not.
        let told = self.legacy != LegacyClients::Sessionless;
        let capabilities = |era: Era| {
            let told = told || !era.is_legacy();
            let changes = |offered: bool| {
                offered.then(|| if offer.list_changes && told { json!({ "listChanged": true }) } else { json!({}) })
            };
            let mut capabilities = Map::new();
            let mut declare = |name: &str, settings: Option<Value>| {
                if let Some(settings) = settings {
                    capabilities.insert(name.to_owned(), settings);
                }
            };
            declare("tools", changes(offer.tools));
            declare("prompts", changes(offer.prompts));
            let mut resources = changes(offer.resources);
            if let Some(resources) = resources.as_mut().filter(|_| offer.resource_updates && told) {
                resources["subscribe"] = true.into();
            }
            declare("resources", resources);
            declare("completions", offer.completions.then(|| json!({})));
            declare("logging", offer.logging.then(|| json!({})));
            let mut extensions = offer.extensions.declared();
            if catalog.has_ui() {
                extensions.entry(key::UI).or_insert_with(|| json!({}));
            }
            if offer.tasks && !era.is_legacy() {
                extensions.insert(key::TASKS.to_owned(), json!({}));
            }
            declare("extensions", (!extensions.is_empty()).then(|| extensions.into()));
            Value::from(capabilities)
        };
        // Where callers must be known, or see different things, no cache may give one's answer to another.
        let is_public = self.auth.is_none() && !catalog.depends_on_caller() && !self.cache_lists.is_zero();
        let hint = CacheHint { ttl: self.cache_lists, is_public };
        Renderer::new(server, capabilities, self.instructions.as_deref(), hint)
    }
}

impl Built {
    /// The router, to be merged; see [`Server::router`].
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        transport::http::router(&self.endpoint)
    }

    /// A handle that changes and stops the server.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(&self.endpoint))
    }

    /// Tells clients that something changed.
    #[must_use]
    pub fn notify(&self) -> &Notifier {
        &self.endpoint.notifier
    }

    /// The names of the tools, sorted.
    pub fn tools(&self) -> impl Iterator<Item = &'static str> {
        let names: Vec<_> = self.endpoint.catalog.current().tools.entries().iter().map(|entry| entry.common.name).collect();
        names.into_iter()
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

/// The headers that handlers do not see: what proves who the caller is, and which session it is.
fn hidden(auth: Option<&Auth>) -> Arc<[HeaderName]> {
    let own = auth.into_iter().flat_map(Auth::headers).cloned();
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SESSION_ID.clone()].into_iter().chain(own).collect()
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
