"""The MCP Inspector's command line, in each of its three eras, against the echo example over HTTP or a pipe.

tests/live/part inspector URL|PATH
"""

import json
import os
import pathlib
import subprocess
import sys

from checks import check, contains, equal, finish

LAUNCHER = "npm/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"


ERAS = {"legacy": "2025-11-25", "auto": "2026-07-28", "modern": "2026-07-28"}


def inspector(target, era, *arguments):
    """Exit status, the JSON on standard output (None if there is none) and standard error."""
    launcher = pathlib.Path(os.environ["LIVE_CACHE"], LAUNCHER)
    options = ["--protocol-era", era, *arguments]
    if target.startswith("http"):
        command = ["node", launcher, "--cli", target, "--transport", "http", *options]
    else:
        command = ["node", launcher, "--cli", *options, "--transport", "stdio", "--", target, "--stdio"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, stdin=subprocess.DEVNULL)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr


def main(target):
    for era, version in ERAS.items():
        run(era, version, lambda *arguments: inspector(target, era, *arguments))


def run(era, version, inspector):
    with check(f"{era}: initialize negotiates {version}"):
        status, answer, errors = inspector("--method", "initialize")
        equal(status, 0, f"exit status ({errors.strip()})")
        equal(answer["protocolVersion"], version, "protocolVersion")
        contains(answer["capabilities"], "tools", "capabilities")
        equal(sorted({"name", "version"} - answer["serverInfo"].keys()), [], "missing in serverInfo")

    with check(f"{era}: tools/list --strict finds echo, and no schema problem"):
        status, answer, errors = inspector("--method", "tools/list", "--format", "json", "--strict", "--quiet")
        equal(status, 0, f"exit status ({errors.strip()})")
        equal(errors.strip(), "", "standard error")
        tool = next(tool for tool in answer["result"]["tools"] if tool["name"] == "echo")
        equal(tool["inputSchema"]["properties"]["message"]["type"], "string", "the type of message")
        equal(tool["inputSchema"]["required"], ["message"], "required")
        assert tool["description"], "echo has no description"

    with check(f"{era}: tools/call echo keeps quotes and characters beyond ASCII"):
        message = 'Zürich "日本" \\ \n ☃'
        arguments = json.dumps({"message": message})
        status, answer, errors = inspector(
            "--method", "tools/call", "--tool-name", "echo", "--tool-args-json", arguments, "--quiet"
        )
        equal(status, 0, f"exit status ({errors.strip()})")
        equal(answer["structuredContent"], {"Echo": message}, "structuredContent")
        equal([block["type"] for block in answer["content"]], ["text"], "content types")
        equal(json.loads(answer["content"][0]["text"]), {"Echo": message}, "the text, parsed")
        assert not answer.get("isError"), "isError is set"

    with check(f"{era}: tools/call echo without its argument is an isError result that names it"):
        status, answer, errors = inspector(
            "--method", "tools/call", "--tool-name", "echo", "--format", "json", "--quiet"
        )
        equal(status, 5, f"exit status ({errors.strip()})")
        contains(errors, "tool_is_error", "standard error")
        equal(answer["result"]["isError"], True, "isError")
        contains(answer["result"]["content"][0]["text"], "message")

    with check(f"{era}: tools/call of a tool that does not exist ends with status 5"):
        status, _, errors = inspector(
            "--method", "tools/call", "--tool-name", "ecko", "--format", "json", "--quiet"
        )
        equal(status, 5, f"exit status ({errors.strip()})")
        contains(errors, "tool_not_found", "standard error")


main(sys.argv[1])
finish()
