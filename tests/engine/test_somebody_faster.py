"""What somebody else wrote is as wanted, and not this run's to undo; what this run may have written is."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from remediate.actions.states import REVISION, UNANSWERED, Table, before_and_after
from remediate.actions.writing import Drift, Lease, WriteFailed
from remediate.engine.admission import check_identities
from remediate.engine.applying import Step, carry_out, changes_of, read_steps
from remediate.engine.returned import standings
from remediate.engine.undoing import undo_plan
from remediate.model.errors import ExitCode, RefusedError
from remediate.model.journal import Event, JournalLine
from remediate.model.plan import Action, TargetIdentity
from tests.engine.memory_writer import Memory
from tests.powershell.handover import HOST, defined_ca_cert, disposition, make_plan, restart
from tests.unit.result_material import template

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
PLAN = make_plan(disposition(1), defined_ca_cert(2), restart(3, depends_on=(1, 2)))
LEASE = Lease(run="run1", who="CONTOSO\\anna", token="0f" * 16)
WANTED = before_and_after(PLAN.actions[1])[1]


class Shared(Memory):
    """A host on which action 2 ends as it is told to, and its table is another's afterwards."""

    fails: Exception | None = None
    leaves: Table | None = None

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        if action.id == 2 and self.leaves is not None:
            self.world[2] = self.leaves
        if action.id in (2, 3) and self.fails is not None and (action.id == 2 or self.leaves is None):
            if action.id == 3:
                self.restarts += 1
            raise self.fails
        return super().write(action, before=before, after=after)


def shared(fails: Exception | None = None, leaves: Table | None = None) -> Shared:
    host = Shared(HOST, {action.id: before_and_after(action)[0] for action in PLAN.actions})
    host.fails, host.leaves = fails, leaves
    return host


def apply(host: Shared, journal: list[JournalLine]) -> tuple[tuple[Step, ...], ExitCode]:
    return carry_out(PLAN, {HOST: host}, lease=LEASE, record=journal.append, earlier=tuple(journal), clock=lambda: NOW)


def undone(journal: list[JournalLine]) -> list[object]:
    plan = undo_plan(PLAN, journal, run="run1", now=NOW)
    return [action.place for action in plan.actions if action.kind == "ca_registry_value"]


def test_the_same_by_somebody_else_between_reading_and_writing_is_as_wanted_and_not_undone() -> None:
    host, journal = shared(leaves=dict(WANTED)), list[JournalLine]()
    steps, code = apply(host, journal)
    assert code is ExitCode.NOTHING_TO_DO
    assert [step.outcome for step in steps] == ["done", "as wanted", "done"]
    assert [line.event for line in journal if line.action == 2] == ["begin", "as wanted"]
    assert [one.state for one in standings(PLAN, journal)] == ["done", "as wanted", "done"]
    assert undone(journal) == [PLAN.actions[0].place]


def test_what_was_refused_and_is_found_as_wanted_later_is_not_undone() -> None:
    host, journal = shared(leaves={"UseDefinedCACertInRequest": "7"}), list[JournalLine]()
    assert apply(host, journal)[1] is ExitCode.STOPPED_PART_WAY
    host.leaves, host.world[2] = None, dict(WANTED)
    steps, code = apply(host, journal)
    assert code is ExitCode.NOTHING_TO_DO
    assert [line.event for line in journal if line.action == 2] == ["begin", "failed", "as wanted"]
    assert [step.outcome for step in steps] == ["done", "as wanted", "done"]
    assert undone(journal) == [PLAN.actions[0].place]


def test_what_may_have_been_written_and_is_found_as_wanted_later_is_undone() -> None:
    lost = WriteFailed("no answer", where=HOST, unresolved=True)
    host, journal = shared(lost, {"UseDefinedCACertInRequest": "0"}), list[JournalLine]()
    apply(host, journal)
    host.fails, host.leaves, host.world[2] = None, None, dict(WANTED)
    assert apply(host, journal)[1] is ExitCode.NOTHING_TO_DO
    assert [line.event for line in journal if line.action == 2] == ["begin", "unresolved", "done"]
    assert PLAN.actions[1].place in undone(journal)


