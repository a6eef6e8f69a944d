"""What a message has to look like: the published JSON schema of its revision, where it lies beside the repository
(../shared/spec/schema, or LIVE_SCHEMAS=DIR), and what no schema says. raw.py has every message judged that it receives.
"""

import datetime
import functools
import json
import os
import pathlib

import jsonschema

from checks import contains, equal, shown, skip

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
META = "io.modelcontextprotocol/"
SUBSCRIPTION = META + "subscriptionId"
TASKS = META + "tasks"
SCHEMAS = pathlib.Path(os.environ.get("LIVE_SCHEMAS") or pathlib.Path(__file__).resolve().parents[3] / "shared/spec/schema")

RESULTS = {
    "initialize": "InitializeResult",
    "server/discover": "DiscoverResult",
    "ping": "EmptyResult",
    "logging/setLevel": "EmptyResult",
    "tools/list": "ListToolsResult",
    "tools/call": "CallToolResult",
    "resources/list": "ListResourcesResult",
    "resources/templates/list": "ListResourceTemplatesResult",
    "resources/read": "ReadResourceResult",
    "resources/subscribe": "EmptyResult",
    "resources/unsubscribe": "EmptyResult",
    "prompts/list": "ListPromptsResult",
    "prompts/get": "GetPromptResult",
    "completion/complete": "CompleteResult",
    "subscriptions/listen": "SubscriptionsListenResult",
}
NOTIFICATIONS = {
    "notifications/cancelled": "CancelledNotification",
    "notifications/message": "LoggingMessageNotification",
    "notifications/progress": "ProgressNotification",
    "notifications/prompts/list_changed": "PromptListChangedNotification",
    "notifications/resources/list_changed": "ResourceListChangedNotification",
    "notifications/resources/updated": "ResourceUpdatedNotification",
    "notifications/subscriptions/acknowledged": "SubscriptionsAcknowledgedNotification",
    "notifications/tools/list_changed": "ToolListChangedNotification",
}
REQUESTS = {
    "elicitation/create": "ElicitRequest",
    "roots/list": "ListRootsRequest",
    "sampling/createMessage": "CreateMessageRequest",
}
ERRORS = {
    -32020: "HeaderMismatchError",
    -32021: "MissingRequiredClientCapabilityError",
    -32022: "UnsupportedProtocolVersionError",
}
MODERN_KEYS = {"resultType", "ttlMs", "cacheScope"}
# A JSON Schema is a language of its own, and a free map has the keys that its author likes.
FREE = {"_meta", "inputSchema", "outputSchema", "structuredContent", "arguments", "data", "capabilities"}
# Members of a task, by its status; beside those that each has.
TASK = {
    "working": set(),
    "input_required": {"inputRequests"},
    "completed": {"result"},
    "failed": {"error"},
    "cancelled": set(),
}


class Schema:
    """The published schema of one revision."""

    def __init__(self, version):
        self.version = version
        file = SCHEMAS / f"{version}.json"
        self.whole = json.loads(file.read_text()) if file.exists() else None
        if self.whole is None:
            skip(f"messages against the published schema of {version}", f"{SCHEMAS} has none")
        else:
            self.key = "$defs" if "$defs" in self.whole else "definitions"
            self.validator = jsonschema.validators.validator_for(self.whole)

    @functools.cache
    def judge(self, text):
        """Of a schema, given as JSON: built once, for there are thousands of messages."""
        return self.validator(json.loads(text) | {self.key: self.whole[self.key]})

    def problem(self, value, node):
        return jsonschema.exceptions.best_match(self.judge(json.dumps(node)).iter_errors(value))

    def conforms(self, value, definition):
        if self.whole is None:
            return
        assert definition in self.whole[self.key], f"{self.version} has no {definition}: {shown(value)}"
        problem = self.problem(value, self.named(definition))
        assert problem is None, f"not a {definition} at {problem.json_path}: {problem.message[:400]}"

    def knows(self, value, definition):
        """The schemas are open: what a revision does not have goes unnoticed unless the keys are compared."""
        if self.whole is not None:
            extra = self.extra(value, self.named(definition))
            assert not extra, f"a {definition} of {self.version} has no {extra}: {shown(value)}"

    def named(self, definition):
        return {"$ref": f"#/{self.key}/{definition}"}

    def extra(self, value, node):
        """The first key that the schema does not name, if there is one."""
        while "$ref" in node:
            node = self.whole[self.key][node["$ref"].rpartition("/")[2]]
        if "anyOf" in node:
            found = [self.extra(value, choice) for choice in node["anyOf"] if self.problem(value, choice) is None]
            return next(iter(found), None) if all(found) else None
        if isinstance(value, list):
            return next(filter(None, (self.extra(item, node.get("items", {})) for item in value)), None)
        if not isinstance(value, dict) or "properties" not in node:
            others = node.get("additionalProperties")
            if isinstance(value, dict) and isinstance(others, dict):
                return next(filter(None, (self.extra(item, others) for item in value.values())), None)
            return None
        for key, item in value.items():
            if key not in node["properties"]:
                return key
            found = None if key in FREE else self.extra(item, node["properties"][key])
            if found:
                return f"{key}.{found}"
        return None


schema = functools.cache(Schema)


def judge(version, message, method=None):
    """A message of the server; a response with the method of its request."""
    if "method" in message:
        (asks if "id" in message else notifies)(version, message)
    elif "error" in message:
        fails(version, message)
    else:
        answers(version, message, method)


def named(version, value, definition):
    schema(version).conforms(value, definition)
    schema(version).knows(value, definition)


