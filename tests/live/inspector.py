"""The MCP Inspector's command line, in each of its three eras, against one of the examples over HTTP or a pipe.

tests/live/part inspector URL|PATH [echo|everything]
"""

import concurrent.futures
import functools
import json
import os
import pathlib
import subprocess
import sys

from checks import check, contains, equal, finish, skip

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


def main(target, cases):
    if cases == "echo":
        for era, version in ERAS.items():
            echo(era, version, lambda *arguments: inspector(target, era, *arguments))
    elif cases == "everything":
        # Each run is a start of the program. Auto does what modern does.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            tell = functools.partial(inspector, target)
            list(pool.map(lambda era: everything(era, functools.partial(tell, era)), ("legacy", "modern")))
        one_shot = "the command line has no way to give an answer, and so does not say that it can"
        skip("elicitation and sampling", one_shot)
        skip("completion, subscriptions and changes of lists", "the command line runs one method, and has none for these")
    else:
        sys.exit(f"no set of cases is called {cases}")


def everything(era, inspector):
    def told(*arguments):
        status, answer, errors = inspector(*arguments, "--quiet")
        equal(status, 0, f"exit status ({errors.strip()})")
        return answer

    def called(name, *arguments):
        answer = told("--method", "tools/call", "--tool-name", name, *arguments)
        assert not answer.get("isError"), f"isError: {answer}"
        return answer["content"][0]["text"]

    with check(f"{era}: resources and their templates"):
        uris = [resource["uri"] for resource in told("--method", "resources/list")["resources"]]
        contains(uris, "test://static-text", "URIs")
        templates = told("--method", "resources/templates/list")["resourceTemplates"]
        equal([template["uriTemplate"] for template in templates], ["test://template/{id}/data"], "templates")
    with check(f"{era}: resources/read by a template"):
        contents = told("--method", "resources/read", "--uri", "test://template/7/data")["contents"]
        equal(json.loads(contents[0]["text"])["id"], "7", "id")
    with check(f"{era}: resources/read of what is not there"):
        status, _, errors = inspector("--method", "resources/read", "--uri", "test://nothing", "--quiet")
        equal(status, 1, f"exit status ({errors.strip()})")
        contains(errors, "No such resource", "standard error")
    with check(f"{era}: prompts"):
        names = [prompt["name"] for prompt in told("--method", "prompts/list")["prompts"]]
        contains(names, "test_simple_prompt", "names")
        arguments = ["--prompt-name", "test_prompt_with_arguments", "--prompt-args", "arg1=one", "arg2=two"]
        messages = told("--method", "prompts/get", *arguments)["messages"]
        contains(messages[0]["content"]["text"], "arg1='one', arg2='two'")
    with check(f"{era}: tools/list --strict finds no schema problem"):
        status, _, errors = inspector("--method", "tools/list", "--format", "json", "--strict", "--quiet")
        equal((status, errors.strip()), (0, ""), "exit status and standard error")
    with check(f"{era}: a tool that asks for roots, of which there are none"):
        equal(called("test_input_required_result_list_roots"), "", "text")
    with check(f"{era}: a tool that reports progress"):
        equal(called("test_tool_with_progress"), "Three steps done.", "text")
    with check(f"{era}: a tool that may be a task"):
        contains(called("slow_compute", "--tool-arg", "seconds=0.2"), "Computed")
    if era == "legacy":
        with check(f"{era}: a tool that asks for what this client can not do"):
            arguments = ["--tool-name", "test_elicitation", "--tool-arg", "message=hi"]
            status, answer, errors = inspector("--method", "tools/call", *arguments, "--quiet")
            equal(status, 5, f"exit status ({errors.strip()})")
            contains(answer["content"][0]["text"], "elicitation")
        with check(f"{era}: logging/setLevel"):
            equal(told("--method", "logging/setLevel", "--log-level", "info"), {}, "result")
    else:
        with check(f"{era}: a tool that only runs as a task, which this client awaits"):
            status, answer, errors = inspector("--method", "tools/call", "--tool-name", "failing_job", "--quiet")
            equal(status, 5, f"exit status ({errors.strip()})")
            contains(answer["content"][0]["text"], "always does", "text")


def echo(era, version, inspector):
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


main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "echo")
finish()
