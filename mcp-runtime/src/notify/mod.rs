//! What changes while a server runs, and who hears of it.
//!
//! Whoever knows of a change hands an [`Event`] to the [`Notifier`]; the bus brings it to every instance; each instance's hub
//! offers it to the listeners there. A listener keeps what it was not yet sent as a set, so that a slow one costs no memory.

mod bus;
mod hub;
mod listener;

pub use bus::{Deliver, Event, EventBus};
pub(crate) use hub::{Hub, RunningTask, Waiting};
pub(crate) use listener::{Heard, Interests, Listener, MOST_ASKED_BYTES};

use std::sync::Arc;

/// Tells clients that something changed. Cheap to clone, and usable from everywhere: [`Server::notify`](crate::Server::notify)
/// gives it to the application, [`Context::notify`](crate::Context::notify) to tools.
///
/// Clients hear of what they asked for, on servers that declare it: [`Server::list_changes`](crate::Server::list_changes),
/// [`Server::resource_updates`](crate::Server::resource_updates). Nothing here waits.
///
#[doc = include_str!("../docs/changes.md")]
#[derive(Clone, Debug, Default)]
pub struct Notifier(Arc<Hub>);

impl Notifier {
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0
    }

    /// The tools are others than before. Tools that are added or removed by [`Handle`](crate::Handle) are told of without this,
    /// and hidden ones only to those who may see them; of this, everybody hears.
    pub fn tools_changed(&self) {
        self.0.publish(Event::ToolsChanged { scopes: Vec::new() });
    }

    /// The prompts are others than before.
    pub fn prompts_changed(&self) {
        self.0.publish(Event::PromptsChanged { scopes: Vec::new() });
    }

    /// The resources, or their templates, are others than before.
    pub fn resources_changed(&self) {
        self.0.publish(Event::ResourcesChanged { scopes: Vec::new() });
    }

    /// The resource of this URI has other contents than before. Who subscribed to a URI hears of those below it as well.
    pub fn resource_updated(&self, uri: impl Into<String>) {
        self.0.publish(Event::ResourceUpdated { uri: uri.into() });
    }
}
