//! Resources: fixed ones and families, what their variables may hold, what is read, who may read it, and what goes wrong.

mod every_era;
mod http_call;

use std::sync::atomic::{AtomicU32, Ordering};

use every_era::clients;
use http_call::{HttpCall, router};
use mcp_runtime::Resource;
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Answer, Client, Era};
use serde_json::{Value, json};

fn server(resources: impl IntoIterator<Item = Resource>) -> Server {
    Server::new("resources", "0").allow_anonymous().only([]).only_prompts([]).only_resources(resources)
}

/// The code that a client of this revision knows a missing resource by.
fn missing(era: Era) -> i64 {
    if era.is_legacy() { -32002 } else { -32602 }
}

/// It is answered as what was never there.
fn assert_missing(era: Era, uri: &str, answer: &Answer) {
    let error = json!({ "code": missing(era), "message": "No such resource", "data": { "uri": uri } });
    assert_eq!((answer.status(), &answer.message()["error"]), (200, &error), "{era:?} {uri}");
    assert_eq!(answer.message().get("result"), None, "{era:?} {uri}");
}

/// Reads a text in every revision.
async fn text(server: &Server, uri: &str) -> String {
    let mut texts = Vec::new();
    for (era, client) in clients(server) {
        let answer = client.read(uri).await;
        let [contents] = answer.contents() else { panic!("{era:?} {uri}: {}", answer.message()) };
        assert_eq!(contents["uri"], uri, "{era:?}");
        texts.push(contents["text"].as_str().expect("a text").to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{uri}: {texts:?}");
    texts.remove(0)
}

// ---------------------------------------------------------------------------------------------- variables

#[data]
#[serde(rename_all = "lowercase")]
enum Shade {
    Light,
    Dark,
}

/// Every kind of variable.
#[resource("typed://{id}/{shade}/{bright}{?limit,from}")]
fn typed(id: u64, shade: Shade, bright: bool, limit: Option<u8>, #[arg(default = "start")] from: String) -> String {
    let shade = if matches!(shade, Shade::Light) { "light" } else { "dark" };
    format!("{id} {shade} {bright} {limit:?} {from}")
}

#[tokio::test]
async fn variables_have_types() {
    let server = server([typed::resource()]);
    for (uri, read) in [
        ("typed://7/light/true", "7 light true None start"),
        ("typed://18446744073709551615/dark/false?limit=255", "18446744073709551615 dark false Some(255) start"),
        ("typed://7/d%61rk/true?from=a%20b%26+c&limit=0", "7 dark true Some(0) a b&+c"),
        ("typed://7/dark/true?from=", "7 dark true None "),
        ("TYPED://7/dark/true", "7 dark true None start"),
    ] {
        assert_eq!(text(&server, uri).await, read, "{uri}");
    }
    for uri in [
        "typed://-1/light/true",
        "typed://18446744073709551616/light/true",
        "typed://seven/light/true",
        "typed:///light/true",
        "typed://7/Light/true",
        "typed://7/grey/true",
        "typed://7/light/yes",
        "typed://7/light/true?limit=256",
        "typed://7/light/true?limit=",
        "typed://7/light/true?limit=1&limit=2",
        "typed://7/light/true?other=1",
        "typed://7/light/true?",
        "typed://7/light/true/",
        "typed://7/light/true#part",
        "typed://7/light/%ff",
        "typed://7/light/%4",
    ] {
        for (era, client) in clients(&server) {
            assert_missing(era, uri, &client.read(uri).await);
        }
    }
}

/// A room.
#[resource("house:all{/floor,room}")]
fn room(floor: u8, room: String) -> String {
    format!("{room} on {floor}")
}

/// What is below a folder.
#[resource("files://root/{+path}")]
fn file(path: String) -> String {
    path
}

/// One name.
#[resource("docs://{name}")]
fn document(name: String) -> String {
    name
}

/// What is found.
#[resource("search:all{?q}")]
fn search(q: Option<String>) -> String {
    format!("{q:?}")
}

/// One that a family could name as well.
#[resource("docs://index")]
fn index() -> &'static str {
    "the index"
}

#[tokio::test]
async fn every_form_of_a_variable_takes_its_part_of_the_uri() {
    let server = server([room::resource(), file::resource(), document::resource(), search::resource(), index::resource()]);
    for (uri, read) in [
        ("house:all/3/kitchen", "kitchen on 3"),
        ("files://root/a", "a"),
        ("files://root/a/b%20c/.d/..e", "a/b c/.d/..e"),
        ("docs://a.b", "a.b"),
        ("docs://.", "."),
        ("search:all", "None"),
        ("search:all?q=x/y?z", "Some(\"x/y?z\")"),
        ("docs://index", "the index"),
    ] {
        assert_eq!(text(&server, uri).await, read, "{uri}");
    }
    for uri in
        ["house:all/3", "house:all/3/a/b", "files://root/", "files://root", "docs://a/b", "docs://", "docs", "", " docs://a"]
    {
        for (era, client) in clients(&server) {
            assert_missing(era, uri, &client.read(uri).await);
        }
    }
}

/// Parts that leave their place, as a client would write them.
const ESCAPES: [&str; 19] = [
    "..",
    "%2e%2e",
    "%2E.",
    "..%2Fa",
    "a%2F..%2F..%2Fb",
    "%2Fetc%2Fpasswd",
    "%2f%2fhost",
    "C:",
    "c%3A%5Cx",
    "a%5Cb",
    "..%5Ca",
    "a%00",
    "%00",
    "a%0Ab",
    // Encoded twice: whoever decodes again, as URL parsers do with dots, would find one of the above.
    "%252e%252e",
    "%252e.%252fa",
    "%252Fetc",
    "a%255Cb",
    "a%2500",
];

#[tokio::test]
async fn a_value_that_leaves_its_place_names_nothing() {
    let server = server([file::resource(), document::resource()]);
    for part in ESCAPES {
        for uri in
            [format!("docs://{part}"), format!("files://root/{part}"), format!("files://root/{}", part.replace("%2F", "/"))]
        {
            for (era, client) in clients(&server) {
                assert_missing(era, &uri, &client.read(&uri).await);
            }
        }
    }
    for uri in ["files://root//etc/passwd", "files://root/../x", "files://root/a/../../x", "files://root/a\\b", "docs://a\u{0}"] {
        for (era, client) in clients(&server) {
            assert_missing(era, uri, &client.read(uri).await);
        }
    }
}

/// Any place there is, within an area.
#[resource("raw://{area}/{+path}", unchecked("path"))]
fn raw(area: String, path: String) -> String {
    format!("{area} {path:?}")
}

#[tokio::test]
async fn only_the_variables_that_are_named_are_exempt() {
    let server = server([raw::resource()]);
    for part in ["..", "%2e%2e", "a/../..", "/etc", "C:%5Cx", "a%00", "%252e%252e"] {
        let value = part.replace("%2e", ".").replace("%5C", "\\").replace("%00", "\0").replace("%252e", "%2e");
        assert_eq!(text(&server, &format!("raw://a/{part}")).await, format!("a {value:?}"), "{part}");
    }
    for (era, client) in clients(&server) {
        for uri in ["raw://../x", "raw://%2e%2e/x", "raw://a%5Cb/x", "raw://%252e%252e/x"] {
            assert_missing(era, uri, &client.read(uri).await);
        }
    }
}

// ---------------------------------------------------------------------------------------------- contents

/// The note of today.
#[resource("notes://today", mime_type = "text/plain")]
fn note() -> &'static str {
    "sunny"
}

