"""What undoes a run that broke off: written or not, what was begun is taken back, and nobody else's change is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from remediate.actions.states import REVISION, before_and_after
from remediate.actions.writing import Lease
from remediate.engine.admission import check_plan
from remediate.engine.applying import carry_out, read_steps
from remediate.engine.schedule import rollback
from remediate.engine.undoing import undo_plan
from remediate.model.errors import ExitCode, RefusedError
from remediate.model.journal import Event, JournalLine
from remediate.model.plan import RESTART, Plan, digest, target_of
from tests.engine.memory_writer import Killed, Memory
from tests.unit.result_material import HOST, disposition, make_plan, restart, template

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
PLAN = make_plan(template(1), disposition(2), restart(3))
LEASE = Lease(run="run1", who="anna", token="0f" * 16)


class Estate:
    """A directory and a host in memory; `world` maps an action's number to what stands at its place."""

    def __init__(self, plan: Plan = PLAN) -> None:
        self.writers = {
            name: Memory(name, {one.id: before_and_after(one)[0] for one in plan.actions if target_of(one) == name})
            for name in dict.fromkeys(map(target_of, plan.actions))
        }

    def apply(self, plan: Plan, journal: list[JournalLine], *, dies_at: str = "") -> ExitCode:
        def record(line: JournalLine) -> None:
            journal.append(line)
            if f"{line.action} {line.event}" == dies_at:
                raise Killed

        earlier = tuple(journal)
        return carry_out(plan, self.writers, lease=LEASE, record=record, earlier=earlier, clock=lambda: NOW)[1]

    def rolled_back(self, back: Plan) -> Estate:
        """The same places under the numbers that the rollback has for them."""
        places = {(one.kind, one.place): self.writers[target_of(one)].world[one.id] for one in PLAN.actions}
        other = Estate(back)
        for one in back.actions:
            other.writers[target_of(one)].world[one.id] = places[one.kind, one.place]
        return other


def line(event: Event, number: int = 2, **more: Any) -> JournalLine:
    plain = {"at": "2026-11-23T19:00:00Z", "source": "apply", "before": {"RequestDisposition": "257"}}
    return JournalLine(event=event, action=number, **(plain | more))


def undone(*lines: JournalLine) -> list[str]:
    """What of the plan a rollback of these lines takes back, and what it restarts."""
    return [one.label for one in undo_plan(PLAN, lines, run="run1", now=NOW).actions]


@pytest.mark.parametrize("at", ["1 begin", "2 begin", "2 done", "3 begin"])
@pytest.mark.parametrize("was_written", [True, False])
def test_what_was_begun_is_taken_back_whether_it_was_written_or_not(at: str, was_written: bool) -> None:
    """Killed behind the `begin`; the target may still have carried out what was sent."""
    estate, journal = Estate(), list[JournalLine]()
    start = {
        name: {number: dict(one) for number, one in writer.world.items()} for name, writer in estate.writers.items()
    }
    with pytest.raises(Killed):
        estate.apply(PLAN, journal, dies_at=at)
    begun = next(one for one in PLAN.actions if at == f"{one.id} begin" or one.id == 2)
    if was_written and at.endswith("begin") and begun.kind != RESTART:
        estate.writers[target_of(begun)].world[begun.id] = before_and_after(begun)[1]
    back = undo_plan(PLAN, journal, run="run1", now=NOW)
    after = estate.rolled_back(back)
    assert after.apply(back, []) is ExitCode.NOTHING_TO_DO
    for one in back.actions:
        (of,) = [each for each in PLAN.actions if (each.kind, each.place) == (one.kind, one.place)]
        wanted = start[target_of(of)][of.id]
        stands = after.writers[target_of(one)].world[one.id]
        assert {**stands, REVISION: ""} == {**wanted, REVISION: ""}
    restarts = sum(writer.restarts for writer in after.writers.values())
    assert restarts == (0 if at == "1 begin" else 1)


@pytest.mark.parametrize("at", ["1 begin", "2 begin"])
def test_where_it_was_not_written_nothing_is_written_either(at: str) -> None:
    estate, journal = Estate(), list[JournalLine]()
    with pytest.raises(Killed):
        estate.apply(PLAN, journal, dies_at=at)
    back = undo_plan(PLAN, journal, run="run1", now=NOW)
    begun = next(one for one in back.actions if one.kind == PLAN.actions[int(at[0]) - 1].kind)
    after = estate.rolled_back(back)
    events = list[JournalLine]()
    after.apply(back, events)
    assert [one.event for one in events if one.action == begun.id] == ["as wanted"]
    assert begun.id not in after.writers[target_of(begun)].writes


