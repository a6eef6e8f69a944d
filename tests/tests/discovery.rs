//! What clients find out about who issues tokens for a server (RFC 9728, MCP 2026-07-28, "Authorization").

mod http_call;

use http::Method;
use http_call::{HttpCall, router, send};
use mcp_runtime::auth::{Authenticate, AuthenticateFuture, Place, Presented, Resource, Verdict};
use mcp_runtime::prelude::*;
use serde_json::{Value, json};

const DOCUMENT: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/notes/mcp";

/// Say something.
#[tool(scopes("notes:write"))]
fn write() -> &'static str {
    "written"
}

/// Not for everybody.
#[tool(scopes("secrets"), hidden)]
fn secret() -> &'static str {
    "told"
}

/// Takes tokens of one authorization server: the name of who shows them.
struct Issued;

impl Authenticate for Issued {
    fn places(&self) -> Vec<Place> {
        vec![Place::AnyBearer]
    }

    fn authenticate<'a>(&'a self, presented: Presented<'a>) -> AuthenticateFuture<'a> {
        assert!(presented.resource().is_some_and(|resource| resource.is_named_by("https://MCP.example.com/notes/mcp/")));
        let principal = Principal::user(presented.credential()).scopes(["mcp", "notes:read"]);
        Box::pin(std::future::ready(Verdict::Accepted(principal)))
    }

    fn problems(&self, resource: Option<&Resource>) -> Vec<String> {
        if resource.is_some() { Vec::new() } else { vec!["no resource".to_owned()] }
    }

    fn issuers(&self) -> Vec<String> {
        vec!["https://auth.example.com".to_owned()]
    }
}

fn server() -> Server {
    Server::new("notes", "0")
        .only([write::tool(), secret::tool()])
        .path("/notes/mcp")
        .public_url("https://mcp.example.com/notes/mcp")
        .auth(Auth::chain().with(Issued).require_scopes(["mcp"]))
}

fn call() -> HttpCall {
    HttpCall::tool("write", json!({})).uri("/notes/mcp").header("host", "mcp.example.com")
}

fn document(path: &str) -> HttpCall {
    HttpCall::list().http_method(Method::GET).uri(path).header("host", "forged.example").header("origin", "https://app.example")
}

#[tokio::test]
async fn the_document_is_where_its_resource_says() {
    let router = router(server());
    let path = "/.well-known/oauth-protected-resource/notes/mcp";
    let found = send(&router, document(path).request()).await;
    assert_eq!((found.status, found.header("content-type")), (200, Some("application/json")));
    assert_eq!(found.header("access-control-allow-origin"), Some("*"), "any page may read it");
    let expected = json!({
        "resource": "https://mcp.example.com/notes/mcp",
        "authorization_servers": ["https://auth.example.com"],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["mcp"],
    });
    assert_eq!(found.json(), expected, "nothing of it comes from the Host header");
    let preflight = send(&router, document(path).http_method(Method::OPTIONS).request()).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, Some("*")));
    assert_eq!(send(&router, document(path).http_method(Method::POST).request()).await.status, 405);
    // A router does not know what else its origin has.
    assert_eq!(send(&router, document("/.well-known/oauth-protected-resource").request()).await.status, 404);
}

#[tokio::test]
async fn challenges_name_the_document_and_all_scopes() {
    let router = router(server());
    let nobody = send(&router, call().request()).await;
    let challenge = format!(r#"Bearer scope="mcp", resource_metadata="{DOCUMENT}""#);
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some(&*challenge)));
    let wrong = send(&router, call().header("authorization", "Basic x").request()).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.header("www-authenticate").is_some_and(|text| text.contains(DOCUMENT) && text.contains("invalid_token")));
    let lacks = send(&router, call().token("ada").request()).await;
    assert_eq!(lacks.status, 403);
    let challenge = lacks.header("www-authenticate").expect("a challenge");
    for part in [r#"error="insufficient_scope""#, r#"scope="mcp notes:write""#, DOCUMENT] {
        assert!(challenge.contains(part), "{challenge}");
    }
}

