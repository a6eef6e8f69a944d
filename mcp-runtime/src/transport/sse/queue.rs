//! What waits to be sent on a stream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;

/// So many events wait for a client that reads slowly.
const MOST: usize = 16;

/// Of what can wait elsewhere, no further event is added to so many bytes.
const MOST_BYTES: usize = 64 * 1024;

/// Between who says something and who sends it.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Waiting>,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Waiting {
    event: Bytes,
    /// Does a later one make up for it?
    gives_way: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a report. A client that fell behind gets the latest instead of all.
    pub(super) fn offer(&self, event: Bytes) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        if state.events.len() >= MOST
            && let Some(oldest) = state.events.iter().position(|waiting| waiting.gives_way)
        {
            state.events.remove(oldest);
        }
        state.events.push_back(Waiting { event, gives_way: true });
        wake(state);
    }

    /// Adds what must arrive: questions, whose number is bounded, and what comes once.
    pub(super) fn put(&self, event: Bytes) {
        let mut state = self.lock();
        if state.ended {
            return;
        }
        state.events.push_back(Waiting { event, gives_way: false });
        wake(state);
    }

    /// Takes nothing more; what is there is still to be read.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        wake(state);
    }

    pub(super) fn clear(&self) {
        self.lock().events.clear();
    }

    /// The next event, or the end; nothing if neither is there, and the waker is left.
    pub(super) fn take(&self, reader: &Waker) -> Option<Option<Bytes>> {
        let mut state = self.lock();
        if let Some(Waiting { event, .. }) = state.events.pop_front() {
            let writer = state.writer.take();
            drop(state);
            if let Some(writer) = writer {
                writer.wake();
            }
            return Some(Some(event));
        }
        if state.ended {
            return Some(None);
        }
        state.reader = Some(reader.clone());
        None
    }

    /// Waits until the client has read what there was for it, but for a little.
    pub(super) async fn room(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            let bytes: usize = state.events.iter().map(|waiting| waiting.event.len()).sum();
            if state.events.len() < MOST && bytes < MOST_BYTES {
                return Poll::Ready(());
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_read_holds_few_large_events() {
        let queue = Queue::default();
        let mut written = 0;
        let write = async {
            loop {
                queue.room().await;
                queue.put(Bytes::from(vec![0; MOST_BYTES / 2 + 1]));
                written += 1;
            }
        };
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), write).await.is_err());
        assert_eq!(written, 2);
    }

    #[test]
    fn reports_give_way_and_questions_do_not() {
        let queue = Queue::default();
        queue.put(Bytes::from_static(b"question"));
        for number in 0..100 {
            queue.offer(Bytes::from(format!("{number}")));
        }
        queue.put(Bytes::from_static(b"answer"));
        queue.end();
        let mut all = Vec::new();
        while let Some(Some(event)) = queue.take(Waker::noop()) {
            all.push(String::from_utf8_lossy(&event).into_owned());
        }
        assert_eq!(all.len(), MOST + 1);
        assert_eq!((&*all[0], &*all[1], &*all[MOST]), ("question", "85", "answer"));
        assert_eq!(queue.take(Waker::noop()), Some(None));
    }
}
