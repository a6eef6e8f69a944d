//! A task as stores keep it.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::timestamp::{duration, duration_millis, from_millis, millis, rfc3339};

/// What a client is told of a task whose process died.
const STOPPED: &str = "The server that ran this task stopped before it ended; start it again";

/// JSON-RPC's "internal error".
const INTERNAL_ERROR: i64 = -32603;

/// How a task is. The last three are final: a task that has ended never changes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskStatus {
    /// It runs.
    Working,
    /// It waits for answers of its client.
    InputRequired,
    /// The call has a result, which may be one that says that the tool failed.
    Completed,
    /// The call ended in an error of the protocol.
    Failed,
    /// The client gave it up, or its credential ended.
    Cancelled,
}

impl TaskStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Working, Self::InputRequired, Self::Completed, Self::Failed, Self::Cancelled];

    /// Its name on the wire, which is also the one to store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Has a task of this status ended?
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Working | Self::InputRequired => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a task carries beside its status.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskPayload {
    /// Nothing: it runs, or was cancelled.
    #[default]
    None,
    /// The questions that wait for answers: a JSON object, the `inputRequests` of `tasks/get`.
    Input(String),
    /// What the call would have been answered with: a JSON object, the `result` of `tasks/get`.
    Completed(String),
    /// The error that the call would have been answered with.
    Failed {
        /// JSON-RPC's number for it.
        code: i64,
        /// What it says.
        message: String,
    },
}

impl TaskPayload {
    /// How many bytes of a store's bounds it takes: all of questions and results, none of an error, which is short.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::None | Self::Failed { .. } => 0,
            Self::Input(text) | Self::Completed(text) => text.len(),
        }
    }
}

/// Results may be confidential, and this goes into logs: only their length is shown.
impl fmt::Debug for TaskPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Input(text) => write!(f, "Input({} bytes)", text.len()),
            Self::Completed(text) => write!(f, "Completed({} bytes)", text.len()),
            Self::Failed { code, message } => f.debug_struct("Failed").field("code", code).field("message", message).finish(),
        }
    }
}

/// A task as stores keep it.
///
/// Times are as exact as a millisecond; a store may drop the rest, and what is before 1970 or after 9999.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRecord {
    /// Its name, which nobody can guess.
    pub id: String,
    /// Whose it is: an opaque digest of the caller, 33 bytes. All anonymous callers have the same.
    pub owner: Vec<u8>,
    /// The tool that was called.
    pub tool: String,
    /// How it is.
    pub status: TaskStatus,
    /// The same in words, for people.
    pub status_message: Option<String>,
    /// When it was made.
    pub created_at: SystemTime,
    /// When its status, message or payload last changed.
    pub updated_at: SystemTime,
    /// How long it is kept, from when it was made.
    pub ttl: Duration,
    /// How long a client should wait before it asks again.
    pub poll_interval: Duration,
    /// Until when its instance vouches for it, while it has not ended.
    pub lease: SystemTime,
    /// What it carries.
    pub payload: TaskPayload,
}

impl TaskRecord {
    /// A task that runs. Until told otherwise, its lease is as long as its life, and its client asks every second.
    pub fn new(
        id: impl Into<String>,
        owner: impl Into<Vec<u8>>,
        tool: impl Into<String>,
        created_at: SystemTime,
        ttl: Duration,
    ) -> Self {
        let created_at = from_millis(millis(created_at));
        let mut task = Self {
            id: id.into(),
            owner: owner.into(),
            tool: tool.into(),
            status: TaskStatus::Working,
            status_message: None,
            created_at,
            updated_at: created_at,
            ttl,
            poll_interval: Duration::from_secs(1),
            lease: created_at,
            payload: TaskPayload::None,
        };
        task.lease = task.expires_at();
        task
    }

