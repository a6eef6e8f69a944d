"""Raw requests of the modern era over HTTP: status, code and shape of every answer, judged by the published
JSON schema.

tests/live/part wire URL echo|everything
"""

import base64
import json
import sys

import jsonschema

from checks import check, contains, equal, finish, shown
from judge import schema
from raw import IDS, LEAVE_OUT, META, MODERN, NAMES, Modern, expect_error, message, meta

# A good request of each method that only the everything example has.
REQUESTS = {
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"},
        "argument": {"name": "arg1", "value": ""},
    },
    "prompts/get": {"name": "test_simple_prompt"},
    "prompts/list": {},
    "resources/list": {},
    "resources/read": {"uri": "test://static-text"},
    "resources/templates/list": {},
    "subscriptions/listen": {"notifications": {"toolsListChanged": True}},
    "tasks/cancel": {"taskId": "AAAAAAAAAAAAAAAAAAAAAA"},
    "tasks/get": {"taskId": "AAAAAAAAAAAAAAAAAAAAAA"},
    "tasks/update": {"taskId": "AAAAAAAAAAAAAAAAAAAAAA", "inputResponses": {}},
}
LIMIT = 4 * 1024 * 1024


def request(method, params=None, id=1, _meta=LEAVE_OUT):
    """A JSON-RPC request with a complete `_meta`, unless one is given; None leaves it out."""
    params = dict(params or {})
    if _meta is not None:
        params["_meta"] = meta() if _meta is LEAVE_OUT else _meta
    return message(method, params, id)


def call(name, arguments=LEAVE_OUT, **more):
    params = {"name": name}
    if arguments is not LEAVE_OUT:
        params["arguments"] = arguments
    return request("tools/call", params, **more)


class Server(Modern):
    def conforms(self, value, definition):
        schema(MODERN).conforms(value, definition)

    def result(self, message, definition, **headers):
        """Sends, and expects a result of that definition."""
        answer = self.post(message, **headers)
        equal(answer.status, 200, f"status of {answer}; it")
        body = answer.json
        assert "result" in body, f"not a result: {answer}"
        equal(body["id"], message["id"], "id")
        equal(type(body["id"]), type(message["id"]), "the id's type")
        self.conforms(body, definition)
        result = body["result"]
        equal(result["resultType"], "complete", "resultType")
        # Optional in the schema, but this framework says who it is in every result.
        identity = result["_meta"][META + "serverInfo"]
        assert identity["name"] and identity["version"], f"serverInfo is {shown(identity)}"
        assert "serverInfo" not in result, "serverInfo at the top level belongs to older revisions"
        return result

    def error(self, message, status, code, says=(), id=LEAVE_OUT, **headers):
        """Sends, and expects this error; without `id` the request's own must come back."""
        answer = self.post(message, **headers)
        equal(answer.status, status, f"status of {answer}; it")
        error = expect_error(answer.json, code, says, (message["id"],) if id is LEAVE_OUT else id)
        return error


NO_ID = (LEAVE_OUT,)


def discovery(server):
    found = {}
    with check("1: server/discover"):
        found = server.result(request("server/discover", id="d1"), "DiscoverResultResponse")
        equal(found["supportedVersions"], [MODERN], "supportedVersions")
        contains(found["capabilities"], "tools", "capabilities")
    with check("1: server/discover without clientInfo, which is optional"):
        server.result(request("server/discover", _meta=meta(clientInfo=LEAVE_OUT)), "DiscoverResultResponse")
    with check("2: tools/list, ordered by name, no more pages"):
        listed = server.result(request("tools/list", id=2), "ListToolsResultResponse")
        names = [tool["name"] for tool in listed["tools"]]
        equal(names, sorted(names), "order")
        assert "nextCursor" not in listed, "there is a nextCursor"
        for tool in listed["tools"]:
            jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
    return found.get("capabilities", {})


