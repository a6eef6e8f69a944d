//! Steps and call keys: what a rerun finds and what it does again, on one instance and on two, in order and replayed.

mod http_call;
mod round_trip;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use http_call::{Answer, HttpCall, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use round_trip::{accept, again, answered, asked, prompt, read, state, tool};
use serde_json::{Value, json};
use tokio::sync::Notify;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const URL: &str = "https://mcp.example.com/mcp";
const ASKING: [Era; 3] = [Era::V2025_06_18, Era::V2025_11_25, Era::V2026_07_28];

/// The world outside, which sees how often something is done to it.
#[derive(Default)]
struct World {
    quotes: AtomicUsize,
    charges: Mutex<Vec<String>>,
    keys: Mutex<Vec<String>>,
    fails: AtomicBool,
    begun: Notify,
    go: Notify,
}

impl World {
    fn quote(&self) -> usize {
        40 + self.quotes.fetch_add(1, Ordering::SeqCst)
    }

    fn quotes(&self) -> usize {
        self.quotes.load(Ordering::SeqCst)
    }

    fn charges(&self) -> Vec<String> {
        self.charges.lock().expect("no panic").clone()
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().expect("no panic").clone()
    }

    fn note_key(&self, ctx: &Context) {
        self.keys.lock().expect("no panic").push(ctx.call_key());
    }
}

#[data]
struct Confirm {}

/// Pay: a quote, a question, a charge, another question.
#[tool]
async fn pay(world: State<World>, ctx: Context) -> Result<String, ToolError> {
    let price = ctx.step("quote", async || Ok::<_, ToolError>(world.quote())).await?;
    ctx.elicit::<Confirm>(format!("Pay {price}?")).named("pay").await?.accepted()?;
    let charge = async || {
        let key = ctx.call_key();
        world.charges.lock().expect("no panic").push(key.clone());
        Ok::<_, ToolError>(key)
    };
    let receipt = ctx.step("charge", charge).await?;
    ctx.elicit::<Confirm>("A receipt?").named("receipt").await?.accepted()?;
    Ok(format!("{price} {receipt}"))
}

/// Tells its key in each round.
#[tool]
async fn keyed(world: State<World>, ctx: Context) -> Result<String, ToolError> {
    world.note_key(&ctx);
    ctx.elicit::<Confirm>("First?").await?.accepted()?;
    world.note_key(&ctx);
    ctx.elicit::<Confirm>("Second?").await?.accepted()?;
    Ok(ctx.call_key())
}

/// A step that may fail, then a question.
#[tool]
async fn fallible(world: State<World>, ctx: Context) -> Result<String, ToolError> {
    ctx.elicit::<Confirm>("Try?").named("try").await?.accepted()?;
    let work = async || {
        let value = world.quote();
        if world.fails.load(Ordering::SeqCst) { Err(ToolError::user("out of order")) } else { Ok(value) }
    };
    let first = ctx.step("work", work).await;
    ctx.elicit::<Confirm>("Go on?").named("on").await?.accepted()?;
    Ok(first?.to_string())
}

/// Two steps of one name.
#[tool]
async fn namesakes(ctx: Context) -> Result<String, ToolError> {
    ctx.step("work", async || Ok::<_, ToolError>(1)).await?;
    let second = ctx.step("work", async || Ok::<_, ToolError>(2)).await;
    Ok(second.map_or_else(|error| error.to_string(), |value| value.to_string()))
}

/// A step whose type changes between the rounds, as by a deployment.
#[tool]
async fn retyped(world: State<World>, ctx: Context) -> Result<String, ToolError> {
    let value = if world.fails.load(Ordering::SeqCst) {
        ctx.step("work", async || Ok::<_, ToolError>(7_u8)).await.map(|value| value.to_string())
    } else {
        ctx.step("work", async || Ok::<_, ToolError>("text".to_owned())).await
    };
    let value = value.unwrap_or_else(|error| error.to_string());
    ctx.elicit::<Confirm>("Go on?").await?.accepted()?;
    Ok(value)
}

/// A step that is dropped half way, then a question.
#[tool]
async fn hasty(world: State<World>, ctx: Context) -> Result<String, ToolError> {
    let half = async || {
        world.quote();
        std::future::pending::<()>().await;
        Ok::<_, ToolError>(1)
    };
    tokio::select! {
        biased;
        _ = ctx.step("half", half) => {}
        () = tokio::task::yield_now() => {}
    }
    ctx.elicit::<Confirm>("Go on?").await?.accepted()?;
    Ok("went on".to_owned())
}

/// A step that takes its time, beside a question.
#[tool]
async fn beside(world: State<World>, ctx: Context) -> Result<String, ToolError> {
    let slow = async || {
        world.begun.notify_one();
        world.go.notified().await;
        Ok::<_, ToolError>(world.quote())
    };
    let (value, answer) = tokio::join!(ctx.step("slow", slow), ctx.elicit::<Confirm>("Meanwhile?"));
    answer?.accepted()?;
    Ok(value?.to_string())
}

/// A step of so many bytes.
#[tool]
async fn heavy(bytes: usize, ctx: Context) -> Result<String, ToolError> {
    let value = ctx.step("heavy", async || Ok::<_, ToolError>("x".repeat(bytes))).await;
    let value = match value {
        Ok(value) => value,
        Err(error) => return Ok(error.to_string()),
    };
    ctx.elicit::<Confirm>("Go on?").await?.accepted()?;
    Ok(value.len().to_string())
}

/// Asks within a step.
#[tool]
async fn nested(ctx: Context) -> Result<String, ToolError> {
    let within = async || ctx.elicit::<Confirm>("Here?").await.map(|_| ());
    Ok(ctx.step("asks", within).await.map_or_else(|error| error.to_string(), |()| "asked".to_owned()))
}

/// A step whose value is none that JSON has.
#[tool]
async fn unwritable(ctx: Context) -> String {
    let map = std::collections::HashMap::from([(vec![1_u8], 1_u8)]);
    let kept = ctx.step("map", async || Ok::<_, ToolError>(map)).await;
    kept.map_or_else(|error| error.to_string(), |map| format!("{map:?}"))
}

/// A panic within a step, then a question.
#[tool]
async fn panics(ctx: Context) -> Result<(), ToolError> {
    ctx.step("panics", async || if true { panic!("in a step") } else { Ok::<_, ToolError>(1) }).await?;
    Ok(())
}

/// A quote, by a prompt.
#[prompt]
async fn offer(world: State<World>, ctx: Context) -> Result<String, ToolError> {
    let price = ctx.step("quote", async || Ok::<_, ToolError>(world.quote())).await?;
    ctx.elicit::<Confirm>("Go on?").await?.accepted()?;
    Ok(format!("offer {price}"))
}

/// A quote, by a resource.
#[resource("prices://now")]
async fn price(world: State<World>, ctx: Context) -> Result<String, ResourceError> {
    let price = ctx.step("quote", async || Ok::<_, ToolError>(world.quote())).await?;
    ctx.elicit::<Confirm>("Go on?").await?.accepted()?;
    Ok(format!("price {price}"))
}

fn bare(world: &Arc<World>) -> Server {
    let tools = [pay::tool(), keyed::tool(), fallible::tool(), namesakes::tool(), retyped::tool(), hasty::tool()];
    let more = [beside::tool(), heavy::tool(), nested::tool(), unwritable::tool(), panics::tool()];
    let server = Server::new("steps", "0").only(tools.into_iter().chain(more)).shared_state(Arc::clone(world));
    server.only_prompts([offer::prompt()]).only_resources([price::resource()]).allow_anonymous()
}

/// An instance with the shared key, and nothing else that is shared with another.
fn instance(world: &Arc<World>) -> Router {
    router(bare(world).public_url(URL).sealing_keys([KEY]))
}

fn world() -> Arc<World> {
    Arc::default()
}

fn call(name: &str) -> HttpCall {
    tool(name, json!({})).header("host", "mcp.example.com")
}

fn yes() -> Value {
    accept(json!({}))
}

#[track_caller]
fn message(answer: &Answer) -> String {
    asked(answer).values().map(|question| question["params"]["message"].as_str().expect("a message").to_owned()).collect()
}

// ---------------------------------------------------------------------------------------------- done once

#[tokio::test]
async fn a_step_is_done_once_whichever_instance_each_round_reaches() {
    let world = world();
    let (here, there) = (instance(&world), instance(&world));
    let call = call("pay");
    let first = call.clone().send(&here).await;
    assert_eq!((message(&first).as_str(), world.quotes()), ("Pay 40?", 1));
    let second = answered(&call, &first, &yes()).send(&there).await;
    assert_eq!((message(&second).as_str(), world.quotes(), world.charges().len()), ("A receipt?", 1, 1));
    let third = answered(&call, &second, &yes()).send(&here).await;
    let [key] = &world.charges()[..] else { panic!("{:?}", world.charges()) };
    assert_eq!((third.tool_text(), world.quotes()), (format!("40 {key}"), 1));
}

#[tokio::test]
async fn prompts_and_resources_have_steps_too() {
    let world = world();
    let (here, there) = (instance(&world), instance(&world));
    for (call, text) in [(prompt("offer", json!({})), "offer 40"), (read("prices://now"), "price 41")] {
        let call = call.header("host", "mcp.example.com");
        let first = call.clone().send(&here).await;
        let second = answered(&call, &first, &yes()).send(&there).await;
        assert!(second.shown().contains(&format!("\"{text}\"")), "{}", second.shown());
    }
    assert_eq!(world.quotes(), 2);
}

#[tokio::test]
async fn in_every_revision_a_step_is_done_once() {
    for era in ASKING {
        let world = world();
        let answer = Client::new(&bare(&world)).era(era).answering(json!({})).call("pay", json!({})).await;
        let [key] = &world.charges()[..] else { panic!("{era:?}: {:?}", world.charges()) };
        assert_eq!((answer.text(), world.quotes()), (format!("40 {key}"), 1), "{era:?}");
        assert_eq!(answer.questions().len(), 2, "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- replayed

/// What the documentation of `Context::step` says of clients that send a round again.
#[tokio::test]
async fn a_replayed_round_repeats_its_own_steps_under_the_same_key_and_no_earlier_ones() {
    let world = world();
    let (here, there) = (instance(&world), instance(&world));
    let call = call("pay");
    let first = call.clone().send(&here).await;
    let again = answered(&call, &first, &yes());
    let seconds = [again.clone().send(&here).await, again.clone().send(&there).await, again.send(&here).await];
    // The quote is in the state that all three came with; the charge is done by each, and is for the bank to tell apart.
    assert_eq!((world.quotes(), world.charges().len()), (1, 3));
    assert_eq!(world.charges().into_iter().collect::<HashSet<_>>().len(), 1, "one key: {:?}", world.charges());
    for second in &seconds {
        let third = answered(&call, second, &yes()).send(&there).await;
        assert_eq!(third.tool_text(), format!("40 {}", world.charges()[0]));
    }
    assert_eq!(world.charges().len(), 3, "what completed is not done again");
    // The first round has no state: sent again it is another call, at the price of its own time.
    let other = call.clone().send(&there).await;
    assert_eq!((message(&other).as_str(), world.quotes()), ("Pay 41?", 2));
    let paid = answered(&call, &other, &yes()).send(&here).await;
    asked(&paid);
    assert_ne!(world.charges()[3], world.charges()[0], "another call has another key");
    // The old consent was to another price.
    let mixed = round_trip::again(&call, state(&other), json!({ "pay": { "action": "decline" } })).send(&here).await;
    assert!(mixed.is_tool_error(), "{}", mixed.shown());
}

#[tokio::test]
async fn a_call_has_one_key_through_all_its_rounds_and_shares_it_with_none() {
    let world = world();
    let (here, there) = (instance(&world), instance(&world));
    let call = call("keyed");
    let first = call.clone().send(&here).await;
    let second = answered(&call, &first, &yes()).send(&there).await;
    let replayed = answered(&call, &first, &yes()).send(&here).await;
    for second in [&second, &replayed] {
        let third = answered(&call, second, &yes()).send(&here).await;
        assert_eq!(third.tool_text(), world.keys()[0]);
    }
    let keys: HashSet<_> = world.keys().into_iter().collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    let key = keys.iter().next().expect("a key");
    assert!(key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
    let mut seen = keys;
    for era in ASKING {
        let client = Client::new(&bare(&world)).era(era).answering(json!({}));
        for _ in 0..2 {
            assert!(seen.insert(client.call("keyed", json!({})).await.text()), "{era:?}");
        }
    }
}

/// A function that looks at its key only after the last question must find the same in a replay.
#[tokio::test]
async fn a_key_that_is_first_used_late_is_the_same_in_a_replay() {
    /// Uses its key late.
    #[tool]
    async fn late(world: State<World>, ctx: Context) -> Result<String, ToolError> {
        ctx.elicit::<Confirm>("Well?").await?.accepted()?;
        world.note_key(&ctx);
        Ok(ctx.call_key())
    }

    let world = world();
    let server = Server::new("late", "0").only([late::tool()]).shared_state(Arc::clone(&world)).allow_anonymous();
    let router = router(server);
    let call = tool("late", json!({}));
    let first = call.clone().send(&router).await;
    let again = answered(&call, &first, &yes());
    assert_eq!(again.clone().send(&router).await.tool_text(), again.send(&router).await.tool_text());
    assert_eq!(world.keys().into_iter().collect::<HashSet<_>>().len(), 1);
}

// ---------------------------------------------------------------------------------------------- not completed

#[tokio::test]
async fn a_step_that_failed_is_done_again() {
    let world = world();
    let router = instance(&world);
    let call = call("fallible");
    let first = call.clone().send(&router).await;
    world.fails.store(true, Ordering::SeqCst);
    let second = answered(&call, &first, &yes()).send(&router).await;
    assert_eq!((message(&second).as_str(), world.quotes()), ("Go on?", 1));
    let failed = answered(&call, &second, &yes()).send(&router).await;
    assert!(failed.is_tool_error() && failed.tool_text() == "out of order", "{}", failed.shown());
    assert_eq!(world.quotes(), 2);
    world.fails.store(false, Ordering::SeqCst);
    let done = answered(&call, &second, &yes()).send(&router).await;
    assert_eq!((done.tool_text().as_str(), world.quotes()), ("42", 3));
}

#[tokio::test]
async fn a_step_that_was_dropped_half_way_leaves_nothing_behind() {
    let world = world();
    let router = instance(&world);
    let call = call("hasty");
    let first = call.clone().send(&router).await;
    assert_eq!((message(&first).as_str(), world.quotes()), ("Go on?", 1));
    let second = answered(&call, &first, &yes()).send(&router).await;
    assert_eq!((second.tool_text().as_str(), world.quotes()), ("went on", 2));
}

#[tokio::test]
async fn a_round_does_not_end_while_a_step_is_at_work() {
    let world = world();
    let router = instance(&world);
    let call = call("beside");
    let sent = tokio::spawn({
        let (call, router) = (call.clone(), router.clone());
        async move { call.send(&router).await }
    });
    world.begun.notified().await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!sent.is_finished(), "the step is at work, though the question is open");
    world.go.notify_one();
    let first = sent.await.expect("no panic");
    assert_eq!((message(&first).as_str(), world.quotes()), ("Meanwhile?", 1));
    let second = answered(&call, &first, &yes()).send(&router).await;
    assert_eq!((second.tool_text().as_str(), world.quotes()), ("40", 1));
}

#[tokio::test]
async fn a_step_that_panics_ends_the_call() {
    let answer = call("panics").send(&instance(&world())).await;
    assert!(answer.is_tool_error(), "{}", answer.shown());
    assert_eq!(answer.tool_text(), "The tool failed. The cause is in the server's log.");
}

// ---------------------------------------------------------------------------------------------- errors that say so

#[tokio::test]
async fn misuse_is_told_in_every_revision() {
    for era in ASKING {
        let client = Client::new(&bare(&world())).era(era).answering(json!({}));
        for (tool, told) in [
            ("namesakes", "the step `work` is there twice in one call: give each step a name of its own"),
            ("unwritable", "the value of the step `map` can not be kept: key must be a string"),
            (
                "nested",
                "Nobody can be asked here: only the function itself can ask, not a step of it, nor a task that it spawned: ask \
                 there, and hand the answer over",
            ),
        ] {
            let answer = client.call(tool, json!({})).await;
            assert_eq!(answer.text(), told, "{era:?} {tool}");
            assert!(answer.questions().is_empty(), "{era:?} {tool}");
        }
    }
}

#[tokio::test]
async fn a_value_that_no_longer_fits_its_type_is_an_error() {
    let world = world();
    let router = instance(&world);
    let call = call("retyped");
    let first = call.clone().send(&router).await;
    world.fails.store(true, Ordering::SeqCst);
    let second = answered(&call, &first, &yes()).send(&router).await;
    let text = second.tool_text();
    assert!(text.starts_with("the value of the step `work` does not fit its type any more: "), "{text}");
}

#[tokio::test]
async fn the_values_of_steps_are_bounded() {
    let world = world();
    let router = router(bare(&world).max_round_bytes(2000));
    let heavy = |bytes: usize| tool("heavy", json!({ "bytes": bytes }));
    let told = heavy(2000).send(&router).await.tool_text();
    assert_eq!(
        told,
        "the value of the step `heavy` has 2002 bytes, and all that a call carries may have 2000: keep less, or keep it in a \
         store of yours under `ctx.call_key()`"
    );
    let call = heavy(1500);
    let first = call.clone().send(&router).await;
    assert_eq!(answered(&call, &first, &yes()).send(&router).await.tool_text(), "1500");
    // The last bytes are of what else travels.
    let last = heavy(1980).send(&router).await;
    assert!(last.tool_text().contains(" more than the 2000 that may travel with it"), "{}", last.tool_text());
    // What a client answers counts as well.
    let padded = json!({ "action": "accept", "content": {}, "padding": "x".repeat(2000) });
    let done = again(&call, state(&first), json!({ asked(&first).keys().next().expect("a question"): padded }));
    assert_eq!(done.send(&router).await.tool_text(), "1500", "where nothing travels on there is no limit");
}

#[tokio::test]
async fn a_function_with_steps_can_be_called_by_a_unit_test() {
    let ctx = Context::detached();
    assert_eq!(ctx.step("work", async || Ok::<_, ToolError>(1)).await.expect("its value"), 1);
    assert!(ctx.step("work", async || Ok::<_, ToolError>(1)).await.is_err(), "a name that is there twice");
}
