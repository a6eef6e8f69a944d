"""Examples on a pipe: both eras at once, bad lines, cancellation, and the end. What the methods answer is the
business of revisions.py.

tests/live/part pipe PATH echo|everything
"""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time

from checks import check, contains, equal, finish, shown
from judge import schema
from raw import (
    LEAVE_OUT,
    LEGACY,
    MODERN,
    cancelled,
    expect_error,
    initialize,
    message,
    meta,
    piped,
    question,
)

NEWEST, OLDEST = LEGACY[0], LEGACY[-1]
NOBODY = (LEAVE_OUT,)
LIMIT = 4 * 1024 * 1024


@contextlib.contextmanager
def greeted(example, version=NEWEST):
    with piped(example) as pipe:
        pipe.greet(version)
        yield pipe


def echo_of(text, id, version):
    return question(version, "tools/call", {"name": "echo", "arguments": {"message": text}}, id)


def said(response):
    assert response is not None, "no answer"
    return json.loads(response["result"]["content"][0]["text"])["Echo"]


def eras(example):
    with check("both eras on one pipe, by turns"), piped(example) as pipe:
        found = pipe.ask(question(MODERN, "server/discover", id="probe"))[-1]
        equal(found["result"]["supportedVersions"], [MODERN], "supportedVersions")
        equal(pipe.greet(OLDEST)["result"]["protocolVersion"], OLDEST, "protocolVersion")
        for turn in range(3):
            modern = pipe.ask(echo_of(f"modern {turn}", f"m{turn}", MODERN))[-1]
            legacy = pipe.ask(echo_of(f"legacy {turn}", f"l{turn}", OLDEST))[-1]
            schema(MODERN).conforms(modern, "CallToolResultResponse")
            schema(OLDEST).conforms(legacy["result"], "CallToolResult")
            equal((said(modern), said(legacy)), (f"modern {turn}", f"legacy {turn}"), "answers")
            equal(modern["result"]["resultType"], "complete", "resultType")
            assert not {"resultType", "structuredContent"} & legacy["result"].keys(), f"not of {OLDEST}: {shown(legacy)}"
    with check("200 calls of both eras at once: each answer belongs to its question"), greeted(example) as pipe:
        texts = {f"{number}": f"{number}·" * 40 for number in range(200)}
        pipe.write(*(echo_of(text, id, (MODERN, NEWEST)[int(id) % 2]) for id, text in texts.items()))
        equal({id: said(pipe.answer(id)) for id in texts}, texts, "answers")
    with check("1 and \"1\" are two ids"), greeted(example) as pipe:
        pipe.write(echo_of("number", 1, MODERN), echo_of("text", "1", MODERN))
        equal((said(pipe.answer(1)), said(pipe.answer("1"))), ("number", "text"), "answers")
    with check("1,000 calls with one id: as many answers, each of them once"), greeted(example) as pipe:
        texts = [f"{number}" for number in range(1_000)]
        pipe.write(*(echo_of(text, "one", NEWEST) for text in texts))
        equal(sorted(said(pipe.answer("one")) for _ in texts), sorted(texts), "answers")
    with check("a batch, for 2025-03-26 only"):
        batch = [message("ping", id=5), echo_of("hi", 6, OLDEST), message("notifications/unheard_of", id=LEAVE_OUT)]
        with greeted(example, OLDEST) as pipe:
            pipe.write(batch)
            answers = pipe.next()
            schema(OLDEST).conforms(answers, "JSONRPCBatchResponse")
            equal(sorted(answer["id"] for answer in answers), [5, 6], "ids")
        with greeted(example) as pipe:
            pipe.write(batch)
            expect_error(pipe.next(), -32600, ids=NOBODY)


def openings(example):
    with check("a legacy request before initialize says what to send first"), piped(example) as pipe:
        expect_error(pipe.ask(message("tools/list"))[-1], -32602, ["initialize", "_meta"])
    with check("ping before initialize"), piped(example) as pipe:
        equal(pipe.ask(message("ping"))[-1]["result"], {}, "result")
    with check("a modern request needs no handshake"), piped(example) as pipe:
        equal(said(pipe.ask(echo_of("hi", 1, MODERN))[-1]), "hi", "answer")
    with check("initialize without its fields names them"), piped(example) as pipe:
        expect_error(pipe.ask(message("initialize", {}))[-1], -32602, ["protocolVersion", "capabilities", "clientInfo"])
        equal(pipe.greet(NEWEST)["result"]["protocolVersion"], NEWEST, "protocolVersion afterwards")
    with check("initialize with the modern version negotiates the newest legacy one"), piped(example) as pipe:
        equal(pipe.ask(initialize(MODERN))[-1]["result"]["protocolVersion"], NEWEST, "protocolVersion")
    with check("initialize with the modern envelope is no method"), piped(example) as pipe:
        expect_error(pipe.ask(question(MODERN, "initialize"))[-1], -32601, ["initialize"])
    with check("a version that nobody implements, in the envelope"), piped(example) as pipe:
        probe = message("server/discover", {"_meta": meta(protocolVersion="2031-01-01")})
        error = expect_error(pipe.ask(probe)[-1], -32022)
        equal(error["data"], {"supported": [MODERN], "requested": "2031-01-01"}, "data")


