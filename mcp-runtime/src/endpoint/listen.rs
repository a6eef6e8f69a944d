//! Clients that listen: `subscriptions/listen` of the modern era, and the stream that a GET opens in a legacy session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mcp_auth::Principal;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::in_flight::{Registration, cancelled};
use super::watch::Watch;
use super::{Endpoint, busy};
use crate::catalog::{Entry as _, Found};
use crate::notify::{Heard, Interests, Listener, MOST_ASKED_BYTES};
use crate::owner;
use crate::protocol::{self, Filter, Refusal};

/// So many resources, and so many tasks, may one listener ask for.
pub(super) const MOST_SUBSCRIPTIONS: usize = 256;

/// So many streams may one known caller hold, and all anonymous ones together.
const MOST_OF_ONE: usize = 64;
const MOST_ANONYMOUS: usize = 1024;

/// How many streams are open, by caller: those who listen hold a connection for as long as they like.
#[derive(Debug, Default)]
pub(crate) struct Ears {
    open: Mutex<HashMap<[u8; owner::LENGTH], usize>>,
}

/// A place among the open streams.
#[derive(Debug)]
pub(crate) struct Place {
    ears: Arc<Ears>,
    owner: [u8; owner::LENGTH],
}

impl Ears {
    pub(super) fn take(self: &Arc<Self>, principal: Option<&Principal>, most: usize) -> Option<Place> {
        let owner = owner::sealed(principal);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let share = if principal.is_some() { MOST_OF_ONE } else { MOST_ANONYMOUS };
        if open.values().sum::<usize>() >= most || open.get(&owner).is_some_and(|count| *count >= share) {
            return None;
        }
        *open.entry(owner).or_default() += 1;
        Some(Place { ears: Arc::clone(self), owner })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.ears.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}

/// A client that listens.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(super) listener: Arc<Listener>,
    pub(super) endpoint: Arc<Endpoint>,
    /// Of a subscription: the id of its request, as JSON text.
    pub(super) id: Option<Arc<str>>,
    /// What it begins with.
    pub(super) acknowledgement: Option<Vec<u8>>,
    /// Who listens.
    pub(super) principal: Option<Principal>,
    /// For how long it may.
    pub(super) watch: Arc<Watch>,
    /// Where its client may cancel it by a message.
    pub(super) registration: Option<Registration>,
    /// The stream of a session has its place where the next one finds it.
    pub(super) _place: Option<Place>,
}

/// What a listening client is sent.
#[derive(Debug)]
pub(crate) enum Word {
    Notification(Vec<u8>),
    /// The last word; there may be none.
    End(Option<Vec<u8>>),
}

impl Listening {
    /// The next thing to send. After an end, never again.
    pub(crate) async fn next(&mut self) -> Word {
        if let Some(first) = self.acknowledgement.take() {
            return Word::Notification(first);
        }
        loop {
            match self.hear().await {
                Ok(Heard::Lost) => {
                    tracing::warn!(target: "mcp_runtime::server", "a listener fell too far behind, and loses its stream");
                    return self.end();
                }
                // Something below what it asked for may be for others alone.
                Ok(Heard::ResourceUpdated(uri)) if !self.endpoint.may_hear(&uri, self.principal.as_ref()) => {}
                Ok(heard) => return Word::Notification(protocol::heard(&heard, self.id.as_deref())),
                Err(end) => return end,
            }
        }
    }

    /// What there is to tell, or the end.
    async fn hear(&self) -> Result<Heard, Word> {
        tokio::select! {
            biased;
            () = cancelled(self.registration.as_ref()) => Err(Word::End(None)),
            // A client whose credential has ended may no longer hear anything.
            () = self.watch.ended() => {
                tracing::debug!(target: "mcp_runtime::server", "a stream ends with its credential");
                Err(self.end())
            }
            heard = self.listener.next(self.principal.as_ref()) => Ok(heard),
            () = self.endpoint.shutdown.cancelled() => Err(self.end()),
        }
    }

    fn end(&self) -> Word {
        Word::End(self.id.as_deref().map(protocol::unsubscribed))
    }

    /// The id of its request, as JSON text.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// For ever, where there is no such time.
pub(super) async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

impl Endpoint {
    /// `subscriptions/listen`. What can not be honoured is left out of the acknowledgement.
    pub(super) async fn listen(
        self: Arc<Self>,
        id: Arc<str>,
        filter: Filter,
        principal: Option<Principal>,
        watch: Arc<Watch>,
        registration: Option<Registration>,
    ) -> Result<Listening, Refusal> {
        let principal = principal.as_ref();
        // Before anything is looked up for it.
        let Some(place) = self.ears.take(principal, self.bounds.max_streams) else { return Err(busy()) };
        let offer = &self.offer;
        let mut honoured = Map::new();
        let mut flag = |name: &str, asked: bool, offered: bool| {
            let honours = asked && offered && offer.list_changes;
            if honours {
                honoured.insert(name.to_owned(), true.into());
            }
            honours
        };
        let mut interests = Interests {
            tools: flag("toolsListChanged", filter.tools_list_changed, offer.tools),
            prompts: flag("promptsListChanged", filter.prompts_list_changed, offer.prompts),
            resources: flag("resourcesListChanged", filter.resources_list_changed, offer.resources),
            ..Interests::default()
        };
        if offer.resource_updates && !filter.resource_subscriptions.is_empty() {
            let mut bytes = 0;
            let uris = filter.resource_subscriptions.into_iter().take(MOST_SUBSCRIPTIONS).take_while(|uri| {
                bytes += uri.len();
                bytes <= MOST_ASKED_BYTES
            });
            interests.uris = uris.filter(|uri| self.may_read(uri, principal)).collect();
            honoured.insert("resourceSubscriptions".to_owned(), json!(interests.uris));
        }
        if offer.tasks && !filter.task_ids.is_empty() {
            let ids = &filter.task_ids[..filter.task_ids.len().min(MOST_SUBSCRIPTIONS)];
            interests.tasks = self.tasks_of(ids, principal, &watch).await;
            honoured.insert("taskIds".to_owned(), json!(interests.tasks));
        }
        let listener = Arc::new(Listener::new(interests));
        // Before the acknowledgement is sent: from then on nothing is missed.
        self.notifier.hub().listen(&listener);
        Ok(Listening {
            acknowledgement: Some(protocol::acknowledged(&id, &Value::Object(honoured))),
            listener,
            id: Some(id),
            watch,
            principal: principal.cloned(),
            registration,
            _place: Some(place),
            endpoint: self,
        })
    }

    /// May this caller hear of what this URI names? Of what nothing here knows, everybody may.
    fn may_hear(&self, uri: &str, principal: Option<&Principal>) -> bool {
        self.catalog.current().resources.of_uri(uri).is_none_or(|found| self.allows(&found, principal))
    }

    /// May this caller read what this URI names? Then it may subscribe to it.
    fn may_read(&self, uri: &str, principal: Option<&Principal>) -> bool {
        self.catalog.current().resources.find(uri, principal).is_some_and(|found| self.allows(&found, principal))
    }

    fn allows(&self, found: &Found<'_>, principal: Option<&Principal>) -> bool {
        let (common, permits) = (found.entry.common(), &self.access.permits);
        common.allows(principal)
            && (!permits.has(common.name) || permits.lacking(common.name, principal, &found.arguments()).is_none())
    }
}
