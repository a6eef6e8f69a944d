//! Tasks in a file.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

use super::bounds::{Share, Usage};
use super::store::SWEEP;
use super::timestamp::{duration, duration_millis, from_millis, millis};
use super::{Bounds, StoreError, StoreFuture, TaskPayload, TaskRecord, TaskStatus, TaskStore};

/// The form of the file. A file of another form is not touched.
const VERSION: i64 = 1;

/// Times are in milliseconds since 1970. The index also answers how much is kept, of all and of one owner, without the rows.
const SCHEMA: &str = "
    create table if not exists mcp_tasks (
        id text not null primary key,
        owner blob not null,
        tool text not null,
        status text not null,
        status_message text,
        created_at integer not null,
        updated_at integer not null,
        expires_at integer not null,
        poll_interval integer not null,
        lease integer not null,
        payload_kind text,
        payload text,
        payload_bytes integer not null,
        error_code integer
    ) strict;
    create index if not exists mcp_tasks_kept on mcp_tasks (expires_at, owner, payload_bytes);
    pragma user_version = 1;";

const INSERT: &str = "
    insert into mcp_tasks (id, owner, tool, status, status_message, created_at, updated_at, expires_at, poll_interval, lease,
        payload_kind, payload, payload_bytes, error_code)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const LOAD: &str = "select * from mcp_tasks where id = ? and expires_at > ?";

/// What of a task that has not ended counts for the bounds.
const SHARE: &str = "
    select owner, payload_bytes from mcp_tasks
    where id = ? and status in ('working', 'input_required') and expires_at > ?";

const USAGE: &str = "
    select count(*), coalesce(sum(payload_bytes), 0),
        count(*) filter (where owner = ?2), coalesce(sum(payload_bytes) filter (where owner = ?2), 0)
    from mcp_tasks where expires_at > ?1";

/// The last condition is for tasks whose process died: one that was renewed lives.
const UPDATE: &str = "
    update mcp_tasks set status = ?3, status_message = ?4, updated_at = ?5, expires_at = created_at + ?6, poll_interval = ?7,
        lease = max(lease, ?8), payload_kind = ?9, payload = ?10, payload_bytes = ?11, error_code = ?12
    where id = ?1 and status in ('working', 'input_required') and expires_at > ?2 and lease <= ?13";

const RENEW: &str = "
    update mcp_tasks set lease = ?2
    where id in (select value from json_each(?1)) and status in ('working', 'input_required') and lease < ?2";

const REMOVE_EXPIRED: &str = "
    delete from mcp_tasks where rowid in (select rowid from mcp_tasks where expires_at <= ? order by expires_at limit ?)";

/// So many expired tasks are removed before a new one is kept.
const SWEEP_ON_CREATE: usize = 100;

/// Tasks in a file of `SQLite`, for all instances on one machine: they outlive the processes. The feature `sqlite` has it.
///
/// It keeps [`Bounds::FILE`] unless told otherwise. What it says is kept survives a crash of the machine too. The file is in
/// WAL mode, which no network file system can share. A task that is created or that ends with a result takes a look at the index
/// of all tasks: about a millisecond where there are 10,000.
#[derive(Clone, Debug)]
pub struct SqliteTasks {
    pool: SqlitePool,
    bounds: Bounds,
}

