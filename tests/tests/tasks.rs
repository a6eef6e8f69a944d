//! Calls that go on as tasks (extension `io.modelcontextprotocol/tasks`): who gets one, what it looks like, what it asks, how it
//! ends, and whose it is.

mod every_era;
mod http_call;
mod task_calls;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use every_era::clients;
use http_call::{CAPABILITIES_KEY, HttpCall, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use serde_json::{Value, json};
use task_calls::{
    Gate, Report, TASKS, accept, asking, begin, begun, calling, cancel, client, declared, get, keys, listening, soon, text,
    until, update,
};

// ---------------------------------------------------------------------------------------------- tools

/// Add two numbers, at leisure.
#[tool(task)]
async fn add(a: i64, b: i64) -> Json<i64> {
    tokio::task::yield_now().await;
    Json(a + b)
}

/// Wait for the gate.
#[tool(task)]
async fn wait(gate: State<Gate>) -> String {
    gate.pass().await;
    "through".to_owned()
}

/// Wait for the gate, and tell how it ends in both ways: by the future and by the token.
#[tool(task)]
async fn wait_watched(ctx: Context, gate: State<Gate>, report: State<Report>) -> String {
    let (token, watching) = (ctx.cancellation(), report.0.clone());
    tokio::spawn(async move {
        token.cancelled().await;
        watching.say("cancelled");
    });
    let _watch = report.watch();
    report.say("began");
    gate.pass().await;
    "through".to_owned()
}

/// Fail in a way of your choice.
#[tool(task)]
async fn fail(how: String) -> Result<(), ToolError> {
    match how.as_str() {
        "user" => Err(ToolError::user("The oven is cold.")),
        "rpc" => Err(ToolError::rpc(-31_999, "no flour")),
        "reserved" => Err(ToolError::rpc(-32_021, "not its business")),
        "panic" => panic!("the secret of the oven"),
        _ => Err(std::io::Error::other("the secret of the oven").into()),
    }
}

/// Take long.
#[tool(task)]
async fn sleep() {
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
}

/// Run as a task only.
#[tool(task = "required")]
async fn only_as_task(report: State<Report>) -> String {
    report.say("ran");
    "done".to_owned()
}

#[data]
struct Confirm {
    sure: bool,
}

/// Ask two questions at once, then a third.
#[tool(task)]
async fn ask_three(ctx: Context) -> Result<String, ToolError> {
    let (first, second) =
        tokio::try_join!(ctx.elicit::<Confirm>("First?").named("first"), ctx.elicit::<Confirm>("Second?").named("second"))?;
    let third = ctx.elicit::<Confirm>("Third?").named("third").await?;
    let sure = [first.accepted()?.sure, second.accepted()?.sure, third.accepted()?.sure];
    Ok(format!("{sure:?}"))
}

/// Ask the same again and again.
#[tool(task)]
async fn ask_the_same(ctx: Context) -> Result<String, ToolError> {
    for round in 0..6_u32 {
        let question = ctx.elicit::<Confirm>("Sure?");
        let question = if round % 2 == 0 { question.named("sure") } else { question };
        question.await?.accepted()?;
    }
    Ok("sure".to_owned())
}

/// Ask first, then go on as a task, and ask there.
#[tool(task = "deferred")]
async fn ask_then_work(ctx: Context, report: State<Report>) -> Result<String, ToolError> {
    report.say(&format!("key {}", ctx.call_key()));
    ctx.step("count", async || {
        report.say("step");
        Ok::<_, ToolError>(())
    })
    .await?;
    let early = ctx.elicit::<Confirm>("Begin?").named("early").await?.accepted()?;
    ctx.begin_task().await;
    report.say(&format!("working {}", ctx.call_key()));
    let late = ctx.elicit::<Confirm>("End?").named("late").await?.accepted()?;
    // It is one already.
    ctx.begin_task().await;
    Ok(format!("{} {}", early.sure, late.sure))
}

/// Try to begin a task from work that was spawned.
#[tool(task = "deferred")]
async fn begin_from_elsewhere(ctx: Context) -> Result<String, ToolError> {
    tokio::spawn(async move { ctx.begin_task().await }).await?;
    Ok("no task".to_owned())
}

/// Try to begin a task without a word in the attribute.
#[tool]
async fn begin_unasked(ctx: Context) -> String {
    ctx.begin_task().await;
    "no task".to_owned()
}

/// Give the call's key.
#[tool(task)]
async fn key(ctx: Context) -> String {
    tokio::task::yield_now().await;
    ctx.call_key()
}

fn server(tools: impl IntoIterator<Item = mcp_runtime::Tool>) -> Server {
    Server::new("tasks", "0").only(tools)
}

/// A client without the extension, of the newest revision.
fn plain(server: &Server) -> Client {
    Client::new(server).capabilities(json!({ "elicitation": { "form": {} } }))
}

// ---------------------------------------------------------------------------------------------- who gets a task

#[tokio::test]
async fn the_extension_is_declared_where_it_is_offered_and_nowhere_else() {
    for (tools, offered) in [(vec![add::tool()], true), (vec![ask_then_work::tool()], true), (vec![begin_unasked::tool()], false)]
    {
        let server = server(tools).state(Report::new().0).allow_anonymous();
        let answer = Client::new(&server).request("server/discover", json!({})).await;
        let capabilities = &answer.result()["capabilities"];
        assert_eq!(capabilities["extensions"].get(TASKS), offered.then(|| json!({})).as_ref());
        assert!(capabilities.get("tasks").is_none(), "{capabilities}");
        let router = router(server);
        for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
            let answer = HttpCall::initialize(era).send(&router).await.json();
            let capabilities = &answer["result"]["capabilities"];
            assert!(capabilities.get("tasks").is_none() && capabilities.get("extensions").is_none(), "{era:?}: {capabilities}");
        }
    }
}

