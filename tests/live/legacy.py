"""Raw requests of the legacy eras over HTTP: sessions, batches, headers, and what bad input gets. What the
methods answer is the business of revisions.py.

tests/live/part legacy URL echo|everything
"""

import json
import sys

from checks import check, contains, equal, finish, shown
from judge import schema
from raw import (
    LEAVE_OUT,
    LEGACY,
    MODERN,
    Answer,
    Http,
    Modern,
    Session,
    cancelled,
    expect_error,
    initialize,
    message,
    question,
)

NEWEST, OLDEST = LEGACY[0], LEGACY[-1]
PING, LIST = message("ping"), message("tools/list")
PING_ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {}}
NOBODY = (LEAVE_OUT,)
LIMIT = 4 * 1024 * 1024
REQUESTS = {
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "x", "value": ""}},
    "prompts/get": {"name": "test_simple_prompt"},
    "prompts/list": {},
    "resources/list": {},
    "resources/read": {"uri": "test://static-text"},
    "resources/subscribe": {"uri": "test://watched-resource"},
    "resources/templates/list": {},
    "resources/unsubscribe": {"uri": "test://watched-resource"},
}


def refused(answer, status, codes, says=(), ids=(1,)):
    """An HTTP error whose body is a JSON-RPC error with one of the codes."""
    equal(answer.status, status, f"status of {answer}; it")
    body = answer.json
    code = body.get("error", {}).get("code")
    contains(codes, code, f"codes for {shown(body)}; they")
    return expect_error(body, code, says, ids)


def result(answer):
    equal(answer.status, 200, f"status of {answer}; it")
    assert "result" in answer.messages[-1], f"not a result: {answer}"
    return answer.messages[-1]["result"]


def greeted(answer, version):
    equal(result(answer)["protocolVersion"], version, "protocolVersion")