def lines(example):
    long = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + b"x" * LIMIT + b'"}}\n'
    bad = {
        "garbage": (b"{not json\n", -32700, NOBODY),
        "not UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}\n', -32700, NOBODY),
        "a string": (b'"tools/list"\n', -32600, NOBODY),
        "an empty batch": (b"[]\n", -32600, NOBODY),
        "id null": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n', -32600, NOBODY),
        "no method": (b'{"jsonrpc":"2.0","id":1}\n', -32600, (LEAVE_OUT, 1)),
        "no jsonrpc": (b'{"id":1,"method":"ping"}\n', -32600, (LEAVE_OUT, 1)),
        "over the limit": (long, -32600, NOBODY),
        "over the limit, many times": (b"x" * (5 * LIMIT) + b"\n", -32600, NOBODY),
    }
    for what, (line, code, ids) in bad.items():
        with check(f"a line that is {what}: an error, and the next line is read"), greeted(example) as pipe:
            pipe.write(line, message("ping", id="next"))
            expect_error(pipe.next(), code, ids=ids)
            equal(pipe.next(), {"jsonrpc": "2.0", "id": "next", "result": {}}, "the next answer")
    with check("blank lines, CRLF and spaces around a message are no matter"), greeted(example) as pipe:
        pipe.write(b"\n", b"\r\n", b"  \n", b' {"jsonrpc":"2.0","id":1,"method":"ping"} \r\n')
        equal(pipe.next(), {"jsonrpc": "2.0", "id": 1, "result": {}}, "answer")
    with check("a line that arrives in pieces"), greeted(example) as pipe:
        whole = json.dumps(echo_of("Zürich", 1, NEWEST), ensure_ascii=False).encode() + b"\n"
        for start in range(0, len(whole), 7):
            pipe.write(whole[start : start + 7])
        equal(said(pipe.answer(1)), "Zürich", "answer")
    with check("a megabyte there and back"), greeted(example) as pipe:
        # An answer carries it twice, as text and structured, and may have a megabyte in all.
        text = "é" * 150_000
        equal(said(pipe.ask(echo_of(text, 1, NEWEST))[-1]), text, "answer")
    with check("answers that are read late are all there"):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([example, "--stdio"], **pipes) as process:
            asked = b"".join(json.dumps(echo_of("x" * 2_000, number, MODERN)).encode() + b"\n" for number in range(2_000))
            writer = threading.Thread(target=lambda: (process.stdin.write(asked), process.stdin.close()))
            writer.start()
            time.sleep(0.3)
            equal(sorted(json.loads(line)["id"] for line in process.stdout), list(range(2_000)), "ids")
            writer.join()
            equal(process.wait(5), 0, "exit status")
    with check("responses and unknown notifications get no answer"), greeted(example) as pipe:
        pipe.write({"jsonrpc": "2.0", "id": 9, "result": {}}, message("notifications/unheard_of", id=LEAVE_OUT))
        pipe.write(cancelled("never seen"), message("ping"))
        equal(pipe.next(), {"jsonrpc": "2.0", "id": 1, "result": {}}, "the first answer")


def endings(example):
    with check("ends well, and at once, when its input ends"), greeted(example) as pipe:
        pipe.process.stdin.close()
        status, took = pipe.end()
        equal(status, 0, "exit status")
        assert took < 1, f"it took {took:.2f} s"
    with check("ends well when its input ends before anything was said"), piped(example) as pipe:
        pipe.process.stdin.close()
        equal(pipe.end()[0], 0, "exit status")
    with check("what was asked before the end is answered, even without a last newline"), greeted(example) as pipe:
        texts = [f"{number}" for number in range(20)]
        pipe.write(*(echo_of(text, int(text), NEWEST) for text in texts), b'{"jsonrpc":"2.0","id":"last","method":"ping"}')
        pipe.process.stdin.close()
        equal([said(pipe.answer(int(text))) for text in texts], texts, "answers")
        assert pipe.answer("last") is not None, "no answer to the last line"
        equal(pipe.end()[0], 0, "exit status")
    for name in ("SIGTERM", "SIGINT"):
        with check(f"ends on {name}"), greeted(example) as pipe:
            pipe.process.send_signal(getattr(signal, name))
            status, took = pipe.end()
            contains((0, -getattr(signal, name)), status, "statuses")
            assert took < 2, f"it took {took:.2f} s"
    with check("ends when nobody reads its answers"):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([example, "--stdio"], **pipes) as process:
            process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write((json.dumps(message("ping")) + "\n").encode() * 10)
                process.stdin.flush()
            try:
                process.wait(5)
            finally:
                process.kill()