#[tokio::test]
async fn a_task_has_the_result_that_the_call_would_have_had() {
    let server = server([add::tool()]).task_ttl(Duration::from_secs(90)).task_poll_interval(Duration::from_millis(250));
    let by_task = client(&server);
    let answer = by_task.call("add", json!({ "a": 1, "b": 2 })).await;
    let created = answer.result();
    assert_eq!((&created["ttlMs"], &created["pollIntervalMs"]), (&json!(90_000), &json!(250)));
    let id = begun(answer.message());
    let done = until(&by_task, &id, "completed").await;
    let at_once = plain(&server).call("add", json!({ "a": 1, "b": 2 })).await;
    assert_eq!(&done["result"], at_once.result());
    assert_eq!(done["createdAt"], created["createdAt"]);
    assert_eq!(done["result"]["_meta"].as_object().map(|meta| meta.keys().collect::<Vec<_>>()).expect("a meta").len(), 1);
    assert_eq!(get(&by_task, &id).await, done, "it does not change any more");
}

#[tokio::test]
async fn only_the_request_itself_says_that_its_client_takes_tasks() {
    let client = client(&server([add::tool()]));
    let arguments = json!({ "a": 1, "b": 2 });
    begin(&client, "add", arguments.clone()).await;
    for capabilities in [
        json!({}),
        json!({ "extensions": {} }),
        json!({ "extensions": { TASKS: null } }),
        json!({ "extensions": { TASKS: true } }),
        json!({ "extensions": [TASKS] }),
        json!({ "tasks": { "requests": { "tools": { "call": {} } } } }),
        json!({ TASKS: {} }),
    ] {
        let answer = client.clone().capabilities(capabilities.clone()).call("add", arguments.clone()).await;
        assert_eq!((answer.text().as_str(), &answer.result()["resultType"]), ("3", &json!("complete")), "{capabilities}");
    }
}

