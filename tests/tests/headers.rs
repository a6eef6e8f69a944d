//! Headers that repeat the body: they must be there, be well-formed, and agree with it.

mod http_call;

use axum::Router;
use http_call::{Answer, HttpCall, VERSION, router};
use mcp_runtime::prelude::*;
use serde_json::{Value, json};

/// Say it back.
#[tool]
fn echo(message: String) -> String {
    message
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

fn server() -> Router {
    router(Server::new("headers", "0").only([echo::tool(), mirrored::tool()]).allow_anonymous())
}

fn echo_call() -> HttpCall {
    HttpCall::tool("echo", json!({ "message": "hi" }))
}

async fn ask(call: HttpCall) -> Answer {
    call.send(&server()).await
}

fn assert_json(answer: &Answer, status: u16, body: &Value) {
    assert_eq!((answer.status, &answer.json()), (status, body));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn method_and_name_are_repeated_in_headers() {
    let refused = |message: &str| json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32020, "message": message } });
    for (call, message) in [
        (echo_call().without_header("mcp-method"), "Mcp-Method is required, with the method of the body"),
        (echo_call().header("mcp-method", "tools/list"), "Mcp-Method differs from the method in the body"),
        (echo_call().header("mcp-method", "Tools/Call"), "Mcp-Method differs from the method in the body"),
        (echo_call().header("mcp-method", "=?base64?dG9vbHMvY2FsbA==?="), "Mcp-Method differs from the method in the body"),
        (echo_call().without_header("mcp-name"), "Mcp-Name is required, with the name in the body's params"),
        (echo_call().header("mcp-name", "mirrored"), "Mcp-Name differs from the name in the body's params"),
        (echo_call().header("mcp-name", "ECHO"), "Mcp-Name differs from the name in the body's params"),
        (echo_call().header("mcp-name", ""), "Mcp-Name differs from the name in the body's params"),
        (
            echo_call().header("mcp-name", "=?base64?ZWNobw?="),
            "Mcp-Name is marked as Base64, but is not canonical Base64 of UTF-8 text",
        ),
    ] {
        assert_json(&ask(call).await, 400, &refused(message));
    }
    let sentinel = "=?base64?MjAyNi0wNy0yOA==?=";
    assert_eq!(ask(echo_call().header("mcp-protocol-version", sentinel)).await.outcome(), (400, Some(-32020)));
}

#[tokio::test]
async fn a_needless_sentinel_in_the_name_is_decoded() {
    assert_eq!(ask(echo_call().header("mcp-name", "=?base64?ZWNobw==?=")).await.tool_text(), "hi");
}

#[tokio::test]
async fn a_name_where_none_belongs_is_ignored() {
    assert_eq!(ask(HttpCall::list().header("mcp-name", "mirrored").another("mcp-name", "x")).await.status, 200);
}

#[tokio::test]
async fn white_space_around_header_values_is_no_part_of_them() {
    let padded = ["mcp-protocol-version", "mcp-method", "mcp-name"];
    for (name, value) in padded.into_iter().zip([VERSION, "tools/call", "echo"]) {
        for value in [format!(" {value}"), format!("{value}\t "), format!("\t {value} \t")] {
            assert_eq!(ask(echo_call().header(name, &value)).await.outcome(), (200, None), "{name}: {value:?}");
        }
        let inside = value.replacen(|c: char| c.is_ascii_lowercase() || c == '-', " ", 1);
        assert_eq!(ask(echo_call().header(name, &inside)).await.outcome(), (400, Some(-32020)), "{name}: {inside:?}");
    }
    let call = HttpCall::tool("mirrored", json!({ "text": "us" })).header("mcp-param-text", " us\t");
    assert_eq!(ask(call).await.outcome(), (200, None));
}

#[tokio::test]
async fn a_repeated_header_is_malformed_even_if_the_copies_agree() {
    for (name, value) in [("mcp-protocol-version", VERSION), ("mcp-method", "tools/call"), ("mcp-name", "echo")] {
        for second in [value, "other"] {
            let answer = ask(echo_call().another(name, second)).await;
            assert_eq!(answer.outcome(), (400, Some(-32020)), "{name}: {second}");
            assert_eq!(answer.json()["id"], 7);
        }
    }
    let call = HttpCall::tool("mirrored", json!({ "text": "us" })).header("mcp-param-text", "us").another("mcp-param-text", "us");
    assert_eq!(ask(call).await.outcome(), (400, Some(-32020)));
}

