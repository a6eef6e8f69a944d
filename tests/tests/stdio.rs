//! One message per line: both eras on one pipe.

use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_runtime::prelude::*;
use mcp_runtime::{Error, Problem, Tool};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Say back what you are told.
#[tool]
fn echo(message: String) -> String {
    message
}

/// What `hold` tells the test, and what the test tells it.
#[derive(Default)]
struct Held {
    begun: Notify,
    dropped: Notify,
    go: Notify,
}

/// Works until it is let go.
#[tool]
async fn hold(held: State<Held>, ctx: Context) -> &'static str {
    struct Dropped(Arc<Held>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.dropped.notify_one();
        }
    }
    let _dropped = Dropped(Arc::clone(&held.0));
    ctx.progress(1.0, 2.0, "holding");
    held.begun.notify_one();
    held.go.notified().await;
    "let go"
}

/// Who calls?
#[tool]
fn who(caller: Principal) -> String {
    caller.subject().to_owned()
}

/// Needs a client that can be asked.
#[tool(requires(sampling))]
fn asks() -> &'static str {
    "can be asked"
}

/// The client's end of a conversation with a server in this process.
struct Conversation {
    to: Option<PipeWriter>,
    from: BufReader<PipeReader>,
    served: JoinHandle<mcp_runtime::Result<()>>,
    held: Arc<Held>,
}

fn conversation() -> Conversation {
    conversation_with(|server| server.only([echo::tool(), hold::tool(), asks::tool()]))
}

fn conversation_with(change: impl FnOnce(Server) -> Server) -> Conversation {
    let (input, to) = std::io::pipe().expect("a pipe");
    let (from, output) = std::io::pipe().expect("a pipe");
    let held = Arc::new(Held::default());
    let server = change(Server::new("test", "0").shared_state(Arc::clone(&held)));
    let served = tokio::spawn(server.serve_lines(input, output));
    Conversation { to: Some(to), from: BufReader::new(from), served, held }
}

impl Conversation {
    fn say(&mut self, line: impl AsRef<[u8]>) {
        let to = self.to.as_mut().expect("an open pipe");
        to.write_all(line.as_ref()).and_then(|()| to.write_all(b"\n")).expect("a server that reads");
    }

    /// The next line, read where it may block.
    async fn hear(&mut self) -> Value {
        let line = tokio::task::block_in_place(|| {
            let mut line = String::new();
            self.from.read_line(&mut line).map(|_| line)
        });
        line.expect("a line").parse().expect("JSON on a line")
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.say(message.to_string());
        self.hear().await
    }

    async fn open(&mut self, version: &str) -> Value {
        let client = json!({ "name": "test", "version": "0" });
        let params = json!({ "protocolVersion": version, "capabilities": { "sampling": {} }, "clientInfo": client });
        self.ask(json!({ "jsonrpc": "2.0", "id": "open", "method": "initialize", "params": params })).await
    }

    /// Closes the client's end; what the server still says until it is done.
    async fn close(mut self) -> String {
        drop(self.to.take());
        self.served.await.expect("no panic").expect("a good end");
        let mut rest = String::new();
        self.from.read_to_string(&mut rest).expect("UTF-8");
        rest
    }
}

#[expect(clippy::needless_pass_by_value, reason = "tests write it inline")]
fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// With the claims of the modern era.
fn modern(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": "progress",
    });
    request(id, method, params)
}

#[expect(clippy::needless_pass_by_value, reason = "tests write it inline")]
fn call(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

fn cancel(id: impl Into<Value>) -> String {
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id.into(), "reason": "enough" } })
        .to_string()
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text in {answer}"))
}

