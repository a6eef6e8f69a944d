"""What a new user of authentication sees: the commands that the secure_echo example prints, pasted into a shell.

    secure_echo.py cargo|PROGRAM        `cargo` builds and runs it as the README says; else the example at that path
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from checks import check, contains, equal, finish, skip
from processes import free_port, reachable

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RUN = ["cargo", "run", "--quiet", "--example", "secure_echo"]


def paste(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20)
    equal(done.returncode, 0, f"the status of {command!r} ({done.stderr})")
    return done.stdout


def echoed(answer):
    message = json.loads(answer)
    assert "result" in message, answer
    return message["result"]["structuredContent"]


def password(text):
    return re.search(r"ada, with the password (\w+)", text)[1]


class Browser:
    """Keeps the cookie, and follows no redirect."""

    class Still(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    def __init__(self, origin):
        self.origin, self.cookie = origin, None
        self.opener = urllib.request.build_opener(self.Still)

    def send(self, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            headers["Cookie"] = self.cookie
        request = urllib.request.Request(self.origin + path, None if body is None else body.encode(), headers)
        try:
            answer = self.opener.open(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers, answer.read().decode()

    def log_in(self, password):
        status, headers, _ = self.send("/login", f"user=ada&password={password}", Origin=self.origin)
        set_cookie = headers.get("Set-Cookie", "")
        self.cookie = set_cookie.split(";")[0] if status == 303 else None
        return status, set_cookie

    def relay(self):
        json_type = {"Content-Type": "application/json", "Origin": self.origin}
        status, _, body = self.send("/relay", "", **json_type)
        return status, json.loads(body)


def commands(text):
    """The printed lines to paste."""
    return [line for line in text.splitlines() if re.match(r"curl |jar=", line)]


def pasted(text, origin):
    lines = commands(text)
    with check("prints three commands that work, and one that is refused"):
        equal(len(lines), 4, "the number of commands")
    answers = [("a bearer token", "Bearer"), ("a session", "Session"), ("a relay token", "Proxy")]
    for line, (what, scheme) in zip(lines, answers):
        with check(f"the command with {what} works when pasted"):
            equal(echoed(paste(line)), {"Echo": "hi", "caller": "ada", "known_by": scheme})
    with check("the last command is refused when pasted"):
        answer = paste(lines[3])
        contains(answer.splitlines()[0], " 401", "the status line")
        contains(answer.lower(), f'resource_metadata="{origin}/.well-known/oauth-protected-resource/mcp"', "the answer")
        contains(answer, '{"error":"unauthorized"}', "the answer")
    with check("the commands work once more"):
        for line in lines[:3]:
            echoed(paste(line))


def people(text, origin, relayed):
    browser = Browser(origin)
    with check("a wrong password opens nothing"):
        equal(browser.log_in("wrong"), (401, ""))
        equal(browser.relay(), (401, {"error": "unauthorized"}))
    with check("another site's form logs nobody in"):
        status, headers, _ = browser.send("/login", f"user=ada&password={password(text)}", Origin="https://evil.example")
        equal((status, headers.get("Set-Cookie")), (403, None))
    with check("the session's cookie is for this site's requests, and no script's"):
        status, cookie = browser.log_in(password(text))
        equal(status, 303)
        contains(cookie, "; HttpOnly; SameSite=Lax", "the cookie")
        assert len(browser.cookie) >= len("secure_echo=") + 64, "the cookie is too short for 32 random bytes"
        contains(browser.send("/")[2], "Hello, ada", "the page")
    with check("log-out ends the session, and the relay token that it let act"):
        status, obtained = browser.relay()
        equal((status, obtained["header"]), (200, "x-mcp-proxy-session-token"))
        command = re.sub(r"^.*; token=\$\(.*?\); curl", f"token={obtained['token']}; curl", relayed)
        equal(echoed(paste(command))["known_by"], "Proxy")
        equal(browser.send("/logout", "", Origin=origin)[0], 303)
        equal(browser.relay()[0], 401)
        equal(json.loads(paste(command)), {"error": "unauthorized"})


def main(target):
    command = [*RUN, "--"] if target == "cargo" else [target]
    if target == "cargo":
        subprocess.run(["cargo", "build", "--quiet", "--example", "secure_echo"], cwd=ROOT, check=True, timeout=1200)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    address = ["--addr", f"127.0.0.1:{port}"]
    process = subprocess.Popen([*command, *address], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        reachable(port, process)
        text = ""
        while "And refused" not in text or not text.endswith("\n\n"):
            line = process.stdout.readline()
            assert line, f"it ended with status {process.wait(10)} after printing {text!r}"
            text += line
        text += process.stdout.readline()
        with check("prints its URL, and where to log in"):
            contains(text, f"MCP server at {origin}/mcp")
            contains(text, f"Log-in page at {origin}/login: ada, with the password {password(text)}")
        if shutil.which("curl"):
            pasted(text, origin)
            people(text, origin, commands(text)[2])
        else:
            skip("the printed commands work when pasted", "there is no curl here")
    finally:
        process.kill()
        process.wait(10)


main(*sys.argv[1:])
finish()
