"""Relay sessions that people lend, for as long as what they were lent from lasts. No page is needed for this."""

import functools
import json
import time

from checks import check, equal
from servers import JSON, META, VERSION
from website import PASSWORD, Browser, send

# Seconds until a relay session has ended, at most.
DELAY = 30
ECHO = {
    "name": "echo",
    "arguments": {"message": "hello"},
    "_meta": {META + "protocolVersion": VERSION, META + "clientCapabilities": {}},
}


def main(site):
    browsers, relays = {}, {}
    acts = {
        "leaves": ("log-out", lambda: browsers["leaves"].log_out()),
        "changes": ("change of password", lambda: Browser(site).log_in("changes").change_password(PASSWORD, PASSWORD + "!")),
        "goes": ("deactivation", lambda: site.deactivate("goes")),
        "loses": ("revocation of the session, by an administrator", lambda: site.end(browsers["loses"].session)),
    }
    with check("people lend relay sessions, and who has one calls as its person"):
        people = site.people("stays", *acts)
        for name in people:
            browsers[name] = Browser(site).log_in(name)
            relays[name] = lend(site, browsers[name])
        for name, subject in people.items():
            equal(called(site, relays[name]), (200, subject), f"status and subject of who {name}")
    for name, (what, act) in acts.items():
        with check(f"401 within {DELAY} s after a {what}"):
            act()
            equal(until_refused(functools.partial(called, site, relays[name])), 401, "status")
    with check("nothing has ended for who did nothing, and what has ended stays so"):
        equal(called(site, relays["stays"]), (200, people["stays"]), "status and subject")
        for name in acts:
            equal(called(site, relays[name])[0], 401, f"status of who {name}")


def lend(site, browser):
    """As a page of the site asks for it."""
    page = {"Origin": site.url, "Content-Type": "application/json", "Cookie": f"sessionid={browser.session}"}
    answer = send(f"{site.url}/mcp/relay", "POST", headers=page)
    equal(answer.status, 200, "status of the relay session")
    return answer.json["token"]


def called(site, relay):
    """What a relay is told: the status, and as whom it called."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ECHO}
    headers = JSON | {"Mcp-Name": "echo", "X-Mcp-Proxy-Session-Token": relay}
    answer = send(f"{site.url}/mcp", "POST", json.dumps(request), headers)
    if answer.status != 200:
        return answer.status, None
    told = answer.text
    if answer.headers.get_content_type() == "text/event-stream":
        told = [line for line in told.splitlines() if line.startswith("data:")][-1].removeprefix("data:")
    told = json.loads(told)["result"]["structuredContent"]
    equal(told["scheme"], "Proxy", "how the caller is known")
    return 200, told["subject"]


def until_refused(call):
    """The status as soon as it is not 200, or when the time is over."""
    end = time.monotonic() + DELAY
    while (status := call()[0]) == 200 and time.monotonic() < end:
        time.sleep(0.5)
    return status
