"""The MCP server under test, one process for each mode, and one way to ask it who is calling.

What the program (examples/django_server.rs) is told, in its environment:

MODE                what to accept, in this order, separated by commas:
                      introspection | oauth | jwt | api-keys
                      session-delegated | session-database | session-signed-cookies
                      session-redis | session-redis-cached-db
ADDRESS             host:port to listen on
PUBLIC_URL          this server as clients know it, the resource that tokens must name
ISSUER              the authorization server, and the issuer of every principal
INTROSPECTION_URL   RFC 7662, with TOKEN_URL, CLIENT_ID and CLIENT_SECRET for client_credentials
SESSION_URL         where sessions are delegated to, with the same client
DATABASE_URL        sqlite:///path or postgres://..., for oauth, api-keys and sessions that are read directly
SECRET_KEY          Django's, for sessions that are read directly; SECRET_KEY_FALLBACKS separated by commas
REDIS_URL           for session-redis and session-redis-cached-db

Once it listens it prints `listening on http://HOST:PORT`. It serves MCP at /mcp with a tool `whoami` without arguments,
for which a token needs the scope mcp:tools, and which sessions may call; its structuredContent is
`{"issuer": .., "subject": ..}`.
"""

import collections
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading

from processes import free_port
from website import send

META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"
WHO = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "whoami",
            "arguments": {},
            "_meta": {META + "protocolVersion": VERSION, META + "clientCapabilities": {}},
        },
    }
)
JSON = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "whoami",
}

Told = collections.namedtuple("Told", "status who headers text")


class Server:
    """`program` is a command, or None for the stub, which asks the site about everything."""

    def __init__(self, site, mode, program=None, port=None, **changes):
        self.site, self.mode, self.stub = site, mode, program is None
        here = pathlib.Path(__file__).parent
        self.command = [sys.executable, str(here / "stub.py")] if self.stub else [program]
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}/mcp"
        self.environment = {
            "MODE": mode,
            "ADDRESS": self.address,
            "PUBLIC_URL": site.resource,
            "ISSUER": site.issuer,
            "INTROSPECTION_URL": f"{site.own}/rs/introspect/",
            "TOKEN_URL": f"{site.own}/o/token/",
            "SESSION_URL": f"{site.own}/rs/session/",
            "CLIENT_ID": site.client["client_id"],
            "CLIENT_SECRET": site.client["client_secret"],
            "DATABASE_URL": site.database_url,
            "SECRET_KEY": site.secret_key,
            "SECRET_KEY_FALLBACKS": "",
            "REDIS_URL": site.redis.url if site.redis else "",
            **changes,
        }

    def __enter__(self):
        self.errors = tempfile.TemporaryFile()
        piped = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": self.errors, "text": True}
        self.process = subprocess.Popen(self.command, env=os.environ | self.environment, **piped)
        lines = queue.SimpleQueue()

        def read():
            for line in self.process.stdout:
                lines.put(line)
            lines.put("")

        threading.Thread(target=read, daemon=True).start()
        try:
            while line := lines.get(timeout=30):
                if line.strip() == f"listening on http://{self.address}":
                    return self
            raise AssertionError(f"{self.mode}: the server ended: {self.said()}")
        except queue.Empty:
            self.__exit__()
            raise AssertionError(f"{self.mode}: the server does not say that it listens: {self.said()}") from None

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-2000:]

    def ask(self, bearer=None, session=None, url=None, **headers):
        """Who is calling, with these credentials: (issuer, subject) if the answer is 200."""
        # As if a proxy had passed it on: the name of the site, not of this port.
        sent = JSON | {"Host": self.site.url.removeprefix("http://")}
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        if session:
            sent |= {"Cookie": f"sessionid={session}", "Sec-Fetch-Site": "same-origin", "Origin": self.site.url}
        # A name in a keyword has underscores where the header has hyphens; None takes a header away.
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        answer = send(url or self.url, "POST", WHO, {name: value for name, value in sent.items() if value is not None})
        who = None
        if answer.status == 200:
            text = answer.text
            if answer.headers.get_content_type() == "text/event-stream":
                text = [line for line in text.splitlines() if line.startswith("data:")][-1].removeprefix("data:")
            told = json.loads(text)
            assert "result" in told and not told["result"].get("isError"), f"whoami failed: {text}"
            who = told["result"]["structuredContent"]
            who = (who["issuer"], who["subject"])
        return Told(answer.status, who, answer.headers, answer.text)
