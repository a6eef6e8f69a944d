//! What a function with `#[tool]` does when it is called, by a client of any revision.

mod every_era;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Client, Era};
use mcp_runtime::{Requirement, Tool};
use serde_json::{Value, json};

fn client(tool: Tool) -> Client {
    Client::new(&Server::new("test", "1.2.3").only([tool]))
}

/// The clients of each revision.
fn clients(tool: Tool) -> impl Iterator<Item = (Era, Client)> {
    every_era::eras_of(client(tool))
}

/// Calls the tool in every revision, see [`every_era::call`].
async fn call(tool: Tool, arguments: Value) -> Answer {
    every_era::call(&client(tool), tool.name(), arguments).await
}

/// Say back what you are told.
#[tool]
async fn echo(message: String) -> String {
    message
}

#[tokio::test]
async fn a_tool_is_still_a_function() {
    assert_eq!(echo("hi".to_owned()).await, "hi");
    for (era, client) in clients(echo::tool()) {
        let answer = client.call("echo", json!({ "message": "hi" })).await;
        assert_eq!(answer.text(), "hi");
        let content = json!([{ "type": "text", "text": "hi" }]);
        let expected = if era.is_legacy() {
            json!({ "content": content })
        } else {
            let meta = json!({ "io.modelcontextprotocol/serverInfo": { "name": "test", "version": "1.2.3" } });
            json!({ "resultType": "complete", "content": content, "_meta": meta })
        };
        assert_eq!(answer.result(), &expected, "{era:?}");
    }
}

/// Current weather.
///
/// Of today.
///
/// # Arguments
///
/// * `city` - City name,
///   for example Lisbon.
#[tool(
    name = "weather.now",
    title = "Weather",
    read_only,
    destructive = false,
    tags("weather"),
    icons("https://example.com/sun.png"),
    meta("com.example/cost" = 2)
)]
fn weather(
    city: String,
    /// Days ahead.
    #[arg(default = 1)]
    #[schemars(range(min = 1, max = 14))]
    days: u8,
    #[arg(name = "lang")] language: Option<String>,
) -> String {
    format!("{city} {days} {language:?}")
}

#[tokio::test]
async fn the_list_shows_what_the_author_wrote() {
    let newest = json!({
        "name": "weather.now",
        "title": "Weather",
        "description": "Current weather.\n\nOf today.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "city": { "type": "string", "description": "City name, for example Lisbon." },
                "days": { "type": "integer", "minimum": 1, "maximum": 14, "default": 1, "description": "Days ahead." },
                "lang": { "type": "string" },
            },
            "required": ["city"],
            "additionalProperties": false,
        },
        "annotations": { "readOnlyHint": true, "destructiveHint": false },
        "icons": [{ "src": "https://example.com/sun.png" }],
        "_meta": { "com.example/cost": 2 },
    });
    for (era, client) in clients(weather::tool()) {
        let mut expected = newest.clone();
        if era < Era::V2025_11_25 {
            expected.as_object_mut().expect("an object").remove("icons");
        }
        if era < Era::V2025_06_18 {
            expected.as_object_mut().expect("an object").retain(|member, _| member != "title" && member != "_meta");
            expected["annotations"]["title"] = json!("Weather");
        }
        assert_eq!(client.tools().await, [expected], "{era:?}");
    }
}

#[tokio::test]
async fn defaults_and_options_fill_what_is_left_out() {
    assert_eq!(call(weather::tool(), json!({ "city": "Rome" })).await.text(), "Rome 1 None");
    let all = json!({ "city": "Rome", "days": 3, "lang": null });
    assert_eq!(call(weather::tool(), all).await.text(), "Rome 3 None");
}

#[tokio::test]
async fn every_problem_is_told_at_once() {
    let answer = call(weather::tool(), json!({ "days": 20, "lang": 5, "ctiy": "Rome" })).await;
    assert!(answer.is_error());
    let expected = "The arguments do not fit `weather.now`:\n\
        - city: required, but missing (expected a string)\n\
        - ctiy: unknown name; did you mean `city`?\n\
        - days: expected an integer from 1 to 14, got 20\n\
        - lang: expected a string, got 5";
    assert_eq!(answer.text(), expected);
    for no_object in [json!([]), json!("city"), json!(1), json!(null)] {
        let answer = call(weather::tool(), no_object).await;
        assert!(answer.is_error() && answer.text().contains("expected an object, got"), "{}", answer.text());
    }
}

