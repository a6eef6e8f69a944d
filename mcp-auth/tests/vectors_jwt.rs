//! The JWT cases of a file of test vectors, which `MCP_AUTH_VECTORS` names: tokens that other software made.
#![cfg(feature = "jwt")]

use std::time::{Duration, SystemTime};

use http::{Request, Response};
use mcp_auth::{Auth, Decision, Fetch, FetchFuture, Jwt, RejectionKind, Resource, Trust};
use serde_json::Value;

/// The moment that the cases are made for.
const REFERENCE: u64 = 1_781_524_800;

fn reference() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(REFERENCE)
}

struct Keys(Vec<u8>);

impl Fetch for Keys {
    fn fetch(&self, _: Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
        Box::pin(async { Ok(Response::new(self.0.clone())) })
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is a text: {value}"))
}

fn texts<'v>(value: &'v Value, name: &str) -> Vec<&'v str> {
    value[name].as_array().expect("an array").iter().filter_map(Value::as_str).collect()
}

/// What is wrong with the answer to a case.
fn fault(case: &Value, decision: &Decision) -> Option<String> {
    let expected = &case["expect"];
    let fits = match decision {
        Decision::Accepted(caller) => {
            let user = expected["user_id"].as_u64().map(|id| id.to_string());
            // A case without a user is a client that acts for itself.
            let who = user.map_or(caller.client() == Some(caller.subject()), |user| user == caller.subject());
            expected["ok"] == true && who
        }
        Decision::Rejected(rejection) => match expected["error"].as_str() {
            Some("invalid_token") => rejection.kind() == RejectionKind::InvalidToken,
            Some("insufficient_scope") => rejection.kind() == RejectionKind::InsufficientScope,
            _ => false,
        },
        Decision::Anonymous => false,
    };
    (!fits).then(|| format!("{}: expected {expected}, got {decision:?}", text(case, "name")))
}

#[tokio::test]
async fn every_case_is_decided_as_required() {
    let Some(path) = std::env::var_os("MCP_AUTH_VECTORS") else {
        eprintln!("skipped: MCP_AUTH_VECTORS does not name a file of test vectors");
        return;
    };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    assert_eq!(vectors["meta"]["reference_unix"], REFERENCE);
    let vectors = &vectors["jwt"];
    let jwt = Jwt::issuer(text(vectors, "issuer"))
        .types(texts(vectors, "accepted_typ"))
        .algorithms(texts(vectors, "accepted_alg"))
        .jwks_url("https://auth.example.com/o/.well-known/jwks.json")
        .fetching_with(Keys(vectors["jwks"].to_string().into_bytes()));
    let auth = Auth::chain()
        .with(jwt)
        .require_scopes(texts(vectors, "required_scopes"))
        .protecting(Resource::new(text(vectors, "resource")).expect("a URL"))
        .clock(reference);
    assert_eq!(auth.problems(), [""; 0]);

    let cases = vectors["cases"].as_array().expect("cases");
    let mut faults = Vec::new();
    // The second time some are remembered.
    for case in cases.iter().chain(cases) {
        let request = Request::builder().header("Authorization", format!("Bearer {}", text(case, "token")));
        let decision = auth.decide(&request.body(()).expect("a valid request").into_parts().0).await;
        faults.extend(fault(case, &decision));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    eprintln!("{} cases, each twice", cases.len());
}
