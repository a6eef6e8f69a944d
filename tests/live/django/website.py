"""The site of examples/django, running for real, and people who use it with a browser of a few lines.

Everything goes through the pages and endpoints that people and clients have, except what an administrator does.
"""

import base64
import hashlib
import html.parser
import http.client
import http.cookies
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import tempfile
import urllib.parse

from processes import free_port, reachable

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/django"
CALLBACK = "http://127.0.0.1:6276/oauth/callback"
PASSWORD = "correct horse battery staple"


def python():
    """An environment of its own with what the example requires; it is made once."""
    folder = pathlib.Path(os.environ.get("LIVE_CACHE", EXAMPLE.parents[1] / "target/live")) / "django"
    requirements = EXAMPLE / "requirements.txt"
    path, mark, pins = folder / "bin/python", folder / ".pins", requirements.read_text()
    if mark.is_file() and mark.read_text() == pins:
        return path
    print("tests/live: installing what examples/django requires", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    quiet = {"check": True, "timeout": 600, "stdout": subprocess.DEVNULL}
    if subprocess.run(["python3", "-m", "venv", folder], capture_output=True).returncode == 0:
        subprocess.run([path, "-m", "pip", "install", "--quiet", "-r", requirements], **quiet)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["python3", "-m", "venv", "--without-pip", folder], **quiet)
        subprocess.run(["python3", "-m", "pip", "--python", path, "install", "--quiet", "-r", requirements], **quiet)
    mark.write_text(pins)
    return path


class Site:
    """Migrated, with the people and clients of `manage.py demo`, and listening while it is entered: at `own`, which is
    also the `url` that browsers see, unless something else is in front."""

    def __init__(self, postgresql=None, redis=None, **environment):
        self.python, self.port = python(), free_port()
        self.own = f"http://127.0.0.1:{self.port}"
        self.url = environment.get("SITE_URL", self.own)
        self.issuer, self.resource = f"{self.url}/o", f"{self.url}/mcp"
        self.secret_key = secrets.token_urlsafe(50)
        self.postgresql, self.redis, self.wanted = postgresql, redis, environment
        self.process = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="live-django-"))
        own = {"SITE_URL": self.url, "SECRET_KEY": self.secret_key, "OPEN_REGISTRATION": "1", **self.wanted}
        if self.redis:
            own["REDIS_URL"] = self.redis.url
        if self.postgresql:
            name = f"site{self.port}"
            self.postgresql.sql(f"CREATE DATABASE {name}")
            own |= {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(self.postgresql.port)}
            own |= {"DATABASE_NAME": name, "DATABASE_USER": "postgres"}
            self.database_url = self.postgresql.url(name, "mcp_ro")
        else:
            own["DATABASE_NAME"] = str(self.folder / "site.sqlite3")
            self.database_url = f"sqlite://{own['DATABASE_NAME']}"
        self.environment = os.environ | own | {"PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self.manage("migrate", "--verbosity", "0")
            if self.postgresql:
                self.grant(own["DATABASE_NAME"])
            made = json.loads(self.manage("demo", "--redirect", CALLBACK))
            self.client = made["clients"]["rs"]
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def grant(self, database):
        """The role is the instance's, the grants are the database's."""
        create, grants = (EXAMPLE / "grants.sql").read_text().split("GRANT", 1)
        if not self.postgresql.sql("SELECT 1 FROM pg_roles WHERE rolname = 'mcp_ro'"):
            self.postgresql.sql(create)
        self.postgresql.sql("GRANT" + grants, database)

    def start(self):
        command = [self.python, "manage.py", "runserver", "--noreload", f"127.0.0.1:{self.port}"]
        with open(self.folder / "log", "ab") as log:
            quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.process = subprocess.Popen(command, cwd=EXAMPLE / "site", env=self.environment, **quiet)
        reachable(self.port, self.process)

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.process = None

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def manage(self, *arguments):
        command = [self.python, "manage.py", *arguments]
        piped = {"text": True, "capture_output": True, "timeout": 240}
        done = subprocess.run(command, cwd=EXAMPLE / "site", env=self.environment, **piped)
        assert done.returncode == 0, f"manage.py {arguments[0]} ended with {done.returncode}: {done.stderr[-2000:]}"
        return done.stdout

    def people(self, *names):
        """New users, all with PASSWORD; answers their primary keys as strings, by name."""
        code = f"""
import json
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
hashed = make_password({PASSWORD!r})
print(json.dumps({{name: str(User.objects.create(username=name, password=hashed).pk) for name in {names!r}}}))"""
        return json.loads(self.manage("shell", "-v0", "-c", code))

    def deactivate(self, name):
        self.manage("shell", "-v0", "-c", f"""
from django.contrib.auth.models import User
assert User.objects.filter(username={name!r}).update(is_active=False) == 1""")

    def end(self, session):
        """As an administrator ends it: without the person."""
        self.manage("shell", "-v0", "-c", f"""
from django.contrib.sessions.models import Session
assert Session.objects.filter(session_key={session!r}).delete()[0] == 1""")


class Hidden(html.parser.HTMLParser):
    """The hidden fields of a page's forms."""

    def __init__(self, text):
        super().__init__()
        self.fields = {}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "input" and given.get("type") == "hidden" and "name" in given:
            self.fields[given["name"]] = given.get("value") or ""


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.text[:300]}"


