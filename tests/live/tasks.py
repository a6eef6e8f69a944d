"""Calls that go on as tasks (extension io.modelcontextprotocol/tasks), in the flat form that judge.py knows, over HTTP
or a pipe.

tests/live/part tasks URL|PATH
"""

import contextlib
import itertools
import json
import sys
import time

from checks import check, contains, equal, finish, shown
from judge import SUBSCRIPTION, TASKS
from raw import LEGACY, META, MODERN, Modern, Pipe, cancelled, conversation, expect_error, message, question

ABLE = {"elicitation": {}, "extensions": {TASKS: {}}}
UNKNOWN = "AAAAAAAAAAAAAAAAAAAAAA"
numbers = itertools.count(1)


class Client:
    """A modern client that takes tasks, unless it is told otherwise."""

    def __init__(self, peer):
        self.peer = peer

    def request(self, method, params, able=ABLE):
        return question(MODERN, method, params | {"_meta": {META + "clientCapabilities": able}}, next(numbers))

    def ask(self, method, params, able=ABLE):
        return self.peer.reply(self.request(method, params, able))

    def result(self, method, params, able=ABLE):
        response = self.ask(method, params, able)
        assert "result" in response, f"not a result: {shown(response)}"
        return response["result"]

    def call(self, name, able=ABLE, arguments=None, **retry):
        return self.result("tools/call", {"name": name, "arguments": arguments or {}} | retry, able)

    def begin(self, name, **arguments):
        """A new task."""
        result = self.call(name, arguments=arguments)
        equal(result["resultType"], "task", f"resultType of {shown(result)}")
        return result

    def get(self, task):
        found = self.result("tasks/get", {"taskId": task["taskId"]})
        equal(found["taskId"], task["taskId"], "taskId")
        return found

    def until(self, task, *statuses, seconds=5):
        """Asks after it until it is in one of these."""
        end = time.monotonic() + seconds
        while (found := self.get(task))["status"] not in statuses:
            assert time.monotonic() < end, f"still {shown(found)}"
            time.sleep(0.05)
        return found

    def update(self, task, **responses):
        self.result("tasks/update", {"taskId": task["taskId"], "inputResponses": responses})

    def cancel(self, task):
        self.result("tasks/cancel", {"taskId": task["taskId"]})

    def refused(self, method, params, code, able=ABLE):
        response = self.ask(method, params, able)
        return expect_error(response, code, ids=(response["id"],))


def accepted(**content):
    return {"action": "accept", "content": content}


def texts(task):
    equal(bool(task["result"].get("isError")), False, f"isError of {shown(task)}")
    return task["result"]["content"][0]["text"]


def ends(on):
    with check("a call becomes a task, which ends with its result"):
        task = on.begin("slow_compute", seconds=0.3, label="a sum")
        equal(on.get(task)["status"], "working", "status")
        contains(texts(on.until(task, "completed")), "a sum")
    with check("what ends at once, or never becomes a task, is answered at once"):
        equal(on.call("greet", arguments={"name": "Ada"})["content"][0]["text"], "Hello, Ada!", "text")
    with check("a tool's failure completes its task"):
        task = on.until(on.begin("failing_job"), "completed")
        equal(task["result"]["isError"], True, "isError")
    with check("an error of the protocol fails it"):
        task = on.until(on.begin("protocol_error_job"), "failed")
        equal((task["error"]["code"], bool(task.get("statusMessage"))), (-32603, True), "code, and whether it says why")
    with check("arguments that do not fit are a failure of the tool, with a task or without"):
        result = on.call("slow_compute", arguments={"seconds": "long"})
        result = on.until(result, "completed")["result"] if result["resultType"] == "task" else result
        equal(result.get("isError"), True, "isError")
        contains(result["content"][0]["text"], "seconds", "text")
    with check("the older revision's parameter for tasks is no matter"):
        result = on.call("greet", arguments={"name": "Ada"}, task={"ttl": 1000})
        equal(result["resultType"], "complete", "resultType")


