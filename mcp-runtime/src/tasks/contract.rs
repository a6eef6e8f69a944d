//! What every store promises, checked on each.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Bounds, StoreError, TaskPayload, TaskRecord, TaskStatus, TaskStore};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// Those of the stores that are checked.
const BOUNDS: Bounds = Bounds::MEMORY.max_tasks(4).max_tasks_of_one(2).max_bytes(100).max_bytes_of_one(60);

const ALICE: [u8; 33] = [1; 33];
const BOB: [u8; 33] = [2; 33];

/// A running task of Alice, made now, for an hour.
pub(super) fn task(id: &str) -> TaskRecord {
    TaskRecord::new(id, ALICE, "report", SystemTime::now(), HOUR).in_millis()
}

fn of_bob(id: &str) -> TaskRecord {
    TaskRecord { owner: BOB.to_vec(), ..task(id) }
}

pub(super) fn completed(task: &TaskRecord, result: &str) -> TaskRecord {
    TaskRecord { status: TaskStatus::Completed, payload: TaskPayload::Completed(result.to_owned()), ..task.clone() }
}

pub(super) fn cancelled(task: &TaskRecord) -> TaskRecord {
    TaskRecord { status: TaskStatus::Cancelled, ..task.clone() }
}

fn abandoned(id: &str) -> TaskRecord {
    TaskRecord { lease: UNIX_EPOCH, ..task(id) }
}

pub(super) async fn load(store: &dyn TaskStore, id: &str) -> Option<TaskRecord> {
    store.load(id).await.expect("a store that works")
}

async fn create(store: &dyn TaskStore, task: &TaskRecord) {
    store.create(task).await.expect("room");
}

async fn update(store: &dyn TaskStore, task: &TaskRecord) -> bool {
    store.update(task).await.expect("room")
}

#[track_caller]
fn assert_full<T: std::fmt::Debug>(result: Result<T, StoreError>, expected: &str) {
    match result {
        Err(StoreError::Full { limit }) => assert_eq!(limit, expected),
        other => panic!("{other:?} instead of {expected}"),
    }
}

macro_rules! contract {
    ($($name:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                super::$name(Arc::new(super::super::MemoryTasks::new().bounds(super::BOUNDS))).await;
            })*
            use std::sync::Arc;
        }

        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                let folder = super::super::sqlite::tests::Folder::new();
                super::$name(Arc::new(folder.open().await.bounds(super::BOUNDS))).await;
            })*
            use std::sync::Arc;
        }
    };
}

contract! {
    what_was_stored_is_loaded_whole
    an_id_is_given_once
    unknown_and_expired_tasks_are_none
    what_has_ended_stays_as_it_is
    of_two_ends_at_once_one_stands
    an_update_leaves_what_is_not_its_to_change
    a_task_whose_process_died_has_failed
    a_renewed_task_lives
    a_caller_over_its_share_takes_nothing_from_others
    what_has_expired_takes_no_room
    there_is_no_room_for_a_result_but_always_for_an_error
    a_sweep_removes_what_has_expired
}

async fn what_was_stored_is_loaded_whole(store: Arc<dyn TaskStore>) {
    let fresh = TaskRecord {
        status_message: Some("Begun — «gut»".to_owned()),
        poll_interval: Duration::from_millis(1_234),
        ttl: HOUR + Duration::from_millis(7),
        ..task("a")
    };
    create(&*store, &fresh).await;
    assert_eq!(load(&*store, "a").await, Some(fresh.clone()));
    let changed = |status, payload, seconds| TaskRecord {
        status,
        payload,
        status_message: None,
        updated_at: fresh.created_at + Duration::from_secs(seconds),
        ttl: 2 * HOUR,
        poll_interval: Duration::from_secs(9),
        ..fresh.clone()
    };
    let error = TaskPayload::Failed { code: -32_000, message: "\"no\"\n".to_owned() };
    for (seconds, (status, payload)) in (1..).zip([
        (TaskStatus::InputRequired, TaskPayload::Input("{\"a\":{\"method\":\"é\"}}".to_owned())),
        (TaskStatus::Working, TaskPayload::None),
        (TaskStatus::Failed, error),
    ]) {
        let next = changed(status, payload, seconds);
        assert!(update(&*store, &next).await);
        assert_eq!(load(&*store, "a").await, Some(next));
    }
    // A store counts in milliseconds, and forever is not longer than the calendar.
    let exact = UNIX_EPOCH + Duration::new(4_000_000_000, 123_456_789);
    let endless = TaskRecord { created_at: exact, updated_at: exact, lease: exact, ttl: Duration::MAX, ..task("b") };
    create(&*store, &endless).await;
    assert_eq!(load(&*store, "b").await.map(|task| task.updated_at), Some(exact - Duration::from_nanos(456_789)));
}

