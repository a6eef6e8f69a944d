"""The Python package `mcp` in its three modes, against one of the examples over HTTP or a pipe.

tests/live/part python URL|PATH [echo|everything]
"""

import asyncio
import json
import sys
import warnings
from typing import Literal

import mcp_types as types
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.extension import ClientExtension, ResultClaim
from pydantic import TypeAdapter

from checks import Complaints, check, contains, equal, finish, skip

MODERN = "2026-07-28"
NEGOTIATED = {"legacy": "2025-11-25", "auto": MODERN, MODERN: MODERN}


class Task(types.Result):
    """A task in its flat form; the package has none of its own."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class TaskRequest(types.Request[dict, str]):
    name_param = "taskId"


class Tasks(ClientExtension):
    """What a client of this package adds to take tasks: it asks after them until they have ended."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self):
        self.begun = []

    def claims(self):
        return [ResultClaim(result_type="task", model=Task, resolve=self.resolve)]

    async def resolve(self, task, context):
        self.begun.append(task.task_id)
        while True:
            request = TaskRequest(method="tasks/get", params={"taskId": task.task_id})
            found = await context.session.send_request(request, TypeAdapter(dict))
            if found["status"] == "input_required":
                answers = {key: {"action": "accept", "content": {"confirm": True}} for key in found["inputRequests"]}
                params = {"taskId": task.task_id, "inputResponses": answers}
                await context.session.send_request(TaskRequest(method="tasks/update", params=params), types.Result)
            elif found["status"] == "completed":
                return types.CallToolResult.model_validate(found["result"])
            elif found["status"] != "working":
                raise RuntimeError(f"the task is {found['status']}: {found}")
            await asyncio.sleep(0.05)


class User:
    """Who sits at the client: answers whatever is asked, and remembers it, with what was said."""

    def __init__(self):
        self.asked, self.heard, self.tasks = [], [], Tasks()

    def answers(self):
        return {
            "elicitation_callback": self.elicited,
            "sampling_callback": self.sampled,
            "list_roots_callback": self.roots,
            "logging_callback": self.logged,
            "message_handler": self.hears,
            "extensions": [self.tasks],
        }

    async def elicited(self, context, params):
        self.asked.append(params)
        if params.mode == "url":
            return types.ElicitResult(action="accept")
        fields = params.requested_schema["properties"]
        values = {"boolean": True, "string": "Ada", "integer": 7, "number": 1.5}
        content = {name: field.get("default", values.get(field["type"])) for name, field in fields.items()}
        return types.ElicitResult(action="accept", content=content)

    async def sampled(self, context, params):
        self.asked.append(params)
        content = types.TextContent(type="text", text="Paris.")
        return types.CreateMessageResult(role="assistant", content=content, model="a-model", stop_reason="endTurn")

    async def roots(self, context):
        self.asked.append("roots")
        return types.ListRootsResult(roots=[types.Root(uri="file:///test/root", name="Root")])

    async def logged(self, params):
        self.heard.append(params)

    async def hears(self, message):
        self.heard.append(message)

    async def until(self, kind):
        """The next message of this kind that is heard."""
        for _ in range(100):
            for message in self.heard:
                if isinstance(message, kind):
                    self.heard.remove(message)
                    return message
            await asyncio.sleep(0.02)
        raise AssertionError(f"no {kind.__name__} in {self.heard}")


async def main(target, use):
    complaints = Complaints("mcp")
    server = target if target.startswith("http") else StdioServerParameters(command=target, args=["--stdio"])
    for mode, version in NEGOTIATED.items():
        with check(f"{mode}: connects and closes without an error or a warning"):
            user = User()
            async with Client(server, mode=mode, read_timeout_seconds=10, **user.answers()) as client:
                client.user = user
                await opening(client, mode, version)
                await use(client, mode)
            equal(complaints.texts, [], "warnings")
        complaints.texts.clear()


async def opening(client, mode, version):
    with check(f"{mode}: the version is {version}"):
        equal(client.protocol_version, version, "protocol version")
        if mode != MODERN:
            assert client.server_info is not None and client.server_info.name, "the server does not identify itself"
            assert client.server_capabilities.tools, "the server has no tools"
    if version == MODERN:
        with check(f"{mode}: server/discover"):
            found = await client.session.send_discover(MODERN)
            contains(found["supportedVersions"], MODERN, "supportedVersions")
            contains(found["capabilities"], "tools", "capabilities")
    else:
        with check(f"{mode}: ping"), warnings.catch_warnings(action="ignore"):
            await client.send_ping()