def envelope(server):
    for key in ("protocolVersion", "clientCapabilities"):
        with check(f"5a: _meta without {key}"):
            message = request("tools/list", id=50, _meta=meta(**{key: LEAVE_OUT}))
            server.error(message, 400, -32602, [META + key])
        with check(f"5a: _meta with a {key} of the wrong type"):
            server.error(request("tools/list", id=50, _meta=meta(**{key: 7})), 400, -32602, [key])
    with check("5a: no _meta"):
        server.error(request("tools/list", id="a", _meta=None), 400, -32602, [META + "protocolVersion"])
    with check("5a: no params"):
        server.error({"jsonrpc": "2.0", "id": 50, "method": "tools/list"}, 400, -32602, [META + "protocolVersion"])

    with check("5b: MCP-Protocol-Version differs from _meta"):
        server.error(request("tools/list", id=51), 400, -32020, ["2025-11-25"], MCP_Protocol_Version="2025-11-25")
    with check("5b: MCP-Protocol-Version is absent"):
        server.error(request("tools/list", id=51), 400, -32020, ["MCP-Protocol-Version"], MCP_Protocol_Version=None)
    with check("5b: a difference wins over an unknown version"):
        server.error(request("tools/list", _meta=meta(protocolVersion="2031-01-01")), 400, -32020)

    with check("5c: Mcp-Method is absent"):
        server.error(request("tools/list", id=52), 400, -32020, ["Mcp-Method"], Mcp_Method=None)
    with check("5c: Mcp-Method differs"):
        server.error(request("tools/list", id=52), 400, -32020, ["Mcp-Method"], Mcp_Method="tools/call")
    with check("5c: Mcp-Method differs in case"):
        server.error(request("tools/list", id=52), 400, -32020, ["Mcp-Method"], Mcp_Method="TOOLS/LIST")

    with check("5d: a version that nobody implements"):
        message = request("tools/list", id=53, _meta=meta(protocolVersion="2031-01-01"))
        data = server.error(message, 400, -32022, MCP_Protocol_Version="2031-01-01")["data"]
        equal(data, {"supported": [MODERN], "requested": "2031-01-01"}, "data")
    with check("5d: an older version inside a modern envelope"):
        message = request("tools/list", id=53, _meta=meta(protocolVersion="2025-11-25"))
        data = server.error(message, 400, -32022, MCP_Protocol_Version="2025-11-25")["data"]
        equal(data, {"supported": [MODERN], "requested": "2025-11-25"}, "data")


def methods(server, capabilities):
    gone = ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "no/such"]
    gated = {"prompts/list": "prompts", "resources/list": "resources", "completion/complete": "completions"}
    for method in gone + [method for method, needs in gated.items() if needs not in capabilities]:
        with check(f"6a: {method}"):
            server.error(request(method, id=60), 404, -32601, [method])


def transport(server):
    for name, value in {"Origin": "https://evil.example", "Host": "evil.example"}.items():
        with check(f"6c: {name}: {value}"):
            answer = server.post(request("tools/list", id=62), **{name: value})
            equal(answer.status, 403, "status")
            if answer.bytes:
                assert "id" not in answer.json, f"an id in {answer}"
                server.conforms(answer.json, "JSONRPCErrorResponse")
    with check("6c: Origin null"):
        equal(server.post(request("tools/list"), Origin="null").status, 403, "status")
    with check("6c: a page on localhost, any port, is welcome"):
        server.result(request("tools/list"), "ListToolsResultResponse", Origin="http://localhost:6274")
    for method in ("GET", "DELETE"):
        with check(f"6d: {method}"):
            answer = server.post(method=method, Accept="text/event-stream", Content_Type=None)
            equal(answer.status, 405, "status")
            contains(answer.headers.get("Allow", ""), "POST", "Allow")