impl SqliteTasks {
    /// Opens a file, by its path or as `sqlite://path`, and makes it where there is none. A new file can be read by its owner
    /// alone, as it holds what tools answered.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the file can not be opened, or it is another program's or a later version's.
    pub async fn open(path_or_url: impl AsRef<Path>) -> Result<Self, StoreError> {
        let options = options(path_or_url.as_ref())?.create_if_missing(true);
        let path = options.get_filename();
        make_private(path).map_err(|error| StoreError::unavailable(format!("{}: {error}", path.display())))?;
        let options = options.synchronous(SqliteSynchronous::Full).busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(10))
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(failed)?;
        prepare(&pool).await?;
        Ok(Self { pool, bounds: Bounds::FILE })
    }

    /// How much it keeps. Instances that share a file should be told the same.
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// A transaction that nobody else writes beside.
    async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.pool.begin_with("begin immediate").await.map_err(failed)
    }

    async fn create_at(&self, task: &TaskRecord, now: SystemTime) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        remove_expired(&mut *write, now, SWEEP_ON_CREATE).await?;
        let usage = usage(&mut *write, &task.owner, now).await?;
        self.bounds.admit_task(usage)?;
        self.bounds.admit_payload(usage, &task.payload)?;
        let payload = PayloadColumns::of(&task.payload);
        sqlx::query(INSERT)
            .bind(&task.id)
            .bind(&task.owner)
            .bind(&task.tool)
            .bind(task.status.name())
            .bind(&task.status_message)
            .bind(millis(task.created_at))
            .bind(millis(task.updated_at))
            .bind(millis(task.expires_at()))
            .bind(duration_millis(task.poll_interval))
            .bind(millis(task.lease))
            .bind(payload.kind)
            .bind(payload.text)
            .bind(payload.bytes)
            .bind(payload.code)
            .execute(&mut *write)
            .await
            .map_err(failed)?;
        write.commit().await.map_err(failed)
    }

    async fn load_at(&self, id: &str, now: SystemTime) -> Result<Option<TaskRecord>, StoreError> {
        let Some(mut task) = self.find(id, now).await? else { return Ok(None) };
        if !task.fail_if_abandoned(now) || update(&self.pool, &task, now, millis(now)).await? {
            return Ok(Some(task));
        }
        // It ended, or was renewed, since it was read.
        self.find(id, now).await
    }

    async fn find(&self, id: &str, now: SystemTime) -> Result<Option<TaskRecord>, StoreError> {
        let row = sqlx::query(LOAD).bind(id).bind(millis(now)).fetch_optional(&self.pool).await.map_err(failed)?;
        row.as_ref().map(record).transpose()
    }

    async fn update_at(&self, task: &TaskRecord, now: SystemTime) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        if task.payload.bytes() > 0 {
            let share = sqlx::query(SHARE).bind(&task.id).bind(millis(now)).fetch_optional(&mut *write).await.map_err(failed)?;
            let Some(share) = share else { return Ok(false) };
            let owner: Vec<u8> = share.try_get(0).map_err(failed)?;
            let others = usage(&mut *write, &owner, now).await?.without(count(&share, 1)?);
            self.bounds.admit_payload(others, &task.payload)?;
        }
        let is_updated = update(&mut *write, task, now, i64::MAX).await?;
        write.commit().await.map_err(failed)?;
        Ok(is_updated)
    }

    async fn renew_until(&self, ids: &[String], lease: SystemTime) -> Result<(), StoreError> {
        let ids = serde_json::to_string(ids).map_err(StoreError::unavailable)?;
        sqlx::query(RENEW).bind(ids).bind(millis(lease)).execute(&self.pool).await.map_err(failed)?;
        Ok(())
    }
}

impl TaskStore for SqliteTasks {
    fn create<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, ()> {
        Box::pin(self.create_at(task, SystemTime::now()))
    }

    fn load<'a>(&'a self, id: &'a str) -> StoreFuture<'a, Option<TaskRecord>> {
        Box::pin(self.load_at(id, SystemTime::now()))
    }

    fn update<'a>(&'a self, task: &'a TaskRecord) -> StoreFuture<'a, bool> {
        Box::pin(self.update_at(task, SystemTime::now()))
    }

    fn renew<'a>(&'a self, ids: &'a [String], lease: SystemTime) -> StoreFuture<'a, ()> {
        Box::pin(self.renew_until(ids, lease))
    }

    fn sweep<'a>(&'a self, now: SystemTime) -> StoreFuture<'a, usize> {
        Box::pin(remove_expired(&self.pool, now, SWEEP))
    }
}

fn options(path_or_url: &Path) -> Result<SqliteConnectOptions, StoreError> {
    let text = path_or_url.to_string_lossy();
    // Each connection would have one of its own.
    if text.contains(":memory:") || text.contains("mode=memory") {
        return Err(StoreError::unavailable("a database in memory keeps no tasks: name a file, or use MemoryTasks"));
    }
    if text.starts_with("sqlite:") {
        return SqliteConnectOptions::from_str(&text).map_err(failed);
    }
    Ok(SqliteConnectOptions::new().filename(path_or_url))
}

/// Makes a new file before `SQLite` does, which would let everyone read it. Its side files get the same permissions.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new();
    file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    match file.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes the table where there is none.
async fn prepare(pool: &SqlitePool) -> Result<(), StoreError> {
    let found: i64 = sqlx::query_scalar("pragma user_version").fetch_one(pool).await.map_err(failed)?;
    if found != 0 && found != VERSION {
        let text = format!("the file is another program's or a later version's: its user_version is {found}, not {VERSION}");
        return Err(StoreError::unavailable(text));
    }
    enter_wal(pool).await?;
    let mut write = pool.begin_with("begin immediate").await.map_err(failed)?;
    sqlx::raw_sql(SCHEMA).execute(&mut *write).await.map_err(failed)?;
    write.commit().await.map_err(failed)
}

