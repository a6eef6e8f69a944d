//! A task lasts no longer than the credential of its owner: the latest one that the owner came with.

mod event_stream;
mod http_call;
mod task_calls;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use event_stream::{Stream, settle};
use http_call::{HttpCall, router};
use mcp_runtime::auth::{Place, Rejection, Verdict};
use mcp_runtime::notify::EventBus as _;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Client;
use serde_json::{Value, json};
use task_calls::{Bus, Events, Gate, Kept, Report, Reports, accept, asking, begun, calling, listening, task};

/// Each ends after so many seconds; `ada-lasting` does not.
const MINUTE: &str = "ada-60";
const HOUR: &str = "ada-3600";
const SHORT: &str = "ada-30";
const LASTING: &str = "ada-lasting";

/// Wait for the gate.
#[tool(task)]
async fn wait(gate: State<Gate>, report: State<Report>) -> &'static str {
    let _watch = report.watch();
    report.say("began");
    gate.pass().await;
    "through"
}

#[data]
struct Confirm {
    sure: bool,
}

/// Ask, and wait for the gate.
#[tool(task)]
async fn ask(ctx: Context, gate: State<Gate>, report: State<Report>) -> Result<String, ToolError> {
    let _watch = report.watch();
    report.say("began");
    let answer = ctx.elicit::<Confirm>("Sure?").named("sure").await?.accepted()?;
    gate.pass().await;
    Ok(answer.sure.to_string())
}

/// Who calls, and until when, as the token says: `ada-60`. Those of Eve are of another issuer.
fn principal(token: &str) -> Principal {
    let (name, seconds) = token.split_once('-').expect("two parts");
    let principal = Principal::user("ada").issued_by(name);
    match seconds.parse() {
        Ok(seconds) => principal.valid_until(SystemTime::now() + Duration::from_secs(seconds)),
        Err(_) => principal,
    }
}

fn guarded(server: Server) -> Server {
    // Tests stop the clock of timers, and credentials are judged by another.
    server.auth(Auth::chain().with_fn(Place::AnyBearer, |token| {
        let principal = principal(&token);
        async move { Verdict::Accepted(principal) }
    }))
}

struct Served {
    router: Router,
    gate: Arc<Gate>,
    reports: Reports,
    store: Kept,
}

fn unguarded(gate: &Arc<Gate>, report: &Report, store: &Kept) -> Server {
    let server = Server::new("tasks", "0").only([wait::tool(), ask::tool()]).task_timeout(Duration::from_secs(20 * 3600));
    server.shared_state(Arc::clone(gate)).state(report.clone()).task_store(store.clone())
}

fn served(dress: impl FnOnce(Server) -> Server) -> Served {
    let (gate, (report, reports), store) = (Gate::closed(), Report::new(), Kept::default());
    let router = router(dress(unguarded(&gate, &report, &store)));
    Served { router, gate, reports, store }
}

impl Served {
    async fn begin(&mut self, tool: &str, token: &str) -> String {
        let id = begun(&calling(tool, json!({})).token(token).send(&self.router).await.json());
        assert_eq!(self.reports.next().await, "began");
        id
    }

    async fn get(&self, id: &str, token: &str) -> Value {
        task(&asking("tasks/get", id).token(token).send(&self.router).await.json(), id)
    }

    /// It ended, by its credential alone.
    async fn was_cancelled(&mut self, id: &str) {
        settle().await;
        assert_eq!(self.reports.next().await, "dropped");
        let ended = self.get(id, LASTING).await;
        assert_eq!(ended["status"], "cancelled", "{ended}");
        assert!(ended["statusMessage"].as_str().is_some_and(|text| text.contains("credential")), "{ended}");
    }

