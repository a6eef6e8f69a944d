//! Rules that stand alone: choosing tools, names and paths of a listening server, panics at odd moments, bounds of schemas.

mod every_era;
mod http_call;

use std::borrow::Cow;
use std::future::pending;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context as Waking, Waker};
use std::time::Duration;

use http_call::HttpCall;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::Client;
use mcp_runtime::{Handle, Tool};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// No test takes so long; one that does has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

fn server(tools: impl IntoIterator<Item = Tool>) -> Server {
    Server::new("rules", "0").allow_anonymous().only(tools)
}

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

// ---------------------------------------------------------------------------------------------- choosing tools

/// A warm colour.
#[tool(tags("warm"))]
fn red() {}

/// A colour on either side.
#[tool(tags("warm", "cold"))]
fn violet() {}

/// A cold colour.
#[tool(tags("cold"))]
fn blue() {}

fn names(server: Server) -> Vec<&'static str> {
    server.build().expect("a server that builds").tools().collect()
}

#[test]
fn tags_choose_among_all_tools_of_the_program() {
    let all = || Server::new("rules", "0").allow_anonymous();
    assert_eq!(names(all().tags(["warm"])), ["red", "violet"]);
    assert_eq!(names(all().tags(["cold"])), ["blue", "violet"]);
    assert_eq!(names(all().tags(["cold", "warm"])), ["blue", "red", "violet"]);
    assert_eq!(names(all().tags(["cold"]).tags(["warm"])), ["blue", "red", "violet"], "tags add up");
}

#[test]
fn tags_choose_among_the_tools_of_only() {
    let some = || server([red::tool(), violet::tool(), echo::tool()]);
    assert_eq!(names(some()), ["echo", "red", "violet"]);
    assert_eq!(names(some().tags(["cold"])), ["violet"]);
    assert_eq!(names(some().tags(["warm"])), ["red", "violet"]);
    let message = server([red::tool()]).tags(["warm", "cold"]).build().expect_err("no tool is cold").to_string();
    assert!(message.contains("tags is `cold`"), "{message}");
}

#[tokio::test]
async fn a_tool_whose_tag_was_not_chosen_is_unknown() {
    let client = Client::new(&server([red::tool(), blue::tool()]).tags(["cold"]));
    assert!(!client.call("blue", json!({})).await.is_error());
    assert_eq!(client.call("red", json!({})).await.error_code(), Some(-32602));
}

// ---------------------------------------------------------------------------------------------- over a socket

struct Running {
    port: u16,
    handle: Handle,
    run: JoinHandle<mcp_runtime::Result<()>>,
}

impl Running {
    async fn new(server: Server, address: &str) -> Self {
        let bound = server.bind(address).await.expect("a free port");
        let (port, handle) = (bound.address().port(), bound.handle());
        Self { port, handle, run: tokio::spawn(bound.run()) }
    }

    async fn open(&self, call: HttpCall) -> TcpStream {
        let text = call.text();
        let (parts, _) = call.request().into_parts();
        let mut head = format!("{} {} HTTP/1.1\r\ncontent-length: {}\r\n", parts.method, parts.uri, text.len());
        for (name, value) in &parts.headers {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().expect("ASCII")));
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(format!("{head}\r\n{text}").as_bytes()).await.expect("the server reads");
        stream
    }

    /// Status and body.
    async fn ask(&self, call: HttpCall) -> (u16, String) {
        let mut stream = self.open(call.header("connection", "close")).await;
        let mut answer = String::new();
        soon("an answer", stream.read_to_string(&mut answer)).await.expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    async fn stop(self) {
        self.handle.shutdown();
        soon("the server's end", self.run).await.expect("no panic").expect("no error");
    }
}

fn hello() -> HttpCall {
    HttpCall::tool("echo", json!({ "message": "hello" }))
}