def asks(on):
    with check("a task asks, and goes on with the answer"):
        task = on.begin("confirm_delete", filename="a.txt")
        asked = on.until(task, "input_required")
        equal(list(asked["inputRequests"]), ["confirm"], "keys")
        equal(asked["inputRequests"]["confirm"]["method"], "elicitation/create", "method")
        on.update(task, wrong=accepted(confirm=True))
        equal(on.get(task)["status"], "input_required", "status after an answer that nobody asked for")
        on.update(task, confirm=accepted(confirm=True))
        equal(texts(on.until(task, "completed")), "Deleted a.txt.", "text")
        on.update(task, confirm=accepted(confirm=False))
        equal(texts(on.get(task)), "Deleted a.txt.", "text after another answer")
    with check("of two questions, the one that was answered is no longer asked"):
        task = on.begin("multi_input")
        end = time.monotonic() + 5
        while len(on.get(task).get("inputRequests", {})) < 2:
            assert time.monotonic() < end, f"not two questions: {shown(on.get(task))}"
        on.update(task, first=accepted(name="one", confirm=True))
        end = time.monotonic() + 5
        while list(on.until(task, "input_required")["inputRequests"]) != ["second"]:
            assert time.monotonic() < end, f"not one question: {shown(on.get(task))}"
        on.update(task, second=accepted(name="two", confirm=False))
        equal(texts(on.until(task, "completed")), "one: true, two: false", "text")
    with check("a user that declines ends it as a failure of the tool"):
        task = on.begin("confirm_delete", filename="a.txt")
        on.until(task, "input_required")
        on.update(task, confirm={"action": "decline"})
        equal(on.until(task, "completed")["result"].get("isError"), True, "isError")
    for what, bad in {"a number": 7, "without its action": {}, "of another form": accepted(confirm="maybe")}.items():
        with check(f"an answer that is {what} is none"):
            task = on.begin("confirm_delete", filename="a.txt")
            asked = on.until(task, "input_required")
            response = on.ask("tasks/update", {"taskId": task["taskId"], "inputResponses": {"confirm": bad}})
            contains((0, -32602), response.get("error", {}).get("code", 0), "codes")
            # The question may be put again under another key, for a key is never used twice.
            asked = on.until(task, "input_required", "completed")
            if asked["status"] == "completed":
                equal(asked["result"].get("isError"), True, "isError")
            on.cancel(task)
    with check("answers that are no object are refused, and null is none"):
        task = on.begin("confirm_delete", filename="a.txt")
        on.until(task, "input_required")
        for bad in ([], "yes", 7):
            on.refused("tasks/update", {"taskId": task["taskId"], "inputResponses": bad}, -32602)
        on.ask("tasks/update", {"taskId": task["taskId"], "inputResponses": None})
        equal(on.get(task)["status"], "input_required", "status")
        on.cancel(task)
    with check("a call asks in rounds first, and then goes on as a task"):
        first = on.call("test_tool_with_task")
        equal((first["resultType"], list(first["inputRequests"])), ("input_required", ["user_name"]), "the first round")
        retry = {"inputResponses": {"user_name": accepted(name="Ada")}, "requestState": first["requestState"]}
        task = on.call("test_tool_with_task", **retry)
        equal(task["resultType"], "task", "resultType")
        contains(texts(on.until(task, "completed")), "Ada")


def cancels(on):
    with check("a cancelled task is cancelled, as often as it is"):
        task = on.begin("slow_compute", seconds=30)
        for _ in range(2):
            on.cancel(task)
            equal(on.until(task, "cancelled")["status"], "cancelled", "status")
    with check("so is one that waits for an answer"):
        task = on.begin("confirm_delete", filename="a.txt")
        on.until(task, "input_required")
        on.cancel(task)
        on.until(task, "cancelled")
        on.update(task, confirm=accepted(confirm=True))
        equal(on.get(task)["status"], "cancelled", "status after an answer")
    with check("one that has ended stays as it ended"):
        task = on.until(on.begin("slow_compute"), "completed")
        on.cancel(task)
        equal(on.get(task), task, "the task")


def refusals(on):
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        more = {"inputResponses": {}} if method == "tasks/update" else {}
        with check(f"{method} of a task that is none"):
            for id in (UNKNOWN, "", "../x", "9" * 2_000):
                on.refused(method, {"taskId": id} | more, -32602)
            for params in ({}, {"taskId": 7}, {"taskId": None}):
                # Over HTTP a header has to repeat the id, and is looked at first.
                codes = (-32602, -32020) if isinstance(on.peer, Modern) else (-32602,)
                contains(codes, on.ask(method, params | more)["error"]["code"], "codes")
        with check(f"{method} of a client that takes no tasks"):
            for able in ({}, {"tasks": {}}, {"extensions": {}}):
                required = on.refused(method, {"taskId": UNKNOWN} | more, -32021, able)["data"]["requiredCapabilities"]
                equal(required, {"extensions": {TASKS: {}}}, "requiredCapabilities")
    with check("a tool that only runs as a task, of a client that takes none"):
        params = {"name": "failing_job", "arguments": {}}
        required = on.refused("tools/call", params, -32021, {})["data"]["requiredCapabilities"]
        equal(required, {"extensions": {TASKS: {}}}, "requiredCapabilities")
    with check("a tool that may, of a client that takes none, is answered when it is done"):
        result = on.call("slow_compute", {}, {"seconds": 0.1})
        equal(result["resultType"], "complete", "resultType")
    with check("to listen to tasks needs the extension as well"):
        on.refused("subscriptions/listen", {"notifications": {"taskIds": [UNKNOWN]}}, -32021, {})
    for method in ("tasks/list", "tasks/result"):
        with check(f"{method} is no method of this extension"):
            on.refused(method, {"taskId": UNKNOWN}, -32601)


