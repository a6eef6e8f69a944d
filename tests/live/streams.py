"""What a client hears without asking again: subscriptions of the modern era, the stream of a legacy session, and
what either missed, over HTTP or a pipe.

tests/live/part streams URL|PATH
"""

import contextlib
import itertools
import json
import signal
import subprocess
import sys

from checks import check, contains, equal, finish, shown
from judge import SUBSCRIPTION
from processes import free_port, reachable
from raw import LEGACY, MODERN, STREAM, Http, Modern, Pipe, Session, cancelled, conversation, expect_error
from raw import message, piped, question

NEWEST = LEGACY[0]
WATCHED = "test://watched-resource"
TRIGGERS = {
    "tools": ("test_trigger_tool_change", "notifications/tools/list_changed"),
    "prompts": ("test_trigger_prompt_change", "notifications/prompts/list_changed"),
    "resource": ("test_trigger_resource_update", "notifications/resources/updated"),
}
# So long nothing is heard where there is nothing to hear.
QUIET = 0.15
numbers = itertools.count(1000)


def call(version, name, **more):
    return question(version, "tools/call", {"name": name, "arguments": {}} | more, next(numbers))


def trigger(peer, version, *what):
    for one in what:
        response = peer.reply(call(version, TRIGGERS[one][0]))
        assert not response["result"].get("isError"), shown(response)


def methods(hear, count):
    """The methods of the next notifications, and that no further one comes."""
    found = [(hear() or {}).get("method") for _ in range(count)]
    further = hear(QUIET)
    assert further is None, f"one too many: {shown(further)} after {found}"
    return sorted(found, key=str)


@contextlib.contextmanager
def subscribed(peer, id, **filter):
    """What hears a subscription, and its acknowledgement."""
    request = question(MODERN, "subscriptions/listen", {"notifications": filter}, id)
    mine = json.dumps(id)

    def tagged(said):
        tags = (said["params"] if "params" in said else said["result"])["_meta"]
        equal(json.dumps(tags[SUBSCRIPTION]), mine, "subscriptionId")
        return said

    def of_this(said):
        return json.dumps(said.get("params", {}).get("_meta", {}).get(SUBSCRIPTION)) == mine

    def begin(hear):
        first = hear()
        equal(first and first["method"], "notifications/subscriptions/acknowledged", "what comes first")
        return hear, first["params"]["notifications"]

    if isinstance(peer, Pipe):
        peer.write(request)
        yield begin(lambda seconds=5: peer.said(of_this, seconds))
        peer.write(cancelled(id))
    else:
        with peer.stream(request) as stream:
            yield begin(lambda seconds=5: (note := stream.next(seconds)) and tagged(note))


