"""Order, drift, crash and resume of a run, on targets in memory; the writers themselves are proven in the lab."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from remediate.actions.writing import Lease
from remediate.engine.admission import check_identities, check_plan, check_rights
from remediate.engine.applying import Drifted, carry_out, read_steps, refuse_drift
from remediate.engine.returned import standings
from remediate.engine.undoing import undo_plan
from remediate.model.errors import ExitCode, RefusedError
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan, digest
from tests.engine.memory_writer import Held, Killed, Memory, fails, lost, refused
from tests.powershell.handover import HOST, defined_ca_cert, disposition, exclusions, make_plan, restart

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
PLAN = make_plan(disposition(1), defined_ca_cert(2), exclusions(3), restart(4, depends_on=(1, 2)))
LEASE = Lease(run="run1", who="CONTOSO\\anna", token="0f" * 16)


def apply(
    plan: Plan, memory: Memory, journal: list[JournalLine], *, breaks: Callable[[str], None] | None = None, **more: Any
) -> ExitCode:
    """One run; what it journals stays in `journal` whatever happens."""

    def record(line: JournalLine) -> None:
        journal.append(line)
        if breaks:
            breaks(f"journal {line.event}")

    earlier, writers = tuple(journal), {HOST: memory}
    refuse_drift(read_steps(plan, writers, earlier))
    return carry_out(plan, writers, lease=LEASE, record=record, earlier=earlier, clock=lambda: NOW, **more)[1]


def test_everything_is_done_once_and_the_restart_comes_last() -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    assert apply(PLAN, memory, journal) is ExitCode.NOTHING_TO_DO
    assert memory.writes == [1, 2, 3, 4]
    assert [(line.action, line.event) for line in journal] == [
        (number, event) for number in (1, 2, 3, 4) for event in ("begin", "done")
    ]
    assert memory.held is None


def test_a_second_run_writes_nothing() -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    apply(PLAN, memory, journal)
    memory.writes.clear()
    assert apply(PLAN, memory, journal) is ExitCode.NOTHING_TO_DO
    assert memory.writes == []


def test_a_value_found_as_wanted_does_not_cancel_the_restart() -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    memory.world[1] = {"RequestDisposition": "1"}
    memory.world[2] = {"UseDefinedCACertInRequest": "1"}
    assert apply(PLAN, memory, journal) is ExitCode.NOTHING_TO_DO
    assert memory.writes == [3, 4]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_one_drifted_value_refuses_all(number: int) -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    memory.world[number] = dict.fromkeys(memory.world[number], "77")
    with pytest.raises(Drifted) as caught:
        apply(PLAN, memory, journal)
    assert [step.action.id for step in caught.value.steps] == [number]
    assert memory.writes == [] and journal == []


def test_what_drifts_between_the_two_readings_refuses_all_and_gives_the_lock_back() -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    refuse_drift(read_steps(PLAN, {HOST: memory}))
    memory.world[2] = {"UseDefinedCACertInRequest": "77"}
    with pytest.raises(Drifted):
        carry_out(PLAN, {HOST: memory}, lease=LEASE, record=journal.append, clock=lambda: NOW)
    assert (memory.writes, journal, memory.held) == ([], [], None)


def points() -> int:
    """How many points of a whole run there are at which it can be killed."""
    count = [0]

    def counted(_point: str) -> None:
        count[0] += 1

    memory = Memory.before(HOST, PLAN.actions)
    memory.breaks = counted
    apply(PLAN, memory, [], breaks=counted)
    return count[0]


@pytest.mark.parametrize("at", range(points()))
def test_killed_at_any_point_the_next_run_finishes_and_nothing_is_lost_or_written_twice(at: int) -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    left = [at]

    def dies(_point: str) -> None:
        if left[0] == 0:
            left[0] = -1
            raise Killed
        left[0] -= 1

    memory.breaks = dies
    with pytest.raises(Killed):
        apply(PLAN, memory, journal, breaks=dies)
    memory.breaks = lambda _point: None
    memory.held = None
    assert apply(PLAN, memory, journal) is ExitCode.NOTHING_TO_DO
    assert {number: table for number, table in memory.world.items() if number != 4} == {
        1: {"RequestDisposition": "1"},
        2: {"UseDefinedCACertInRequest": "1"},
        3: dict.fromkeys(memory.world[3], "excluded"),
    }
    assert [number for number in memory.writes if number != 4] == [1, 2, 3]
    assert memory.restarts >= 1 and memory.writes[-1] == 4
    assert all(one.is_done for one in standings(PLAN, journal))
    begun = [line for line in journal if line.event == "begin" and line.action == 1]
    assert all(line.before == {"RequestDisposition": "257"} for line in begun)


@pytest.mark.parametrize(
    ("error", "event"),
    [(refused(unresolved=False), "failed"), (refused(unresolved=True), "unresolved"), (lost(), "unresolved")],
)
def test_a_failure_is_written_down_and_what_needs_it_is_not_reached(error: Exception, event: str) -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    memory.breaks = fails(error)
    assert apply(PLAN, memory, journal) is ExitCode.STOPPED_PART_WAY
    assert [(line.action, line.event) for line in journal][:2] == [(1, "begin"), (1, event)]
    assert 4 not in memory.writes


def test_a_lock_of_another_run_refuses() -> None:
    memory = Memory.before(HOST, PLAN.actions)
    memory.held = Held("run0", "CONTOSO\\bert", "2026-11-23T20:30:00Z")
    with pytest.raises(RefusedError, match="another run is at work there"):
        apply(PLAN, memory, [])
    assert memory.writes == []


def test_it_stops_between_actions() -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    assert apply(PLAN, memory, journal, stop=lambda: len(memory.writes) == 2) is ExitCode.STOPPED_PART_WAY
    assert memory.writes == [1, 2]
    assert apply(PLAN, memory, journal) is ExitCode.NOTHING_TO_DO
    assert memory.writes == [1, 2, 3, 4]


def test_a_rollback_puts_everything_back_newest_first_and_can_be_undone() -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    start = {number: dict(table) for number, table in memory.world.items()}
    apply(PLAN, memory, journal)
    back = undo_plan(PLAN, journal, run="run1", now=NOW)
    assert [action.label for action in back.actions][:3] == [
        "undo: defender_exclusions here", "undo: ca_registry_value here", "undo: ca_registry_value here",
    ]  # fmt: skip
    undone = Memory(HOST, {1: memory.world[3], 2: memory.world[2], 3: memory.world[1], 4: memory.world[4]})
    again = list[JournalLine]()
    assert apply(back, undone, again) is ExitCode.NOTHING_TO_DO
    assert (undone.world[1], undone.world[2], undone.world[3]) == (start[3], start[2], start[1])
    forth = undo_plan(back, again, run="run2", now=NOW)
    assert [action.kind for action in forth.actions] == [action.kind for action in PLAN.actions]
    assert forth.actions[0].after == PLAN.actions[0].after


def test_only_what_the_run_changed_is_undone() -> None:
    memory, journal = Memory.before(HOST, PLAN.actions), list[JournalLine]()
    memory.world[1] = {"RequestDisposition": "1"}
    apply(PLAN, memory, journal)
    assert [
        action.place
        for action in undo_plan(PLAN, journal, run="r", now=NOW).actions
        if action.kind == "ca_registry_value"
    ] == [PLAN.actions[1].place]


def test_what_is_refused_before_anything_is_read() -> None:
    good: dict[str, Any] = {"approved": digest(PLAN), "now": NOW, "where": "plan.json"}
    check_plan(PLAN, digest(PLAN), **good)
    wrong: list[tuple[Plan, dict[str, Any], str]] = [
        (PLAN, {"approved": "0" * 64}, "not the plan that was approved"),
        (PLAN, {"approved": digest(PLAN)[:11]}, "at least 12 are needed"),
        (PLAN, {"approved": ""}, "not the plan that was approved"),
        (PLAN, {"now": datetime(2026, 1, 1, tzinfo=UTC)}, "clock of this machine is behind"),
        (PLAN, {"now": datetime(2100, 1, 1, tzinfo=UTC)}, "the plan expired"),
        (make_plan(disposition(1), not_before="2026-11-24T00:00:00Z"), {}, "its window opens"),
        (make_plan(disposition(1), not_after="2026-11-23T19:00:00Z"), {}, "its window closed"),
        (make_plan(disposition(1), complete=False), {}, "incomplete"),
        (make_plan(), {}, "changes nothing"),
    ]
    for plan, change, words in wrong:
        with pytest.raises(RefusedError, match=words):
            check_plan(plan, digest(plan), **(good | {"approved": digest(plan)} | change))


def test_another_machine_and_a_missing_right_are_refused() -> None:
    memory = Memory.before(HOST, PLAN.actions)
    with pytest.raises(RefusedError, match="another target of the same name"):
        check_identities(PLAN, {HOST: memory})
    memory.missing = "local administrator"
    with pytest.raises(RefusedError, match="local administrator"):
        check_rights(PLAN, {HOST: memory})
