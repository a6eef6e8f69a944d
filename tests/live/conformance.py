"""The official conformance suite, the scenarios on tools, discovery, sessions and headers, against the
`everything` example: its current version on the modern and on the legacy wire, the one before on the latter.

tests/live/part conformance URL [SCENARIO...]
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import checks

EXPECTED = pathlib.Path(__file__).with_name("conformance-expected.yml")
TOOLS = [
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
]
MODERN = ["server-stateless", "http-header-validation", "http-custom-header-server-validation", *TOOLS]
LEGACY = ["server-initialize", "ping", "logging-set-level", "tools-call-with-logging", *TOOLS]
# Left out, as long as the server does not have what they are about:
#   tools-call-sampling, tools-call-elicitation, elicitation-*, input-required-result-*
#                                              what a tool asks of the client
#   server-sse-polling                         streams that go on after a disconnect
#   resources-*, sep-2164-resource-not-found, prompts-*, completion-complete, caching (which reads a resource)
#   tasks-*, sep-2640-skills-*                 extensions
CURRENT = ("0.2", "@modelcontextprotocol/conformance", ["--timeout", "20000"])
BEFORE = ("0.1", "conformance-0.1", [])
SUITES = [
    # Name, package, options, revision, scenarios.
    (*CURRENT, "2026-07-28", MODERN),
    # Only this one knows that sessions end.
    (*CURRENT, "2025-11-25", ["server-session-lifecycle", *LEGACY]),
    (*BEFORE, "2025-11-25", LEGACY),
]


def run(url, suite, package, options, version, scenario):
    """What the suite found, and how it ended."""
    cache = pathlib.Path(os.environ["LIVE_CACHE"])
    folder = cache / "conformance" / f"{suite}-{version}-{scenario}"
    shutil.rmtree(folder, ignore_errors=True)
    program = cache / "npm/node_modules" / package / "dist/index.js"
    command = ["node", program, "server", "--url", url, "--scenario", scenario, "--spec-version", version]
    command += ["--expected-failures", EXPECTED, "-o", folder, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=45, stdin=subprocess.DEVNULL)
    found = [item for file in folder.glob("**/checks.json") for item in json.loads(file.read_text())]
    return found, done


def judge(name, scenario, expected, found, done):
    good = unexpected = 0
    for item in found:
        status, what = item["status"], f"{name}: {item['id']}"
        if status in ("FAILURE", "WARNING"):
            if expected & {scenario, f"{scenario}:{item['id']}"}:
                checks.skip(what, f"expected to fail, see {EXPECTED.name}")
                continue
            unexpected += 1
        elif status == "SKIPPED":
            checks.skip(what, "the suite skips it for this server")
            continue
        elif status != "SUCCESS":
            continue  # INFO: the scenario has nothing to say
        good += status == "SUCCESS"
        with checks.check(what):
            problem = f"{item.get('errorMessage')} {checks.shown(item.get('details'))}"
            assert status == "SUCCESS", f"{status}: {item['description']}: {problem}"

    # The suite has the last word: a stale expectation is a failure that no single check shows.
    if not unexpected:
        output = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr).strip()
        with checks.check(f"{name}: the suite accepts the run"):
            assert done.returncode == 0, f"exit status {done.returncode}: {output[-1500:]}"
            assert good, f"it checked nothing: {output[-1500:]}"


def main(url, chosen):
    expected = set(re.findall(r"^\s*-\s*([^\s#]+)", EXPECTED.read_text(), re.MULTILINE))
    runs = [
        (suite, package, options, version, scenario)
        for suite, package, options, version, scenarios in SUITES
        for scenario in scenarios
        if not chosen or scenario in chosen
    ]
    assert runs, f"no run has one of the scenarios {chosen}"
    # Most of a run is the start of its program, so several go on at once.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = [pool.submit(run, url, *choice) for choice in runs]
        for (suite, _, _, version, scenario), result in zip(runs, results):
            name = f"{suite} at {version}: {scenario}"
            try:
                judge(name, scenario, expected, *result.result())
            except Exception as failure:
                with checks.check(f"{name}: runs to its end"):
                    raise failure


main(sys.argv[1], sys.argv[2:])
checks.finish()
