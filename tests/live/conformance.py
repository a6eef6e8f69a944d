"""The official conformance suite at 2026-07-28, the scenarios on tools, discovery and headers, against
the `everything` example.

tests/live/part conformance URL [SCENARIO...]
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import checks

SUITE = "npm/node_modules/@modelcontextprotocol/conformance/dist/index.js"
EXPECTED = pathlib.Path(__file__).with_name("conformance-expected.yml")
VERSION = "2026-07-28"
SCENARIOS = [
    "server-stateless",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
    "tools-call-with-progress",
    "json-schema-2020-12",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
    "http-header-validation",
    "http-custom-header-server-validation",
]


def run(url, scenario, expected):
    cache = pathlib.Path(os.environ["LIVE_CACHE"])
    folder = cache / "conformance" / scenario
    shutil.rmtree(folder, ignore_errors=True)
    command = ["node", cache / SUITE, "server", "--url", url, "--scenario", scenario, "--spec-version", VERSION]
    command += ["--expected-failures", EXPECTED, "--timeout", "20000", "-o", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, stdin=subprocess.DEVNULL)

    found = [item for file in folder.glob("*/checks.json") for item in json.loads(file.read_text())]
    good = unexpected = 0
    for item in found:
        status, name = item["status"], f"{scenario}: {item['id']}"
        if status in ("FAILURE", "WARNING"):
            if expected & {scenario, f"{scenario}:{item['id']}"}:
                checks.skip(name, f"expected to fail, see {EXPECTED.name}")
                continue
            unexpected += 1
        elif status == "SKIPPED":
            checks.skip(name, "the suite skips it for this server")
            continue
        elif status != "SUCCESS":
            continue  # INFO: the scenario has nothing to say
        good += status == "SUCCESS"
        with checks.check(name):
            problem = f"{item.get('errorMessage')} {checks.shown(item.get('details'))}"
            assert status == "SUCCESS", f"{status}: {item['description']}: {problem}"

    # The suite has the last word: a stale expectation is a failure that no single check shows.
    if not unexpected:
        output = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr).strip()
        with checks.check(f"{scenario}: the suite accepts the run"):
            assert done.returncode == 0, f"exit status {done.returncode}: {output[-1500:]}"
            assert good, f"it checked nothing: {output[-1500:]}"


def main(url, scenarios):
    expected = set(re.findall(r"^\s*-\s*([^\s#]+)", EXPECTED.read_text(), re.MULTILINE))
    for scenario in scenarios or SCENARIOS:
        try:
            run(url, scenario, expected)
        except Exception as failure:
            with checks.check(f"{scenario}: runs to its end"):
                raise failure


main(sys.argv[1], sys.argv[2:])
checks.finish()