#[tokio::test]
async fn clients_of_other_revisions_get_results_whatever_they_declare() {
    let (report, _reports) = Report::new();
    let server = server([add::tool(), ask_then_work::tool(), begin_from_elsewhere::tool()]).state(report);
    let capabilities = json!({
        "elicitation": { "form": {} },
        "extensions": { TASKS: {} },
        "tasks": { "list": {}, "cancel": {}, "requests": { "tools": { "call": {} } } },
    });
    for (era, client) in clients(&server).filter(|(era, _)| era.is_legacy()) {
        let client = client.capabilities(capabilities.clone());
        assert_eq!(client.call("add", json!({ "a": 1, "b": 2 })).await.text(), "3", "{era:?}");
        let params = json!({ "name": "add", "arguments": { "a": 1, "b": 2 }, "task": { "ttl": 60_000 } });
        let answer = client.request("tools/call", params).await;
        assert_eq!(answer.text(), "3", "{era:?}");
        assert!(answer.result().get("task").is_none() && answer.result().get("taskId").is_none(), "{era:?}");
        for method in ["tasks/get", "tasks/update", "tasks/cancel", "tasks/result", "tasks/list"] {
            assert_eq!(client.request(method, json!({ "taskId": "x" })).await.error_code(), Some(-32601), "{era:?} {method}");
        }
        if era >= Era::V2025_06_18 {
            let answering = client.answering(json!({ "sure": true }));
            assert_eq!(answering.call("ask_then_work", json!({})).await.text(), "true true", "{era:?}");
        }
    }
}

#[tokio::test]
async fn a_tool_that_is_a_task_only_is_refused_before_it_runs() {
    let (report, mut reports) = Report::new();
    let server = server([only_as_task::tool()]).state(report);
    let refused = plain(&server).call("only_as_task", json!({})).await;
    assert_eq!((refused.status(), refused.error_code()), (400, Some(-32021)));
    let needed = json!({ "requiredCapabilities": { "extensions": { TASKS: {} } } });
    assert_eq!(refused.message()["error"]["data"], needed);
    for (era, client) in clients(&server).filter(|(era, _)| era.is_legacy()) {
        let refused = client.capabilities(declared()).call("only_as_task", json!({})).await;
        assert!(refused.is_error() && refused.text().contains("the tasks extension"), "{era:?}: {}", refused.message());
    }
    assert!(reports.none(), "it did not run");
    let client = client(&server);
    let id = begin(&client, "only_as_task", json!({})).await;
    assert_eq!(text(&until(&client, &id, "completed").await), "done");
}

#[tokio::test]
async fn no_parameter_of_a_call_asks_for_a_task_or_against_one() {
    let server = server([add::tool()]);
    for task in [json!({}), json!({ "ttl": 60_000 }), json!(null), json!(5)] {
        let params = json!({ "name": "add", "arguments": { "a": 1, "b": 2 }, "task": task });
        assert_eq!(plain(&server).request("tools/call", params.clone()).await.text(), "3", "{params}");
        begun(client(&server).request("tools/call", params).await.message());
    }
}

#[tokio::test]
async fn what_is_no_tool_becomes_no_task() {
    let router = router(server([add::tool()]).allow_anonymous());
    for (method, params) in [("server/discover", json!({})), ("tools/list", json!({}))] {
        let answer = HttpCall::new(method, params).meta(CAPABILITIES_KEY, declared()).send(&router).await;
        assert_eq!(answer.json()["result"]["resultType"], "complete", "{}", answer.shown());
    }
}

// ---------------------------------------------------------------------------------------------- the methods