def subscriptions(target):
    everything = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
    with conversation(target, MODERN) as peer:
        for id in ("sub", 7, "7"):
            with check(f"listen with id {json.dumps(id)}: acknowledged, and told of each change"):
                with subscribed(peer, id, **everything, resourceSubscriptions=[WATCHED]) as (hear, honoured):
                    equal(honoured, everything | {"resourceSubscriptions": [WATCHED]}, "what is honoured")
                    for what, (_, method) in TRIGGERS.items():
                        trigger(peer, MODERN, what)
                        note = hear()
                        equal(note["method"], method, "method")
                        equal(note["params"].get("uri"), WATCHED if what == "resource" else None, "uri")
        with check("a subscription hears what it asked for, and nothing else"):
            with subscribed(peer, "p", promptsListChanged=True, toolsListChanged=False) as (hear, honoured):
                equal(honoured, {"promptsListChanged": True}, "what is honoured")
                trigger(peer, MODERN, *TRIGGERS)
                equal(methods(hear, 1), ["notifications/prompts/list_changed"], "what was heard")
        with check("two subscriptions at once are two"):
            first, second = subscribed(peer, 1, toolsListChanged=True), subscribed(peer, "1", promptsListChanged=True)
            with first as (one, _), second as (other, _):
                trigger(peer, MODERN, "tools", "prompts")
                equal(methods(one, 1), ["notifications/tools/list_changed"], "what the first heard")
                equal(methods(other, 1), ["notifications/prompts/list_changed"], "what the second heard")
        with check("of resources that are none, nothing can be heard"):
            uris = ["test://nothing", WATCHED, "", "test://template/9/data"]
            with subscribed(peer, "r", resourceSubscriptions=uris) as (hear, honoured):
                equal(sorted(honoured["resourceSubscriptions"]), ["test://template/9/data", WATCHED], "what is honoured")
                trigger(peer, MODERN, "resource")
                equal(methods(hear, 1), ["notifications/resources/updated"], "what was heard")
        with check("a thousand resources are too many, and no harm"):
            uris = [f"test://template/{number}/data" for number in range(1_000)]
            with subscribed(peer, "many", resourceSubscriptions=uris) as (_, honoured):
                assert 0 < len(honoured["resourceSubscriptions"]) < 1_000, "all of them are honoured"
        with check("an empty filter, and one of unknown keys: nothing is honoured, and the stream stays"):
            for id, filter in {"e": {}, "u": {"weatherChanged": True}}.items():
                with subscribed(peer, id, **filter) as (hear, honoured):
                    equal(honoured, {}, "what is honoured")
                    equal(hear(QUIET), None, "what was heard")
        with check("a subscription that its client ended hears nothing more"):
            with subscribed(peer, "gone", toolsListChanged=True) as (hear, _):
                pass
            trigger(peer, MODERN, "tools")
            equal(hear(QUIET), None, "what was heard")
    bad = {
        "no filter": {},
        "a filter that is no object": {"notifications": ["toolsListChanged"]},
        "a flag that is no boolean": {"notifications": {"toolsListChanged": "yes"}},
        "a resource that is no string": {"notifications": {"resourceSubscriptions": [7]}},
        "resources that are no list": {"notifications": {"resourceSubscriptions": WATCHED}},
    }
    with conversation(target, MODERN) as peer:
        for what, params in bad.items():
            with check(f"listen with {what}"):
                expect_error(peer.reply(question(MODERN, "subscriptions/listen", params)), -32602)


@contextlib.contextmanager
def session_stream(session, **headers):
    """The stream that a GET opens."""
    with session.stream(method="GET", Accept=STREAM, Content_Type=None, **headers) as stream:
        yield stream


@contextlib.contextmanager
def heard(peer):
    """What hears a legacy client."""
    if isinstance(peer, Pipe):
        yield lambda seconds=5: peer.said(lambda said: "id" not in said, seconds)
    else:
        with session_stream(peer) as stream:
            yield stream.next


def legacy(target, version):
    uri = {"uri": WATCHED}
    with conversation(target, version) as peer:
        with check(f"{version}: a client hears of lists that change"), heard(peer) as hear:
            trigger(peer, version, "tools", "prompts")
            equal(methods(hear, 2), [TRIGGERS[what][1] for what in ("prompts", "tools")], "what was heard")
        with check(f"{version}: and of a resource between subscribe and unsubscribe"), heard(peer) as hear:
            trigger(peer, version, "resource")
            equal(hear(QUIET), None, "what was heard before")
            for _ in range(2):
                equal(peer.reply(question(version, "resources/subscribe", uri))["result"], {}, "result")
            trigger(peer, version, "resource")
            note = hear()
            equal((note["method"], note["params"]), (TRIGGERS["resource"][1], uri), "what was heard")
            equal(peer.reply(question(version, "resources/unsubscribe", uri))["result"], {}, "result")
            trigger(peer, version, "resource")
            equal(hear(QUIET), None, "what was heard afterwards")
        with check(f"{version}: resources/subscribe to what is none"):
            error = expect_error(peer.reply(question(version, "resources/subscribe", {"uri": "test://nothing"})), -32002)
            equal(error["data"]["uri"], "test://nothing", "the URI in the error's data")
            expect_error(peer.reply(question(version, "resources/subscribe", {})), -32602, ["uri"])
            equal(peer.reply(question(version, "resources/unsubscribe", {"uri": "test://nothing"}))["result"], {}, "result")
        with check(f"{version}: subscriptions/listen is no method"):
            expect_error(peer.reply(question(version, "subscriptions/listen", {"notifications": {}})), -32601)


