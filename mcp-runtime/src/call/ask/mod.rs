//! Questions to the client, written once for both eras.
//!
//! A question is a future. In the handshake revisions it is sent on the call's stream, and resolves when the client answers. In
//! the per-request era it never resolves within a round: the driver sees, after a poll, that questions are open, drops the
//! function and answers with all of them; in the next round, with the answers, the function runs again and finds them there.
//!
//! An answer belongs to the digest of its question. One that changed on the rerun is another question, and is asked.

mod error;
mod kinds;
mod question;
mod round;
mod state;
mod step;

pub use error::AskError;
pub use kinds::{Elicited, Root, Sampled, SamplingRequest};
pub use question::Question;
use round::MAX_ROUNDS;
pub(crate) use round::{Round, Unfit, entries};
pub(crate) use state::{Asked, Asking, Next, Outcome, Way};

use std::cell::Cell;

thread_local! {
    /// Which call is being polled on this thread; 0 for none.
    static POLLED: Cell<usize> = const { Cell::new(0) };
}

/// While it lives, this thread polls the call with this mark.
pub(crate) struct Polling(usize);

impl Polling {
    pub(crate) fn enter(mark: usize) -> Self {
        Self(POLLED.replace(mark))
    }

    /// For work that belongs to a call, and may nevertheless not ask.
    pub(crate) fn suspend() -> Self {
        Self::enter(0)
    }

    /// Is the call with this mark being polled here? A task that it spawned is polled by others.
    pub(crate) fn is(mark: usize) -> bool {
        POLLED.get() == mark
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLED.set(self.0);
    }
}
