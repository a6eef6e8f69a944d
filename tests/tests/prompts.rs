//! Prompts: what their arguments may be, what is said in return, who may get them, and what goes wrong.

mod every_era;
mod http_call;

use every_era::clients;
use http_call::{HttpCall, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Era};
use mcp_runtime::{ContentAnnotations, Prompt};
use serde_json::{Map, Value, json};

fn server(prompts: impl IntoIterator<Item = Prompt>) -> Server {
    Server::new("prompts", "0").allow_anonymous().only([]).only_resources([]).only_prompts(prompts)
}

/// The text of the only message.
fn said(answer: &Answer) -> &str {
    let [message] = answer.messages() else { panic!("one message: {}", answer.message()) };
    assert_eq!(message["role"], "user");
    message["content"]["text"].as_str().expect("a text")
}

// ---------------------------------------------------------------------------------------------- arguments

#[data]
#[serde(rename_all = "lowercase")]
enum Tone {
    Formal,
    Friendly,
}

/// Write a letter.
#[prompt]
fn letter(
    /// To whom.
    #[schemars(title = "Recipient")]
    to: String,
    pages: u8,
    tone: Option<Tone>,
    #[arg(default = true)] signed: bool,
    #[arg(name = "initial", default = 'x')] letter: char,
    #[arg(default)] weight: f64,
) -> String {
    let tone = tone.map(|tone| if matches!(tone, Tone::Formal) { "formal" } else { "friendly" });
    format!("{to} {pages} {tone:?} {signed} {letter} {weight}")
}

/// Say hello.
#[prompt]
fn hello() -> &'static str {
    "hello"
}

#[tokio::test]
async fn arguments_are_texts_that_become_what_the_function_takes() {
    for (era, client) in clients(&server([letter::prompt()])) {
        for (arguments, text) in [
            (json!({ "to": "Ada", "pages": "2" }), "Ada 2 None true x 0"),
            (json!({ "to": "", "pages": "255", "tone": "formal", "signed": "false" }), " 255 Some(\"formal\") false x 0"),
            (json!({ "to": "7", "pages": "0", "initial": "ß", "weight": "-1.5e1", "tone": null }), "7 0 None true ß -15"),
        ] {
            assert_eq!(said(&client.prompt("letter", arguments.clone()).await), text, "{era:?} {arguments}");
        }
    }
}

#[tokio::test]
async fn every_misfit_is_told_at_once() {
    for (era, client) in clients(&server([letter::prompt(), hello::prompt()])) {
        let misfits = json!({ "pages": "two", "tone": "rude", "signed": "yes", "initial": "ab", "weight": "inf", "wieght": "1" });
        let answer = client.prompt("letter", misfits).await;
        assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?}");
        let lines: Vec<&str> = answer.error_message().lines().collect();
        let expected = [
            "The arguments do not fit `letter`:",
            "- initial: expected one character, got \"ab\"",
            "- pages: expected a whole number from 0 to 255, got \"two\"",
            "- signed: expected `true` or `false`, got \"yes\"",
            "- tone: expected one of `formal`, `friendly`, got \"rude\"",
            "- weight: expected a number, got \"inf\"",
            "- wieght: unknown name; did you mean `weight`?",
            "- to: required, but missing",
        ];
        assert_eq!(lines, expected, "{era:?}");
        let answer = client.prompt("letter", json!({})).await;
        assert!(answer.error_message().ends_with("\n- to: required, but missing\n- pages: required, but missing"));
        let answer = client.prompt("hello", json!({ "name": "Ada" })).await;
        assert_eq!(answer.error_code(), Some(-32602), "{era:?}");
        assert!(answer.error_message().ends_with("\n- name: unknown name; there are none"), "{}", answer.error_message());
    }
}