/// A picture.
#[resource("pictures://{id}", mime_type = "image/png")]
fn picture(id: u8) -> Vec<u8> {
    vec![id, 255]
}

#[data]
struct Order {
    id: u64,
}

/// An order.
#[resource("orders://{id}")]
async fn order(id: u64) -> Result<Json<Order>, ResourceError> {
    std::future::ready(()).await;
    if id == 0 { Err(ResourceError::NotFound) } else { Ok(Json(Order { id })) }
}

/// A folder: itself and what is in it.
#[resource("folder://a", mime_type = "text/x-folder")]
fn folder() -> ResourceResult {
    ResourceResult::new()
        .with(ResourceContents::text("folder://a", "two files"))
        .with(ResourceContents::text("folder://a/1", "one").mime_type("text/markdown").meta("com.example/page", 1))
        .with(ResourceContents::bytes("folder://a/2", [0, 1]))
        .meta("com.example/files", 2)
}

/// Nothing, in one of two ways.
#[resource("empty://{way}")]
fn empty(way: String) -> ResourceResult {
    drop(way);
    ResourceResult::new()
}

#[tokio::test]
async fn what_was_read_is_told_in_the_revisions_own_form() {
    let server = server([note::resource(), picture::resource(), order::resource(), folder::resource(), empty::resource()]);
    for (era, client) in clients(&server) {
        for (uri, contents) in [
            ("notes://today", json!([{ "uri": "notes://today", "mimeType": "text/plain", "text": "sunny" }])),
            ("pictures://7", json!([{ "uri": "pictures://7", "mimeType": "image/png", "blob": "B/8=" }])),
            ("orders://7", json!([{ "uri": "orders://7", "mimeType": "application/json", "text": "{\"id\":7}" }])),
        ] {
            let mut result = client.read(uri).await.result().clone();
            if !era.is_legacy() {
                let own = json!({ "io.modelcontextprotocol/serverInfo": { "name": "resources", "version": "0" } });
                assert_eq!(result["_meta"].take(), own);
                result.as_object_mut().expect("an object").remove("_meta");
            }
            let modern = json!({ "contents": contents, "resultType": "complete", "ttlMs": 0, "cacheScope": "private" });
            assert_eq!(result, if era.is_legacy() { json!({ "contents": contents }) } else { modern }, "{era:?}");
        }
        let answer = client.read("folder://a").await;
        let mut page = json!({ "uri": "folder://a/1", "mimeType": "text/markdown", "text": "one" });
        if era > Era::V2025_03_26 {
            page["_meta"] = json!({ "com.example/page": 1 });
        }
        let own = json!({ "uri": "folder://a", "mimeType": "text/x-folder", "text": "two files" });
        assert_eq!(answer.contents(), [own, page, json!({ "uri": "folder://a/2", "blob": "AAE=" })], "{era:?}");
        assert_eq!(answer.result()["_meta"]["com.example/files"], 2, "{era:?}");
        for uri in ["empty://result", "orders://0"] {
            assert_missing(era, uri, &client.read(uri).await);
        }
    }
}

