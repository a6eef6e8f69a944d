//! Who may call what: tokens, challenges, scopes, hidden tools, and what a server refuses to start with.

mod http_call;

use std::time::Duration;

use axum::Router;
use http::request::Parts;
use http_call::{Answer, HttpCall, router};
use mcp_runtime::auth::{Authenticate, AuthenticateFuture, Place, Presented, Rejection, Verdict};
use mcp_runtime::prelude::*;
use mcp_runtime::testing::{Client, Era};
use mcp_runtime::{Error, Problem, Tool};
use serde_json::{Value, json};

const ADMIN: &str = "admin-0123456789abcdef";
const READER: &str = "reader-0123456789abcde";
const NOBODY: &str = "nobody-0123456789abcde";

/// Anyone may.
#[tool]
fn open(caller: Option<Principal>) -> String {
    caller.map_or("anonymous".to_owned(), |caller| caller.subject().to_owned())
}

/// Who calls.
#[tool]
fn whoami(caller: Principal) -> String {
    let scopes: Vec<_> = caller.granted().iter().collect();
    format!("{} {scopes:?} {:?}", caller.subject(), caller.scheme())
}

/// Read orders.
#[tool(scopes("orders:read"))]
fn read_orders() -> &'static str {
    "orders"
}

/// Refund an order.
#[tool(scopes("orders:read", "orders:refund", "audit:write"))]
fn refund() -> &'static str {
    "refunded"
}

/// For admins.
#[tool(hidden, scopes("admin"))]
fn purge_everything() -> &'static str {
    "purged"
}

/// The headers that the tool sees.
#[tool]
fn seen_headers(headers: HeaderMap) -> String {
    let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
    names.sort();
    names.join(" ")
}

fn tokens() -> StaticTokens {
    StaticTokens::new()
        .token(ADMIN, Principal::user("ada").scopes(["admin", "orders:read", "orders:refund", "audit:write"]))
        .token(READER, Principal::user("rob").scopes(["orders:read"]))
        .token(NOBODY, Principal::user("nob"))
}

fn shop() -> Server {
    let tools =
        [open::tool(), whoami::tool(), read_orders::tool(), refund::tool(), purge_everything::tool(), seen_headers::tool()];
    Server::new("shop", "0").only(tools).auth(Auth::chain().with(tokens()))
}

fn closed() -> Router {
    router(shop())
}

fn half_open() -> Router {
    router(shop().allow_anonymous())
}

fn call(tool: &str) -> HttpCall {
    HttpCall::tool(tool, json!({}))
}

/// The names in the list, which are the same in every revision.
async fn names(server: &Router, call: HttpCall) -> Vec<String> {
    let mut lists = Vec::new();
    for era in Era::ALL {
        let listed = call.clone().send_in(era, server).await.json();
        let tools = listed["result"]["tools"].as_array().expect("a list of tools").clone();
        lists.push(tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect());
    }
    lists.dedup();
    assert_eq!(lists.len(), 1, "{lists:?}");
    lists.remove(0)
}

/// Sends the request in every revision. Who may call what has no era: status, challenge and tool's answer must be the same;
/// returned is the newest one's answer.
async fn ask(call: HttpCall, server: &Router) -> Answer {
    let newest = call.clone().send(server).await;
    for era in Era::ALL {
        let answer = call.clone().send_in(era, server).await;
        let facts = |answer: &Answer| {
            let body = answer.json();
            let challenge = answer.header("www-authenticate").map(str::to_owned);
            (answer.status, challenge, body["error"].clone(), body["result"]["content"].clone())
        };
        assert_eq!(facts(&answer), facts(&newest), "{era:?}");
    }
    newest
}

