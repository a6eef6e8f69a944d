//! What goes beyond the core: extensions of the protocol, `_meta` of requests and results, and MCP Apps.

mod every_era;
mod http_call;

use every_era::clients;
use http_call::{CAPABILITIES_KEY, HttpCall, router};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use mcp_runtime::{Error, Problem, ProtocolExtension};
use serde_json::{Value, json};

fn server() -> Server {
    Server::new("extensions", "0").allow_anonymous().only([]).only_prompts([]).only_resources([])
}

/// What a client of this revision reads when it opens.
async fn capabilities(server: &Server, era: Era) -> Value {
    let opening = if era.is_legacy() { HttpCall::initialize(era) } else { HttpCall::new("server/discover", json!({})) };
    opening.send(&router(server.clone())).await.json()["result"]["capabilities"].clone()
}

fn problems(server: Server) -> Vec<Problem> {
    match server.build() {
        Err(Error::Config(problems)) => problems,
        Err(other) => panic!("{other}"),
        Ok(_) => Vec::new(),
    }
}

// ---------------------------------------------------------------------------------------------- extensions

const ID: &str = "com.example/greetings";

fn greetings() -> ProtocolExtension {
    ProtocolExtension::new(ID)
        .settings(json!({ "languages": ["en", "pt"] }))
        .method("greetings/say", async |ctx: Context, params| {
            let own = ctx.client_extension(ID).map(Value::from);
            Ok(json!({
                "params": params, "settings": own, "caller": ctx.principal().map(|caller| caller.subject().to_owned()),
                "name": ctx.tool_name(), "trace": ctx.meta("traceparent"), "place": ctx.state::<&'static str>().map(|place| *place),
            }))
        })
        .method("greetings/fail", async |ctx: Context, params| match params.get("way").and_then(Value::as_str).unwrap_or_default() {
            "panic" => panic!("disk 7 is gone"),
            "late" => std::future::pending().await,
            "masked" => Err(std::io::Error::other("disk 7 is gone").into()),
            "told" => Err(ToolError::user("Send a name.")),
            "coded" => Err(ToolError::rpc(-31001, "of my own")),
            "long" => Ok(json!({ "text": "x".repeat(1000) })),
            "no object" => Ok(json!(["disk 7"])),
            "progress" => {
                ctx.progress(1.0, 2.0, "half");
                tokio::task::yield_now().await;
                Ok(json!({}))
            }
            _ => Ok(json!({ "resultType": "greeting", "_meta": { "com.example/own": 1 } })),
        })
}

#[tokio::test]
async fn an_extension_is_declared_to_every_client() {
    let server = server().extension(greetings()).extension(ProtocolExtension::new("com.example/silent"));
    for era in Era::ALL {
        let declared = capabilities(&server, era).await;
        let settings = json!({ ID: { "languages": ["en", "pt"] }, "com.example/silent": {} });
        assert_eq!(declared, json!({ "extensions": settings }), "{era:?}");
        assert_eq!(capabilities(&self::server(), era).await, json!({}), "{era:?}: off unless added");
    }
}

