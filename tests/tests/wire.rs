//! The per-request era on the wire: bytes through the real router, as the specification's examples and tables say.

mod http_call;

use axum::Router;
use http_call::{Answer, CAPABILITIES_KEY, HttpCall, VERSION, VERSION_KEY, router};
use mcp_runtime::prelude::*;
use serde_json::{Value, json};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
}

#[data]
struct Part {
    sku: String,
}

/// Look up a part by number
#[tool(title = "Find a part", read_only, open_world = false)]
fn find_part(
    part_no: String,
    /// Warehouse code
    #[arg(header = "Depot")]
    depot: Option<String>,
) -> Json<Vec<Part>> {
    drop(depot);
    Json(vec![Part { sku: format!("{part_no}-A") }])
}

#[data]
struct Place {
    #[arg(header = "Region")]
    region: Option<String>,
    street: Option<String>,
}

/// Take arguments that are mirrored into headers.
#[tool]
fn mirrored(
    #[arg(header = "Text")] text: Option<String>,
    #[arg(header = "Count")] count: Option<i64>,
    #[arg(header = "Flag")] flag: Option<bool>,
    place: Option<Place>,
) -> String {
    let place = place.map(|place| (place.region, place.street));
    format!("{text:?} {count:?} {flag:?} {place:?}")
}

/// Connect a CRM.
#[tool(requires(elicitation_url))]
fn connect_crm() -> &'static str {
    "connected"
}

/// Ask and sample.
#[tool(requires(elicitation, sampling, roots))]
fn ask_much() -> &'static str {
    "asked"
}

/// Fail with a secret.
#[tool]
fn fails() -> Result<String, ToolError> {
    Err(std::io::Error::other("cannot open /etc/acme/secret.toml: acme::Store is closed"))?
}

/// Refuse politely.
#[tool]
fn refuses() -> Result<String, ToolError> {
    Err(ToolError::user("Name a city."))
}

/// Take any JSON.
#[tool]
fn anything(value: Value) -> &'static str {
    drop(value);
    "taken"
}

#[data(input)]
struct Address {
    street: String,
    city: String,
}

#[data(input)]
#[serde(rename_all = "lowercase")]
enum Speed {
    Slow,
    Fast,
}

/// Ship it.
#[tool]
fn ship(address: Address, speed: Option<Speed>) -> String {
    let speed = match speed {
        Some(Speed::Slow) => "slowly",
        Some(Speed::Fast) => "fast",
        None => "somehow",
    };
    format!("{}, {}, {speed}", address.street, address.city)
}

fn acme() -> Router {
    router(Server::new("acme-parts", "2.1.0").allow_anonymous().title("ACME").instructions("Order parts.").only([
        echo::tool(),
        find_part::tool(),
        mirrored::tool(),
        connect_crm::tool(),
        ask_much::tool(),
        fails::tool(),
        refuses::tool(),
        anything::tool(),
        ship::tool(),
    ]))
}

fn echo_call() -> HttpCall {
    HttpCall::tool("echo", json!({ "message": "hi" }))
}

async fn ask(call: HttpCall) -> Answer {
    call.send(&acme()).await
}

fn assert_json(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, &answer.json()), (status, body));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

fn server_info() -> Value {
    json!({ SERVER_INFO: { "name": "acme-parts", "version": "2.1.0", "title": "ACME" } })
}

// ---------------------------------------------------------------------------------------------- results

#[tokio::test]
async fn discover_names_version_capabilities_and_server() {
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "result": {
        "resultType": "complete",
        "supportedVersions": [VERSION],
        "capabilities": { "tools": {} },
        "instructions": "Order parts.",
        "ttlMs": 0,
        "cacheScope": "private",
        "_meta": server_info(),
    } });
    assert_json(&ask(HttpCall::new("server/discover", json!({}))).await, 200, &expected);
}

#[tokio::test]
async fn a_server_without_tools_does_not_advertise_them() {
    let empty = router(Server::new("empty", "0").allow_anonymous().only([]));
    let answer = HttpCall::new("server/discover", json!({})).send(&empty).await;
    assert_eq!(answer.json()["result"]["capabilities"], json!({}));
    for call in [HttpCall::list(), echo_call()] {
        assert_eq!(call.send(&empty).await.outcome(), (404, Some(-32601)));
    }
}