fn assert_challenge(answer: &Answer, status: u16, challenge: &str) {
    assert_eq!((answer.status, answer.header("www-authenticate")), (status, Some(challenge)), "{}", answer.shown());
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

// ---------------------------------------------------------------------------------------------- tokens

#[tokio::test]
async fn a_known_token_stands_for_its_caller() {
    assert_eq!(ask(call("whoami").token(READER), &closed()).await.tool_text(), r#"rob ["orders:read"] Bearer"#);
    assert_eq!(ask(call("whoami").token(NOBODY), &closed()).await.tool_text(), "nob [] Bearer");
    for written in [format!("bearer {READER}"), format!("BEARER {READER}"), format!("Bearer   {READER} ")] {
        assert_eq!(ask(call("open").header("authorization", written), &closed()).await.tool_text(), "rob");
    }
}

#[tokio::test]
async fn without_a_token_the_challenge_has_no_error() {
    for call in
        [call("open"), call("purge_everything"), call("nothing"), HttpCall::list(), HttpCall::new("server/discover", json!({}))]
    {
        let answer = ask(call, &closed()).await;
        assert_challenge(&answer, 401, "Bearer");
        assert_eq!(answer.json(), json!({ "error": "unauthorized" }));
    }
}

/// A credential, and the status and challenge it gets.
fn wrong_credentials() -> Vec<(Vec<u8>, u16, &'static str)> {
    // Why it does not hold, a stranger is not told.
    const UNKNOWN: &str = r#"Bearer error="invalid_token", error_description="the credential is not valid""#;
    const SCHEME: &str = UNKNOWN;
    const MALFORMED: &str = r#"Bearer error="invalid_request", error_description="malformed Authorization header""#;
    vec![
        (b"Bearer wrong".to_vec(), 401, UNKNOWN),
        (format!("Bearer {READER}x").into_bytes(), 401, UNKNOWN),
        (format!("Bearer {}", &READER[..READER.len() - 1]).into_bytes(), 401, UNKNOWN),
        (format!("Bearer {}", READER.to_uppercase()).into_bytes(), 401, UNKNOWN),
        (format!("Bearer {READER}=").into_bytes(), 401, UNKNOWN),
        (b"Basic YTpi".to_vec(), 401, SCHEME),
        (READER.as_bytes().to_vec(), 401, SCHEME),
        (format!("Bearer:{READER}").into_bytes(), 401, SCHEME),
        (b"".to_vec(), 401, SCHEME),
        (b"Bearer".to_vec(), 400, MALFORMED),
        (b"Bearer ".to_vec(), 400, MALFORMED),
        (b"Bearer =".to_vec(), 400, MALFORMED),
        (format!("Bearer {READER} {READER}").into_bytes(), 400, MALFORMED),
        (format!("Bearer {READER},Bearer {READER}").into_bytes(), 400, MALFORMED),
        (format!("Bearer \"{READER}\"").into_bytes(), 400, MALFORMED),
        (format!("Bearer\t{READER}").into_bytes(), 400, MALFORMED),
        (b"Bearer abc\xffdef".to_vec(), 400, MALFORMED),
    ]
}

#[tokio::test]
async fn a_wrong_credential_is_challenged_with_its_fault() {
    for (credential, status, challenge) in wrong_credentials() {
        let answer = ask(call("open").header("authorization", &credential), &closed()).await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (status, Some(challenge)),
            "{}",
            credential.escape_ascii()
        );
    }
}

#[tokio::test]
async fn a_wrong_token_never_becomes_an_anonymous_call() {
    assert_eq!(ask(call("open"), &half_open()).await.tool_text(), "anonymous");
    for (credential, status, challenge) in wrong_credentials() {
        let answer = ask(call("open").header("authorization", &credential), &half_open()).await;
        assert_challenge(&answer, status, challenge);
    }
}

#[tokio::test]
async fn two_credentials_are_none() {
    const TWO: &str = r#"Bearer error="invalid_request", error_description="more than one Authorization header""#;
    for second in [format!("Bearer {ADMIN}"), format!("Bearer {READER}"), "Basic YTpi".to_owned()] {
        for server in [closed(), half_open()] {
            let answer = ask(call("open").token(READER).another("authorization", &second), &server).await;
            assert_challenge(&answer, 400, TWO);
        }
    }
}

/// Takes `X-Key: open`; other keys are wrong.
struct Key;

impl Authenticate for Key {
    fn places(&self) -> Vec<Place> {
        vec![Place::Header(http::HeaderName::from_static("x-key"))]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        let verdict = match presented.credential() {
            "open" => Verdict::Accepted(Principal::user("key")),
            _ => Verdict::Rejected(Rejection::invalid_token("wrong_key").detail("key store at db.internal said no")),
        };
        Box::pin(std::future::ready(verdict))
    }
}

#[tokio::test]
async fn a_wrong_token_never_falls_through() {
    // Would take anybody who shows nothing else.
    let everybody = |head: &Parts| {
        let shown = head.headers.contains_key("x-key") || head.headers.contains_key("authorization");
        let verdict = if shown { Verdict::NotMine } else { Verdict::Accepted(Principal::user("everybody")) };
        std::future::ready(verdict)
    };
    let chain = Auth::chain().with(Key).with(tokens()).with(everybody);
    let server = router(Server::new("chain", "0").only([open::tool()]).auth(chain));
    assert_eq!(ask(call("open").header("x-key", "open"), &server).await.tool_text(), "key");
    assert_eq!(ask(call("open").token(READER), &server).await.tool_text(), "rob");
    assert_eq!(ask(call("open"), &server).await.tool_text(), "everybody", "nobody's credential is passed on");
    const WRONG: &str = r#"Bearer error="invalid_token", error_description="the credential is not valid""#;
    let wrong_key = ask(call("open").header("x-key", "wrong"), &server).await;
    assert_challenge(&wrong_key, 401, WRONG);
    assert!(!wrong_key.shown().contains("db.internal"), "{}", wrong_key.shown());
    assert_challenge(&ask(call("open").token("wrong-wrong-wrong"), &server).await, 401, WRONG);
    const TWO: &str = r#"Bearer error="invalid_request", error_description="more than one credential""#;
    for key in ["open", "wrong"] {
        assert_challenge(&ask(call("open").header("x-key", key).token(READER), &server).await, 400, TWO);
    }
    let seen = router(Server::new("chain", "0").only([seen_headers::tool()]).auth(Auth::chain().with(Key)));
    let seen = call("seen_headers").header("x-key", "open").header("x-mine", "1").send(&seen).await.tool_text();
    assert!(seen.contains("x-mine") && !seen.contains("x-key"), "{seen}");
}

#[tokio::test]
async fn tools_never_see_what_proved_the_caller() {
    let call = call("seen_headers")
        .token(READER)
        .header("cookie", "s=1")
        .header("proxy-authorization", "Basic YTpi")
        .header("x-mine", "1");
    for era in Era::ALL {
        let seen = call.clone().send_in(era, &closed()).await.tool_text();
        assert!(seen.contains("x-mine") && seen.contains("mcp-name") != era.is_legacy(), "{era:?}: {seen}");
        for secret in ["authorization", "cookie", "mcp-session-id"] {
            assert!(!seen.contains(secret), "{era:?}: {seen}");
        }
    }
}

// ---------------------------------------------------------------------------------------------- scopes

#[tokio::test]
async fn missing_scopes_are_answered_with_all_that_the_tool_needs() {
    let answer = ask(call("refund").token(READER), &closed()).await;
    let needed = "orders:read orders:refund audit:write";
    let message = format!("refund needs the scopes {needed}");
    assert_challenge(
        &answer,
        403,
        &format!(r#"Bearer error="insufficient_scope", error_description="{message}", scope="{needed}""#),
    );
    assert_eq!(answer.json(), json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32600, "message": message } }));
}