#[tokio::test]
async fn a_method_of_an_extension_is_as_one_of_the_core() {
    let router = router(server().extension(greetings()).state("Lisbon"));
    for era in Era::ALL {
        let call = |params: Value| HttpCall::new("greetings/say", params);
        let declared = json!({ "extensions": { ID: { "polite": true }, "com.example/other": {} }, "sampling": {} });
        let traced = call(json!({ "name": "Ada", "list": [1] }))
            .meta(CAPABILITIES_KEY, declared)
            .meta("traceparent", json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        let answer = traced.send_in(era, &router).await;
        let settings = if era.is_legacy() { Value::Null } else { json!({ "polite": true }) };
        let mut expected = json!({
            "params": { "name": "Ada", "list": [1] }, "settings": settings, "caller": null, "name": "greetings/say",
            "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "place": "Lisbon",
        });
        if !era.is_legacy() {
            expected["resultType"] = "complete".into();
            expected["_meta"] = json!({ "io.modelcontextprotocol/serverInfo": { "name": "extensions", "version": "0" } });
        }
        assert_eq!((answer.status, &answer.json()["result"]), (200, &expected), "{era:?}");
        let plain = call(json!({})).send_in(era, &router).await.json();
        assert_eq!((&plain["result"]["settings"], &plain["result"]["params"]), (&Value::Null, &json!({})), "{era:?}");
        let odd = json!({ "extensions": { ID: true } });
        let plain = call(json!({})).meta(CAPABILITIES_KEY, odd).send_in(era, &router).await.json();
        assert_eq!(plain["result"]["settings"], Value::Null, "{era:?}: settings are an object");
        // What no extension has is unknown as before.
        for method in ["greetings/shout", "greetings", "greetings/", "Greetings/say", "tools/list"] {
            let (status, code) = HttpCall::new(method, json!({})).send_in(era, &router).await.outcome();
            assert_eq!((status, code), (if era.is_legacy() { 200 } else { 404 }, Some(-32601)), "{era:?} {method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_an_extension_is_an_error_without_internals() {
    let server = server().extension(greetings()).max_concurrent_calls(1).max_result_bytes(1000);
    let server = server.timeout(std::time::Duration::from_secs(3));
    for (era, client) in clients(&server) {
        for (way, code, said) in [
            ("panic", -32603, "greetings/fail failed. The cause is in the server's log."),
            ("masked", -32603, "greetings/fail failed. The cause is in the server's log."),
            ("no object", -32603, "greetings/fail failed. The cause is in the server's log."),
            ("late", -32603, "greetings/fail did not finish within its limit of 3s"),
            ("long", -32603, "greetings/fail has a result of 1011 bytes, more than the 1000 that can be sent"),
            ("told", -32602, "Send a name."),
            ("coded", -31001, "of my own"),
        ] {
            let answer = client.request("greetings/fail", json!({ "way": way })).await;
            assert_eq!(answer.message()["error"], json!({ "code": code, "message": said }), "{era:?} {way}");
            assert_eq!(answer.status(), 200, "{era:?} {way}");
        }
        let answer = client.request("greetings/fail", json!({})).await;
        assert_eq!(answer.result()["_meta"]["com.example/own"], 1, "{era:?}");
        assert_eq!(answer.result()["resultType"], "greeting", "{era:?}: its own stands");
        let asking = client.clone().progress();
        let answer = asking.request("greetings/fail", json!({ "way": "progress" })).await;
        assert_eq!(answer.progress().len(), 1, "{era:?}");
        let empty = if era.is_legacy() { json!({}) } else { json!("complete") };
        assert_eq!(if era.is_legacy() { answer.result() } else { &answer.result()["resultType"] }, &empty, "{era:?}");
    }
}

#[tokio::test]
async fn a_method_of_an_extension_is_behind_the_door_of_all_others() {
    let tokens = StaticTokens::new().token("0123456789abcdef0123", Principal::user("ada"));
    let guarded = Server::new("extensions", "0").only([]).only_prompts([]).only_resources([]);
    let router = router(guarded.extension(greetings()).auth(Auth::chain().with(tokens)));
    for era in Era::ALL {
        let say = || HttpCall::new("greetings/say", json!({}));
        assert_eq!(say().send_in(era, &router).await.status, 401, "{era:?}");
        let answer = say().token("0123456789abcdef0123").send_in(era, &router).await;
        assert_eq!(answer.json()["result"]["caller"], "ada", "{era:?}");
    }
    let headers = HttpCall::new("greetings/say", json!({})).token("0123456789abcdef0123").header("mcp-method", "greetings/fail");
    assert_eq!(headers.send(&router).await.outcome(), (400, Some(-32020)));
}

#[test]
fn names_of_extensions_and_methods_follow_the_rules() {
    let is_wrong = |extension: ProtocolExtension| match &problems(server().extension(extension))[..] {
        [Problem::Setting { setting, .. }] => (*setting).to_owned(),
        others => format!("{others:?}"),
    };
    for id in [
        "",
        "greetings",
        "/greetings",
        "com.example/",
        "com..example/a",
        ".example/a",
        "com.example./a",
        "com.example/a b",
        "com.example/a/b",
        "com.example/ü",
        "com.mcp/a",
        "io.modelcontextprotocol/ui",
        "dev.mcp.tools/a",
        "1com.example/a",
        "com.-example/a",
        "com.example-/a",
        "com.exam_ple/a",
        "com.example/-a",
        "com.example/a.",
    ] {
        assert_eq!(is_wrong(ProtocolExtension::new(id)), "extension", "{id}");
    }
    for id in ["com.example/a", "com.example.mcp/a", "example/a", "x-1.y2/A_b-c.9", "mcp/a"] {
        assert_eq!(problems(server().extension(ProtocolExtension::new(id))), [], "{id}");
    }
    for method in ["", "say", "/say", "a/", "tools/list", "tools/mine", "tasks/get", "server/discover", "a/b c", "a/ü", "a/\n"] {
        let extension = ProtocolExtension::new(ID).method(method.to_owned().leak(), async |_, _| Ok(json!({})));
        assert_eq!(is_wrong(extension), "the method of an extension", "{method}");
    }
    for settings in [json!([]), Value::Null, json!("a")] {
        assert_eq!(is_wrong(ProtocolExtension::new(ID).settings(settings)), "the settings of an extension");
    }
    let twice = problems(server().extension(greetings()).extension(greetings()));
    assert_eq!(twice.len(), 3, "an id and two methods: {twice:?}");
}

// ---------------------------------------------------------------------------------------------- `_meta`

/// What a request says of itself.
fn said(ctx: &Context) -> String {
    let keys = ["traceparent", "com.example/tenant", "io.modelcontextprotocol/protocolVersion", "progressToken", "nothing"];
    Value::from_iter(keys.map(|key| ctx.meta(key))).to_string()
}

/// Say it in a tool.
#[tool]
fn said_to_tool(ctx: Context) -> ToolResult {
    ToolResult::text(said(&ctx)).meta("com.example/own", 1).meta("io.modelcontextprotocol/serverInfo", "forged")
}

/// Say it in a prompt.
#[prompt]
fn said_to_prompt(ctx: Context) -> PromptResult {
    let own = PromptResult::new().meta("com.example/own", 1).meta("io.modelcontextprotocol/serverInfo", "forged");
    own.with(Message::user(said(&ctx)))
}

/// Say it in a resource.
#[resource("said:all")]
fn said_to_resource(ctx: Context) -> ResourceResult {
    let own = ResourceResult::new().meta("com.example/own", 1).meta("io.modelcontextprotocol/serverInfo", "forged");
    own.with(ResourceContents::text("said:all", said(&ctx)))
}

/// Say it in a completion.
async fn said_to_completion(request: CompletionRequest) -> Vec<String> {
    vec![said(request.context())]
}

/// Complete it.
#[prompt]
fn completing(#[complete(said_to_completion)] it: String) -> String {
    it
}

#[tokio::test]
async fn what_a_request_says_in_its_meta_reaches_the_function() {
    let server = server().only([said_to_tool::tool()]).only_resources([said_to_resource::resource()]);
    let router = router(server.only_prompts([said_to_prompt::prompt(), completing::prompt()]));
    let completing = json!({ "ref": { "type": "ref/prompt", "name": "completing" }, "argument": { "name": "it", "value": "" } });
    let calls = [
        (HttpCall::new("tools/call", json!({ "name": "said_to_tool" })), "/content/0/text"),
        (
            HttpCall::new("prompts/get", json!({ "name": "said_to_prompt" })).header("mcp-name", "said_to_prompt"),
            "/messages/0/content/text",
        ),
        (HttpCall::new("resources/read", json!({ "uri": "said:all" })).header("mcp-name", "said:all"), "/contents/0/text"),
        (HttpCall::new("completion/complete", completing), "/completion/values/0"),
    ];
    for era in Era::ALL {
        for (call, place) in &calls {
            // Malformed trace facts are for the function to ignore.
            for trace in [json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), json!("?"), json!({ "a": [1] })] {
                let call = call.clone().meta("traceparent", trace.clone()).meta("com.example/tenant", json!({ "id": 7 }));
                let result = call.send_in(era, &router).await.json()["result"].clone();
                let text = result.pointer(place).unwrap_or_else(|| panic!("{era:?} {result}")).clone();
                let expected = json!([trace, { "id": 7 }, null, null, null]).to_string();
                assert_eq!(text, expected, "{era:?} {place}");
            }
            let result = call.clone().send_in(era, &router).await.json()["result"].clone();
            assert_eq!(result.pointer(place), Some(&json!("[null,null,null,null,null]")), "{era:?} {place}");
            if !place.contains("completion") {
                assert_eq!(result["_meta"]["com.example/own"], 1, "{era:?} {place}");
            }
            let info = json!({ "name": "extensions", "version": "0" });
            let told = result["_meta"].get("io.modelcontextprotocol/serverInfo");
            assert_eq!(told, Some(&info).filter(|_| !era.is_legacy()), "{era:?} {place}");
        }
        let refused = HttpCall::tool("nosuch", json!({})).meta("com.example/tenant", json!(1)).send_in(era, &router).await.json();
        assert!(refused.get("_meta").is_none() && refused["error"].get("_meta").is_none(), "{era:?} {refused}");
    }
}

#[tokio::test]
async fn a_meta_of_many_members_is_read_in_part() {
    let router = router(server().only([said_to_tool::tool()]));
    for era in Era::ALL {
        let call = (0..1000).fold(HttpCall::tool("said_to_tool", json!({})), |call, n| call.meta(&format!("z{n}"), json!(n)));
        assert_eq!(call.send_in(era, &router).await.outcome(), (200, None), "{era:?}");
    }
}

// ---------------------------------------------------------------------------------------------- MCP Apps

const UI: &str = "io.modelcontextprotocol/ui";
const PAGE: &str = "<!doctype html><title>Weather</title>";

/// Show the weather.
#[tool(ui = "ui://weather/card")]
fn weather(ctx: Context) -> String {
    format!("sunny {}", ctx.client_can(Capability::Ui))
}

/// The card.
#[resource(
    "ui://weather/card",
    ui(
        connect("https://api.example.com"),
        resources("https://cdn.example.com", "https://img.example.com"),
        frames("https://maps.example.com"),
        base_uris("https://example.com"),
        permissions(geolocation, clipboard_write),
        domain = "weather.example.com",
        prefers_border = false
    )
)]
fn card() -> &'static str {
    PAGE
}

