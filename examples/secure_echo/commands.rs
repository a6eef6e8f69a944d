//! What to paste into a shell.

/// Three calls that are answered, and one that is refused.
pub(crate) fn all(origin: &str, password: &str, bearer: &str, foreign: &str) -> String {
    let call = call();
    let log_in = format!(r#"jar=$(mktemp); curl -s -c "$jar" {origin}/login -d 'user=ada&password={password}'"#);
    // What a page's script sends by itself.
    let page = format!("-H 'origin: {origin}'");
    let relay = format!(r#"curl -s -b "$jar" -X POST {origin}/relay {page} -H 'content-type: application/json'"#);
    let token = r#"sed 's/.*"token":"\([^"]*\).*/\1/'"#;
    format!(
        r#"MCP server at {origin}/mcp
Log-in page at {origin}/login: ada, with the password {password}

With a bearer token:

curl -s {origin}/mcp -H 'authorization: Bearer {bearer}'{call}

With a session, once logged in:

{log_in}; curl -s -b "$jar" {origin}/mcp {page}{call}

With a relay token, which a logged-in person obtains:

{log_in}; token=$({relay} | {token}); curl -s {origin}/mcp -H "x-mcp-proxy-session-token: $token"{call}

And refused, with a bearer token that was issued for another server:

curl -s -i {origin}/mcp -H 'authorization: Bearer {foreign}'{call}
"#
    )
}

/// The call itself, whoever calls.
fn call() -> String {
    let meta =
        r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let params = format!(r#"{{"name":"echo","arguments":{{"message":"hi"}},{meta}}}"#);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
    let headers =
        ["content-type: application/json", "mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: echo"];
    let headers: String = headers.iter().map(|header| format!(" -H '{header}'")).collect();
    format!("{headers} -d '{body}'")
}
