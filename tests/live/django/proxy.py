"""One origin, in which /mcp is the MCP server's and the rest Django's: by the configuration of nginx in examples/django,
and by the program of examples/one_origin.rs."""

import contextlib
import http.client
import http.server
import pathlib
import threading
import urllib.parse

from checks import check, contains, equal, skip
from processes import free_port
from servers import Server
from services import Missing, Nginx
from website import EXAMPLE, Browser, Site, post_form, send

CONFIGURATION = (EXAMPLE / "nginx.conf").read_text()


def main(name, program):
    try:
        nginx(program) if name == "nginx" else one_program(program)
    except Missing as missing:
        skip(name, str(missing))


def nginx(program):
    port = free_port()
    with check("nginx: the site does its part to the end"), contextlib.ExitStack() as stack:
        site = stack.enter_context(Site(SITE_URL=f"http://127.0.0.1:{port}"))
        server = stack.enter_context(Server(site, "introspection,session-delegated", program))
        stack.enter_context(Nginx(CONFIGURATION, port, site.port, server.port))
        one_origin("nginx", site, server)
    with Mirror() as mirror, Nginx(CONFIGURATION, free_port(), mirror.port, mirror.port) as server:
        headers("nginx", f"http://127.0.0.1:{server.port}", mirror, "/mcp")


def one_program(program):
    """One process is the server and what is in front of Django, so the stub has no part in it."""
    program = program and pathlib.Path(program).with_name("one_origin")
    if not (program and program.is_file()):
        raise Missing("there is no example one_origin beside the program")
    port = free_port()
    with check("one-origin: the site does its part to the end"):
        with Site(SITE_URL=f"http://127.0.0.1:{port}") as site:
            with Server(site, "one_origin", program, port, SITE_URL=site.url, DJANGO_URL=site.own) as server:
                one_origin("one-origin", site, server)
                equal(send(f"{site.url}/nowhere").status, 404, "status of a page that Django does not have")
                site.stop()
                equal(send(f"{site.url}/").status, 502, "status while Django is down")
        mirrored = f"http://127.0.0.1:{port}"
        with Mirror() as mirror:
            django = f"http://127.0.0.1:{mirror.port}"
            with Server(site, "one_origin", program, port, SITE_URL=mirrored, DJANGO_URL=django):
                headers("one-origin", mirrored, mirror, "/page")


def one_origin(name, site, server):
    person, at = site.people("ann")["ann"], f"{site.url}/mcp"
    with check(f"{name}: people log in to Django, and their session counts at /mcp"):
        browser = Browser(site).log_in("ann")
        told = server.ask(session=browser.session, url=at)
        equal((told.status, told.who), (200, (site.issuer, person)), "status and caller")
    with check(f"{name}: a token from the pages behind it counts at /mcp"):
        token = browser.authorize("mcp:tools", site.resource)["access_token"]
        told = server.ask(bearer=token, url=at)
        equal((told.status, told.who), (200, (site.issuer, person)), "status and caller")
    with check(f"{name}: nobody gets in without either"):
        told = server.ask(url=at)
        equal(told.status, 401, "status")
        described = f"{site.url}/.well-known/oauth-protected-resource/mcp"
        if not server.stub:
            contains(told.headers["WWW-Authenticate"], f'resource_metadata="{described}"', "the challenge")
        equal(server.ask(url=at, x_mcp_proxy_session_token="x").status, 401, "status with a proxy's token")
    with check(f"{name}: the metadata of the server and of the issuer name the origin"):
        if not server.stub:
            found = send(described).json
            equal((found["resource"], found["authorization_servers"]), (at, [site.issuer]), "resource and issuer")
        found = send(f"{site.url}/.well-known/oauth-authorization-server/o").json
        equal(found["issuer"], site.issuer, "issuer")
        for endpoint in ("authorization_endpoint", "token_endpoint", "registration_endpoint"):
            assert found[endpoint].startswith(f"{site.url}/o/"), f"{endpoint} is {found[endpoint]}"
    with check(f"{name}: nobody asks about sessions and tokens from outside"):
        for path in ("/rs/session/", "/rs/introspect/", "/rs/", "//rs/session/", "/o/../rs/session/", "/%72s/session/"):
            equal(post_form(site.url + path, {"session": browser.session}).status, 404, f"status of {path}")
    with check(f"{name}: a session that ended before anybody asked is none"):
        other = Browser(site).log_in("ann")
        ended = other.session
        other.log_out()
        equal(server.ask(session=ended, url=at).status, 401, "status")


def headers(name, url, mirror, path):
    """What arrives behind it, at a server that writes everything down."""
    sent = {
        "x-mcp-proxy-session-token": "forged",
        "X_Mcp_Proxy_Session_Token": "forged",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "https",
        "Authorization": "Bearer kept",
        "Cookie": "sessionid=kept",
        "Origin": "https://kept.example",
    }
    with check(f"{name}: a proxy's token from outside does not arrive, nor forged addresses"):
        equal(send(f"{url}{path}", "POST", "{}", sent).status, 200, "status")
        got = mirror.requests.pop()
        assert "forged" not in str(got), f"it arrived: {got}"
        equal((got["x-forwarded-for"], got["x-forwarded-proto"]), ("127.0.0.1", "http"), "the forwarded address")
    with check(f"{name}: and what counts does"):
        for header in ("authorization", "cookie", "origin"):
            contains(got[header], "kept", header)
        equal(got["host"], urllib.parse.urlsplit(url).netloc, "host")
    with check(f"{name}: nobody gets a WebSocket"):
        asked = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        asked["Sec-WebSocket-Key"] = "MTIzNDU2Nzg5MDEyMzQ1Ng=="
        equal(send(f"{url}{path}", "POST", "", asked).status, 200, "status")
        assert "upgrade" not in str(mirror.requests[-1]).lower(), f"it arrived: {mirror.requests[-1]}"
    with check(f"{name}: events arrive before the stream ends"):
        mirror.hold.clear()
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=5)
        connection.request("GET", f"{path}/events")
        first = connection.getresponse().read1()
        mirror.hold.set()
        connection.close()
        equal(first, b"data: first\n\n", "the first event")


class Mirror:
    """Answers everything, and keeps the headers; a GET is a stream of two events, the second when it is let go."""

    def __enter__(self):
        self.requests, self.hold, mirror = [], threading.Event(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                mirror.requests.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                self.wfile.write(b"data: first\n\n")
                self.wfile.flush()
                mirror.hold.wait(30)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