def session_streams(url, version):
    """What only streams over HTTP have: ids of events, and their place."""
    with check(f"{version}: what was missed is heard on the next stream"):
        session = Session(url, version)
        with session_stream(session) as stream:
            trigger(session, version, "tools")
            event = stream.event()
            while event and not event.message:
                event = stream.event()
            assert event.id, "the event has no id"
        trigger(session, version, "prompts")
        with session_stream(session, Last_Event_ID=event.id) as stream:
            equal(methods(stream.next, 1), [TRIGGERS["prompts"][1]], "what was heard")
        session.close()
    with check(f"{version}: one session hears nothing of another's subscriptions"):
        session, other = Session(url, version), Session(url, version)
        result = session.reply(message("resources/subscribe", {"uri": WATCHED}))
        equal(result["result"], {}, "result")
        with session_stream(session) as mine, session_stream(other) as theirs:
            trigger(other, version, "resource")
            equal(methods(mine.next, 1), [TRIGGERS["resource"][1]], "what was heard")
            equal(theirs.next(QUIET), None, "what the other heard")
    with check(f"{version}: a message goes to one stream of a session, not to all"):
        session = Session(url, version)
        with session_stream(session) as first, session_stream(session) as second:
            trigger(session, version, "tools")
            found = [stream.next(QUIET) for stream in (first, second)]
            equal(len([note for note in found if note]), 1, f"how often {shown(found)} came; it")
    with check(f"{version}: DELETE ends the stream"):
        session = Session(url, version)
        with session_stream(session) as stream:
            session.close()
            equal(stream.rest(), [], "what was heard")
        equal(session.post(method="GET", Accept=STREAM, Content_Type=None).status, 404, "status of another GET")
    with check(f"{version}: GET without a session, with a forged one, and from another site's page"):
        cases = {400: {"Mcp_Session_Id": None}, 404: {"Mcp_Session_Id": "A" * 40}, 403: {"Origin": "https://evil.example"}}
        for status, changes in cases.items():
            answer = Session(url, version).post(method="GET", Accept=STREAM, Content_Type=None, **changes)
            equal(answer.status, status, f"status with {shown(changes)}")


def until_closed(stream):
    """The events up to the end of a stream."""
    return list(iter(stream.event, None))


def last_id(events):
    return [event.id for event in events if event.id][-1]


def resumption(url):
    """A stream that its server or its client lets go of goes on at another GET; so does the call (MCP 2025-11-25)."""
    with check("the server lets go of a stream: an event with an id and a time, and no result"):
        session = Session(url, NEWEST)
        request = call(NEWEST, "test_reconnection")
        with session.stream(request) as stream:
            events = until_closed(stream)
            assert stream.ended, "it goes on"
        assert events and events[0].id and not events[0].message, f"the first event is {events[:1]}"
        equal([event.message for event in events if event.message], [], "messages")
        assert any(event.retry for event in events), f"no retry in {events}"
        last = last_id(events)
        with session_stream(session, Last_Event_ID=last) as stream:
            found = stream.rest()
            session.judged(request, found[-1])
        equal([response["id"] for response in found], [request["id"]], "the ids of what comes on the next stream")
    with check("nobody else can go on with it: not another session, not at another event"):
        session = Session(url, NEWEST)
        with session.stream(call(NEWEST, "test_reconnection")) as stream:
            last = last_id(until_closed(stream))
        # Its form is nobody's business; a made up one is refused, and so is what another session was given.
        strangers = {
            "another session": (Session(url, NEWEST), last),
            "a made up event": (session, "made-up"),
            "an event of a stream that never was": (session, "0" * 32 + "-1"),
            "a very long one": (session, "9" * 4000),
        }
        for what, (who, event) in strangers.items():
            with who.begin(method="GET", Accept=STREAM, Content_Type=None, Last_Event_ID=event) as response:
                contains((400, 404), response.status, f"statuses for {what}; they")
        with session_stream(session, Last_Event_ID=last) as stream:
            equal(len(stream.rest()), 1, "how many messages are left for whom they are for; it")
    for version in LEGACY:
        with check(f"{version}: a call goes on when its client loses the stream, and nothing is lost"):
            session = Session(url, version)
            request = call(version, "test_tool_with_progress", _meta={"progressToken": "t"})
            with session.stream(request) as stream:
                event = stream.event()
                while event and not event.message:
                    event = stream.event()
                equal(event.message["params"]["progress"], 0, "progress")
            if not event.id:
                equal(version == NEWEST, False, "the newest revision's events are without ids, which")
                continue
            with session_stream(session, Last_Event_ID=event.id) as stream:
                found = stream.rest()
                session.judged(request, found[-1])
            equal([note["params"]["progress"] for note in found[:-1]], [50, 100], "progress")
            equal(found[-1]["id"], request["id"], "the id of the response")
    for version in LEGACY[1:]:
        with check(f"{version}: the server never lets go of a stream, and no event is empty"):
            session = Session(url, version)
            request = call(version, "test_reconnection")
            with session.stream(request) as stream:
                events = until_closed(stream)
            assert all(event.message for event in events), f"an empty event in {events}"
            equal([event.message.get("id") for event in events], [request["id"]], "ids")
    with check("no event of the modern era has an id, and none goes on"):
        assert "result" in Modern(url).reply(call(MODERN, "test_reconnection")), "no result"
        with Modern(url).stream(call(MODERN, "test_tool_with_progress", _meta={"progressToken": "t"})) as stream:
            events = until_closed(stream)
        assert not any(event.id or event.retry for event in events), f"ids in {events}"
        assert events and "result" in events[-1].message, f"no result at the end of {events}"
        headers = {"Accept": STREAM, "Content_Type": None, "MCP_Protocol_Version": MODERN, "Last_Event_ID": "x-1"}
        answer = Http(url).post(method="GET", **headers)
        equal(answer.status, 405, "status of GET")


