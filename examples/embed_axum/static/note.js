// Calls a tool of `/mcp` with the session of this page. The browser adds the cookie, and where the request comes from.
const meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}};

document.getElementById("note").onclick = async () => {
    const text = document.getElementById("text").value;
    const params = {name: "note", arguments: {text}, _meta: meta};
    const answer = await fetch("/mcp", {
        method: "POST",
        headers: {
            "content-type": "application/json",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": "note",
        },
        body: JSON.stringify({jsonrpc: "2.0", id: 1, method: "tools/call", params}),
    });
    if (answer.ok) location.reload();
    else alert(await answer.text());
};
