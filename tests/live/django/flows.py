"""People of a real Django site at an MCP server: log-in, log-out, change of password, deactivation, tokens and their
end, in every mode, each seen by the server within the delay that the mode states.

tests/live/part django PROGRAM|stub [SITE…]

PROGRAM is the server (examples/django_server.rs); the stub stands in for it, and `one_origin` is looked for beside it.
The sites are those of SITES below. All are set up first, and wait together until their servers notice what has ended.
"""

import base64
import contextlib
import hashlib
import pathlib
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))

import proxy  # noqa: E402
from checks import check, contains, equal, finish, skip  # noqa: E402
from servers import Server  # noqa: E402
from services import Missing, PostgreSQL, Redis  # noqa: E402
from website import PASSWORD, Browser, Site, client_credentials, python, refresh, register, revoke  # noqa: E402

ENGINES = "django.contrib.sessions.backends."
STOCK = "introspection-stock"
# Which services a site needs, how it is set up, and in which modes the server is tried beside it.
SITES = {
    "sqlite": ([], {}, ["introspection", STOCK, "oauth", "session-delegated", "session-database"]),
    "jwt": ([], {"JWT_KEY_FILE": "made below", "JWT_SECONDS": "60"}, ["jwt", "introspection"]),
    "postgresql": ([PostgreSQL], {}, ["oauth", "session-database"]),
    "signed-cookies": ([], {"SESSION_ENGINE": "signed_cookies"}, ["session-delegated", "session-signed-cookies"]),
    "redis": ([Redis], {"SESSION_ENGINE": "cache"}, ["session-delegated", "session-redis"]),
    "redis-pickle": ([Redis], {"SESSION_ENGINE": "cache", "REDIS_SERIALIZER": "pickle"}, ["session-delegated"]),
    "cached-db": (
        [PostgreSQL, Redis],
        {"SESSION_ENGINE": "cached_db"},
        ["session-delegated", "session-database", "session-redis-cached-db"],
    ),
    # One origin for a site and a server: see proxy.py.
    "nginx": None,
    "one-origin": None,
}
# Seconds until a mode sees that a credential has ended; the others see it at once. A JWT is good until it expires.
DELAYS = {"introspection": 30, STOCK: 30, "session-delegated": 30, "jwt": 60}
SLACK = 1.5

# As the documentation of `ApiKeyTable` has it.
KEYS = """CREATE TABLE mcp_api_key (
    id TEXT PRIMARY KEY, sha256 TEXT NOT NULL, owner TEXT NOT NULL, label TEXT, scopes TEXT NOT NULL DEFAULT '', expires_at BIGINT
);
GRANT SELECT ON mcp_api_key TO mcp_ro;"""

PEOPLE = ("stays", "leaves", "changes", "goes", "revokes", "refreshes")


def main(program, *names):
    unknown = set(names) - SITES.keys()
    if unknown:
        sys.exit(f"no site is called {', '.join(sorted(unknown))}; there are {', '.join(SITES)}")
    program = None if program == "stub" else program
    # Whoever stops this run stops its databases with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    running, trials = {}, []
    with contextlib.ExitStack() as stack:
        for name in names or SITES:
            if SITES[name] is None:
                proxy.main(name, program)
                continue
            needs, environment, modes = SITES[name]
            try:
                for kind in needs:
                    if kind not in running:
                        running[kind] = stack.enter_context(kind())
            except Missing as missing:
                skip(name, str(missing))
                continue
            services = {kind.__name__.lower(): running[kind] for kind in needs}
            with check(f"{name}: the site starts, and people use it"):
                trial = Trial(name, stack.enter_context(started(services, environment)), program, stack)
                trial.begin(modes)
                trials.append(trial)
        for trial in trials:
            with check(f"{trial.name}: the site does its part to the end"):
                trial.finish()
    finish()


def one_of(actual, allowed, what):
    assert actual in allowed, f"{what} is {actual}, expected one of {', '.join(map(str, allowed))}"


