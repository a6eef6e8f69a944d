"""Stands in for the MCP server, to see that the scenarios are right on the side of Django. It asks the views of /rs/
about every credential, whatever its mode is called, and remembers nothing. No model for anything real.
"""

import http.server
import json
import os
import pathlib
import sys
import time
import urllib.parse

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))

from website import post_form  # noqa: E402

environment = os.environ
MODES = environment["MODE"].split(",")
SESSIONS = any(mode.startswith("session-") for mode in MODES)
BEARERS = any(not mode.startswith("session-") for mode in MODES)
asking = {}


def ask(url, **fields):
    if asking.get("until", 0) < time.time():
        credentials = {"client_id": environment["CLIENT_ID"], "client_secret": environment["CLIENT_SECRET"]}
        answer = post_form(environment["TOKEN_URL"], {"grant_type": "client_credentials", **credentials}).json
        asking.update(until=time.time() + answer["expires_in"] / 2, token=answer["access_token"])
    answer = post_form(url, fields, {"Authorization": f"Bearer {asking['token']}"})
    assert answer.status == 200, answer
    return answer.json


def judge(headers):
    """The status, and who it is if that is 200."""
    metadata = f'Bearer resource_metadata="{environment["PUBLIC_URL"]}"'
    authorization, cookies = headers.get("Authorization"), headers.get_all("Cookie") or []
    if authorization is not None and BEARERS:
        found = ask(environment["INTROSPECTION_URL"], token=authorization.removeprefix("Bearer "))
        if not found["active"] or environment["PUBLIC_URL"] not in found.get("aud", ()):
            return 401, f'{metadata}, error="invalid_token"'
        if "mcp:tools" not in found["scope"].split():
            return 403, f'{metadata}, error="insufficient_scope", scope="mcp:tools"'
        return 200, found
    if authorization is None and cookies and SESSIONS:
        keys = [part.strip()[10:] for line in cookies for part in line.split(";") if part.strip().startswith("sessionid=")]
        if headers.get("Sec-Fetch-Site") != "same-origin":
            return 403, ""
        if len(keys) != 1:
            return 400, ""
        found = ask(environment["SESSION_URL"], session=keys[0])
        return (200, found) if found["active"] else (401, f'{metadata}, error="invalid_token"')
    return 401, metadata


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        try:
            status, found = judge(self.headers) if urllib.parse.urlsplit(self.path).path == "/mcp" else (404, "")
        except OSError:
            status, found = 503, ""
        # The toolkit's own introspection tells the name alone.
        subject = found.get("sub") or found["username"] if status == 200 else None
        who = {"issuer": environment["ISSUER"], "subject": subject} if subject else None
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"structuredContent": who}} if who else {}).encode()
        self.send_response(status)
        if not who:
            self.send_header("Retry-After" if status == 503 else "WWW-Authenticate", found or "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


host, port = environment["ADDRESS"].split(":")
server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
print(f"listening on http://{host}:{port}", flush=True)
server.serve_forever()