#[tokio::test]
async fn a_client_that_does_not_take_tasks_can_not_ask_for_any() {
    let gate = Gate::closed();
    let router = router(server([wait::tool()]).shared_state(gate).allow_anonymous());
    let id = begun(&calling("wait", json!({})).send(&router).await.json());
    let needed = json!({ "requiredCapabilities": { "extensions": { TASKS: {} } } });
    for id in [id.as_str(), "unknown"] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            for capabilities in [json!({}), json!({ "tasks": {} }), json!({ "extensions": { TASKS: null } })] {
                let answer = asking(method, id).meta(CAPABILITIES_KEY, capabilities).send(&router).await;
                assert_eq!(answer.outcome(), (400, Some(-32021)), "{method}: {}", answer.shown());
                assert_eq!(answer.json()["error"]["data"], needed);
            }
        }
        let listening = listening(&[id]).meta(CAPABILITIES_KEY, json!({}));
        let answer = soon("a refusal, not a stream", listening.send(&router)).await;
        assert_eq!(answer.outcome(), (400, Some(-32021)), "{}", answer.shown());
        assert_eq!(answer.json()["error"]["data"], needed);
    }
    assert_eq!(asking("tasks/get", &id).send(&router).await.json()["result"]["status"], "working", "nobody cancelled it");
}

#[tokio::test]
async fn the_methods_of_older_tasks_do_not_exist() {
    let router = router(server([add::tool()]).allow_anonymous());
    let id = begun(&calling("add", json!({ "a": 1, "b": 2 })).send(&router).await.json());
    for method in ["tasks/result", "tasks/list", "tasks/"] {
        assert_eq!(asking(method, &id).send(&router).await.outcome(), (404, Some(-32601)), "{method}");
    }
}

#[tokio::test]
async fn without_tasks_there_are_no_methods_of_tasks() {
    let router = router(server([begin_unasked::tool()]).allow_anonymous());
    for call in
        ["tasks/get", "tasks/update", "tasks/cancel"].map(|method| asking(method, "x")).into_iter().chain([listening(&["x"])])
    {
        let answer = call.send(&router).await;
        assert_eq!(answer.outcome(), (404, Some(-32601)), "{}", answer.shown());
    }
}

#[tokio::test]
async fn the_headers_name_the_method_and_the_task() {
    let gate = Gate::closed();
    let router = router(server([wait::tool()]).shared_state(gate).allow_anonymous());
    let id = begun(&calling("wait", json!({})).send(&router).await.json());
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        for (what, call) in [
            ("another name", asking(method, &id).header("mcp-name", "another")),
            ("the tool's name", asking(method, &id).header("mcp-name", "wait")),
            ("no name", asking(method, &id).without_header("mcp-name")),
            ("two names", asking(method, &id).another("mcp-name", &id)),
            ("another method", asking(method, &id).header("mcp-method", "tools/call")),
        ] {
            assert_eq!(call.send(&router).await.outcome(), (400, Some(-32020)), "{method}: {what}");
        }
    }
    assert_eq!(asking("tasks/get", &id).send(&router).await.json()["result"]["status"], "working");
    assert_eq!(asking("tasks/update", &id).send(&router).await.outcome(), (200, None));
    assert_eq!(asking("tasks/cancel", &id).send(&router).await.outcome(), (200, None));
}

#[tokio::test]
async fn parameters_that_are_none_are_refused() {
    let gate = Gate::closed();
    let client = client(&server([wait::tool()]).shared_state(gate));
    let id = begin(&client, "wait", json!({})).await;
    for params in [json!({}), json!({ "taskId": 5 }), json!({ "taskId": null }), json!({ "taskId": [id] })] {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let client = client.clone().header("mcp-name", "x");
            // Over HTTP the header is compared before.
            let answer = client.request(method, params.clone()).await;
            assert!(matches!(answer.error_code(), Some(-32602 | -32020)), "{method} {params}: {}", answer.message());
        }
    }
    for responses in [json!([]), json!(5), json!("x"), json!(true)] {
        let answer = client.request("tasks/update", json!({ "taskId": id, "inputResponses": responses })).await;
        assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{responses}");
        assert!(answer.error_message().contains("inputResponses"), "{}", answer.error_message());
    }
    update(&client, &id, json!({})).await;
    update(&client, &id, json!(null)).await;
    assert_eq!(get(&client, &id).await["status"], "working");
}

