//! Listens, serves, and stops in good order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Built, Reach, Server};
use crate::catalog::{Offered, Prompt, Resource, Tool};
use crate::endpoint::Endpoint;
use crate::error::{Error, Problem, Result};
use crate::notify::{Event, Notifier};
use crate::transport;
use crate::transport::write_limit::WriteLimit;

/// Changes and stops a server from elsewhere. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    endpoint: Arc<Endpoint>,
}

impl Handle {
    pub(crate) fn new(endpoint: Arc<Endpoint>) -> Self {
        Self { endpoint }
    }

    /// Tells the server to stop. Further calls are answered with 503, those of legacy clients
    /// with an error; running ones may end, and streams that listen do. [`Bound::run`] takes no new
    /// connections, waits for as long as the drain timeout says, and returns; a router that was merged leaves that to its host.
    pub fn shutdown(&self) {
        self.endpoint.shutdown.cancel();
    }

    /// Tells clients that something changed.
    #[must_use]
    pub fn notify(&self) -> &Notifier {
        &self.endpoint.notifier
    }

    /// Offers another tool from now on, in place of one of its name. Clients that listen are told, on servers with
    /// [`list_changes`](Server::list_changes).
    ///
    /// # Errors
    /// What is wrong with the tool on this server, or that no client would ask for it: one without tools at first declares that it
    /// gets some by [`list_changes`](Server::list_changes). Then nothing changes.
    pub fn add_tool(&self, tool: Tool) -> Result<()> {
        declared(self.endpoint.offer.tools)?;
        let mut seen_by = SeenBy::of(tool.definition().hidden, tool.definition().scopes);
        self.change(|offered| {
            let before = offered.tools.extract_if(.., |known| known.name() == tool.name());
            before.for_each(|before| seen_by.add(before.definition().hidden, before.definition().scopes));
            offered.tools.push(tool);
        })?;
        seen_by.tell(self.notify(), |scopes| Event::ToolsChanged { scopes });
        Ok(())
    }

    /// Offers a tool no longer; `false` if there was none of this name, of which nobody is told. Calls of it that run go on.
    ///
    /// # Errors
    /// None of its own; the tools that stay are checked again.
    pub fn remove_tool(&self, name: &str) -> Result<bool> {
        let mut seen_by = SeenBy::default();
        self.change(|offered| {
            let removed = offered.tools.extract_if(.., |known| known.name() == name);
            removed.for_each(|removed| seen_by.add(removed.definition().hidden, removed.definition().scopes));
        })?;
        Ok(seen_by.tell(self.notify(), |scopes| Event::ToolsChanged { scopes }))
    }

    /// Offers another prompt from now on, in place of one of its name.
    ///
    /// # Errors
    /// As [`add_tool`](Self::add_tool).
    pub fn add_prompt(&self, prompt: Prompt) -> Result<()> {
        declared(self.endpoint.offer.prompts)?;
        let mut seen_by = SeenBy::of(prompt.definition().hidden, prompt.definition().scopes);
        self.change(|offered| {
            let before = offered.prompts.extract_if(.., |known| known.name() == prompt.name());
            before.for_each(|before| seen_by.add(before.definition().hidden, before.definition().scopes));
            offered.prompts.push(prompt);
        })?;
        seen_by.tell(self.notify(), |scopes| Event::PromptsChanged { scopes });
        Ok(())
    }

    /// Offers a prompt no longer; `false` if there was none of this name.
    ///
    /// # Errors
    /// As [`remove_tool`](Self::remove_tool).
    pub fn remove_prompt(&self, name: &str) -> Result<bool> {
        let mut seen_by = SeenBy::default();
        self.change(|offered| {
            let removed = offered.prompts.extract_if(.., |known| known.name() == name);
            removed.for_each(|removed| seen_by.add(removed.definition().hidden, removed.definition().scopes));
        })?;
        Ok(seen_by.tell(self.notify(), |scopes| Event::PromptsChanged { scopes }))
    }

