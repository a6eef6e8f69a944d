"""The configuration of nginx in examples/django: one origin, in which /mcp is the MCP server's and the rest Django's."""

import contextlib
import http.client
import http.server
import threading
import urllib.parse

from checks import check, contains, equal, skip
from processes import free_port
from servers import Server
from services import Missing, Nginx
from website import EXAMPLE, Browser, Site, post_form, send

CONFIGURATION = (EXAMPLE / "nginx.conf").read_text()


def main(program):
    port = free_port()
    try:
        with check("nginx: the site does its part to the end"), contextlib.ExitStack() as stack:
            site = stack.enter_context(Site(SITE_URL=f"http://127.0.0.1:{port}"))
            server = stack.enter_context(Server(site, "introspection,session-delegated", program))
            try:
                stack.enter_context(Nginx(CONFIGURATION, port, site.port, server.port))
            except Missing as missing:
                skip("nginx", str(missing))
                return
            one_origin(site, server)
        with Mirror() as mirror, Nginx(CONFIGURATION, free_port(), mirror.port, mirror.port) as nginx:
            headers(f"http://127.0.0.1:{nginx.port}", mirror)
    except Missing as missing:
        skip("nginx", str(missing))


def one_origin(site, server):
    person, at = site.people("ann")["ann"], f"{site.url}/mcp"
    with check("nginx: people log in to Django, and their session counts at /mcp"):
        browser = Browser(site).log_in("ann")
        told = server.ask(session=browser.session, url=at)
        equal((told.status, told.who), (200, (site.issuer, person)), "status and caller")
    with check("nginx: a token from the pages behind it counts at /mcp"):
        token = browser.authorize("mcp:tools", site.resource)["access_token"]
        told = server.ask(bearer=token, url=at)
        equal((told.status, told.who), (200, (site.issuer, person)), "status and caller")
    with check("nginx: nobody gets in without either"):
        equal(server.ask(url=at).status, 401, "status")
        equal(server.ask(url=at, x_mcp_proxy_session_token="x").status, 401, "status with a proxy's token")
    with check("nginx: the issuer's metadata name the origin"):
        found = send(f"{site.url}/.well-known/oauth-authorization-server/o").json
        equal(found["issuer"], site.issuer, "issuer")
        for name in ("authorization_endpoint", "token_endpoint", "registration_endpoint"):
            assert found[name].startswith(f"{site.url}/o/"), f"{name} is {found[name]}"
    with check("nginx: nobody asks about sessions and tokens from outside"):
        for path in ("/rs/session/", "/rs/introspect/", "/rs/", "//rs/session/", "/o/../rs/session/", "/%72s/session/"):
            equal(post_form(site.url + path, {"session": browser.session}).status, 404, f"status of {path}")


def headers(url, mirror):
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
    with check("nginx: a proxy's token from outside does not arrive, nor forged addresses"):
        equal(send(f"{url}/mcp", "POST", "{}", sent).status, 200, "status")
        got = mirror.requests.pop()
        assert "forged" not in str(got), f"it arrived: {got}"
        equal((got["x-forwarded-for"], got["x-forwarded-proto"]), ("127.0.0.1", "http"), "the forwarded address")
    with check("nginx: and what counts does"):
        for name in ("authorization", "cookie", "origin"):
            contains(got[name], "kept", name)
        equal(got["host"], urllib.parse.urlsplit(url).netloc, "host")
    with check("nginx: events arrive before the stream ends"):
        mirror.hold.clear()
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=5)
        connection.request("GET", "/mcp/events")
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
