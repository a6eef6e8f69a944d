"""The same tools in every revision, over HTTP or a pipe: each answer is judged by the published JSON schema of
its revision, and has nothing that the revision does not know.

tests/live/part revisions URL|PATH echo|everything
"""

import json
import sys

from checks import check, contains, equal, finish, shown
from raw import IDS, LEGACY, MODERN, conversation, expect_error, question, schema

# What a tool has to be told, where it does not work without.
ARGUMENTS = {
    "json_schema_2020_12_tool": {"name": "Ada", "contactMethod": "email", "email": "ada@acme.example"},
    "echo": {"message": "hi"},
}
CONTENT = {
    "text": "TextContent",
    "image": "ImageContent",
    "audio": "AudioContent",
    "resource": "EmbeddedResource",
    "resource_link": "ResourceLink",
}
NEEDY = "test_missing_capability"
MODERN_KEYS = {"resultType", "ttlMs", "cacheScope"}


class Revision:
    """One revision on one wire."""

    def __init__(self, peer, version):
        self.peer, self.version, self.schema = peer, version, schema(version)
        self.legacy = version != MODERN

    def ask(self, method, params=None, id=1):
        """The response, and the notifications that came before it."""
        *before, response = self.peer.ask(question(self.version, method, params, id))
        equal(response.get("id"), id, "id")
        equal(type(response["id"]), type(id), "the id's type")
        return response, before

    def result(self, method, definition, params=None, id=1):
        response, before = self.ask(method, params, id)
        assert "result" in response, f"not a result: {shown(response)}"
        result = response["result"]
        if self.legacy:
            self.schema.conforms(response, "JSONRPCResponse")
            self.plain(result)
        else:
            self.schema.conforms(response, "JSONRPCResultResponse")
        self.schema.conforms(result, definition)
        self.schema.knows(result, definition)
        return result, before

    def call(self, name, arguments=None, **more):
        params = {"name": name} | ({"arguments": arguments} if arguments is not None else {}) | more
        result, before = self.result("tools/call", "CallToolResult", params)
        for block in result["content"]:
            self.schema.knows(block, CONTENT[block["type"]])
            assert not (self.version == "2025-03-26" and block["type"] == "resource_link"), "a resource_link"
        if self.version == "2025-03-26":
            assert "structuredContent" not in result, "2025-03-26 has no structuredContent"
        elif self.legacy:
            equal(type(result.get("structuredContent", {})), dict, "the type of structuredContent")
        return result, before

    def refused(self, method, params, code, *says):
        response, _ = self.ask(method, params)
        expect_error(response, code, says)
        self.schema.conforms(response, "JSONRPCError" if self.version in LEGACY[1:] else "JSONRPCErrorResponse")
        if self.legacy:
            self.plain(response["error"])

    def plain(self, value):
        """The modern era's own keys stay there."""
        extra = MODERN_KEYS & value.keys()
        assert not extra, f"{sorted(extra)} belong to the modern era: {shown(value)}"
        assert "io.modelcontextprotocol" not in json.dumps(value.get("_meta", {})), f"modern _meta: {shown(value)}"


def opening(on):
    if not on.legacy:
        with check(f"{on.version}: server/discover"):
            found, _ = on.result("server/discover", "DiscoverResult")
            equal(found["supportedVersions"], [MODERN], "supportedVersions")
        return
    with check(f"{on.version}: initialize"):
        greeting = on.peer.greeting
        on.schema.conforms(greeting, "JSONRPCResponse")
        result = greeting["result"]
        on.schema.conforms(result, "InitializeResult")
        on.schema.knows(result, "InitializeResult")
        on.schema.knows(result["serverInfo"], "Implementation")
        on.plain(result)
        equal(result["protocolVersion"], on.version, "protocolVersion")
        contains(result["capabilities"], "tools", "capabilities")
        assert result["serverInfo"]["name"] and result["serverInfo"]["version"], shown(result["serverInfo"])
    with check(f"{on.version}: ping"):
        equal(on.result("ping", "Result")[0], {}, "result")


def listing(on):
    tools = []
    with check(f"{on.version}: tools/list, ordered by name, no more pages"):
        listed, _ = on.result("tools/list", "ListToolsResult")
        tools = listed["tools"]
        names = [tool["name"] for tool in tools]
        equal(names, sorted(names), "order")
        assert "nextCursor" not in listed, "there is a nextCursor"
        for tool in tools:
            on.schema.knows(tool, "Tool")
            equal(tool["inputSchema"]["type"], "object", f"the type of {tool['name']}'s input")
            assert not (on.version == "2025-03-26" and "outputSchema" in tool), "2025-03-26 has no outputSchema"
            if on.legacy:
                equal(tool.get("outputSchema", {"type": "object"})["type"], "object", "the type of the output")
    return tools