    /// Offers another resource, or family of them, from now on, in place of one of its URI or template.
    ///
    /// # Errors
    /// As [`add_tool`](Self::add_tool).
    pub fn add_resource(&self, resource: Resource) -> Result<()> {
        declared(self.endpoint.offer.resources)?;
        let mut seen_by = SeenBy::of(resource.definition().hidden, resource.definition().scopes);
        self.change(|offered| {
            let before = offered.resources.extract_if(.., |known| known.uri() == resource.uri());
            before.for_each(|before| seen_by.add(before.definition().hidden, before.definition().scopes));
            offered.resources.push(resource);
        })?;
        seen_by.tell(self.notify(), |scopes| Event::ResourcesChanged { scopes });
        Ok(())
    }

    /// Offers the resource of this URI, or the family of this template, no longer; `false` if there was none.
    ///
    /// # Errors
    /// As [`remove_tool`](Self::remove_tool): a tool may need it as its user interface.
    pub fn remove_resource(&self, uri: &str) -> Result<bool> {
        let mut seen_by = SeenBy::default();
        self.change(|offered| {
            let removed = offered.resources.extract_if(.., |known| known.uri() == uri);
            removed.for_each(|removed| seen_by.add(removed.definition().hidden, removed.definition().scopes));
        })?;
        Ok(seen_by.tell(self.notify(), |scopes| Event::ResourcesChanged { scopes }))
    }

    fn change(&self, change: impl FnOnce(&mut Offered)) -> Result<()> {
        self.endpoint.catalog.change(change)
    }
}

/// Who is told of a change: everybody, or of what is hidden those with its scopes.
#[derive(Default)]
struct SeenBy(Vec<&'static [&'static str]>);

impl SeenBy {
    fn of(hidden: bool, scopes: &'static [&'static str]) -> Self {
        let mut seen_by = Self::default();
        seen_by.add(hidden, scopes);
        seen_by
    }

    fn add(&mut self, hidden: bool, scopes: &'static [&'static str]) {
        self.0.push(if hidden { scopes } else { &[] });
    }

    /// Tells them; false where nothing changed.
    fn tell(mut self, notifier: &Notifier, event: fn(Vec<String>) -> Event) -> bool {
        let changed = !self.0.is_empty();
        self.0.sort_unstable();
        self.0.dedup();
        // The empty one comes first, and stands for everybody.
        self.0.truncate(if self.0.first().is_some_and(|scopes| scopes.is_empty()) { 1 } else { usize::MAX });
        for scopes in self.0 {
            notifier.hub().publish(event(scopes.iter().map(ToString::to_string).collect()));
        }
        changed
    }
}

/// Clients are told once which kinds there are: one that was not declared can not come later.
fn declared(is_declared: bool) -> Result<()> {
    const RULE: &str = "set by `.list_changes()`, since the server began without any item of this kind";
    if is_declared { Ok(()) } else { Err(Error::Change(vec![Problem::setting("list_changes", "false", RULE)])) }
}

/// A server that has its address and is about to serve.
#[derive(Debug)]
pub struct Bound {
    built: Built,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens on `address` (`HOST:PORT`) and serves until SIGINT or SIGTERM, or until [`Handle::shutdown`].
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub async fn serve(self, address: impl Into<String>) -> Result<()> {
        self.bind(address).await?.run().await
    }

    /// Checks the configuration and takes the address, without serving yet.
    ///
    /// # Errors
    /// The configuration is not right, or the address can not be listened on.
    pub async fn bind(self, address: impl Into<String>) -> Result<Bound> {
        let address = address.into();
        let failed = |cause| Error::Listen { address: address.clone(), cause };
        let mut resolved: Vec<SocketAddr> = tokio::net::lookup_host(&address).await.map_err(failed)?.collect();
        // One that other machines reach decides what the server must know.
        resolved.sort_by_key(|address| address.ip().is_loopback());
        let Some(&widest) = resolved.first() else {
            return Err(failed(std::io::Error::other("the name has no address")));
        };
        let built = self.build_for(Reach::Listening(widest))?;
        let listener = TcpListener::bind(resolved.as_slice()).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Bound { built, listener, address })
    }
}