#[tokio::test]
async fn the_list_has_every_tool_on_one_page_sorted_and_described() {
    let answer = ask(HttpCall::list()).await;
    let body = answer.json();
    let result = &body["result"];
    let names: Vec<_> = result["tools"].as_array().expect("tools").iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["anything", "ask_much", "connect_crm", "echo", "fails", "find_part", "mirrored", "refuses", "ship"]);
    let expected = json!({
        "name": "find_part",
        "title": "Find a part",
        "description": "Look up a part by number",
        "inputSchema": {
            "type": "object",
            "properties": {
                "part_no": { "type": "string" },
                "depot": { "type": "string", "description": "Warehouse code", "x-mcp-header": "Depot" },
            },
            "required": ["part_no"],
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "array",
            "items": { "type": "object", "properties": { "sku": { "type": "string" } }, "required": ["sku"] },
        },
        "annotations": { "readOnlyHint": true, "openWorldHint": false },
    });
    assert_eq!(result["tools"][5], expected);
    assert_eq!(result.get("nextCursor"), None);
    let rest = (&result["resultType"], &result["ttlMs"], &result["cacheScope"], &result["_meta"]);
    assert_eq!(rest, (&json!("complete"), &json!(0), &json!("private"), &server_info()));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(ask(HttpCall::list()).await.body, answer.body, "the same order each time");
}

#[tokio::test]
async fn a_cursor_that_nobody_gave_is_refused() {
    for cursor in [json!("v1.Ag"), json!(""), json!(1), json!(null)] {
        let answer = ask(HttpCall::list().edit(|message| message["params"]["cursor"] = cursor.clone())).await;
        assert_eq!(answer.outcome(), (200, Some(-32602)), "{cursor}");
    }
}

#[tokio::test]
async fn text_comes_back_as_one_block() {
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "result": {
        "resultType": "complete",
        "content": [{ "type": "text", "text": "hi" }],
        "_meta": server_info(),
    } });
    assert_json(&ask(echo_call()).await, 200, &expected);
}

#[tokio::test]
async fn structured_content_comes_with_its_text_and_a_mirrored_header() {
    let call = HttpCall::tool("find_part", json!({ "part_no": "X-17", "depot": "Zürich" }))
        .header("mcp-param-depot", "=?base64?WsO8cmljaA==?=")
        .meta("traceparent", json!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "result": {
        "resultType": "complete",
        "content": [{ "type": "text", "text": "[{\"sku\":\"X-17-A\"}]" }],
        "structuredContent": [{ "sku": "X-17-A" }],
        "_meta": server_info(),
    } });
    assert_json(&ask(call).await, 200, &expected);
}

#[tokio::test]
async fn results_carry_no_session_and_requests_need_none() {
    let answer = ask(echo_call().header("mcp-session-id", "abc").header("last-event-id", "9")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("mcp-session-id"), None);
}

// ---------------------------------------------------------------------------------------------- tool errors

#[tokio::test]
async fn an_unknown_tool_is_named_and_the_nearest_one_proposed() {
    let answer = ask(HttpCall::tool("find_prat", json!({}))).await;
    let message = "No tool named find_prat; did you mean find_part?";
    assert_json(&answer, 200, &json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32602, "message": message } }));
    let answer = ask(HttpCall::tool("größe", json!({})).header("mcp-name", "=?base64?Z3LDtsOfZQ==?=")).await;
    assert_eq!((answer.outcome(), answer.message().as_str()), ((200, Some(-32602)), "No tool named größe"));
}

#[tokio::test]
async fn names_of_tools_are_case_sensitive() {
    assert_eq!(ask(HttpCall::tool("Echo", json!({ "message": "hi" }))).await.outcome(), (200, Some(-32602)));
}