#[tokio::test]
async fn who_lacks_what_all_need_gets_nowhere() {
    let router = router(server().auth(Auth::chain().with(Issued).require_scopes(["mcp", "beta"])));
    let at = |call: HttpCall| call.uri("/notes/mcp").header("host", "mcp.example.com").token("ada");
    for (call, scopes) in [
        // And is asked for what the tool needs as well, but not by the name of something hidden, or of nothing.
        (call().token("ada"), "mcp beta notes:write"),
        (at(HttpCall::tool("secret", json!({}))), "mcp beta"),
        (at(HttpCall::tool("nothing", json!({}))), "mcp beta"),
        (at(HttpCall::list()), "mcp beta"),
        (at(HttpCall::list().body("no JSON")), "mcp beta"),
        (at(HttpCall::list().body(vec![b' '; 5 << 20])), "mcp beta"),
    ] {
        let lacks = send(&router, call.request()).await;
        assert_eq!((lacks.status, lacks.json()["error"].as_str()), (403, Some("insufficient_scope")));
        let challenge = lacks.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains(&format!(r#"scope="{scopes}","#)), "{challenge}");
    }
}

#[tokio::test]
async fn without_an_issuer_there_is_no_document() {
    let tokens = StaticTokens::new().token("ada-0123456789abcdef", Principal::user("ada"));
    let router = router(server().auth(Auth::chain().with(tokens)));
    let path = "/.well-known/oauth-protected-resource/notes/mcp";
    assert_eq!(send(&router, document(path).request()).await.status, 404);
    let nobody = send(&router, call().request()).await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
}

#[tokio::test]
async fn what_an_authenticator_needs_is_said_at_the_start() {
    let server = Server::new("notes", "0").only([write::tool()]).auth(Auth::chain().with(Issued));
    let error = server.build().expect_err("no public URL").to_string();
    assert!(error.contains("no resource"), "{error}");
}

/// As a server of its own, which has its origin for itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_listens_has_the_document_at_the_root_as_well() {
    let bound = server().allow_host("localhost").bind("127.0.0.1:0").await.expect("a port");
    let (address, handle) = (bound.address(), bound.handle());
    let running = tokio::spawn(bound.run());
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/notes/mcp"] {
        let answer = fetched(address, path).await;
        assert_eq!(answer["resource"], "https://mcp.example.com/notes/mcp", "{path}");
    }
    handle.shutdown();
    running.await.expect("no panic").expect("a good end");
}

/// The authorization server's own document, for clients that look for it here.
#[cfg(feature = "fetch")]
mod mirrored {
    use mcp_runtime::auth::{Fetch, FetchError, FetchFuture, MetadataMirror, Trust};

    use super::*;

    const PATH: &str = "/.well-known/oauth-authorization-server";
    const ISSUER: &str = "https://auth.example.com";

    /// An authorization server that answers for its metadata, unless it is down.
    struct Site {
        is_up: bool,
    }

    impl Fetch for Site {
        fn fetch(&self, request: http::Request<Vec<u8>>, _: Trust) -> FetchFuture<'_> {
            let answer = match self.is_up {
                true if *request.uri() == "https://auth.example.com/.well-known/oauth-authorization-server" => {
                    let document = json!({ "issuer": ISSUER, "token_endpoint": "https://auth.example.com/token" });
                    Ok(http::Response::new(document.to_string().into_bytes()))
                }
                _ => Err(FetchError::new("no route to the host")),
            };
            Box::pin(std::future::ready(answer))
        }
    }

    fn mirroring(is_up: bool) -> Server {
        server().mirror_authorization_server(MetadataMirror::of(ISSUER).fetching_with(Site { is_up }))
    }

    #[tokio::test]
    async fn it_is_at_the_root_for_any_page() {
        let mirror = router(mirroring(true));
        let found = send(&mirror, document(PATH).request()).await;
        assert_eq!((found.status, found.header("access-control-allow-origin")), (200, Some("*")));
        assert_eq!(found.json(), json!({ "issuer": ISSUER, "token_endpoint": "https://auth.example.com/token" }));
        let head = send(&mirror, document(PATH).http_method(Method::HEAD).request()).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        let preflight = send(&mirror, document(PATH).http_method(Method::OPTIONS).request()).await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-headers")), (204, Some("*")));
        assert_eq!(send(&mirror, document(PATH).http_method(Method::POST).request()).await.status, 405);
        assert_eq!(send(&router(server()), document(PATH).request()).await.status, 404, "only on request");
    }

    #[tokio::test]
    async fn without_the_authorization_server_it_comes_later() {
        let found = send(&router(mirroring(false)), document(PATH).request()).await;
        assert_eq!((found.status, found.header("retry-after")), (503, Some("5")));
        assert!(!found.shown().contains("route"), "what went wrong is for the log");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_listens_has_it_as_well() {
        for is_mirroring in [true, false] {
            let server = if is_mirroring { mirroring(true) } else { server() };
            let bound = server.bind("127.0.0.1:0").await.expect("a port");
            let (address, handle) = (bound.address(), bound.handle());
            let running = tokio::spawn(bound.run());
            let answer = asked(address, PATH).await;
            assert_eq!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("/token"), is_mirroring, "{answer}");
            handle.shutdown();
            running.await.expect("no panic").expect("a good end");
        }
    }

    #[tokio::test]
    async fn tokens_that_nobody_takes_are_not_advertised() {
        let build = |server: Server, issuer: &str| {
            let mirror = MetadataMirror::of(issuer).fetching_with(Site { is_up: true });
            server.mirror_authorization_server(mirror).build().map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(build(server(), ISSUER), Ok(()));
        for (server, issuer, said) in [
            (server(), "https://auth.example.com/", "an issuer whose tokens `.auth(..)` takes"),
            (Server::new("notes", "0").only([]), ISSUER, "an issuer whose tokens `.auth(..)` takes"),
            (server(), "auth", "no URL"),
            (server().path(PATH), ISSUER, "at a path where nothing else is"),
        ] {
            let error = build(server, issuer).expect_err("refused");
            assert!(error.contains(said), "{error}");
        }
    }
}

async fn fetched(address: std::net::SocketAddr, path: &str) -> Value {
    let answer = asked(address, path).await;
    serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
}

async fn asked(address: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer
}
