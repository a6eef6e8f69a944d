//! Of two faults in one request, the one that stands higher on the ladder of checks is answered.

mod http_call;

use axum::Router;
use http_call::{CAPABILITIES_KEY, HttpCall, VERSION_KEY, router};
use mcp_runtime::prelude::*;
use serde_json::json;

const TOKEN: &str = "0123456789abcdef0123";
const POOR_TOKEN: &str = "fedcba9876543210fedc";

/// Needs everything that a call can need.
#[tool(scopes("parts:read"), requires(sampling))]
fn demanding(#[arg(header = "Depot")] depot: String, count: u8) -> String {
    format!("{count} in {depot}")
}

/// Step of the validation ladder: how to break it, and what it answers.
struct Step {
    spoil: fn(HttpCall) -> HttpCall,
    answer: (u16, Option<i64>),
}

const LADDER: [Step; 11] = [
    // M1: the body names a version.
    Step { spoil: |call| call.without_meta(VERSION_KEY), answer: (400, Some(-32602)) },
    // M2: the header names one as well, the same.
    Step { spoil: |call| call.without_header("mcp-protocol-version"), answer: (400, Some(-32020)) },
    // M3: it is spoken.
    Step {
        spoil: |call| call.meta(VERSION_KEY, json!("2031-01-01")).header("mcp-protocol-version", "2031-01-01"),
        answer: (400, Some(-32022)),
    },
    // M4: the rest of `_meta`.
    Step { spoil: |call| call.without_meta(CAPABILITIES_KEY), answer: (400, Some(-32602)) },
    // M5: headers that repeat method and name.
    Step { spoil: |call| call.without_header("mcp-method"), answer: (400, Some(-32020)) },
    // M6: the method exists.
    Step {
        spoil: |call| call.header("mcp-method", "tools/drop").edit(|message| message["method"] = json!("tools/drop")),
        answer: (404, Some(-32601)),
    },
    // M7: so does the tool.
    Step {
        spoil: |call| call.header("mcp-name", "nothing").edit(|message| message["params"]["name"] = json!("nothing")),
        answer: (200, Some(-32602)),
    },
    // M8: headers that repeat arguments.
    Step { spoil: |call| call.header("mcp-param-depot", "other"), answer: (400, Some(-32020)) },
    // M9: the caller may.
    Step { spoil: |call| call.token(POOR_TOKEN), answer: (403, Some(-32600)) },
    // M10: the client can.
    Step { spoil: |call| call.meta(CAPABILITIES_KEY, json!({})), answer: (400, Some(-32021)) },
    // M11: the tool takes the arguments; its error is a result.
    Step { spoil: |call| call.edit(|message| message["params"]["arguments"]["count"] = json!(1000)), answer: (200, None) },
];

fn demanding_call() -> HttpCall {
    HttpCall::tool("demanding", json!({ "depot": "ZH", "count": 3 }))
        .header("mcp-param-depot", "ZH")
        .meta(CAPABILITIES_KEY, json!({ "sampling": {} }))
        .token(TOKEN)
}

fn guarded() -> Router {
    let tokens = StaticTokens::new()
        .token(TOKEN, Principal::user("rich").scopes(["parts:read"]))
        .token(POOR_TOKEN, Principal::user("poor").scopes(["parts:list"]));
    router(Server::new("guarded", "0").only([demanding::tool()]).auth(Auth::chain().with(tokens)))
}

/// Breaks two steps that follow each other; the first decides.
async fn the_first_of_two_decides(first: usize) {
    let server = guarded();
    assert_eq!(demanding_call().send(&server).await.tool_text(), "3 in ZH");
    let (earlier, later) = (&LADDER[first - 1], &LADDER[first]);
    for step in [earlier, later] {
        assert_eq!((step.spoil)(demanding_call()).send(&server).await.outcome(), step.answer, "one fault alone");
    }
    // The earlier fault goes in last, so that the later one can not mend it.
    let both = (earlier.spoil)((later.spoil)(demanding_call()));
    assert_eq!(both.send(&server).await.outcome(), earlier.answer, "M{first} before M{}", first + 1);
}

macro_rules! ladder {
    ($($name:ident: $first:literal,)*) => { $(
        #[tokio::test]
        async fn $name() {
            the_first_of_two_decides($first).await;
        }
    )* };
}

ladder! {
    m1_a_missing_version_comes_before_a_missing_version_header: 1,
    m2_a_version_header_that_differs_comes_before_an_unknown_version: 2,
    m3_an_unknown_version_comes_before_missing_capabilities: 3,
    m4_missing_capabilities_come_before_a_missing_method_header: 4,
    m5_a_missing_method_header_comes_before_an_unknown_method: 5,
    m6_an_unknown_method_comes_before_an_unknown_tool: 6,
    m7_an_unknown_tool_comes_before_a_wrong_parameter_header: 7,
    m8_a_wrong_parameter_header_comes_before_missing_scopes: 8,
    m9_missing_scopes_come_before_missing_client_capabilities: 9,
    m10_missing_client_capabilities_come_before_bad_arguments: 10,
}