// ---------------------------------------------------------------------------------------------- the request

#[tokio::test]
async fn the_name_in_the_header_is_the_uri_byte_for_byte() {
    let router = router(server([note::resource(), document::resource()]));
    let read = |uri: &str| HttpCall::new("resources/read", json!({ "uri": uri }));
    let outcome = async |call: HttpCall| call.send(&router).await.outcome();
    assert_eq!(outcome(read("notes://today").header("mcp-name", "notes://today")).await, (200, None));
    assert_eq!(outcome(read("docs://ü").header("mcp-name", "=?base64?ZG9jczovL8O8?=")).await, (200, Some(-32602)));
    assert_eq!(outcome(read("docs://a").header("mcp-name", "=?base64?ZG9jczovL2E=?=")).await, (200, None));
    for wrong in ["NOTES://today", "notes://today/", "notes://Today", "notes", "docs://%74oday", "=?base64?%?="] {
        assert_eq!(outcome(read("notes://today").header("mcp-name", wrong)).await, (400, Some(-32020)), "{wrong}");
    }
    assert_eq!(outcome(read("docs://a").header("mcp-name", "docs://%61")).await, (400, Some(-32020)), "nothing is normalised");
    assert_eq!(outcome(read("notes://today")).await, (400, Some(-32020)));
    assert_eq!(outcome(read("notes://missing")).await, (400, Some(-32020)), "before it is looked for");
    for era in Era::ALL.into_iter().filter(|era| era.is_legacy()) {
        for name in ["notes://other", "=?base64?%?="] {
            let session = http_call::open(&router, HttpCall::initialize(era)).await;
            let call = read("notes://today").in_era(era).session(&session).header("mcp-name", name);
            assert_eq!(outcome(call).await, (200, None), "{era:?}");
        }
    }
}

