//! What Django OAuth Toolkit answers about tokens, from a file of test vectors that `MCP_AUTH_VECTORS` names.
#![cfg(feature = "introspection")]

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use http::{Request, Response};
use mcp_auth::{Auth, Decision, Fetch, FetchError, FetchFuture, Introspection, Resource, Trust, Unbound};
use serde_json::Value;

/// The moment that the cases are made for.
const REFERENCE: u64 = 1_781_524_800;

/// Where an answer tells less than the tables that the cases are decided by, or is read more strictly: why the token is refused.
const REFUSED: [(&str, &str); 2] = [
    // The seconds of `exp` are whole: the microsecond is lost.
    ("expires == now + 1us", "expired"),
    // Who has a token of that kind is no caller, whatever they may do.
    ("RFC 7592 registration access token", "no_access_token"),
];

fn reference() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(REFERENCE)
}

/// The authorization server: its answers by token.
struct Toolkit(HashMap<String, String>);

impl Fetch for Toolkit {
    fn fetch(&self, request: Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
        let question = String::from_utf8(request.into_body()).expect("a form");
        let answer = question.strip_prefix("token=").and_then(|token| self.0.get(token)).cloned();
        Box::pin(async move {
            let answer = answer.ok_or_else(|| FetchError::new(format!("nothing is known of {question}")))?;
            Ok(Response::builder().header("content-type", "application/json").body(answer.into_bytes()).expect("an answer"))
        })
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The status, and the subject or the reason of the refusal.
async fn told(case: &Value, toolkit: Toolkit) -> (u16, String) {
    let tokens = Introspection::at("https://www.example.com/o/introspect/")
        .issuer("https://www.example.com/o")
        .bearer("ours")
        .subject_from_username()
        .subject_from_client()
        .unbound_tokens(Unbound::Allow)
        .audience_by_prefix()
        .fetching_with(toolkit);
    let auth = Auth::chain()
        .with(tokens)
        .require_scopes(list(&case["required_scopes"]).iter().map(text))
        .protecting(Resource::new(text(&case["resource_uri"])).expect("a URL"))
        .clock(reference);
    assert_eq!(auth.problems(), Vec::<String>::new());
    let mut request = Request::post("/mcp");
    if let Some(authorization) = case["authorization"].as_str() {
        request = request.header("authorization", authorization);
    }
    match auth.decide(&request.body(()).expect("a request").into_parts().0).await {
        Decision::Accepted(principal) => (200, principal.subject().to_owned()),
        Decision::Anonymous => (401, "anonymous".to_owned()),
        Decision::Rejected(rejection) => (rejection.kind().status().as_u16(), rejection.reason().to_owned()),
    }
}

#[tokio::test]
async fn every_answer_counts_as_required() {
    let Some(path) = std::env::var_os("MCP_AUTH_VECTORS") else {
        eprintln!("skipped: MCP_AUTH_VECTORS names no file of test vectors");
        return;
    };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    assert_eq!(vectors["meta"]["reference_unix"], REFERENCE);
    let cases = list(&vectors["dot"]["cases"]);
    let answers = || {
        let answered = cases.iter().filter(|case| case["introspection"].is_object());
        let token = |case: &Value| text(&case["authorization"]).split(' ').nth(1).expect("a token").to_owned();
        Toolkit(answered.map(|case| (token(case), case["introspection"].to_string())).collect())
    };
    // Such answers have no keys of users, only names.
    let name = |id: &Value| text(&list(&vectors["users"]).iter().find(|user| user["id"] == *id).expect("a user")["username"]);

    let mut wrong = Vec::new();
    for case in cases {
        let label = text(&case["name"]);
        let told = told(case, answers()).await;
        eprintln!("{label}: {told:?}");
        if let Some((_, reason)) = REFUSED.iter().find(|(name, _)| label.starts_with(name)) {
            assert_eq!(told, (401, (*reason).to_owned()), "{label}");
            continue;
        }
        // Where more is expected than the toolkit looks at, its answer does not show it: whether users are active, for one.
        let expected = if case["stricter"] == true { &case["dot_oracle"] } else { &case["expect"] };
        let fits = if expected["ok"] == true {
            let subject = match &expected["user_id"] {
                Value::Null => format!("client:{}", text(&case["introspection"]["client_id"])),
                id => name(id).to_owned(),
            };
            told == (200, subject)
        } else {
            case["expect"]["http_status"] == told.0
        };
        if !fits {
            wrong.push(format!("{label}: {told:?}, {expected} was expected"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