def test_its_notes_say_what_is_not_known() -> None:
    back = undo_plan(PLAN, [line("begin"), line("unresolved")], run="run1", now=NOW)
    assert any(note.startswith(f"It is not known whether the run wrote change 2 ({HOST}).") for note in back.notes)
    sure = undo_plan(PLAN, [line("begin"), line("done", after={"RequestDisposition": "1"})], run="run1", now=NOW)
    assert not any("not known" in note for note in sure.notes)


BACK = ["undo: change 2", "change 3"]
VERIFIED = line("as wanted", source="verify.ps1")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line("begin")], BACK),
        ([line("begin"), line("unresolved")], BACK),
        ([line("begin"), line("done")], BACK),
        ([line("begin"), line("done"), line("as wanted")], BACK),
        ([line("begin"), line("unresolved"), line("begin"), line("failed")], BACK),
        ([line("begin", source="change.ps1"), VERIFIED], BACK),
    ],
)
def test_what_it_wrote_or_may_have_written_is_undone(lines: list[JournalLine], expected: list[str]) -> None:
    assert undone(*lines) == expected


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [line("as wanted")],
        [line("begin"), line("failed")],
        [line("begin"), line("as wanted")],
        [line("begin"), line("unresolved"), line("as wanted")],
        [line("begin"), line("done"), line("begin", undo=True), line("done", undo=True)],
        [line("begin"), line("done"), line("as wanted", undo=True)],
        [line("begin", 3), line("done", 3)],
        [VERIFIED],
    ],
)
def test_what_it_did_not_write_is_nothing_to_undo(lines: list[JournalLine]) -> None:
    with pytest.raises(RefusedError, match="nothing of it is left to undo"):
        undone(*lines)


def test_what_somebody_else_wrote_since_refuses_it() -> None:
    back = undo_plan(PLAN, [line("begin")], run="run1", now=NOW)
    estate = Estate(back)
    estate.writers[HOST].world[1] = {"RequestDisposition": "2"}
    assert [step.verdict for step in read_steps(back, estate.writers)] == ["drifted", "as approved"]


def test_it_is_as_old_as_the_moment_in_which_it_is_made() -> None:
    """However old the run is, its rollback can be approved for a week."""
    later = NOW + timedelta(days=90)
    back = undo_plan(PLAN, [line("begin"), line("done")], run="run1", now=later)
    assert (back.created, back.expires_at) == ("2027-02-21T20:00:00Z", "2027-02-28T20:00:00Z")
    check_plan(back, digest(back), approved=digest(back), now=later + timedelta(days=6), where="back.json")
    again = undo_plan(PLAN, [line("begin"), line("done")], run="run1", now=later)
    assert digest(again) == digest(back)


def test_it_is_refused_once_its_run_has_written_more_or_was_taken_back() -> None:
    wrote = [line("begin"), line("done", after={"RequestDisposition": "1"})]
    back = undo_plan(PLAN, wrote, run="run1", now=NOW)
    more = [*wrote, line("begin", 1), line("done", 1)]
    taken_back = [*wrote, line("begin", undo=True), line("done", undo=True)]
    states = [
        rollback(back, of="run1", its_plan=PLAN, lines=lines).state
        for lines in (wrote, [*wrote, line("begin", 3), line("done", 3)], [*wrote, VERIFIED], more, taken_back)
    ]
    assert states == ["holds", "holds", "holds", "refused", "refused"]
    assert rollback(back, of="run1", its_plan=None).state == "differs", "without its run nobody can tell"


def test_the_undoing_of_a_rollback_says_that_it_is_one() -> None:
    lines: Iterable[JournalLine] = [line("begin"), line("done", after={"RequestDisposition": "1"})]
    back = undo_plan(PLAN, lines, run="run1", now=NOW)
    undid = [msgspec.structs.replace(one, action=1) for one in lines]
    forth = undo_plan(back, undid, run="run2", now=NOW)
    assert (back.options, forth.options) == (
        {"rollback_of": "run1"}, {"rollback_of": "run2", "undoes_rollback": True}
    )  # fmt: skip
    assert undo_plan(forth, undid, run="run3", now=NOW).options == {"rollback_of": "run3"}
