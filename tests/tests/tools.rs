//! What a function with `#[tool]` does when it is called.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Client};
use mcp_runtime::{Requirement, Tool};
use serde_json::{Value, json};

fn client(tool: Tool) -> Client {
    Client::new(&Server::new("test", "1.2.3").only([tool]))
}

async fn call(tool: Tool, arguments: Value) -> Answer {
    client(tool).call(tool.name(), arguments).await
}

/// Say back what you are told.
#[tool]
async fn echo(message: String) -> String {
    message
}

#[tokio::test]
async fn a_tool_is_still_a_function() {
    assert_eq!(echo("hi".to_owned()).await, "hi");
    let answer = call(echo::tool(), json!({ "message": "hi" })).await;
    assert_eq!(answer.text(), "hi");
    let expected = json!({
        "resultType": "complete",
        "content": [{ "type": "text", "text": "hi" }],
        "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "test", "version": "1.2.3" } },
    });
    assert_eq!(answer.result(), &expected);
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
    let tools = client(weather::tool()).tools().await;
    let expected = json!([{
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
    }]);
    assert_eq!(Value::from(tools), expected);
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
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"a","message":"b"},
        "_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    let headers = headers.map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)));
    let answer = client(echo::tool()).send(headers.into_iter().collect(), body.as_bytes()).await;
    assert_eq!(answer.text(), "The arguments do not fit `echo`:\n- `message` is given twice");
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
    assert_eq!(
        client.call("compute", json!({ "fail": false })).await.text(),
        "true",
        "tokio names its blocking threads as its workers"
    );
    assert!(client.call("compute", json!({ "fail": true })).await.is_error());
    assert_eq!(count.load(Ordering::Relaxed), 2);
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
    assert!(!headers.contains_key("authorization"), "credentials are not for handlers");
    assert!(!token.is_cancelled() && ctx.tool_name() == "injected" && ctx.client_can(Capability::Sampling));
    let caller = caller.map(|caller| caller.subject().to_owned());
    format!("{greeting} {caller:?} of {} {suffix}", tenant.0)
}

#[tokio::test]
async fn injected_parameters_are_filled_in_and_not_in_the_schema() {
    let server = Server::new("test", "0").only([injected::tool()]).state("Hello".to_owned());
    let client = Client::new(&server).capabilities(json!({ "sampling": {} })).header("authorization", "Bearer secret");
    let schema = client.tools().await[0]["inputSchema"].take();
    assert_eq!(schema["properties"], json!({ "suffix": { "type": "string" } }));
    let arguments = json!({ "suffix": "!" });
    let answer = client.clone().header("x-tenant", "acme").call("injected", arguments.clone()).await;
    assert_eq!(answer.text(), "Hello None of acme !");
    let answer =
        client.clone().principal(Principal::user("ada")).header("x-tenant", "acme").call("injected", arguments.clone()).await;
    assert_eq!(answer.text(), "Hello Some(\"ada\") of acme !");
    let answer = client.call("injected", arguments).await;
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
    let answer = call(contents::tool(), json!({})).await;
    let expected = json!([
        { "type": "text", "text": "text" },
        { "type": "image", "data": "AQID", "mimeType": "image/png" },
        { "type": "audio", "data": "/w==", "mimeType": "audio/wav" },
        { "type": "resource_link", "uri": "file:///a", "name": "a", "title": "A", "description": "b", "mimeType": "text/plain" },
        { "type": "resource", "resource": { "uri": "file:///b", "blob": "AA==" } },
        { "type": "resource", "resource": { "uri": "file:///c", "text": "c", "mimeType": "text/plain" } },
    ]);
    assert_eq!(answer.result()["content"], expected);
}

/// Answer with a list.
#[tool]
fn list() -> Json<Vec<u8>> {
    Json(vec![1, 2])
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
    let answer = call(list::tool(), json!({})).await;
    assert_eq!((answer.structured(), answer.text()), (&json!([1, 2]), "[1,2]".to_owned()));
    assert!(call(unserialisable::tool(), json!({})).await.is_error());
    let answer = call(mixed::tool(), json!({})).await;
    assert_eq!(answer.text(), "a\nb");
    assert_eq!(answer.result()["_meta"]["com.example/x"], 1);
    assert_eq!(answer.result()["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "test");
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
    let client = Client::new(&Server::new("test", "0").only([hang::tool()]).state(Arc::clone(&seen)));
    let answer = client.call("hang", json!({})).await;
    assert_eq!((answer.is_error(), answer.text()), (true, "The tool did not finish within its limit of 250ms.".to_owned()));
    tokio::task::yield_now().await;
    assert_eq!(seen.load(Ordering::Relaxed), 1);
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
    let answer = client(steps::tool()).progress().call("steps", json!({})).await;
    assert_eq!(answer.text(), "done");
    let expected = json!([
        { "progressToken": "progress", "progress": 1.0, "total": 3.0, "message": "step 1" },
        { "progressToken": "progress", "progress": 2.0, "total": 3.0, "message": "step 2" },
        { "progressToken": "progress", "progress": 3.0, "total": 3.0, "message": "step 3" },
        { "progressToken": "progress", "progress": 4.0 },
    ]);
    assert_eq!(Value::from(answer.progress()), expected);
    assert!(client(steps::tool()).call("steps", json!({})).await.progress().is_empty());
}

/// Needs a client that can ask its user and sample.
#[tool(requires(elicitation, elicitation_url, sampling))]
fn demanding() {}

#[tokio::test]
async fn a_client_without_a_needed_capability_is_told_all_of_them() {
    let answer = client(demanding::tool()).capabilities(json!({ "elicitation": {} })).call("demanding", json!({})).await;
    assert_eq!((answer.status(), answer.error_code()), (400, Some(-32021)));
    let required = json!({ "elicitation": { "url": {} }, "sampling": {} });
    assert_eq!(answer.message()["error"]["data"], json!({ "requiredCapabilities": required }));
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
