"""What a script asks before it writes: nothing with -WhatIf, nobody where nobody is; a No holds for what needs it."""

from __future__ import annotations

import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from tests.powershell import handover
from tests.powershell.engine import MODULES, Ended, Engine
from tests.powershell.handover import Desk, ended
from tests.powershell.test_handover_cycle import ALL, CA, lay_out, written
from tests.powershell.test_script_text import PWSH

TOLD = (
    "1. ca_registry_value here; RequestDisposition 0x101 -> 0x1",
    "2. ca_registry_value here; UseDefinedCACertInRequest absent -> 0x1",
    "3. restart_service here; no certificates while it restarts",
    "4. pending_request here; Disposition pending -> absent",
    f"5. policy_server here; Url absent -> {handover.URL}",
    f"6. defender_exclusions here; {handover.FOLDERS[0]} absent -> excluded; {handover.FOLDERS[1]} absent -> excluded",
)
UNDONE = (
    f"6. undo: defender_exclusions here; {handover.FOLDERS[0]} excluded -> absent; {handover.FOLDERS[1]} excluded -> ",
    f"5. undo: policy_server here; Url {handover.URL} -> absent",
    "2. undo: ca_registry_value here; UseDefinedCACertInRequest 0x1 -> absent",
    "1. undo: ca_registry_value here; RequestDisposition 0x1 -> 0x101",
    "3. restart_service here; no certificates while it restarts",
)
ANSWERS = Path(__file__).with_name("answers.ps1")


def told(done: Ended) -> list[str]:
    return [line.removeprefix("What if: ") for line in done.text.splitlines() if line.startswith("What if: ")]


def test_whatif_names_each_write_and_writes_nothing(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *ALL)
    before = written(desk.host)
    asked = desk.run("change", "-WhatIf")
    assert (asked.code, tuple(told(asked))) == (2, TOLD)
    assert "Nothing was changed." in asked.text
    assert (written(desk.host), desk.records()) == (before, {})
    assert desk.change().code == 0
    before, records = written(desk.host), desk.records()
    asked = desk.run("change", "-WhatIf")
    assert (asked.code, told(asked)) == (0, [])
    asked = desk.run("rollback", "-WhatIf")
    assert asked.code == 2
    assert [line.startswith(want) for line, want in zip(told(asked), UNDONE, strict=True)] == [True] * len(UNDONE)
    assert (written(desk.host), desk.records()) == (before, records)


@pytest.mark.parametrize("name", ["change", "rollback"])
def test_nobody_to_answer_is_said_at_once(tmp_path: Path, engine: Engine, name: str) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    if name == "rollback":
        desk.change()
    before = written(desk.host)
    done = desk.run(name)
    assert done.code == 3
    assert "nobody can answer here" in done.text and "-Confirm:$false" in done.text
    assert written(desk.host) == before


def test_noninteractive_at_a_console_is_nobody_too(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    before = written(desk.host)
    done = at_a_console(desk, "change", options=("-NonInteractive",))
    assert done.code == 3
    assert "nobody can answer here" in done.text
    assert written(desk.host) == before


def at_a_console(desk: Desk, name: str, **more: object) -> Ended:
    """A script whose input is a terminal, and whose questions `answers.ps1` answers."""
    ours, theirs = pty.openpty()
    try:
        return ended(desk.start(name, stdin=theirs, **more))  # type: ignore[arg-type]
    finally:
        os.close(ours)
        os.close(theirs)


def answered(desk: Desk, name: str, answers: str, *, program: str = "AnsweringHost") -> Ended:
    line = f"& '{ANSWERS}' -Script '{desk.folder / name}.ps1' -Answers '{answers}'"
    ours, theirs = pty.openpty()
    stdin = theirs if program == "AnsweringHost" else subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            [str(PWSH), "-NoProfile", "-Command", f"{line}; exit $LASTEXITCODE"], stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=desk.host.environment | {"LAB_MODULES": MODULES, "LAB_HOST_NAME": program},
        )  # fmt: skip
        return ended(process)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_no_holds_for_what_needs_it(tmp_path: Path, engine: Engine) -> None:
    """No to the restart: the request that would be decided after it is left as well, unasked."""
    desk = lay_out(tmp_path, engine, *ALL)
    done = answered(desk, "change", "YYNYN")
    assert done.code == 4, done.text
    assert desk.outcomes() == ["changed", "changed", "declined", "declined", "changed", "declined"]
    assert done.text.count("ASKED") == 5
    assert "Change 1 on host1.contoso.test" in done.text
    assert "Declined: 3 of 6 changes. The others are done." in done.text
    assert handover.restarts(desk.host) == 0
    assert desk.verify().code == 2
    assert desk.change().code == 0
    assert (desk.outcomes(), handover.restarts(desk.host)) == (["changed"] * 6, 1)


def test_no_to_one_of_two_values_leaves_the_restart_to_the_other(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    assert answered(desk, "change", "NYY").code == 4
    assert desk.outcomes() == ["declined", "changed", "changed"]
    assert answered(desk, "change", "N").code == 3
    assert handover.restarts(desk.host) == 1


def test_a_program_that_asks_in_a_window_needs_no_console(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    assert answered(desk, "change", "Y", program="Windows PowerShell ISE Host").code == 0


def test_no_to_everything_changes_nothing(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    before = written(desk.host)
    done = answered(desk, "change", "L")
    assert (done.code, desk.outcomes()) == (3, ["declined"] * 3)
    assert "Every change was declined. Nothing was changed." in done.text
    assert written(desk.host) == before


def test_a_script_that_asks_nobody_ends_soon(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    begun = time.monotonic()
    assert desk.run_alone("change").code == 3
    assert time.monotonic() - begun < 30