    /// When its time to live is over. From then on, it is unknown.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        from_millis(millis(self.created_at) + duration_millis(self.ttl))
    }

    /// Is its time to live over?
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires_at() <= now
    }

    /// Has its process died: has it not ended, and its lease is over?
    #[must_use]
    pub fn is_abandoned(&self, now: SystemTime) -> bool {
        !self.status.is_final() && self.lease <= now
    }

    /// Makes it a failed one, with an error that says so, if its process died. Says whether it did: then store it, unless it
    /// has ended or its lease was renewed in the meantime.
    pub fn fail_if_abandoned(&mut self, now: SystemTime) -> bool {
        let is_abandoned = self.is_abandoned(now);
        if is_abandoned {
            self.status = TaskStatus::Failed;
            self.status_message = Some(STOPPED.to_owned());
            self.updated_at = from_millis(millis(now));
            self.payload = TaskPayload::Failed { code: INTERNAL_ERROR, message: STOPPED.to_owned() };
        }
        is_abandoned
    }

    /// As a store gives it back that counts in milliseconds.
    pub(super) fn in_millis(mut self) -> Self {
        for time in [&mut self.created_at, &mut self.updated_at, &mut self.lease] {
            *time = from_millis(millis(*time));
        }
        for time in [&mut self.ttl, &mut self.poll_interval] {
            *time = duration(duration_millis(*time));
        }
        self
    }
}

impl fmt::Debug for TaskRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRecord")
            .field("id", &self.id)
            .field("tool", &self.tool)
            .field("status", &self.status)
            .field("status_message", &self.status_message)
            .field("created_at", &rfc3339(self.created_at))
            .field("updated_at", &rfc3339(self.updated_at))
            .field("ttl", &self.ttl)
            .field("poll_interval", &self.poll_interval)
            .field("lease", &rfc3339(self.lease))
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const NOW: SystemTime = UNIX_EPOCH;
    const HOUR: Duration = Duration::from_secs(3600);

    fn task() -> TaskRecord {
        TaskRecord::new("t", [0; 33], "report", NOW, HOUR)
    }

    #[test]
    fn what_has_ended_is_final() {
        for (status, is_final) in TaskStatus::ALL.into_iter().zip([false, false, true, true, true]) {
            assert_eq!(status.is_final(), is_final, "{status}");
            assert_eq!(TaskStatus::from_name(status.name()), Some(status));
        }
        assert_eq!(TaskStatus::from_name("Working"), None);
    }

    #[test]
    fn a_lease_vouches_for_what_has_not_ended() {
        for status in TaskStatus::ALL {
            let mut task = TaskRecord { status, lease: NOW + HOUR / 2, ..task() };
            let before = task.clone();
            assert!(!task.fail_if_abandoned(NOW + HOUR / 2 - Duration::from_millis(1)), "{status}");
            assert_eq!(task, before);
            assert_eq!(task.fail_if_abandoned(NOW + HOUR / 2), !status.is_final(), "{status}");
            if status.is_final() {
                assert_eq!(task, before);
            } else {
                assert_eq!((task.status, task.updated_at), (TaskStatus::Failed, NOW + HOUR / 2));
                assert_eq!(task.payload, TaskPayload::Failed { code: -32603, message: STOPPED.to_owned() });
                assert_eq!(task.status_message.as_deref(), Some(STOPPED));
            }
        }
    }

    #[test]
    fn a_task_lives_as_long_as_it_was_told() {
        assert!(!task().is_expired(NOW + HOUR - Duration::from_millis(1)));
        assert!(task().is_expired(NOW + HOUR));
        let endless = TaskRecord::new("t", [0; 33], "report", NOW + HOUR, Duration::MAX);
        assert!(!endless.is_expired(NOW + HOUR * 24 * 365 * 1000));
    }

    #[test]
    fn results_stay_out_of_logs() {
        let task = TaskRecord { payload: TaskPayload::Completed("secret".to_owned()), ..task() };
        let text = format!("{task:?}");
        assert!(
            text.contains("Completed(6 bytes)") && text.contains("1970-01-01T00:00:00.000Z") && !text.contains("secret"),
            "{text}"
        );
    }
}