def send(url, method="GET", body=None, headers=None):
    """One request; redirects are answers like any other."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request(method, parts._replace(scheme="", netloc="").geturl() or "/", body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def post_form(url, fields, headers=None):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return send(url, "POST", urllib.parse.urlencode(fields, doseq=True), kind | (headers or {}))


class Browser:
    """Keeps cookies and fills in forms. `session` is the cookie that says who is logged in."""

    def __init__(self, site):
        self.site, self.cookies = site, {}

    @property
    def session(self):
        return self.cookies.get("sessionid")

    def visit(self, path, fields=None):
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        if fields is None:
            answer = send(self.site.url + path, headers=headers)
        else:
            answer = post_form(self.site.url + path, fields, headers | {"Origin": self.site.url})
        for line in answer.headers.get_all("Set-Cookie") or ():
            for name, morsel in http.cookies.SimpleCookie(line).items():
                if morsel["max-age"] == "0" or morsel.value == "":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer

    def fill_in(self, path, fields, page=None):
        """Sends the form of a page back with these fields; it must lead elsewhere."""
        shown = self.visit(page or path)
        assert shown.status == 200, f"{page or path}: {shown}"
        answer = self.visit(path, Hidden(shown.text).fields | fields)
        assert answer.status == 302, f"POST {path}: {answer}"
        return answer.headers["Location"]

    def log_in(self, name, password=PASSWORD):
        self.fill_in("/login/", {"username": name, "password": password})
        assert self.session and f">{name}<" in self.visit("/").text, f"{name} is not logged in"
        return self

    def log_out(self):
        self.fill_in("/logout/", {}, page="/")
        assert not self.session, "there still is a session"

    def change_password(self, old, new):
        self.fill_in("/password/", {"old_password": old, "new_password1": new, "new_password2": new})

    def authorize(self, scope, resource=None, client="browser", callback=CALLBACK):
        """The consent page with PKCE, and the code for tokens; the answer of the token endpoint."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(8)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"response_type": "code", "client_id": client, "redirect_uri": callback, "scope": scope, "state": state}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        bound = {"resource": resource} if resource else {}
        path = "/o/authorize/?" + urllib.parse.urlencode(asked | bound, doseq=True)
        location = self.fill_in(path, {"allow": "Authorize"})
        back = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
        assert location.startswith(callback) and "code" in back, f"no code: {location}"
        assert (back["state"], back["iss"]) == (state, self.site.issuer), f"another state or issuer: {location}"
        grant = {"grant_type": "authorization_code", "code": back["code"], "redirect_uri": callback}
        return token(self.site, client_id=client, code_verifier=verifier, **grant, **bound)


def token(site, **fields):
    answer = post_form(f"{site.url}/o/token/", fields)
    assert answer.status == 200, f"no token: {answer}"
    return answer.json


def refresh(site, tokens, client="browser"):
    return token(site, grant_type="refresh_token", refresh_token=tokens["refresh_token"], client_id=client)


def revoke(site, value, client="browser"):
    answer = post_form(f"{site.url}/o/revoke_token/", {"token": value, "client_id": client})
    assert answer.status == 200, f"not revoked: {answer}"


def client_credentials(site, **more):
    return token(site, grant_type="client_credentials", **site.client, **more)["access_token"]


def register(site, **more):
    """What a client gets that nobody knew before (RFC 7591)."""
    wanted = {
        "client_name": "Newcomer",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        **more,
    }
    answer = send(f"{site.url}/o/register/", "POST", json.dumps(wanted), {"Content-Type": "application/json"})
    assert answer.status == 201, f"not registered: {answer}"
    return answer.json