/// A port with a rule of its own.
struct Port(u16);

impl<'de> serde::Deserialize<'de> for Port {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let port = u16::deserialize(deserializer)?;
        if port.is_multiple_of(2) { Ok(Self(port)) } else { Err(serde::de::Error::custom("a port must be even")) }
    }
}

impl schemars::JsonSchema for Port {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<u16>()
    }
}

/// Open ports.
#[tool]
fn open(ports: Vec<Port>) -> usize {
    ports.iter().map(|port| usize::from(port.0)).sum()
}

#[data]
struct Point {
    x: f64,
    y: f64,
}

/// Move by whole steps.
#[tool]
fn step(by: i32, at: Option<Point>) -> String {
    format!("{by} {:?}", at.map(|at| at.x + at.y))
}

#[tokio::test]
async fn structs_are_objects_and_whole_numbers_are_integers() {
    for positional in [json!([1]), json!([1, [1, 2]])] {
        let answer = call(step::tool(), positional).await;
        assert!(answer.is_error() && answer.text().contains("expected an object, got an array"), "{}", answer.text());
    }
    let answer = call(step::tool(), json!({ "by": 1, "at": [1, 2] })).await;
    assert_eq!(answer.text(), "The arguments do not fit `step`:\n- at: expected an object, got an array of 2");
    assert_eq!(call(step::tool(), json!({ "by": 3.0, "at": { "x": 1, "y": 2.5 } })).await.text(), "3 Some(3.5)");
    let answer = call(step::tool(), json!({ "by": 3.5 })).await;
    assert_eq!(answer.text(), "The arguments do not fit `step`:\n- by: expected an integer, got 3.5");
    assert!(call(step::tool(), json!({ "by": 3e10 })).await.is_error());
}

#[tokio::test]
async fn rules_of_the_users_own_types_are_told_in_their_words() {
    let answer = call(open::tool(), json!({ "ports": [2, 3] })).await;
    assert_eq!(answer.text(), "The arguments do not fit `open`:\n- ports[1]: a port must be even");
    assert_eq!(call(open::tool(), json!({ "ports": [2, 4] })).await.text(), "6");
}

#[tokio::test]
async fn a_name_given_twice_is_refused() {
    const TWICE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"a","message":"b"}META}}"#;
    const META: &str =
        r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    for (era, client) in clients(echo::tool()) {
        let (headers, meta) = if era.is_legacy() {
            (vec![("mcp-session-id", client.open().expect("a session"))], "")
        } else {
            let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
            (headers.map(|(name, value)| (name, value.to_owned())).to_vec(), META)
        };
        let headers = headers.into_iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")));
        let answer = client.send(headers.collect(), TWICE.replace("META", meta).as_bytes()).await;
        assert_eq!(answer.text(), "The arguments do not fit `echo`:\n- `message` is given twice", "{era:?}");
    }
}

