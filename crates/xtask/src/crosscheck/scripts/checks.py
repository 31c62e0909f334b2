"""What the checks have in common: where the server is, how they are run and how they are told.

A script prints `plan N`, and then for each of its N checks `ok NAME` or `FAIL NAME: REASON`. Whoever
reads that can tell a script that ended early from one whose checks all passed.
"""

import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

MIB = 1024 * 1024

# Seconds that a check may take.
LIMIT = 90

TARGET = json.loads(os.environ["CROSSCHECK_TARGET"])
ENDPOINT = TARGET.get("s3")
ACCESS_KEY = TARGET["access_key"]
SECRET_KEY = TARGET["secret_key"]
REGION = "us-east-1"

_CHECKS = []
_NUMBERS = itertools.count(1)


def check(function):
    """Makes a function a check. It gets what the script's `prepare` makes for each."""
    _CHECKS.append(function)
    return function


def bucket_name():
    """A name that no other bucket has."""
    return f"crosscheck-{os.getpid()}-{next(_NUMBERS)}"


def equal(actual, expected, what="value"):
    """Fails unless both are equal. Long values are cut."""
    if actual != expected:
        raise AssertionError(f"{what}: {_short(actual)} instead of {_short(expected)}")


def that(condition, what):
    """Fails with `what` unless the condition holds."""
    if not condition:
        raise AssertionError(what)


def _short(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:150]}... ({len(text)} characters)"


def pattern(length, seed=0):
    """Bytes that differ from block to block, so that swapped or repeated blocks are noticed."""
    blocks = (
        hashlib.sha256(f"{seed} {n}".encode()).digest() * 128 for n in range(length // 4096 + 1)
    )
    return b"".join(blocks)[:length]


def md5(data):
    return hashlib.md5(data).hexdigest()


class CommandFailed(AssertionError):
    """A program ended with an error."""


def command(arguments, *, env, stdin=None, succeeds=True):
    """Runs a program and returns what it printed to its standard output, as bytes."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        env=env,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    if (done.returncode == 0) != succeeds:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise CommandFailed(f"ended with {done.returncode}: {' | '.join(said[-4:])[:600]}")
    return done.stdout


def program(name):
    """The path of a program that is installed beside the interpreter."""
    return os.path.join(os.path.dirname(sys.executable), name)


class Folder:
    """A temporary directory with helpers to fill and to read it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="crosscheck-")

    def file(self, name, content=b""):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as file:
            return file.read()

    def tree(self, name=""):
        """Relative names and contents of all files below a directory."""
        top = os.path.join(self.path, name)
        found = {}
        for directory, _, files in os.walk(top):
            for file in files:
                path = os.path.join(directory, file)
                with open(path, "rb") as content:
                    found[os.path.relpath(path, top)] = content.read()
        return found

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


def _too_long(_signal, _frame):
    raise TimeoutError(f"not done after {LIMIT} s")


def _reason(error):
    if isinstance(error, AssertionError) and str(error):
        text = str(error)
    else:
        where = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in where if os.path.dirname(__file__) in frame.filename]
        line = own[-1].lineno if own else "?"
        text = f"{type(error).__name__} in line {line}: {error}"
    return " ".join(text.split())[:700]


def main(prepare=lambda: (), finish=None, always=()):
    """Runs the checks, or those whose names contain one of the arguments.

    `finish` is run at the end if all of them are, what is in `always` in any case.
    """
    wanted = sys.argv[1:]
    chosen = [
        check
        for check in _CHECKS
        if not wanted or any(part in check.__name__ for part in wanted)
    ]
    endings = [finish] if finish and not wanted else []
    if chosen:
        endings.extend(always)
    print(f"plan {len(chosen) + len(endings)}", flush=True)
    signal.signal(signal.SIGALRM, _too_long)
    for function in [*chosen, *endings]:
        signal.alarm(LIMIT)
        try:
            function(*(() if function in endings else prepare()))
        except Exception as error:
            print(f"FAIL {function.__name__}: {_reason(error)}", flush=True)
        else:
            print(f"ok {function.__name__}", flush=True)
        finally:
            signal.alarm(0)
