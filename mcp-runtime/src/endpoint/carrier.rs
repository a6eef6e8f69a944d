//! What brought a message, and what is known from that alone.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http::{Extensions, HeaderMap, Uri};
use mcp_auth::Principal;
use tokio_util::sync::CancellationToken;

use super::Listening;
use super::in_flight::Scope;
use crate::call::LogLevel;
use crate::names::random_name;
use crate::notify::Listener;
use crate::protocol::legacy::Client;

/// What a transport knows of a request beside its body.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) carrier: Carrier,
    pub(crate) uri: Uri,
    pub(crate) extensions: Extensions,
    pub(crate) principal: Option<Principal>,
    /// Does the client take events, so that it can be asked and told while a call runs?
    pub(crate) streams: bool,
}

impl Head {
    /// Of what comes through a pipe.
    pub(crate) fn of_pipe(pipe: Arc<Pipe>, principal: Option<Principal>) -> Self {
        let (uri, extensions) = (Uri::default(), Extensions::new());
        Self { carrier: Carrier::Pipe(pipe), uri, extensions, principal, streams: true }
    }
}

/// What brought the message.
#[derive(Clone)]
pub(crate) enum Carrier {
    /// With headers that must agree with the body. A legacy client is known by the session it names there.
    Http(HeaderMap),
    /// A pipe to one process. A legacy client is known by what it opened with.
    Pipe(Arc<Pipe>),
}

/// What a pipe remembers: the handshake of the legacy client at its other end, if there is one, and what that client hears.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// Tells it from all others.
    name: String,
    opened: Mutex<Opened>,
    pub(super) listener: OnceLock<Arc<Listener>>,
    /// What is to be sent of that, from when the client is ready.
    listening: Mutex<Option<Listening>>,
    ready: CancellationToken,
}

impl Default for Pipe {
    fn default() -> Self {
        Self {
            name: random_name(),
            opened: Mutex::default(),
            listener: OnceLock::new(),
            listening: Mutex::default(),
            ready: CancellationToken::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opened {
    pub(super) client: Option<Client>,
    pub(super) log_level: Option<LogLevel>,
}

impl Pipe {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Did a legacy client open it?
    pub(super) fn is_opened(&self) -> bool {
        self.opened().client.is_some()
    }

    pub(super) fn opened(&self) -> Opened {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, client: Client) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Opened { client: Some(client), log_level: None };
    }

    /// Its legacy client is ready to hear this.
    pub(super) fn ready(&self, listening: Listening) {
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
        self.ready.cancel();
    }

    /// What its legacy client hears, once it is ready.
    pub(crate) async fn listening(&self) -> Option<Listening> {
        self.ready.cancelled().await;
        self.listening.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn set_log_level(&self, level: LogLevel) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).log_level = Some(level);
    }
}

/// Headers have secrets.
impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http(_) => "Http",
            Self::Pipe(_) => "Pipe",
        })
    }
}

impl Carrier {
    pub(super) fn headers(&self) -> Option<&HeaderMap> {
        match self {
            Self::Http(headers) => Some(headers),
            Self::Pipe(_) => None,
        }
    }

    /// Within what a client's ids are its own, as far as the carrier tells.
    pub(super) fn scope(&self) -> Option<Scope> {
        match self {
            Self::Http(_) => None,
            Self::Pipe(_) => Some(Scope::Pipe),
        }
    }
}