#[tokio::test]
async fn scopes_open_the_tools_that_name_them_and_no_others() {
    for (tool, token, status) in [
        ("read_orders", READER, 200),
        ("read_orders", NOBODY, 403),
        ("refund", READER, 403),
        ("refund", ADMIN, 200),
        ("open", NOBODY, 200),
        ("whoami", NOBODY, 200),
    ] {
        assert_eq!(ask(call(tool).token(token), &closed()).await.status, status, "{tool} by {token}");
    }
}

#[tokio::test]
async fn scopes_are_compared_exactly() {
    const CASED: &str = "cased-0123456789abcdef";
    let server = |scope: &'static str| {
        let tokens = StaticTokens::new().token(CASED, Principal::user("x").scopes([scope]));
        Server::new("shop", "0").only([read_orders::tool()]).auth(Auth::chain().with(tokens))
    };
    let status = async |scope: &'static str| ask(call("read_orders").token(CASED), &router(server(scope))).await.status;
    for almost in ["Orders:read", "orders:", "orders:read:x", "order"] {
        assert_eq!(status(almost).await, 403, "{almost}");
    }
    assert_eq!(status("orders").await, 200, "what stands above it grants it");
    let refused = server("orders:read orders:refund").build().expect_err("two in one").to_string();
    assert!(refused.contains("`orders:read orders:refund`, of the static token of `x`, is no scope"), "{refused}");
}