#[tokio::test]
async fn an_unknown_name_is_shortened_and_shown_without_characters_that_deceive() {
    let long = "x".repeat(5000);
    let answer = ask(HttpCall::tool(&long, json!({}))).await;
    assert!(answer.message().len() < 200, "{}", answer.message());
    // Direction override, zero width space, escape. `=?base64?…?=` is how they pass a header.
    let answer = ask(HttpCall::tool("a\u{1b}[2Jb", json!({})).header("mcp-name", "=?base64?YRtbMkpi?=")).await;
    assert_eq!(answer.message(), "No tool named a\u{fffd}[2Jb");
    let answer = ask(HttpCall::tool("a\u{202e}b\u{200b}", json!({})).header("mcp-name", "=?base64?YeKArmLigIs=?=")).await;
    assert_eq!(answer.outcome(), (200, Some(-32602)));
    assert!(!answer.message().contains(['\u{202e}', '\u{200b}']), "{:?}", answer.message());
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_a_result_that_lists_every_problem() {
    let answer = ask(HttpCall::tool("find_part", json!({ "part_no": 17, "depto": "x" }))).await;
    let text = "The arguments do not fit `find_part`:\n- depto: unknown name; did you mean `depot`?\n- part_no: expected a string, got 17";
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "result": {
        "resultType": "complete",
        "content": [{ "type": "text", "text": text }],
        "isError": true,
        "_meta": server_info(),
    } });
    assert_json(&answer, 200, &expected);
}

#[tokio::test]
async fn absent_arguments_are_an_empty_object_and_others_must_be_one() {
    let call = |arguments: Option<Value>| {
        HttpCall::tool("mirrored", json!({})).edit(|message| match arguments {
            Some(arguments) => message["params"]["arguments"] = arguments,
            None => drop(message["params"].as_object_mut().expect("an object").remove("arguments")),
        })
    };
    assert_eq!(ask(call(None)).await.tool_text(), "None None None None");
    for wrong in [json!(null), json!("x"), json!(1), json!([]), json!([null, null, null, null]), json!(true)] {
        let answer = ask(call(Some(wrong.clone()))).await;
        assert!(answer.is_tool_error(), "{wrong}: {}", answer.shown());
    }
}

#[tokio::test]
async fn the_types_that_the_schema_says_are_the_only_ones() {
    let good = json!({ "address": { "street": "Main", "city": "Zug" }, "speed": "fast" });
    assert_eq!(ask(HttpCall::tool("ship", good.clone())).await.tool_text(), "Main, Zug, fast");
    for (name, value) in [
        // What serde would read into the same types.
        ("address", json!(["Main", "Zug"])),
        ("speed", json!({ "fast": null })),
        ("address", json!({ "street": "Main", "city": ["Zug"] })),
        ("speed", json!("FAST")),
        ("speed", json!(1)),
    ] {
        let mut arguments = good.clone();
        arguments[name] = value.clone();
        let answer = ask(HttpCall::tool("ship", arguments)).await;
        assert!(answer.is_tool_error(), "{name}: {value}: {}", answer.shown());
    }
    let answer = ask(HttpCall::tool("echo", json!(["hi"]))).await;
    assert!(answer.is_tool_error(), "{}", answer.shown());
}

#[tokio::test]
async fn a_failure_is_masked_unless_it_speaks_to_the_model() {
    let answer = ask(HttpCall::tool("fails", json!({}))).await;
    assert!(answer.is_tool_error(), "{}", answer.shown());
    assert_eq!(answer.tool_text(), "The tool failed. The cause is in the server's log.");
    let answer = ask(HttpCall::tool("refuses", json!({}))).await;
    assert!(answer.is_tool_error(), "{}", answer.shown());
    assert_eq!(answer.tool_text(), "Name a city.");
}

// ---------------------------------------------------------------------------------------------- envelope and `_meta`

#[tokio::test]
async fn missing_keys_of_meta_are_named() {
    let refused = |missing: &[&str]| {
        let message = format!("params._meta is missing {}", missing.join(" and "));
        json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32602, "message": message, "data": { "missing": missing } } })
    };
    assert_json(&ask(HttpCall::list().without_meta(CAPABILITIES_KEY)).await, 400, &refused(&[CAPABILITIES_KEY]));
    assert_json(&ask(HttpCall::list().without_meta(VERSION_KEY)).await, 400, &refused(&[VERSION_KEY]));
    let no_meta: [fn(&mut Value); 6] = [
        |message| message["params"] = json!({}),
        |message| drop(message.as_object_mut().expect("an object").remove("params")),
        |message| message["params"]["_meta"] = json!(null),
        |message| message["params"]["_meta"] = json!([]),
        |message| message["params"] = json!([]),
        |message| message["params"] = json!("x"),
    ];
    for change in no_meta {
        let call = HttpCall::list().edit(change);
        let text = call.text();
        let answer = ask(call).await;
        assert_eq!(answer.json(), refused(&[VERSION_KEY, CAPABILITIES_KEY]), "{text}");
        assert_eq!(answer.status, 400, "{text}");
    }
}

