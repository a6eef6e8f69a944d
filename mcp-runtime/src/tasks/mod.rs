#![doc = include_str!("../docs/tasks.md")]

mod bounds;
#[cfg(test)]
mod contract;
mod memory;
mod record;
mod store;
pub(crate) mod timestamp;

pub use bounds::Bounds;
pub use memory::MemoryTasks;
pub use record::{TaskPayload, TaskRecord, TaskStatus};
pub use store::{StoreError, StoreFuture, TaskStore};