#[tokio::test]
async fn arguments_are_an_object_of_a_few_strings() {
    for (era, client) in clients(&server([letter::prompt(), hello::prompt()])) {
        for value in [json!(2), json!(true), json!(["2"]), json!({ "is": "2" })] {
            let answer = client.prompt("letter", json!({ "to": "Ada", "pages": value })).await;
            assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?} {value}");
            assert_eq!(answer.error_message(), "the argument pages must be a string", "{era:?} {value}");
        }
        for arguments in [json!([]), json!("to"), json!(5), json!(true)] {
            let answer = client.prompt("hello", arguments.clone()).await;
            assert_eq!(answer.error_code(), Some(-32602), "{era:?} {arguments}");
            assert_eq!(answer.error_message(), "the arguments must be an object of strings", "{era:?} {arguments}");
        }
        let many = |count: usize| Value::from((0..count).map(|n| (format!("a{n}"), "x".into())).collect::<Map<_, _>>());
        let answer = client.prompt("hello", many(65)).await;
        assert_eq!(answer.error_message(), "at most 64 arguments are read", "{era:?}");
        let answer = client.prompt("hello", many(64)).await;
        assert!(answer.error_message().starts_with("The arguments do not fit"), "{era:?} {}", answer.error_message());
        for params in [json!({}), json!({ "arguments": null }), json!({ "arguments": {} })] {
            let named = |params: &Value| {
                let mut params = params.clone();
                params["name"] = "hello".into();
                params
            };
            assert_eq!(said(&client.request("prompts/get", named(&params)).await), "hello", "{era:?} {params}");
        }
        for params in [json!({}), json!({ "name": null }), json!({ "name": 5 })] {
            let answer = client.clone().header("mcp-name", "x").request("prompts/get", params.clone()).await;
            assert_eq!(answer.error_code(), Some(-32602), "{era:?} {params}");
        }
    }
    let router = router(server([hello::prompt()]));
    for era in Era::ALL {
        let twice = HttpCall::new("prompts/get", json!({ "name": "hello" })).header("mcp-name", "hello").in_era(era);
        let twice = twice.text().replace(r#""name":"hello""#, r#""name":"hello","arguments":{"a":"1","a":"2"}"#);
        let call = HttpCall::new("prompts/get", json!({ "name": "hello" })).header("mcp-name", "hello").body(twice);
        assert_eq!(call.send_in(era, &router).await.outcome(), (200, Some(-32602)), "{era:?}");
    }
}

#[tokio::test]
async fn what_was_sent_is_said_back_short() {
    for (era, client) in clients(&server([letter::prompt()])) {
        let long = "9\n".repeat(50_000);
        let answer = client.prompt("letter", json!({ "to": "Ada", "pages": long, (long.as_str()): "x" })).await;
        let message = answer.error_message();
        assert!(message.len() < 600 && message.lines().count() == 3, "{era:?} {message}");
    }
}

// ---------------------------------------------------------------------------------------------- messages

/// Every kind of content.
#[prompt(title = "All", icons("https://example.com/all.png"), meta("com.example/level" = 3))]
fn all(#[schemars(title = "Anything")] anything: Option<String>) -> PromptResult {
    drop(anything);
    let hints = ContentAnnotations::new().audience([Role::User]).priority(0.5).last_modified("2026-01-01T00:00:00Z");
    let link = ResourceLink::new("notes://today", "today").title("Today").description("of rain").mime_type("text/plain");
    let page = ResourceContents::text("notes://page", "page").mime_type("text/markdown").meta("com.example/page", 1);
    PromptResult::new()
        .description("All of it.")
        .with(Message::user(Content::text("text").annotations(hints).meta("com.example/block", 2)))
        .with(Message::assistant(Image::png([7])))
        .with(Message::user(Audio::new([7], "audio/wav")))
        .with(Message::user(link))
        .with(Message::assistant(EmbeddedResource::from(page)))
        .with(Message::user(EmbeddedResource::bytes("notes://bytes", [7]).mime_type("image/png")))
        .meta("com.example/all", true)
}