#[tokio::test]
async fn keys_of_meta_with_the_wrong_type_are_named() {
    for (key, wrong) in [
        (VERSION_KEY, json!(20_260_728)),
        (VERSION_KEY, json!(null)),
        (CAPABILITIES_KEY, json!(null)),
        (CAPABILITIES_KEY, json!([])),
        (CAPABILITIES_KEY, json!("{}")),
        ("io.modelcontextprotocol/clientInfo", json!("demo")),
        ("io.modelcontextprotocol/logLevel", json!("loud")),
        ("io.modelcontextprotocol/logLevel", json!(3)),
        ("progressToken", json!(1.5)),
        ("progressToken", json!({})),
    ] {
        let answer = ask(echo_call().meta(key, wrong.clone())).await;
        assert_eq!(answer.outcome(), (400, Some(-32602)), "{key}: {wrong}");
        assert!(answer.message().contains(key), "{key} not in {}", answer.message());
    }
}

#[tokio::test]
async fn optional_and_unknown_keys_of_meta_are_taken() {
    for (key, value) in [
        ("io.modelcontextprotocol/clientInfo", json!({ "name": "demo", "version": "1.0" })),
        ("io.modelcontextprotocol/logLevel", json!("info")),
        ("progressToken", json!("p")),
        ("progressToken", json!(9_007_199_254_740_993_u64)),
        ("traceparent", json!("broken")),
        ("com.example/unknown", json!([1, { "a": null }])),
        (CAPABILITIES_KEY, json!({ "elicitation": null, "sampling": 3, "roots": [], "tasks": {}, "experimental": { "x": 1 } })),
    ] {
        let answer = ask(echo_call().meta(key, value.clone())).await;
        assert_eq!(answer.outcome(), (200, None), "{key}: {value}");
    }
}

#[tokio::test]
async fn header_and_body_name_one_version() {
    let refused = |message: &str| json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32020, "message": message } });
    let answer = ask(HttpCall::list().header("mcp-protocol-version", "2025-11-25")).await;
    assert_json(&answer, 400, &refused("MCP-Protocol-Version is 2025-11-25 but _meta says 2026-07-28"));
    let answer = ask(HttpCall::list().without_header("mcp-protocol-version")).await;
    assert_json(&answer, 400, &refused("MCP-Protocol-Version is required, with the version that _meta names"));
}

#[tokio::test]
async fn a_version_that_is_not_spoken_is_answered_with_those_that_are() {
    for version in ["2031-01-01", "2025-11-25", "", "draft"] {
        let answer = ask(HttpCall::list().meta(VERSION_KEY, json!(version)).header("mcp-protocol-version", version)).await;
        assert_eq!(answer.outcome(), (400, Some(-32022)), "{version}");
        assert_eq!(answer.json()["error"]["data"], json!({ "supported": [VERSION], "requested": version }));
        assert_eq!(answer.json()["id"], 7);
    }
    let discovered = ask(HttpCall::new("server/discover", json!({}))).await.json();
    assert_eq!(discovered["result"]["supportedVersions"], json!([VERSION]), "the same list in both places");
}

#[tokio::test]
async fn removed_unknown_and_unadvertised_methods_are_404() {
    let removed = ["ping", "initialize", "logging/setLevel", "resources/subscribe", "tasks/get"];
    let unadvertised = ["prompts/list", "prompts/get", "resources/list", "resources/read", "completion/complete"];
    for method in removed.iter().chain(&unadvertised).chain(&["tools/delete", "Tools/list", "x"]) {
        let answer = ask(HttpCall::new(method, json!({}))).await;
        let message = format!("No such method: {method}");
        assert_json(&answer, 404, &json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32601, "message": message } }));
    }
}

#[tokio::test]
async fn a_method_with_no_characters_is_no_method() {
    assert_eq!(ask(HttpCall::new("", json!({}))).await.outcome(), (404, Some(-32601)));
}