    async fn goes_on(&mut self) {
        settle().await;
        assert!(self.reports.none(), "it goes on");
    }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_ends_with_the_credential_that_began_it() {
    for tool in ["wait", "ask"] {
        let mut served = served(guarded);
        let id = served.begin(tool, MINUTE).await;
        pass(59).await;
        served.goes_on().await;
        pass(2).await;
        served.was_cancelled(&id).await;
        // What comes too late changes nothing.
        served.gate.open();
        pass(60).await;
        assert_eq!(served.get(&id, HOUR).await["status"], "cancelled");
    }
}

#[tokio::test(start_paused = true)]
async fn one_without_an_end_lets_it_go_on() {
    let mut served = served(guarded);
    let id = served.begin("wait", LASTING).await;
    pass(10 * 3600).await;
    served.gate.open();
    settle().await;
    assert_eq!(served.get(&id, LASTING).await["status"], "completed");
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_with_a_newer_one_carries_it_on() {
    for (newer, ends) in [(HOUR, true), (LASTING, false)] {
        for way in ["tasks/get", "tasks/update", "subscriptions/listen"] {
            let mut served = served(guarded);
            let id = served.begin("ask", MINUTE).await;
            pass(50).await;
            match way {
                "subscriptions/listen" => drop(Events::of(&served.router, listening(&[&id]).token(newer)).await),
                "tasks/update" => {
                    let answers = json!({ "sure": accept(json!({ "sure": true })) });
                    let call = asking(way, &id).edit(|message| message["params"]["inputResponses"] = answers);
                    assert_eq!(call.token(newer).send(&served.router).await.outcome(), (200, None));
                }
                _ => drop(served.get(&id, newer).await),
            }
            pass(3590).await;
            served.goes_on().await;
            pass(20).await;
            if ends {
                served.was_cancelled(&id).await;
            } else {
                served.goes_on().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_sooner_or_is_anothers_changes_nothing() {
    let mut served = served(guarded);
    let id = served.begin("wait", MINUTE).await;
    pass(1).await;
    drop(served.get(&id, SHORT).await);
    let (_events, ids) = Events::of(&served.router, listening(&[&id]).token("eve-3600")).await;
    assert!(ids.is_empty());
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let eves = asking(method, &id).token("eve-lasting").send(&served.router).await;
        assert_eq!(eves.outcome(), (200, Some(-32602)), "{}", eves.shown());
    }
    pass(40).await;
    served.goes_on().await;
    pass(20).await;
    served.was_cancelled(&id).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_revoked_lets_nothing_go_on() {
    let revoked = Arc::new(AtomicBool::new(false));
    let judged = Arc::clone(&revoked);
    let auth = Auth::chain().with_fn(Place::AnyBearer, move |token| {
        let is_revoked = token == LASTING && judged.load(Ordering::SeqCst);
        let principal = principal(&token);
        let rejection = Rejection::invalid_token("revoked");
        async move { if is_revoked { Verdict::Rejected(rejection) } else { Verdict::Accepted(principal) } }
    });
    for newer in [None, Some("ada-refreshed")] {
        revoked.store(false, Ordering::SeqCst);
        let mut served = served(|server| server.auth(auth.clone()));
        let id = served.begin("wait", LASTING).await;
        pass(120).await;
        revoked.store(true, Ordering::SeqCst);
        if let Some(newer) = newer {
            drop(served.get(&id, newer).await);
        }
        pass(11).await;
        if newer.is_some() {
            served.goes_on().await;
        } else {
            assert_eq!(served.reports.next().await, "dropped");
            assert_eq!(served.get(&id, HOUR).await["status"], "cancelled");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_anonymous_callers_and_tests_begin_has_no_credential_to_end_with() {
    let mut anonymous = served(Server::allow_anonymous);
    let id = begun(&calling("wait", json!({})).send(&anonymous.router).await.json());
    pass(10 * 3600).await;
    assert_eq!(anonymous.reports.next().await, "began");
    anonymous.goes_on().await;
    anonymous.gate.open();
    settle().await;
    assert_eq!(task(&asking("tasks/get", &id).send(&anonymous.router).await.json(), &id)["status"], "completed");

    // A test says who calls, and there is nothing to judge again.
    let (gate, (report, mut reports), store) = (Gate::closed(), Report::new(), Kept::default());
    let client = Client::new(&guarded(unguarded(&gate, &report, &store))).capabilities(task_calls::declared());
    let client = client.principal(Principal::user("ada"));
    let id = task_calls::begin(&client, "wait", json!({})).await;
    assert_eq!(reports.next().await, "began");
    pass(3600).await;
    assert_eq!(task_calls::get(&client, &id).await["status"], "working");
}

// ---------------------------------------------------------------------------------------------- other instances

/// Two instances with one store and one bus.
fn instances() -> (Served, Router, Bus) {
    let bus = Bus::default();
    let here = served(|server| guarded(server.event_bus(bus.clone())));
    let there = unguarded(&here.gate, &Report::new().0, &here.store).event_bus(bus.clone());
    (here, router(guarded(there)), bus)
}

#[tokio::test(start_paused = true)]
async fn a_newer_one_that_another_instance_sees_carries_it_on() {
    for way in ["tasks/get", "tasks/update", "subscriptions/listen"] {
        let (mut here, there, _bus) = instances();
        let id = here.begin("wait", MINUTE).await;
        pass(50).await;
        let call = if way == "subscriptions/listen" { listening(&[&id]) } else { asking(way, &id) };
        let call = call.edit(|message| message["params"]["inputResponses"] = json!({}));
        assert_eq!(event_stream::status(&there, call.clone().token("eve-lasting")).await, 200);
        assert_eq!(event_stream::status(&there, call.token(HOUR)).await, 200);
        pass(3590).await;
        here.goes_on().await;
        pass(20).await;
        here.was_cancelled(&id).await;
    }
    let (mut here, there, _bus) = instances();
    let id = here.begin("wait", MINUTE).await;
    drop(asking("tasks/get", &id).token("eve-lasting").send(&there).await);
    pass(61).await;
    here.was_cancelled(&id).await;
}

#[tokio::test(start_paused = true)]
async fn who_asks_often_elsewhere_is_told_of_now_and_then() {
    let (mut here, there, bus) = instances();
    let told = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&told);
    bus.attach(Box::new(move |event| {
        if format!("{event:?}").starts_with("TaskVouched") {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    }));
    let id = here.begin("wait", LASTING).await;
    for _ in 0..100 {
        drop(asking("tasks/get", &id).token(LASTING).send(&there).await);
        pass(1).await;
    }
    let told = told.load(Ordering::SeqCst);
    assert!((10..=11).contains(&told), "{told} times");
    here.goes_on().await;
}

/// A credential that counts once lets a task go on for as long as its authenticator says, wherever it is shown.
#[tokio::test(start_paused = true)]
async fn one_for_one_request_lets_it_go_on_for_its_time() {
    let auth = || {
        Auth::chain().with_fn(Place::AnyBearer, |token| {
            let principal = match &*token {
                "once" => Principal::user("ada").issued_by("ada").for_one_request(Duration::from_secs(300)),
                token => principal(token),
            };
            async move { Verdict::Accepted(principal) }
        })
    };
    let bus = Bus::default();
    for elsewhere in [false, true] {
        let mut here = served(|server| server.event_bus(bus.clone()).auth(auth()));
        let there = unguarded(&here.gate, &Report::new().0, &here.store).event_bus(bus.clone());
        let there = if elsewhere { router(there.auth(auth())) } else { here.router.clone() };
        let id = here.begin("wait", MINUTE).await;
        pass(50).await;
        drop(asking("tasks/get", &id).token("once").send(&there).await);
        pass(290).await;
        here.goes_on().await;
        pass(20).await;
        here.was_cancelled(&id).await;
        // It takes nothing from one that lasts longer.
        let id = here.begin("wait", HOUR).await;
        drop(asking("tasks/get", &id).token("once").send(&there).await);
        pass(3500).await;
        here.goes_on().await;
    }
}

/// What is good for one request is used up by it, and what the request began goes on for as long as it may.
#[tokio::test(start_paused = true)]
async fn a_credential_for_one_request_is_not_judged_again() {
    let auth = || {
        let used = AtomicBool::new(false);
        Auth::chain().with_fn(Place::AnyBearer, move |token| {
            let verdict = if used.swap(true, Ordering::SeqCst) {
                Verdict::Rejected(Rejection::invalid_token("used"))
            } else {
                Verdict::Accepted(principal(&token).for_one_request(Duration::from_secs(3600)))
            };
            std::future::ready(verdict)
        })
    };
    let mut served = served(|server| server.list_changes().auth(auth()));
    let _id = served.begin("wait", "once-300").await;
    pass(290).await;
    served.goes_on().await;
    pass(20).await;
    assert_eq!(served.reports.next().await, "dropped");

    let served = self::served(|server| server.list_changes().auth(auth()));
    let listen = HttpCall::new("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    let mut stream = Stream::open(&served.router, listen.token("once-300")).await;
    stream.plain().await;
    let opened = tokio::time::Instant::now();
    stream.rest().await;
    assert!((290..=301).contains(&opened.elapsed().as_secs()), "{:?}", opened.elapsed());
}
