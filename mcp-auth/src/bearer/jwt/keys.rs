//! The keys of an authorization server, kept, refreshed, and looked for again.
//!
//! Whoever needs what is not there fetches it, and all others who need it wait for that one fetch. It belongs to nobody:
//! otherwise a client that hangs up could use up the one fetch a minute that unknown keys are worth.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::discovery::{Place, Source};
use super::key_set::KeySet;
use crate::Rejection;
use crate::fetch::flight::Flight;

const MINUTE: Duration = Duration::from_secs(60);
/// From this age on, one request refreshes the keys, and the others go on with them.
const REFRESH: Duration = Duration::from_secs(10 * 60);
/// From this age on, all wait for the refresh.
const STALE: Duration = Duration::from_secs(15 * 60);
/// For so long the last keys count while the authority does not answer.
const OUTAGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a failure stands before the next attempt, with keys to go on with and without.
const PAUSE: Duration = MINUTE;
const SHORT_PAUSE: Duration = Duration::from_secs(5);
/// How often unknown keys are looked for.
const SEEK: Duration = MINUTE;
/// How long it counts where the keys were found.
const MOVE: Duration = Duration::from_secs(60 * 60);
/// How long it is looked for at most, so that there is time for the keys themselves.
const SEARCH: Duration = Duration::from_secs(7);

/// A set of keys, and its number among the sets of its authority.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) keys: Arc<KeySet>,
    pub(super) generation: u64,
    at: Instant,
}

/// The authority does not answer. What went wrong is for the log.
#[derive(Debug)]
pub(super) struct Unreachable(String);

impl From<Unreachable> for Rejection {
    fn from(outage: Unreachable) -> Self {
        Self::unavailable("keys_unavailable", SHORT_PAUSE).detail(outage.0)
    }
}

/// What a fetch brings: the keys, and where they were.
type Fetched = (KeySet, Place);

#[derive(Default)]
pub(super) struct Keys {
    state: RwLock<State>,
    flight: Mutex<Flight<Fetched>>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    place: Option<(Place, Instant)>,
    /// When and how the last fetch failed, unless it succeeded.
    failure: Option<(Instant, String)>,
    /// When an unknown key was last looked for.
    sought: Option<Instant>,
}

/// What there is to do before a signature can be checked.
enum Step {
    Use(Held),
    /// Refresh them, unless somebody is at it.
    Refresh(Held),
    Fetch,
    GiveUp(Unreachable),
}

impl State {
    fn step(&self) -> Step {
        let now = Instant::now();
        let held = self.held.as_ref().filter(|held| now - held.at < OUTAGE);
        let pause = if held.is_some() { PAUSE } else { SHORT_PAUSE };
        let failure = self.failure.as_ref().filter(|(at, _)| now - *at < pause);
        match (held, failure) {
            (Some(held), Some(_)) => Step::Use(held.clone()),
            (Some(held), None) if now - held.at < REFRESH => Step::Use(held.clone()),
            (Some(held), None) if now - held.at < STALE => Step::Refresh(held.clone()),
            (None, Some((_, failure))) => Step::GiveUp(Unreachable(failure.clone())),
            (_, None) => Step::Fetch,
        }
    }

    fn unreachable(&self) -> Option<Unreachable> {
        self.failure.as_ref().map(|(_, failure)| Unreachable(failure.clone()))
    }
}

impl Keys {
    /// The keys, where there is nothing to wait for.
    pub(super) fn at_hand(&self) -> Option<Held> {
        let step = self.read().step();
        match step {
            Step::Use(held) => Some(held),
            // Somebody fetches newer ones, and the others go on meanwhile.
            Step::Refresh(held) if self.flight.try_lock().is_err() => Some(held),
            _ => None,
        }
    }

