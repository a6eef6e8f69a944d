"""The official conformance suite, whole, against the `everything` example: its current version on the modern
wire, on the legacy wire and as the frozen requirements of both revisions, and the version before it.

tests/live/part conformance URL [SCENARIO...]      with scenarios: only these, at each revision that they are of
"""

import collections
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import checks
from raw import LEGACY, MODERN

EXPECTED = pathlib.Path(__file__).with_name("conformance-expected.yml")
REVISIONS = (LEGACY[0], MODERN)
CURRENT = ("0.2", "@modelcontextprotocol/conformance", ["--timeout", "20000"])
BEFORE = ("0.1", "conformance-0.1", [])
ALL = ["--suite", "all"]
RUNS = [
    # Suite, package, options; what is run; at least so many checks that succeed. A suite that checks less than it
    # did is as bad as one that fails. The longest runs come first.
    (*CURRENT, ALL, 234),
    (*CURRENT, ["--requirements", MODERN], 197),
    (*CURRENT, [*ALL, "--spec-version", MODERN], 153),
    (*CURRENT, [*ALL, "--spec-version", LEGACY[0]], 84),
    (*CURRENT, ["--requirements", LEGACY[0]], 84),
    (*BEFORE, ALL, 47),
]


def program(package, *arguments, seconds=20):
    script = pathlib.Path(os.environ["LIVE_CACHE"], "npm/node_modules", package, "dist/index.js")
    command = ["node", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL)


@functools.cache
def listed(package):
    """The suite's scenarios, each with the revisions that it is for; extensions have none."""
    found = re.findall(r"^\s+- (\S+) \[(.+)\]$", program(package, "list", "--server").stdout, re.MULTILINE)
    return {name: [] if revisions == "extension" else revisions.split(",") for name, revisions in found}


def chosen_runs(scenarios):
    for suite, package, options in (CURRENT, BEFORE):
        for scenario in scenarios:
            revisions = listed(package).get(scenario)
            if revisions == []:
                yield suite, package, options, ["--scenario", scenario], 0
            for revision in REVISIONS:
                if revision in (revisions or []):
                    yield suite, package, options, ["--scenario", scenario, "--spec-version", revision], 0


def run(url, suite, package, options, what, _):
    """What the suite found, by scenario, and how it ended."""
    folder = pathlib.Path(os.environ["LIVE_CACHE"], "conformance", "-".join([suite, *what]).replace("--", ""))
    shutil.rmtree(folder, ignore_errors=True)
    arguments = ["server", "--url", url, *what, "--expected-failures", EXPECTED, "-o", folder, *options]
    done = program(package, *arguments, seconds=120)
    found = collections.defaultdict(list)
    for file in sorted(folder.glob("*/checks.json")):
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)
        found[scenario] += json.loads(file.read_text())
    return found, done


def judge(name, expected, found, done, floor):
    good = unexpected = 0
    for scenario, items in found.items():
        skipped = [item for item in items if item["status"] == "SKIPPED"]
        # An extension that is not declared is one fact, not one for each of its checks.
        if len(skipped) > 1 and scenario.startswith("sep-2640-skills-"):
            checks.skip(f"{name}: {scenario}, {len(skipped)} checks", skipped[0].get("errorMessage"))
            skipped = []
        for item in skipped:
            checks.skip(f"{name}: {scenario}: {item['id']}", item.get("errorMessage") or "the suite skips it")
        for item in items:
            status, what = item["status"], f"{name}: {scenario}: {item['id']}"
            if status not in ("SUCCESS", "FAILURE", "WARNING"):
                continue  # INFO: the scenario has nothing to say
            if status != "SUCCESS" and expected & {scenario, f"{scenario}:{item['id']}"}:
                checks.skip(what, f"expected to fail, see {EXPECTED.name}")
                continue
            good += status == "SUCCESS"
            unexpected += status != "SUCCESS"
            with checks.check(what):
                problem = f"{item.get('errorMessage')} {checks.shown(item.get('details'))}"
                assert status == "SUCCESS", f"{status}: {item['description']}: {problem}"

    # The suite has the last word: a stale expectation is a failure that no single check shows.
    output = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr).strip()
    with checks.check(f"{name}: the suite accepts the run"):
        assert unexpected or done.returncode == 0, f"exit status {done.returncode}: {output[-1500:]}"
        assert good, f"it checked nothing: {output[-1500:]}"
        assert unexpected or good >= floor, f"{good} checks succeeded, and there were {floor}"


def main(url, chosen):
    expected = set(re.findall(r"^\s*-\s*([^\s#]+)", EXPECTED.read_text(), re.MULTILINE))
    unknown = [name for name in chosen if name not in listed(CURRENT[1])]
    if unknown:
        sys.exit(f"the suite has no scenarios called {', '.join(unknown)}")
    runs = list(chosen_runs(chosen)) if chosen else RUNS
    # Most of a run is waiting, so two go on at once; more would shake the scenarios that measure time.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = [pool.submit(run, url, *choice) for choice in runs]
        for (suite, _, _, what, floor), result in zip(runs, results):
            name = f"{suite} {' '.join(what).replace('--', '')}"
            try:
                found, done = result.result()
            except Exception as failure:
                with checks.check(f"{name}: runs to its end"):
                    raise failure
            else:
                judge(name, expected, found, done, floor)


main(sys.argv[1], sys.argv[2:])
checks.finish()
