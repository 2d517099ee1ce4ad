"""How a run ends when something goes wrong in it: a value that does not last, a host that is lost or silent, Ctrl-C."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remediate.engine.returned import standings
from remediate.model.journal import JournalLine
from remediate.model.plan import Action, unseal
from remediate.runs.folder import RunFolder
from remediate.shipped import playbooks_folder
from remediate.transports.ldap_write import DirectoryWriter
from remediate.transports.winrm_write import HostWriter
from tests.lab.change_window import DONE, UNTOUCHED, VALUE, ChangeWindow, in_process
from tests.lab.directory_functions import interrupt
from tests.lab.program import environment
from tests.lab.registry_file import number
from tests.lab.test_interrupt import CTRL_C, terminal
from tests.lab.windows_hosts import ca_key, policy_key
from tests.lab.winrm.faults import Drop, Sleep

pytestmark = pytest.mark.matrix
CONNECTOR = True

DEADLINE = 10
LATE = 1.3 * DEADLINE
"""When a silent host carries out after all what it was sent; nobody waits for it any more."""
SLOW = 3.0


def action(window: ChangeWindow, kind: str) -> int:
    """The number of the action of a kind."""
    (found,) = [one.id for one in window.plan.actions if one.kind == kind]
    return found


def when(patch: pytest.MonkeyPatch, event: str, then: Callable[[], object]) -> dict[str, float]:
    """Do something when a line stands in the journal; returns when each line came to stand there."""
    append, times = RunFolder.append, dict[str, float]()

    def appended(run: RunFolder, *written: JournalLine) -> None:
        append(run, *written)
        for line in written:
            times[f"{line.action} {line.event}"] = time.monotonic()
            if f"{line.action} {line.event}" == event:
                then()

    patch.setattr(RunFolder, "append", appended)
    return times


def test_written_and_the_problem_is_still_there(window: ChangeWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Group Policy, say, puts the value back after it was written and read back."""
    ca = window.lab.ca
    value = action(window, "ca_registry_value")
    when(monkeypatch, f"{value} done", lambda: ca.registry.set(ca_key(), VALUE, number(0)))
    ended = window.apply()
    assert ended.code == 5, ended
    told = " ".join(ended.out.split())
    assert "not as wanted" in told
    assert "still found" in told
    assert f"{VALUE}" in told
    lines = window.run().whole_journal().lines
    assert (lines[-1].event, lines[-1].detail) == ("closed", "5")
    assert window.stands() == DONE._replace(value=0)