impl Server {
    /// Checks the configuration and takes a socket that already listens: one that a service manager opened, say.
    ///
    /// # Errors
    /// The configuration is not right, or the socket has no address.
    pub fn listen(self, listener: TcpListener) -> Result<Bound> {
        let address = listener.local_addr().map_err(|cause| Error::Listen { address: "the given socket".to_owned(), cause })?;
        let built = self.build_for(Reach::Listening(address))?;
        Ok(Bound { built, listener, address })
    }
}

impl Bound {
    /// The address that was taken.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint's URL on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.built.endpoint.path)
    }

    /// The names of the tools, sorted.
    pub fn tools(&self) -> impl Iterator<Item = &'static str> {
        self.built.tools()
    }

    /// A handle that changes and stops the server.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.built.handle()
    }

    /// Serves until SIGINT or SIGTERM, or until [`Handle::shutdown`]; then waits for running calls, for as long as the drain
    /// timeout says.
    ///
    /// # Errors
    /// The signals can not be waited for.
    pub async fn run(self) -> Result<()> {
        let Self { built, listener, address } = self;
        tracing::info!(target: "mcp_runtime::server", %address, path = built.endpoint.path, "serving");
        let mut interrupted = std::pin::pin!(interruption()?);
        let bounds = built.endpoint.bounds;
        let places = Arc::new(Semaphore::new(bounds.max_connections));
        // Dropped when `run` is, and with it every connection.
        let mut connections = JoinSet::new();
        // Before them, so that the calls which they leave behind end as well.
        let _abandon = (built.endpoint.unattended.guard(), built.endpoint.tasks.guard());
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                () = built.endpoint.shutdown.cancelled() => break,
                () = &mut interrupted => break,
            };
            let (stream, peer) = tokio::select! {
                accepted = accept(&listener) => accepted,
                () = built.endpoint.shutdown.cancelled() => break,
                () = &mut interrupted => break,
            };
            let endpoint = Arc::clone(&built.endpoint);
            let shutdown = built.endpoint.shutdown.clone();
            connections.spawn(async move {
                let _place = place;
                let service = service_fn(|request| transport::http::serve_alone(Arc::clone(&endpoint), peer, request));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(bounds.client_timeout)
                    .serve_connection(TokioIo::new(WriteLimit::new(stream, bounds.client_timeout)), service);
                let mut connection = std::pin::pin!(connection);
                let ended = tokio::select! {
                    biased;
                    ended = connection.as_mut() => ended,
                    () = shutdown.cancelled() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = ended {
                    tracing::debug!(target: "mcp_runtime::server", %error, "connection ended");
                }
            });
            while connections.try_join_next().is_some() {}
        }
        drop(listener);
        built.endpoint.shutdown.cancel();
        while connections.try_join_next().is_some() {}
        tracing::info!(target: "mcp_runtime::server", connections = connections.len(), "stopping");
        let again = interruption()?;
        let drained = async {
            while connections.join_next().await.is_some() {}
            built.endpoint.unattended.ended().await;
            built.endpoint.tasks.ended().await;
        };
        let drained = tokio::select! {
            drained = tokio::time::timeout(bounds.drain, drained) => drained.is_ok(),
            // Whoever asks twice does not want to wait.
            () = again => false,
        };
        if !drained {
            let without_client = built.endpoint.unattended.abandon();
            let tasks = built.endpoint.tasks.abandon();
            tracing::warn!(target: "mcp_runtime::server", connections = connections.len(), without_client, tasks, "calls that did not end in time are dropped");
            connections.shutdown().await;
            // Calls that the closed connections left behind.
            built.endpoint.unattended.ended().await;
            built.endpoint.tasks.said_so().await;
        }
        Ok(())
    }
}

/// The next connection. A failing `accept` (too many open files) must not end the server, nor make it spin.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and written at once; waiting to fill a packet only delays them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(target: "mcp_runtime::server", %error, "TCP_NODELAY");
                }
                return (stream, peer);
            }
            Err(error) => {
                tracing::error!(target: "mcp_runtime::server", %error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Ends with the next SIGINT or SIGTERM from now on, whether it is awaited yet or not: one that comes early must not be lost.
pub(super) fn interruption() -> Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(Error::Signals);
        let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(target: "mcp_runtime::server", %error, "cannot wait for signals");
            std::future::pending::<()>().await;
        }
    })
}
