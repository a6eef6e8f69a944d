"""What a tool or a prompt asks of its client: rounds in the modern era, requests of the server in the legacy ones,
over HTTP or a pipe.

tests/live/part asking URL|PATH
"""

import contextlib
import itertools
import json
import sys

from checks import check, contains, equal, finish, shown
from raw import (
    LEAVE_OUT,
    LEGACY,
    META,
    MODERN,
    Answer,
    Pipe,
    Session,
    Stream,
    cancelled,
    conversation,
    expect_error,
    message,
    question,
)

ABLE = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": True}}
SAMPLED = {"role": "assistant", "content": {"type": "text", "text": "Paris."}, "model": "a-model", "stopReason": "endTurn"}
ROOTS = {"roots": [{"uri": "file:///test/root", "name": "Root"}]}
ROUNDS = "test_input_required_result_"
numbers = itertools.count(500)


def filled(schema):
    """Something that fits a property of a form."""
    if "default" in schema:
        return schema["default"]
    if "oneOf" in schema:
        return schema["oneOf"][0]["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "array":
        return [choice.get("const") if isinstance(choice, dict) else choice for choice in choices(schema["items"])][:2]
    return {"boolean": True, "integer": 7, "number": 1.5, "string": "Ada"}[schema["type"]]


def choices(items):
    return items.get("anyOf") or items["enum"]


def willing(key, method, params):
    """A client that says yes to everything."""
    if method == "sampling/createMessage":
        return SAMPLED
    if method == "roots/list":
        return ROOTS
    if params.get("mode") == "url":
        return {"action": "accept"}
    fields = params["requestedSchema"]["properties"]
    return {"action": "accept", "content": {name: filled(schema) for name, schema in fields.items()}}


def with_action(action):
    return lambda key, method, params: {"action": action}


class Asked:
    """A client of one revision; what it was asked, by rounds."""

    def __init__(self, peer, version, able=ABLE):
        self.peer, self.version, self.able = peer, version, able
        self.rounds = []

    def question(self, method, params):
        own = {META + "clientCapabilities": self.able}
        return question(self.version, method, params | ({"_meta": own} if self.version == MODERN else {}), next(numbers))

    def call(self, name, answer=willing, **arguments):
        return self.get("tools/call", {"name": name, "arguments": arguments}, answer)

    def get(self, method, params, answer=willing):
        """The response that ends it."""
        self.rounds = []
        if self.version == MODERN:
            return self.by_rounds(method, params, answer)
        request = self.question(method, params)
        return (self.on_pipe if isinstance(self.peer, Pipe) else self.on_stream)(request, answer)

    def by_rounds(self, method, params, answer):
        retry = {}
        for _ in range(8):
            response = self.peer.reply(self.question(method, params | retry))
            if response.get("result", {}).get("resultType") != "input_required":
                return response
            asked = response["result"].get("inputRequests", {})
            self.rounds.append(asked)
            answers = {key: answer(key, one["method"], one.get("params", {})) for key, one in asked.items()}
            state = response["result"].get("requestState", LEAVE_OUT)
            retry = {"inputResponses": {key: value for key, value in answers.items() if value is not LEAVE_OUT}}
            retry |= {} if state is LEAVE_OUT else {"requestState": state}
        raise AssertionError(f"no end after {shown(self.rounds)}")

    def respond(self, asked, answer):
        """The response to a request of the server."""
        self.rounds.append({asked["id"]: {"method": asked["method"], "params": asked.get("params", {})}})
        found = answer(asked["id"], asked["method"], asked.get("params", {}))
        return {"jsonrpc": "2.0", "id": asked["id"]} | (found if "error" in found else {"result": found})

    def on_stream(self, request, answer):
        with self.peer.begin(request) as response:
            if "json" in response.headers["Content-Type"]:
                found = Answer(response).json
                self.peer.judged(request, found)
                return found
            stream = Stream(response, lambda said: self.peer.judged(request, said))
            for said in iter(stream.next, None):
                if "method" not in said:
                    return said
                if "id" in said:
                    equal(self.peer.post(self.respond(said, answer)).status, 202, "status of the answer")
        raise AssertionError("the stream ended without a response")

    def on_pipe(self, request, answer):
        self.peer.write(request)
        for said in iter(self.peer.next, None):
            if "method" not in said:
                return said
            if "id" in said:
                self.peer.write(self.respond(said, answer))
        raise AssertionError("no response")

    @property
    def asked(self):
        """Every question, in its order."""
        return [(key, one["method"], one.get("params", {})) for asked in self.rounds for key, one in asked.items()]


def text(response):
    assert "result" in response, f"not a result: {shown(response)}"
    assert not response["result"].get("isError"), f"isError: {shown(response)}"
    return response["result"]["content"][0]["text"]


def failed(response, *says):
    """An isError result, which the model reads."""
    assert "result" in response, f"not a result: {shown(response)}"
    equal(response["result"].get("isError"), True, f"isError of {shown(response)}")
    for part in says:
        contains(response["result"]["content"][0]["text"].lower(), part, "text")


@contextlib.contextmanager
def client(target, version, able=ABLE):
    with conversation(target, version, **able) as peer:
        yield Asked(peer, version, able)


def questions(target, version):
    """What each kind of question looks like, and what becomes of its answer."""
    forms = version != LEGACY[-1]
    with client(target, version) as on:
        with check(f"{version}: sampling"):
            contains(text(on.call("test_sampling", prompt="Where?")), "Paris.")
            ((_, method, params),) = on.asked
            equal((method, params["maxTokens"]), ("sampling/createMessage", 100), "what was asked")
            equal(params["messages"][0]["content"], {"type": "text", "text": "Where?"}, "content")
        with check(f"{version}: roots"):
            contains(text(on.call(ROUNDS + "list_roots")), "file:///test/root")
            equal([method for _, method, _ in on.asked], ["roots/list"], "what was asked")
        if not forms:
            with check(f"{version}: a form, which this revision has not, is a failure that says so"):
                failed(on.call("test_elicitation", message="Who?"), "elicitation")
                equal(on.asked, [], "what was asked")
            return
        with check(f"{version}: a form, accepted, declined and closed"):
            expected = 'User response: action=accept, content={"username":"Ada","email":"Ada"}'
            equal(text(on.call("test_elicitation", message="Who?")), expected, "text")
            equal((on.asked[0][1], on.asked[0][2]["message"]), ("elicitation/create", "Who?"), "what was asked")
            for action in ("decline", "cancel"):
                contains(text(on.call("test_elicitation", with_action(action), message="Who?")), f"action={action}")
        with check(f"{version}: a form with defaults"):
            contains(text(on.call("test_elicitation_sep1034_defaults")), '"status":"active"')
            fields = on.asked[0][2]["requestedSchema"]["properties"]
            found = {name: field["default"] for name, field in fields.items() if "default" in field}
            whole = {"name": "John Doe", "age": 30, "score": 95.5, "status": "active", "verified": True}
            # Before 2025-11-25 only a boolean may have one.
            equal(found, {"verified": True} if version == LEGACY[1] else whole, "defaults")
        with check(f"{version}: a form of choices"):
            response = on.call("test_elicitation_sep1330_enums")
            if version == LEGACY[1]:
                # It has no field of several choices.
                failed(response)
            else:
                contains(text(response), '"titledMulti":["value1","value2"]')
        with check(f"{version}: a page to open"):
            response = on.call("test_elicitation_url")
            if version == LEGACY[1]:
                failed(response, "url")
            else:
                contains(text(response), "action=accept")
                params = on.asked[0][2]
                equal((params["mode"], params["url"]), ("url", "https://example.com/confirm"), "mode and URL")
                equal("elicitationId" in params, version == LEGACY[0], "there is an elicitationId; that")
        with check(f"{version}: three questions at once"):
            contains(text(on.call(ROUNDS + "multiple_inputs")), "Ada, from 1 roots")
            kinds = ["elicitation/create", "roots/list", "sampling/createMessage"]
            equal(sorted(method for _, method, _ in on.asked), kinds, "what was asked")
            if version == MODERN:
                equal(len(on.rounds), 1, "rounds")
        with check(f"{version}: one question after the other"):
            contains(text(on.call(ROUNDS + "multi_round")), "Ada likes Ada.")
            contains(on.asked[1][2]["message"], "color, Ada?", "the second question")
        with check(f"{version}: what was done before a question is not done again"):
            contains(text(on.call(ROUNDS + "request_state")), "state-ok")
        with check(f"{version}: a prompt asks"):
            response = on.get("prompts/get", {"name": ROUNDS + "prompt"})
            contains(response["result"]["messages"][0]["content"]["text"], "context: Ada")
        with check(f"{version}: an answer that does not fit its form is none"):
            for content in ({}, {"name": 7}, [], "Ada", None):
                wrong = Wrong({"action": "accept", "content": content})
                response = on.call(ROUNDS + "elicitation", wrong)
                # The modern era asks again, and the second answer is a good one; the older ones have no second.
                if version == MODERN:
                    found = text(response), wrong.times
                    equal(found, ("Hello, Ada!", 2), f"the text, and how often was asked, after {content!r}")
                else:
                    failed(response)


class Wrong:
    """One bad answer, then good ones."""

    def __init__(self, bad):
        self.bad, self.times = bad, 0

    def __call__(self, key, method, params):
        self.times += 1
        return self.bad if self.times == 1 else willing(key, method, params)


def unable(target, version):
    """Nothing is asked of a client that did not say that it can be."""
    without = {
        "test_sampling": ("sampling", {"prompt": "Where?"}, {"roots": {}, "elicitation": {}}),
        "test_elicitation": ("elicitation", {"message": "Who?"}, {"roots": {}, "sampling": {}}),
        "test_elicitation_url": ("elicitation", {}, {"elicitation": {}, "roots": {}}),
        ROUNDS + "list_roots": ("roots", {}, {"sampling": {}, "elicitation": {}}),
        ROUNDS + "elicitation": ("elicitation", {}, {"elicitation": {"url": {}}}),
    }
    for name, (word, arguments, able) in without.items():
        with check(f"{version}: {name} of a client that has only {' and '.join(able)}"), client(target, version, able) as on:
            response = on.call(name, **arguments)
            if version == MODERN:
                data = expect_error(response, -32021, ids=(response["id"],))["data"]
                contains(data["requiredCapabilities"], word, "requiredCapabilities")
            else:
                failed(response, word)
            equal(on.asked, [], "what was asked")
    with check(f"{version}: only what the client can answer is asked"), client(target, version, {"sampling": {}}) as on:
        assert "result" in on.call(ROUNDS + "capabilities"), "no result"
        equal([method for _, method, _ in on.asked], ["sampling/createMessage"], "what was asked")


def rounds(target):
    """What a client does to the state and to its answers between two rounds."""
    with client(target, MODERN) as on:
        params = {"name": ROUNDS + "request_state", "arguments": {}}
        good = {"confirm": {"action": "accept", "content": {"ok": True}}}

        def first(params=params):
            result = on.peer.reply(on.question("tools/call", params))["result"]
            equal(result["resultType"], "input_required", "resultType")
            return result

        def second(params, **retry):
            return on.peer.reply(on.question("tools/call", params | retry))

        state = first()["requestState"]
        with check("the state comes back, and the call goes on; twice, as any instance may take it"):
            for _ in range(2):
                contains(text(second(params, inputResponses=good, requestState=state)), "state-ok, confirmed: true")
        middle = len(state) // 2
        swapped = state[:middle] + ("B" if state[middle] != "B" else "C") + state[middle + 1 :]
        tampered = {
            "another end": state + "-TAMPERED",
            "its end cut": state[:-1],
            "another sign in the middle": swapped,
            "nothing in it": "",
            "something made up": "AAAA",
            "5,000 signs": "A" * 5_000,
        }
        for what, bad in tampered.items():
            with check(f"a state with {what} is refused"):
                response = second(params, inputResponses=good, requestState=bad)
                expect_error(response, -32602, ids=(response["id"],))
        for what, bad in {"a number": 7, "null": None, "an object": {}}.items():
            with check(f"a state that is {what} is refused"):
                response = second(params, inputResponses=good, requestState=bad)
                expect_error(response, -32602, ids=(response["id"],))
        strangers = {
            "another tool": {"name": ROUNDS + "tampered_state", "arguments": {}},
            "other arguments": params | {"arguments": {"more": 1}},
        }
        for what, other in strangers.items():
            with check(f"the state of one call is none of {what}"):
                response = second(other, inputResponses=good, requestState=state)
                expect_error(response, -32602, ids=(response["id"],))
        with check("a state on a tool that asks nothing is refused, if it is none"):
            response = second({"name": "test_simple_text", "arguments": {}}, requestState="AAAA")
            expect_error(response, -32602, ids=(response["id"],))
        again = {
            "no answers": {},
            "answers under another key": {"inputResponses": {"wrong": good["confirm"]}},
            "an answer that is a number": {"inputResponses": {"confirm": 12345}},
            "an answer that is null": {"inputResponses": {"confirm": None}},
            "an answer without its action": {"inputResponses": {"confirm": {"content": {"ok": True}}}},
            "an action that is none": {"inputResponses": {"confirm": {"action": "yes", "content": {"ok": True}}}},
            "answers that are null": {"inputResponses": None},
            "answers that are a list": {"inputResponses": [good["confirm"]]},
        }
        for what, retry in again.items():
            with check(f"{what}: asked again, or refused, but never done"):
                response = second(params, requestState=state, **retry)
                if "error" in response:
                    equal(response["error"]["code"], -32602, "code")
                else:
                    equal(response["result"]["resultType"], "input_required", "resultType")
        with check("keys that nobody asked for are no matter"):
            more = good | {"wrong": {"action": "accept"}, "": 7}
            contains(text(second(params, inputResponses=more, requestState=state)), "state-ok")
        with check("two rounds have two states"):
            multi = {"name": ROUNDS + "multi_round", "arguments": {}}
            one = first(multi)
            answer = {"step1": {"action": "accept", "content": {"name": "Ada"}}}
            two = second(multi, inputResponses=answer, requestState=one["requestState"])["result"]
            equal(list(two["inputRequests"]), ["step2"], "keys")
            assert one["requestState"] != two["requestState"], "they are the same"
        with check("methods that never ask take no notice of answers"):
            for method in ("tools/list", "prompts/list", "resources/list", "server/discover"):
                response = on.peer.reply(on.question(method, {"inputResponses": {"x": 1}, "requestState": "AAAA"}))
                equal(response["result"]["resultType"], "complete", "resultType")


def sampling():
    return message("tools/call", {"name": "test_sampling", "arguments": {"prompt": "Where?"}}, next(numbers))


def sessions(url, version):
    """Whose answers count, and what ends a call that waits for one."""
    with check(f"{version}: nobody answers for another session, nor under another id"):
        session, other = (Session(url, version, capabilities=ABLE) for _ in range(2))
        with session.stream(sampling()) as stream:
            asked = stream.next()
            equal(asked["method"], "sampling/createMessage", "what was asked")
            lie = SAMPLED | {"content": {"type": "text", "text": "Forged."}}
            forged = {"jsonrpc": "2.0", "id": asked["id"], "result": lie}
            contains((202, 400, 404), other.post(forged).status, "statuses")
            equal(session.post(forged | {"id": "nobody"}).status, 202, "status")
            equal(stream.next(0.15), None, "what came of it")
            equal(session.post({"jsonrpc": "2.0", "id": asked["id"], "result": SAMPLED}).status, 202, "status")
            contains(text(stream.next()), "Paris.")
            equal(session.post(forged).status, 202, "status of an answer that is too late")
    with check(f"{version}: an error of the client is a failure of the call"):
        session = Session(url, version, capabilities=ABLE)
        refusing = lambda *_: {"error": {"code": -1, "message": "User rejected sampling request"}}
        failed(Asked(session, version).call("test_sampling", refusing, prompt="Where?"))
    with check(f"{version}: notifications/cancelled ends a call that waits"):
        session = Session(url, version, capabilities=ABLE)
        request = sampling()
        with session.stream(request) as stream:
            asked = stream.next()
            equal(session.post(cancelled(request["id"])).status, 202, "status")
            for said in stream.rest():
                found = said.get("method"), said["params"]["requestId"]
                equal(found, ("notifications/cancelled", asked["id"]), "what comes after it")
    with check(f"{version}: the end of its session ends a call that waits"):
        session = Session(url, version, capabilities=ABLE)
        with session.stream(sampling()) as stream:
            stream.next()
            session.close()
            assert not any("result" in said and not said["result"].get("isError") for said in stream.rest()), "it went on"
    with check(f"{version}: a client that lost the stream finds the question on the next one"):
        session = Session(url, version, capabilities=ABLE)
        request = sampling()
        with session.stream(request) as stream:
            event = stream.event()
            if version == LEGACY[0]:
                first, event = event, stream.event()
                headers = {"Last_Event_ID": first.id}
        if version != LEGACY[0]:
            # There is no event before the question that its client could have seen.
            contains(event.message["method"], "sampling", "what was asked")
            answered = session.post({"jsonrpc": "2.0", "id": event.message["id"], "result": SAMPLED})
            equal(answered.status, 202, "status")
            headers = {"Last_Event_ID": event.id}
        with session.stream(method="GET", Accept="text/event-stream", Content_Type=None, **headers) as stream:
            said = stream.next()
            if version == LEGACY[0]:
                equal(said, event.message, "the question")
                equal(session.post({"jsonrpc": "2.0", "id": said["id"], "result": SAMPLED}).status, 202, "status")
                said = stream.next()
            contains(text(said), "Paris.")


def batch(url):
    """A call within a batch asks as well (2025-03-26)."""
    with check("2025-03-26: a batch of the newer methods, one of which asks"):
        session = Session(url, LEGACY[-1], capabilities=ABLE)
        requests = [
            message("resources/list", id=1),
            message("resources/read", {"uri": "test://static-text"}, 2),
            message("prompts/get", {"name": "test_simple_prompt"}, 3),
            message("resources/subscribe", {"uri": "test://watched-resource"}, 4),
            message("tools/call", {"name": "test_sampling", "arguments": {"prompt": "Where?"}}, 5),
            message("tasks/get", {"taskId": "x"}, 6),
        ]
        found = {}
        with session.begin(requests) as response:
            equal(response.status, 200, "status")
            if "json" in response.headers["Content-Type"]:
                found = {one["id"]: one for one in json.loads(response.read())}
            else:
                stream = Stream(response, lambda said: None)
                for event in iter(stream.event, None):
                    for said in event.message if isinstance(event.message, list) else [event.message]:
                        if said and "method" in said:
                            session.post({"jsonrpc": "2.0", "id": said["id"], "result": SAMPLED})
                        elif said:
                            found[said["id"]] = said
        for request in requests:
            session.judged(request, found[request["id"]])
        equal([id for id, one in sorted(found.items()) if "error" in one], [6], "the ids of errors")


def main(target):
    for version in (MODERN, *LEGACY):
        with check(f"{version}: the conversation opens and closes"):
            questions(target, version)
            unable(target, version)
    with check("rounds: the conversation opens and closes"):
        rounds(target)
    if target.startswith("http"):
        for version in LEGACY:
            sessions(target, version)
        batch(target)


main(sys.argv[1])
finish()
