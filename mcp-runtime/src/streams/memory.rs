//! Events in memory: of one instance, for some minutes.

use std::collections::{HashMap, VecDeque};
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::store::{EventStore, EventStoreFuture, Replay, StoredEvent};

/// So many events of one stream are kept, and so many bytes of them; its last event always is.
const MOST_OF_ONE: usize = 256;
const MOST_BYTES_OF_ONE: usize = MOST_BYTES / 8;

/// So many streams, and so many bytes of all of them.
const MOST_STREAMS: usize = 4096;
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// A session with more than one part of so many is busy.
const MUCH: usize = 8;

/// So long after its end, or its last event, a stream is kept.
const KEPT: Duration = Duration::from_secs(300);

/// Keeps events in this process: 256 and 8 MiB of a stream, 64 MiB in all, for five minutes. Where there is no more room, the
/// stream that was quiet for longest is forgotten: one of a session that has more than an eighth, if there is such a session.
#[derive(Debug, Default)]
pub struct MemoryEvents(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    streams: HashMap<String, Log>,
    bytes: usize,
    /// What each session has of it.
    shares: HashMap<String, Share>,
}

#[derive(Debug, Default)]
struct Share {
    streams: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Log {
    events: VecDeque<StoredEvent>,
    bytes: usize,
    ended: bool,
    touched: Instant,
}

impl MemoryEvents {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, stream: &str, event: StoredEvent, now: Instant) {
        if !self.streams.contains_key(stream) {
            self.forget(|_, log| now.duration_since(log.touched) >= KEPT);
            if self.streams.len() >= MOST_STREAMS {
                self.forget_quietest(stream, MOST_STREAMS, |share| share.streams);
            }
        }
        let share = self.shares.entry(session_of(stream).to_owned()).or_default();
        let empty = || {
            share.streams += 1;
            Log { events: VecDeque::new(), bytes: 0, ended: false, touched: now }
        };
        let log = self.streams.entry(stream.to_owned()).or_insert_with(empty);
        log.touched = now;
        let before = log.bytes;
        log.bytes += event.data.len();
        log.events.push_back(event);
        while log.events.len() > MOST_OF_ONE || (log.bytes > MOST_BYTES_OF_ONE && log.events.len() > 1) {
            let earlier = log.events.len() - 1;
            let index = log.events.iter().take(earlier).position(|event| event.can_be_dropped).unwrap_or(0);
            log.bytes -= log.events.remove(index).map_or(0, |event| event.data.len());
        }
        share.bytes = share.bytes + log.bytes - before;
        self.bytes = self.bytes + log.bytes - before;
        while self.bytes > MOST_BYTES && self.streams.len() > 1 {
            self.forget_quietest(stream, MOST_BYTES, |share| share.bytes);
        }
    }

    /// Of the session that has most, where that is much: nobody's streams make room for those of a busy one.
    fn forget_quietest(&mut self, but: &str, most: usize, measure: impl Fn(&Share) -> usize) {
        let busy = self.shares.iter().filter(|(_, share)| measure(share) > most / MUCH);
        let greatest = busy.max_by_key(|(_, share)| measure(share)).map(|(session, _)| session.as_str());
        let others = self.streams.iter().filter(|(name, _)| *name != but);
        // Those that have ended go first.
        let order = |(name, log): &(&String, &Log)| (Some(session_of(name)) != greatest, !log.ended, log.touched);
        let quietest = others.min_by_key(order).map(|(name, _)| name.clone());
        if let Some((name, log)) = quietest.and_then(|quietest| self.streams.remove_entry(&quietest)) {
            self.bytes -= log.bytes;
            give_up(&mut self.shares, &name, &log);
        }
    }

    fn forget(&mut self, which: impl Fn(&str, &Log) -> bool) {
        let (bytes, shares) = (&mut self.bytes, &mut self.shares);
        self.streams.retain(|name, log| {
            let goes = which(name, log);
            if goes {
                *bytes -= log.bytes;
                give_up(shares, name, log);
            }
            !goes
        });
    }
}

/// A stream's session no longer has it.
fn give_up(shares: &mut HashMap<String, Share>, stream: &str, log: &Log) {
    let session = session_of(stream);
    let Some(share) = shares.get_mut(session) else { return };
    share.streams -= 1;
    share.bytes -= log.bytes;
    if share.streams == 0 {
        shares.remove(session);
    }
}

/// Streams are named by their session, and then by a name of their own.
fn session_of(stream: &str) -> &str {
    stream.split_once('.').map_or(stream, |(session, _)| session)
}