#[tokio::test]
async fn an_anonymous_caller_is_asked_to_sign_in_where_that_is_needed() {
    let server = half_open();
    let answer = ask(call("whoami"), &server).await;
    assert_challenge(&answer, 401, "Bearer");
    let message = "whoami needs a signed-in caller";
    assert_eq!(answer.json(), json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": -32600, "message": message } }));
    assert_challenge(&ask(call("read_orders"), &server).await, 401, r#"Bearer scope="orders:read""#);
    assert_challenge(&ask(call("refund"), &server).await, 401, r#"Bearer scope="orders:read orders:refund audit:write""#);
}

#[tokio::test]
async fn a_tool_that_is_listed_is_listed_to_those_who_may_not_call_it() {
    let listed = ["open", "read_orders", "refund", "seen_headers", "whoami"];
    assert_eq!(names(&closed(), HttpCall::list().token(NOBODY)).await, listed);
    assert_eq!(names(&half_open(), HttpCall::list()).await, listed);
}

// ---------------------------------------------------------------------------------------------- hidden tools

#[tokio::test]
async fn a_hidden_tool_is_listed_to_those_who_may_call_it() {
    let server = half_open();
    let hidden = "purge_everything".to_owned();
    for call in [HttpCall::list(), HttpCall::list().token(READER), HttpCall::list().token(NOBODY)] {
        assert!(!names(&server, call).await.contains(&hidden));
    }
    assert!(names(&server, HttpCall::list().token(ADMIN)).await.contains(&hidden));
    assert!(!names(&server, HttpCall::list().token(READER)).await.contains(&hidden), "and the next caller gets his own list");
    assert_eq!(ask(call("purge_everything").token(ADMIN), &server).await.tool_text(), "purged");
}

#[tokio::test]
async fn a_hidden_tool_answers_like_one_that_does_not_exist() {
    let server = half_open();
    for caller in [None, Some(READER), Some(NOBODY)] {
        let as_caller = |call: HttpCall| caller.map_or(call.clone(), |token| call.token(token));
        let hidden = ask(as_caller(call("purge_everything")), &server).await;
        let unknown = ask(as_caller(call("destroy_everythi")), &server).await;
        assert_eq!(hidden.outcome(), (200, Some(-32602)));
        let renamed = hidden.shown().replace("purge_everything", "destroy_everythi");
        assert_eq!((renamed, hidden.headers), (unknown.shown(), unknown.headers), "{caller:?}");
        // Nor do faults of later steps give it away.
        let with_faults = as_caller(call("purge_everything").edit(|message| message["params"]["arguments"] = json!({ "x": 1 })));
        assert_eq!(ask(with_faults, &server).await.outcome(), (200, Some(-32602)));
    }
}

#[tokio::test]
async fn a_hidden_tool_is_proposed_only_to_those_who_may_call_it() {
    let server = half_open();
    let proposal = |call: HttpCall| async { ask(call, &server).await.message() };
    for misspelt in ["purge_everythin", "purge_evrything", "Purge_everything", "purge_everything_"] {
        let plain = format!("No tool named {misspelt}");
        assert_eq!(proposal(call(misspelt)).await, plain);
        assert_eq!(proposal(call(misspelt).token(READER)).await, plain);
        assert_eq!(proposal(call(misspelt).token(ADMIN)).await, format!("{plain}; did you mean purge_everything?"));
    }
}

// ---------------------------------------------------------------------------------------------- what does not build

mod first {
    use super::*;

    /// One of two.
    #[tool(name = "twin")]
    pub(super) fn one() {}
}

mod second {
    use super::*;

    /// The other of two.
    #[tool(name = "twin")]
    pub(super) fn two() {}
}

struct Store;

/// Needs a store.
#[tool]
fn stored(store: State<Store>) -> &'static str {
    let Store = *store;
    "stored"
}

#[data(input)]
#[serde(tag = "kind")]
enum Shape {
    Circle { radius: f64 },
}

/// An enum as all there is.
#[tool]
fn shaped(Args(shape): Args<Shape>) -> f64 {
    let Shape::Circle { radius } = shape;
    radius
}

fn without_protection(tools: impl IntoIterator<Item = Tool>) -> Server {
    Server::new("plain", "0").only(tools)
}

fn plain(tools: impl IntoIterator<Item = Tool>) -> Server {
    without_protection(tools).allow_anonymous()
}

fn problems<T>(built: Result<T, Error>) -> Vec<Problem> {
    match built {
        Err(Error::Config(problems)) => problems,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it builds"),
    }
}

fn problem<T>(built: Result<T, Error>) -> Problem {
    let problems = problems(built);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().expect("one problem")
}

#[test]
fn duplicate_names_are_reported_with_both_places() {
    let found = problem(plain([second::two::tool(), open::tool(), first::one::tool()]).build());
    let Problem::DuplicateTool { name: "twin", first, second } = &found else { panic!("{found:?}") };
    assert_eq!((first.module, second.module), ("access::first", "access::second"));
    assert!(first.file.ends_with("access.rs") && first.line < second.line, "{found:?}");
    let both = format!("{}:{} (access::first) and at {}:{} (access::second)", first.file, first.line, second.file, second.line);
    assert_eq!(found.to_string(), format!("two tools are named `twin`: at {both}; rename one with `#[tool(name = \"..\")]`"));
}

#[test]
fn the_same_tool_chosen_twice_is_no_duplicate() {
    let built = plain([open::tool(), open::tool()]).build().expect("one tool");
    assert_eq!(built.tools().collect::<Vec<_>>(), ["open"]);
}

#[test]
fn a_missing_state_is_reported_with_tool_and_type() {
    let found = problem(plain([stored::tool()]).build());
    let Problem::MissingState { name: "stored", parameter: "store", state, location, .. } = &found else { panic!("{found:?}") };
    assert_eq!((*state, location.module), ("access::Store", "access"));
    let expected = format!(
        "the tool `stored` takes `store: State<access::Store>`, but the server has no such state: \
         add `.state(..)` with a `access::Store`, or `.shared_state(..)` with an `Arc` of it (the tool is at {}:{} (access))",
        location.file, location.line
    );
    assert_eq!(found.to_string(), expected);
    assert!(plain([stored::tool()]).state(Store).build().is_ok());
    let wrapped = problem(plain([stored::tool()]).state(std::sync::Arc::new(Store)).build());
    assert!(matches!(wrapped, Problem::MissingState { .. }), "an `Arc` is another type");
    assert!(plain([stored::tool()]).shared_state(std::sync::Arc::new(Store)).build().is_ok());
}

#[test]
fn a_tool_that_needs_a_caller_needs_authentication() {
    for (tool, name) in
        [(whoami::tool(), "whoami"), (read_orders::tool(), "read_orders"), (purge_everything::tool(), "purge_everything")]
    {
        let found = problem(plain([tool]).build());
        let Problem::CallerNeverKnown { name: tool, location, .. } = &found else { panic!("{found:?}") };
        assert_eq!(*tool, name);
        let expected = format!(
            "the tool `{name}` needs a known caller (a `Principal` parameter, or scopes), but the server has no `.auth(..)`: add it \
             (the tool is at {}:{} (access))",
            location.file, location.line
        );
        assert_eq!(found.to_string(), expected);
    }
    assert!(plain([open::tool()]).build().is_ok(), "an optional caller may be none");
}

#[test]
fn arguments_that_are_no_object_are_reported() {
    let found = problem(plain([shaped::tool()]).build());
    let Problem::Schema { name: "shaped", location, .. } = &found else { panic!("{found:?}") };
    let place = format!("{}:{} (access)", location.file, location.line);
    let expected = format!(
        "the tool `shaped` at {place}: its arguments are no JSON object; give it plain parameters or a struct, and put an enum into a field"
    );
    assert_eq!(found.to_string(), expected);
}

#[test]
fn a_public_server_that_everyone_may_call_must_say_so() {
    let public = || without_protection([open::tool()]).public_url("https://mcp.acme.test/mcp");
    let found = problem(public().build());
    assert!(matches!(found, Problem::Unprotected { .. }), "{found:?}");
    assert_eq!(
        found.to_string(),
        "the server is public at https://mcp.acme.test/mcp, but everyone could call it: \
         add `.auth(..)`, or `.allow_anonymous()` if that is meant"
    );
    assert!(public().allow_anonymous().build().is_ok());
    assert!(public().auth(Auth::chain().with(tokens())).build().is_ok());
    for local in ["http://localhost:8000/mcp", "http://127.0.0.1/mcp", "https://[::1]/mcp"] {
        assert!(public().public_url(local).allow_anonymous().build().is_ok(), "{local}");
    }
}

#[test]
fn a_name_that_others_know_is_as_good_as_a_public_url() {
    let named = || without_protection([open::tool()]).allow_host("mcp.acme.test");
    let found = problem(named().build());
    assert!(
        found.to_string().starts_with("the router is reached wherever its application listens, but everyone could call it"),
        "{found}"
    );
    assert!(named().allow_anonymous().build().is_ok());
    let router = problem(without_protection([open::tool()]).allow_host("localhost:8000").build());
    assert!(router.to_string().starts_with("the router is reached wherever its application listens, but everyone"), "{router}");
}

#[tokio::test]
async fn a_bind_that_others_reach_needs_a_public_url_and_protection() {
    const REACHED: &str = "the server listens on 0.0.0.0:0, which other machines reach";
    let no_url = format!(
        "{REACHED}, but has no public URL, so it could not tell its own `Host` from a forged one: add `.public_url(\"https://..\")`, or `.allow_host(..)` with the name that clients use"
    );
    let unprotected = format!("{REACHED}, but everyone could call it: add `.auth(..)`, or `.allow_anonymous()` if that is meant");
    let bind = |server: Server| async { server.bind("0.0.0.0:0").await };
    let texts = |found: Vec<Problem>| found.iter().map(ToString::to_string).collect::<Vec<_>>();

    let found = problems(bind(without_protection([open::tool()])).await);
    assert!(matches!(found[..], [Problem::NoPublicUrl { .. }, Problem::Unprotected { .. }]), "{found:?}");
    assert_eq!(texts(found), [no_url.clone(), unprotected.clone()]);

    let with_url = || without_protection([open::tool()]).public_url("https://mcp.acme.test/mcp");
    assert_eq!(texts(problems(bind(with_url()).await)), std::slice::from_ref(&unprotected));
    assert_eq!(texts(problems(bind(without_protection([open::tool()]).allow_anonymous()).await)), std::slice::from_ref(&no_url));
    assert_eq!(texts(problems(bind(without_protection([open::tool()]).auth(Auth::chain().with(tokens()))).await)), [no_url]);
    let local_url = without_protection([open::tool()]).public_url("http://localhost:8000/mcp");
    assert_eq!(texts(problems(bind(local_url).await)), [unprotected], "the URL does not change what the socket reaches");

    assert!(bind(with_url().allow_anonymous()).await.is_ok());
    assert!(bind(with_url().auth(Auth::chain().with(tokens()))).await.is_ok());
}

#[tokio::test]
async fn every_address_but_loopback_is_reached_by_others() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[2001:db8::1]:0", "[::ffff:192.0.2.1]:0"] {
        let refused = without_protection([open::tool()]).bind(address).await.err();
        assert!(matches!(refused, Some(Error::Config(_))), "{address}: {refused:?}");
    }
    assert!(without_protection([open::tool()]).bind("127.0.0.1:0").await.is_ok());
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    for (address, why) in [("nonsense", "cannot listen on nonsense: "), ("127.0.0.1:99999", "cannot listen on 127.0.0.1:99999: ")]
    {
        let error = plain([open::tool()]).bind(address).await.expect_err("no address");
        assert!(matches!(error, Error::Listen { .. }) && error.to_string().starts_with(why), "{error}");
        assert!(error.to_string().ends_with(" (an address is HOST:PORT, `127.0.0.1:8000` for example)"), "{error}");
    }
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = plain([open::tool()]).bind(&*address).await.expect_err("taken");
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
    assert!(error.to_string().ends_with(" (something else listens there: stop it, or choose another port)"), "{error}");
}

