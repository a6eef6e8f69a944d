//! Tasks in the memory of one process.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::bounds::{Share, Usage};
use super::store::SWEEP;
use super::{Bounds, StoreError, StoreFuture, TaskRecord, TaskStore};

/// Tasks in the memory of this process: other instances do not find them, and they end with it.
///
/// It keeps [`Bounds::MEMORY`] unless told otherwise, and removes what is past its time to live before it takes a new task.
pub struct MemoryTasks {
    bounds: Bounds,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    tasks: HashMap<String, Arc<TaskRecord>>,
    /// The same tasks, the first to expire first.
    expiring: BTreeSet<(SystemTime, String)>,
    of_all: Share,
    of_owner: HashMap<Vec<u8>, Share>,
}

impl MemoryTasks {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self { bounds: Bounds::MEMORY, kept: Mutex::default() }
    }

    /// How much it keeps.
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryTasks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTasks").field("bounds", &self.bounds).field("kept", &self.kept().of_all).finish_non_exhaustive()
    }
}

/// Payloads are long: they are copied while nobody waits for the lock.
impl TaskStore for MemoryTasks {
    fn create<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let task = task.clone().in_millis();
            self.kept().create(task, &self.bounds, SystemTime::now())
        })
    }

    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<TaskRecord>> {
        Box::pin(async move {
            let task = self.kept().load(id, SystemTime::now());
            Ok(task.map(Arc::unwrap_or_clone))
        })
    }

    fn update<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let task = task.clone().in_millis();
            self.kept().update(task, &self.bounds, SystemTime::now())
        })
    }

    fn renew<'a>(&'a self, ids: &'a [String], lease: SystemTime) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut kept = self.kept();
            for id in ids {
                kept.renew(id, lease);
            }
            Ok(())
        })
    }

    fn sweep<'a>(&'a self, now: SystemTime) -> StoreFuture<'a, usize> {
        Box::pin(async move { Ok(self.kept().sweep(now, SWEEP)) })
    }
}

impl Kept {
    fn create(&mut self, task: TaskRecord, bounds: &Bounds, now: SystemTime) -> Result<(), StoreError> {
        // Each was paid for when it was created.
        self.sweep(now, usize::MAX);
        if self.tasks.contains_key(&task.id) {
            return Err(StoreError::is_there_already());
        }
        let usage = self.usage(&task.owner);
        bounds.admit_task(usage)?;
        bounds.admit_payload(usage, &task.payload)?;
        self.insert(Arc::new(task));
        Ok(())
    }

    fn load(&mut self, id: &str, now: SystemTime) -> Option<Arc<TaskRecord>> {
        let task = self.tasks.get(id).filter(|task| !task.is_expired(now))?;
        if !task.is_abandoned(now) {
            return Some(Arc::clone(task));
        }
        let mut task = self.remove(id)?;
        Arc::make_mut(&mut task).fail_if_abandoned(now);
        self.insert(Arc::clone(&task));
        Some(task)
    }

    fn update(&mut self, mut task: TaskRecord, bounds: &Bounds, now: SystemTime) -> Result<bool, StoreError> {
        let Some(kept) = self.tasks.get(&task.id).filter(|kept| !kept.status.is_final() && !kept.is_expired(now)) else {
            return Ok(false);
        };
        bounds.admit_payload(self.usage(&kept.owner).without(kept.payload.bytes()), &task.payload)?;
        task.owner.clone_from(&kept.owner);
        task.tool.clone_from(&kept.tool);
        task.created_at = kept.created_at;
        task.lease = task.lease.max(kept.lease);
        self.remove(&task.id);
        self.insert(Arc::new(task));
        Ok(true)
    }

    fn renew(&mut self, id: &str, lease: SystemTime) {
        if let Some(task) = self.tasks.get_mut(id)
            && !task.status.is_final()
            && task.lease < lease
        {
            Arc::make_mut(task).lease = lease;
        }
    }

