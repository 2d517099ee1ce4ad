"""What goes wrong while a script writes: it stops, its record says how far it came, and a second run finishes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.model.plan import Action
from remediate.render.powershell.library import functions_for
from tests.lab.registry_file import number
from tests.powershell import handover
from tests.powershell.engine import WINDOWS, Engine
from tests.powershell.handover import CA_KEY, POLICY_KEY, Desk, everything, plant, restarts
from tests.powershell.test_handover_cycle import ALL, CA, lay_out, written

DENIED = {"certutil -setreg": "0x80070005"}
REQUEST, SERVER, EXCLUSIONS = handover.request(), handover.policy_server(), handover.exclusions()
PING, VALUE, SERVICE = "certutil -ping", "UseDefinedCACertInRequest", "Restart-Service"
RESUBMIT, POLICY, DEFENDER = "certutil -resubmit", "Add-CertificateEnrollmentPolicyServer", "Add-MpPreference"
FAILED = [
    pytest.param(CA, DENIED, 0, "-setreg policy\\RequestDisposition 1 failed with 0x80070005", id="certutil-denied"),
    pytest.param(CA, {"certutil -setreg": "ignored"}, 0, "reads back as RequestDisposition = 0x101", id="ignored"),
    pytest.param(
        CA, {SERVICE: "access denied"}, 2, "Restart-Service CertSvc failed; now State = Running", id="restart"
    ),
    pytest.param(CA, {SERVICE: "stays stopped"}, 2, "CertSvc failed; now State = Stopped", id="stays-stopped"),
    pytest.param(CA, {SERVICE: "start pending"}, 2, "now State = Start Pending", id="start-pending"),
    pytest.param(CA, {PING: "0x800706BA"}, 2, "did not answer in 1 seconds: certutil -ping", id="no-answer"),
    pytest.param((handover.start(),), {"Start-Service": "access denied"}, 0, "Start-Service CertSvc", id="start"),
    pytest.param((handover.start(),), {"Start-Service": "start pending"}, 0, "now State = Start", id="starting"),
    pytest.param((SERVER,), {POLICY: "unreachable"}, 0, "0x803d0010", id="policy-server-unreachable"),
    pytest.param((SERVER,), {POLICY: "ignored"}, 0, "it reads back as Url absent", id="policy-server-ignored"),
    pytest.param((EXCLUSIONS,), {DEFENDER: "access denied"}, 0, "enough permissions", id="defender-denied"),
    pytest.param((EXCLUSIONS,), {DEFENDER: "ignored"}, 0, "it reads back as", id="defender-ignored"),
    pytest.param((REQUEST,), {RESUBMIT: "0x80094003"}, 0, "failed with 0x80094003", id="resubmit"),
]


@pytest.mark.parametrize(("actions", "failures", "done", "why"), FAILED)
def test_it_stops_and_a_second_run_finishes(
    tmp_path: Path, engine: Engine, actions: tuple[Action, ...], failures: dict[str, str], done: int, why: str
) -> None:
    desk = lay_out(tmp_path, engine, *actions)
    if actions[0].kind == "start_service":
        handover.service(desk.host, "Stopped")
    impatient(desk)
    plant(desk.host, failures=failures)
    stopped = desk.change()
    assert stopped.code == 4, stopped.text
    assert why in stopped.text and "It stopped part-way." in stopped.text
    expected = ["changed"] * done + ["begun"] + ["not reached"] * (len(actions) - done - 1)
    assert desk.outcomes() == expected
    assert f"{done + 1}. begun, not completed: {actions[done].label}" in stopped.text
    record = desk.result()
    assert (record["exit_code"], record["phase"]) == (4, "writing")
    assert why in record["message"] and why in record["steps"][done]["detail"]
    assert "Afterwards it reads " in record["steps"][done]["detail"]
    plant(desk.host, failures={})
    finished = desk.change()
    assert (finished.code, desk.outcomes()) == (0, ["changed"] * len(actions)), finished.text


def impatient(desk: Desk) -> None:
    """Two minutes of waiting for a service are one second here."""
    for name in ("change", "rollback"):
        text = (desk.folder / f"{name}.ps1").read_text("ascii")
        desk.edit(name, "$TimeoutSeconds = 120", "$TimeoutSeconds = 1", times=text.count("$TimeoutSeconds = 120"))


def test_the_second_value_fails_and_only_the_first_is_undone(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    start = everything(desk.host)
    desk.host.registry.deny(CA_KEY, "write")
    desk.host.registry.deny(POLICY_KEY, "none")
    stopped = desk.change()
    assert (stopped.code, desk.outcomes()) == (4, ["changed", "begun", "not reached"])
    assert "1. done: " in stopped.text and "3. not reached: " in stopped.text
    assert restarts(desk.host) == 0
    undone = desk.rollback()
    assert undone.code == 0, undone.text
    assert [step["id"] for step in desk.result("rollback-result.json")["steps"]] == [1, 3]
    for key in (CA_KEY, POLICY_KEY):
        desk.host.registry.deny(key, "none")
    assert desk.host.registry.get(POLICY_KEY, "RequestDisposition") == start[0][whole(POLICY_KEY)]["values"][
        "RequestDisposition"]["data"]  # fmt: skip
    assert (desk.change().code, desk.outcomes()) == (0, ["changed"] * 3)


def whole(key: str) -> str:
    return key.replace("HKLM:", "HKEY_LOCAL_MACHINE")


def test_what_was_begun_and_not_written_needs_no_undoing(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    plant(desk.host, failures=DENIED)
    before = written(desk.host)
    assert desk.change().code == 4
    undone = desk.rollback()
    assert undone.code == 0 and "There was nothing to do." in undone.text
    assert written(desk.host) == before


@pytest.mark.parametrize("as_wanted", [False, True], ids=["values-to-undo", "restart-alone"])
def test_a_rollback_starts_the_service_that_the_change_left_stopped(
    tmp_path: Path, engine: Engine, as_wanted: bool
) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    if as_wanted:
        desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(1))
        desk.host.registry.set(CA_KEY, VALUE, number(1))
    start = everything(desk.host)
    plant(desk.host, failures={SERVICE: "stays stopped"})
    assert desk.change().code == 4
    plant(desk.host, failures={})
    undone = desk.rollback()
    assert undone.code == 0, undone.text
    assert everything(desk.host) == start


def test_a_rollback_that_failed_is_finished_by_a_second_one(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *ALL)
    assert desk.change().code == 0
    plant(desk.host, failures={"Remove-CertificateEnrollmentPolicyServer": "access denied"})
    stopped = desk.rollback()
    assert stopped.code == 4, stopped.text
    assert desk.outcomes("rollback-result.json") == ["changed", "begun", *["not reached"] * 3]
    plant(desk.host, failures={})
    finished = desk.rollback()
    assert (finished.code, desk.outcomes("rollback-result.json")) == (0, ["changed"] * 5), finished.text
    assert desk.verify().code == 2
    plant(desk.host, failures={"Remove-MpPreference": "ignored"})
    again = desk.rollback()
    assert again.code == 0 and "There was nothing to do." in again.text


def test_a_change_after_a_rollback_that_stopped_part_way(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    start = everything(desk.host)
    assert desk.change().code == 0
    plant(desk.host, failures={SERVICE: "stays stopped"})
    assert desk.rollback().code == 4
    plant(desk.host, failures={})
    done = desk.change()
    assert (done.code, desk.outcomes()) == (0, ["changed"] * 3), done.text
    assert desk.verify().code == 0
    assert desk.rollback().code == 0
    assert everything(desk.host) == start


@pytest.mark.parametrize("obstacle", ["result.json.new", "result.json.lock"])
def test_no_record_no_change(tmp_path: Path, engine: Engine, obstacle: str) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    before = written(desk.host)
    (desk.folder / obstacle).mkdir()
    done = desk.change()
    assert done.code == 3, done.text
    assert "Nothing was changed." in done.text
    assert ("The record of this run cannot be written to" in done.text) == obstacle.endswith("new")
    assert ("this folder cannot be written to" in done.text) == obstacle.endswith("lock")
    assert written(desk.host) == before


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.system(f"mount -t tmpfs -o size=32k none '{folder}' 2>/dev/null") != 0:
        pytest.skip("only root may mount")
    yield folder
    os.system(f"umount '{folder}'")


def certutil(desk: Desk, *, before: str = "", after: str = "") -> str:
    """A PATH on which certutil.exe runs these lines of a shell before and after the stand-in; $1, $2 are its words."""
    folder = desk.host.folder / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "certutil.exe"
    program.write_text(
        f'#!/bin/sh\n{before or ":"}\n"{WINDOWS}/bin/certutil.exe" "$@"; code=$?\n{after or ":"}\nexit $code\n'
    )
    program.chmod(0o755)
    return f"{folder}:{desk.host.environment['PATH']}"


def test_a_disk_that_fills_between_two_changes(tmp_path: Path, engine: Engine, full: Path) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    records = (f"-ResultPath '{full}/result.json'", f"-RollbackPath '{full}/rollback-result.json'")
    filling = f'[ "$1" != -setreg ] || dd if=/dev/zero of="{full}/filler" bs=1k count=99 2>/dev/null'
    done = desk.change(*records, PATH=certutil(desk, after=filling))
    assert done.code == 4, done.text
    assert "It stopped part-way." in done.text and "could not be written to" in done.text
    inside = Desk(desk.host, full, engine)
    assert inside.outcomes() == ["begun", "not reached", "not reached"]
    assert (inside.result()["exit_code"], restarts(desk.host)) == (4, 0)
    assert len(desk.host.registry.writes()) == 1
    (full / "filler").unlink()
    assert desk.change(*records).code == 0
    assert (inside.outcomes(), restarts(desk.host)) == (["changed"] * 3, 1)
    assert len(desk.host.registry.writes()) == 2
    assert desk.rollback(*records).code == 0


KILL = "kill -9 $PPID"
KILLED: list[object] = [
    pytest.param({"before": f'[ "$1 $2" != "-setreg policy\\RequestDisposition" ] || {KILL}'},
                 ["begun", "not reached", "not reached"], 0, id="before-the-first-write"),
    pytest.param({"after": f'[ "$1 $2" != "-setreg ca\\{VALUE}" ] || {KILL}'},
                 ["changed", "begun", "not reached"], 0, id="between-write-and-restart"),
    pytest.param({"before": f'[ "$1" != -ping ] || {KILL}'}, ["changed", "changed", "begun"], 1, id="in-the-restart"),
]  # fmt: skip


@pytest.mark.parametrize(("planted", "outcomes", "stopped"), KILLED)
def test_killed_and_finished(
    tmp_path: Path, engine: Engine, planted: dict[str, str], outcomes: list[str], stopped: int
) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    start = everything(desk.host)
    killed = desk.run_alone("change", "-Confirm:$false", PATH=certutil(desk, **planted))
    assert killed.code == -9
    assert (desk.outcomes(), restarts(desk.host)) == (outcomes, stopped)
    assert desk.result()["exit_code"] == 4
    assert desk.verify().code == 2
    finished = desk.change()
    assert (finished.code, desk.outcomes()) == (0, ["changed"] * 3), finished.text
    assert restarts(desk.host) == stopped + 1
    assert len(desk.host.registry.writes()) == 2
    found_written = desk.result()["steps"][1]["detail"] == "An earlier run was interrupted in it; it is as wanted now."
    assert found_written == (outcomes[1] == "begun")
    assert desk.change().code == 0
    assert restarts(desk.host) == stopped + 1
    assert desk.rollback().code == 0
    assert everything(desk.host) == start


def test_killed_after_the_record_of_the_last_value(tmp_path: Path, engine: Engine) -> None:
    """Nothing is begun, all values are as wanted: the restart is owed nevertheless."""
    desk = lay_out(tmp_path, engine, *CA)
    saved = "        Save-RunResult -Result $Result -Path $Path\r\n    }\r\n    $shown"
    killing = "        if ($record['id'] -eq 2) { /bin/kill -9 $PID }\r\n    }"
    desk.edit("change", saved, saved.replace("    }", killing))
    assert desk.run_alone("change", "-Confirm:$false").code == -9
    assert desk.outcomes() == ["changed", "changed", "not reached"]
    assert desk.verify().code == 2
    assert desk.change().code == 0
    assert (desk.outcomes(), restarts(desk.host)) == (["changed"] * 3, 1)


def test_killed_while_a_value_that_came_back_is_written_again(tmp_path: Path, engine: Engine) -> None:
    """The restart of the first run does not count for what the second wrote."""
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == 0
    desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(0x101))
    path = certutil(desk, after=f'[ "$1" != -setreg ] || {KILL}')
    assert desk.run_alone("change", "-Confirm:$false", PATH=path).code == -9
    assert desk.outcomes() == ["begun", "changed", "not reached"]
    assert desk.change().code == 0
    assert (desk.outcomes(), restarts(desk.host)) == (["changed"] * 3, 2)


def test_killed_in_a_change_that_follows_a_rollback(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    start = everything(desk.host)
    assert desk.change().code == desk.rollback().code == 0
    path = certutil(desk, after=f'[ "$1 $2" != "-setreg policy\\RequestDisposition" ] || {KILL}')
    assert desk.run_alone("change", "-Confirm:$false", PATH=path).code == -9
    assert desk.result()["follows"] == desk.result("rollback-result.json")["sha256"]
    assert desk.change().code == 0
    assert (desk.outcomes(), restarts(desk.host)) == (["changed"] * 3, 3)
    assert desk.rollback().code == 0
    assert everything(desk.host) == start


TEMPLATE = """
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version Latest
$step = @{ Id = 1; Kind = 'template'; Label = 'x'; DependsOn = @(); Restarts = ''
    Before = @{ 'msPKI-Template-Minor-Revision' = '3' }; After = @{ 'msPKI-Template-Minor-Revision' = '4' } }
