//! What a store of tasks does.

use std::error::Error;
use std::pin::Pin;
use std::time::SystemTime;

use super::TaskRecord;

/// So many tasks are removed by one [`TaskStore::sweep`] at most.
pub(super) const SWEEP: usize = 1000;

/// What the functions of a [`TaskStore`] return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps tasks for the instances of a server.
pub trait TaskStore: Send + Sync + 'static {
    /// Keeps a new task. When this returns, every instance finds it.
    ///
    /// # Errors
    /// [`StoreError::Full`] where a bound is reached. An id that is there already is [`StoreError::Unavailable`], and the task
    /// that has it stays as it is.
    fn create<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, ()>;

    /// The task of this id. `None` where there is none, or its time to live is over.
    ///
    /// A task whose process died is stored and returned as [`TaskRecord::fail_if_abandoned`] leaves it.
    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<TaskRecord>>;

    /// Replaces a task that has not ended, in one step: of several updates that end a task, the first one stands. `false` where
    /// it has ended, or is unknown or past its time to live.
    ///
    /// `owner`, `tool` and `created_at` stay as they were created. Of two leases, the later one is kept: whoever updates a task
    /// need not know that it was renewed.
    ///
    /// # Errors
    /// [`StoreError::Full`] where there is no room for the questions or the result that the task carries; it stays as it was,
    /// for the caller to end it with an error. There is always room for an error.
    fn update<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, bool>;

    /// Says that this instance still works on these tasks, and will until `lease`. Those that have ended or are unknown are
    /// passed over, and none gets an earlier lease than it has.
    fn renew<'a>(&'a self, ids: &'a [String], lease: SystemTime) -> StoreFuture<'a, ()>;

    /// Removes tasks whose time to live is over, a bounded number per call. Returns how many. A server that was asked for a task
    /// calls it every minute, until there is nothing left to remove.
    fn sweep<'a>(&'a self, now: SystemTime) -> StoreFuture<'a, usize>;
}

/// Why a store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A bound is reached. A caller may be told all of it.
    #[error("no further task can be kept: there is room for {limit}")]
    Full {
        /// Of what there can be how much: `100 tasks of one caller`.
        limit: String,
    },
    /// The store can not be used.
    #[error("the store of tasks can not be used")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    pub(super) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(cause.into())
    }

    pub(super) fn is_there_already() -> Self {
        Self::unavailable("another task has this id")
    }
}