@pytest.mark.parametrize(
    ("events", "written"),
    [
        ([], False), (["begin"], True), (["begin", "done"], True), (["begin", "unresolved"], True),
        (["begin", "failed"], False), (["begin", "as wanted"], False), (["as wanted"], False),
        (["begin", "unresolved", "begin", "failed"], True), (["begin", "begin", "failed"], True),
        (["begin", "done", "begin", "as wanted"], True),
    ],
)  # fmt: skip
def test_which_journal_lines_mean_that_it_may_have_been_written(events: list[Event], written: bool) -> None:
    lines = [JournalLine(at="", event=event, source="apply", action=2) for event in events]
    step = read_steps(PLAN, {HOST: shared()}, lines)[1]
    assert step.written is written


def test_a_restart_after_which_the_service_did_not_answer_is_not_made_again() -> None:
    mute = WriteFailed("it runs, and does not answer", where=HOST, unresolved=True, now=UNANSWERED)
    host = Silent(HOST, {action.id: before_and_after(action)[0] for action in PLAN.actions})
    journal = list[JournalLine]()
    host.fails = mute
    steps, code = apply(host, journal)
    assert (code, steps[2].outcome, host.restarts) == (ExitCode.STOPPED_PART_WAY, "unresolved", 1)
    host.fails = None
    steps, code = apply(host, journal)
    assert (code, steps[2].outcome, host.restarts) == (ExitCode.NOTHING_TO_DO, "done", 1)
    assert [line.event for line in journal if line.action == 3] == ["begin", "unresolved", "done"]


class Silent(Shared):
    """A host whose service comes back from its restart, and does not answer."""

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        if action.id == 3 and self.fails is not None:
            self.restarts += 1
            raise self.fails
        return Memory.write(self, action, before=before, after=after)


def test_a_restart_that_was_refused_is_not_as_wanted_because_the_service_runs() -> None:
    refused = Drift("CertSvc is not restarted", where=HOST, now={"State": "Running"})
    host = Silent(HOST, {action.id: before_and_after(action)[0] for action in PLAN.actions})
    host.fails = refused
    assert apply(host, [])[0][2].outcome == "failed"


def test_a_revision_alone_that_drifted_is_shown() -> None:
    action = template(1)
    before, after = before_and_after(action)
    now = before | {REVISION: "999"}
    step = Step(action=action, now=now, before=before, after=after, verdict="drifted")
    assert (REVISION, before[REVISION], "999", after[REVISION]) in list(changes_of([step]))
    step.now = dict.fromkeys(before, "999")
    assert REVISION not in [name for name, *_ in changes_of([step])]


# --- whether it is the planned target -----------------------------------------------------------------------------

KNOWN = {"ComputerName": "CA01", "MachineGuid": "0f3c", "certificate_thumbprint": "AB12"}


def identified(**found: str) -> None:
    target = TargetIdentity(kind="ca", name=HOST, identity=KNOWN | {"objectGUID": "1234"})
    host = shared()
    host.who_is_it = KNOWN | found
    plan = make_plan(disposition(1))
    check_identities(msgspec.structs.replace(plan, targets=(target,)), {HOST: host})


def refusal(**found: str) -> str:
    try:
        identified(**found)
    except RefusedError as error:
        return error.in_short
    return ""


def test_the_planned_target_is_known_by_all_that_it_reports() -> None:
    assert refusal() == ""
    assert refusal(ComputerName="ca01", more="than was planned") == ""


@pytest.mark.parametrize("name", KNOWN)
def test_a_proof_that_is_another_or_was_not_reported_is_refused(name: str) -> None:
    with pytest.raises(RefusedError, match="another target of the same name"):
        identified(**{name: "other"})
    with pytest.raises(RefusedError, match="nobody can tell whether this is the planned target") as error:
        identified(**{name: ""})
    assert f"{name} was not reported" in error.value.why