def malformed(server):
    with check("25: a notification gets 202 and no body"):
        message = {"jsonrpc": "2.0", "method": "notifications/unheard_of", "params": {"_meta": meta()}}
        answer = server.post(message)
        equal(answer.status, 202, f"status of {answer}; it")
        equal(answer.bytes, b"", "body")
    for what, body in {"not JSON": b"{not json", "cut off": b'{"jsonrpc":"2.0","id":1', "empty": b""}.items():
        with check(f"25: body {what}"):
            server.error(body, 400, -32700, id=NO_ID, Mcp_Method="tools/list")
    with check("25: body not UTF-8"):
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":"\xff"}}'
        server.error(body, 400, -32700, id=NO_ID, Mcp_Method="tools/list")
    plain = request("tools/list", id=7)
    # An id that could be read may come back; null never may.
    cases = {
        "id null": (plain | {"id": None}, NO_ID),
        "a fractional id": (plain | {"id": 1.5}, NO_ID),
        "a posted response": ({"jsonrpc": "2.0", "id": 7, "result": {}}, (LEAVE_OUT, 7)),
        "no method": ({"jsonrpc": "2.0", "id": 7, "params": {"_meta": meta()}}, (LEAVE_OUT, 7)),
        "no jsonrpc": ({key: plain[key] for key in ("id", "method", "params")}, (LEAVE_OUT, 7)),
        "a batch": ([plain], NO_ID),
        "an empty batch": ([], NO_ID),
        "a string": ("tools/list", NO_ID),
    }
    for what, (message, id) in cases.items():
        with check(f"25: {what}"):
            body = json.dumps(message).encode()
            server.error(body, 400, -32600, id=id, Mcp_Method="tools/list")


def limits(server):
    with check("25: a body over the limit"):
        body = json.dumps(request("tools/list", {"x": "x" * LIMIT})).encode()
        answer = server.post(body, Mcp_Method="tools/list")
        equal(answer.status, 413, f"status of {answer}; it")
    with check("25: a body that is too deep"):
        body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
        contains((-32700, -32600, -32602), server.post(body, Mcp_Method="tools/list").json["error"]["code"], "codes")
    with check("25: a header that is too long"):
        contains((400, 431), server.post(request("tools/list"), X_Long="x" * 1_000_000).status, "statuses")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        with check(f"25: Content-Type {kind}, which a page may send to anybody"):
            equal(server.post(request("tools/list"), Content_Type=kind).status, 415, "status")


def newer(server):
    """What the transport says of tools/list it says of every method."""
    for method, params in REQUESTS.items():
        good = request(method, params, 9)
        body = json.dumps(good).encode()
        named = {"Mcp_Method": method} | ({"Mcp_Name": params[NAMES[method]]} if method in NAMES else {})
        for origin in ("https://evil.example", "null"):
            with check(f"6c: {method}, Origin: {origin}"):
                answer = server.post(good, Origin=origin)
                equal(answer.status, 403, f"status of {answer}; it")
                assert "id" not in answer.json, f"an id in {answer}"
        for what, changes in {"absent": {"Mcp_Method": None}, "different": {"Mcp_Method": "tools/list"}}.items():
            with check(f"5c: {method}, Mcp-Method {what}"):
                server.error(good, 400, -32020, ["Mcp-Method"], **changes)
        for what, name in {"absent": None, "different": "x", "in broken base64": "=?base64?ZWNobw=?="}.items():
            if method in NAMES:
                with check(f"5c: {method}, Mcp-Name {what}"):
                    server.error(good, 400, -32020, ["Mcp-Name"], Mcp_Name=name)
        with check(f"5a: {method} without capabilities"):
            less = request(method, params, 9, _meta=meta(clientCapabilities=LEAVE_OUT))
            server.error(less, 400, -32602, [META + "clientCapabilities"])
        with check(f"25: {method}, cut off"):
            server.error(body[:-1], 400, -32700, id=NO_ID, **named)
        with check(f"25: {method} in a batch"):
            server.error(b"[" + body + b"]", 400, -32600, id=NO_ID, **named)
        with check(f"25: {method} with the id null"):
            server.error(body.replace(b'"id": 9', b'"id": null'), 400, -32600, id=NO_ID, **named)
        with check(f"25: {method} without an id has no answer"):
            answer = server.post(message(method, good["params"], LEAVE_OUT))
            equal((answer.status, answer.bytes), (202, b""), "answer")
        with check(f"25: {method} with params that are no object"):
            for wrong in ([], "x", 7):
                answer = server.post(json.dumps(message(method, wrong, 9)).encode(), **named)
                equal(answer.status, 400, f"status of {answer}; it")
                contains((-32600, -32602, -32020), answer.json["error"]["code"], "codes")
    no_text = {"argument": {"name": "arg1", "value": 7}}
    wrong = {
        "completion/complete": [{}, {"ref": {}, "argument": {}}, REQUESTS["completion/complete"] | no_text],
        "prompts/get": [{"name": "test_simple_prompt", "arguments": []}],
        "prompts/list": [{"cursor": 7}],
        "resources/list": [{"cursor": {}}],
        "resources/templates/list": [{"cursor": "x" * 10_000}],
    }
    for method, cases in wrong.items():
        for params in cases:
            with check(f"7: {method} with params {shown(params)[:60]}"):
                server.error(request(method, params, 9), 200, -32602)
    for name in ("test://static-text", "=?base64?dGVzdDovL3N0YXRpYy10ZXh0?="):
        with check(f"3: resources/read with Mcp-Name {name}"):
            server.result(request("resources/read", REQUESTS["resources/read"]), "ReadResourceResultResponse", Mcp_Name=name)
    with check("10: a resource that is not there"):
        data = server.error(request("resources/read", {"uri": "test://nothing"}, 100), 200, -32602)["data"]
        equal(data, {"uri": "test://nothing"}, "data")
    with check("11: a client that takes no events can not listen"):
        answer = server.post(request("subscriptions/listen", REQUESTS["subscriptions/listen"]), Accept="application/json")
        contains((400, 406), answer.status, f"statuses of {answer}; they")


