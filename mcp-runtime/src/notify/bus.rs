//! From one instance to all.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that other instances may have to know. Opaque to a bus, which carries it as JSON.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// See [`Notifier::tools_changed`](super::Notifier::tools_changed).
    ToolsChanged {
        /// Of what is hidden: only those hear of it who were granted all of these. Without any, everybody does.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
    },
    /// See [`Notifier::prompts_changed`](super::Notifier::prompts_changed).
    PromptsChanged {
        /// Of what is hidden: only those hear of it who were granted all of these. Without any, everybody does.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
    },
    /// See [`Notifier::resources_changed`](super::Notifier::resources_changed).
    ResourcesChanged {
        /// Of what is hidden: only those hear of it who were granted all of these. Without any, everybody does.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
    },
    /// See [`Notifier::resource_updated`](super::Notifier::resource_updated).
    ResourceUpdated {
        /// The resource.
        uri: String,
    },
    /// A task is in another state.
    TaskChanged {
        /// The task.
        id: String,
        /// The task as a client reads it: the members of a JSON object.
        state: String,
    },
    /// A client answered a question that may have been asked by another instance.
    Answered {
        /// Whom the question belongs to: a session or a task.
        scope: String,
        /// The question.
        key: String,
        /// JSON text.
        answer: String,
        /// Is it an error in place of a result?
        is_error: bool,
    },
    /// A task shall end that may run on another instance.
    TaskCancelled {
        /// The task.
        id: String,
    },
    /// The owner of a task came with a credential of its own, also if the task runs on another instance: it may go on for as
    /// long as that one lasts.
    TaskVouched {
        /// The task.
        id: String,
        /// When the credential ends, in milliseconds of the Unix time; `None` for one that does not.
        until: Option<i64>,
    },
}

/// This goes into logs: of what tools answered and users said only the length is shown, and nothing that would let an answer in.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToolsChanged { scopes } => f.debug_struct("ToolsChanged").field("scopes", scopes).finish(),
            Self::PromptsChanged { scopes } => f.debug_struct("PromptsChanged").field("scopes", scopes).finish(),
            Self::ResourcesChanged { scopes } => f.debug_struct("ResourcesChanged").field("scopes", scopes).finish(),
            Self::ResourceUpdated { uri } => f.debug_struct("ResourceUpdated").field("uri", uri).finish(),
            Self::TaskChanged { id, state } => write!(f, "TaskChanged {{ id: {id:?}, state: {} bytes }}", state.len()),
            Self::Answered { key, answer, is_error, .. } => {
                write!(f, "Answered {{ key: {key:?}, answer: {} bytes, is_error: {is_error}, .. }}", answer.len())
            }
            Self::TaskCancelled { id } => f.debug_struct("TaskCancelled").field("id", id).finish(),
            Self::TaskVouched { id, until } => f.debug_struct("TaskVouched").field("id", id).field("until", until).finish(),
        }
    }
}

/// Takes an event that any instance published.
pub type Deliver = Box<dyn Fn(Event) + Send + Sync>;

/// Brings events to every instance of a server: Redis or NATS, for example. Without one, a server is alone.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use mcp_runtime::notify::{Deliver, Event, EventBus};
///
/// /// Two servers in one process.
/// #[derive(Clone, Default)]
/// struct Shared(Arc<Mutex<Vec<Deliver>>>);
///
/// impl EventBus for Shared {
///     fn publish(&self, event: Event) {
///         let text = serde_json::to_string(&event).expect("an event is JSON");
///         for deliver in self.0.lock().expect("no panic").iter() {
///             deliver(serde_json::from_str(&text).expect("it was an event"));
///         }
///     }
///
///     fn attach(&self, deliver: Deliver) {
///         self.0.lock().expect("no panic").push(deliver);
///     }
/// }
/// ```
pub trait EventBus: Send + Sync + 'static {
    /// Hands an event to every instance, this one included. Must not block: a bus over a network queues, and what it must drop it
    /// drops.
    fn publish(&self, event: Event);

    /// Called once, when the server is built: `deliver` is to be called with each event that any instance published.
    fn attach(&self, deliver: Deliver);
}