async def echo(client, mode):
    with check(f"{mode}: tools/list: echo takes message, a string"):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        schema = tools["echo"].input_schema
        equal(schema["properties"]["message"]["type"], "string", "the type of message")
        equal(schema["required"], ["message"], "required")
        assert tools["echo"].output_schema, "echo has no outputSchema"

    with check(f"{mode}: tools/call echo"):
        result = await client.call_tool("echo", {"message": "hi"})
        assert not result.is_error, "isError is set"
        equal(result.structured_content, {"Echo": "hi"}, "structuredContent")
        equal([block.type for block in result.content], ["text"], "content types")
        equal(json.loads(result.content[0].text), {"Echo": "hi"}, "the text, parsed")

    with check(f"{mode}: tools/call echo, 32 at a time, each gets its own answer"):
        messages = [f"{number}·" * 50 for number in range(32)]
        results = await asyncio.gather(*(client.call_tool("echo", {"message": message}) for message in messages))
        equal([result.structured_content["Echo"] for result in results], messages, "answers")

    with check(f"{mode}: a missing argument is an isError result that names it"):
        result = await client.call_tool("echo", {})
        equal(result.is_error, True, "isError")
        contains(result.content[0].text, "message")

    with check(f"{mode}: an unknown tool is error -32602 that names it"):
        try:
            result = await client.call_tool("ecko", {"message": "hi"})
        except MCPError as error:
            equal(error.error.code, -32602, f"code ({error.error.message})")
            contains(error.error.message, "ecko", "message")
        else:
            raise AssertionError(f"the call succeeded: {result}")

    with check(f"{mode}: the connection still works after the errors"):
        result = await client.call_tool("echo", {"message": "still here"})
        equal(result.structured_content, {"Echo": "still here"}, "structuredContent")


async def everything(client, mode):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    for value in ("eu-west", "Zürich", " padded ", "=?base64?SGk=?="):
        with check(f"{mode}: an argument that travels in a header as well: {value!r}"):
            name, argument = next(
                (tool.name, key)
                for tool in tools.values()
                for key, schema in tool.input_schema.get("properties", {}).items()
                if "x-mcp-header" in schema and schema["type"] == "string"
            )
            result = await client.call_tool(name, {argument: value})
            assert not result.is_error, f"isError: {result.content}"

    with check(f"{mode}: progress arrives before the result"):
        seen = []

        async def progressed(progress, total, message):
            seen.append((progress, total))

        result = await client.call_tool("test_tool_with_progress", {}, progress_callback=progressed)
        assert not result.is_error, f"isError: {result.content}"
        equal(seen, [(0, 100), (50, 100), (100, 100)], "progress")

    with check(f"{mode}: text, image and resource in one result"):
        result = await client.call_tool("test_multiple_content_types", {})
        equal([block.type for block in result.content], ["text", "image", "resource"], "content types")


    await asking(client, mode)
    await reading(client, mode)
    await listening(client, mode)
    await tasks(client, mode)


async def said(client, name, arguments=None):
    result = await client.call_tool(name, arguments or {})
    assert not result.is_error, f"isError: {result.content}"
    return result.content[0].text


async def asking(client, mode):
    user = client.user
    with check(f"{mode}: a form"):
        contains(await said(client, "test_elicitation", {"message": "Who?"}), 'content={"username":"Ada","email":"Ada"}')
        equal(user.asked[-1].message, "Who?", "what was asked")
    with check(f"{mode}: a form with defaults"):
        contains(await said(client, "test_elicitation_sep1034_defaults"), '"score":95.5')
    with check(f"{mode}: a page to open"):
        contains(await said(client, "test_elicitation_url"), "action=accept")
        equal(user.asked[-1].url, "https://example.com/confirm", "URL")
    with check(f"{mode}: sampling"):
        contains(await said(client, "test_sampling", {"prompt": "Where?"}), "Paris.")
        equal(user.asked[-1].max_tokens, 100, "maxTokens")
    with check(f"{mode}: roots"):
        contains(await said(client, "test_input_required_result_list_roots"), "file:///test/root")
    with check(f"{mode}: three questions at once, and one after the other"):
        contains(await said(client, "test_input_required_result_multiple_inputs"), "Ada, from 1 roots")
        contains(await said(client, "test_input_required_result_multi_round"), "Ada likes Ada.")
    with check(f"{mode}: a prompt that asks"):
        found = await client.get_prompt("test_input_required_result_prompt")
        contains(found.messages[0].content.text, "context: Ada")