async fn an_id_is_given_once(store: Arc<dyn TaskStore>) {
    let first = task("a");
    create(&*store, &first).await;
    let again = store.create(&of_bob("a")).await;
    assert!(matches!(&again, Err(StoreError::Unavailable(cause)) if cause.to_string().contains("this id")), "{again:?}");
    assert_eq!(load(&*store, "a").await, Some(first));
}

async fn unknown_and_expired_tasks_are_none(store: Arc<dyn TaskStore>) {
    assert_eq!(load(&*store, "a").await, None);
    assert!(!update(&*store, &task("a")).await);
    assert_eq!(load(&*store, "a").await, None, "an update creates nothing");
    let expired = TaskRecord { ttl: Duration::ZERO, ..task("a") };
    create(&*store, &expired).await;
    assert_eq!(load(&*store, "a").await, None);
    assert!(!update(&*store, &TaskRecord { ttl: HOUR, ..expired }).await);
    assert_eq!(load(&*store, "a").await, None);
}

async fn what_has_ended_stays_as_it_is(store: Arc<dyn TaskStore>) {
    for status in TaskStatus::ALL.into_iter().filter(|status| status.is_final()) {
        let owner = vec![status as u8; 33];
        let running = TaskRecord { owner, ..task(status.name()) };
        create(&*store, &running).await;
        let ended = TaskRecord { status, ..running.clone() };
        assert!(update(&*store, &ended).await, "{status}");
        for next in TaskStatus::ALL {
            assert!(!update(&*store, &TaskRecord { status: next, ..running.clone() }).await, "{status} -> {next}");
        }
        store.renew(std::slice::from_ref(&ended.id), SystemTime::now() + 9 * HOUR).await.expect("a store that works");
        assert_eq!(load(&*store, &ended.id).await, Some(ended));
    }
}

async fn of_two_ends_at_once_one_stands(store: Arc<dyn TaskStore>) {
    let running = task("a");
    create(&*store, &running).await;
    let (done, given_up) = (completed(&running, "{}"), cancelled(&running));
    let (done_first, given_up_first) = tokio::join!(update(&*store, &done), update(&*store, &given_up));
    assert!(done_first != given_up_first);
    assert_eq!(load(&*store, "a").await, Some(if done_first { done } else { given_up }));
}

async fn an_update_leaves_what_is_not_its_to_change(store: Arc<dyn TaskStore>) {
    let first = TaskRecord { lease: SystemTime::now() + HOUR / 2, ..task("a") }.in_millis();
    create(&*store, &first).await;
    let mut other = TaskRecord { tool: "other".to_owned(), created_at: UNIX_EPOCH, lease: UNIX_EPOCH, ..of_bob("a") };
    assert!(update(&*store, &other).await);
    assert_eq!(load(&*store, "a").await, Some(TaskRecord { updated_at: other.updated_at, ..first.clone() }));
    other.lease = first.lease + HOUR;
    assert!(update(&*store, &other).await);
    assert_eq!(load(&*store, "a").await.map(|task| task.lease), Some(first.lease + HOUR));
}

async fn a_task_whose_process_died_has_failed(store: Arc<dyn TaskStore>) {
    let waiting = TaskRecord {
        status: TaskStatus::InputRequired,
        payload: TaskPayload::Input("{}".to_owned()),
        ..TaskRecord { owner: BOB.to_vec(), ..abandoned("b") }
    };
    for mut task in [abandoned("a"), waiting] {
        create(&*store, &task).await;
        let found = load(&*store, &task.id).await.expect("a task");
        assert!(found.updated_at >= task.updated_at);
        assert!(task.fail_if_abandoned(found.updated_at));
        assert_eq!(found, task);
        // It was stored, not only told.
        store.renew(std::slice::from_ref(&task.id), SystemTime::now() + HOUR).await.expect("a store that works");
        assert!(!update(&*store, &completed(&task, "{}")).await);
        assert_eq!(load(&*store, &task.id).await, Some(found));
    }
    // Its process was slow, and nobody has asked: what it brings is welcome.
    let slow = abandoned("c");
    create(&*store, &slow).await;
    assert!(update(&*store, &completed(&slow, "{}")).await);
    assert_eq!(load(&*store, "c").await, Some(completed(&slow, "{}")));
}