/// A card of bytes that says other things of itself.
#[resource("ui://weather/{id}", ui(connect("https://api.example.com")))]
fn cards(id: u8) -> ResourceContents {
    ResourceContents::bytes(format!("ui://weather/{id}"), PAGE).meta("ui", json!({ "prefersBorder": true }))
}

#[tokio::test]
async fn a_tool_names_its_page_and_the_page_is_read() {
    let server = server().only([weather::tool()]).only_resources([card::resource()]);
    let ui = json!({
        "csp": {
            "connectDomains": ["https://api.example.com"],
            "resourceDomains": ["https://cdn.example.com", "https://img.example.com"],
            "frameDomains": ["https://maps.example.com"],
            "baseUriDomains": ["https://example.com"],
        },
        "permissions": { "geolocation": {}, "clipboardWrite": {} },
        "domain": "weather.example.com",
        "prefersBorder": false,
    });
    for (era, client) in clients(&server) {
        let has_meta = era >= Era::V2025_06_18;
        let listed = client.tools().await[0].clone();
        let link = json!({ "ui": { "resourceUri": "ui://weather/card" } });
        assert_eq!(listed.get("_meta"), Some(&link).filter(|_| has_meta), "{era:?}");
        let mut page = json!({ "uri": "ui://weather/card", "mimeType": "text/html;profile=mcp-app", "text": PAGE });
        if has_meta {
            page["_meta"] = json!({ "ui": ui });
        }
        assert_eq!(client.read("ui://weather/card").await.contents(), [page], "{era:?}");
        let listed = client.request("resources/list", json!({})).await.result()["resources"][0].clone();
        assert_eq!(listed["mimeType"], "text/html;profile=mcp-app", "{era:?}");
        assert_eq!(listed.get("_meta"), Some(&json!({ "ui": ui })).filter(|_| has_meta), "{era:?}");
        assert_eq!(capabilities(&server, era).await["extensions"], json!({ UI: {} }), "{era:?}");
        // Other hosts read the text.
        assert_eq!(client.call("weather", json!({})).await.text(), "sunny false", "{era:?}");
        let mimes = json!({ "extensions": { UI: { "mimeTypes": ["text/html;profile=mcp-app"] } } });
        let host = client.capabilities(mimes);
        assert_eq!(host.call("weather", json!({})).await.text(), format!("sunny {has_meta}"), "{era:?}");
    }
}