    fn sweep(&mut self, now: SystemTime, most: usize) -> usize {
        let mut swept = 0;
        while swept < most
            && let Some((expires, id)) = self.expiring.first()
            && *expires <= now
        {
            let id = id.clone();
            self.remove(&id);
            swept += 1;
        }
        swept
    }

    fn usage(&self, owner: &[u8]) -> Usage {
        Usage { of_all: self.of_all, of_one: self.of_owner.get(owner).copied().unwrap_or_default() }
    }

    /// Of an id that is not there.
    fn insert(&mut self, task: Arc<TaskRecord>) {
        let bytes = task.payload.bytes();
        self.of_all.add(bytes);
        self.of_owner.entry(task.owner.clone()).or_default().add(bytes);
        self.expiring.insert((task.expires_at(), task.id.clone()));
        self.tasks.insert(task.id.clone(), task);
    }

    fn remove(&mut self, id: &str) -> Option<Arc<TaskRecord>> {
        let (id, task) = self.tasks.remove_entry(id)?;
        let bytes = task.payload.bytes();
        self.of_all.remove(bytes);
        if let Some(share) = self.of_owner.get_mut(&task.owner) {
            share.remove(bytes);
            if share.tasks == 0 {
                self.of_owner.remove(&task.owner);
            }
        }
        self.expiring.remove(&(task.expires_at(), id));
        Some(task)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::tasks::{TaskPayload, TaskStatus};

    const HOUR: Duration = Duration::from_secs(3600);

    fn task(id: &str, ttl: Duration) -> TaskRecord {
        TaskRecord::new(id, [7; 33], "report", UNIX_EPOCH, ttl)
    }

    #[test]
    fn what_is_counted_is_what_is_kept() {
        let mut kept = Kept::default();
        let create = |kept: &mut Kept, task| kept.create(task, &Bounds::MEMORY, UNIX_EPOCH).expect("room");
        create(&mut kept, task("a", HOUR));
        create(
            &mut kept,
            TaskRecord { lease: UNIX_EPOCH + HOUR / 2, payload: TaskPayload::Input("?".repeat(500)), ..task("b", HOUR) },
        );
        let done = |ttl| TaskRecord {
            status: TaskStatus::Completed,
            payload: TaskPayload::Completed("{}".to_owned()),
            ..task("a", ttl)
        };
        assert!(matches!(kept.update(done(2 * HOUR), &Bounds::MEMORY, UNIX_EPOCH), Ok(true)));
        assert_eq!(kept.of_all, Share { tasks: 2, bytes: 502 });
        assert!(kept.load("b", UNIX_EPOCH + HOUR / 2).is_some_and(|task| task.status == TaskStatus::Failed));
        assert_eq!(kept.of_all, Share { tasks: 2, bytes: 2 }, "its questions are gone");
        assert_eq!(kept.usage(&[7; 33]), Usage { of_all: kept.of_all, of_one: kept.of_all });
        assert_eq!(kept.sweep(UNIX_EPOCH + HOUR, 9), 1, "a lives longer since it was updated");
        assert_eq!(kept.sweep(UNIX_EPOCH + 2 * HOUR, 9), 1);
        assert_eq!(kept.of_all, Share::default());
        assert!(kept.tasks.is_empty() && kept.expiring.is_empty() && kept.of_owner.is_empty());
    }

    #[test]
    fn a_sweep_is_bounded_and_takes_the_oldest() {
        let mut kept = Kept::default();
        for (id, hours) in [("c", 3), ("a", 1), ("b", 2)] {
            kept.create(task(id, HOUR * hours), &Bounds::MEMORY, UNIX_EPOCH).expect("room");
        }
        assert_eq!(kept.sweep(UNIX_EPOCH + 9 * HOUR, 2), 2);
        assert_eq!(kept.tasks.keys().collect::<Vec<_>>(), ["c"]);
    }
}
