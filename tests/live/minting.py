"""Assertions that other languages sign, with the programs of examples/mint and with Django, are taken by `mcp-auth`.

Needs neither a server nor a network. A language that is not here is skipped.
"""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from checks import check, finish, skip

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KEY = "a key that both ends of the live test know"
CLAIMS = ["proxy-1", "https://mcp.example.com/mcp", "ålice"]
BODY = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
DJANGO = """
import secrets, sys
from django.conf import settings
from django.core import signing
settings.configure()
key, proxy, audience, subject = sys.argv[1:]
claims = {"sub": subject, "aud": audience, "prx": proxy, "jti": secrets.token_hex(16)}
print(signing.dumps(claims, key=key, salt="mcp.proxy-session.v1"))
"""


def output(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, "MCP_PROXY_KEY": KEY}, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def verify(token, body=None):
    """Whether `mcp-auth` takes it: the test that it has for this."""
    added = {"MCP_AUTH_MINTED": token} | ({"MCP_AUTH_MINTED_BODY": body} if body else {})
    command = ["cargo", "test", "--quiet", "-p", "mcp-auth", "--test", "minted", "--", "--nocapture"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, env={**os.environ, **added})
    told = done.stdout + done.stderr
    assert "skip - " not in told, told
    return done.returncode == 0, told


def mint(program, folder):
    body = os.path.join(folder, "body")
    with open(body, "w") as file:
        file.write(BODY)
    plain, bound = output([*program, *CLAIMS]), output([*program, *CLAIMS, body])
    for token, of in [(plain, None), (bound, body)]:
        holds, told = verify(token, of)
        assert holds, told
    assert not verify(bound)[0], "an assertion of a body holds without it"
    assert not verify(plain[:-1])[0], "an assertion without its last letter holds"


def main():
    subprocess.run(["cargo", "test", "--quiet", "-p", "mcp-auth", "--test", "minted", "--no-run"], cwd=ROOT, check=True, timeout=1200)
    for name, file in [("python3", "assertion.py"), ("node", "assertion.mjs")]:
        what = f"an assertion by {file} holds"
        if not shutil.which(name):
            skip(what, f"there is no {name}")
            continue
        with check(what), tempfile.TemporaryDirectory() as folder:
            mint([name, str(ROOT / "examples" / "mint" / file)], folder)
    what = "an assertion by django.core.signing holds"
    if importlib.util.find_spec("django") is None:
        skip(what, "there is no Django")
    else:
        with check(what):
            holds, told = verify(output([sys.executable, "-c", DJANGO, KEY, *CLAIMS]))
            assert holds, told


main()
finish()