@contextlib.contextmanager
def listening(on, *ids):
    """What is said of these tasks; the honoured ids first."""
    request = on.request("subscriptions/listen", {"notifications": {"taskIds": list(ids)}})
    if isinstance(on.peer, Pipe):
        on.peer.write(request)
        tag = json.dumps(request["id"])
        yield lambda: on.peer.said(lambda said: json.dumps(said["params"]["_meta"].get(SUBSCRIPTION)) == tag)["params"]
        on.peer.write(cancelled(request["id"]))
    else:
        with on.peer.stream(request) as stream:
            yield lambda: stream.next()["params"]


def notifications(on):
    with check("a listener is told of each change, with the whole task"):
        task, other = (on.begin("confirm_delete", filename="a.txt") for _ in range(2))
        on.until(task, "input_required")
        with listening(on, task["taskId"], UNKNOWN) as hear:
            equal(hear()["notifications"], {"taskIds": [task["taskId"]]}, "what is honoured")
            on.cancel(other)
            on.update(task, confirm=accepted(confirm=True))
            found = []
            while not found or found[-1]["status"] != "completed":
                found.append(hear())
        equal({one["taskId"] for one in found}, {task["taskId"]}, "taskIds")
        equal(texts(found[-1]), "Deleted a.txt.", "text")
    with check("a listener is told of the cancellation"):
        task = on.begin("slow_compute", seconds=30)
        with listening(on, task["taskId"]) as hear:
            hear()
            on.cancel(task)
            while hear()["status"] != "cancelled":
                pass


def http_only(on):
    """Headers and statuses."""
    task = on.begin("slow_compute", seconds=30)
    id = task["taskId"]
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        more = {"inputResponses": {}} if method == "tasks/update" else {}
        for what, name in {"absent": None, "another task": UNKNOWN, "in broken base64": "=?base64?ZWNobw=?="}.items():
            with check(f"{method}: Mcp-Name {what}"):
                answer = on.peer.post(on.request(method, {"taskId": id} | more), Mcp_Name=name)
                equal((answer.status, answer.json["error"]["code"]), (400, -32020), "status and code")
    expected = {
        "an unknown task": ("tasks/get", {"taskId": UNKNOWN}, ABLE, 200),
        "no extension": ("tasks/get", {"taskId": UNKNOWN}, {}, 400),
        "no method": ("tasks/list", {}, ABLE, 404),
        "a tool that only runs as a task": ("tools/call", {"name": "failing_job"}, {}, 400),
    }
    for what, (method, params, able, status) in expected.items():
        with check(f"the status for {what} is {status}"):
            equal(on.peer.post(on.request(method, params, able)).status, status, "status")
    on.cancel(task)


def legacy(target, version):
    """No task of the extension, nor one of 2025-11-25's own kind, which it never says it has."""
    extension = {"extensions": {TASKS: {}}, "tasks": {"requests": {"tools": {"call": {}}}}, "elicitation": {}}
    with conversation(target, version, **extension) as peer:
        with check(f"{version}: no capability of tasks"):
            found = peer.greeting["result"]["capabilities"]
            assert not {"tasks", "extensions"} & found.keys(), f"it says {shown(found)}"
        with check(f"{version}: a tool that may be a task is answered when it is done"):
            params = {"name": "slow_compute", "arguments": {"seconds": 0.1}, "task": {"ttl": 1000}}
            response = peer.reply(message("tools/call", params))
            contains(response["result"]["content"][0]["text"], "Computed")
        with check(f"{version}: a tool that only runs as a task says so"):
            response = peer.reply(message("tools/call", {"name": "failing_job", "arguments": {}}))
            equal(response["result"].get("isError"), True, "isError")
            contains(response["result"]["content"][0]["text"], "task")
        for method in ("tasks/get", "tasks/cancel", "tasks/update", "tasks/list", "tasks/result"):
            with check(f"{version}: {method} is no method"):
                expect_error(peer.reply(message(method, {"taskId": UNKNOWN})), -32601, [method])


def main(target):
    with check("the conversation opens and closes"), conversation(target, MODERN) as peer:
        on = Client(peer)
        with check("the extension is declared, and no capability of tasks"):
            capabilities = on.result("server/discover", {}, {})["capabilities"]
            equal((capabilities["extensions"][TASKS], "tasks" in capabilities), ({}, False), "what is declared")
        ends(on)
        asks(on)
        cancels(on)
        refusals(on)
        notifications(on)
        if isinstance(peer, Modern):
            http_only(on)
    for version in LEGACY:
        with check(f"{version}: the conversation opens and closes"):
            legacy(target, version)


main(sys.argv[1])
finish()
