"""Somebody else writes between a script's reading and its writing: what was lost is told, and what was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from remediate.model.plan import Action
from tests.lab.registry_file import number
from tests.powershell import handover
from tests.powershell.engine import Ended, Engine
from tests.powershell.handover import CA_KEY, FOLDERS, POLICY_KEY, Desk, plant, restarts, state
from tests.powershell.test_handover_cycle import CA, lay_out

OTHERS = r"C:\Program Files\Somebody Else"
BEGIN = "    $step = $Entry['Step']\r\n    if (@("
"""Where a script begins to write a step: everything has been read by then."""


def disposition(desk: Desk) -> None:
    desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(0x102))


def first_folder(desk: Desk) -> None:
    plant(desk.host, mp_preference={"ExclusionPath": [OTHERS, FOLDERS[0]]})


def starting(desk: Desk) -> None:
    handover.service(desk.host, "Start Pending")


def stopped(desk: Desk) -> None:
    handover.service(desk.host, "Stopped")


def running(desk: Desk) -> None:
    handover.service(desk.host, "Running")


def both_folders(desk: Desk) -> None:
    plant(desk.host, mp_preference={"ExclusionPath": list(FOLDERS)})


def decided(desk: Desk) -> None:
    plant(desk.host, pending_requests=[])


def raced(desk: Desk, theirs: Callable[[Desk], None], *, step: int, script: str = "change") -> str:
    """Let the script meet what `theirs` plants when it begins to write a step; the program that does so."""
    folder = desk.host.folder
    names = ("registry.json", "state.json")
    before = {name: (folder / name).read_bytes() for name in names}
    theirs(desk)
    (changed,) = (name for name in names if (folder / name).read_bytes() != before[name])
    (folder / changed).rename(folder / "theirs")
    (folder / changed).write_bytes(before[changed])
    program = folder / "race"
    program.write_text(f"#!/bin/sh\ncp '{folder}/theirs' '{folder}/{changed}'\n")
    program.chmod(0o755)
    desk.edit(script, BEGIN, BEGIN.replace("\r\n", f"\r\n    if ($step['Id'] -eq {step}) {{ & $env:LAB_RACE }}\r\n"))
    return str(program)


def table(done: Ended) -> list[str]:
    """What a script warns of, as it warns."""
    return [one.removeprefix("WARNING: ").strip() for one in done.text.splitlines() if one.startswith("WARNING:")]


class Race(NamedTuple):
    """The actions, what somebody else does meanwhile, and the table that tells it."""

    actions: tuple[Action, ...]
    theirs: Callable[[Desk], None]
    approved: str
    now: str
    wanted: str


LOST = [
    pytest.param(
        Race(CA, disposition, "RequestDisposition = 0x101", "RequestDisposition = 0x102", "RequestDisposition = 0x1"),
        id="registry",
    ),
    pytest.param(
        Race((handover.exclusions(),), first_folder, f"{FOLDERS[0]} absent", f"{FOLDERS[0]} = excluded",
             f"{FOLDERS[0]} = excluded"),
        id="defender",
    ),
    pytest.param(
        Race((handover.start(),), starting, "State = Stopped", "State = Start Pending", "State = Running"), id="start"
    ),
    pytest.param(
        Race((handover.restart(1, depends_on=()),), stopped, "State = Running", "State = Stopped", "State = Running"),
        id="restart",
    ),
]  # fmt: skip


@pytest.mark.parametrize("race", LOST)
def test_a_race_that_is_lost_before_the_first_write_is_a_refusal(tmp_path: Path, engine: Engine, race: Race) -> None:
    desk = lay_out(tmp_path, engine, *race.actions)
    if race.actions[0].kind == "start_service":
        handover.service(desk.host, "Stopped")
    events = state(desk.host)["events"]
    done = desk.change(LAB_RACE=raced(desk, race.theirs, step=1))
    assert done.code == 3, done.text
    said = table(done)
    assert said[0].startswith("1. ")
    assert said[1:4] == [f"approved  {race.approved}", f"now       {race.now}", f"wanted    {race.wanted}"]
    assert said[4].endswith("Nothing was changed.") and len(said) == 5
    assert "It stopped part-way." not in done.text
    assert (desk.host.registry.writes(), state(desk.host)["events"]) == ([], events)
    record = desk.result()
    assert (record["exit_code"], desk.outcomes()) == (3, ["not reached"] * len(race.actions))
    assert record["message"].endswith("Nothing was changed.")
    again, undone = desk.change(), desk.rollback()
    assert (again.code, undone.code) == (3, 0), again.text + undone.text
    assert "There was nothing to do." in undone.text


def test_a_race_that_is_lost_after_a_write_stops_part_way(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions(1), handover.disposition(2), handover.restart(3))
    done = desk.change(LAB_RACE=raced(desk, disposition, step=2))
    assert done.code == 4, done.text
    assert "now       RequestDisposition = 0x102" in table(done)
    assert "It stopped part-way." in done.text and "Nothing was changed." not in done.text
    assert desk.outcomes() == ["changed", "not reached", "not reached"]
    assert (desk.result()["exit_code"], desk.result()["phase"]) == (4, "writing")
    assert (desk.host.registry.writes(), restarts(desk.host)) == ([], 0)
    undone = desk.rollback()
    assert undone.code == 0, undone.text
    assert not state(desk.host)["mp_preference"]["ExclusionPath"]
    assert desk.host.registry.get(POLICY_KEY, "RequestDisposition") == 0x102


SAME = [
    pytest.param(handover.start(), running, id="start"),
    pytest.param(handover.exclusions(), both_folders, id="defender"),
    pytest.param(handover.request(), decided, id="request"),
]


@pytest.mark.parametrize(("action", "theirs"), SAME)
def test_what_somebody_else_has_done_meanwhile_is_not_to_be_undone(
    tmp_path: Path, engine: Engine, action: Action, theirs: Callable[[Desk], None]
) -> None:
    desk = lay_out(tmp_path, engine, action)
    if action.kind == "start_service":
        handover.service(desk.host, "Stopped")
    program = raced(desk, theirs, step=1)
    done = desk.change(LAB_RACE=program)
    assert (done.code, desk.outcomes()) == (0, ["as wanted"]), done.text
    after = state(desk.host)
    assert desk.rollback().code == 0
    assert state(desk.host) == after


def test_a_race_that_is_lost_after_somebody_else_wrote_the_same(tmp_path: Path, engine: Engine) -> None:
    """The first step was begun, but not by this run: nothing was changed by it."""
    desk = lay_out(tmp_path, engine, handover.exclusions(1), handover.disposition(2))
    theirs = raced(desk, disposition, step=2)
    both = desk.host.folder / "both"
    both.write_text(f"#!/bin/sh\n'{theirs}'\ncp '{desk.host.folder}/excluded' '{desk.host.folder}/state.json'\n")
    both.chmod(0o755)
    before = (desk.host.folder / "state.json").read_bytes()
    both_folders(desk)
    (desk.host.folder / "state.json").rename(desk.host.folder / "excluded")
    (desk.host.folder / "state.json").write_bytes(before)
    desk.edit("change", "if ($step['Id'] -eq 2) { & $env:LAB_RACE }", "if ($step['Id'] -eq 1) { & $env:LAB_RACE }")
    done = desk.change(LAB_RACE=str(both))
    assert (done.code, desk.outcomes()) == (3, ["as wanted", "not reached"]), done.text
    assert table(done)[-1].endswith("Nothing was changed.")
    assert desk.host.registry.writes() == []


def test_a_rollback_that_loses_the_race_before_its_first_write(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.defined_ca_cert(1))
    assert desk.change().code == 0

    def theirs(desk: Desk) -> None:
        desk.host.registry.set(CA_KEY, "UseDefinedCACertInRequest", number(2))

    done = desk.rollback(LAB_RACE=raced(desk, theirs, step=1, script="rollback"))
    assert done.code == 3, done.text
    assert "now       UseDefinedCACertInRequest = 0x2" in table(done)
    assert table(done)[-1].endswith("Nothing was changed.")
    assert desk.host.registry.get(CA_KEY, "UseDefinedCACertInRequest") == 2
    assert desk.outcomes("rollback-result.json") == ["not reached"]