#[tokio::test]
async fn bytes_beyond_visible_ascii_are_refused_in_every_protocol_header() {
    for name in ["mcp-protocol-version", "mcp-method", "mcp-name"] {
        for bytes in [b"tools\xffcall".as_slice(), "Zürich".as_bytes(), b"\x80"] {
            let answer = ask(echo_call().header(name, bytes)).await;
            assert_eq!(answer.outcome(), (400, Some(-32020)), "{name}: {bytes:?}");
        }
    }
    let call = HttpCall::tool("mirrored", json!({ "text": "Zürich" })).header("mcp-param-text", "Zürich");
    assert_eq!(ask(call).await.outcome(), (400, Some(-32020)), "the right text, but raw");
}

#[tokio::test]
async fn the_sentinel_is_decoded_strictly_and_only_when_whole() {
    for (header, text, agrees) in [
        ("Hello", "Hello", true),
        ("=?base64?SGVsbG8=?=", "Hello", true),
        ("=?base64?5pel5pys6Kqe?=", "日本語", true),
        ("=?base64?IHVzIA==?=", " us ", true),
        ("=?base64?YQpi?=", "a\nb", true),
        ("=?base64??=", "", true),
        ("", "", true),
        ("=?base64?PT9iYXNlNjQ/U0dWc2JHOD0/PQ==?=", "=?base64?SGVsbG8=?=", true),
        // Not whole: plain text.
        ("=?base64?=", "=?base64?=", true),
        ("=?BASE64?SGVsbG8=?=", "=?BASE64?SGVsbG8=?=", true),
        ("=?base64?SGVsbG8=", "=?base64?SGVsbG8=", true),
        ("SGVsbG8=?=", "SGVsbG8=?=", true),
        ("=?BASE64?SGVsbG8=?=", "Hello", false),
        ("=?base64?SGVsbG8=", "Hello", false),
        ("SGVsbG8=", "Hello", false),
        // Looks like a sentinel, so it must be encoded.
        ("=?base64?SGVsbG8=?=", "=?base64?SGVsbG8=?=", false),
        // Broken: padding, letters, spare bits, alphabet, UTF-8.
        ("=?base64?SGVsbG8?=", "Hello", false),
        ("=?base64?SGVsbG8==?=", "Hello", false),
        ("=?base64?SGVs!!!bG8=?=", "Hello", false),
        ("=?base64?SGVs bG8=?=", "Hello", false),
        ("=?base64?SGVsbG9=?=", "Hello", false),
        ("=?base64?w7_Dvz8=?=", "ÿÿ?", false),
        ("=?base64?/w==?=", "ÿ", false),
        ("hello", "Hello", false),
        ("us", " us ", false),
    ] {
        let answer = ask(HttpCall::tool("mirrored", json!({ "text": text })).header("mcp-param-text", header)).await;
        let expected = if agrees { (200, None) } else { (400, Some(-32020)) };
        assert_eq!(answer.outcome(), expected, "{header:?} for {text:?}: {}", answer.shown());
    }
}