@contextlib.contextmanager
def started(services, environment):
    environment = dict(environment)
    if "SESSION_ENGINE" in environment:
        environment["SESSION_ENGINE"] = ENGINES + environment["SESSION_ENGINE"]
    with tempfile.TemporaryDirectory(prefix="live-django-") as folder:
        if "JWT_KEY_FILE" in environment:
            make = "from jwcrypto.jwk import JWK\nprint(JWK.generate(kty='RSA', size=2048).export_to_pem(True, None).decode())"
            key = pathlib.Path(folder, "key.pem")
            key.write_text(subprocess.run([python(), "-c", make], check=True, stdout=subprocess.PIPE, text=True).stdout)
            environment["JWT_KEY_FILE"] = str(key)
        with Site(**services, **environment) as site:
            yield site


class Trial:
    """One site, and a server beside it for each mode, all of which see the same people."""

    def __init__(self, name, site, program, stack):
        self.name, self.site, self.program = name, site, program
        # What is entered here runs until the end.
        self.stack = stack

    def begin(self, modes):
        site = self.site
        self.ids = site.people(*PEOPLE)
        self.browsers = {name: Browser(site).log_in(name) for name in PEOPLE}
        self.sessions = {name: browser.session for name, browser in self.browsers.items()}
        self.tokens = {}
        if not all(mode.startswith("session-") for mode in modes):
            browsers = self.browsers.items()
            self.refreshing = {name: browser.authorize("mcp:tools", site.resource) for name, browser in browsers}
            self.tokens = {name: answer["access_token"] for name, answer in self.refreshing.items()}
            self.strange = self.strange_tokens()
        if site.postgresql:
            self.grants()
        if self.name in ("sqlite", "postgresql"):
            with check(f"{self.name}: the tests of rs"):
                site.manage("test", "rs", "--verbosity", "0")
        self.servers = []
        for mode in modes:
            with check(f"{self.name}, {mode}: the server starts"):
                self.servers.append(self.stack.enter_context(self.server(mode)))
        for server in self.servers:
            self.valid(server)
            (self.strangers_with_sessions if self.session_mode(server) else self.strangers_with_tokens)(server)
        self.endings()

    def finish(self):
        self.watching.join()
        for server, what, took, status in self.seen:
            with self.check(server, f"401 within {DELAYS[server.label]} s after a {what} ({took:.1f} s)"):
                equal(status, 401, "status")
        if self.name == "jwt":
            # Their tokens have expired as well, and they get others.
            for name in ("stays", "leaves", "changes"):
                self.renew(name)
            self.renew("refreshes", "refreshes, renewed")
        for server in self.servers:
            self.afterwards(server)
        if self.name == "sqlite":
            self.both()
            self.outage()
        if self.name == "redis-pickle":
            self.pickle()
        if self.name == "postgresql":
            self.keys()

    def server(self, mode, **changes):
        if mode == STOCK:
            changes["INTROSPECTION_URL"] = f"{self.site.own}/o/introspect/"
        server = Server(self.site, mode.replace(STOCK, "introspection"), self.program, **changes)
        server.label = mode
        return server

    def check(self, server, what):
        return check(f"{self.name}, {server.label}: {what}")

    def session_mode(self, server):
        return server.label.startswith("session-")

    def credential(self, server, name):
        return {"session": self.sessions[name]} if self.session_mode(server) else {"bearer": self.tokens[name]}

    def expect(self, server, name, told):
        """200, and as whom."""
        equal(told.status, 200, f"status ({told.text[:300]})")
        # The toolkit's own introspection knows no more of a person than the name.
        subjects = [self.ids[name], name] if server.label == STOCK else [self.ids[name]]
        one_of(told.who, [(self.site.issuer, subject) for subject in subjects], "the caller")

    def valid(self, server):
        with self.check(server, "valid credentials, each as its person"):
            for name in PEOPLE:
                self.expect(server, name, server.ask(**self.credential(server, name)))
        with self.check(server, "no credential"):
            told = server.ask()
            equal(told.status, 401, "status")
            if not self.session_mode(server):
                contains(told.headers["WWW-Authenticate"] or "", "resource_metadata=", "the challenge")
                assert "error=" not in told.headers["WWW-Authenticate"], "an error although nothing was sent"
        with self.check(server, "a proxy's token while there is no proxy, in a header and in the query"):
            equal(server.ask(x_mcp_proxy_session_token="x").status, 401, "status")
            equal(server.ask(url=f"{server.url}?mcp_proxy_session_token=x").status, 401, "status")

    def strangers_with_sessions(self, server):
        good = self.sessions["stays"]
        with self.check(server, "sessions that are not there, or changed"):
            changed = good[:-2] + ("aa" if good[-2:] != "aa" else "bb")
            for key in ("a" * 32, good.upper(), good[:-1], changed, "x", "a" * 5000):
                equal(server.ask(session=key).status, 401, f"status for {key[:40]}")
        with self.check(server, "a session from another site's page, or from nowhere"):
            evil = {"Sec_Fetch_Site": "cross-site", "Origin": "https://evil.example"}
            equal(server.ask(session=good, **evil).status, 403, "status")
            equal(server.ask(session=good, **evil | {"Sec_Fetch_Site": None}).status, 403, "status without Sec-Fetch-Site")
            equal(server.ask(session=good, Sec_Fetch_Site=None, Origin=None).status, 403, "status without both")
        with self.check(server, "two sessions at once"):
            cookies = f"sessionid={self.sessions['leaves']}; sessionid={good}"
            one_of(server.ask(session=good, Cookie=cookies).status, (400, 401), "status")
        with self.check(server, "no cookie is set or renewed"):
            equal(server.ask(session=good).headers["Set-Cookie"], None, "Set-Cookie")

    def strange_tokens(self):
        """Tokens that the site issues gladly, and a server must look at twice."""
        site, browser = self.site, self.browsers["stays"]

        def issued(scope, resource=None, **more):
            return browser.authorize(scope, resource, **more)["access_token"]

        newcomer = register(site)
        return {
            "another": issued("mcp:tools", "https://other.example/mcp"),
            "none": issued("mcp:tools"),
            "several": issued("mcp:tools", ["https://other.example/mcp", site.resource]),
            "notes": issued("notes", site.resource),
            "newcomer": issued("mcp:tools", site.resource, client=newcomer["client_id"]),
            "registration": newcomer["registration_access_token"],
            "refresh": self.refreshing["stays"]["refresh_token"],
            "asking": client_credentials(site, resource=site.resource),
        }

    def strangers_with_tokens(self, server):
        good = self.tokens["stays"]

        def refused(name, *statuses):
            one_of(server.ask(bearer=self.strange[name]).status, statuses or (401,), f"status for {name}")

        with self.check(server, "a token for another resource, or for none"):
            refused("another")
            refused("none")
        with self.check(server, "a token for several resources, this one among them"):
            self.expect(server, "stays", server.ask(bearer=self.strange["several"]))
        with self.check(server, "a token without the scope"):
            told = server.ask(bearer=self.strange["notes"])
            equal(told.status, 403, "status")
            for part in ("insufficient_scope", "mcp:tools"):
                contains(told.headers["WWW-Authenticate"] or "", part, "the challenge")
        with self.check(server, "a token of a client that has just registered, and the one that it registers with"):
            self.expect(server, "stays", server.ask(bearer=self.strange["newcomer"]))
            refused("registration", 401, 403)
        with self.check(server, "refresh tokens, and those for asking"):
            refused("refresh")
            refused("asking", 401, 403)
        with self.check(server, "tokens that nobody issued"):
            for token in ("unknown", good[:-1], good + "x", "a.b.c", "x" * 5000):
                equal(server.ask(bearer=token).status, 401, f"status for {token[:10]}")
        with self.check(server, "a token in the query, or a session where tokens are wanted"):
            equal(server.ask(url=f"{server.url}?access_token={good}").status, 401, "status")
            equal(server.ask(session=self.sessions["stays"]).status, 401, "status")
        if server.label == "jwt":
            with self.check(server, "a token whose signature is taken away"):
                head, payload, signature = good.split(".")
                none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
                for forged in (f"{none}.{payload}.", f"{none}.{payload}.{signature}", f"{head}.{payload}."):
                    one_of(server.ask(bearer=forged).status, (400, 401), "status")

    def endings(self):
        """Everything ends for somebody. Who must notice at once is asked at once, the others until they have."""
        site = self.site

        def change_password():
            elsewhere = Browser(site).log_in("changes")
            elsewhere.change_password(PASSWORD, PASSWORD + "!")
            self.sessions["changes, elsewhere"] = elsewhere.session

        acts = {"goes": ("deactivation", lambda: site.deactivate("goes"))}
        acts["leaves"] = ("log-out", self.browsers["leaves"].log_out)
        acts["changes"] = ("change of password", change_password)
        if self.tokens:
            acts["revokes"] = ("revocation", lambda: revoke(site, self.tokens["revokes"]))
            acts["refreshes"] = ("refresh", lambda: self.renew("refreshes", "refreshes, renewed"))
        pending, since = [], {}
        for name, (what, act) in acts.items():
            act()
            since[name] = time.monotonic()
            for server in self.servers:
                if name not in self.ended(server):
                    continue
                if blind := self.blind(server, name):
                    skip(f"{self.name}, {server.label}: 401 after a {what}", blind)
                elif server.label in DELAYS:
                    pending.append((server, name, what))
                else:
                    with self.check(server, f"401 at once after a {what}"):
                        equal(server.ask(**self.credential(server, name)).status, 401, "status")
        self.seen = []
        self.watching = threading.Thread(target=self.watch, args=(pending, since), daemon=True)
        self.watching.start()

    def renew(self, name, renewed=None):
        self.refreshing[name] = refresh(self.site, self.refreshing[name])
        self.tokens[renewed or name] = self.refreshing[name]["access_token"]

    def watch(self, pending, since):
        while pending:
            for item in list(pending):
                server, name, what = item
                took = time.monotonic() - since[name]
                try:
                    status = server.ask(**self.credential(server, name)).status
                except Exception as failure:
                    status = repr(failure)
                if status != 200 or took > DELAYS[server.label] + SLACK:
                    pending.remove(item)
                    self.seen.append((server, what, took, status))
            time.sleep(0.5)

    def ended(self, server):
        """Whose credential is over once everybody has acted."""
        return ("goes", "leaves", "changes") if self.session_mode(server) else ("goes", "revokes", "refreshes")

    def blind(self, server, name):
        """Why the mode does not see it."""
        if self.name == "signed-cookies" and name == "leaves":
            return "a signed cookie lives in the browser alone, and a copy of it stays good"
        if server.label == STOCK and name == "goes":
            return "the toolkit's own introspection does not look at is_active"
        return None

    def afterwards(self, server):
        with self.check(server, "nothing has ended for the others, and what has ended stays so"):
            stays = ["stays"]
            if self.session_mode(server):
                stays.append("changes, elsewhere")
            else:
                stays += ["leaves", "changes", "refreshes, renewed"]
            for name in stays:
                person = name.split(",")[0]
                self.expect(server, person, server.ask(**self.credential(server, name)))
            for name in self.ended(server):
                if not self.blind(server, name):
                    equal(server.ask(**self.credential(server, name)).status, 401, f"status of who {name}")

    def both(self):
        server = self.server("introspection,session-delegated")
        with server, self.check(server, "a token wins over a session, even when it is worth nothing"):
            token, session = self.tokens["stays"], self.sessions["changes, elsewhere"]
            self.expect(server, "stays", server.ask(bearer=token))
            self.expect(server, "changes", server.ask(session=session))
            self.expect(server, "stays", server.ask(bearer=token, session=session))
            equal(server.ask(bearer="unknown", session=session).status, 401, "status")
            equal(server.ask(session=session, Authorization="Basic cnM6cnM=").status, 401, "status with Basic")

    def outage(self):
        """A credential that nobody can judge is not a wrong one."""
        token = self.browsers["stays"].authorize("mcp:tools", self.site.resource)["access_token"]
        session = Browser(self.site).log_in("stays").session
        with contextlib.ExitStack() as stack:
            asks = []
            for mode, credential in (("introspection", {"bearer": token}), ("session-delegated", {"session": session})):
                asks.append((stack.enter_context(self.server(mode)), credential))
            self.site.stop()
            for server, credential in asks:
                with self.check(server, "503 while the site is down"):
                    told = server.ask(**credential)
                    equal(told.status, 503, "status")
                    assert int(told.headers["Retry-After"]) > 0, f"Retry-After is {told.headers['Retry-After']}"
            self.site.start()
            for server, credential in asks:
                with self.check(server, "200 once it is back, without a restart"):
                    until = time.monotonic() + 20
                    while (told := server.ask(**credential)).status == 503 and time.monotonic() < until:
                        time.sleep(0.5)
                    self.expect(server, "stays", told)

    def pickle(self):
        what = f"{self.name}, session-redis: pickles are not read"
        if self.program is None:
            skip(what, "the stub reads nothing itself")
            return
        with check(what):
            try:
                with self.server("session-redis") as server:
                    one_of(server.ask(session=self.sessions["stays"]).status, (401, 503), "status")
            except AssertionError as refusal:
                contains(str(refusal), "serializer", "the refusal to start")

    def keys(self):
        """Keys in a table of this database: SQLite's are tried where no site is needed."""
        what = f"{self.name}, api-keys: "
        if self.program is None:
            skip(f"{what}a row is a key", "the stub reads nothing itself")
            return
        postgresql, name = self.site.postgresql, self.site.environment["DATABASE_NAME"]
        postgresql.sql(KEYS, name)

        def key(row, scopes="mcp:tools", expires_at="NULL"):
            text = f"site_{row}_{secrets.token_hex(16)}"
            values = f"'{row}', '{hashlib.sha256(text.encode()).hexdigest()}', '{self.ids['stays']}', 'a laptop'"
            postgresql.sql(f"INSERT INTO mcp_api_key VALUES ({values}, '{scopes}', {expires_at})", name)
            return text

        with self.server("api-keys") as server:
            good, brief = key("good"), key("brief", expires_at=int(time.time()) + 3600)
            with check(f"{what}a row is a key of its owner's"):
                self.expect(server, "stays", server.ask(bearer=good))
                self.expect(server, "stays", server.ask(bearer=brief))
            with check(f"{what}401 for a key that expired, or that no row has; 403 without the scope"):
                equal(server.ask(bearer=key("past", expires_at=int(time.time()) - 1)).status, 401, "status of the former")
                for other in (good[:-1] + ("0" if good[-1] != "0" else "1"), good.replace("good", "other")):
                    equal(server.ask(bearer=other).status, 401, f"status for {other[:10]}")
                equal(server.ask(bearer=key("less", scopes="notes")).status, 403, "status of the latter")
            with check(f"{what}401 at once when the row is gone, 503 when the table is"):
                postgresql.sql("DELETE FROM mcp_api_key WHERE id = 'good'", name)
                equal(server.ask(bearer=good).status, 401, "status")
                self.expect(server, "stays", server.ask(bearer=brief))
                postgresql.sql("DROP TABLE mcp_api_key", name)
                equal(server.ask(bearer=brief).status, 503, "status")

    def grants(self):
        postgresql, name = self.site.postgresql, self.site.environment["DATABASE_NAME"]

        def sql(text):
            return postgresql.sql(text, name, "mcp_ro")

        with check(f"{self.name}: the role for reading reads what it needs"):
            contains(sql("SELECT username, is_active FROM auth_user"), "stays|t", "the answer")
            sql("SELECT session_key, session_data, expire_date FROM django_session")
            sql(
                "SELECT CAST(t.user_id AS TEXT), t.expires, t.scope, CAST(t.resource AS TEXT), a.client_id, u.is_active"
                " FROM oauth2_provider_accesstoken t LEFT JOIN auth_user u ON u.id = t.user_id"
                " LEFT JOIN oauth2_provider_application a ON a.id = t.application_id WHERE t.token_checksum = ''"
            )
        with check(f"{self.name}: and nothing else, nor does it write"):
            for text in (
                "SELECT token FROM oauth2_provider_accesstoken",
                "SELECT client_secret FROM oauth2_provider_application",
                "SELECT email FROM auth_user",
                "SELECT * FROM oauth2_provider_refreshtoken",
                "UPDATE auth_user SET is_superuser = true",
                "DELETE FROM django_session",
                "CREATE TABLE mine (id int)",
            ):
                try:
                    raise AssertionError(f"{text}: {sql(text)!r}")
                except PermissionError as refusal:
                    contains(str(refusal), "permission denied", text)


if __name__ == "__main__":
    main(*sys.argv[1:] or ["stub"])
