"""The same tools, resources and prompts in every revision, over HTTP or a pipe: each answer is judged by the
published JSON schema of its revision, and has nothing that the revision does not know.

tests/live/part revisions URL|PATH echo|everything
"""

import base64
import json
import sys

from checks import check, contains, equal, finish, shown
from judge import schema
from raw import IDS, LEGACY, MODERN, conversation, expect_error, question

# What a tool has to be told, where it does not work without.
ARGUMENTS = {
    "json_schema_2020_12_tool": {"name": "Ada", "contactMethod": "email", "email": "ada@acme.example"},
    "echo": {"message": "hi"},
    "greet": {"name": "Ada"},
}
NEEDY = "test_missing_capability"
TEXT = "This is the content of the static text resource."
# Tools that are about more than one answer: the parts asking, streams and tasks call them.
ELSEWHERE = {
    NEEDY,
    "confirm_delete",
    "failing_job",
    "multi_input",
    "protocol_error_job",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_elicitation_url",
    "test_reconnection",
    "test_sampling",
    "test_tool_with_task",
}


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
        # On a pipe, a legacy client hears of changes whenever there are some.
        return response, [note for note in before if not (self.legacy and note["method"].endswith("/list_changed"))]

    def result(self, method, params=None, id=1):
        response, before = self.ask(method, params, id)
        assert "result" in response, f"not a result: {shown(response)}"
        return response["result"], before

    def call(self, name, arguments=None, **more):
        params = {"name": name} | ({"arguments": arguments} if arguments is not None else {}) | more
        result, before = self.result("tools/call", params)
        if self.version == "2025-03-26":
            assert "structuredContent" not in result, "2025-03-26 has no structuredContent"
        elif self.legacy:
            equal(type(result.get("structuredContent", {})), dict, "the type of structuredContent")
        return result, before

    def refused(self, method, params, code, *says):
        response, _ = self.ask(method, params)
        return expect_error(response, code, says)


def opening(on):
    if not on.legacy:
        with check(f"{on.version}: server/discover"):
            found, _ = on.result("server/discover")
            equal(found["supportedVersions"], [MODERN], "supportedVersions")
        return
    with check(f"{on.version}: initialize"):
        result = on.peer.greeting["result"]
        equal(result["protocolVersion"], on.version, "protocolVersion")
        contains(result["capabilities"], "tools", "capabilities")
        assert result["serverInfo"]["name"] and result["serverInfo"]["version"], shown(result["serverInfo"])
    with check(f"{on.version}: ping"):
        equal(on.result("ping")[0], {}, "result")


def listing(on):
    tools = []
    with check(f"{on.version}: tools/list, ordered by name, no more pages"):
        listed, _ = on.result("tools/list")
        tools = listed["tools"]
        names = [tool["name"] for tool in tools]
        equal(names, sorted(names), "order")
        assert "nextCursor" not in listed, "there is a nextCursor"
        for tool in tools:
            equal(tool["inputSchema"]["type"], "object", f"the type of {tool['name']}'s input")
            assert not (on.version == "2025-03-26" and "outputSchema" in tool), "2025-03-26 has no outputSchema"
            if on.legacy:
                equal(tool.get("outputSchema", {"type": "object"})["type"], "object", "the type of the output")
    return tools


def ids(on):
    method = "ping" if on.legacy else "tools/list"
    for id in IDS:
        with check(f"{on.version}: id {json.dumps(id)} comes back"):
            on.result(method, id=id)


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
    for name in (tool["name"] for tool in tools if tool["name"] not in ELSEWHERE):
        if name.startswith("test_input_required_result_"):
            continue
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
                equal(progress["params"]["progressToken"], token, "progressToken")
            equal([progress["params"]["progress"] for progress in before], [0, 50, 100], "progress")


def logging(on):
    if on.legacy:
        with check(f"{on.version}: logging/setLevel"):
            on.result("logging/setLevel", {"level": "info"})
            on.refused("logging/setLevel", {"level": "loud"}, -32602, "level")
    asked = {} if on.legacy else {"_meta": {"io.modelcontextprotocol/logLevel": "info"}}
    with check(f"{on.version}: messages of the log, before the result"):
        _, before = on.call("test_tool_with_logging", {}, **asked)
        equal([note["params"]["level"] for note in before], ["info"] * 3, "levels")
        contains(shown(before[0]["params"]["data"]), "started", "the first message")