def output(example):
    with check("every line on the standard output is a message"), greeted(example) as pipe:
        pipe.write(b"{not json\n", echo_of("a\nb", 1, MODERN))
        pipe.write(message("tools/call", {"name": "ecko"}, 2), message("ping", id=3))
        for id in (1, 2, 3):
            assert pipe.answer(id) is not None, f"no answer to {id}"
        pipe.process.stdin.close()
        equal(pipe.end()[0], 0, "exit status")
        for line in pipe.lines:
            equal(json.loads(line)["jsonrpc"], "2.0", "jsonrpc")
            assert line.endswith(b"\n"), f"no newline after {line!r}"
        assert pipe.errors, "nothing was logged on the standard error"


def everything(example):
    def slow(id, version):
        params = {"name": "test_tool_with_progress", "arguments": {}, "_meta": {"progressToken": id}}
        return question(version, "tools/call", params, id)

    for version in (MODERN, *LEGACY):
        negotiated = OLDEST if version == MODERN else version
        with check(f"{version}: a cancelled call has no answer"), greeted(example, negotiated) as pipe:
            pipe.write(slow(4, version))
            equal(pipe.next()["method"], "notifications/progress", "what comes first")
            pipe.write(cancelled(4), message("ping", id="after"))
            assert pipe.answer("after") is not None, "no answer to ping"
            # The tool would take 0.15 s altogether.
            equal(pipe.answer(4, 0.5), None, "the answer of the cancelled call")
            assert pipe.ask(slow(4, version)), "no answer to a later call with the same id"
        with check(f"{version}: the number 4 does not cancel the call \"4\""), greeted(example, negotiated) as pipe:
            pipe.write(slow("4", version), cancelled(4))
            assert pipe.answer("4") is not None, "no answer"
    with check("a quick call overtakes a slow one"), greeted(example) as pipe:
        pipe.write(slow("slow", NEWEST), message("ping", id="quick"))
        equal(first_ids(pipe, 2), ["quick", "slow"], "the order of the answers")
    with check("50 slow calls at once take no longer than a few"), greeted(example) as pipe:
        start = time.monotonic()
        pipe.write(*(slow(f"s{number}", (MODERN, NEWEST)[number % 2]) for number in range(50)))
        for number in range(50):
            assert pipe.answer(f"s{number}") is not None, f"no answer to s{number}"
        took = time.monotonic() - start
        assert took < 3, f"they took {took:.1f} s"
        tokens = [progress["params"]["progressToken"] for progress in pipe.notifications()]
        equal(sorted(tokens), sorted(f"s{number}" for number in range(50) for _ in range(3)), "progress tokens")
    with check("a cancellation that comes before its call is no matter"), greeted(example) as pipe:
        pipe.write(cancelled(7), slow(7, NEWEST))
        assert pipe.answer(7) is not None, "no answer"
    with check("calls in flight when the input ends are answered"), greeted(example) as pipe:
        pipe.write(slow(1, NEWEST), slow(2, MODERN))
        equal(pipe.next()["method"], "notifications/progress", "what comes first")
        pipe.process.stdin.close()
        assert pipe.answer(1) is not None and pipe.answer(2) is not None, "there is no answer"
        status, took = pipe.end()
        equal(status, 0, "exit status")
        assert took < 2.5, f"it took {took:.2f} s"


def first_ids(pipe, count):
    """The ids of the next responses, in their order."""
    ids = []
    while len(ids) < count:
        found = pipe.next()
        assert found is not None, f"no more answers after {ids}"
        if "id" in found:
            ids.append(found["id"])
    return ids


def main(example, cases):
    if cases == "echo":
        eras(example)
        openings(example)
        lines(example)
        endings(example)
        output(example)
    elif cases == "everything":
        everything(example)
    else:
        sys.exit(f"no set of cases is called {cases}")


main(sys.argv[1], sys.argv[2])
finish()
