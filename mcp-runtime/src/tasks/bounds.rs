//! How much a store keeps.

use super::{StoreError, TaskPayload};

/// How much a store keeps, in all and of one caller. All anonymous callers together are one.
///
/// ```
/// use mcp_runtime::tasks::{Bounds, MemoryTasks};
///
/// let tasks = MemoryTasks::new().bounds(Bounds::MEMORY.max_tasks_of_one(20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    tasks: usize,
    tasks_of_one: usize,
    bytes: usize,
    bytes_of_one: usize,
}

/// What is kept already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) of_all: Share,
    pub(super) of_one: Share,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) tasks: usize,
    /// Of payloads.
    pub(super) bytes: usize,
}

const MIB: usize = 1024 * 1024;

impl Bounds {
    /// In memory: 10,000 tasks, 100 of one caller; 64 MiB of questions and results, 16 MiB of one caller.
    pub const MEMORY: Self = Self { tasks: 10_000, tasks_of_one: 100, bytes: 64 * MIB, bytes_of_one: 16 * MIB };

    /// In a file: 10,000 tasks, 100 of one caller; 1 GiB of questions and results, 64 MiB of one caller.
    pub const FILE: Self = Self { tasks: 10_000, tasks_of_one: 100, bytes: 1024 * MIB, bytes_of_one: 64 * MIB };

    /// So many tasks in all, running and ended.
    #[must_use]
    pub const fn max_tasks(self, tasks: usize) -> Self {
        Self { tasks, ..self }
    }

    /// So many tasks of one caller, running and ended.
    #[must_use]
    pub const fn max_tasks_of_one(self, tasks_of_one: usize) -> Self {
        Self { tasks_of_one, ..self }
    }

    /// So many bytes of questions and results in all.
    #[must_use]
    pub const fn max_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// So many bytes of questions and results of one caller.
    #[must_use]
    pub const fn max_bytes_of_one(self, bytes_of_one: usize) -> Self {
        Self { bytes_of_one, ..self }
    }

    /// Is there room for one more task?
    pub(super) fn admit_task(&self, usage: Usage) -> Result<(), StoreError> {
        let full = |limit: String| Err(StoreError::Full { limit });
        if usage.of_one.tasks >= self.tasks_of_one {
            return full(format!("{} tasks of one caller", self.tasks_of_one));
        }
        if usage.of_all.tasks >= self.tasks {
            return full(format!("{} tasks", self.tasks));
        }
        Ok(())
    }

    /// Is there room for what a task carries, beside what is kept without it? An error always has room: a task ends with
    /// one where there is none.
    pub(super) fn admit_payload(&self, others: Usage, payload: &TaskPayload) -> Result<(), StoreError> {
        if payload.bytes() == 0 {
            return Ok(());
        }
        let full = |limit: String| Err(StoreError::Full { limit });
        if others.of_one.bytes.saturating_add(payload.bytes()) > self.bytes_of_one {
            return full(format!("{} bytes of results of one caller", self.bytes_of_one));
        }
        if others.of_all.bytes.saturating_add(payload.bytes()) > self.bytes {
            return full(format!("{} bytes of results", self.bytes));
        }
        Ok(())
    }
}

impl Usage {
    /// Without one task of this caller that carries so many bytes.
    pub(super) fn without(mut self, bytes: usize) -> Self {
        for share in [&mut self.of_all, &mut self.of_one] {
            share.remove(bytes);
        }
        self
    }
}

impl Share {
    pub(super) fn add(&mut self, bytes: usize) {
        self.tasks += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.tasks = self.tasks.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
