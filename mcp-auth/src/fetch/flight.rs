//! A fetch that belongs to nobody.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// A fetch that nobody went on with for so long is not worth it any more.
const ABANDONED: Duration = Duration::from_secs(60);
/// How long it takes at most, in however many requests: who waits for it has a caller that waits.
const WHOLE: Duration = Duration::from_secs(12);

/// Something that is fetched once for all who need it, behind a lock on which they wait. When the request is dropped that
/// waits for it, the next one goes on with it: clients that hang up do not cause more of them.
pub(crate) struct Flight<T>(Option<UnderWay<T>>);

/// What went wrong is for the log.
type UnderWay<T> = (Pin<Box<dyn Future<Output = Result<T, String>> + Send>>, Instant);

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Flight<T> {
    #[cfg(feature = "jwt")]
    pub(crate) fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    /// Goes on with the fetch that is under way, or begins one: what it brings within 12 seconds, and when it began.
    pub(crate) async fn land<F>(&mut self, begin: impl FnOnce() -> F) -> (Result<T, String>, Instant)
    where
        F: Future<Output = Result<T, String>> + Send + 'static,
    {
        if self.0.as_ref().is_some_and(|(_, began)| began.elapsed() >= ABANDONED) {
            self.0 = None;
        }
        let landing = Landing(&mut self.0);
        let (fetch, began) = landing.0.get_or_insert_with(|| (Box::pin(begin()), Instant::now()));
        let began = *began;
        // That nobody went on with it is no fault of who is asked: then it has its time anew.
        let rest = WHOLE.checked_sub(began.elapsed()).filter(|rest| !rest.is_zero()).unwrap_or(WHOLE);
        let late = |_| Err(format!("no answer within {} s in all", WHOLE.as_secs()));
        let brought = timeout(rest, fetch.as_mut()).await.unwrap_or_else(late);
        *landing.0 = None;
        (brought, began)
    }
}

/// A fetch that panicked can not be gone on with.
struct Landing<'f, T>(&'f mut Option<UnderWay<T>>);

impl<T> Drop for Landing<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use tokio::time::sleep;

    use super::*;

    async fn after(seconds: u64) -> Result<u64, String> {
        sleep(Duration::from_secs(seconds)).await;
        Ok(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn it_takes_twelve_seconds_at_most() {
        let mut flight = Flight::default();
        let began = Instant::now();
        assert_eq!(flight.land(|| after(11)).await.0, Ok(11));
        assert_eq!(flight.land(|| after(13)).await.0, Err("no answer within 12 s in all".to_owned()));
        assert_eq!(began.elapsed().as_secs(), 11 + 12);
        assert_eq!(flight.land(|| after(1)).await.0, Ok(1), "the late one is not gone on with");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_that_of_the_fetch_and_not_of_who_waits() {
        let mut flight = Flight::default();
        let leave = |flight: &mut Flight<u64>| {
            assert!(matches!(pin!(flight.land(|| after(40))).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
        };
        leave(&mut flight);
        sleep(Duration::from_secs(8)).await;
        let waits = Instant::now();
        assert!(flight.land(|| after(1)).await.0.is_err(), "the one of before is gone on with");
        assert_eq!(waits.elapsed().as_secs(), 4);

        leave(&mut flight);
        sleep(Duration::from_secs(30)).await;
        assert_eq!(flight.land(|| after(1)).await.0, Ok(40), "it was left behind, and not too slow");
    }
}