#[tokio::test]
async fn messages_have_the_content_that_the_revision_knows() {
    for (era, client) in clients(&server([all::prompt()])) {
        let answer = client.prompt("all", json!({})).await;
        let old = era < Era::V2025_06_18;
        let text = json!({
            "type": "text", "text": "text", "_meta": { "com.example/block": 2 },
            "annotations": { "audience": ["user"], "priority": 0.5, "lastModified": "2026-01-01T00:00:00Z" },
        });
        let old_text = json!({ "type": "text", "text": "text", "annotations": { "audience": ["user"], "priority": 0.5 } });
        let link = json!({
            "type": "resource_link", "uri": "notes://today", "name": "today", "title": "Today", "description": "of rain",
            "mimeType": "text/plain",
        });
        let old_link = json!({ "type": "text", "text": "Resource Today <notes://today>: of rain" });
        let mut page = json!({ "uri": "notes://page", "mimeType": "text/markdown", "text": "page" });
        if !old {
            page["_meta"] = json!({ "com.example/page": 1 });
        }
        let bytes = json!({ "uri": "notes://bytes", "mimeType": "image/png", "blob": "Bw==" });
        let expected = [
            ("user", if old { old_text } else { text }),
            ("assistant", json!({ "type": "image", "data": "Bw==", "mimeType": "image/png" })),
            ("user", json!({ "type": "audio", "data": "Bw==", "mimeType": "audio/wav" })),
            ("user", if old { old_link } else { link }),
            ("assistant", json!({ "type": "resource", "resource": page })),
            ("user", json!({ "type": "resource", "resource": bytes })),
        ];
        let expected = expected.map(|(role, content)| json!({ "role": role, "content": content }));
        assert_eq!(answer.messages(), expected, "{era:?}");
        let result = answer.result();
        assert_eq!(
            (&result["description"], &result["_meta"]["com.example/all"]),
            (&json!("All of it."), &json!(true)),
            "{era:?}"
        );
        let modern = (&json!("complete"), &json!("prompts"));
        let told = (&result["resultType"], &result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"]);
        assert_eq!(told, if era.is_legacy() { (&Value::Null, &Value::Null) } else { modern }, "{era:?}");
        assert!(result.get("ttlMs").is_none() && result.get("cacheScope").is_none(), "a prompt is not kept");
    }
}

/// A talk.
#[prompt(blocking)]
fn talk(Args(Talk { about }): Args<Talk>) -> Result<Vec<Message>, ToolError> {
    Ok(vec![Message::user(about), Message::assistant("Indeed.")])
}

#[data]
struct Talk {
    /// The topic.
    about: String,
}

/// Nothing to say.
#[prompt]
fn silent() -> Vec<Message> {
    Vec::new()
}

#[tokio::test]
async fn there_are_as_many_messages_as_were_returned() {
    for (era, client) in clients(&server([talk::prompt(), silent::prompt()])) {
        let answer = client.prompt("talk", json!({ "about": "rain" })).await;
        let roles: Vec<_> = answer.messages().iter().map(|message| (&message["role"], &message["content"]["text"])).collect();
        assert_eq!(roles, [(&json!("user"), &json!("rain")), (&json!("assistant"), &json!("Indeed."))], "{era:?}");
        assert_eq!(client.prompt("silent", json!({})).await.result()["messages"], json!([]), "{era:?}");
    }
}

#[tokio::test]
async fn the_list_describes_prompts_as_the_revision_knows_them() {
    for (era, client) in clients(&server([letter::prompt(), all::prompt(), hello::prompt()])) {
        let listed = client.request("prompts/list", json!({})).await.result()["prompts"].clone();
        let mut all = json!({
            "name": "all", "title": "All", "description": "Every kind of content.", "_meta": { "com.example/level": 3 },
            "icons": [{ "src": "https://example.com/all.png" }], "arguments": [{ "name": "anything", "title": "Anything" }],
        });
        let mut to = json!({ "name": "to", "title": "Recipient", "description": "To whom.", "required": true });
        if era < Era::V2025_11_25 {
            all.as_object_mut().expect("an object").remove("icons");
        }
        if era < Era::V2025_06_18 {
            all.as_object_mut().expect("an object").retain(|name, _| name != "title" && name != "_meta");
            all["arguments"] = json!([{ "name": "anything" }]);
            to.as_object_mut().expect("an object").remove("title");
        }
        let hello = json!({ "name": "hello", "description": "Say hello." });
        let others = ["tone", "signed", "initial", "weight"].map(|name| json!({ "name": name }));
        let arguments: Vec<_> = [to, json!({ "name": "pages", "required": true })].into_iter().chain(others).collect();
        let letter = json!({ "name": "letter", "description": "Write a letter.", "arguments": arguments });
        assert_eq!(listed, json!([all, hello, letter]), "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- callers

/// What the server provides.
#[prompt]
fn provided(about: String, place: State<&'static str>, caller: Principal, ctx: Context) -> String {
    format!("{about} in {} by {} {} {}", *place, caller.subject(), ctx.tool_name(), ctx.era().version())
}

#[tokio::test]
async fn what_the_server_provides_is_no_argument() {
    let server = server([provided::prompt()]).state("Lisbon");
    for (era, client) in clients(&server) {
        let about = json!({ "about": "rain" });
        let anonymous = client.prompt("provided", about.clone()).await;
        assert_eq!((anonymous.status(), anonymous.error_code()), (401, Some(-32600)), "{era:?}");
        let answer = client.principal(Principal::user("ada")).prompt("provided", about).await;
        assert_eq!(said(&answer), format!("rain in Lisbon by ada provided {}", era.version()));
    }
    let problem = self::server([provided::prompt()]).build().expect_err("no state").to_string();
    assert!(problem.contains("the prompt `provided` takes `place: State<"), "{problem}");
    assert!(problem.contains("the prompt `provided` needs a known caller"), "{problem}");
}

/// For auditors.
#[prompt(scopes("books:read", "audit:read"))]
fn audit(year: u16) -> String {
    year.to_string()
}

/// For those who know of it.
#[prompt(scopes("audit:read"), hidden)]
fn whistle(to: String) -> String {
    to
}

const POOR: &str = "poor-0123456789abcdef0";
const RICH: &str = "rich-0123456789abcdef0";

#[tokio::test]
async fn scopes_decide_who_gets_a_prompt_and_who_knows_of_it() {
    let tokens = StaticTokens::new()
        .token(POOR, Principal::user("rob").scopes(["books:read"]))
        .token(RICH, Principal::user("ada").scopes(["books:read", "audit:read"]));
    let server = server([audit::prompt(), whistle::prompt()]).auth(Auth::chain().with(tokens));
    let router = router(Server::clone(&server).public_url("http://localhost:8000/mcp"));
    let get = |name: &str, arguments: Value| {
        HttpCall::new("prompts/get", json!({ "name": name, "arguments": arguments })).header("mcp-name", name)
    };
    for era in Era::ALL {
        // Before its arguments are looked at.
        for arguments in [json!({ "year": "1999" }), json!({ "yaer": "1999" }), json!(5)] {
            let answer = get("audit", arguments).token(POOR).send_in(era, &router).await;
            assert_eq!(answer.status, 403, "{era:?} {}", answer.shown());
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.contains(r#"scope="books:read audit:read""#), "{era:?} {challenge}");
        }
        assert_eq!(get("audit", json!({ "year": "1999" })).token(RICH).send_in(era, &router).await.outcome(), (200, None));
        for (name, said) in [("whistle", "No prompt named whistle"), ("whistel", "No prompt named whistel")] {
            let answer = get(name, json!({})).token(POOR).send_in(era, &router).await;
            assert_eq!((answer.outcome(), answer.message().as_str()), ((200, Some(-32602)), said), "{era:?}");
        }
        let answer = get("whistel", json!({})).token(RICH).send_in(era, &router).await;
        assert_eq!(answer.message(), "No prompt named whistel; did you mean whistle?", "{era:?}");
        for (token, names) in [(POOR, json!(["audit"])), (RICH, json!(["audit", "whistle"]))] {
            let list = HttpCall::new("prompts/list", json!({})).token(token).send_in(era, &router).await.json();
            let listed: Value =
                list["result"]["prompts"].as_array().expect("a list").iter().map(|item| item["name"].clone()).collect();
            assert_eq!(listed, names, "{era:?}");
        }
    }
}

#[tokio::test]
async fn the_name_in_the_header_is_that_of_the_prompt() {
    let router = router(server([hello::prompt()]));
    let get = || HttpCall::new("prompts/get", json!({ "name": "hello" }));
    let outcome = async |call: HttpCall| call.send(&router).await.outcome();
    assert_eq!(outcome(get().header("mcp-name", "hello")).await, (200, None));
    assert_eq!(outcome(get().header("mcp-name", "=?base64?aGVsbG8=?=")).await, (200, None));
    for wrong in ["Hello", "hell", "=?base64?aGVsbG8?="] {
        assert_eq!(outcome(get().header("mcp-name", wrong)).await, (400, Some(-32020)), "{wrong}");
    }
    assert_eq!(outcome(get()).await, (400, Some(-32020)));
    for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
        let session = http_call::open(&router, HttpCall::initialize(era)).await;
        assert_eq!(outcome(get().in_era(era).session(&session).header("mcp-name", "other")).await, (200, None), "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- faults

/// Fails in many ways.
#[prompt(timeout = "3s")]
async fn fault(way: String) -> Result<String, ToolError> {
    match way.as_str() {
        "panic" => panic!("disk 7 is gone"),
        "late" => std::future::pending().await,
        "masked" => Err(std::io::Error::other("disk 7 is gone").into()),
        "told" => Err(ToolError::user("There is no such topic.")),
        "coded" => Err(ToolError::rpc(-31001, "of my own")),
        "long" => Ok("x".repeat(101)),
        _ => Ok("x".repeat(100)),
    }
}

/// A message of many small parts.
#[prompt]
fn long(count: usize) -> Vec<Message> {
    (0..count).map(|_| Message::user("0123456789")).collect()
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_an_internal_error_without_internals() {
    let server = server([fault::prompt(), long::prompt()]).max_concurrent_calls(1).max_result_bytes(100);
    for (era, client) in clients(&server) {
        for (way, code, said) in [
            ("panic", -32603, "fault failed. The cause is in the server's log."),
            ("masked", -32603, "fault failed. The cause is in the server's log."),
            ("late", -32603, "fault did not finish within its limit of 3s"),
            ("told", -32602, "There is no such topic."),
            ("coded", -31001, "of my own"),
            ("long", -32603, "fault has a result of 101 bytes, more than the 100 that can be sent"),
        ] {
            let answer = client.prompt("fault", json!({ "way": way })).await;
            assert_eq!(answer.message()["error"], json!({ "code": code, "message": said }), "{era:?} {way}");
            assert_eq!(answer.status(), 200, "{era:?} {way}");
        }
        assert_eq!(said(&client.prompt("fault", json!({ "way": "" })).await).len(), 100, "{era:?}");
        assert_eq!(client.prompt("long", json!({ "count": "10" })).await.messages().len(), 10, "{era:?}");
        assert_eq!(client.prompt("long", json!({ "count": "11" })).await.error_code(), Some(-32603), "{era:?}");
        for name in ["", "fualt", "prompt\n\u{1b}[31m"] {
            let answer = client.prompt(name, json!({})).await;
            assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?} {name}");
            assert!(!answer.error_message().contains(char::is_control), "{:?}", answer.error_message());
        }
    }
}