#[tokio::test]
async fn what_a_page_says_of_itself_stands() {
    let client = Client::new(&server().only([weather::tool()]).only_resources([cards::resource(), card::resource()]));
    let answer = client.read("ui://weather/7").await;
    let page = &answer.contents()[0];
    assert_eq!(
        (&page["blob"], &page["_meta"]),
        (&json!("PCFkb2N0eXBlIGh0bWw+PHRpdGxlPldlYXRoZXI8L3RpdGxlPg=="), &json!({ "ui": { "prefersBorder": true } }))
    );
    assert_eq!(page["mimeType"], "text/html;profile=mcp-app");
}

/// A card of a family.
#[tool(ui = "ui://weather/7")]
fn seventh() {}

#[test]
fn the_page_of_a_tool_must_be_there() {
    assert_eq!(problems(server().only([weather::tool()]).only_resources([card::resource()])), []);
    let missing = problems(server().only([weather::tool()]));
    assert!(matches!(&missing[..], [Problem::MissingUi { tool: "weather", uri: "ui://weather/card", .. }]), "{missing:?}");
    assert!(missing[0].to_string().contains("add a `#[resource(\"ui://weather/card\")]`"), "{}", missing[0]);
    assert_eq!(problems(server().only([seventh::tool()]).only_resources([cards::resource()])), [], "one of a family");
}

#[test]
fn a_page_that_is_needed_is_not_removed() {
    let built = server().only([weather::tool()]).only_resources([card::resource()]).build().expect("a server that builds");
    let Err(Error::Change(problems)) = built.handle().remove_resource("ui://weather/card") else { panic!("it is needed") };
    assert!(matches!(&problems[..], [Problem::MissingUi { tool: "weather", .. }]), "{problems:?}");
    assert!(built.handle().remove_tool("weather").expect("a tool less"));
    assert!(built.handle().remove_resource("ui://weather/card").expect("now nothing needs it"));
}
