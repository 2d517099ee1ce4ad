"""What a run keeps of what it sends: to the letter what hosts and directory received, and there before it was sent."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from remediate.render.as_sent import call_text, modify_text
from remediate.runs.folder import RunFolder
from remediate.runs.sent import host_file
from tests.lab.change_window import DONE, ChangeWindow, in_process
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.ldap_messages import changes_of
from tests.lab.program import remediate
from tests.lab.winrm.psrp import Asked

CONNECTOR = True

TIME = re.compile(r"^# \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ.*\n", re.MULTILINE)
FULL = (72, 84, 92)
"""KiB of a disk on which a run's plan and journal begin, and which is full at one thing or another that is to be sent:
the functions take 52 of them, and each small file 4."""


def kept(run: RunFolder, name: str) -> list[str]:
    """The parts of a file of what was sent, without their times."""
    text = (run.path / "sent" / name).read_bytes().decode("ascii").replace("\r\n", "\n")
    return TIME.split(text)[1:]


def expected(run: RunFolder, sessions: list[list[Asked]]) -> list[str]:
    """What must have been kept of what a host was asked for; a session that only collects is not a run's."""
    return [
        functions(run, one.text) if one.is_script else as_kept(one)
        for session in sessions
        if session and session[0].text.startswith("Set-StrictMode")
        for one in session
    ]


def functions(run: RunFolder, text: str) -> str:
    """The line that stands for functions, if their file has that very text."""
    (found,) = [path for path in (run.path / "sent").glob("functions-*") if path.read_bytes() == text.encode()]
    return f'. "$PSScriptRoot/{found.name}"\n'


def as_kept(one: Asked) -> str:
    """A command as text, without its time."""
    return TIME.sub("", call_text(one.text, one.parameters, "2026-11-23T10:00:00Z").replace("\r\n", "\n"))


def assert_kept(run: RunFolder, lab: Lab, hosts: dict[LabHost, list[list[Asked]]]) -> None:
    """Everything that arrived was kept as it arrived, and nothing else was."""
    for host, sessions in hosts.items():
        assert kept(run, host_file(host.fqdn)) == expected(run, sessions)
    modifies = [
        modify_text(one.target, changes_of(one), controller="", dacl_only=False, at="2026-11-23T10:00:00Z")
        for one in lab.relay.writes
    ]
    assert kept(run, "directory.ldif") == [TIME.sub("", text) for text in modifies]


def test_what_was_kept_is_what_was_received_by_apply_and_by_rollback(window: ChangeWindow) -> None:
    lab = window.lab
    with ExitStack() as stack:
        heard = {host: stack.enter_context(host.listening()) for host in (lab.ca, lab.connector)}
        assert window.apply().code == 0
        first = {host: asked() for host, asked in heard.items()}
        run = window.run()
        assert_kept(run, lab, first)
        texts = [one.text for sessions in first.values() for session in sessions for one in session]
        assert {"Set-CaRegistryValue", "Restart-CertSvc", "Add-DefenderExclusion", "Lock-Host"} <= set(texts)

        lab.relay.clear()
        back = window.folder / "back.json"
        rollback = in_process("rollback", run.name, "--out", str(back), "--runs", str(window.runs))
        assert rollback.code == 2, rollback
        assert in_process(*window.arguments(file=back)).code == 0
        (second,) = [RunFolder(path) for path in window.runs.glob("2*") if path.name != run.name]
        sessions = {host: asked()[len(first[host]) :] for host, asked in heard.items()}
        assert_kept(second, lab, sessions)


def test_runs_tells_of_it_and_of_what_was_changed_in_it(window: ChangeWindow) -> None:
    assert window.apply().code == 0
    run = window.run()
    arguments = ("runs", run.name, "--runs", str(window.runs))
    told = in_process(*arguments)
    assert (told.code, "sent/ca01.contoso.test.ps1" in told.out, "sent/directory.ldif" in told.out) == (0, True, True)
    document = json.loads(remediate(*arguments, "--json").out)["runs"][0]
    for one in document["sent"]:
        path = run.path / one["file"]
        assert (path.stat().st_size, path.stat().st_mode & 0o077) == (one["size"], 0)
    ldif = run.path / "sent" / "directory.ldif"
    ldif.write_bytes(ldif.read_bytes().replace(b"\n-", b"\n -", 1))
    told = in_process(*arguments)
    assert (told.code, "sent/directory.ldif was changed after it was sent" in told.out) == (1, True)


@contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[None]:
    """A folder that is a disk of its own, of that size, within the block; afterwards it has room."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True)


@pytest.mark.matrix
def test_a_full_disk_stops_the_run_before_anything_is_sent_that_is_not_kept(planned: ChangeWindow) -> None:
    lab, endings = planned.lab, list[tuple[int, bool]]()
    for size in FULL:
        planned.estate.change_defender(exclude=[r"C:\Data"])
        window = planned.again(f"full {size}")
        with ExitStack() as stack:
            heard = stack.enter_context(lab.ca.listening())
            with small_disk(window.runs, size):
                ended = window.apply()
            endings.append((ended.code, "No space left on device" in ended.err))
            if ended.code != 0 and (found := list(window.runs.glob("2*/sent/*"))):
                asked = [one.text for session in heard() for one in session if not one.is_script]
                writes = {name for name in asked if name.startswith(("Set-", "Restart-"))}
                text = "".join(path.read_text() for path in found)
                assert all(f"\n{name} " in text for name in writes)
        if ended.code != 0:
            again = window.apply("--go-on")
            assert again.code == 0, again
        assert window.stands()._replace(restarts=1) == DONE
        subprocess.run(["umount", str(window.runs)], check=True)
    assert endings[0] == (1, True)  # nothing was written yet
    assert set(endings) <= {(1, True), (4, True), (0, False)}
