//! Completion of prompts' arguments and of resources' variables: from lists, by functions, and for whom.

mod every_era;
mod http_call;

use every_era::clients;
use http_call::{HttpCall, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Client, Era};
use mcp_runtime::{Prompt, Resource};
use serde_json::{Value, json};

fn server(prompts: impl IntoIterator<Item = Prompt>, resources: impl IntoIterator<Item = Resource>) -> Server {
    Server::new("completion", "0").allow_anonymous().only([]).only_prompts(prompts).only_resources(resources)
}

fn params(of: &Value, argument: &str, value: &str) -> Value {
    json!({ "ref": of, "argument": { "name": argument, "value": value } })
}

fn of_prompt(name: &str) -> Value {
    json!({ "type": "ref/prompt", "name": name })
}

fn of_resource(uri: &str) -> Value {
    json!({ "type": "ref/resource", "uri": uri })
}

async fn complete(client: &Client, of: &Value, argument: &str, value: &str) -> Answer {
    client.request("completion/complete", params(of, argument, value)).await
}

/// The suggestions, of which there are no more.
fn values(answer: &Answer) -> Value {
    let completion = &answer.result()["completion"];
    assert_eq!((&completion["hasMore"], completion.get("total")), (&json!(false), None), "{completion}");
    completion["values"].clone()
}

/// Review a piece of code.
#[prompt]
fn review(code: String, #[complete(["Rust", "Python", "TypeScript", "JavaScript", "Scala"])] language: Option<String>) -> String {
    format!("{code} {language:?}")
}

/// The branches of a repository, which the client may have filled in.
async fn branches(request: CompletionRequest) -> Vec<String> {
    tokio::task::yield_now().await;
    let repository = request.argument("repository").unwrap_or("any").to_owned();
    let beside = request.argument("branch").is_some();
    vec![format!("{repository}/{}{}", request.value(), if beside { "!" } else { "" })]
}

/// Describe what changed.
#[prompt(name = "changes")]
fn changed(
    repository: String,
    #[arg(name = "of-branch")]
    #[complete(branches)]
    branch: String,
) -> String {
    format!("{repository} {branch}")
}

/// A file of a branch.
#[resource("git://{repository}/{branch}/{+path}{?format}")]
fn source(
    repository: String,
    #[complete(branches)] branch: String,
    path: String,
    #[complete(["raw", "html"])] format: Option<String>,
) -> String {
    format!("{repository} {branch} {path} {format:?}")
}

/// One that has nothing to complete.
#[resource("git://index")]
fn index() -> &'static str {
    "index"
}

fn repository() -> Server {
    server([review::prompt(), changed::prompt()], [source::resource(), index::resource()])
}

const TEMPLATE: &str = "git://{repository}/{branch}/{+path}{?format}";

#[tokio::test]
async fn a_list_is_searched_without_regard_to_case() {
    for (era, client) in clients(&repository()) {
        for (typed, expected) in [
            ("", json!(["Rust", "Python", "TypeScript", "JavaScript", "Scala"])),
            ("sc", json!(["Scala", "TypeScript", "JavaScript"])),
            ("PY", json!(["Python"])),
            ("rust ", json!([])),
        ] {
            assert_eq!(values(&complete(&client, &of_prompt("review"), "language", typed).await), expected, "{era:?} {typed}");
        }
        assert_eq!(values(&complete(&client, &of_resource(TEMPLATE), "format", "h").await), json!(["html"]), "{era:?}");
        // What is there and has no suggestions has none.
        assert_eq!(values(&complete(&client, &of_prompt("review"), "code", "fn").await), json!([]), "{era:?}");
        assert_eq!(values(&complete(&client, &of_resource(TEMPLATE), "path", "src").await), json!([]), "{era:?}");
        let answer = complete(&client, &of_prompt("review"), "language", "ru").await;
        let mut expected = json!({ "completion": { "values": ["Rust"], "hasMore": false } });
        if !era.is_legacy() {
            expected["resultType"] = "complete".into();
            expected["_meta"] = json!({ "io.modelcontextprotocol/serverInfo": { "name": "completion", "version": "0" } });
        }
        assert_eq!(answer.result(), &expected, "{era:?}");
    }
}