$plan = @{ Digest = 'd'; Target = 't'; Tool = 'x'; Steps = @($step) }
function Save {
    param($Kind, $Path, $Outcome, $Before, $After, $Undoes = '', $Follows = '')
    $result = New-RunResult -Kind $Kind -Plan $plan
    $result.undoes, $result.follows = $Undoes, $Follows
    $states = @{ 'msPKI-Template-Minor-Revision' = $Before }, @{ 'msPKI-Template-Minor-Revision' = $After }
    $result.steps += @{ id = 1; outcome = $Outcome; before = $states[0]; after = $states[1] }
    Save-RunResult -Result $result -Path $Path
    (Read-RunResult -Path $Path -Plan $plan).sha256
}
$done = Save 'change' "$folder/result.json" 'changed' '3' '4'
$back = Save 'rollback' "$folder/back.json" 'changed' '4' '5' -Undoes $done
$null = Save 'change' "$folder/result.json" 'not reached' '5' '5' -Follows $back
$now = New-RunResult -Kind 'change' -Plan $plan
$earlier = Read-EarlierRun -Plan $plan -ResultPath "$folder/result.json" -RollbackPath "$folder/back.json" -Result $now
$entry = New-StepEntry -Step $step -Now @{ 'msPKI-Template-Minor-Revision' = '5' } -Earlier $earlier.Record
"$($entry.Verdict), wanted $($entry.Step.After['msPKI-Template-Minor-Revision']), kept $($earlier.Keep.Count)"
"""


def test_a_template_that_a_rollback_raised_is_no_drift_after_a_kill(tmp_path: Path, engine: Engine) -> None:
    """The second change was ended before its first write: its record is no longer the one that was undone."""
    desk = lay_out(tmp_path, engine, *CA)
    lines = ["& {", functions_for(TEMPLATE), f"$folder = '{tmp_path}'", TEMPLATE, "}"]
    said = engine.run("\n".join(lines), desk.host.environment)
    assert "as approved, wanted 6, kept 0" in said.text, said.text


def slow(desk: Desk) -> str:
    return certutil(desk, before='[ "$1" != -setreg ] || sleep 1')


def test_two_copies_at_once_in_one_folder(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    path = slow(desk)
    both = [desk.start("change", "-Confirm:$false", PATH=path) for _ in range(2)]
    done = [handover.ended(process) for process in both]
    for one in done:
        assert one.code == 0 or (one.code == 3 and "Another copy of these scripts is at work here" in one.text), done
    assert 0 in {one.code for one in done}
    assert len(desk.host.registry.writes()) == 2
    assert (desk.outcomes(), restarts(desk.host)) == (["changed"] * 3, 1)
    assert desk.verify().code == 0


def test_the_same_scripts_in_two_folders_at_once(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    other = Desk(desk.host, tmp_path / "copy", engine)
    other.folder.mkdir()
    for name in ("change.ps1", "verify.ps1", "rollback.ps1"):
        (other.folder / name).write_bytes((desk.folder / name).read_bytes())
    start, path = everything(desk.host), slow(desk)
    both = [one.start("change", "-Confirm:$false", PATH=path) for one in (desk, other)]
    done = [handover.ended(process) for process in both]
    assert [one.code for one in done] == [0, 0], done
    assert len(desk.host.registry.writes()) == 2
    assert desk.verify().code == other.verify().code == 0
    values = list(zip(desk.outcomes()[:2], other.outcomes()[:2], strict=True))
    assert [sorted(both) for both in values] == [["as wanted", "changed"]] * 2
    for one in (desk, other):
        assert set(one.outcomes()) <= {"changed", "as wanted"}
        assert one.rollback().code == 0
    assert everything(desk.host) == start


def test_what_another_wrote_in_the_meantime_is_not_this_runs_to_undo(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, CA[0])
    taken = "    $mutex = Lock-CaRegistry\r\n"
    desk.edit("change", taken, "    $null = & certutil.exe -setreg policy\\RequestDisposition 1\r\n" + taken)
    assert desk.change().code == 0
    assert (desk.outcomes(), len(desk.host.registry.writes())) == (["as wanted"], 1)
    assert desk.rollback().code == 0
    assert desk.host.registry.get(POLICY_KEY, "RequestDisposition") == 1


def test_the_folder_is_free_again_after_a_kill(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    path = certutil(desk, before=f'[ "$1" != -setreg ] || {KILL}')
    assert desk.run_alone("change", "-Confirm:$false", PATH=path).code == -9
    assert (desk.folder / "result.json.lock").exists()
    assert desk.change().code == 0
    assert not (desk.folder / "result.json.lock").exists()