#[test]
fn settings_out_of_bounds_are_reported_with_what_is_allowed() {
    const URL: &str = "an `https://` URL without user, query and fragment (`http://` only for localhost)";
    const HOST: &str = "a host name or address, with a port if it is not the scheme's own";
    const ORIGIN: &str = "an origin, `https://app.example` for example: scheme, host, port, and nothing behind";
    const PATH: &str = "a path that begins with `/`, of letters, digits and `-._~/`, without a `/` at its end";
    const TAG: &str = "a tag that at least one of the tools carries";
    const NUMBER: &str = "a number that fits into 60 bits";
    const SOME: &str = "more than nothing";
    let s = || plain([open::tool()]);
    let huge = usize::MAX.to_string();
    for (server, setting, value, allowed) in [
        (s().timeout(Duration::ZERO), "timeout", "0", SOME),
        (s().client_timeout(Duration::ZERO), "client_timeout", "0", SOME),
        (s().max_result_bytes(0), "max_result_bytes", "0", SOME),
        (s().max_body_bytes(0), "max_body_bytes", "0", SOME),
        (s().max_concurrent_calls(0), "max_concurrent_calls", "0", SOME),
        (s().max_connections(0), "max_connections", "0", SOME),
        (s().max_concurrent_calls(usize::MAX), "max_concurrent_calls", &huge, NUMBER),
        (s().max_connections(usize::MAX), "max_connections", &huge, NUMBER),
        (Server::new("", "0").only([open::tool()]).allow_anonymous(), "name", "", "a name that clients can show"),
        (s().tags(["weather"]), "tags", "weather", TAG),
        (s().allow_host("https://a.test"), "allow_host", "https://a.test", HOST),
        (s().allow_host("a.test/x"), "allow_host", "a.test/x", HOST),
        (s().allow_host("u@a.test"), "allow_host", "u@a.test", HOST),
        (s().allow_host(""), "allow_host", "", HOST),
        (s().allow_origin("*"), "allow_origin", "*", ORIGIN),
        (s().allow_origin("a.test"), "allow_origin", "a.test", ORIGIN),
        (s().allow_origin("null"), "allow_origin", "null", ORIGIN),
        (s().allow_origin("https://a.test/"), "allow_origin", "https://a.test/", ORIGIN),
        (s().public_url("http://a.test/mcp"), "public_url", "http://a.test/mcp", URL),
        (s().public_url("a.test"), "public_url", "a.test", URL),
        (s().public_url("https://u@a.test/"), "public_url", "https://u@a.test/", URL),
        (s().public_url("https://a.test/?q"), "public_url", "https://a.test/?q", URL),
        (s().public_url(""), "public_url", "", URL),
        (s().path("mcp"), "path", "mcp", PATH),
        (s().path("/mcp/"), "path", "/mcp/", PATH),
        (s().path("/{id}"), "path", "/{id}", PATH),
        (s().path(""), "path", "", PATH),
    ] {
        let found = problem(server.build());
        assert_eq!(found.to_string(), format!("{setting} is `{value}`; it must be {allowed}"));
        assert!(matches!(found, Problem::Setting { setting: named, .. } if named == setting), "{found:?}");
    }
}

