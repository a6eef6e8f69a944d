"""Two instances with one key behind a plain round-robin, each restarted in the midst of a session: a legacy
client never notices.

tests/live/part instances PATH
"""

import asyncio
import contextlib
import pathlib
import sys

from mcp import Client

from checks import Complaints, check, equal, finish
from processes import Echo, sealing_key
from raw import LEGACY, Session, message

CALLS = 50
# The requests at which one restart has to be over, and the next begins.
ROLLOUT = (15, 30, 45)


class RoundRobin:
    """One request, the next instance: a client's connection stays, the ones behind it do not."""

    def __init__(self, instances):
        self.instances = list(instances)
        self.busy = dict.fromkeys(instances, 0)
        self.served = dict.fromkeys(instances, 0)
        self.requests = 0
        self.old, self.restarting = list(instances), None

    @contextlib.asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self.connection, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"

    async def connection(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self.forward(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def forward(self, head, reader, writer):
        """The answer passes as it comes; it is over when the instance closes, as it is told to."""
        fields = head[:-4].split(b"\r\n")
        lengths = [line.split(b":")[1] for line in fields if line.lower().startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0]) if lengths else 0)
        async with self.instance() as port:
            behind, ahead = await asyncio.open_connection("127.0.0.1", port)
            ahead.write(b"\r\n".join([*self.kept(fields), b"Connection: close", b"", b""]) + body)
            answer = await behind.readuntil(b"\r\n\r\n")
            writer.write(b"\r\n".join([*self.kept(answer[:-4].split(b"\r\n")), b"", b""]))
            while part := await behind.read(65536):
                writer.write(part)
                await writer.drain()
            ahead.close()

    @staticmethod
    def kept(fields):
        return [line for line in fields if not line.lower().startswith(b"connection:")]

    @contextlib.asynccontextmanager
    async def instance(self):
        self.requests += 1
        if self.requests in ROLLOUT:
            await self.roll_on()
        taken = self.instances.pop(0)
        self.instances.append(taken)
        self.busy[taken] += 1
        self.served[taken] += 1
        try:
            yield taken.port
        finally:
            self.busy[taken] -= 1

    async def roll_on(self):
        """The next request waits until one instance is back; the ones after it come while the next is away."""
        if self.restarting:
            await self.restarting
        self.restarting = asyncio.create_task(self.restart(self.old.pop(0))) if self.old else None

    async def restart(self, instance):
        """As a rollout does it: no new requests, the running ones end, and then a stop and a start."""
        self.instances.remove(instance)
        while self.busy[instance]:
            await asyncio.sleep(0.005)
        await asyncio.to_thread(instance.stop)
        await asyncio.to_thread(instance.start)
        self.instances.append(instance)


async def python(url):
    async with Client(url, mode="legacy", read_timeout_seconds=10) as client:
        for number in range(CALLS):
            result = await client.call_tool("echo", {"message": f"call {number}"})
            equal(result.structured_content, {"Echo": f"call {number}"}, f"the answer to call {number}")


async def typescript(url):
    script = pathlib.Path(__file__).with_name("typescript_client.mjs")
    quiet = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec("node", script, url, "session", **quiet)
    output, _ = await process.communicate()
    assert process.returncode == 0, f"exit status {process.returncode}: {output.decode()[-1500:]}"


async def never_notices(example, client):
    keys = sealing_key()
    with Echo(example, keys) as one, Echo(example, keys) as other:
        proxy = RoundRobin([one, other])
        before = {one.process.pid, other.process.pid}
        async with proxy.listening() as url:
            await client(url)
        assert not before & {one.process.pid, other.process.pid}, "an instance was not restarted"
        assert min(proxy.served.values()) >= CALLS // 4, f"not a round-robin: {list(proxy.served.values())}"


def main(example):
    complaints = Complaints("mcp")
    for name, client in {"Python mcp 2.3.0": python, "TypeScript SDK 1.32.2": typescript}.items():
        with check(f"{name}: {CALLS} calls, two instances, both restarted"):
            asyncio.run(asyncio.wait_for(never_notices(example, client), 50))
    with check("the Python client has nothing to complain of"):
        equal(complaints.texts, [], "warnings")
    sharing(example)


def sharing(example):
    old, new = sealing_key(), sealing_key()
    with contextlib.ExitStack() as stack:
        one, same, rotated, alone = (
            stack.enter_context(Echo(example, keys)) for keys in (old, old, f"{new},{old}", None)
        )

        def listing(at, session):
            return session.at(at.url).post(message("tools/list")).status

        for version in LEGACY:
            with check(f"{version}: a session goes on at an instance with the same key, and at one that keeps it"):
                session = Session(one.url, version)
                equal([listing(same, session), listing(rotated, session)], [200, 200], "statuses")
            with check(f"{version}: it is unknown where the key is missing, and so is one under a newer key"):
                equal(listing(alone, Session(one.url, version)), 404, "status without a common key")
                equal(listing(one, Session(rotated.url, version)), 404, "status without the newer key")


main(sys.argv[1])
finish()
