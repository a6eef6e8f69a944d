"""The MCP Inspector's command line, pinned to the modern era, against the echo example.

tests/live/part inspector URL
"""

import json
import os
import pathlib
import subprocess
import sys

from checks import check, contains, equal, finish

LAUNCHER = "npm/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"


def inspector(url, *arguments):
    """Exit status, the JSON on standard output (None if there is none) and standard error."""
    launcher = pathlib.Path(os.environ["LIVE_CACHE"], LAUNCHER)
    command = ["node", launcher, "--cli", url, "--transport", "http", "--protocol-era", "modern", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, stdin=subprocess.DEVNULL)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr


def main(url):
    with check("initialize negotiates 2026-07-28 by server/discover"):
        status, answer, errors = inspector(url, "--method", "initialize")
        equal(status, 0, f"exit status ({errors.strip()})")
        equal(answer["protocolVersion"], "2026-07-28", "protocolVersion")
        contains(answer["capabilities"], "tools", "capabilities")
        equal(sorted({"name", "version"} - answer["serverInfo"].keys()), [], "missing in serverInfo")

    with check("tools/list --strict finds echo, and no schema problem"):
        status, answer, errors = inspector(url, "--method", "tools/list", "--format", "json", "--strict")
        equal(status, 0, f"exit status ({errors.strip()})")
        equal(errors.strip(), "", "standard error")
        tool = next(tool for tool in answer["result"]["tools"] if tool["name"] == "echo")
        equal(tool["inputSchema"]["properties"]["message"]["type"], "string", "the type of message")
        equal(tool["inputSchema"]["required"], ["message"], "required")
        assert tool["description"], "echo has no description"

    with check("tools/call echo message=hi"):
        status, answer, errors = inspector(
            url, "--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hi"
        )
        equal(status, 0, f"exit status ({errors.strip()})")
        equal(answer["structuredContent"], {"Echo": "hi"}, "structuredContent")
        equal([block["type"] for block in answer["content"]], ["text"], "content types")
        equal(json.loads(answer["content"][0]["text"]), {"Echo": "hi"}, "the text, parsed")
        assert not answer.get("isError"), "isError is set"

    with check("tools/call echo --tool-args-json keeps quotes and characters beyond ASCII"):
        message = 'Zürich "日本" \\ \n ☃'
        status, answer, errors = inspector(
            url, "--method", "tools/call", "--tool-name", "echo", "--tool-args-json", json.dumps({"message": message})
        )
        equal(status, 0, f"exit status ({errors.strip()})")
        equal(answer["structuredContent"], {"Echo": message}, "structuredContent")

    with check("tools/call echo without its argument is an isError result that names it"):
        status, answer, errors = inspector(
            url, "--method", "tools/call", "--tool-name", "echo", "--format", "json", "--quiet"
        )
        equal(status, 5, f"exit status ({errors.strip()})")
        contains(errors, "tool_is_error", "standard error")
        equal(answer["result"]["isError"], True, "isError")
        contains(answer["result"]["content"][0]["text"], "message")

    with check("tools/call of a tool that does not exist ends with status 5"):
        status, _, errors = inspector(
            url, "--method", "tools/call", "--tool-name", "ecko", "--format", "json", "--quiet"
        )
        equal(status, 5, f"exit status ({errors.strip()})")
        contains(errors, "tool_not_found", "standard error")


main(sys.argv[1])
finish()
