"""What the raw parts share: messages as bytes over HTTP or a pipe, and the published JSON schemas, where
they lie beside the repository (../shared/spec/schema), as judges of the answers.

A target is a URL, or the path of an example, which is then started with `--stdio`.
"""

import collections
import contextlib
import copy
import functools
import http.client
import json
import pathlib
import queue
import subprocess
import threading
import time
import urllib.parse

import jsonschema

from checks import contains, equal, shown, skip

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
META = "io.modelcontextprotocol/"
SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "shared/spec/schema"
IDS = ("", "a-string", 0, -1, 2**53 - 1)
LEAVE_OUT = object()


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


class Schema:
    """The published schema of one revision."""

    def __init__(self, version):
        file = SCHEMAS / f"{version}.json"
        self.whole = json.loads(file.read_text()) if file.exists() else None
        if self.whole is None:
            skip(f"messages against the published schema of {version}", "../shared/spec/schema has none")
        else:
            self.key = "$defs" if "$defs" in self.whole else "definitions"
            self.validator = jsonschema.validators.validator_for(self.whole)

    def conforms(self, value, definition):
        if self.whole is None:
            return
        judge = self.validator({"$ref": f"#/{self.key}/{definition}", self.key: self.whole[self.key]})
        problem = jsonschema.exceptions.best_match(judge.iter_errors(value))
        assert problem is None, f"not a {definition} at {problem.json_path}: {problem.message[:400]}"

    def knows(self, value, definition):
        """The schemas are open: what a revision does not have goes unnoticed unless the keys are compared."""
        if self.whole is not None:
            extra = value.keys() - self.whole[self.key][definition]["properties"].keys()
            assert not extra, f"a {definition} has no {sorted(extra)}: {shown(value)}"


schema = functools.cache(Schema)


def expect_error(body, code, says=(), ids=(1,)):
    """A JSON-RPC error with that code, these words in its text, and one of the ids; LEAVE_OUT is none at all."""
    assert "error" in body, f"not an error: {shown(body)}"
    equal(body["error"]["code"], code, f"code of {shown(body)}; it")
    wanted = " or ".join("none at all" if choice is LEAVE_OUT else shown(choice) for choice in ids)
    assert body.get("id", LEAVE_OUT) in ids, f"the id of {shown(body)} should be {wanted}"
    for part in says:
        contains(body["error"]["message"].lower(), part.lower(), "message")
    return body["error"]


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
        return self.events if self.kind == "text/event-stream" else [self.json]

    @property
    def events(self):
        blocks = self.bytes.decode().replace("\r\n", "\n").split("\n\n")
        data = ([line[5:] for line in block.split("\n") if line.startswith("data:")] for block in blocks)
        return [json.loads("\n".join(lines)) for lines in data if lines]

    def __str__(self):
        return f"{self.status} {self.bytes[:500].decode('utf-8', 'replace')}"


class Http:
    """An endpoint that takes any bytes under any headers."""

    def __init__(self, url):
        self.url = urllib.parse.urlsplit(url)

    def post(self, body=b"", method="POST", **changes):
        """Sends bytes, or a value as JSON; `Accept=None` leaves a header out."""
        with self.begin(body, method, **changes) as response:
            return Answer(response)

    @contextlib.contextmanager
    def begin(self, body=b"", method="POST", **changes):
        """The same up to the answer's head."""
        headers = {
            "Host": self.url.netloc,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
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
            connection.endheaders(body)
            yield connection.getresponse()

    def headers(self, body):
        """What every message carries."""
        return {}

    def ask(self, request):
        """The messages that answer a request, its response last."""
        answer = self.post(request)
        equal(answer.status, 200, f"status of {answer}; it")
        return answer.messages

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

    def headers(self, body):
        headers = {"MCP_Protocol_Version": MODERN}
        if isinstance(body, dict):
            headers["Mcp_Method"] = body.get("method")
            if body.get("method") == "tools/call":
                headers["Mcp_Name"] = body["params"]["name"]
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
            self.process.stdin.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, seconds=5):
        """The next message, whatever it is; None if none comes in that time."""
        try:
            return json.loads(self.arrived.get(timeout=max(seconds, 0)))
        except queue.Empty:
            return None

    def answer(self, id, seconds=5):
        """The response with this id, later or earlier than others; None if it does not come."""
        key, until = json.dumps(id), time.monotonic() + seconds
        while not self.waiting[key]:
            found = self.next(until - time.monotonic())
            if found is None:
                return None
            name = "a notification" if "method" in found else json.dumps(found["id"]) if "id" in found else "no id"
            self.waiting[name].append(found)
        return self.waiting[key].pop(0)

    def notifications(self):
        """Those that came while an answer was waited for."""
        return self.waiting.pop("a notification", [])

    def ask(self, question):
        self.write(question)
        response = self.answer(question["id"])
        assert response is not None, f"no answer to {shown(question)}"
        return [*self.notifications(), response]

    def greet(self, version, **changes):
        """The legacy handshake; the answer to initialize."""
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