def resources(on):
    with check(f"{on.version}: resources/list, ordered by URI"):
        listed, _ = on.result("resources/list")
        uris = [resource["uri"] for resource in listed["resources"]]
        equal(uris, ["test://static-binary", "test://static-text", "test://watched-resource"], "URIs")
    with check(f"{on.version}: resources/templates/list"):
        listed, _ = on.result("resources/templates/list")
        templates = [template["uriTemplate"] for template in listed["resourceTemplates"]]
        equal(templates, ["test://template/{id}/data"], "templates")

    def read(uri):
        result, _ = on.result("resources/read", {"uri": uri})
        equal([one["uri"] for one in result["contents"]], [uri], "URIs")
        return result, result["contents"][0]

    with check(f"{on.version}: resources/read of text, which may be kept for an hour"):
        result, contents = read("test://static-text")
        equal((contents["text"], contents["mimeType"]), (TEXT, "text/plain"), "contents")
        kept = (None, None) if on.legacy else (3_600_000, "public")
        equal((result.get("ttlMs"), result.get("cacheScope")), kept, "how long it may be kept")
    with check(f"{on.version}: resources/read of bytes"):
        _, contents = read("test://static-binary")
        equal(base64.b64decode(contents["blob"], validate=True)[:8], b"\x89PNG\r\n\x1a\n", "the first bytes")
    for id, value in {"123": "123", "Z%C3%BCrich%2F1": "Zürich/1"}.items():
        with check(f"{on.version}: resources/read by a template, id {id}"):
            _, contents = read(f"test://template/{id}/data")
            equal(json.loads(contents["text"])["id"], value, "id")
    templates = ("test://template/1/2/data", "test://template//data", "test://template/../data", "test://template/%2E%2E/data")
    for uri in ("test://nothing", *templates, "", "no URI", "file:///etc/passwd"):
        with check(f"{on.version}: resources/read of {uri!r}, which is nothing"):
            error = on.refused("resources/read", {"uri": uri}, -32002 if on.legacy else -32602)
            equal(error["data"]["uri"], uri, "the URI in the error's data")
    with check(f"{on.version}: a cursor that nobody gave"):
        for method in ("resources/list", "resources/templates/list", "prompts/list"):
            on.refused(method, {"cursor": "tomorrow"}, -32602, "cursor")


def prompts(on):
    with check(f"{on.version}: prompts/list, ordered by name"):
        listed, _ = on.result("prompts/list")
        found = {prompt["name"]: [one["name"] for one in prompt.get("arguments", [])] for prompt in listed["prompts"]}
        equal(list(found), sorted(found), "order")
        equal(found["test_prompt_with_arguments"], ["arg1", "arg2"], "arguments")

    def get(name, **arguments):
        result, _ = on.result("prompts/get", {"name": name} | ({"arguments": arguments} if arguments else {}))
        equal({message["role"] for message in result["messages"]}, {"user"}, "roles")
        return [message["content"] for message in result["messages"]]

    with check(f"{on.version}: prompts/get without arguments"):
        equal([block["type"] for block in get("test_simple_prompt")], ["text"], "content types")
    with check(f"{on.version}: prompts/get with arguments"):
        contains(get("test_prompt_with_arguments", arg1="hi", arg2="Zürich")[0]["text"], "arg2='Zürich'")
    with check(f"{on.version}: prompts/get with other content than text"):
        blocks = get("test_prompt_with_image") + get("test_prompt_with_embedded_resource", resourceUri="test://x")
        equal([block["type"] for block in blocks], ["image", "text", "resource", "text"], "content types")
    bad = {
        "an unknown prompt": ("tset", {}, "tset"),
        "a missing argument": ("test_prompt_with_arguments", {"arg1": "hi"}, "arg2"),
        "an argument that is no string": ("test_prompt_with_embedded_resource", {"resourceUri": 7}, "must be a string"),
    }
    for what, (name, arguments, says) in bad.items():
        with check(f"{on.version}: prompts/get with {what}"):
            on.refused("prompts/get", {"name": name, "arguments": arguments}, -32602, says)


def completion(on):
    prompt = {"type": "ref/prompt", "name": "test_prompt_with_arguments"}
    template = {"type": "ref/resource", "uri": "test://template/{id}/data"}

    def complete(ref, name, value):
        return on.result("completion/complete", {"ref": ref, "argument": {"name": name, "value": value}})[0]["completion"]

    with check(f"{on.version}: completion/complete of a prompt's argument"):
        equal(complete(prompt, "arg1", "")["values"], ["testValue1", "testValue2"], "values")
        equal(complete(prompt, "arg1", "testValue2")["values"], ["testValue2"], "values")
    with check(f"{on.version}: completion/complete of an argument for which there is nothing"):
        equal(complete(prompt, "arg2", "x")["values"], [], "values")
    with check(f"{on.version}: completion/complete of a template's variable"):
        equal(complete(template, "id", "12")["values"], ["123", "124"], "values")
    bad = {
        "an unknown prompt": (prompt | {"name": "tset"}, "arg1"),
        "an unknown template": (template | {"uri": "test://{x}"}, "id"),
        "an unknown argument": (prompt, "arg3"),
        "an unknown kind of reference": ({"type": "ref/tool", "name": "greet"}, "name"),
    }
    for what, (ref, name) in bad.items():
        with check(f"{on.version}: completion/complete with {what}"):
            on.refused("completion/complete", {"ref": ref, "argument": {"name": name, "value": ""}}, -32602)


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
                if cases == "echo":
                    echo(on)
                    continue
                everything(on, tools)
                logging(on)
                resources(on)
                prompts(on)
                completion(on)
        if cases == "everything" and version != MODERN:
            needy(target, version)


main(sys.argv[1], sys.argv[2])
finish()