def answers(version, message, method):
    result = message["result"]
    equal(sorted(message), ["id", "jsonrpc", "result"], "members of a response")
    if version != MODERN:
        schema(version).conforms(message, "JSONRPCResultResponse" if version == LEGACY[0] else "JSONRPCResponse")
        plain(result)
        if method in RESULTS:
            named(version, result, RESULTS[method])
        return
    schema(version).conforms(message, "JSONRPCResultResponse")
    kind = result["resultType"]
    if kind == "input_required":
        contains(("tools/call", "prompts/get", "resources/read"), method, "methods that may ask; they")
        named(version, result, "InputRequiredResult")
        assert result.get("inputRequests") or "requestState" in result, f"neither a question nor a state: {shown(result)}"
        questions(result.get("inputRequests", {}))
    elif kind == "task":
        equal(method, "tools/call", "the method that becomes a task")
        contains(("working", "input_required"), result["status"], "statuses of a new task; they")
        is_task(result, allowed=set())
    else:
        equal(kind, "complete", "resultType")
        if method == "tasks/get":
            is_task(result)
        elif method in ("tasks/update", "tasks/cancel"):
            assert result.keys() <= {"resultType", "_meta"}, f"more than an acknowledgement: {shown(result)}"
        elif method in RESULTS:
            named(version, result, RESULTS[method])


def fails(version, message):
    code = message["error"]["code"]
    if version == MODERN:
        schema(version).conforms(message, ERRORS.get(code, "JSONRPCErrorResponse"))
        assert code not in (-32002, -32042), f"an error of older revisions: {shown(message)}"
    else:
        # The oldest two want an id even where none could be read; there is none to give.
        old = version in LEGACY[1:] and "id" in message
        schema(version if old else LEGACY[0]).conforms(message, "JSONRPCError" if old else "JSONRPCErrorResponse")
    assert message["error"].keys() <= {"code", "message", "data"}, f"more than an error: {shown(message)}"
    assert message.keys() <= {"jsonrpc", "id", "error"}, f"more than an error response: {shown(message)}"


def notifies(version, message):
    schema(version).conforms(message, "JSONRPCNotification")
    method, params = message["method"], message.get("params", {})
    if version != MODERN:
        plain(params)
    if method == "notifications/tasks":
        equal(version, MODERN, "the revision of a task's notification")
        contains(params["_meta"], SUBSCRIPTION, "_meta")
        is_task(params)
        return
    assert method in NOTIFICATIONS, f"no notification of the server: {shown(message)}"
    if method == "notifications/subscriptions/acknowledged":
        contains(params["_meta"], SUBSCRIPTION, "_meta")
        # The extension's own key, which the schema of the core does not have.
        core = {key: value for key, value in params["notifications"].items() if key != "taskIds"}
        message = message | {"params": params | {"notifications": core}}
    # The older schemas do not have the frame in each definition.
    framed = version in (MODERN, LEGACY[0])
    named(version, message if framed else unframed(message), NOTIFICATIONS[method])


def unframed(message):
    return {key: value for key, value in message.items() if key not in ("jsonrpc", "id")}


def asks(version, message):
    """A request of the server, which the modern era has not."""
    assert version != MODERN, f"a request of the server: {shown(message)}"
    schema(version).conforms(message, "JSONRPCRequest")
    plain(message.get("params", {}))
    method = message["method"]
    assert method in REQUESTS, f"nothing to ask a client: {shown(message)}"
    named(version, message if version == LEGACY[0] else unframed(message), REQUESTS[method])


def questions(requests):
    for request in requests.values():
        assert request.keys() <= {"method", "params"}, f"more than a method and its params: {shown(request)}"
        named(MODERN, request, REQUESTS[request["method"]])
        assert "elicitationId" not in request.get("params", {}), f"an elicitationId: {shown(request)}"


def plain(value):
    """The modern era's own keys stay there."""
    extra = MODERN_KEYS & value.keys()
    assert not extra, f"{sorted(extra)} belong to the modern era: {shown(value)}"
    assert META not in json.dumps(value.get("_meta", {})), f"modern _meta: {shown(value)}"


def is_task(value, allowed=None):
    """The flat form of a task (ext-tasks 2026-07-28), for which the core has no schema."""
    by_status = TASK[value["status"]] if allowed is None else allowed
    always = {"taskId", "status", "createdAt", "lastUpdatedAt", "ttlMs"}
    missing = (always | by_status) - value.keys()
    assert not missing, f"a task without {sorted(missing)}: {shown(value)}"
    extra = value.keys() - always - by_status - {"statusMessage", "pollIntervalMs", "resultType", "_meta"}
    assert not extra, f"a task that is {value['status']} has no {sorted(extra)}: {shown(value)}"
    assert len(value["taskId"]) >= 22, f"too short for 128 random bits: {value['taskId']}"
    created, updated = (moment(value[key]) for key in ("createdAt", "lastUpdatedAt"))
    assert created <= updated, f"changed before it was made: {shown(value)}"
    for key in ("ttlMs", "pollIntervalMs"):
        number = value.get(key)
        assert number is None or type(number) is int and number > 0, f"{key} is {shown(number)}"
    assert "pollIntervalMs" not in value or value["pollIntervalMs"] is not None, "pollIntervalMs is null"
    equal(type(value.get("statusMessage", "")), str, "the type of statusMessage")
    if "inputRequests" in value:
        assert value["inputRequests"], "no questions"
        questions(value["inputRequests"])
    if "result" in value:
        named(MODERN, value["result"], "CallToolResult")
        assert META + "related-task" not in value["result"].get("_meta", {}), "a related task of older revisions"
    if "error" in value:
        named(MODERN, value["error"], "Error")


def moment(text):
    assert text.endswith("Z"), f"{text} is not in UTC"
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