def handshake(url):
    http = Http(url)
    for version in LEGACY:
        with check(f"{version}: initialize gives a session"):
            session = Session(url, version)
            assert len(session.id) <= 512, f"the session id has {len(session.id)} bytes"
            assert all("\x21" <= byte <= "\x7e" for byte in session.id), f"the session id is {session.id!r}"
            contains(session.opening.headers["Content-Type"], "application/json", "Content-Type")
            assert Session(url, version).id != session.id, "two sessions have one id"
            greeted(session.opening, version)
        with check(f"{version}: DELETE ends the session, and the id is remembered"):
            session = Session(url, version)
            session.close()
            refused(session.post(LIST), 404, [-32600], ["session"])
            equal(session.post(cancelled(1)).status, 404, "status of a notification")
            equal(session.post(method="DELETE").status, 404, "status of a second DELETE")
    for version in ("1999-01-01", "2024-11-05", MODERN, "2031-01-01", "tomorrow", ""):
        with check(f"initialize with the version {version!r} negotiates {NEWEST}"):
            greeted(http.post(initialize(version)), NEWEST)
    with check("initialize with the version's header, and one that only the modern era knows"):
        greeted(http.post(initialize(NEWEST), MCP_Protocol_Version=NEWEST, Mcp_Method="initialize"), NEWEST)
    with check("initialize with every capability, and unknown ones"):
        capabilities = {"roots": {"listChanged": True}, "sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}}
        capabilities |= {"experimental": {"acme": {}}, "extensions": {"io.acme/x": {}}, "tomorrow": {}}
        greeted(http.post(initialize(NEWEST, capabilities=capabilities)), NEWEST)
    with check("initialize within an old session begins another"):
        session = Session(url, OLDEST)
        again = http.post(initialize(NEWEST), Mcp_Session_Id=session.id)
        greeted(again, NEWEST)
        assert again.headers["Mcp-Session-Id"] != session.id, "the id is the same"
    fields = {"protocolVersion": 7, "capabilities": [], "clientInfo": "me"}
    for field, wrong in fields.items():
        for what, value in {"without": LEAVE_OUT, "with a wrong": wrong}.items():
            with check(f"initialize {what} {field}"):
                bad_handshake(http, initialize(NEWEST, **{field: value}), field)
    with check("initialize without any field names them all"):
        bad_handshake(http, message("initialize", {}), *fields)
    with check("initialize without params names every field"):
        bad_handshake(http, message("initialize"), *fields)
    with check("initialize under a modern header, without the modern envelope"):
        answer = http.post(initialize(NEWEST), MCP_Protocol_Version=MODERN)
        refused(answer, 400, [-32020], ids=(0,))
        assert not answer.headers["Mcp-Session-Id"], "there is a session"


def bad_handshake(http, opener, *names):
    """The status is nobody's rule; the text is ours."""
    answer = http.post(opener)
    contains((200, 400), answer.status, "statuses")
    error = expect_error(answer.json, -32602, names, (opener["id"],))
    assert "session" not in error["message"].lower(), f"the text speaks of sessions: {error['message']}"
    assert not answer.headers["Mcp-Session-Id"], "there is a session"


def sessions(url):
    http, session = Http(url), Session(url, NEWEST)
    with check("ping needs no session"):
        equal(result(http.post(PING)), {}, "result")
    for version in (None, *LEGACY):
        with check(f"tools/list without a session, {version or 'no version'} in the header, says what to send first"):
            refused(http.post(LIST, MCP_Protocol_Version=version), 400, [-32600, -32602], ["initialize"])
    with check("a notification without a session has nothing to say, and no effect"):
        contains((202, 400), http.post(message("notifications/initialized", id=LEAVE_OUT)).status, "statuses")
    with check("a response without a session"):
        equal(http.post({"jsonrpc": "2.0", "id": 1, "result": {}}).status, 400, "status")

    def changed(at):
        return session.id[:at] + ("B" if session.id[at] == "A" else "A") + session.id[at + 1 :]

    forgeries = {
        "made up": "s-3b9f0e",
        "of the right length": "A" * len(session.id),
        "cut": session.id[:-1],
        "longer": session.id + "A",
        "with its start changed": changed(0),
        "with its middle changed": changed(len(session.id) // 2),
        "with its end changed": changed(len(session.id) - 1),
        "of 5,000 bytes": "A" * 5000,
        "with signs that no id has": "../../etc/passwd?x={}",
    }
    for what, id in forgeries.items():
        with check(f"a session id {what}"):
            refused(session.post(LIST, Mcp_Session_Id=id), 404, [-32600], ["session"])
            equal(session.post(cancelled(1), Mcp_Session_Id=id).status, 404, "status of a notification")
            equal(session.post(method="DELETE", Mcp_Session_Id=id).status, 404, "status of DELETE")
    with check("initialize that contradicts its header"):
        refused(http.post(initialize(NEWEST), MCP_Protocol_Version=OLDEST), 400, [-32600], ids=(0,))
    with check("an empty session id"):
        contains((400, 404), session.post(LIST, Mcp_Session_Id="").status, "statuses")
    with check("the modern era ignores a session id, even a forged one"):
        for id in (session.id, "s-3b9f0e"):
            answer = Modern(url).post(question(MODERN, "tools/list"), Mcp_Session_Id=id)
            equal(result(answer)["resultType"], "complete", "resultType")
    with check("DELETE without a session"):
        contains((400, 405), http.post(method="DELETE").status, "statuses")
    with check("GET, while there is nothing to stream"):
        answer = session.post(method="GET", Accept="text/event-stream", Content_Type=None)
        equal(answer.status, 405, "status")
        contains(answer.headers.get("Allow", ""), "POST", "Allow")


def headers(url):
    session = Session(url, NEWEST)
    for version in (None, *LEGACY):
        with check(f"{version or 'no version'} in the header of a session of {NEWEST}"):
            result(session.post(LIST, MCP_Protocol_Version=version))
    for version in ("1999-01-01", "2024-11-05", "2031-01-01", "latest", ""):
        with check(f"the version {version!r} in the header"):
            equal(session.post(LIST, MCP_Protocol_Version=version).status, 400, "status")
    with check("a modern version in the header, without the modern envelope"):
        refused(session.post(LIST, MCP_Protocol_Version=MODERN), 400, [-32602])
    with check("the modern headers are no matter here, not even wrong ones"):
        result(session.post(LIST, Mcp_Method="tools/call", Mcp_Name="=?base64?!?="))
    for accept in (None, "*/*", "application/json, text/event-stream;q=0.5"):
        with check(f"Accept: {accept}"):
            result(session.post(LIST, Accept=accept))
    with check("another site's page"):
        equal(session.post(LIST, Origin="https://evil.example").status, 403, "status")
        equal(Http(url).post(initialize(NEWEST), Origin="https://evil.example").status, 403, "status of initialize")
    with check("a page on localhost, any port, is welcome"):
        result(session.post(LIST, Origin="http://localhost:6274"))


def malformed(url):
    session = Session(url, NEWEST)
    garbage = {"not JSON": b"{not json", "cut off": b'{"jsonrpc":"2.0","id":1', "empty": b"", "not UTF-8": b'"\xff"'}
    for what, body in garbage.items():
        with check(f"body {what}"):
            refused(session.post(body), 400, [-32700], ids=NOBODY)
    bodies = {
        "id null": (LIST | {"id": None}, NOBODY),
        "a fractional id": (LIST | {"id": 1.5}, NOBODY),
        "no method": ({"jsonrpc": "2.0", "id": 1, "params": {}}, (LEAVE_OUT, 1)),
        "no jsonrpc": ({"id": 1, "method": "tools/list"}, (LEAVE_OUT, 1)),
        "a string": ("tools/list", NOBODY),
    }
    for what, (body, ids) in bodies.items():
        with check(f"body with {what}"):
            refused(session.post(body), 400, [-32600], ids=ids)
    for what, body in {"a result": {"result": {}}, "an error": {"error": {"code": -1, "message": "no"}}}.items():
        with check(f"{what}, posted as if the server had asked"):
            answer = session.post({"jsonrpc": "2.0", "id": 1} | body)
            equal((answer.status, answer.bytes), (202, b""), "answer")
    with check("an unknown notification"):
        answer = session.post(message("notifications/unheard_of", id=LEAVE_OUT))
        equal((answer.status, answer.bytes), (202, b""), "answer")


def batches(url):
    session = Session(url, OLDEST)
    note = message("notifications/unheard_of", id=LEAVE_OUT)
    call = message("tools/call", {"name": "echo", "arguments": {"message": "hi"}}, "call")

    def answered(batch):
        answer = session.post(batch)
        equal(answer.status, 200, f"status of {answer}; it")
        if answer.kind == "application/json":
            schema(OLDEST).conforms(answer.json, "JSONRPCBatchResponse")
            responses = answer.json
        else:
            responses = [one for event in answer.events for one in (event if isinstance(event, list) else [event])]
        return {json.dumps(response["id"]): response for response in responses}

    with check("a batch of requests and notifications"):
        found = answered([PING, note, message("tools/list", id=2), call, message("no/such", id=3)])
        equal(sorted(found), ['"call"', "1", "2", "3"], "ids")
        equal(found["1"]["result"], {}, "the answer to ping")
        schema(OLDEST).conforms(found["2"]["result"], "ListToolsResult")
        schema(OLDEST).conforms(found['"call"']["result"], "CallToolResult")
        assert "structuredContent" not in found['"call"']["result"], "2025-03-26 has no structuredContent"
        equal(found["3"]["error"]["code"], -32601, "code")
    with check("a batch of one"):
        equal(list(answered([PING])), ["1"], "ids")
    for what, batch in {"notifications": [note, note], "responses": [{"jsonrpc": "2.0", "id": 1, "result": {}}]}.items():
        with check(f"a batch of {what} has no answer"):
            answer = session.post(batch)
            equal((answer.status, answer.bytes), (202, b""), "answer")
    refusals = {
        "empty": [],
        "with initialize": [PING, initialize(OLDEST, id=2)],
        "with initialize alone": [initialize(OLDEST)],
        "with a modern request": [PING, question(MODERN, "tools/list", id=2)],
    }
    for what, batch in refusals.items():
        with check(f"a batch {what}"):
            refused(session.post(batch), 400, [-32600], ids=NOBODY)
    with check("what is no message in a batch has an error of its own"):
        answer = session.post([[PING], 7, PING])
        equal(answer.status, 200, f"status of {answer}; it")
        errors = [response for response in answer.json if "error" in response]
        equal([response for response in answer.json if "result" in response], [PING_ANSWER], "results")
        equal([error["error"]["code"] for error in errors], [-32600, -32600], "codes")
        assert not any("id" in error for error in errors), f"an id from nowhere: {answer}"
    with check("a batch under an unknown session id"):
        equal(session.post([PING], Mcp_Session_Id="s-3b9f0e").status, 404, "status")
    with check("a batch without a session"):
        refused(Http(url).post([LIST]), 400, [-32600, -32602], ids=NOBODY)
    for version in LEGACY[:-1]:
        with check(f"a batch in a session of {version}"):
            refused(Session(url, version).post([PING]), 400, [-32600], ids=NOBODY)


def cancellation(url):
    """The tool reports progress at once, and then works for a while."""
    call = message("tools/call", {"name": "test_tool_with_progress", "_meta": {"progressToken": "t"}}, "slow")
    for version in LEGACY:
        with check(f"{version}: notifications/cancelled ends the call"):
            session = Session(url, version)
            with session.begin(call) as response:
                equal(session.post(cancelled("slow")).status, 202, "status of the notification")
                end = Answer(response)
            assert end.status == 202 or not any("result" in one for one in end.messages), f"it went on to its end: {end}"
        with check(f"{version}: a later call with the same id is not cancelled"):
            result(session.post(call))
        with check(f"{version}: another session's notification, or one with another id, ends nothing"):
            session = Session(url, version)
            with session.begin(call) as response:
                equal(Session(url, version).post(cancelled("slow")).status, 202, "status of the notification")
                equal(session.post(cancelled(1)).status, 202, "status of the notification")
                assert not result(Answer(response)).get("isError"), "isError"


def newer(url):
    """What the transport says of tools/list it says of every method."""
    for version in LEGACY:
        session = Session(url, version)
        for method, params in REQUESTS.items():
            request = message(method, params)
            with check(f"{version}: {method} from another site's page"):
                for origin in ("https://evil.example", "null"):
                    equal(session.post(request, Origin=origin).status, 403, "status")
            with check(f"{version}: {method} without a session, and in one that is forged"):
                refused(session.post(request, Mcp_Session_Id=None), 400, [-32600, -32602], ["initialize"])
                refused(session.post(request, Mcp_Session_Id="A" * 60), 404, [-32600], ["session"])
            with check(f"{version}: {method}, cut off, and with params that are no object, where it needs some"):
                refused(session.post(json.dumps(request).encode()[:-1]), 400, [-32700], ids=NOBODY)
                for wrong in ([], "x") if params else ():
                    body = session.post(json.dumps(message(method, wrong)).encode()).json
                    contains((-32600, -32602), body["error"]["code"], "codes")
        with check(f"{version}: DELETE from another site's page ends nothing"):
            equal(session.post(method="DELETE", Origin="https://evil.example").status, 403, "status")
            result(session.post(LIST))
        with check(f"{version}: a body over the limit"):
            equal(session.post(json.dumps(message("ping", {"x": "x" * LIMIT})).encode()).status, 413, "status")


def main(url, cases):
    if cases == "echo":
        handshake(url)
        sessions(url)
        headers(url)
        malformed(url)
        batches(url)
    elif cases == "everything":
        for version in LEGACY:
            with check(f"{version}: an argument that the modern era mirrors into a header needs none"):
                params = {"name": "test_x_mcp_header", "arguments": {"region": "Zürich", "level": 3}}
                assert not result(Session(url, version).post(message("tools/call", params))).get("isError"), "isError"
        cancellation(url)
        newer(url)
    else:
        sys.exit(f"no set of cases is called {cases}")


main(sys.argv[1], sys.argv[2])
finish()