#[tokio::test]
async fn what_the_client_must_offer_is_named_as_an_object() {
    let required = |tool: &str, message: &str, capabilities: Value| {
        let data = json!({ "requiredCapabilities": capabilities });
        (HttpCall::tool(tool, json!({})), json!({ "code": -32021, "message": message, "data": data }))
    };
    let (call, error) =
        required("connect_crm", "connect_crm needs a client with URL elicitation", json!({ "elicitation": { "url": {} } }));
    assert_json(&ask(call.clone()).await, 400, &json!({ "jsonrpc": "2.0", "id": 7, "error": error }));
    let by_form = call.clone().meta(CAPABILITIES_KEY, json!({ "elicitation": {} }));
    assert_eq!(ask(by_form).await.outcome(), (400, Some(-32021)));
    let by_url = call.meta(CAPABILITIES_KEY, json!({ "elicitation": { "url": {} } }));
    assert_eq!(ask(by_url).await.tool_text(), "connected");
    let all = json!({ "elicitation": { "form": {} }, "sampling": {}, "roots": {} });
    let (call, error) = required("ask_much", "ask_much needs a client with elicitation and sampling and roots", all);
    assert_json(&ask(call.clone()).await, 400, &json!({ "jsonrpc": "2.0", "id": 7, "error": error }));
    let some = call.meta(CAPABILITIES_KEY, json!({ "elicitation": {}, "roots": {} }));
    let answer = ask(some).await;
    assert_eq!(answer.json()["error"]["data"]["requiredCapabilities"], json!({ "sampling": {} }), "only what is missing");
}

// ---------------------------------------------------------------------------------------------- JSON-RPC

fn with_id(id: &str) -> HttpCall {
    let body = echo_call().text().replace("\"id\":7", &format!("\"id\":{id}"));
    echo_call().body(body)
}

#[tokio::test]
async fn ids_come_back_as_they_were_written() {
    for id in [
        "1",
        "0",
        "-7",
        "\"1\"",
        "\"\"",
        "\"a b\"",
        r#""\u00e9\n\"""#,
        "\"é\"",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890",
        "-99999999999999999999",
    ] {
        let answer = ask(with_id(id)).await;
        let text = String::from_utf8(answer.body.clone()).expect("UTF-8");
        assert_eq!(answer.status, 200, "{id}");
        assert!(text.starts_with(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\"")), "{id} in {text}");
    }
    let refused = ask(with_id("123456789012345678901234567890").without_header("mcp-method")).await;
    assert!(refused.shown().contains("\"id\":123456789012345678901234567890,"), "{}", refused.shown());
}