#[tokio::test]
async fn a_listening_server_has_its_endpoint_and_nothing_else() {
    let running = Running::new(server([echo::tool()]).path("/api/mcp"), "127.0.0.1:0").await;
    for path in ["/", "/mcp", "/api", "/api/mcp/", "/api/mcp/x", "/API/MCP", "/api%2Fmcp", "//api/mcp"] {
        let (status, body) = running.ask(hello().uri(path)).await;
        assert_eq!((status, body.as_str()), (404, ""), "{path}");
    }
    for path in ["/api/mcp", "/api/mcp?from=here"] {
        let (status, body) = running.ask(hello().uri(path)).await;
        assert!(status == 200 && body.contains("hello"), "{path}: {status} {body}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_server_for_other_machines_answers_to_its_public_name_alone() {
    let public = server([echo::tool()]).public_url("https://mcp.example.com/mcp");
    let running = Running::new(public, "0.0.0.0:0").await;
    for host in ["mcp.example.com", "MCP.example.com", "mcp.example.com:443"] {
        let (status, body) = running.ask(hello().header("host", host)).await;
        assert!(status == 200 && body.contains("hello"), "{host}: {status} {body}");
    }
    let port = running.port;
    let foreign = ["localhost".to_owned(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), "[::1]".to_owned()];
    for host in foreign.into_iter().chain(["example.com".to_owned(), "mcp.example.com:8443".to_owned()]) {
        let (status, body) = running.ask(hello().header("host", &host)).await;
        assert!(status == 403 && body.contains("Host not allowed"), "{host}: {status} {body}");
    }
    running.stop().await;
}

// ---------------------------------------------------------------------------------------------- panics

struct PanickingArgument;

impl<'de> Deserialize<'de> for PanickingArgument {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("secret of a parser")
    }
}

impl JsonSchema for PanickingArgument {
    fn schema_name() -> Cow<'static, str> {
        "PanickingArgument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Take what can not be read.
#[tool]
fn unreadable(argument: Option<PanickingArgument>) -> bool {
    argument.is_some()
}

#[tokio::test]
async fn a_panic_while_arguments_are_read_is_an_answer() {
    let client = Client::new(&server([unreadable::tool()]).max_concurrent_calls(1));
    for _ in 0..2 {
        let answer = every_era::call(&client, "unreadable", json!({ "argument": "x" })).await;
        assert!(answer.is_error() && !answer.text().contains("secret"), "{}", answer.text());
    }
    let answer = every_era::call(&client, "unreadable", json!({})).await;
    assert_eq!(answer.text(), "false", "the panics gave their places back");
}

struct Report(mpsc::UnboundedSender<&'static str>);

impl Report {
    fn say(&self, what: &'static str) {
        // A test that is over does not listen any more.
        let _ = self.0.send(what);
    }
}

struct Bomb<'r>(&'r Report);

impl Drop for Bomb<'_> {
    fn drop(&mut self) {
        self.0.say("dropped");
        panic!("secret of a destructor");
    }
}

/// Wait, and blow up when nobody waits for it.
#[tool]
async fn explosive(report: State<Report>) {
    let _bomb = Bomb(&report);
    report.say("started");
    pending::<()>().await;
}

fn with_explosive() -> (Server, mpsc::UnboundedReceiver<&'static str>) {
    let (sender, reports) = mpsc::unbounded_channel();
    (server([explosive::tool(), echo::tool()]).state(Report(sender)).max_concurrent_calls(1), reports)
}

#[tokio::test]
async fn a_destructor_that_panics_when_the_client_leaves_harms_nobody_else() {
    let (server, mut reports) = with_explosive();
    let running = Running::new(server, "127.0.0.1:0").await;
    for _ in 0..2 {
        let leaving = running.open(HttpCall::tool("explosive", json!({}))).await;
        assert_eq!(soon("the call's start", reports.recv()).await, Some("started"));
        drop(leaving);
        assert_eq!(soon("the call's end", reports.recv()).await, Some("dropped"));
        // The place among the calls becomes free a moment after the destructor ran.
        let mut answer = running.ask(hello()).await;
        for _ in 0..1000 {
            if answer.0 != 503 {
                break;
            }
            answer = running.ask(hello()).await;
        }
        assert!(answer.0 == 200 && answer.1.contains("hello"), "{answer:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_destructor_that_panics_does_not_unwind_into_who_drops_the_call() {
    let (server, mut reports) = with_explosive();
    let client = Client::new(&server);
    let mut call = Box::pin(client.call("explosive", json!({})));
    assert!(call.as_mut().poll(&mut Waking::from_waker(Waker::noop())).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(call))).is_ok());
    assert_eq!((reports.recv().await, reports.recv().await), (Some("started"), Some("dropped")));
    let mut next = pin!(client.call("echo", json!({ "message": "still here" })));
    assert_eq!(next.as_mut().await.text(), "still here");
}

// ---------------------------------------------------------------------------------------------- schemas

/// Takes anything, and describes itself as `S` says.
struct Described<S>(Value, PhantomData<S>);

trait Description {
    fn schema() -> Schema;
}

impl<'de, S> Deserialize<'de> for Described<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(value, PhantomData))
    }
}