#[tokio::test]
async fn a_read_names_its_resource_by_a_string() {
    let server = server([note::resource()]);
    for (era, client) in clients(&server) {
        for params in [json!({}), json!({ "uri": null }), json!({ "uri": 5 }), json!({ "uri": ["notes://today"] })] {
            // A name in a header is compared with none.
            let answer = client.clone().header("mcp-name", "x").request("resources/read", params.clone()).await;
            assert_eq!(answer.error_code(), Some(-32602), "{era:?} {params}: {}", answer.message());
            assert!(answer.error_message().contains("params.uri must be a string"), "{}", answer.error_message());
        }
    }
}

// ---------------------------------------------------------------------------------------------- callers

struct Shop {
    name: &'static str,
    reads: AtomicU32,
}

/// What the server provides.
#[resource("shop://{id}")]
fn provided(id: u8, shop: State<Shop>, caller: Principal, ctx: Context) -> String {
    shop.reads.fetch_add(1, Ordering::Relaxed);
    format!("{} {id} {} {} {}", shop.name, caller.subject(), ctx.tool_name(), ctx.era().version())
}

#[tokio::test]
async fn what_the_server_provides_is_no_variable() {
    let server = server([provided::resource()]).state(Shop { name: "corner", reads: AtomicU32::new(0) });
    for (era, client) in clients(&server) {
        let anonymous = client.read("shop://7").await;
        assert_eq!((anonymous.status(), anonymous.error_code()), (401, Some(-32600)), "{era:?}");
        let answer = client.principal(Principal::user("ada")).read("shop://7").await;
        assert_eq!(answer.contents()[0]["text"], format!("corner 7 ada provided {}", era.version()));
    }
    let problem = self::server([provided::resource()]).build().expect_err("no state").to_string();
    assert!(problem.contains("the resource `provided` takes `shop: State<") && problem.contains("Shop"), "{problem}");
    assert!(problem.contains("the resource `provided` needs a known caller"), "{problem}");
}

const TOKENS: [&str; 3] = ["nobody-0123456789abcde", "reader-0123456789abcde", "auditor-0123456789abcd"];

/// Orders of all customers.
#[resource("books://all", scopes("books:read", "audit:read"))]
fn books() -> &'static str {
    "all of them"
}

/// What auditors know.
#[resource("secrets://{id}", scopes("audit:read"), hidden)]
fn secret(id: String) -> String {
    id
}

/// What auditors know of all.
#[resource("secrets://{id}/all", scopes("audit:read"), hidden)]
fn secrets(id: String) -> String {
    format!("all of {id}")
}

/// What everybody may know.
#[resource("secrets://{+path}")]
fn no_secret(path: String) -> String {
    format!("no secret: {path}")
}

fn guarded(resources: impl IntoIterator<Item = Resource>) -> Server {
    let tokens = StaticTokens::new()
        .token(TOKENS[0], Principal::user("nob"))
        .token(TOKENS[1], Principal::user("rob").scopes(["books:read"]))
        .token(TOKENS[2], Principal::user("ada").scopes(["books:read", "audit:read"]));
    Server::new("guarded", "0").only([]).only_prompts([]).only_resources(resources).auth(Auth::chain().with(tokens))
}

fn read_as(token: &str, uri: &str) -> HttpCall {
    HttpCall::new("resources/read", json!({ "uri": uri })).header("mcp-name", uri).token(token)
}

