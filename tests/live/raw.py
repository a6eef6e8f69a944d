"""What the raw parts share: messages as bytes over HTTP or a pipe. Each one that comes back is judged, see judge.py.

A target is a URL, or the path of an example, which is then started with `--stdio`.
"""

import collections
import contextlib
import copy
import http.client
import json
import queue
import socket
import subprocess
import threading
import time
import urllib.parse

from checks import contains, equal, shown
from judge import LEGACY, META, MODERN, SUBSCRIPTION, judge

IDS = ("", "a-string", 0, -1, 2**53 - 1)
LEAVE_OUT = object()
STREAM = "text/event-stream"
# What the header Mcp-Name repeats.
NAMES = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}


def without(keys):
    return {key: value for key, value in keys.items() if value is not LEAVE_OUT}


def meta(**changes):
    """The `_meta` of a modern request; `clientInfo=LEAVE_OUT` drops a key."""
    keys = {
        "protocolVersion": MODERN,
        "clientInfo": {"name": "wire", "version": "1"},
        "clientCapabilities": {},
        **changes,
    }
    return {META + key: value for key, value in without(keys).items()}


def message(method, params=LEAVE_OUT, id=1):
    """A JSON-RPC message of any era; without an id a notification."""
    return without({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def initialize(version, id=0, **changes):
    client = {"name": "wire", "version": "1"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": client, **changes}
    return message("initialize", without(params), id)


def question(version, method, params=None, id=1):
    """A request as that revision wants it: the modern one carries its envelope along."""
    params = dict(params or {})
    if version == MODERN:
        params["_meta"] = meta() | params.get("_meta", {})
    return message(method, params or LEAVE_OUT, id)


def cancelled(id):
    return message("notifications/cancelled", {"requestId": id}, id=LEAVE_OUT)


def is_modern(body):
    return META + "protocolVersion" in (((body or {}).get("params") or {}).get("_meta") or {})


def expect_error(body, code, says=(), ids=(1,)):
    """A JSON-RPC error with that code, these words in its text, and one of the ids; LEAVE_OUT is none at all."""
    assert "error" in body, f"not an error: {shown(body)}"
    equal(body["error"]["code"], code, f"code of {shown(body)}; it")
    wanted = " or ".join("none at all" if choice is LEAVE_OUT else shown(choice) for choice in ids)
    assert body.get("id", LEAVE_OUT) in ids, f"the id of {shown(body)} should be {wanted}"
    for part in says:
        contains(body["error"]["message"].lower(), part.lower(), "message")
    return body["error"]


Event = collections.namedtuple("Event", "id retry message")


def events(lines):
    """The events of a stream; one without data, which only has an id, has no message."""
    id = retry = None
    data = []
    for line in lines:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            id = value
        elif name == "retry":
            retry = int(value)
        elif name == "data":
            data.append(value)
        elif name:
            raise AssertionError(f"a line that is none of a stream of events: {line!r}")
        elif not value and (data or id or retry):
            text = "\n".join(data)
            yield Event(id, retry, json.loads(text) if text else None)
            id, retry, data = None, None, []


class Answer:
    """An HTTP answer."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.bytes = response.read()

    @property
    def kind(self):
        return self.headers.get("Content-Type", "").partition(";")[0]

    @property
    def json(self):
        contains(self.headers.get("Content-Type", ""), "application/json", "Content-Type")
        return json.loads(self.bytes)

    @property
    def messages(self):
        """Every message in it, from JSON or from a stream of events."""
        return [event.message for event in self.events if event.message] if self.kind == STREAM else [self.json]

    @property
    def events(self):
        return list(events(self.bytes.splitlines(keepends=True)))

    def __str__(self):
        return f"{self.status} {self.bytes[:500].decode('utf-8', 'replace')}"


class Stream:
    """The events of an HTTP answer, as they come."""

    def __init__(self, response, judged):
        self.head, self.judged = response, judged
        equal(response.status, 200, "status of a stream")
        contains(response.headers["Content-Type"], STREAM, "Content-Type")
        self.arrived = queue.Queue()
        self.ended = False
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        # What is raised when the other thread cuts the line is no rule of http.client.
        with contextlib.suppress(OSError, ValueError, AttributeError, http.client.HTTPException):
            for event in events(self.head):
                self.arrived.put(event)
        self.arrived.put(None)

    def event(self, seconds=5):
        """The next event; None if none comes in that time, or the stream ends."""
        if self.ended:
            return None
        with contextlib.suppress(queue.Empty):
            event = self.arrived.get(timeout=max(seconds, 0))
            self.ended = event is None
            if event and event.message:
                self.judged(event.message)
            return event

    def next(self, seconds=5):
        """The next message."""
        event = self.event(seconds)
        while event and not event.message:
            event = self.event(seconds)
        return event and event.message

    def rest(self):
        """Every message until the end, which is soon."""
        found = list(iter(self.next, None))
        assert self.ended, f"the stream goes on after {shown(found)}"
        return found


class Http:
    """An endpoint that takes any bytes under any headers."""

    version = LEGACY[0]

    def __init__(self, url):
        self.url = urllib.parse.urlsplit(url)

    def post(self, body=b"", method="POST", **changes):
        """Sends bytes, or a value as JSON; `Accept=None` leaves a header out."""
        with self.begin(body, method, **changes) as response:
            answer = Answer(response)
        # What answers a batch, or what is no message, is the business of who sent it.
        if isinstance(body, dict) and answer.bytes:
            for message in answer.messages:
                self.judged(body, message)
        return answer

    def judged(self, body, message):
        version = MODERN if is_modern(body) else self.version
        if body.get("method") == "initialize" and "result" in message:
            version = message["result"]["protocolVersion"]
        judge(version, message, body.get("method"))

    @contextlib.contextmanager
    def stream(self, body=b"", method="POST", **changes):
        """The answer as a stream, which ends here with the block."""
        with self.begin(body, method, **changes) as response:
            request = body if isinstance(body, dict) else {}
            yield Stream(response, lambda message: self.judged(request, message))

    @contextlib.contextmanager
    def begin(self, body=b"", method="POST", **changes):
        """The same up to the answer's head."""
        headers = {
            "Host": self.url.netloc,
            "Content-Type": "application/json",
            "Accept": f"application/json, {STREAM}",
        }
        headers |= {name.replace("_", "-"): value for name, value in (self.headers(body) | changes).items()}
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        with contextlib.closing(http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=10)) as connection:
            connection.putrequest(method, self.url.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            # A body that is too long is refused before it is read to its end.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.endheaders(body)
            line = connection.sock
            try:
                yield connection.getresponse()
            finally:
                # Whoever still reads it in a thread of its own reads no more.
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

    def headers(self, body):
        """What every message carries."""
        return {}

    def ask(self, request):
        """The messages that answer a request, its response last."""
        answer = self.post(request)
        equal(answer.status, 200, f"status of {answer}; it")
        return answer.messages

    def reply(self, request):
        """The response alone, of whatever status."""
        return self.post(request).messages[-1]

    def close(self):
        """There is nothing to close."""


class Session(Http):
    """A legacy session: the handshake is done, and every message carries what it gave."""

    def __init__(self, url, version, **changes):
        super().__init__(url)
        self.version, self.id = version, None
        self.opening = self.post(initialize(version, **changes))
        equal(self.opening.status, 200, f"status of {self.opening}; it")
        self.id = self.opening.headers["Mcp-Session-Id"]
        assert self.id, "initialize gave no Mcp-Session-Id"
        self.greeting = self.opening.json
        ready = self.post(message("notifications/initialized", id=LEAVE_OUT))
        equal((ready.status, ready.bytes), (202, b""), "the answer to notifications/initialized")

    def headers(self, body):
        return {"Mcp_Session_Id": self.id, "MCP_Protocol_Version": self.version} if self.id else {}

    def at(self, url):
        """The same session at another address."""
        other = copy.copy(self)
        other.url = urllib.parse.urlsplit(url)
        return other

    def close(self):
        equal(self.post(method="DELETE").status, 204, "status of DELETE")


class Modern(Http):
    """The modern era, where headers repeat what the body says."""

    version = MODERN

    def headers(self, body):
        headers = {"MCP_Protocol_Version": MODERN}
        if isinstance(body, dict):
            headers["Mcp_Method"] = body.get("method")
            key = NAMES.get(body.get("method"))
            if key in body.get("params", {}):
                headers["Mcp_Name"] = body["params"][key]
        return headers


class Pipe:
    """An example at the other end of a pipe. Its answers are taken by the id that they carry."""

    def __init__(self, example):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen([example, "--stdio"], **pipes)
        self.arrived = queue.Queue()
        self.waiting = collections.defaultdict(list)
        self.lines = []
        self.errors = []
        self.version = LEGACY[0]
        self.asked = {}
        self.readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._arrive), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.errors.append), daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(stream, take):
        for line in stream:
            take(line)

    def _arrive(self, line):
        self.lines.append(line)
        self.arrived.put(line)

    def write(self, *lines):
        """Sends bytes as they are, other values as one line of JSON each."""
        for line in lines:
            if isinstance(line, dict) and "method" in line:
                self.asked[json.dumps(line.get("id"))] = MODERN if is_modern(line) else self.version, line["method"]
            self.process.stdin.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, seconds=5):
        """The next message, whatever it is; None if none comes in that time."""
        try:
            found = json.loads(self.arrived.get(timeout=max(seconds, 0)))
        except queue.Empty:
            return None
        if isinstance(found, dict):
            self.judged(found)
        return found

    def judged(self, found):
        # What answers no request, or one of bytes, belongs to no revision; both eras may be on the pipe.
        version, method = self.asked.get(json.dumps(found.get("id")), (self.version, None))
        if "method" in found:
            version = MODERN if SUBSCRIPTION in found.get("params", {}).get("_meta", {}) else self.version
        elif "result" in found and not method:
            return
        judge(version, found, method)

    def answer(self, id, seconds=5):
        """The response with this id, later or earlier than others; None if it does not come."""
        key, until = json.dumps(id), time.monotonic() + seconds
        while not self.waiting[key]:
            found = self.next(until - time.monotonic())
            if found is None:
                return None
            name = "what it says" if "method" in found else json.dumps(found["id"]) if "id" in found else "no id"
            self.waiting[name].append(found)
        return self.waiting[key].pop(0)

    def notifications(self):
        """Those that came while an answer was waited for, and requests of the server."""
        return self.waiting.pop("what it says", [])

    def said(self, wanted, seconds=5):
        """The next notification or request that is wanted; others, and answers, wait for who asks for them."""
        kept, until = self.waiting["what it says"], time.monotonic() + seconds
        while True:
            for found in filter(wanted, kept):
                kept.remove(found)
                return found
            found = self.next(until - time.monotonic())
            if found is None:
                return None
            (kept if "method" in found else self.waiting[json.dumps(found.get("id"))]).append(found)

    def ask(self, question):
        response = self.reply(question)
        return [*self.notifications(), response]

    def reply(self, request):
        """The response alone; what else is said meanwhile waits for who asks for it."""
        self.write(request)
        response = self.answer(request["id"])
        assert response is not None, f"no answer to {shown(request)}"
        return response

    def greet(self, version, **changes):
        """The legacy handshake; the answer to initialize."""
        self.version = version
        self.greeting = self.ask(initialize(version, **changes))[-1]
        self.write(message("notifications/initialized", id=LEAVE_OUT))
        return self.greeting

    def end(self, seconds=5):
        """The exit status, and the seconds that it took, after whatever made it end."""
        start = time.monotonic()
        status = self.process.wait(seconds)
        took = time.monotonic() - start
        for reader in self.readers:
            reader.join(seconds)
        return status, took

    def close(self):
        """Closes the pipe, and expects a good end."""
        self.process.stdin.close()
        status, _ = self.end()
        equal(status, 0, "exit status")

    def kill(self):
        """For the end of a check that went wrong; harmless after a good end."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()


@contextlib.contextmanager
def piped(example):
    pipe = Pipe(example)
    try:
        yield pipe
    finally:
        pipe.kill()


@contextlib.contextmanager
def conversation(target, version, **capabilities):
    """Something to `ask` in that revision, over the wire that the target is for."""
    if target.startswith("http"):
        peer = Modern(target) if version == MODERN else Session(target, version, capabilities=capabilities)
        yield peer
        peer.close()
    else:
        with piped(target) as pipe:
            if version != MODERN:
                pipe.greet(version, capabilities=capabilities)
            yield pipe
            pipe.close()