fn error(answer: &Value) -> (i64, &str) {
    (answer["error"]["code"].as_i64().unwrap_or_default(), answer["error"]["message"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_eras_speak_on_one_pipe() {
    let mut pipe = conversation();
    let discovered = pipe.ask(modern(1, "server/discover", json!({}))).await;
    assert_eq!(discovered["result"]["supportedVersions"], json!(["2026-07-28"]));

    let opened = pipe.open("2025-06-18").await;
    assert_eq!(opened["result"]["protocolVersion"], "2025-06-18");
    pipe.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(pipe.ask(request(2, "ping", json!({}))).await, json!({ "jsonrpc": "2.0", "id": 2, "result": {} }));

    let legacy = pipe.ask(request(3, "tools/call", call("echo", json!({ "message": "old" })))).await;
    assert_eq!((text(&legacy), legacy["result"].get("resultType")), ("old", None));
    let modern_answer = pipe.ask(modern(3, "tools/call", call("echo", json!({ "message": "new" })))).await;
    assert_eq!((text(&modern_answer), &modern_answer["result"]["resultType"]), ("new", &json!("complete")));

    // What the legacy client can do says nothing of the modern one.
    assert_eq!(text(&pipe.ask(request(4, "tools/call", call("asks", json!({})))).await), "can be asked");
    assert_eq!(error(&pipe.ask(modern(5, "tools/call", call("asks", json!({})))).await).0, -32021);
    assert_eq!(error(&pipe.ask(modern(6, "ping", json!({}))).await).0, -32601);
    assert_eq!(pipe.close().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_before_initialize_is_told_what_to_send_first() {
    let mut pipe = conversation();
    let answer = pipe.ask(request(1, "tools/list", json!({}))).await;
    assert_eq!((error(&answer).0, &answer["id"]), (-32602, &json!(1)));
    assert!(error(&answer).1.starts_with("Send initialize first"), "{answer}");
    assert_eq!(pipe.ask(request(2, "ping", json!({}))).await["result"], json!({}));
    assert_eq!(error(&pipe.ask(request(3, "initialize", json!({}))).await).0, -32602);
    assert_eq!(error(&pipe.ask(request(4, "tools/list", json!({}))).await).0, -32602, "a failed handshake opens nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_legacy_revision_is_offered_for_every_unknown_one() {
    for (asked, offered) in [
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        ("", "2025-11-25"),
    ] {
        let mut pipe = conversation();
        assert_eq!(pipe.open(asked).await["result"]["protocolVersion"], offered, "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_answered_and_the_next_one_is_read() {
    let mut pipe = conversation_with(|server| server.only([echo::tool()]).max_body_bytes(300).max_buffered_bytes(300));
    for garbage in [&b"garbage"[..], b"{\"jsonrpc\":", b"\xff\xfe", b"]", b"[", b"{} {}", b"\0"] {
        pipe.say(garbage);
        let answer = pipe.hear().await;
        assert_eq!((error(&answer).0, answer.get("id")), (-32700, None), "{garbage:?}");
    }
    for wrong in [r#"{"jsonrpc":"2.0"}"#, "[]", "5", r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#] {
        pipe.say(wrong);
        assert_eq!(error(&pipe.hear().await).0, -32600, "{wrong}");
    }
    let long = request(1, "ping", json!({ "x": "y".repeat(300) }));
    let answer = pipe.ask(long).await;
    assert_eq!(error(&answer), (-32600, "The line is over the limit of 300 bytes"));
    pipe.say("\n  \r");
    assert_eq!(pipe.ask(request("last", "ping", json!({}))).await["id"], "last");
    assert_eq!(pipe.close().await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_and_responses_are_never_answered() {
    let mut pipe = conversation();
    pipe.open("2025-11-25").await;
    for silent in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/unheard_of","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}}"#,
    ] {
        pipe.say(silent);
    }
    assert_eq!(pipe.ask(request(1, "ping", json!({}))).await, json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_does_not_hold_up_the_next_line_and_can_be_cancelled() {
    for legacy in [true, false] {
        let mut pipe = conversation();
        if legacy {
            pipe.open("2025-11-25").await;
        }
        let asked = |id: Value, params| if legacy { request(id, "tools/call", params) } else { modern(id, "tools/call", params) };
        pipe.say(asked(json!(7), call("hold", json!({}))).to_string());
        pipe.held.begun.notified().await;
        if !legacy {
            assert_eq!(pipe.hear().await["params"]["message"], "holding");
        }
        assert_eq!(text(&pipe.ask(asked(json!("7"), call("echo", json!({ "message": "meanwhile" })))).await), "meanwhile");
        pipe.say(cancel("7"));
        pipe.say(cancel(8));
        assert_eq!(text(&pipe.ask(asked(json!(8), call("echo", json!({ "message": "still" })))).await), "still");
        pipe.say(cancel(7));
        pipe.held.dropped.notified().await;
        assert_eq!(pipe.close().await, "", "nothing is said of a cancelled call; legacy: {legacy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_one_id_get_an_answer_each() {
    let mut pipe = conversation();
    pipe.open("2025-11-25").await;
    let mut heard: Vec<String> = Vec::new();
    for index in 0..100 {
        pipe.say(request(1, "tools/call", call("echo", json!({ "message": index.to_string() }))).to_string());
    }
    for _ in 0..100 {
        heard.push(text(&pipe.hear().await).to_owned());
    }
    heard.sort_by_key(|text| text.parse::<u32>().expect("a number"));
    assert!(heard.iter().enumerate().all(|(index, text)| *text == index.to_string()), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_in_one_line_where_the_revision_has_batches() {
    let both = json!([
        request(1, "ping", json!({})),
        { "jsonrpc": "2.0", "method": "notifications/initialized" },
        request(2, "tools/call", call("echo", json!({ "message": "hi" }))),
    ]);
    let mut pipe = conversation();
    pipe.open("2025-03-26").await;
    let answers = pipe.ask(both.clone()).await;
    let mut ids: Vec<_> = answers.as_array().expect("an array").iter().map(|answer| answer["id"].clone()).collect();
    ids.sort_by_key(Value::as_u64);
    assert_eq!(ids, [json!(1), json!(2)], "{answers}");
    let mut newer = conversation();
    newer.open("2025-06-18").await;
    assert_eq!(error(&newer.ask(both).await).0, -32600);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_input_leaves_running_calls_a_moment() {
    let mut pipe = conversation();
    pipe.say(modern(1, "tools/call", call("hold", json!({}))).to_string());
    assert_eq!(pipe.hear().await["method"], "notifications/progress");
    drop(pipe.to.take());
    pipe.held.go.notify_one();
    let rest = pipe.close().await;
    assert!(rest.contains("let go") && rest.ends_with('\n'), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_input_waits_for_nobody_who_listens() {
    let mut pipe = conversation_with(|server| server.only([echo::tool()]).list_changes());
    // A legacy client listens from its handshake on.
    assert_eq!(pipe.open("2025-11-25").await["result"]["protocolVersion"], "2025-11-25");
    pipe.say(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
    let listen = modern("sub", "subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
    assert_eq!(pipe.ask(listen).await["method"], "notifications/subscriptions/acknowledged");
    let start = Instant::now();
    assert_eq!(pipe.close().await, "");
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_no_more_ends_the_conversation() {
    let mut pipe = conversation();
    pipe.say(modern(1, "tools/call", call("hold", json!({}))).to_string());
    pipe.held.begun.notified().await;
    let Conversation { to, from, served, held } = pipe;
    drop(from);
    let mut to = to.expect("an open pipe");
    writeln!(to, "{}", modern(2, "server/discover", json!({}))).expect("a server that reads");
    served.await.expect("no panic").expect("a good end");
    held.dropped.notified().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_is_whom_the_server_was_told() {
    let mut pipe = conversation_with(|server| server.only([who::tool()]).stdio_principal(Principal::user("alice")));
    assert_eq!(text(&pipe.ask(modern(1, "tools/call", call("who", json!({})))).await), "alice");

    let auth = || Auth::chain().with(StaticTokens::new().token("0123456789abcdef0123", Principal::user("alice")));
    for change in [|server: Server, _| server, |server: Server, auth: Auth| server.auth(auth)] {
        let server = change(Server::new("test", "0").only([who::tool()]), auth());
        let refused = server.serve_lines(std::io::empty(), std::io::sink()).await.expect_err("a tool that needs a caller");
        let Error::Config(problems) = refused else { panic!("{refused}") };
        let [Problem::CallerNeverKnown { name: "who", because, .. }] = problems[..] else { panic!("{problems:?}") };
        assert_eq!(
            because,
            "over stdio nobody is known, since `.auth(..)` is not asked there: add `.stdio_principal(Principal::user(\"..\"))`"
        );
        assert!(problems[0].to_string().contains(because), "{}", problems[0]);
    }
    // What is known over stdio is not known over HTTP.
    let elsewhere = Server::new("test", "0").only([who::tool()]).stdio_principal(Principal::user("alice")).allow_anonymous();
    let refused = elsewhere.build().expect_err("a tool that needs a caller").to_string();
    assert!(refused.contains("but the server has no `.auth(..)`") && !refused.contains("stdio_principal"), "{refused}");
}

// ------------------------------------------------------------------------------------- a client that does not read

/// Echo with other names: a list that fills a pipe in few answers.
fn many_tools() -> impl Iterator<Item = Tool> {
    let named = |index: usize| {
        let mut definition = echo::tool().definition().clone();
        definition.name = Box::leak(format!("tool_{index}").into_boxed_str());
        Tool::from_definition(Box::leak(Box::new(definition)))
    };
    (0..100).map(named).chain([echo::tool(), hold::tool()])
}

/// Sends this line so often, and reads nothing. The server must come to an end.
async fn unread(what: &'static str, line: String, times: usize, closes: bool) {
    let mut pipe = conversation_with(|server| server.only(many_tools()).client_timeout(Duration::from_millis(50)));
    pipe.open("2025-03-26").await;
    pipe.say(request("held", "tools/call", call("hold", json!({}))).to_string());
    pipe.held.begun.notified().await;
    let Conversation { to, from, served, held } = pipe;
    let mut to = to.expect("an open pipe");
    let flood = std::thread::spawn(move || {
        let written = (0..times).try_for_each(|_| writeln!(to, "{line}")).is_ok();
        // The server that has ended reads no more.
        (written && !closes).then_some(to)
    });
    let soon = async |what: &str, future: &mut (dyn Future<Output = ()> + Send + Unpin)| {
        let in_time = tokio::time::timeout(Duration::from_secs(20), future).await;
        assert!(in_time.is_ok(), "waited in vain: {what}");
    };
    let mut ended = Box::pin(async { served.await.expect("no panic").expect("a good end") });
    soon(&format!("the end, {what}"), &mut ended).await;
    soon(&format!("the end of the call, {what}"), &mut Box::pin(held.dropped.notified())).await;
    assert_eq!(Arc::strong_count(&held), 1, "nothing runs any more: {what}");
    drop(from);
    drop(flood.join().expect("no panic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_and_never_reads_ends_the_conversation() {
    let list = request(1, "tools/list", json!({})).to_string();
    let modern_list = modern(1, "tools/list", json!({})).to_string();
    let say = request(1, "tools/call", call("echo", json!({ "message": "x".repeat(10_000) }))).to_string();
    let batch = json!([request(1, "tools/list", json!({})), request(2, "tools/call", call("echo", json!({ "message": "x" })))]);
    let garbage = "garbage".to_owned();
    let mut clients = tokio::task::JoinSet::new();
    for (what, line, times, closes) in [
        ("lists, its input open", list.clone(), 1000, false),
        ("lists of the newest revision, its input open", modern_list, 1000, false),
        ("calls, its input open", say.clone(), 2000, false),
        ("batches, its input open", batch.to_string(), 2000, false),
        ("garbage, its input open", garbage, 10_000, false),
        ("lists, its input at its end", list, 40, true),
        ("calls, its input at its end", say, 40, true),
        ("batches, its input at its end", batch.to_string(), 40, true),
    ] {
        clients.spawn(unread(what, line, times, closes));
    }
    while clients.join_next().await.transpose().expect("the right end").is_some() {}
}

// ------------------------------------------------------------------------------------- a process of its own

fn process() -> Child {
    process_with(&[])
}

fn process_with(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatty"));
    command.args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the chatty server")
}

/// What the process wrote to standard output and standard error until it ended.
fn said(mut child: Child, lines: &[Value]) -> (Vec<Value>, String) {
    let mut input = child.stdin.take().expect("a pipe");
    for line in lines {
        writeln!(input, "{line}").expect("a server that reads");
    }
    drop(input);
    let done = child.wait_with_output().expect("an end");
    assert!(done.status.success(), "{}", done.status);
    let output = String::from_utf8(done.stdout).expect("UTF-8");
    let messages = output.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("no JSON: {line}"))).collect();
    (messages, String::from_utf8(done.stderr).expect("UTF-8"))
}

#[test]
fn printing_tools_and_children_cannot_corrupt_the_conversation() {
    let (messages, errors) =
        said(process(), &[modern(1, "tools/call", call("print", json!({}))), modern(2, "server/discover", json!({}))]);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages.iter().any(|message| message["id"] == 1 && text(message) == "printed"), "{messages:?}");
    for printed in ["from the tool\n", "without a line break", "from the child\n"] {
        assert!(errors.contains(printed), "{printed:?} is not in {errors:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_log_that_is_written_to_standard_output_cannot_corrupt_the_conversation() {
    let lines = [modern(1, "tools/call", call("print", json!({}))), modern(2, "server/discover", json!({})), json!(5)];
    let (messages, errors) = said(process_with(&["--log-to-stdout"]), &lines);
    assert_eq!(messages.len(), 3, "{messages:?}");
    // Of before it serves, of its first moment, and of its work.
    for logged in ["server built", "serving standard input and output", "request refused", "from the tool\n"] {
        assert!(errors.contains(logged), "{logged:?} is not in {errors:?}");
    }
}

#[test]
fn tools_and_children_that_read_take_nothing_of_the_conversation() {
    let (messages, _) =
        said(process(), &[modern(1, "tools/call", call("read", json!({}))), modern(2, "server/discover", json!({}))]);
    assert!(messages.iter().any(|message| message["id"] == 1 && text(message) == "0"), "{messages:?}");
    assert_eq!(messages.len(), 2, "{messages:?}");
}

#[test]
fn a_call_that_never_ends_does_not_keep_the_process() {
    let started = Instant::now();
    let (messages, _) = said(process(), &[modern(1, "tools/call", call("wait", json!({})))]);
    assert_eq!(messages, [] as [Value; 0]);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_process_while_its_input_is_open() {
    let mut child = process();
    let input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    writeln!(&input, "{}", modern(1, "server/discover", json!({}))).expect("a server that reads");
    output.read_line(&mut String::new()).expect("an answer");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let status = child.wait().expect("an end");
    assert!(status.success(), "{status}");
    drop(input);
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_running_calls_a_moment() {
    let mut child = process();
    let input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    writeln!(&input, "{}", modern(1, "tools/call", call("linger", json!({})))).expect("a server that reads");
    let mut line = String::new();
    output.read_line(&mut line).expect("a report");
    assert!(line.contains("notifications/progress"), "{line}");
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(killed.success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(text(&rest.parse().expect("one answer")), "told to stop");
    assert!(child.wait().expect("an end").success());
    drop(input);
}