impl EventStore for MemoryEvents {
    fn append<'a>(&'a self, stream: &'a str, event: StoredEvent) -> EventStoreFuture<'a, ()> {
        self.lock().append(stream, event, Instant::now());
        Box::pin(ready(Ok(())))
    }

    fn end<'a>(&'a self, stream: &'a str) -> EventStoreFuture<'a, ()> {
        if let Some(log) = self.lock().streams.get_mut(stream) {
            (log.ended, log.touched) = (true, Instant::now());
        }
        Box::pin(ready(Ok(())))
    }

    fn after<'a>(&'a self, stream: &'a str, number: u64) -> EventStoreFuture<'a, Option<Replay>> {
        let state = self.lock();
        let replay = state.streams.get(stream).map(|log| {
            let events = log.events.iter().filter(|event| event.number > number).cloned().collect();
            Replay::new(events, log.ended)
        });
        Box::pin(ready(Ok(replay)))
    }

    fn forget<'a>(&'a self, prefix: &'a str) -> EventStoreFuture<'a, ()> {
        self.lock().forget(|name, _| name.starts_with(prefix));
        Box::pin(ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64, size: usize, can_be_dropped: bool) -> StoredEvent {
        StoredEvent::new(number, "x".repeat(size), can_be_dropped)
    }

    fn numbers(state: &State, stream: &str) -> Vec<u64> {
        state.streams[stream].events.iter().map(|event| event.number).collect()
    }

    #[test]
    fn of_a_long_stream_what_can_be_dropped_goes_first() {
        let (mut state, now) = (State::default(), Instant::now());
        state.append("a", event(1, 1, false), now);
        for number in 2..=300 {
            state.append("a", event(number, 1, true), now);
        }
        let kept = numbers(&state, "a");
        assert_eq!((kept.len(), kept[0], kept[1], state.bytes), (MOST_OF_ONE, 1, 46, MOST_OF_ONE));
    }

    #[test]
    fn a_stream_keeps_its_last_event_however_long() {
        let (mut state, now) = (State::default(), Instant::now());
        for number in 1..=4 {
            state.append("a", event(number, MOST_BYTES_OF_ONE / 3, number == 2), now);
        }
        assert_eq!((numbers(&state, "a"), state.bytes), (vec![1, 3, 4], MOST_BYTES_OF_ONE / 3 * 3));
        state.append("a", event(5, MOST_BYTES_OF_ONE + 1, true), now);
        assert_eq!((numbers(&state, "a"), state.bytes), (vec![5], MOST_BYTES_OF_ONE + 1));
    }

    #[test]
    fn the_quietest_stream_gives_way_to_others() {
        let (mut state, now) = (State::default(), Instant::now());
        for (order, name) in ["old", "ended", "new"].into_iter().enumerate() {
            state.append(name, event(1, MOST_BYTES / 4, false), now + Duration::from_secs(order as u64));
        }
        state.streams.get_mut("ended").expect("a stream").ended = true;
        state.append("more", event(1, MOST_BYTES / 3, false), now + Duration::from_secs(4));
        assert!(!state.streams.contains_key("ended") && state.streams.contains_key("old"));
        state.append("later", event(1, 1, false), now + KEPT + Duration::from_secs(3));
        assert_eq!(state.streams.len(), 2, "what was quiet for long is forgotten");
        state.forget(|_, _| true);
        assert_eq!((state.bytes, state.shares.len()), (0, 0));
    }

    #[test]
    fn a_busy_session_makes_room_for_itself() {
        let (mut state, now) = (State::default(), Instant::now());
        let after = |number: usize| now + Duration::from_millis(number as u64);
        state.append("ada.1", event(1, 1, false), now);
        state.streams.get_mut("ada.1").expect("a stream").ended = true;
        for number in 0..MOST_STREAMS + 100 {
            state.append(&format!("bob.{number}"), event(1, 1, false), after(number));
        }
        assert!(state.streams.contains_key("ada.1") && !state.streams.contains_key("bob.0"), "by number");
        assert_eq!(state.streams.len(), MOST_STREAMS);
        for number in 0..20 {
            state.append(&format!("cyd.{number}"), event(1, MOST_BYTES_OF_ONE, false), after(MOST_STREAMS + number));
        }
        assert!(state.streams.contains_key("ada.1") && state.streams.contains_key("cyd.19"), "by size");
        assert!(!state.streams.contains_key("cyd.0") && state.bytes <= MOST_BYTES);
        let held: usize = state.shares.values().map(|share| share.bytes).sum();
        assert_eq!(held, state.bytes);
    }
}
