"""The web page of the MCP Inspector in a real browser, at an MCP server beside a Django site: a person signs in through the
site's own pages, or lends the Inspector a relay session, and calls a tool, in both eras. What is lent ends with what it was
lent from: see lending.py.

tests/live/part browser PROGRAM

PROGRAM is examples/relayed.rs. What the browser showed is in $LIVE_CACHE/screenshots afterwards, and what the servers said
in $LIVE_CACHE/logs.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parent / "django")]

import lending  # noqa: E402
from checks import check, equal, finish, skip  # noqa: E402
from processes import free_port, reachable  # noqa: E402
from services import Missing, Nginx, program  # noqa: E402
from website import CALLBACK, EXAMPLE, Site, send  # noqa: E402

CACHE = pathlib.Path(os.environ["LIVE_CACHE"])
LAUNCHER = CACHE / "npm/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
# As nginx.conf says where relays hold sessions of people.
CONFIGURATION, TAKEN = re.subn(
    r'\n *proxy_set_header x-mcp-proxy-session-token "";', "", (EXAMPLE / "nginx.conf").read_text()
)
# Names for pages of other sites. The first may call.
APPLICATION, STRANGER = "app.example", "stranger.example"


def main(example):
    # Whoever stops this run stops its servers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    assert TAKEN == 1, "nginx.conf no longer keeps relay sessions out by one line"
    page = None
    with contextlib.ExitStack() as stack:
        with check("the site, its servers and the Inspector's page are there"):
            port, behind, apart = free_port(), free_port(), free_port()
            site = stack.enter_context(Site(SITE_URL=f"http://127.0.0.1:{port}"))
            alice = json.loads(site.manage("demo", "--redirect", CALLBACK))["users"]["alice"]
            stack.enter_context(server(example, site, "behind", behind, site.resource))
            stack.enter_context(server(example, site, "apart", apart, f"http://127.0.0.1:{apart}/mcp"))
            page = stack.enter_context(inspector())
            equal(send(page).status, 200, "status of the page")
        if not page:
            finish()
        try:
            stack.enter_context(Nginx(CONFIGURATION, port, site.port, behind))
            lending.main(site)
            chromium = browser()
        except Missing as missing:
            skip("a person at the Inspector's page", str(missing))
            finish()
        screenshots = CACHE / "screenshots"
        shutil.rmtree(screenshots, ignore_errors=True)
        screenshots.mkdir()
        told = {
            "chromium": chromium,
            # A sandbox needs a user who is not root.
            "options": ["--no-sandbox"] if os.geteuid() == 0 else [],
            "inspector": page,
            "site": site.url,
            # Behind the site's origin, and at one of its own.
            "server": site.resource,
            "apart": f"http://127.0.0.1:{apart}",
            "application": f"http://{APPLICATION}:{apart}",
            "stranger": f"http://{STRANGER}:{apart}",
            "issuer": site.issuer,
            "alice": {"name": "alice", **alice},
            "screenshots": str(screenshots),
        }
        # It prints its own checks.
        status = subprocess.run(["node", HERE / "page.mjs", json.dumps(told)], timeout=130).returncode
        if status:
            print(site.log()[-2000:], file=sys.stderr)
            sys.exit(status)
    finish()


def browser():
    if not shutil.which("chromium") and os.geteuid() == 0 and shutil.which("apt-get"):
        # What a list of some days ago names may be gone. The font is for who looks at the screenshots.
        quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "capture_output": True}
        subprocess.run(["apt-get", "update", "-qq"], timeout=60, **quiet)
        subprocess.run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", "fonts-dejavu-core"], timeout=60, **quiet)
    return program("chromium")


@contextlib.contextmanager
def running(name, command, port, environment):
    logs = CACHE / "logs"
    logs.mkdir(exist_ok=True)
    with open(logs / f"browser-{name}.log", "wb") as log:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        process = subprocess.Popen(command, env=os.environ | environment, **quiet)
        try:
            reachable(port, process)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def server(example, site, name, port, url):
    environment = {
        "DATABASE_URL": site.database_url,
        "SECRET_KEY": site.secret_key,
        "ADDRESS": f"127.0.0.1:{port}",
        "PUBLIC_URL": url,
        "ISSUER": site.issuer,
        "ALLOWED_ORIGIN": f"http://{APPLICATION}:{port}",
    }
    return running(name, [example], port, environment)


@contextlib.contextmanager
def inspector():
    """The address of its page, with what lets the page in. It begins with an empty home folder."""
    port, key = free_port(), "a-key-for-this-run"
    with tempfile.TemporaryDirectory(prefix="live-browser-") as home:
        environment = {
            "HOME": home,
            "CLIENT_PORT": str(port),
            "MCP_SANDBOX_PORT": str(free_port()),
            "MCP_APP_ORIGIN_PORT": str(free_port()),
            "MCP_INSPECTOR_API_TOKEN": key,
            "MCP_INSPECTOR_SECRET_STORE": "file",
            "MCP_AUTO_OPEN_ENABLED": "false",
        }
        with running("inspector", ["node", LAUNCHER, "--web"], port, environment):
            yield f"http://127.0.0.1:{port}/?MCP_INSPECTOR_API_TOKEN={key}"


if __name__ == "__main__":
    main(*sys.argv[1:])
