"""The Python package `mcp` in its three modes, against one of the examples over HTTP or a pipe.

tests/live/part python URL|PATH [echo|everything]
"""

import asyncio
import json
import sys
import warnings

from mcp import Client, MCPError, StdioServerParameters

from checks import Complaints, check, contains, equal, finish

MODERN = "2026-07-28"
NEGOTIATED = {"legacy": "2025-11-25", "auto": MODERN, MODERN: MODERN}


async def main(target, use):
    complaints = Complaints("mcp")
    server = target if target.startswith("http") else StdioServerParameters(command=target, args=["--stdio"])
    for mode, version in NEGOTIATED.items():
        with check(f"{mode}: connects and closes without an error or a warning"):
            async with Client(server, mode=mode, read_timeout_seconds=10) as client:
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


use = {"echo": echo, "everything": everything}[sys.argv[2] if len(sys.argv) > 2 else "echo"]
with check("the clients end in time"):
    asyncio.run(asyncio.wait_for(main(sys.argv[1], use), 50))
finish()