async fn a_renewed_task_lives(store: Arc<dyn TaskStore>) {
    let [renewed, other] = [abandoned("a"), abandoned("b")];
    create(&*store, &renewed).await;
    create(&*store, &other).await;
    let lease = task("a").lease;
    store.renew(&["x\"']".to_owned(), "a".to_owned()], lease).await.expect("a store that works");
    store.renew(&["a".to_owned()], UNIX_EPOCH).await.expect("a store that works");
    store.renew(&[], lease).await.expect("a store that works");
    assert_eq!(load(&*store, "a").await, Some(TaskRecord { lease, ..renewed }));
    assert_eq!(load(&*store, "b").await.map(|task| task.status), Some(TaskStatus::Failed));
}

async fn a_caller_over_its_share_takes_nothing_from_others(store: Arc<dyn TaskStore>) {
    create(&*store, &task("a1")).await;
    create(&*store, &completed(&task("a2"), "{}")).await;
    assert_full(store.create(&task("a3")).await, "2 tasks of one caller");
    assert_eq!(load(&*store, "a3").await, None);
    assert!(load(&*store, "a1").await.is_some() && load(&*store, "a2").await.is_some(), "nothing is lost");
    create(&*store, &of_bob("b1")).await;
    create(&*store, &of_bob("b2")).await;
    assert_full(store.create(&TaskRecord { owner: vec![3; 33], ..task("c1") }).await, "4 tasks");
    assert!(update(&*store, &completed(&of_bob("b2"), "{}")).await, "a full store still takes results");
}

async fn what_has_expired_takes_no_room(store: Arc<dyn TaskStore>) {
    for id in ["a", "b", "c", "d", "e", "f"] {
        create(&*store, &TaskRecord { ttl: Duration::ZERO, ..completed(&task(id), "{\"it is\":\"of some length\"}") }).await;
    }
    create(&*store, &completed(&task("g"), &"x".repeat(60))).await;
    create(&*store, &task("h")).await;
    assert_full(store.create(&task("i")).await, "2 tasks of one caller");
}

async fn there_is_no_room_for_a_result_but_always_for_an_error(store: Arc<dyn TaskStore>) {
    let [first, second, of_bob] = [task("a1"), task("a2"), of_bob("b1")];
    for task in [&first, &second, &of_bob] {
        create(&*store, task).await;
    }
    assert_full(store.update(&completed(&first, &"x".repeat(61))).await, "60 bytes of results of one caller");
    assert_eq!(load(&*store, "a1").await, Some(first.clone()), "it is as it was");
    let asking = TaskRecord { status: TaskStatus::InputRequired, payload: TaskPayload::Input("?".repeat(50)), ..first.clone() };
    assert!(update(&*store, &asking).await);
    assert!(update(&*store, &completed(&first, &"x".repeat(60))).await, "what it carried before makes room");
    assert_full(store.update(&completed(&second, "1")).await, "60 bytes of results of one caller");
    assert_full(store.update(&completed(&of_bob, &"x".repeat(41))).await, "100 bytes of results");
    assert_full(
        store.create(&TaskRecord { id: "b2".to_owned(), ..completed(&of_bob, &"x".repeat(41)) }).await,
        "100 bytes of results",
    );
    assert!(update(&*store, &completed(&of_bob, &"x".repeat(40))).await);
    let message = "There was no room for the result".repeat(9);
    let payload = TaskPayload::Failed { code: -32_603, message };
    assert!(update(&*store, &TaskRecord { status: TaskStatus::Failed, payload, ..second }).await);
    assert!(load(&*store, "a2").await.is_some_and(|task| task.status == TaskStatus::Failed));
}

async fn a_sweep_removes_what_has_expired(store: Arc<dyn TaskStore>) {
    create(&*store, &task("a")).await;
    create(&*store, &TaskRecord { ttl: 3 * HOUR, ..task("b") }).await;
    assert_eq!(store.sweep(SystemTime::now()).await.expect("a store that works"), 0);
    assert_eq!(store.sweep(SystemTime::now() + 2 * HOUR).await.expect("a store that works"), 1);
    assert_eq!(load(&*store, "a").await, None);
    assert!(load(&*store, "b").await.is_some());
}
