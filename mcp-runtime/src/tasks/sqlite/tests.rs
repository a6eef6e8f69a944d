use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::tasks::contract::{HOUR, cancelled, completed, load, task};

/// A folder with a file of tasks, as long as the test runs.
pub(in crate::tasks) struct Folder(PathBuf);

impl Folder {
    pub(in crate::tasks) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mcp-tasks-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a new folder");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("tasks.sqlite")
    }

    pub(in crate::tasks) async fn open(&self) -> SqliteTasks {
        SqliteTasks::open(self.file()).await.expect("a store")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A connection may still be closing its files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn refusal(path_or_url: impl AsRef<Path>) -> String {
    match SqliteTasks::open(path_or_url).await.expect_err("no store") {
        StoreError::Unavailable(cause) => cause.to_string(),
        full @ StoreError::Full { .. } => panic!("{full}"),
    }
}

#[tokio::test]
async fn tasks_outlive_the_process() {
    let folder = Folder::new();
    let [done, dead, running] = [task("done"), TaskRecord { lease: SystemTime::UNIX_EPOCH, ..task("dead") }, task("running")];
    let store = folder.open().await;
    for task in [&done, &dead, &running] {
        store.create(task).await.expect("room");
    }
    let done = completed(&done, "{\"content\":[]}");
    assert!(store.update(&done).await.expect("room"));
    store.pool.close().await;
    drop(store);
    let store = folder.open().await;
    assert_eq!(load(&store, "done").await, Some(done));
    assert_eq!(load(&store, "running").await, Some(running));
    assert_eq!(load(&store, "dead").await.map(|task| task.status), Some(TaskStatus::Failed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_instances_one_ends_a_task() {
    let folder = Folder::new();
    let (here, there) = tokio::join!(folder.open(), folder.open());
    for id in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let running = task(id);
        here.create(&running).await.expect("room");
        assert_eq!(load(&there, id).await.as_ref(), Some(&running), "another instance finds it at once");
        let (done, given_up) = (completed(&running, "{}"), cancelled(&running));
        let (end, stop) = (tokio::spawn(end(here.clone(), done.clone())), tokio::spawn(end(there.clone(), given_up.clone())));
        let (done_first, given_up_first) = (end.await.expect("an end"), stop.await.expect("an end"));
        assert!(done_first != given_up_first, "{id}");
        let stands = if done_first { done } else { given_up };
        assert_eq!(load(&here, id).await.as_ref(), Some(&stands));
        assert_eq!(load(&there, id).await, Some(stands));
    }
}

async fn end(store: SqliteTasks, task: TaskRecord) -> bool {
    store.update(&task).await.expect("room")
}

/// Between the look at a task and the verdict, another instance may renew or end it.
#[tokio::test]
async fn a_verdict_comes_too_late_for_a_renewed_task() {
    let folder = Folder::new();
    let store = folder.open().await;
    let now = SystemTime::now();
    let mut seen = TaskRecord { lease: now, ..task("a") };
    store.create(&seen).await.expect("room");
    assert!(seen.fail_if_abandoned(now));
    store.renew(&["a".to_owned()], now + HOUR).await.expect("a store");
    assert!(!update(&store.pool, &seen, now, millis(now)).await.expect("a store"));
    assert_eq!(load(&store, "a").await.map(|task| task.status), Some(TaskStatus::Working));
}

#[tokio::test]
async fn several_instances_may_open_a_new_file_at_once() {
    let folder = Folder::new();
    let stores = tokio::join!(folder.open(), folder.open(), folder.open(), folder.open());
    stores.0.create(&task("a")).await.expect("room");
    assert!(load(&stores.3, "a").await.is_some());
}

/// As while another instance makes its table. It passes whatever the timing is, and fails without the retry.
#[tokio::test]
async fn a_new_file_that_another_writes_is_waited_for() {
    let folder = Folder::new();
    let other = SqliteConnectOptions::new().filename(folder.file()).create_if_missing(true);
    let other = SqlitePool::connect_with(other).await.expect("a database");
    let write = other.begin_with("begin immediate").await.expect("a transaction");
    let release = async {
        tokio::time::sleep(Duration::from_millis(60)).await;
        write.commit().await.expect("an end");
    };
    let (store, ()) = tokio::join!(folder.open(), release);
    store.create(&task("a")).await.expect("room");
}

#[tokio::test]
async fn a_file_may_be_named_by_its_url() {
    let folder = Folder::new();
    let store = SqliteTasks::open(format!("sqlite://{}", folder.file().display())).await.expect("a store");
    store.create(&task("a")).await.expect("room");
    assert!(load(&folder.open().await, "a").await.is_some());
}

#[tokio::test]
async fn what_is_no_store_is_not_touched() {
    for memory in [":memory:", "sqlite::memory:", "sqlite://tasks?mode=memory"] {
        assert!(refusal(memory).await.contains("in memory"), "{memory}");
    }
    let folder = Folder::new();
    assert!(refusal(folder.0.join("missing").join("tasks.sqlite")).await.contains("os error"));
    let store = folder.open().await;
    sqlx::raw_sql("pragma user_version = 7; drop table mcp_tasks").execute(&store.pool).await.expect("a change");
    assert!(refusal(folder.file()).await.contains("its user_version is 7, not 1"));
    let tables: i64 = sqlx::query_scalar("select count(*) from sqlite_schema").fetch_one(&store.pool).await.expect("a count");
    assert_eq!(tables, 0);
}

#[tokio::test]
async fn a_task_of_a_later_version_is_an_error() {
    let folder = Folder::new();
    let store = folder.open().await;
    for (id, change) in
        [("a", "update mcp_tasks set status = 'paused' where id = 'a'"), ("b", "update mcp_tasks set payload_kind = 'x'")]
    {
        store.create(&task(id)).await.expect("room");
        sqlx::query(change).execute(&store.pool).await.expect("a change");
        let error = store.load(id).await.expect_err("no task");
        assert!(matches!(&error, StoreError::Unavailable(cause) if cause.to_string().contains("later version")), "{error:?}");
    }
}

/// How much is kept is asked at each task, so it must not read the tasks themselves.
#[tokio::test]
async fn counting_reads_no_results() {
    let folder = Folder::new();
    let store = folder.open().await;
    let plan = sqlx::AssertSqlSafe(format!("explain query plan {USAGE}"));
    let row = sqlx::query(plan).bind(0).bind("").fetch_one(&store.pool).await.expect("a plan");
    let detail: String = row.try_get("detail").expect("a detail");
    assert!(detail.contains("COVERING INDEX"), "{detail}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let store = folder.open().await;
    store.create(&task("a")).await.expect("room");
    let files: Vec<_> = std::fs::read_dir(&folder.0).expect("a folder").map(|entry| entry.expect("a file")).collect();
    assert!(files.len() > 1, "the write-ahead log is there too: {files:?}");
    for file in files {
        let mode = file.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
    }
}
