//! Answers that are remembered for seconds, and asked for once however many wait for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// No answer is remembered for longer, whatever becomes of the clock.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Answers by the checksum of what was asked.
///
/// They stand in two generations. Once the younger one is full it becomes the older, and what was older is forgotten, so that
/// neither the memory nor the time of a request grows with what strangers send.
pub(super) struct Recall<A> {
    generations: Mutex<[Generation<A>; 2]>,
    /// How many answers a generation has.
    size: usize,
}

type Generation<A> = HashMap<[u8; 32], Arc<Slot<A>>>;

/// An answer, and until when it counts. Who asks holds the lock.
type Slot<A> = tokio::sync::Mutex<Option<(A, SystemTime)>>;

impl<A: Clone> Recall<A> {
    /// For at most twice as many answers.
    pub(super) fn new(size: usize) -> Self {
        Self { generations: Mutex::default(), size }
    }

    /// The answer, from memory where it still counts at `now`. `ask` tells it, and until when it counts.
    pub(super) async fn answer<F>(&self, key: [u8; 32], now: SystemTime, ask: impl FnOnce() -> F) -> A
    where
        F: Future<Output = (A, SystemTime)>,
    {
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        match &*slot {
            Some((answer, until)) if until.duration_since(now).is_ok_and(|left| !left.is_zero() && left <= MAX_AGE) => {
                answer.clone()
            }
            _ => {
                let (answer, until) = ask().await;
                *slot = Some((answer.clone(), until));
                answer
            }
        }
    }

    fn slot(&self, key: [u8; 32]) -> Arc<Slot<A>> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let [young, old] = &mut *generations;
        if let Some(slot) = young.get(&key) {
            return Arc::clone(slot);
        }
        let slot = old.remove(&key).unwrap_or_default();
        if young.len() >= self.size {
            *old = std::mem::take(young);
        }
        young.insert(key, Arc::clone(&slot));
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[tokio::test]
    async fn an_answer_counts_for_its_time() {
        let (recall, asked) = (Recall::new(10), Cell::new(0));
        let told = async |after: u64| {
            let now = NOW + Duration::from_secs(after);
            let ask = || {
                asked.set(asked.get() + 1);
                std::future::ready((asked.get(), now + Duration::from_secs(30)))
            };
            recall.answer([1; 32], now, ask).await
        };
        assert_eq!([told(100).await, told(129).await, told(130).await, told(131).await], [1, 1, 2, 2]);
        assert_eq!(told(0).await, 3, "the clock was set back");
    }

    #[tokio::test]
    async fn who_waits_does_not_ask() {
        let (recall, asked) = (Recall::new(10), Cell::new(0));
        let ask = || async {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            (asked.get(), NOW + Duration::from_secs(1))
        };
        let all =
            tokio::join!(recall.answer([1; 32], NOW, ask), recall.answer([1; 32], NOW, ask), recall.answer([2; 32], NOW, ask));
        assert_eq!((all.0, asked.get()), (all.1, 2));
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let recall = Recall::new(10);
        let until = NOW + Duration::from_secs(1);
        for key in 0..100 {
            recall.answer([key; 32], NOW, || std::future::ready((0, until))).await;
            // What is asked for again and again is not forgotten.
            assert_eq!(recall.answer([0; 32], NOW, || std::future::ready((1, until))).await, 0);
        }
        let generations = recall.generations.lock().expect("nobody panicked");
        assert!(generations.iter().map(HashMap::len).sum::<usize>() <= 20);
    }
}