def one_pipe(example):
    """Both eras listen, each in its own terms, and neither keeps the process."""
    with check("without a handshake nothing is said that no subscription asked for"), piped(example) as pipe:
        trigger(pipe, MODERN, *TRIGGERS)
        equal(pipe.said(lambda _: True, QUIET), None, "what was said")
    with check("both eras hear on one pipe, and it ends at once"), piped(example) as pipe:
        pipe.greet(NEWEST)
        with subscribed(pipe, "sub", toolsListChanged=True) as (hear, _):
            trigger(pipe, MODERN, "tools")
            methods(hear, 1)
            note = pipe.said(lambda said: SUBSCRIPTION not in said.get("params", {}).get("_meta", {}))
            equal(note and note["method"], TRIGGERS["tools"][1], "what the legacy client heard")
            pipe.process.stdin.close()
            status, took = pipe.end()
            equal(status, 0, "exit status")
            assert took < 1, f"it took {took:.2f} s"
            pipe.write = lambda *_: None


def last_words(example):
    """A server that stops says so on each subscription, whichever way it is reached."""
    with check("on SIGTERM a subscription on a pipe has an answer, and is cancelled"), piped(example) as pipe:
        with subscribed(pipe, "sub", toolsListChanged=True):
            pipe.process.send_signal(signal.SIGTERM)
            response = pipe.answer("sub")
            equal(response and response["result"]["_meta"][SUBSCRIPTION], "sub", "subscriptionId of the response")
            note = pipe.said(lambda said: said["method"] == "notifications/cancelled")
            equal(note and note["params"]["requestId"], "sub", "requestId")
            equal(pipe.end()[0], 0, "exit status")
            pipe.write = lambda *_: None
    port = free_port()
    url = f"http://127.0.0.1:{port}/mcp"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with check("on SIGTERM a subscription over HTTP has an answer, and a session's stream just ends"):
        with subprocess.Popen([example, f"127.0.0.1:{port}"], **quiet) as process:
            try:
                reachable(port, process)
                session = Session(url, NEWEST)
                with subscribed(Modern(url), "sub", toolsListChanged=True) as (hear, _), session_stream(session) as other:
                    process.send_signal(signal.SIGTERM)
                    response = hear_end(hear)
                    equal(response["id"], "sub", "id")
                    equal(other.rest(), [], "what the session heard")
                equal(process.wait(5), 0, "exit status")
            finally:
                process.kill()


def hear_end(hear):
    response = hear()
    assert response and "result" in response, f"no response: {shown(response)}"
    return response


def main(target):
    subscriptions(target)
    for version in LEGACY:
        with check(f"{version}: the conversation opens and closes"):
            legacy(target, version)
    if target.startswith("http"):
        for version in LEGACY:
            session_streams(target, version)
        resumption(target)
    else:
        one_pipe(target)
        last_words(target)


main(sys.argv[1])
finish()