#[tokio::test]
async fn mirrored_arguments_and_their_headers_agree() {
    for (arguments, header, value, agrees) in [
        (json!({ "count": 42 }), "count", "42", true),
        (json!({ "count": 42 }), "count", "42.0", true),
        (json!({ "count": 42 }), "count", "=?base64?NDI=?=", true),
        (json!({ "count": -7 }), "count", "-7", true),
        (json!({ "count": 0 }), "count", "0", true),
        (json!({ "count": 9_007_199_254_740_991_i64 }), "count", "9007199254740991", true),
        (json!({ "count": 9_007_199_254_740_991_i64 }), "count", "9007199254740990", false),
        (json!({ "count": 42 }), "count", "42.5", false),
        (json!({ "count": 42 }), "count", "0x2a", false),
        (json!({ "count": 42 }), "count", "4.2e1", false),
        (json!({ "count": 42 }), "count", "+42", false),
        (json!({ "count": 42 }), "count", "43", false),
        (json!({ "count": 42 }), "count", "", false),
        (json!({ "count": 42 }), "count", "4 2", false),
        (json!({ "flag": true }), "flag", "true", true),
        (json!({ "flag": false }), "flag", "false", true),
        (json!({ "flag": true }), "flag", "True", false),
        (json!({ "flag": true }), "flag", "1", false),
        (json!({ "flag": false }), "flag", "true", false),
        (json!({ "text": "us" }), "text", "us", true),
        (json!({ "text": "us" }), "text", "US", false),
        (json!({ "place": { "region": "eu" } }), "region", "eu", true),
        (json!({ "place": { "region": "eu" } }), "region", "us", false),
        (json!({ "place": { "street": "Main" } }), "region", "eu", false),
        (json!({ "region": "eu" }), "region", "eu", false),
    ] {
        let call = HttpCall::tool("mirrored", arguments.clone()).header(&format!("mcp-param-{header}"), value);
        let answer = ask(call).await;
        let expected = if agrees { (200, None) } else { (400, Some(-32020)) };
        assert_eq!(answer.outcome(), expected, "{header}: {value:?} for {arguments}: {}", answer.shown());
        assert!(!answer.is_tool_error(), "{header}: {value:?} for {arguments}: {}", answer.shown());
    }
}

#[tokio::test]
async fn an_integer_with_a_zero_fraction_is_an_integer() {
    let body = HttpCall::tool("mirrored", json!({ "count": 42 })).text().replace("\"count\":42", "\"count\":42.0");
    assert!(body.contains("42.0"), "{body}");
    let answer = ask(HttpCall::tool("mirrored", json!({})).header("mcp-param-count", "42").body(body)).await;
    assert_eq!(answer.tool_text(), "None Some(42) None None");
}

#[tokio::test]
async fn a_set_argument_needs_its_header_and_an_unset_one_must_not_have_it() {
    let refused = |message: &str| json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32020, "message": message } });
    for (arguments, header, message) in [
        (json!({ "text": "us" }), None, "Mcp-Param-Text is required because arguments.text is set"),
        (json!({ "text": "" }), None, "Mcp-Param-Text is required because arguments.text is set"),
        (json!({ "count": 0 }), None, "Mcp-Param-Count is required because arguments.count is set"),
        (json!({ "flag": false }), None, "Mcp-Param-Flag is required because arguments.flag is set"),
        (json!({ "place": { "region": "eu" } }), None, "Mcp-Param-Region is required because arguments.place.region is set"),
        (json!({}), Some("text"), "Mcp-Param-Text is sent, but arguments.text is not set"),
        (json!({ "text": null }), Some("text"), "Mcp-Param-Text is sent, but arguments.text is not set"),
        (json!({ "place": null }), Some("region"), "Mcp-Param-Region is sent, but arguments.place.region is not set"),
        (json!({ "text": "us" }), Some("text"), "Mcp-Param-Text differs from arguments.text"),
    ] {
        let call = HttpCall::tool("mirrored", arguments);
        let call = if let Some(header) = header { call.header(&format!("mcp-param-{header}"), "x") } else { call };
        assert_json(&ask(call).await, 400, &refused(message));
    }
    for unset in [json!({}), json!({ "text": null, "count": null, "flag": null, "place": { "region": null } })] {
        assert_eq!(ask(HttpCall::tool("mirrored", unset)).await.outcome(), (200, None));
    }
}

#[tokio::test]
async fn a_mirrored_argument_of_the_wrong_type_is_the_tools_own_answer() {
    let call = HttpCall::tool("mirrored", json!({ "count": "42" })).header("mcp-param-count", "42");
    let answer = ask(call).await;
    assert!(answer.is_tool_error(), "{}", answer.shown());
    assert!(answer.tool_text().contains("count: expected an integer"), "{}", answer.tool_text());
}

#[tokio::test]
async fn headers_of_no_parameter_are_ignored() {
    let call = echo_call().header("mcp-param-unknown", "x").another("mcp-param-unknown", b"\xff").header("mcp-other", "y");
    assert_eq!(ask(call).await.outcome(), (200, None));
}
