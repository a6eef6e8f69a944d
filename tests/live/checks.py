"""What every Python part shares: one line for each check, and an exit status at the end."""

import contextlib
import json
import logging
import sys
import traceback

_failed = 0


@contextlib.contextmanager
def check(what):
    """Runs the block; a failed assertion or any exception in it is this check's failure, nobody else's."""
    global _failed
    try:
        yield
    except AssertionError as failure:
        _failed += 1
        print(f"not ok - {what}: {failure}", flush=True)
    except Exception as failure:
        _failed += 1
        print(f"not ok - {what}: {type(failure).__name__}: {failure}", flush=True)
        traceback.print_exc()
    else:
        print(f"ok - {what}", flush=True)


def skip(what, why):
    print(f"skip - {what}: {why}", flush=True)


def equal(actual, expected, what="value"):
    assert actual == expected, f"{what} is {shown(actual)}, expected {shown(expected)}"


def contains(text, part, what="text"):
    assert part in text, f"{what} is {shown(text)}, expected it to contain {shown(part)}"


def shown(value):
    """A value as one short line."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 600 else f"{text[:600]}…"


class Complaints(logging.Handler):
    """The texts of what a package warns of, a session that it could not end for one."""

    def __init__(self, package):
        super().__init__(logging.WARNING)
        self.texts = []
        logging.getLogger(package).addHandler(self)

    def emit(self, record):
        self.texts.append(record.getMessage())


def finish():
    sys.exit(1 if _failed else 0)