// ---------------------------------------------------------------------------------------------- how it ends

#[tokio::test]
async fn what_a_tool_reports_as_its_error_completes_the_task() {
    let server = server([fail::tool(), add::tool()]);
    let client = client(&server);
    for (tool, arguments, said) in [
        ("fail", json!({ "how": "user" }), "The oven is cold."),
        ("fail", json!({ "how": "panic" }), "The tool failed. The cause is in the server's log."),
        ("fail", json!({ "how": "else" }), "The tool failed. The cause is in the server's log."),
    ] {
        let id = begin(&client, tool, arguments.clone()).await;
        let task = until(&client, &id, "completed").await;
        assert!(text(&task).contains(said) && task["result"]["isError"] == true, "{task}");
        assert!(!task.to_string().contains("secret"), "{task}");
        assert_eq!(&task["result"], plain(&server).call(tool, arguments).await.result());
    }
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_at_once() {
    let answer = client(&server([add::tool()])).call("add", json!({ "a": 1 })).await;
    assert_eq!(answer.result()["resultType"], "complete");
    assert!(answer.is_error() && answer.text().contains("- b: required"), "{}", answer.text());
}

#[tokio::test]
async fn an_error_of_the_protocol_fails_the_task() {
    let client = client(&server([fail::tool()]));
    for (how, code, said) in [("rpc", -31_999, "no flour"), ("reserved", -32603, "not its business")] {
        let id = begin(&client, "fail", json!({ "how": how })).await;
        let task = until(&client, &id, "failed").await;
        assert_eq!(task["error"], json!({ "code": code, "message": said }));
        assert_eq!(task["statusMessage"], said);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_has_a_time_limit_of_its_own() {
    let server = server([sleep::tool()]).timeout(Duration::from_secs(5)).task_timeout(Duration::from_secs(60));
    let client = client(&server);
    let id = begin(&client, "sleep", json!({})).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(get(&client, &id).await["status"], "working", "longer than a call may take");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let task = get(&client, &id).await;
    assert!(text(&task).contains("within its limit of 60s") && task["result"]["isError"] == true, "{task}");
}

#[tokio::test]
async fn cancelling_drops_the_tool_and_cancels_its_token() {
    let (gate, (report, mut reports)) = (Gate::closed(), Report::new());
    let client = client(&server([wait_watched::tool()]).shared_state(Arc::clone(&gate)).state(report));
    let id = begin(&client, "wait_watched", json!({})).await;
    assert_eq!(reports.next().await, "began");
    let asked = tokio::time::Instant::now();
    cancel(&client, &id).await;
    let task = get(&client, &id).await;
    assert_eq!(task["status"], "cancelled", "at once");
    let mut ends = [reports.next().await, reports.next().await];
    ends.sort();
    assert_eq!(ends, ["cancelled", "dropped"]);
    assert!(asked.elapsed() < Duration::from_secs(5), "not only when its lease is renewed");
    gate.open();
    for _ in 0..2 {
        cancel(&client, &id).await;
        update(&client, &id, json!({ "x": {} })).await;
        assert_eq!(get(&client, &id).await, task, "it stays as it was");
    }
}

#[tokio::test]
async fn cancelling_what_has_ended_changes_nothing() {
    let client = client(&server([add::tool(), fail::tool()]));
    for (tool, arguments, status) in
        [("add", json!({ "a": 1, "b": 2 }), "completed"), ("fail", json!({ "how": "rpc" }), "failed")]
    {
        let id = begin(&client, tool, arguments).await;
        let task = until(&client, &id, status).await;
        cancel(&client, &id).await;
        update(&client, &id, json!({ "x": accept(json!({})) })).await;
        assert_eq!(get(&client, &id).await, task);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_end_and_a_cancellation_the_first_one_stands() {
    let gate = Gate::closed();
    let client = client(&server([wait::tool()]).shared_state(Arc::clone(&gate)));
    for _ in 0..64 {
        let id = begin(&client, "wait", json!({})).await;
        let (opened, cancelled) = (Arc::clone(&gate), (client.clone(), id.clone()));
        let open = tokio::spawn(async move { opened.open() });
        let stop = tokio::spawn(async move { cancel(&cancelled.0, &cancelled.1).await });
        open.await.expect("no panic");
        stop.await.expect("no panic");
        let first = get(&client, &id).await;
        match first["status"].as_str() {
            Some("completed") => assert_eq!(text(&first), "through"),
            Some("cancelled") => {}
            _ => panic!("{first}"),
        }
        for _ in 0..4 {
            tokio::task::yield_now().await;
            assert_eq!(get(&client, &id).await, first);
        }
        // What nobody took does not open for the next.
        let _ = gate.0.try_acquire().map(tokio::sync::SemaphorePermit::forget);
    }
}

// ---------------------------------------------------------------------------------------------- questions

#[tokio::test]
async fn a_task_asks_and_is_answered_bit_by_bit() {
    let client = client(&server([ask_three::tool()]));
    let id = begin(&client, "ask_three", json!({})).await;
    let asks_both = async {
        loop {
            let task = until(&client, &id, "input_required").await;
            if keys(&task).len() == 2 {
                return task;
            }
        }
    };
    let task = soon("both questions", asks_both).await;
    assert_eq!(keys(&task), ["first", "second"]);
    let question = &task["inputRequests"]["first"];
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "First?");
    assert_eq!(question["params"]["requestedSchema"]["properties"]["sure"]["type"], "boolean");
    // Nothing of these is an answer to what is asked.
    update(&client, &id, json!({ "third": accept(json!({ "sure": true })), "": {}, "0": null })).await;
    assert_eq!(keys(&get(&client, &id).await), ["first", "second"]);
    update(&client, &id, json!({ "second": accept(json!({ "sure": false })), "other": 5 })).await;
    assert_eq!(keys(&get(&client, &id).await), ["first"], "right after the acknowledgement");
    // An answer stands.
    update(&client, &id, json!({ "second": accept(json!({ "sure": true })) })).await;
    assert_eq!(keys(&get(&client, &id).await), ["first"]);
    update(&client, &id, json!({ "first": accept(json!({ "sure": true })) })).await;
    let task = get(&client, &id).await;
    assert!(keys(&task).iter().all(|key| key == "third"), "nothing is asked twice: {task}");
    let task = until(&client, &id, "input_required").await;
    assert_eq!(keys(&task), ["third"]);
    update(&client, &id, json!({ "first": accept(json!({ "sure": false })), "third": accept(json!({ "sure": true })) })).await;
    assert_ne!(get(&client, &id).await["status"], "input_required");
    assert_eq!(text(&until(&client, &id, "completed").await), "[true, false, true]");
}

#[tokio::test]
async fn a_key_is_never_used_for_another_question() {
    let client = client(&server([ask_the_same::tool()]));
    let id = begin(&client, "ask_the_same", json!({})).await;
    let mut seen = HashSet::new();
    for _ in 0..6 {
        let task = until(&client, &id, "input_required").await;
        let keys = keys(&task);
        assert!(keys.len() == 1 && seen.insert(keys[0].clone()), "{keys:?} after {seen:?}");
        // What answered the questions before answers no later one.
        let mut answers = serde_json::Map::new();
        answers.extend(seen.iter().filter(|key| **key != keys[0]).map(|key| (key.clone(), accept(json!({ "sure": true })))));
        update(&client, &id, answers.into()).await;
        assert_eq!(task_calls::keys(&get(&client, &id).await), keys);
        update(&client, &id, json!({ &keys[0]: accept(json!({ "sure": true })) })).await;
    }
    assert_eq!(text(&until(&client, &id, "completed").await), "sure");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_none() {
    let client = client(&server([ask_the_same::tool()]));
    for misfit in [
        json!(5),
        json!(null),
        json!({}),
        json!({ "action": "accept" }),
        json!({ "action": "accept", "content": {} }),
        json!({ "action": "accept", "content": { "sure": "yes" } }),
        json!({ "action": "accept", "content": { "sure": true, "more": 1 } }),
        json!({ "action": "agree", "content": { "sure": true } }),
        json!({ "error": { "code": -1, "message": "no" } }),
    ] {
        let id = begin(&client, "ask_the_same", json!({})).await;
        let task = until(&client, &id, "input_required").await;
        update(&client, &id, json!({ &keys(&task)[0]: misfit.clone() })).await;
        let ended = async {
            loop {
                let task = get(&client, &id).await;
                if task["status"] == "completed" || keys(&task) == ["sure"] {
                    return task;
                }
                tokio::task::yield_now().await;
            }
        };
        let task = soon("an end, or the same question", ended).await;
        assert!(task["status"] != "completed" || task["result"]["isError"] == true, "{misfit}: {task}");
    }
    // What the user says no to is an answer.
    for action in ["decline", "cancel"] {
        let id = begin(&client, "ask_the_same", json!({})).await;
        let task = until(&client, &id, "input_required").await;
        update(&client, &id, json!({ &keys(&task)[0]: { "action": action } })).await;
        let task = until(&client, &id, "completed").await;
        assert!(task["result"]["isError"] == true && text(&task).starts_with("The user"), "{task}");
    }
}

#[tokio::test]
async fn a_task_can_not_ask_what_its_client_can_not_answer() {
    let client = client(&server([ask_three::tool()])).capabilities(json!({ "extensions": { TASKS: {} } }));
    let id = begin(&client, "ask_three", json!({})).await;
    let task = until(&client, &id, "completed").await;
    assert!(task["result"]["isError"] == true && text(&task).contains("elicitation"), "{task}");
}

#[tokio::test]
async fn a_deferred_tool_asks_in_rounds_before_it_is_a_task() {
    let (report, mut reports) = Report::new();
    let server = server([ask_then_work::tool()]).state(report);
    let client = client(&server);
    let first = client.call("ask_then_work", json!({})).await;
    assert_eq!(first.result()["resultType"], "input_required", "{}", first.message());
    assert_eq!(keys(first.result()), ["early"]);
    let (key, step) = (reports.next().await, reports.next().await);
    assert_eq!(step, "step");
    let mut params = json!({ "name": "ask_then_work", "arguments": {}, "requestState": first.result()["requestState"] });
    params["inputResponses"] = json!({ "early": accept(json!({ "sure": true })) });
    let second = client.request("tools/call", params).await;
    let id = begun(second.message());
    assert_eq!(reports.next().await, key, "the second run has the same key, and does not take the step again");
    assert_eq!(reports.next().await, key.replace("key", "working"), "and the task");
    let task = until(&client, &id, "input_required").await;
    assert_eq!(keys(&task), ["late"]);
    update(&client, &id, json!({ "early": {}, "late": accept(json!({ "sure": false })) })).await;
    assert_eq!(text(&until(&client, &id, "completed").await), "true false");
    // Without the extension, all is asked in rounds.
    let answering = plain(&server).answering_with(|_, params| accept(json!({ "sure": params["message"] == "End?" })));
    assert_eq!(answering.call("ask_then_work", json!({})).await.text(), "false true");
}

#[tokio::test]
async fn to_begin_a_task_does_nothing_where_there_can_be_none() {
    let (report, _reports) = Report::new();
    let server = server([begin_from_elsewhere::tool(), begin_unasked::tool(), add::tool()]).state(report);
    for (era, legacy_or_not) in clients(&server) {
        for client in [legacy_or_not.clone(), legacy_or_not.capabilities(declared())] {
            for tool in ["begin_from_elsewhere", "begin_unasked"] {
                let answer = soon(tool, client.call(tool, json!({}))).await;
                assert_eq!(answer.text(), "no task", "{era:?} {tool}");
            }
        }
    }
}

#[tokio::test]
async fn every_call_has_a_key_of_its_own() {
    let client = client(&server([key::tool()]));
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let id = begin(&client, "key", json!({})).await;
        let task = until(&client, &id, "completed").await;
        let key = text(&task).to_owned();
        assert!(key.len() == 32 && key != id && seen.insert(key), "{task}");
    }
}

// ---------------------------------------------------------------------------------------------- whose it is

/// All that a stranger learns of a task that is there, and of one that is not.
async fn refusals(client: &Client, id: &str) -> Vec<(u16, Value)> {
    let mut refusals = Vec::new();
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        for responses in [json!({}), json!({ "sure": accept(json!({ "sure": true })) }), json!(5)] {
            let answer = client.request(method, json!({ "taskId": id, "inputResponses": responses })).await;
            assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{method}: {}", answer.message());
            refusals.push((answer.status(), answer.message().clone()));
        }
    }
    refusals
}

#[tokio::test]
async fn another_callers_task_looks_like_none() {
    let gate = Gate::closed();
    let anonymous = client(&server([wait::tool(), ask_the_same::tool()]).shared_state(gate));
    let ada = || Principal::user("ada").issued_by("https://a.example");
    let callers = [
        anonymous.clone(),
        anonymous.clone().principal(ada()),
        anonymous.clone().principal(Principal::user("ada").issued_by("https://b.example")),
        anonymous.clone().principal(Principal::user("ada")),
        anonymous.clone().principal(Principal::user("bob").issued_by("https://a.example")),
        anonymous.clone().principal(Principal::user("").issued_by("")),
    ];
    let unknown = refusals(&anonymous, "0123456789abcdef0123456789abcdef").await;
    for tool in ["wait", "ask_the_same"] {
        for (owner, client) in callers.iter().enumerate() {
            let id = begin(client, tool, json!({})).await;
            let status = if tool == "wait" { "working" } else { "input_required" };
            until(client, &id, status).await;
            for (_, stranger) in callers.iter().enumerate().filter(|(other, _)| *other != owner) {
                assert_eq!(refusals(stranger, &id).await, unknown);
            }
            let task = get(client, &id).await;
            assert_eq!(task["status"], status, "nobody answered or cancelled it");
        }
    }
    // Scopes and claims may differ between two requests of one caller.
    let id = begin(&callers[1], "wait", json!({})).await;
    let later = anonymous.principal(ada().scopes(["x"]).claim("a", 1).via_client("c"));
    assert_eq!(get(&later, &id).await["status"], "working");
    cancel(&later, &id).await;
}

#[tokio::test]
async fn a_task_is_unknown_once_its_time_is_over() {
    let gate = Gate::closed();
    let server = server([wait::tool(), add::tool()]).shared_state(gate).task_ttl(Duration::from_millis(40));
    let client = client(&server);
    for (tool, arguments) in [("wait", json!({})), ("add", json!({ "a": 1, "b": 2 }))] {
        let id = begin(&client, tool, arguments).await;
        let expired = async {
            while client.request("tasks/get", json!({ "taskId": id })).await.error_code().is_none() {
                tokio::task::yield_now().await;
            }
        };
        soon("the end of its time", expired).await;
        assert_eq!(refusals(&client, &id).await, refusals(&client, "0123456789abcdef0123456789abcdef").await);
    }
}

#[tokio::test]
async fn odd_ids_are_unknown() {
    let client = client(&server([add::tool()]));
    for id in ["", " ", "'; drop table mcp_tasks; --", "ä", "%", "\u{0}", &"x".repeat(10_000)] {
        refusals(&client, id).await;
    }
}
