"""A password that was used stands nowhere afterwards: in no file, log line, message, exception, or list of processes.

Each verb that connects or writes runs as a process of its own, with every logger of every library at its most talkative
and every exception that a library raises written down whole, before it becomes one of ours.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from remediate.model.plan import digest, unseal
from remediate.runs.sent import SENT
from tests.lab.change_window import DONE, ChangeWindow
from tests.lab.contoso import ADMIN
from tests.lab.program import WRONG, environment
from tests.lab.winrm.faults import Clear, Drop, Failure, Rewrite

pytestmark = pytest.mark.timeout(600)

TALKATIVE = """
import logging, sys, threading, traceback
logging.basicConfig(level=logging.DEBUG, filename=sys.argv.pop(1))
from remediate.transports import failures
chain = failures._chain
def told(error):
    for one in chain(error):
        logging.debug("exception %r %s %s", one, vars(one), "".join(traceback.format_exception(one)))
    return chain(error)
failures._chain = told
threading.excepthook = lambda raised: logging.debug("in a thread: %r", raised.exc_value)
from remediate.cli.main import program
program(sys.argv[1:])
"""


@pytest.fixture
def window(planned: ChangeWindow, request: pytest.FixtureRequest) -> ChangeWindow:
    return planned.again(request.node.name.partition("[")[0])


class Watched:
    """Runs the program as often as it takes, and keeps all that it shows and all that the list of processes shows."""

    def __init__(self, window: ChangeWindow, *, wrong: bool = False) -> None:
        self.window, self.password = window, WRONG if wrong else ADMIN.password
        self.shown, self.last, self.listed = b"", b"", set[bytes]()
        own = {name: str(window.folder / name) for name in ("HOME", "TMPDIR")}
        for folder in own.values():
            Path(folder).mkdir()
        self._variables = {**environment(wrong=wrong), **own, "COLUMNS": "120"}
        self._variables.pop("KRB5CCNAME", None)

    @property
    def log(self) -> Path:
        """Where all loggers write."""
        return self.window.folder / "debug.log"

    def run(self, *arguments: str, connecting: bool = True) -> int:
        """Run a verb to its end and return its exit code."""
        more = ["--user", ADMIN.upn, "--trust", str(self.window.lab.trust)] if connecting else []
        with subprocess.Popen(
            [sys.executable, "-c", TALKATIVE, str(self.log), *arguments, *more], env=self._variables,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.window.folder,
        ) as process:  # fmt: skip
            while process.poll() is None:
                self.listed |= processes()
                time.sleep(0.1)
            self.last = process.stdout.read() if process.stdout else b""
            self.shown += self.last
        return process.returncode

    def apply(self, file: Path, *more: str) -> int:
        """Apply a plan under its own digest."""
        approved = digest(unseal(file.read_bytes(), where=file.name)[0])
        return self.run("apply", str(file), "--approve", approved, "--runs", str(self.window.runs), *more)

    def files(self) -> dict[Path, bytes]:
        """Every file of the run, and every file on the hosts."""
        lab = self.window.lab
        folders = [self.window.folder, *(host.folder for host in (lab.ca, lab.connector))]
        paths = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in paths}

    def assert_nowhere(self) -> None:
        """Not one hit, in any form of the password."""
        files = self.files()
        assert any(str(self.log).encode() in line for line in self.listed)
        for form in forms(self.password):
            assert form not in self.shown
            assert [path for path, content in files.items() if form in content] == []
            assert [line for line in self.listed if form in line] == []


def processes() -> set[bytes]:
    """What the list of processes shows of each: command line and variables."""
    found = set()
    for file in [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]:
        try:
            found.add(file.read_bytes())
        except OSError:  # it has ended meanwhile
            continue
    return found


def forms(secret: str) -> list[bytes]:
    """A password as it could stand somewhere; Base64 of it also in the middle of something else that is encoded."""
    plain = [secret.encode(), secret.encode("utf-16-le"), json.dumps(secret)[1:-1].encode(), quote(secret).encode()]
    return [*plain, *(form for one in plain[:2] for form in encoded(one)), repr(secret.encode())[2:-1].encode()]


def encoded(secret: bytes) -> Iterator[bytes]:
    """What stays the same of a text's Base64, whatever stands before and after it."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + secret)
        yield text[-(-8 * shift // 6) : len(text) // 4 * 4 - 4]


def test_every_form_is_found_where_it_stands() -> None:
    for before in (b"", b"x", b"xy", b"xyz"):
        text = base64.b64encode(before + ADMIN.password.encode() + b"more")
        assert any(form in text for form in forms(ADMIN.password))
    assert not any(form in base64.b64encode(b"something else, long enough to compare") for form in forms(WRONG))


def test_a_password_that_is_right_stands_nowhere(window: ChangeWindow) -> None:
    """Everything from the facts to the way back, and scripts for somebody else."""
    lab, watched = window.lab, Watched(window)
    where = ["--dc", lab.dc, "--connector", lab.connector.fqdn]
    plan = ["--all", "--template", "IntunePKCS", "--out", "live.json", "--keep-facts", "facts"]
    assert watched.run("plan", *where, *plan) == 2, watched.last
    assert watched.run("collect", *where, "--out", "collected") == 0, watched.last
    assert watched.run("script", str(window.file), "--out", "scripts", connecting=False) == 0, watched.last
    assert watched.run("apply", str(window.file), "--check", "--runs", str(window.runs)) == 0, watched.last
    assert watched.apply(window.file) == 0, watched.last
    assert window.stands() == DONE
    run = window.run()
    assert watched.run("verify", run.name, "--runs", str(window.runs)) == 0, watched.last
    assert watched.run("runs", run.name, "--runs", str(window.runs), "--json", connecting=False) == 0, watched.last
    rollback = ["rollback", run.name, "--runs", str(window.runs), "--out", "back.json"]
    assert watched.run(*rollback, connecting=False) == 2, watched.last
    assert watched.apply(window.folder / "back.json") == 0, watched.last
    assert watched.run("verify", str(window.file)) == 2, watched.last
    kept = {path.name for path in watched.files() if path.parent.name == SENT}
    assert {"directory.ldif", "ca01.contoso.test.ps1"} <= kept
    talked = set(re.findall(r"^DEBUG:(\w+)", watched.log.read_text(errors="replace"), re.MULTILINE))
    assert talked & {"spnego", "urllib3", "keyring"}, talked
    watched.assert_nowhere()


@pytest.mark.parametrize("fault", ["lost", "in the clear", "no XML"])
def test_a_password_stands_in_no_exception_of_a_host_that_fails(planned: ChangeWindow, fault: str) -> None:
    window = planned.again(f"fault {fault}")
    faults: dict[str, Failure] = {
        "lost": Drop("Command", at=0),
        "in the clear": Clear("Receive", at=0),
        "no XML": Rewrite("Create", "<s:", "<x", at=0),
    }
    window.lab.ca.fail(faults[fault])
    watched = Watched(window)
    assert watched.apply(window.file, "--timeout", "15") == 1, watched.last
    assert b"exception " in watched.log.read_bytes()
    watched.assert_nowhere()


@pytest.mark.parametrize("verb", ["apply", "check", "verify", "plan"])
def test_a_password_that_is_wrong_stands_nowhere(planned: ChangeWindow, verb: str) -> None:
    window = planned.again(f"wrong {verb}")
    lab, watched = window.lab, Watched(window, wrong=True)
    runs = ["--runs", str(window.runs)]
    code = {
        "apply": lambda: watched.apply(window.file),
        "check": lambda: watched.run("apply", str(window.file), "--check", *runs),
        "verify": lambda: watched.run("verify", str(window.file)),
        "plan": lambda: watched.run("plan", "--all", "--dc", lab.dc, "--ca", lab.ca.fqdn, "--keep-facts", "facts"),
    }[verb]()
    assert code == 1, watched.shown
    assert b"Traceback" not in watched.shown
    assert b"exception " in watched.log.read_bytes()
    watched.assert_nowhere()