def echo(server):
    """What only the echo example can show."""
    tool = None
    with check("2: echo's schemas"):
        listed = server.result(request("tools/list"), "ListToolsResultResponse")["tools"]
        tool = next(tool for tool in listed if tool["name"] == "echo")
        schema = tool["inputSchema"]
        equal(schema["additionalProperties"], False, "additionalProperties")
        equal(schema["required"], ["message"], "required")
        equal(list(schema["properties"]), ["message"], "properties")
        equal(schema["properties"]["message"]["type"], "string", "the type of message")
        assert not {"$schema", "title"} & schema.keys(), f"noise in {shown(schema)}"
        equal(tool["outputSchema"]["type"], "object", "the type of the output")

    def echoes(message, text="hi", **headers):
        result = server.result(message, "CallToolResultResponse", **headers)
        assert not result.get("isError"), f"isError: {shown(result)}"
        equal(result["structuredContent"], {"Echo": text}, "structuredContent")
        equal([block["type"] for block in result["content"]], ["text"], "content types")
        equal(json.loads(result["content"][0]["text"]), {"Echo": text}, "the text, parsed")
        if tool:
            jsonschema.validate(result["structuredContent"], tool["outputSchema"])

    with check("3: tools/call echo"):
        echoes(call("echo", {"message": "hi"}, id=3))
    for id in IDS:
        with check(f"3: id {json.dumps(id)} comes back"):
            echoes(call("echo", {"message": "hi"}, id=id))
    with check("3: any order of the keys, and escapes"):
        head, tail = json.dumps(request("x")["params"]["_meta"]), '"jsonrpc":"2.0","id":1}'
        body = f'{{"params":{{"arguments":{{"\\u006dessage":"\\ud83d\\ude00\\n"}},"_meta":{head},"name":"echo"}},"method":"tools/call",{tail}'
        answer = server.post(body.encode(), Mcp_Method="tools/call", Mcp_Name="echo")
        equal(answer.json["result"]["structuredContent"], {"Echo": "😀\n"}, "structuredContent")
    with check("3: 64 KiB"):
        echoes(call("echo", {"message": "é" * 32768}), "é" * 32768)
    with check("3: unknown keys in _meta, a charset in Content-Type"):
        more = meta() | {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "acme.test/x": [1]}
        echoes(call("echo", {"message": "hi"}, _meta=more), Content_Type="application/json; charset=utf-8")
    with check("3: Mcp-Name in the base64 form"):
        encoded = base64.b64encode(b"echo").decode()
        echoes(call("echo", {"message": "hi"}), Mcp_Name=f"=?base64?{encoded}?=")

    for what, name in {"absent": None, "different": "ecko", "in broken base64": "=?base64?ZWNobw=?="}.items():
        with check(f"5c: Mcp-Name {what}"):
            server.error(call("echo", {"message": "hi"}, id=52), 400, -32020, ["Mcp-Name"], Mcp_Name=name)

    with check("7a: unknown tool"):
        server.error(call("ecko", {"message": "hi"}, id=70), 200, -32602, ["ecko"])

    def refused(message, *names):
        result = server.result(message, "CallToolResultResponse")
        equal(result.get("isError"), True, "isError")
        text = "\n".join(block["text"] for block in result["content"])
        for name in names:
            contains(text, name)
        for leak in ("serde", "src/", ".rs", "panicked", "line 1"):
            assert leak not in text, f"internals in {shown(text)}"

    with check("7b: a missing argument"):
        refused(call("echo", {}, id=71), "message")
    with check("7b: no arguments at all"):
        refused(call("echo"), "message")
    with check("7b: an argument of the wrong type"):
        refused(call("echo", {"message": 17}), "message", "string")
    with check("7b: null is no string"):
        refused(call("echo", {"message": None}), "message", "string")
    with check("7b: every problem at once"):
        refused(call("echo", {"mesage": "hi", "volume": 11}), "message", "mesage", "volume")
    # A derived deserialiser takes an array for a struct, field by field; the schema does not.
    for arguments in (["hi"], [], "hi", 5):
        with check(f"7b: arguments {json.dumps(arguments)}, which are no object"):
            refused_either_way(server, call("echo", arguments))