def ids(on):
    method, definition = ("ping", "Result") if on.legacy else ("tools/list", "ListToolsResult")
    for id in IDS:
        with check(f"{on.version}: id {json.dumps(id)} comes back"):
            on.result(method, definition, id=id)


def errors(on):
    with check(f"{on.version}: an unknown tool"):
        on.refused("tools/call", {"name": "ecko", "arguments": {}}, -32602, "ecko")
    if on.legacy:
        # The modern transport answers these with another status, see the wire part.
        with check(f"{on.version}: tools/call without a name"):
            on.refused("tools/call", {"arguments": {}}, -32602, "name")
        for method in ("no/such", "server/discover", "prompts/list"):
            with check(f"{on.version}: {method} is no method"):
                on.refused(method, {}, -32601, method)


def echo(on):
    with check(f"{on.version}: tools/call echo"):
        result, before = on.call("echo", {"message": "hi"})
        equal(before, [], "notifications")
        equal([block["type"] for block in result["content"]], ["text"], "content types")
        equal(json.loads(result["content"][0]["text"]), {"Echo": "hi"}, "the text, parsed")
        expected = None if on.version == "2025-03-26" else {"Echo": "hi"}
        equal(result.get("structuredContent"), expected, "structuredContent")
    for what, arguments in {"no arguments": None, "a missing one": {}, "a wrong one": {"message": 17}}.items():
        with check(f"{on.version}: {what} is an isError result that names it"):
            result, _ = on.call("echo", arguments)
            equal(result.get("isError"), True, "isError")
            contains(result["content"][0]["text"], "message")
    ids(on)
    errors(on)


def everything(on, tools):
    for name in (tool["name"] for tool in tools if tool["name"] != NEEDY):
        with check(f"{on.version}: tools/call {name}"):
            result, before = on.call(name, ARGUMENTS.get(name))
            equal(bool(result.get("isError")), name == "test_error_handling", "isError")
            equal(before, [], "notifications that nobody asked for")
    with check(f"{on.version}: structured content that is no object"):
        result, _ = on.call("test_list_output")
        equal(result.get("structuredContent"), None if on.legacy else [1, 2, 3], "structuredContent")
        equal([block["text"] for block in result["content"]], ["[1,2,3]"], "texts")
        listed = next(tool for tool in tools if tool["name"] == "test_list_output")
        equal("outputSchema" in listed, not on.legacy, "outputSchema is listed")
    with check(f"{on.version}: a link to a resource"):
        result, _ = on.call("test_resource_link")
        first = on.version == "2025-03-26"
        equal([block["type"] for block in result["content"]], ["text" if first else "resource_link"], "content types")
        contains(shown(result), "test://static-text", "answer")
        listed = next(tool for tool in tools if tool["name"] == "test_resource_link")
        equal(listed.get("annotations", {}).get("title") if first else listed.get("title"), "A link", "title")
    for token in ("a-token", 7):
        with check(f"{on.version}: progress under the token {json.dumps(token)}, before the result"):
            _, before = on.call("test_tool_with_progress", {}, _meta={"progressToken": token})
            for progress in before:
                on.schema.conforms(progress, "ProgressNotification")
                equal(progress["params"]["progressToken"], token, "progressToken")
            equal([progress["params"]["progress"] for progress in before], [0, 50, 100], "progress")


def needy(target, version):
    """A capability that the client does not have, in an era that has no code for it; the wire part has the modern one."""
    with check(f"{version}: a capability that the client does not have"), conversation(target, version) as peer:
        response, _ = Revision(peer, version).ask("tools/call", {"name": NEEDY, "arguments": {}})
        if "error" in response:
            contains((-32602, -32603), response["error"]["code"], "codes")
        else:
            equal(response["result"].get("isError"), True, "isError")
        contains(shown(response), "sampling", "answer")
    with check(f"{version}: the same call with the capability"), conversation(target, version, sampling={}) as peer:
        result, _ = Revision(peer, version).call(NEEDY, {})
        assert not result.get("isError"), f"isError: {shown(result)}"


def main(target, cases):
    for version in (MODERN, *LEGACY):
        with check(f"{version}: the conversation opens and closes"):
            with conversation(target, version) as peer:
                on = Revision(peer, version)
                opening(on)
                tools = listing(on)
                echo(on) if cases == "echo" else everything(on, tools)
        if cases == "everything" and version != MODERN:
            needy(target, version)


main(sys.argv[1], sys.argv[2])
finish()
