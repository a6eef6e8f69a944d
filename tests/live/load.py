"""Much at once: calls that share one id in one session, and handshakes that nobody goes on with.

tests/live/part load PATH URL      the echo example, and where the `everything` example runs
"""

import asyncio
import json
import selectors
import socket
import sys
import time

from checks import check, equal, finish, shown
from processes import Echo
from raw import LEGACY, Session, initialize, message

CALLS = 1_000
HANDSHAKES, WARMING, CONNECTIONS = 100_000, 1_000, 16
GROWTH = 5 * 1024


def request(url, body, **headers):
    body = json.dumps(body).encode()
    head = [
        f"POST {url.path} HTTP/1.1",
        f"Host: {url.netloc}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {len(body)}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


async def at_once(session, calls):
    """Every request is on its way before the first answer is read. The answers' bytes, in the order of the calls."""
    url = session.url
    opened = await asyncio.gather(*(asyncio.open_connection(url.hostname, url.port) for _ in calls))
    try:
        for (_, writer), call in zip(opened, calls):
            writer.write(request(url, call, Connection="close", **session.headers(call)))
        return await asyncio.gather(*(reader.read() for reader, _ in opened))
    finally:
        for _, writer in opened:
            writer.close()


def one_id(url, calls):
    session = Session(url, LEGACY[0])
    answers = asyncio.run(asyncio.wait_for(at_once(session, calls), 60))
    statuses = {answer.partition(b"\r\n")[0] for answer in answers}
    equal(sorted(statuses), [b"HTTP/1.1 200 OK"], "statuses")
    session.close()
    return [answer.partition(b"\r\n\r\n")[2].decode() for answer in answers]


def calls(name, params):
    return [message("tools/call", {"name": name, **params(number)}, "one") for number in range(CALLS)]


def echoes(url):
    texts = [f"{number}." * 20 for number in range(CALLS)]
    bodies = one_id(url, calls("echo", lambda number: {"arguments": {"message": texts[number]}}))
    found = [json.loads(body) for body in bodies]
    equal({answer["id"] for answer in found}, {"one"}, "ids")
    wrong = [answer for text, answer in zip(texts, found) if answer["result"]["structuredContent"] != {"Echo": text}]
    assert not wrong, f"{len(wrong)} answers belong to other questions: {shown(wrong[0])}"


def progresses(url):
    """Calls that take a while, so that they are all at work at one time."""
    token = "token {}.".format
    bodies = one_id(url, calls("test_tool_with_progress", lambda number: {"_meta": {"progressToken": token(number)}}))
    for number, body in enumerate(bodies):
        equal(body.count(token(number)), 3, f"progress of call {number} in its own stream")
        equal(body.count("progressToken"), 3, f"progress in the stream of call {number}")
        equal(body.count('"result"'), 1, f"results in the stream of call {number}")


def handshake(port, count, opener):
    """`initialize` again and again on a few connections that stay; nothing follows."""
    waiting = selectors.DefaultSelector()
    asked = 0
    for _ in range(min(CONNECTIONS, count)):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting.register(connection, selectors.EVENT_READ, bytearray())
        connection.sendall(opener)
        asked += 1
    try:
        while waiting.get_map():
            ready = waiting.select(10)
            assert ready, "the server does not answer any more"
            for key, _ in ready:
                part = key.fileobj.recv(65536)
                assert part, "the server closed a connection"
                key.data.extend(part)
                head, end, body = key.data.partition(b"\r\n\r\n")
                if not end or len(body) < int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]):
                    continue
                assert head.startswith(b"HTTP/1.1 200") and b"mcp-session-id:" in head.lower(), bytes(key.data[:500])
                key.data.clear()
                if asked < count:
                    asked += 1
                    key.fileobj.sendall(opener)
                else:
                    waiting.unregister(key.fileobj)
                    key.fileobj.close()
    finally:
        for key in list(waiting.get_map().values()):
            key.fileobj.close()
        waiting.close()


def abandoned(echo):
    opener = request(Session(echo.url, LEGACY[0]).url, initialize(LEGACY[0]))
    handshake(echo.port, WARMING, opener)
    before, start = echo.resident(), time.monotonic()
    handshake(echo.port, HANDSHAKES, opener)
    after, took = echo.resident(), time.monotonic() - start
    print(f"# {HANDSHAKES} handshakes in {took:.1f} s: {before} KiB before, {after} KiB after", flush=True)
    assert after - before <= GROWTH, f"{after - before} KiB more than before: {before} KiB, then {after} KiB"


def main(example, everything):
    with Echo(example) as echo:
        with check(f"{CALLS} calls with one id in one session: each answer belongs to its question"):
            echoes(echo.url)
    with check(f"{CALLS} calls with one id at work at one time: each has its own progress and result"):
        progresses(everything)
    with Echo(example) as echo, check(f"{HANDSHAKES} abandoned handshakes: memory stays within {GROWTH // 1024} MiB"):
        abandoned(echo)


main(*sys.argv[1:])
finish()