#[test]
fn durations_of_any_length_are_taken() {
    let server = plain([open::tool()]).timeout(Duration::MAX).client_timeout(Duration::MAX).drain_timeout(Duration::MAX);
    assert!(server.build().is_ok());
}

#[test]
fn a_wrong_authentication_chain_is_reported_without_its_secrets() {
    let found = |auth: Auth| {
        let found = problems(plain([open::tool()]).auth(auth).build());
        assert!(found.iter().all(|problem| matches!(problem, Problem::Auth(_))), "{found:?}");
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let chain = |tokens: StaticTokens| Auth::chain().with(tokens);
    let empty = "authentication: the authentication chain is empty, so it would accept nobody: add one with `.with(..)`";
    assert_eq!(found(Auth::chain()), [empty]);
    assert_eq!(found(chain(StaticTokens::new())), ["authentication: StaticTokens has no token: add one with `.token(..)`"]);
    let user = Principal::user;
    let several = chain(
        StaticTokens::new()
            .token("hunter2", user("short"))
            .token("with a space in it", user("space"))
            .token(ADMIN, user("one"))
            .token(ADMIN, user("two")),
    );
    let texts = found(several);
    assert_eq!(
        texts,
        [
            "authentication: the static token of `short` has 7 bytes: at least 16 are needed",
            "authentication: the static token of `space` can not be sent: only A-Z a-z 0-9 - . _ ~ + / are allowed",
            "authentication: the static token of `two` is given twice",
        ]
    );
    assert!(!texts.concat().contains("hunter2") && !texts.concat().contains(ADMIN));
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let server = Server::new("", "0")
        .only([stored::tool(), whoami::tool(), first::one::tool(), second::two::tool(), shaped::tool()])
        .allow_host("a b")
        .allow_origin("*")
        .path("mcp")
        .timeout(Duration::ZERO);
    let error = server.bind("0.0.0.0:0").await.expect_err("must not build");
    let text = error.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "the server can not be built, for 11 reasons:");
    assert_eq!(lines.len(), 12, "{text}");
    assert!(lines[1..].iter().all(|line| line.starts_with("  - ")), "{text}");
    for part in [
        "allow_host is `a b`",
        "allow_origin is `*`",
        "path is `mcp`",
        "no public URL",
        "everyone could call it",
        "timeout is `0`",
        "name is ``",
        "two tools are named `twin`",
        "`store: State<access::Store>`",
        "the tool `whoami` needs a known caller",
        "the tool `shaped` at",
    ] {
        assert!(text.contains(part), "{part} not in {text}");
    }
    assert_eq!(format!("{error:?}"), text, "what `main` prints is the same");
    let one = plain([stored::tool()]).build().expect_err("must not build").to_string();
    assert!(one.starts_with("the server can not be built:\n  - the tool `stored`"), "{one}");
}

#[test]
fn a_client_of_a_test_may_call_what_needs_authentication_elsewhere() {
    // `testing::Client` says who calls, so `.auth(..)` is no condition for it.
    drop(Client::new(&plain([whoami::tool(), read_orders::tool()])));
}

#[tokio::test]
async fn a_test_client_meets_the_same_rules_as_others() {
    for era in Era::ALL {
        let client = Client::new(&shop()).era(era);
        assert_eq!(client.call("whoami", json!({})).await.status(), 401, "{era:?}");
        let poor = client.clone().principal(Principal::user("t"));
        assert_eq!(poor.call("refund", json!({})).await.status(), 403, "{era:?}");
        assert_eq!(poor.call("purge_everything", json!({})).await.error_code(), Some(-32602), "{era:?}");
        let rich = client.principal(Principal::user("t").scopes(["admin"]));
        assert_eq!(rich.call("purge_everything", json!({})).await.text(), "purged", "{era:?}");
        assert!(rich.tools().await.iter().any(|tool: &Value| tool["name"] == "purge_everything"), "{era:?}");
    }
}