#[derive(Debug, thiserror::Error)]
#[error("connection to db://secret failed")]
struct Internal(#[source] std::io::Error);

/// Fail in every way.
#[tool]
fn fail(how: String) -> Result<String, ToolError> {
    match how.as_str() {
        "user" => Err(ToolError::user("Name another city.")),
        "string" => Err("db://secret".into()),
        "chain" => Err(Internal(std::io::Error::other(UserError::new("The shop is closed."))))?,
        "std" => Ok(u8::try_from(300_i32)?.to_string()),
        "panic" => panic!("db://secret"),
        _ => Err(Internal(std::io::Error::other("db://secret")))?,
    }
}

/// Fail with the error type of another crate.
#[tool]
async fn fail_plainly() -> Result<u8, Internal> {
    Err(Internal(std::io::Error::other("x")))
}

#[tokio::test]
async fn the_model_reads_what_was_meant_for_it_and_nothing_else() {
    for (how, text) in [
        ("user", "Name another city."),
        ("chain", "The shop is closed."),
        ("string", "The tool failed. The cause is in the server's log."),
        ("std", "The tool failed. The cause is in the server's log."),
        ("panic", "The tool failed. The cause is in the server's log."),
        ("other", "The tool failed. The cause is in the server's log."),
    ] {
        let answer = call(fail::tool(), json!({ "how": how })).await;
        assert!(answer.is_error());
        assert_eq!(answer.text(), text, "{how}");
    }
    assert!(call(fail_plainly::tool(), json!({})).await.is_error());
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

/// Panic when all is done.
#[tool]
async fn panic_late() -> String {
    let _guard = PanicsWhenDropped;
    tokio::task::yield_now().await;
    "never seen".to_owned()
}

#[tokio::test]
async fn a_panicking_destructor_is_an_answer_too() {
    assert!(call(panic_late::tool(), json!({})).await.is_error());
}

/// Compute off the async threads.
#[tool(blocking)]
fn compute(fail: bool, count: State<AtomicUsize>) -> Result<String, ToolError> {
    count.fetch_add(1, Ordering::Relaxed);
    assert!(!fail, "told to");
    Ok(format!("{}", std::thread::current().name().is_some_and(|name| name.contains("worker"))))
}

#[tokio::test]
async fn a_blocking_tool_runs_elsewhere_and_may_panic() {
    let count = Arc::new(AtomicUsize::new(0));
    let client = Client::new(&Server::new("test", "0").only([compute::tool()]).shared_state(Arc::clone(&count)));
    let answer = every_era::call(&client, "compute", json!({ "fail": false })).await;
    assert_eq!(answer.text(), "true", "tokio names its blocking threads as its workers");
    assert!(every_era::call(&client, "compute", json!({ "fail": true })).await.is_error());
    assert_eq!(count.load(Ordering::Relaxed), 2 * Era::ALL.len());
}

struct Tenant(String);

impl FromContext for Tenant {
    async fn from_context(ctx: &Context) -> Result<Self, ToolError> {
        tokio::task::yield_now().await;
        let header = ctx.headers().get("x-tenant").and_then(|value| value.to_str().ok());
        header.map(|name| Self(name.to_owned())).ok_or_else(|| ToolError::user("Send an X-Tenant header."))
    }

    fn requirement() -> Requirement {
        Requirement::Nothing
    }
}

/// Tell everything that is injected.
#[tool]
async fn injected(
    #[inject] tenant: Tenant,
    State(greeting): State<String>,
    caller: Option<Principal>,
    headers: HeaderMap,
    ctx: Context,
    token: CancellationToken,
    suffix: String,
) -> String {
    for secret in ["authorization", "mcp-session-id"] {
        assert!(!headers.contains_key(secret), "credentials are not for handlers");
    }
    assert!(!token.is_cancelled() && ctx.tool_name() == "injected" && ctx.client_can(Capability::Sampling));
    let caller = caller.map(|caller| caller.subject().to_owned());
    format!("{greeting} {caller:?} of {} {suffix}", tenant.0)
}

#[tokio::test]
async fn injected_parameters_are_filled_in_and_not_in_the_schema() {
    let server = Server::new("test", "0").only([injected::tool()]).state("Hello".to_owned());
    let client = Client::new(&server).capabilities(json!({ "sampling": {} })).header("authorization", "Bearer secret");
    for (era, client) in every_era::eras_of(client.clone()) {
        let schema = client.tools().await[0]["inputSchema"].take();
        assert_eq!(schema["properties"], json!({ "suffix": { "type": "string" } }), "{era:?}");
    }
    let call = |client: Client| async move { every_era::call(&client, "injected", json!({ "suffix": "!" })).await };
    assert_eq!(call(client.clone().header("x-tenant", "acme")).await.text(), "Hello None of acme !");
    let ada = client.clone().principal(Principal::user("ada"));
    assert_eq!(call(ada.header("x-tenant", "acme")).await.text(), "Hello Some(\"ada\") of acme !");
    let answer = call(client).await;
    assert_eq!((answer.is_error(), answer.text()), (true, "Send an X-Tenant header.".to_owned()));
}

/// Answer with all kinds of content.
#[tool]
fn contents() -> Vec<Content> {
    vec![
        "text".into(),
        Image::png([1, 2, 3]).into(),
        Audio::new([255], "audio/wav").into(),
        ResourceLink::new("file:///a", "a").title("A").description("b").mime_type("text/plain").into(),
        EmbeddedResource::bytes("file:///b", [0]).into(),
        EmbeddedResource::text("file:///c", "c").mime_type("text/plain").into(),
    ]
}

#[tokio::test]
async fn content_blocks_have_the_shape_of_the_protocol() {
    let newest = json!([
        { "type": "text", "text": "text" },
        { "type": "image", "data": "AQID", "mimeType": "image/png" },
        { "type": "audio", "data": "/w==", "mimeType": "audio/wav" },
        { "type": "resource_link", "uri": "file:///a", "name": "a", "title": "A", "description": "b", "mimeType": "text/plain" },
        { "type": "resource", "resource": { "uri": "file:///b", "blob": "AA==" } },
        { "type": "resource", "resource": { "uri": "file:///c", "text": "c", "mimeType": "text/plain" } },
    ]);
    for (era, client) in clients(contents::tool()) {
        let mut expected = newest.clone();
        if era < Era::V2025_06_18 {
            expected[3] = json!({ "type": "text", "text": "Resource A <file:///a>: b" });
        }
        assert_eq!(client.call("contents", json!({})).await.result()["content"], expected, "{era:?}");
    }
}

/// Answer with a list.
#[tool]
fn list() -> Json<Vec<u8>> {
    Json(vec![1, 2])
}

/// Answer with an object.
#[tool]
fn object() -> Json<Point> {
    Json(Point { x: 1.0, y: 2.5 })
}

/// Answer with something that can not be JSON.
#[tool]
fn unserialisable() -> Json<std::collections::BTreeMap<Vec<u8>, u8>> {
    Json(std::collections::BTreeMap::from([(vec![1], 1)]))
}

/// Mix text, structure and metadata.
#[tool]
fn mixed() -> ToolResult {
    ToolResult::text("a").with("b").meta("com.example/x", 1).meta("io.modelcontextprotocol/serverInfo", "forged")
}

#[tokio::test]
async fn structured_results_and_metadata() {
    for (era, client) in clients(list::tool()) {
        // Before the newest revision it had to be an object.
        let structured = if era.is_legacy() { Value::Null } else { json!([1, 2]) };
        let answer = client.call("list", json!({})).await;
        assert_eq!((answer.structured(), answer.text()), (&structured, "[1,2]".to_owned()), "{era:?}");
    }
    for (era, client) in clients(object::tool()) {
        let structured = if era < Era::V2025_06_18 { Value::Null } else { json!({ "x": 1.0, "y": 2.5 }) };
        let answer = client.call("object", json!({})).await;
        assert_eq!((answer.structured(), answer.text()), (&structured, r#"{"x":1.0,"y":2.5}"#.to_owned()), "{era:?}");
    }
    assert!(call(unserialisable::tool(), json!({})).await.is_error());
    for (era, client) in clients(mixed::tool()) {
        let answer = client.call("mixed", json!({})).await;
        assert_eq!(answer.text(), "a\nb");
        let meta = &answer.result()["_meta"];
        assert_eq!(meta["com.example/x"], 1, "{era:?}");
        let server = if era.is_legacy() { Value::Null } else { json!("test") };
        assert_eq!(meta["io.modelcontextprotocol/serverInfo"]["name"], server, "{era:?}: it is not forged");
    }
}

/// Talk at length.
#[tool(max_result_bytes = 10)]
fn long(words: usize) -> String {
    "word ".repeat(words)
}

#[tokio::test]
async fn a_long_result_is_cut_and_says_so() {
    assert_eq!(call(long::tool(), json!({ "words": 2 })).await.text(), "word word ");
    let answer = call(long::tool(), json!({ "words": 100 })).await;
    assert_eq!(
        answer.text(),
        "word word \n[Cut: the result has 500 bytes and 10 are shown, the limit. Ask for less, or for a part.]"
    );
}

/// Never end.
#[tool(timeout = "250ms")]
async fn hang(token: CancellationToken, seen: State<Arc<AtomicUsize>>) {
    let seen = Arc::clone(&seen.0);
    tokio::spawn(async move {
        token.cancelled().await;
        seen.fetch_add(1, Ordering::Relaxed);
    });
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_an_answer_and_cancels_spawned_work() {
    let seen = Arc::new(AtomicUsize::new(0));
    let server = Server::new("test", "0").only([hang::tool()]).state(Arc::clone(&seen));
    for (before, (era, client)) in every_era::clients(&server).enumerate() {
        let answer = client.call("hang", json!({})).await;
        let told = "The tool did not finish within its limit of 250ms.".to_owned();
        assert_eq!((answer.is_error(), answer.text()), (true, told), "{era:?}");
        tokio::task::yield_now().await;
        assert_eq!(seen.load(Ordering::Relaxed), before + 1, "{era:?}");
    }
}

/// Report progress.
#[tool]
async fn steps(ctx: Context) -> &'static str {
    for step in 1..=3_u8 {
        ctx.progress(step.into(), 3.0, format!("step {step}"));
        ctx.progress(0.5, None, "never goes back");
        tokio::task::yield_now().await;
    }
    let ctx = ctx.clone();
    let _ = tokio::spawn(async move { ctx.progress(4.0, None, "") }).await;
    "done"
}

#[tokio::test]
async fn progress_is_sent_to_those_who_ask() {
    let expected = json!([
        { "progressToken": "progress", "progress": 1.0, "total": 3.0, "message": "step 1" },
        { "progressToken": "progress", "progress": 2.0, "total": 3.0, "message": "step 2" },
        { "progressToken": "progress", "progress": 3.0, "total": 3.0, "message": "step 3" },
        { "progressToken": "progress", "progress": 4.0 },
    ]);
    for (era, client) in clients(steps::tool()) {
        assert!(client.call("steps", json!({})).await.progress().is_empty(), "{era:?}");
        let answer = client.progress().call("steps", json!({})).await;
        assert_eq!((answer.text().as_str(), Value::from(answer.progress())), ("done", expected.clone()), "{era:?}");
    }
}

/// Needs a client that can ask its user and sample.
#[tool(requires(elicitation, elicitation_url, sampling))]
fn demanding() {}

#[tokio::test]
async fn a_client_without_a_needed_capability_is_told_all_of_them() {
    let without = |era: Era| match era {
        // It has no elicitation at all, whatever its client says.
        Era::V2025_03_26 => "demanding needs a client with elicitation and URL elicitation and sampling",
        _ => "demanding needs a client with URL elicitation and sampling",
    };
    for (era, client) in clients(demanding::tool()) {
        let answer = client.capabilities(json!({ "elicitation": {} })).call("demanding", json!({})).await;
        if era.is_legacy() {
            // No code of theirs says it, but their models read what a tool answers.
            assert_eq!((answer.status(), answer.is_error(), answer.text().as_str()), (200, true, without(era)), "{era:?}");
        } else {
            assert_eq!((answer.status(), answer.error_code()), (400, Some(-32021)));
            assert_eq!(answer.error_message(), without(era));
            let required = json!({ "elicitation": { "url": {} }, "sampling": {} });
            assert_eq!(answer.message()["error"]["data"], json!({ "requiredCapabilities": required }));
        }
    }
}

#[tokio::test]
async fn a_capability_counts_where_the_revision_has_it() {
    let everything = json!({ "elicitation": { "form": {}, "url": {} }, "sampling": {} });
    for (era, client) in clients(demanding::tool()) {
        let answer = client.capabilities(everything.clone()).call("demanding", json!({})).await;
        let missing = match era {
            Era::V2025_03_26 => "demanding needs a client with elicitation and URL elicitation",
            Era::V2025_06_18 => "demanding needs a client with URL elicitation",
            _ => "",
        };
        assert_eq!((answer.is_error(), answer.text().as_str()), (!missing.is_empty(), missing), "{era:?}");
    }
}

#[data]
struct Query {
    /// Words to look for.
    words: String,
    #[arg(default = 10)]
    limit: u32,
    #[serde(flatten)]
    page: Page,
}

#[data]
struct Page {
    #[arg(default)]
    offset: u32,
}

/// Search.
#[tool]
fn search(Args(query): Args<Query>) -> String {
    format!("{} {} {}", query.words, query.limit, query.page.offset)
}

#[tokio::test]
async fn arguments_may_be_one_struct() {
    assert_eq!(call(search::tool(), json!({ "words": "a", "offset": 2 })).await.text(), "a 10 2");
    let answer = call(search::tool(), json!({ "word": "a" })).await;
    assert!(answer.text().contains("word: unknown name; did you mean `words`?"), "{}", answer.text());
}