def refused_either_way(server, message):
    """Invalid params and an isError result are both an answer to arguments of the wrong kind; success is not."""
    body = server.post(message).json
    if "error" in body:
        server.conforms(body, "JSONRPCErrorResponse")
        equal(body["error"]["code"], -32602, "code")
    else:
        server.conforms(body, "CallToolResultResponse")
        assert body["result"].get("isError"), f"the call succeeded: {shown(body['result'])}"


def everything(server):
    """Parameters in headers and required capabilities, which the echo example does not have."""
    name = header = key = None
    with check("2: a tool with a string in x-mcp-header"):
        for tool in server.result(request("tools/list"), "ListToolsResultResponse")["tools"]:
            for parameter, schema in tool["inputSchema"].get("properties", {}).items():
                if "x-mcp-header" in schema and schema["type"] == "string" and not tool["inputSchema"].get("required"):
                    name, key, header = tool["name"], parameter, "Mcp-Param-" + schema["x-mcp-header"]
        assert name, "there is none"
    if name:
        zurich = f"=?base64?{base64.b64encode('Zürich'.encode()).decode()}?="
        accepted = {
            "plain": ({key: "eu"}, "eu"),
            "encoded": ({key: "Zürich"}, zurich),
            "left out with its argument": ({}, None),
            "left out with a null argument": ({key: None}, None),
        }
        for what, (arguments, value) in accepted.items():
            with check(f"3: {header} {what}"):
                server.result(call(name, arguments), "CallToolResultResponse", **{header: value})
        rejected = {
            "absent": ({key: "eu"}, None),
            "different": ({key: "eu"}, "us"),
            "in broken base64": ({key: "Hello"}, "=?base64?SGVsbG8?="),
        }
        for what, (arguments, value) in rejected.items():
            with check(f"5c: {header} {what}"):
                server.error(call(name, arguments, id=52), 400, -32020, [header], **{header: value})
        with check(f"5c: {header} absent, and the arguments an array by position"):
            refused_either_way(server, call(name, ["eu", 3]))

    with check("6b: a capability that the client does not have"):
        data = server.error(call("test_missing_capability", {}, id=61), 400, -32021)["data"]
        contains(data["requiredCapabilities"], "sampling", "requiredCapabilities")
    with check("6b: the same call with the capability"):
        message = call("test_missing_capability", {}, _meta=meta(clientCapabilities={"sampling": {}}))
        server.result(message, "CallToolResultResponse")


def main(url, cases):
    server = Server(url)
    if cases == "echo":
        capabilities = discovery(server)
        envelope(server)
        methods(server, capabilities)
        transport(server)
        malformed(server)
        limits(server)
        echo(server)
    elif cases == "everything":
        discovery(server)
        everything(server)
        newer(server)
    else:
        sys.exit(f"no set of cases is called {cases}")


main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "echo")
finish()