    /// The keys, at most 15 minutes old while the authority answers.
    ///
    /// # Errors
    /// There are none, or they are a day old, and the authority does not answer.
    pub(super) async fn current(&self, source: &Source) -> Result<Held, Unreachable> {
        let step = self.read().step();
        let mut flight = match step {
            Step::Use(held) => return Ok(held),
            Step::GiveUp(outage) => return Err(outage),
            Step::Refresh(held) => match self.flight.try_lock() {
                Ok(flight) => flight,
                Err(_) => return Ok(held),
            },
            Step::Fetch => self.flight.lock().await,
        };
        // Another request may have done it meanwhile.
        let step = self.read().step();
        match step {
            Step::Use(held) => return Ok(held),
            Step::GiveUp(outage) => return Err(outage),
            Step::Refresh(_) | Step::Fetch => {}
        }
        self.fly(&mut flight, source).await;
        let step = self.read().step();
        match step {
            Step::Use(held) | Step::Refresh(held) => Ok(held),
            Step::GiveUp(outage) => Err(outage),
            Step::Fetch => Err(Unreachable("the authority takes too long".to_owned())),
        }
    }

    /// Newer keys than these, which lack the one that a token names; `None` where there are none. Looked for once a minute.
    ///
    /// # Errors
    /// The authority does not answer, so that it may well have the key.
    pub(super) async fn newer(&self, than: &Held, source: &Source) -> Result<Option<Held>, Unreachable> {
        let mut flight = self.flight.lock().await;
        {
            let mut state = self.write();
            if let Some(held) = state.held.as_ref().filter(|held| held.generation != than.generation) {
                return Ok(Some(held.clone()));
            }
            let now = Instant::now();
            if !flight.is_under_way() && state.sought.is_some_and(|at| now - at < SEEK) {
                return state.unreachable().map_or(Ok(None), Err);
            }
            state.sought = Some(now);
        }
        self.fly(&mut flight, source).await;
        let state = self.read();
        match &state.held {
            Some(held) if held.generation != than.generation => Ok(Some(held.clone())),
            _ => state.unreachable().map_or(Ok(None), Err),
        }
    }

    /// Fetches the keys, and keeps them.
    async fn fly(&self, flight: &mut Flight<Fetched>, source: &Source) {
        let (fetched, began) = flight.land(|| fetch(source.clone(), self.read().place.clone())).await;
        let mut state = self.write();
        state.failure = match fetched {
            Ok((keys, place)) => {
                state.keep(keys, place, began);
                None
            }
            Err(failure) => Some((Instant::now(), failure)),
        };
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, keys: KeySet, place: Place, at: Instant) {
        if self.place.as_ref().is_none_or(|(known, found)| *known != place || at - *found >= MOVE) {
            self.place = Some((place, at));
        }
        self.held = Some(match self.held.take() {
            Some(held) if *held.keys == keys => Held { at, ..held },
            held => Held { keys: Arc::new(keys), generation: held.map_or(1, |held| held.generation + 1), at },
        });
    }
}

async fn fetch(source: Source, known: Option<(Place, Instant)>) -> Result<Fetched, String> {
    let (known, fresh) = match known {
        Some((place, found)) => (Some(place), found.elapsed() < MOVE),
        None => (None, false),
    };
    if fresh && let Some(place) = &known {
        match source.keys(place).await {
            Ok(keys) => return Ok((keys, place.clone())),
            // The one place that there is was asked just now.
            Err(failure) if source.jwks_url.is_some() => return Err(failure),
            Err(_) => {}
        }
    }
    // The keys may have moved; but keys that still are where they were do not need the metadata.
    let found = timeout(SEARCH, source.place()).await;
    let found = found.unwrap_or_else(|_| Err(format!("{}: no metadata within {} s", source.issuer, SEARCH.as_secs())));
    let place = match (found, known) {
        (Ok(place), _) => place,
        (Err(_), Some(known)) if !fresh => known,
        (Err(failure), _) => return Err(failure),
    };
    let keys = source.keys(&place).await?;
    Ok((keys, place))
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("held", &self.read().held).finish_non_exhaustive()
    }
}