impl<S: Description> JsonSchema for Described<S> {
    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<S>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        S::schema()
    }
}

macro_rules! description {
    ($($name:ident: $schema:tt)*) => { $(
        struct $name;

        impl Description for $name {
            fn schema() -> Schema {
                json_schema!($schema)
            }
        }
    )* };
}

description! {
    Nested: { "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } }
    InList: { "type": "array", "items": {
        "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } },
    } }
    InTuple: { "type": "array", "prefixItems": [{ "type": "string", "x-mcp-header": "Region" }] }
    InForm: { "oneOf": [
        { "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } },
        { "type": "string", "enum": ["nowhere"] },
    ] }
    InMap: { "type": "object", "additionalProperties": { "type": "string", "x-mcp-header": "Region" } }
}

/// Mirror a member of a struct.
#[tool]
fn mirrors_member(place: Described<Nested>) -> String {
    place.0.to_string()
}

/// Mirror items.
#[tool]
fn mirrors_items(place: Described<InList>) -> String {
    place.0.to_string()
}

/// Mirror an item of a tuple.
#[tool]
fn mirrors_tuple(place: Described<InTuple>) -> String {
    place.0.to_string()
}

/// Mirror a member of a form.
#[tool]
fn mirrors_form(place: Described<InForm>) -> String {
    place.0.to_string()
}

/// Mirror the values of a map.
#[tool]
fn mirrors_map(place: Described<InMap>) -> String {
    place.0.to_string()
}

#[test]
fn headers_below_a_list_or_in_a_form_do_not_build() {
    assert_eq!(names(server([mirrors_member::tool()])), ["mirrors_member"], "what is nested only may be mirrored");
    for tool in [mirrors_items::tool(), mirrors_tuple::tool(), mirrors_form::tool(), mirrors_map::tool()] {
        let message = server([tool]).build().expect_err(tool.name()).to_string();
        assert!(message.contains(&format!("`{}`", tool.name())), "{message}");
        assert!(message.contains("`x-mcp-header` below a list, a combination or a `$ref`"), "{message}");
    }
}

#[tokio::test]
async fn the_testing_client_mirrors_members() {
    let client = Client::new(&server([mirrors_member::tool()]));
    for region in ["eu", "", " eu ", "Zürich", "a\nb", "=?base64?ZXU=?=", "in the middle"] {
        let place = json!({ "region": region });
        let answer = every_era::call(&client, "mirrors_member", json!({ "place": place })).await;
        assert_eq!(answer.text(), place.to_string());
    }
    for place in [json!({}), json!({ "region": null }), json!([]), json!({ "region": ["eu"] })] {
        let answer = every_era::call(&client, "mirrors_member", json!({ "place": place })).await;
        assert_eq!(answer.error_code(), None, "{place}: {}", answer.message());
    }
    for (era, client) in every_era::eras_of(client.header("mcp-param-region", "us")) {
        let answer = client.call("mirrors_member", json!({ "place": { "region": "eu" } })).await;
        let code = if era.is_legacy() { None } else { Some(-32020) };
        assert_eq!(answer.error_code(), code, "the test's own header is sent, and only the newest revision knows it: {era:?}");
    }
}

/// Take many numbers.
#[tool]
fn numbers(values: Vec<u8>) -> usize {
    values.len()
}

#[tokio::test]
async fn a_long_list_of_problems_is_cut() {
    let client = Client::new(&server([numbers::tool()]));
    for (wrong, listed, last) in
        [(20, 20, "- values[19]: "), (21, 20, "- and 1 more"), (25, 20, "- and 5 more"), (60, 20, "- and 40 more")]
    {
        let answer = every_era::call(&client, "numbers", json!({ "values": vec!["x"; wrong] })).await;
        assert!(answer.is_error());
        let text = answer.text();
        assert_eq!(text.lines().filter(|line| line.starts_with("- values[")).count(), listed, "{text}");
        assert!(text.lines().last().is_some_and(|line| line.starts_with(last)), "{wrong}: {text}");
    }
}

#[data]
#[serde(deny_unknown_fields)]
struct Leaf {
    /// A number of which the server knows that it has to be small, and about which it has a lot to say.
    #[schemars(range(min = 1, max = 9))]
    digit: u8,
    /// Something that may be said about the number, in so many words that the schema becomes long by it.
    note: Option<String>,
}

macro_rules! eightfold {
    ($($name:ident of $inner:ident)*) => { $(
        #[data]
        struct $name {
            first: Option<Box<$inner>>,
            second: Option<Box<$inner>>,
            third: Option<Box<$inner>>,
            fourth: Option<Box<$inner>>,
            fifth: Option<Box<$inner>>,
            sixth: Option<Box<$inner>>,
            seventh: Option<Box<$inner>>,
            eighth: Option<Box<$inner>>,
        }
    )* };
}
eightfold! {
    Twig of Leaf
    Branch of Twig
    Tree of Branch
}

/// Take a large argument.
#[tool]
fn large(tree: Tree) -> u8 {
    let leaf = tree.eighth.and_then(|branch| branch.first?.third);
    leaf.map_or(0, |leaf| leaf.digit)
}

/// Take a small argument.
#[tool]
fn small(twig: Twig) -> u8 {
    twig.first.map_or(0, |leaf| leaf.digit)
}

#[tokio::test]
async fn a_large_schema_refers_and_is_enforced_all_the_same() {
    let client = Client::new(&server([large::tool(), small::tool()]));
    let schema = |tool: &Value| tool["inputSchema"].to_string();
    let tools = client.tools().await;
    assert_eq!((&tools[0]["name"], &tools[1]["name"]), (&json!("large"), &json!("small")));
    let (large, small) = (schema(&tools[0]), schema(&tools[1]));
    assert!(!small.contains("$ref") && !small.contains("$defs"), "{small}");
    assert!(large.contains("\"$ref\":\"#/$defs/") && large.len() < 8 * 1024, "{large}");
    for reference in large.split("\"$ref\":\"#/$defs/").skip(1) {
        let name = reference.split('"').next().expect("the end of a string");
        assert!(tools[0]["inputSchema"]["$defs"][name].is_object(), "{name} is referred to, and not there: {large}");
    }

    let tree = |leaf: Value| json!({ "tree": { "eighth": { "first": { "third": leaf } } } });
    assert_eq!(every_era::call(&client, "large", tree(json!({ "digit": 7 }))).await.text(), "7");
    for (leaf, problem) in [
        (json!({ "digit": 10 }), "- tree.eighth.first.third.digit: expected an integer from 1 to 9, got 10"),
        (json!({ "digit": "7" }), "- tree.eighth.first.third.digit: expected an integer from 1 to 9, got \"7\""),
        (json!({}), "- tree.eighth.first.third.digit: required, but missing"),
        (json!({ "digit": 7, "nota": "x" }), "- tree.eighth.first.third.nota: unknown name; did you mean `note`?"),
        (json!([7, null]), "- tree.eighth.first.third: expected an object"),
    ] {
        let answer = every_era::call(&client, "large", tree(leaf)).await;
        assert!(answer.is_error() && answer.text().contains(problem), "{problem} not in {}", answer.text());
    }
}
