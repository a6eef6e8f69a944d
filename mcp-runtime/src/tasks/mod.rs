#![doc = include_str!("../docs/tasks.md")]

mod bounds;
#[cfg(test)]
mod contract;
mod memory;
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
pub(crate) mod timestamp;

pub use bounds::Bounds;
pub use memory::MemoryTasks;
pub use record::{TaskPayload, TaskRecord, TaskStatus};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteTasks;
pub use store::{StoreError, StoreFuture, TaskStore};