#[tokio::test]
async fn an_id_that_is_no_text_is_not_put_into_an_answer() {
    // Half of a surrogate pair: the grammar of JSON has it, the parsers of clients do not.
    let answer = ask(with_id(r#""\ud800""#)).await;
    assert!(serde_json::from_slice::<Value>(&answer.body).is_ok(), "{}", answer.shown());
    assert_eq!(answer.outcome(), (400, Some(-32600)));
}

#[tokio::test]
async fn ids_of_other_kinds_are_refused_without_an_id() {
    for id in ["null", "1.0", "1.5", "1e3", "-0.0", "true", "{}", "[1]", "[[]]", "1e999"] {
        let answer = ask(with_id(id)).await;
        assert_eq!(answer.outcome(), (400, Some(-32600)), "{id}");
        assert_eq!(answer.json().get("id"), None, "{id}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_a_parse_error_without_an_id() {
    let whole = echo_call().text();
    let broken: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"{".to_vec(),
        b"hello".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{\"a\":\xff}".to_vec(),
        format!("\u{feff}{whole}").into_bytes(),
        format!("{whole} x").into_bytes(),
        format!("{whole}{whole}").into_bytes(),
        whole.as_bytes()[..whole.len() - 1].to_vec(),
        whole.replace('"', "'").into_bytes(),
        whole.replace("\"id\":7", "\"id\":07").into_bytes(),
        whole.replace("\"id\":7", "\"id\":NaN").into_bytes(),
        whole.replace("\"hi\"", "\"h\ni\"").into_bytes(),
        whole.replace("\"hi\"", "\"h\\xi\"").into_bytes(),
    ];
    for body in broken {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = ask(echo_call().body(body)).await;
        assert_eq!(answer.outcome(), (400, Some(-32700)), "{shown:?}");
        assert_eq!(answer.json().get("id"), None, "{shown:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_with_its_id_where_it_has_one() {
    for (body, id) in [
        ("[]", None),
        ("\"hello\"", None),
        ("7", None),
        ("null", None),
        ("true", None),
        ("{}", None),
        (r#"{"jsonrpc":"2.0","id":1}"#, Some(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":5}"#, Some(1)),
        (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, Some(1)),
        (r#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#, Some(1)),
        (r#"{"jsonrpc":2.0,"id":1,"method":"tools/list"}"#, Some(1)),
        (r#"{"id":1,"method":"tools/list"}"#, Some(1)),
        (r#"{"jsonrpc":"2.0"}"#, None),
        (r#"{"method":"notifications/x"}"#, None),
    ] {
        let answer = ask(HttpCall::list().body(body)).await;
        assert_eq!(answer.outcome(), (400, Some(-32600)), "{body}");
        assert_eq!(answer.json().get("id").and_then(Value::as_u64), id, "{body}");
    }
}

#[tokio::test]
async fn batches_are_refused_and_told_so() {
    let one = echo_call().text();
    for body in ["[]".to_owned(), format!("[{one}]"), format!(" [{one},{one}]")] {
        let answer = ask(echo_call().body(body)).await;
        assert_eq!(answer.outcome(), (400, Some(-32600)));
        assert_eq!(answer.json().get("id"), None);
        assert!(answer.message().contains("batches are not part of this protocol version"), "{}", answer.message());
    }
}

#[tokio::test]
async fn posted_responses_are_refused() {
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"1","error":{"code":-1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","result":null}"#,
    ] {
        let answer = ask(HttpCall::list().body(body)).await;
        assert_eq!(answer.outcome(), (400, Some(-32600)), "{body}");
        assert!(answer.message().contains("response"), "{}", answer.message());
    }
}

#[tokio::test]
async fn members_that_are_read_may_stand_once() {
    let text = echo_call().text();
    for (once, twice) in [
        ("\"id\":7", "\"id\":7,\"id\":8"),
        ("\"id\":7", "\"id\":7,\"\\u0069d\":7"),
        ("\"jsonrpc\":\"2.0\"", "\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\""),
        ("\"method\":\"tools/call\"", "\"method\":\"tools/list\",\"method\":\"tools/call\""),
        ("\"name\":\"echo\"", "\"name\":\"fails\",\"name\":\"echo\""),
        ("\"arguments\":", "\"arguments\":{},\"arguments\":"),
        ("\"params\":", "\"params\":{},\"params\":"),
        ("\"_meta\":", "\"_meta\":{},\"_meta\":"),
    ] {
        let body = text.replace(once, twice);
        assert_ne!(body, text, "{once}");
        let answer = ask(echo_call().body(body)).await;
        assert_eq!(answer.outcome(), (400, Some(-32600)), "{twice}");
        assert!(answer.message().contains("twice"), "{twice}: {}", answer.message());
    }
    let version = format!("\"{VERSION_KEY}\":\"{VERSION}\"");
    let answer = ask(echo_call().body(text.replace(&version, &format!("\"{VERSION_KEY}\":\"2025-11-25\",{version}")))).await;
    assert_eq!(answer.outcome(), (400, Some(-32600)));
}

#[tokio::test]
async fn an_argument_that_stands_twice_is_a_problem_of_the_arguments() {
    let answer =
        ask(echo_call().body(echo_call().text().replace("\"message\":\"hi\"", "\"message\":\"hi\",\"message\":\"ho\""))).await;
    assert!(answer.is_tool_error(), "{}", answer.shown());
    assert!(answer.tool_text().contains("`message` is given twice"), "{}", answer.tool_text());
    let body =
        HttpCall::tool("mirrored", json!({ "text": "us" })).text().replace("\"text\":\"us\"", "\"text\":\"eu\",\"text\":\"us\"");
    let answer = ask(HttpCall::tool("mirrored", json!({})).header("mcp-param-text", "us").body(body)).await;
    assert!(answer.is_tool_error(), "{}", answer.shown());
}

#[tokio::test]
async fn members_that_nobody_knows_are_ignored() {
    let call = echo_call().edit(|message| {
        message["extra"] = json!({ "a": [1] });
        message["params"]["extra"] = json!("x");
    });
    assert_eq!(ask(call).await.tool_text(), "hi");
}

#[tokio::test]
async fn names_written_with_escapes_are_the_same_names() {
    let body = echo_call().text().replace("\"method\":\"tools/call\"", "\"\\u006dethod\":\"tools\\/c\\u0061ll\"");
    assert_eq!(ask(echo_call().body(body)).await.tool_text(), "hi");
}

fn notification(method: &str) -> HttpCall {
    HttpCall::new(method, json!({})).edit(|message| drop(message.as_object_mut().expect("an object").remove("id")))
}

#[tokio::test]
async fn notifications_are_accepted_and_never_answered() {
    let bare = || notification("notifications/x").body(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
    for call in [
        notification("notifications/initialized"),
        notification("notifications/cancelled"),
        notification("no/such/thing"),
        notification("tools/call"),
        bare(),
        bare().without_header("mcp-method").without_header("mcp-protocol-version"),
    ] {
        let answer = ask(call).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0), "{}", answer.shown());
        assert_eq!(answer.header("content-type"), None);
    }
}

#[tokio::test]
async fn a_notification_whose_header_contradicts_it_is_refused() {
    let answer = ask(notification("notifications/x").header("mcp-method", "notifications/y")).await;
    assert_eq!(answer.outcome(), (400, Some(-32020)));
    assert_eq!(answer.json().get("id"), None);
}

#[tokio::test]
async fn deep_nesting_is_refused_and_crashes_nothing() {
    const DEPTH: usize = 100_000;
    let kinds = [("[".repeat(DEPTH), "]".repeat(DEPTH)), (r#"{"a":"#.repeat(DEPTH), format!("1{}", "}".repeat(DEPTH)))];
    for (open, close) in &kinds {
        let deep = format!("{open}{close}");
        let place = |call: &HttpCall, from: &str, to: &str| {
            let text = call.text();
            let body = text.replacen(from, &to.replace("DEEP", &deep), 1);
            assert_ne!(body.len(), text.len(), "{from}");
            call.clone().body(body)
        };
        let echo = echo_call();
        let mirrored = HttpCall::tool("mirrored", json!({ "text": "us" })).header("mcp-param-text", "us");
        let anything = HttpCall::tool("anything", json!({ "value": 1 }));
        for (what, call) in [
            ("argument", place(&echo, "\"hi\"", "DEEP")),
            ("any argument", place(&anything, "\"value\":1", "\"value\":DEEP")),
            ("arguments", place(&anything, "{\"value\":1}", "DEEP")),
            ("mirrored argument", place(&mirrored, "\"us\"", "DEEP")),
            ("params", HttpCall::list().body(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{deep}}}"#))),
            ("meta", place(&echo, "\"_meta\":{", "\"_meta\":DEEP,\"x\":{")),
            ("version", place(&echo, "\"2026-07-28\"", "DEEP")),
            ("id", place(&echo, "\"id\":7", "\"id\":DEEP")),
            ("method", place(&echo, "\"tools/call\"", "DEEP")),
            ("top", echo.clone().body(deep.clone())),
            ("unclosed", echo.clone().body(open.clone())),
        ] {
            let answer = ask(call).await;
            let refused =
                (400..500).contains(&answer.status) || answer.is_tool_error() || answer.outcome() == (200, Some(-32602));
            assert!(refused, "{what}: {}", answer.shown());
        }
        // Where nothing is read, nothing is wrong.
        for (what, call) in [
            ("member", place(&echo, "\"id\":7", "\"id\":7,\"x\":DEEP")),
            ("params member", place(&echo, "\"arguments\"", "\"x\":DEEP,\"arguments\"")),
            ("meta member", place(&echo, "\"_meta\":{", "\"_meta\":{\"x\":DEEP,")),
            ("capability", place(&echo, "clientCapabilities\":{", "clientCapabilities\":{\"sampling\":{\"x\":DEEP}")),
        ] {
            assert_eq!(ask(call).await.outcome(), (200, None), "{what}");
        }
    }
}