async def reading(client, mode):
    with check(f"{mode}: resources, their templates, text and bytes"):
        uris = [str(resource.uri) for resource in (await client.list_resources()).resources]
        contains(uris, "test://static-text", "URIs")
        templates = [template.uri_template for template in (await client.list_resource_templates()).resource_templates]
        equal(templates, ["test://template/{id}/data"], "templates")
        kinds = {"test://static-text": "text", "test://static-binary": "blob", "test://template/7/data": "text"}
        for uri, kind in kinds.items():
            assert getattr((await client.read_resource(uri)).contents[0], kind), f"no {kind} in {uri}"
    with check(f"{mode}: a resource that is not there"):
        try:
            await client.read_resource("test://nothing")
        except MCPError as error:
            equal(error.error.code, -32602 if mode != "legacy" else -32002, "code")
        else:
            raise AssertionError("it was read")
    with check(f"{mode}: prompts"):
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        contains(names, "test_prompt_with_arguments", "names")
        found = await client.get_prompt("test_prompt_with_arguments", {"arg1": "one", "arg2": "two"})
        contains(found.messages[0].content.text, "arg1='one', arg2='two'")
    with check(f"{mode}: completion"):
        prompt = types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
        found = await client.complete(prompt, {"name": "arg1", "value": "testValue1"})
        equal(found.completion.values, ["testValue1"], "values")
        template = types.ResourceTemplateReference(type="ref/resource", uri="test://template/{id}/data")
        equal((await client.complete(template, {"name": "id", "value": "20"})).completion.values, ["200"], "values")


async def listening(client, mode):
    user, uri = client.user, "test://watched-resource"
    if mode == "legacy":
        with check(f"{mode}: is told of changes"):
            await client.call_tool("test_trigger_tool_change", {})
            await user.until(types.ToolListChangedNotification)
            await client.call_tool("test_trigger_prompt_change", {})
            await user.until(types.PromptListChangedNotification)
        with check(f"{mode}: is told of a resource that it subscribed to"), warnings.catch_warnings(action="ignore"):
            await client.subscribe_resource(uri)
            await client.call_tool("test_trigger_resource_update", {})
            equal(str((await user.until(types.ResourceUpdatedNotification)).params.uri), uri, "uri")
            await client.unsubscribe_resource(uri)
        with check(f"{mode}: hears the log"), warnings.catch_warnings(action="ignore"):
            await client.set_logging_level("info")
            await client.call_tool("test_tool_with_logging", {})
            await user.until(types.LoggingMessageNotificationParams)
        with check(f"{mode}: comes back for the answer when the server lets go of the stream"):
            contains(await said(client, "test_reconnection"), "came back")
        return
    with check(f"{mode}: listens"):
        filter = {"tools_list_changed": True, "prompts_list_changed": True, "resource_subscriptions": [uri]}
        async with client.listen(**filter) as heard:
            equal(heard.honored.resource_subscriptions, [uri], "what is honoured")
            for what in ("tool_change", "prompt_change", "resource_update"):
                await client.call_tool(f"test_trigger_{what}", {})
                event = type(await asyncio.wait_for(anext(heard), 5)).__name__
                contains(event.lower(), what.partition("_")[0], "event")
    with check(f"{mode}: hears the log of a call that asks for it"):
        meta = {"io.modelcontextprotocol/logLevel": "info"}
        await client.call_tool("test_tool_with_logging", {}, meta=meta)
        await user.until(types.LoggingMessageNotificationParams)


async def tasks(client, mode):
    begun = client.user.tasks.begun
    if mode == "legacy":
        skip(f"{mode}: tasks", "results that an extension claims are only for the modern wire in mcp 2.3.0")
        with check(f"{mode}: a tool that may be a task is answered when it is done"):
            contains(await said(client, "slow_compute", {"seconds": 0.1}), "Computed")
            equal(begun, [], "tasks")
        return
    with check(f"{mode}: a task, awaited"):
        contains(await said(client, "slow_compute", {"seconds": 0.3}), "Computed")
        equal(len(begun), 1, "tasks")
    with check(f"{mode}: a task that asks"):
        equal(await said(client, "confirm_delete", {"filename": "a.txt"}), "Deleted a.txt.", "text")
        equal(len(begun), 2, "tasks")
    with check(f"{mode}: a call that asks, and then is a task"):
        contains(await said(client, "test_tool_with_task"), "Ada")
        equal(len(begun), 3, "tasks")
    with check(f"{mode}: a task whose tool fails"):
        equal((await client.call_tool("failing_job", {})).is_error, True, "isError")


use = {"echo": echo, "everything": everything}[sys.argv[2] if len(sys.argv) > 2 else "echo"]
with check("the clients end in time"):
    asyncio.run(asyncio.wait_for(main(sys.argv[1], use), 50))
finish()