#[tokio::test]
async fn whoever_lacks_scopes_is_told_all_of_them() {
    let router = router(guarded([books::resource(), secret::resource(), note::resource()]));
    for era in Era::ALL {
        for token in &TOKENS[..2] {
            let answer = read_as(token, "books://all").send_in(era, &router).await;
            assert_eq!(answer.status, 403, "{era:?} {}", answer.shown());
            let challenge = answer.header("www-authenticate").expect("a challenge");
            assert!(challenge.contains(r#"scope="books:read audit:read""#), "{challenge}");
            assert!(challenge.contains("insufficient_scope"), "{challenge}");
            assert_eq!(read_as(token, "notes://today").send_in(era, &router).await.outcome(), (200, None));
        }
        assert_eq!(read_as(TOKENS[2], "books://all").send_in(era, &router).await.outcome(), (200, None));
        let unsigned = read_as(TOKENS[0], "books://all").without_header("authorization").send(&router).await;
        assert_eq!(unsigned.status, 401);
    }
}

#[tokio::test]
async fn a_hidden_resource_is_as_one_that_is_not_there() {
    let ada = Principal::user("ada").scopes(["audit:read"]);
    let rob = Principal::user("rob").scopes(["books:read"]);
    for (era, client) in clients(&guarded([secret::resource(), note::resource()])) {
        let rob = client.clone().principal(rob.clone());
        assert_missing(era, "secrets://a", &rob.read("secrets://a").await);
        let none = rob.request("resources/templates/list", json!({})).await;
        assert_eq!(none.result()["resourceTemplates"], json!([]), "{era:?}");
        let ada = client.principal(ada.clone());
        assert_eq!(ada.read("secrets://a").await.contents()[0]["text"], "a", "{era:?}");
        let one = ada.request("resources/templates/list", json!({})).await;
        assert_eq!(one.result()["resourceTemplates"][0]["name"], "secret", "{era:?}");
    }
    // Nor does it stand before another one that has the same URIs.
    for (era, client) in clients(&guarded([secret::resource(), secrets::resource(), no_secret::resource()])) {
        let read = async |who: &Principal, uri: &str| {
            client.clone().principal(who.clone()).read(uri).await.contents()[0]["text"].clone()
        };
        assert_eq!(read(&ada, "secrets://a").await, "a", "{era:?}");
        assert_eq!(read(&ada, "secrets://a/all").await, "all of a", "{era:?}");
        assert_eq!(read(&rob, "secrets://a").await, "no secret: a", "{era:?}");
        assert_eq!(read(&rob, "secrets://a/all").await, "no secret: a/all", "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- faults

/// Fails in many ways.
#[resource("faults://{way}", timeout = "3s", max_result_bytes = 20)]
async fn fault(way: String) -> Result<String, ResourceError> {
    match way.as_str() {
        "panic" => panic!("disk 7 is gone"),
        "late" => std::future::pending().await,
        "masked" => Err(std::io::Error::other("disk 7 is gone").into()),
        "told" => Err(ResourceError::user("The archive is closed on Sundays.")),
        "coded" => Err(ToolError::rpc(-31001, "of my own").into()),
        "long" => Ok("disk 7".repeat(4)),
        _ => Ok("just short enough...".to_owned()),
    }
}

/// Panics before there is anything to wait for.
#[resource("faults://at-once")]
fn at_once() -> &'static str {
    panic!("disk 7 is gone")
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_an_internal_error_without_internals() {
    let server = server([fault::resource(), at_once::resource()]).max_concurrent_calls(1);
    for (era, client) in clients(&server) {
        for (way, code, said) in [
            ("panic", -32603, "fault failed. The cause is in the server's log."),
            ("at-once", -32603, "at_once failed. The cause is in the server's log."),
            ("masked", -32603, "fault failed. The cause is in the server's log."),
            ("late", -32603, "fault did not finish within its limit of 3s"),
            ("told", -32603, "The archive is closed on Sundays."),
            ("long", -32603, "fault has a result of 24 bytes, more than the 20 that can be sent"),
            ("coded", -31001, "of my own"),
        ] {
            let answer = client.read(&format!("faults://{way}")).await;
            assert_eq!(answer.message()["error"], json!({ "code": code, "message": said }), "{era:?} {way}");
            assert_eq!(answer.status(), 200, "{era:?} {way}");
        }
        assert_eq!(client.read("faults://none").await.contents()[0]["text"], "just short enough...", "{era:?}");
    }
}

#[test]
fn two_resources_of_the_same_uris_are_one_too_many() {
    /// Another name.
    #[resource("docs://{other}")]
    fn other(other: String) -> String {
        other
    }
    let problem = server([document::resource(), other::resource()]).build().expect_err("a duplicate").to_string();
    assert!(problem.contains("two resources answer to `docs://{"), "{problem}");
    assert!(server([document::resource(), document::resource(), index::resource()]).build().is_ok(), "the same one twice");
}

#[tokio::test]
async fn an_unknown_member_of_a_read_changes_nothing() {
    let client = Client::new(&server([note::resource()]));
    let answer = client.request("resources/read", json!({ "uri": "notes://today", "version": 3, "cursor": "x" })).await;
    assert_eq!(answer.contents().first().map(|part| &part["text"]), Some(&Value::from("sunny")));
}
