//! A fetch that belongs to nobody.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

/// A fetch that nobody went on with for so long is not worth it any more.
const ABANDONED: Duration = Duration::from_secs(60);

/// Something that is fetched once for all who need it, behind a lock on which they wait. When the request is dropped that
/// waits for it, the next one goes on with it: clients that hang up do not cause more of them.
pub(crate) struct Flight<T>(Option<UnderWay<T>>);

type UnderWay<T> = (Pin<Box<dyn Future<Output = T> + Send>>, Instant);

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

    /// Goes on with the fetch that is under way, or begins one: what it brings, and when it began.
    pub(crate) async fn land<F>(&mut self, begin: impl FnOnce() -> F) -> (T, Instant)
    where
        F: Future<Output = T> + Send + 'static,
    {
        if self.0.as_ref().is_some_and(|(_, began)| began.elapsed() >= ABANDONED) {
            self.0 = None;
        }
        let landing = Landing(&mut self.0);
        let (fetch, began) = landing.0.get_or_insert_with(|| (Box::pin(begin()), Instant::now()));
        let (brought, began) = (fetch.as_mut().await, *began);
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