#[tokio::test]
async fn a_function_knows_what_else_is_filled_in() {
    for (era, client) in clients(&repository()) {
        for (context, expected) in [
            (None, "any/ma"),
            (Some(json!({})), "any/ma"),
            (Some(json!({ "arguments": null })), "any/ma"),
            (Some(json!({ "arguments": {} })), "any/ma"),
            (Some(json!({ "arguments": { "repository": "tools", "else": "x" } })), "tools/ma"),
            (Some(json!({ "arguments": { "repository": "tools", "branch": "b" } })), "tools/ma!"),
            (Some(json!({ "arguments": { "repository": null } })), "any/ma"),
        ] {
            for (of, argument) in [(of_prompt("changes"), "of-branch"), (of_resource(TEMPLATE), "branch")] {
                let mut params = params(&of, argument, "ma");
                if let Some(context) = &context {
                    params["context"] = context.clone();
                }
                let answer = client.request("completion/complete", params).await;
                assert_eq!(values(&answer), json!([expected]), "{era:?} {context:?}");
            }
        }
        for arguments in [json!([]), json!("a"), json!({ "repository": 5 })] {
            let mut params = params(&of_prompt("changes"), "of-branch", "ma");
            params["context"] = json!({ "arguments": arguments });
            assert_eq!(client.request("completion/complete", params).await.error_code(), Some(-32602), "{era:?} {arguments}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_completed() {
    for (era, client) in clients(&repository()) {
        for (of, argument, said) in [
            (of_prompt("reveiw"), "language", "No prompt named reveiw; did you mean review?"),
            (of_prompt("git"), "language", "No prompt named git"),
            (of_prompt("review"), "languages", "The prompt review has no argument languages"),
            (of_prompt("changes"), "branch", "The prompt changes has no argument branch"),
            (of_resource("git://{other}"), "other", "No such resource"),
            // By its template, not by a URI of it.
            (of_resource("git://a/b/c"), "branch", "No such resource"),
            (of_resource(TEMPLATE), "brunch", "The resource source has no argument brunch"),
            (of_resource("git://index"), "branch", "The resource index has no argument branch"),
        ] {
            let answer = complete(&client, &of, argument, "").await;
            assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?} {of}");
            assert_eq!(answer.error_message(), said, "{era:?} {of}");
        }
        let argument = json!({ "name": "language", "value": "" });
        for params in [
            json!({}),
            json!({ "argument": argument }),
            json!({ "ref": of_prompt("review") }),
            json!({ "ref": "review", "argument": argument }),
            json!({ "ref": { "name": "review" }, "argument": argument }),
            json!({ "ref": { "type": "ref/tool", "name": "review" }, "argument": argument }),
            json!({ "ref": { "type": "ref/prompt", "uri": "review" }, "argument": argument }),
            json!({ "ref": { "type": "ref/resource", "name": "review" }, "argument": argument }),
            json!({ "ref": { "type": "ref/prompt", "name": 5 }, "argument": argument }),
            json!({ "ref": of_prompt("review"), "argument": { "name": "language" } }),
            json!({ "ref": of_prompt("review"), "argument": { "name": "language", "value": 5 } }),
            json!({ "ref": of_prompt("review"), "argument": ["language", ""] }),
        ] {
            let answer = client.request("completion/complete", params.clone()).await;
            assert_eq!((answer.status(), answer.error_code()), (200, Some(-32602)), "{era:?} {params}");
        }
    }
}

/// Numbers, or another end.
async fn numbers(request: CompletionRequest) -> Result<Completion, ToolError> {
    let count = |text: &str| text.parse::<u32>().ok();
    Ok(match request.value() {
        "first" => Completion::new(["1", "2"]).total(7),
        "more" => Completion::new(["1", "2"]).with_more(),
        "panic" => panic!("disk 7 is gone"),
        "late" => std::future::pending().await,
        "masked" => return Err(std::io::Error::other("disk 7 is gone").into()),
        "told" => return Err(ToolError::user("Type a number.")),
        "coded" => return Err(ToolError::rpc(-31001, "of my own")),
        "long" => Completion::new(["x".repeat(2000)]),
        typed => Completion::new((0..count(typed).unwrap_or(0)).map(|number| number.to_string())),
    })
}

/// Count.
#[prompt(timeout = "3s")]
async fn counted(#[complete(numbers)] number: u32) -> String {
    std::future::ready(()).await;
    number.to_string()
}

#[tokio::test(start_paused = true)]
async fn of_many_values_a_hundred_are_sent() {
    for (era, client) in clients(&server([counted::prompt()], [])) {
        for (typed, sent, total, more) in [
            ("0", 0, None, false),
            ("100", 100, None, false),
            ("101", 100, Some(101), true),
            ("5000", 100, Some(5000), true),
            ("first", 2, Some(7), true),
            ("more", 2, None, true),
        ] {
            let completion = complete(&client, &of_prompt("counted"), "number", typed).await.result()["completion"].clone();
            assert_eq!(completion["values"].as_array().map(Vec::len), Some(sent), "{era:?} {typed}");
            assert_eq!(completion.get("total"), total.map(Value::from).as_ref(), "{era:?} {typed}");
            assert_eq!(completion["hasMore"], more, "{era:?} {typed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_an_internal_error_without_internals() {
    let server = server([counted::prompt()], []).max_concurrent_calls(1).max_result_bytes(1999);
    for (era, client) in clients(&server) {
        for (typed, code, said) in [
            ("panic", -32603, "counted failed. The cause is in the server's log."),
            ("masked", -32603, "counted failed. The cause is in the server's log."),
            ("late", -32603, "counted did not finish within its limit of 3s"),
            ("long", -32603, "counted has a result of 2000 bytes, more than the 1999 that can be sent"),
            ("told", -32602, "Type a number."),
            ("coded", -31001, "of my own"),
        ] {
            let answer = complete(&client, &of_prompt("counted"), "number", typed).await;
            assert_eq!(answer.message()["error"], json!({ "code": code, "message": said }), "{era:?} {typed}");
            assert_eq!(answer.status(), 200, "{era:?} {typed}");
        }
        assert_eq!(values(&complete(&client, &of_prompt("counted"), "number", "1").await), json!(["0"]), "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- what is offered

/// Say hello.
#[prompt]
fn hello(name: String) -> String {
    name
}

#[tokio::test]
async fn where_nothing_is_completed_there_is_no_such_method() {
    for (era, client) in clients(&server([hello::prompt()], [index::resource()])) {
        let answer = complete(&client, &of_prompt("hello"), "name", "").await;
        let status = if era.is_legacy() { 200 } else { 404 };
        assert_eq!((answer.status(), answer.error_code()), (status, Some(-32601)), "{era:?}");
    }
    for (offered, server) in [
        (false, server([hello::prompt()], [index::resource()])),
        (true, server([review::prompt()], [])),
        (true, server([], [source::resource()])),
    ] {
        let router = router(server);
        let discovered = HttpCall::new("server/discover", json!({})).send(&router).await.json();
        assert_eq!(discovered["result"]["capabilities"].get("completions").is_some(), offered, "{discovered}");
        for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
            let opened = HttpCall::initialize(era).send(&router).await.json();
            assert_eq!(opened["result"]["capabilities"].get("completions").is_some(), offered, "{era:?} {opened}");
        }
    }
}

// ---------------------------------------------------------------------------------------------- callers

/// The cases that the caller may see.
async fn cases(request: CompletionRequest) -> Vec<String> {
    let caller = request.context().principal().map_or("nobody", Principal::subject).to_owned();
    let place = request.context().state::<&'static str>().map_or("", |place| *place);
    vec![format!("{caller} in {place}")]
}

/// A case.
#[resource("cases://{case}", scopes("cases:read", "audit:read"))]
fn case(#[complete(cases)] case: String) -> String {
    case
}

/// A case that only some know of.
#[prompt(scopes("audit:read"), hidden)]
fn secret(#[complete(cases)] case: String, other: String) -> String {
    format!("{case}{other}")
}

/// A case for all.
#[prompt]
fn public(#[complete(cases)] case: String) -> String {
    case
}

const POOR: &str = "poor-0123456789abcdef0";
const RICH: &str = "rich-0123456789abcdef0";

#[tokio::test]
async fn suggestions_are_for_those_who_may_use_them() {
    let tokens = StaticTokens::new()
        .token(POOR, Principal::user("rob").scopes(["cases:read"]))
        .token(RICH, Principal::user("ada").scopes(["cases:read", "audit:read"]));
    let server = server([secret::prompt(), public::prompt()], [case::resource()]).state("Lisbon");
    let router = router(server.auth(Auth::chain().with(tokens)));
    for era in Era::ALL {
        let complete = async |token: &str, of: Value, argument: &str| {
            HttpCall::new("completion/complete", params(&of, argument, "x")).token(token).send_in(era, &router).await
        };
        let completed = |answer: &http_call::Answer| answer.json()["result"]["completion"]["values"][0].clone();
        assert_eq!(completed(&complete(RICH, of_resource("cases://{case}"), "case").await), "ada in Lisbon", "{era:?}");
        assert_eq!(completed(&complete(RICH, of_prompt("secret"), "case").await), "ada in Lisbon", "{era:?}");
        assert_eq!(completed(&complete(POOR, of_prompt("public"), "case").await), "rob in Lisbon", "{era:?}");
        let answer = complete(POOR, of_resource("cases://{case}"), "case").await;
        assert_eq!(answer.status, 403, "{era:?}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains(r#"scope="cases:read audit:read""#), "{era:?} {challenge}");
        // What is hidden is as unknown as what is not there, whatever of it is asked for.
        for (name, argument) in [("secret", "case"), ("secret", "other"), ("secret", "nothing"), ("nosuch", "case")] {
            let answer = complete(POOR, of_prompt(name), argument).await;
            assert_eq!(answer.outcome(), (200, Some(-32602)), "{era:?}");
            assert_eq!(answer.message(), format!("No prompt named {name}"), "{era:?}");
        }
        assert_eq!(complete(POOR, of_prompt("secrte"), "case").await.message(), "No prompt named secrte", "{era:?}");
        let answer = complete(RICH, of_prompt("secrte"), "case").await;
        assert_eq!(answer.message(), "No prompt named secrte; did you mean secret?", "{era:?}");
    }
}