/// The file stays in that mode. The switch does not wait for other connections as all else does, so it is tried again where
/// several instances start at once.
async fn enter_wal(pool: &SqlitePool) -> Result<(), StoreError> {
    for _ in 0..100 {
        match sqlx::query_scalar::<_, String>("pragma journal_mode = wal").fetch_one(pool).await {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(StoreError::unavailable(format!("the file can not be in WAL mode: it stays in `{mode}`"))),
            // SQLITE_BUSY, whatever its details.
            Err(error) if code(&error).is_some_and(|code| code & 0xff == 5) => {}
            Err(error) => return Err(failed(error)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(StoreError::unavailable("the file is locked by another program"))
}

/// `lease`: the latest that the task may have.
async fn update(executor: impl SqliteExecutor<'_>, task: &TaskRecord, now: SystemTime, lease: i64) -> Result<bool, StoreError> {
    let payload = PayloadColumns::of(&task.payload);
    let done = sqlx::query(UPDATE)
        .bind(&task.id)
        .bind(millis(now))
        .bind(task.status.name())
        .bind(&task.status_message)
        .bind(millis(task.updated_at))
        .bind(duration_millis(task.ttl))
        .bind(duration_millis(task.poll_interval))
        .bind(millis(task.lease))
        .bind(payload.kind)
        .bind(payload.text)
        .bind(payload.bytes)
        .bind(payload.code)
        .bind(lease)
        .execute(executor)
        .await
        .map_err(failed)?;
    Ok(done.rows_affected() > 0)
}

async fn usage(executor: impl SqliteExecutor<'_>, owner: &[u8], now: SystemTime) -> Result<Usage, StoreError> {
    let row = sqlx::query(USAGE).bind(millis(now)).bind(owner).fetch_one(executor).await.map_err(failed)?;
    let share = |at| Ok::<_, StoreError>(Share { tasks: count(&row, at)?, bytes: count(&row, at + 1)? });
    Ok(Usage { of_all: share(0)?, of_one: share(2)? })
}

async fn remove_expired(executor: impl SqliteExecutor<'_>, now: SystemTime, most: usize) -> Result<usize, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let done = sqlx::query(REMOVE_EXPIRED).bind(millis(now)).bind(most).execute(executor).await.map_err(failed)?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

fn count(row: &SqliteRow, at: usize) -> Result<usize, StoreError> {
    let count: i64 = row.try_get(at).map_err(failed)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A payload in columns.
struct PayloadColumns<'a> {
    kind: Option<&'static str>,
    text: Option<&'a str>,
    bytes: i64,
    code: Option<i64>,
}

impl<'a> PayloadColumns<'a> {
    fn of(payload: &'a TaskPayload) -> Self {
        let (kind, text, code) = match payload {
            TaskPayload::None => (None, None, None),
            TaskPayload::Input(text) => (Some("input"), Some(text.as_str()), None),
            TaskPayload::Completed(text) => (Some("result"), Some(text.as_str()), None),
            TaskPayload::Failed { code, message } => (Some("error"), Some(message.as_str()), Some(*code)),
        };
        Self { kind, text, bytes: i64::try_from(payload.bytes()).unwrap_or(i64::MAX), code }
    }
}

fn record(row: &SqliteRow) -> Result<TaskRecord, StoreError> {
    let read = || {
        let (created_at, expires_at): (i64, i64) = (row.try_get("created_at")?, row.try_get("expires_at")?);
        let (id, owner, tool): (String, Vec<u8>, String) = (row.try_get("id")?, row.try_get("owner")?, row.try_get("tool")?);
        let ttl = duration(expires_at.saturating_sub(created_at));
        let mut task = TaskRecord::new(id, owner, tool, from_millis(created_at), ttl);
        let status = TaskStatus::from_name(row.try_get("status")?);
        task.status_message = row.try_get("status_message")?;
        task.updated_at = from_millis(row.try_get("updated_at")?);
        task.poll_interval = duration(row.try_get("poll_interval")?);
        task.lease = from_millis(row.try_get("lease")?);
        let text = || row.try_get("payload");
        let payload = match row.try_get("payload_kind")? {
            None => Some(TaskPayload::None),
            Some("input") => Some(TaskPayload::Input(text()?)),
            Some("result") => Some(TaskPayload::Completed(text()?)),
            Some("error") => Some(TaskPayload::Failed { code: row.try_get("error_code")?, message: text()? }),
            Some(_) => None,
        };
        Ok(status.zip(payload).map(|(status, payload)| TaskRecord { status, payload, ..task }))
    };
    read()
        .map_err(failed)?
        .ok_or_else(|| StoreError::unavailable("a later version wrote this task: it is in a form unknown here"))
}

fn code(error: &sqlx::Error) -> Option<i64> {
    error.as_database_error()?.code()?.parse().ok()
}

fn failed(error: sqlx::Error) -> StoreError {
    if error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
        return StoreError::is_there_already();
    }
    // SQLITE_FULL: the disk is, which is nothing that a caller could be told the limit of.
    StoreError::unavailable(error)
}

#[cfg(test)]
pub(super) mod tests;