@pytest.mark.parametrize("fault", ["lost", "silent"])
def test_a_host_that_is_gone_leaves_the_others_working(
    window: ChangeWindow, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    ca, value = window.lab.ca, action(window, "ca_registry_value")
    wrong = Drop("Command", at=0) if fault == "lost" else Sleep("Command", LATE)
    times = when(monkeypatch, f"{value} begin", lambda: ca.fail(wrong))
    ended = window.apply("--timeout", str(DEADLINE))
    assert ended.code == 4, ended
    states = {one.action.kind: one.state for one in standings(window.plan, window.run().whole_journal().lines)}
    assert states == {
        "template": "done", "defender_exclusions": "done", "ca_registry_value": "unresolved", "restart_service": "open",
    }  # fmt: skip
    assert times[f"{value} unresolved"] - times[f"{value} begin"] <= DEADLINE * 1.1
    ca.fail()
    time.sleep(max(0.0, times[f"{value} begin"] + LATE + 1 - time.monotonic()))
    monkeypatch.undo()
    again = window.apply("--go-on")
    assert again.code == 0, again
    assert window.stands() == DONE
    assert "done" in [line.event for line in window.run().journal().lines if line.action == value]


# --- broken off, and never gone on with ---------------------------------------------------------------------------


class Broken(BaseException):
    """The program ends here, as by SIGKILL: nothing of it may catch this."""


def broken_off(window: ChangeWindow, patch: pytest.MonkeyPatch, *, at: str) -> None:
    """Apply it, and end it as soon as a line stands in the journal."""

    def ends() -> None:
        raise Broken

    with patch.context() as cut:
        when(cut, at, ends)
        with pytest.raises(Broken):
            window.apply()
    window.lock.unlink(missing_ok=True)


def undone(window: ChangeWindow, *more: str) -> Path:
    """The plan that undoes the one run."""
    back = window.folder / "back.json"
    made = in_process("rollback", window.run().name, "--runs", str(window.runs), "--out", str(back), *more)
    assert made.code == 2, made
    return back


@pytest.mark.parametrize("which", ["template", "ca_registry_value"])
def test_a_rollback_takes_back_what_was_written_and_never_answered(
    window: ChangeWindow, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """Written, and the program died before it could write that down: nothing of it stands after the rollback."""
    number_ = action(window, which)
    writer = DirectoryWriter if which == "template" else HostWriter
    write = writer.write

    def dies(self: Any, one: Action, **tables: Any) -> str:
        told: str = write(self, one, **tables)
        if one.id == number_:
            raise Broken
        return told

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write", dies)
        with pytest.raises(Broken):
            window.apply()
    window.lock.unlink(missing_ok=True)
    states = {one.action.id: one.state for one in standings(window.plan, window.run().whole_journal().lines)}
    assert states[number_] == "unresolved"
    ended = window.apply(file=undone(window))
    assert ended.code == 0, ended
    found = window.stands()
    assert (found.flag, found.value) == (UNTOUCHED.flag, UNTOUCHED.value)
    assert found.restarts == (0 if which == "template" else 1)


def test_a_rollback_writes_nothing_where_nothing_was_written(
    window: ChangeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun, and nothing sent, so the template is at its old revision: that is what the rollback wants."""
    broken_off(window, monkeypatch, at="1 begin")
    back = undone(window)
    made = unseal(back.read_bytes(), where=back.name)[0]
    assert any(note.startswith("It is not known whether the run wrote ") for note in made.notes)
    ended = window.apply(file=back)
    assert ended.code == 0, ended
    assert window.stands() == UNTOUCHED
    assert "stand as before run" in " ".join(ended.out.split())


def test_a_restart_that_is_owed_is_told_and_a_rollback_makes_up_for_it(
    window: ChangeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The value is written, the CA goes on with the old one, and no fact shows it."""
    broken_off(window, monkeypatch, at=f"{action(window, 'ca_registry_value')} done")
    name, where = window.run().name, ["--runs", str(window.runs)]
    command = "Restart-Service -Name CertSvc"
    for told in (in_process("runs", *where), in_process("runs", name, *where)):
        assert (told.code, command in " ".join(told.out.split())) == (0, True)
    verified = in_process("verify", name, *where, "--trust", str(window.lab.trust))
    assert (verified.code, command in " ".join(verified.out.split())) == (1, True), verified
    assert window.stands().restarts == 0
    ended = window.apply(file=undone(window))
    assert ended.code == 0, ended
    assert (window.stands().value, window.stands().restarts) == (0, 1)
    told = in_process("runs", name, *where)
    assert command not in told.out and "rolled back by run" in " ".join(told.out.split())


def test_a_playbook_of_ones_own_is_verified_where_its_folder_is_named(window: ChangeWindow) -> None:
    own, lab = window.folder / "own", window.lab
    own.mkdir()
    (own / "our_pending.py").write_bytes((playbooks_folder() / "submission_pending.py").read_bytes())
    lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101))
    try:
        plan, where = (
            window.folder / "own.json",
            ["--dc", lab.dc, "--trust", str(lab.trust), "--template", "IntunePKCS"],
        )
        made = in_process("plan", "our_pending", "--playbooks", str(own), *where, "--out", str(plan))
        assert made.code == 2, made
        ended = window.apply("--playbooks", str(own), file=plan)
        assert (ended.code, "none of the problems that it mends is found any more" in ended.out) == (0, True), ended
        verify = ["verify", str(plan), "--runs", str(window.runs), "--trust", str(lab.trust)]
        unknown = in_process(*verify)
        assert (unknown.code, "--playbooks DIR" in " ".join(unknown.out.split())) == (1, True), unknown
        known = in_process(*verify, "--playbooks", str(own))
        assert known.code == 0, known
    finally:
        lab.ca.registry.set(policy_key(), "RequestDisposition", number(1))


# --- Ctrl-C -------------------------------------------------------------------------------------------------------


def test_it_stops_between_actions_and_the_second_time_says_what_is_unresolved(
    window: ChangeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    modifying = threading.Event()

    def slow() -> None:
        modifying.set()
        time.sleep(SLOW)

    interrupt(monkeypatch, window.lab, "modify", slow)
    with terminal(window.folder, *window.arguments(), variables=with_ticket()) as opened:
        while not modifying.wait(0.2):
            assert opened.process.poll() is None
        opened.press(CTRL_C)
        opened.wait_for("it stops when this action has ended")
        opened.press(CTRL_C)
        opened.wait_for("unresolved until it has ended: 1. ")
        assert opened.exit_code(30.0) == 4, opened.text
        assert "Traceback" not in opened.text
    assert window.events() == ["1 begin", "1 done"]
    assert window.stands() == UNTOUCHED._replace(flag="1", raised=1, directory_writes=1)
    monkeypatch.undo()
    writes = window.lab.relay.writes
    assert window.apply("--go-on").code == 0
    assert window.stands() == DONE._replace(directory_writes=0), writes


def test_before_anything_is_written_it_is_130(window: ChangeWindow) -> None:
    window.lab.ca.fail(Sleep("Create", SLOW))
    with terminal(window.folder, *window.arguments(), variables=with_ticket()) as opened:
        while not window.lab.relay.searches:
            assert opened.process.poll() is None
            time.sleep(0.1)
        opened.press(CTRL_C)
        assert opened.exit_code(30.0) == 130, opened.text
        assert "interrupted. Nothing was changed." in " ".join(opened.text.split())
    assert window.stands() == UNTOUCHED
    assert list(window.runs.glob("*/journal.jsonl")) == []


def with_ticket() -> dict[str, str]:
    return environment() | {"KRB5CCNAME": os.environ["KRB5CCNAME"]}
