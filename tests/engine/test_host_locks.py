"""The locks of a run that works on: renewed in time; where somebody else has the host, nothing more is done there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from remediate.actions.states import Table
from remediate.actions.writing import Holder, Lease
from remediate.engine.applying import Step, carry_out
from remediate.engine.host_locks import others_at_work
from remediate.model.errors import ExitCode, RefusedError, TransportError
from remediate.model.journal import JournalLine
from remediate.model.plan import Action
from tests.engine.memory_writer import Held, Memory
from tests.powershell.handover import HOST, defined_ca_cert, disposition, exclusions, make_plan, restart
from tests.unit.result_material import restart as restart_of

START = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
PLAN = make_plan(disposition(1), defined_ca_cert(2), exclusions(3), restart(4, depends_on=(1, 2)))
MINE, THEIRS = "0f" * 16, "a0" * 16


class Slow(Memory):
    """A host on which each write takes `minutes`; `meanwhile` happens to its lock in the write of action 2."""

    now = START
    minutes = 0
    meanwhile: Held | str | None = ""

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        self.now += timedelta(minutes=self.minutes)
        if action.id == 2 and not isinstance(self.meanwhile, str):
            self.held = self.meanwhile
        return super().write(action, before=before, after=after)

    def renew(self, lease: Lease) -> str:
        if self.meanwhile == "silent":
            raise TransportError("it does not answer", where=self.target)
        return super().renew(lease)


def run(host: Slow) -> tuple[tuple[Step, ...], ExitCode, list[str]]:
    journal = list[JournalLine]()
    lease = Lease(run="run1", who="CONTOSO\\anna on PC7", token=MINE)
    found = carry_out(PLAN, {HOST: host}, lease=lease, record=journal.append, clock=lambda: host.now)
    return *found, [f"{line.action} {line.event}" for line in journal]


def slow(minutes: int) -> Slow:
    host = Slow.before(HOST, PLAN.actions)
    assert isinstance(host, Slow)
    host.minutes = minutes
    return host


def test_a_run_of_minutes_renews_nothing() -> None:
    host = slow(4)
    assert run(host)[1] is ExitCode.NOTHING_TO_DO
    assert (host.renewals, host.writes, host.held) == (0, [1, 2, 3, 4], None)


def test_a_run_of_hours_renews_before_each_action_and_before_the_restart() -> None:
    host = slow(25)
    assert run(host)[1] is ExitCode.NOTHING_TO_DO
    assert (host.renewals, host.writes, host.held) == (3, [1, 2, 3, 4], None)


def test_a_host_that_another_run_has_taken_over_is_left_alone() -> None:
    host = slow(25)
    host.meanwhile = Held("run2", "CONTOSO\\bert", "later", THEIRS)
    steps, code, events = run(host)
    assert (code, host.writes) == (ExitCode.STOPPED_PART_WAY, [1, 2])
    assert events == ["1 begin", "1 done", "2 begin", "2 done"]
    assert [step.outcome for step in steps] == ["done", "done", "not reached", "not reached"]
    assert all("another run has taken this host over: run2" in step.detail for step in steps[2:])
    assert host.held and host.held.token == THEIRS


def test_a_host_whose_lock_cannot_be_renewed_is_lost() -> None:
    host = slow(25)
    host.meanwhile = "silent"
    steps, code, _ = run(host)
    assert (code, host.writes) == (ExitCode.STOPPED_PART_WAY, [1])
    assert "it does not answer" in steps[1].detail


def test_hosts_that_wait_for_another_are_renewed_meanwhile() -> None:
    """Restarts come one host after the other: the lock of the last one must not die of that."""
    names = ("ca01.contoso.test", "ca02.contoso.test")
    plan = make_plan(*(restart_of(number, name) for number, name in enumerate(names, start=1)))
    hosts = {name: Slow.before(name, plan.actions) for name in names}
    first = hosts[names[0]]
    assert isinstance(first, Slow)
    first.minutes = 25
    lease = Lease(run="run1", who="anna", token=MINE)
    code = carry_out(plan, hosts, lease=lease, record=lambda _line: None, clock=lambda: first.now)[1]
    assert code is ExitCode.NOTHING_TO_DO
    assert [host.renewals for host in hosts.values()] == [0, 1]


def test_a_held_lock_tells_whose_it_is_and_how_it_is_cleared() -> None:
    host = slow(0)
    host.held = Held("run0", "CONTOSO\\bert on PC8", "2099-01-01T00:00:00Z", THEIRS)
    with pytest.raises(RefusedError) as error:
        run(host)
    assert all(word in error.value.why for word in ("run0", "CONTOSO\\bert on PC8", "2099-01-01T00:00:00Z"))
    assert r"%ProgramData%\remediate\lock.json" in error.value.do
    assert host.held.token == THEIRS


def test_of_two_runs_of_one_name_one_has_the_host() -> None:
    host = slow(0)
    host.held = Held("run1", "CONTOSO\\bert", "later", THEIRS)
    with pytest.raises(RefusedError, match="another run is at work there"):
        run(host)
    assert host.writes == []


# --- asked before, without taking one -----------------------------------------------------------------------------


class Garbled(Memory):
    """A host on which something else stands in the place of a lock."""

    def holder(self, *, token: str) -> Holder | None:
        del token
        raise RefusedError("lock.json is no lock of ours", where=self.target, do="Look into it on the host.")


class Mute(Memory):
    """A host that does not answer."""

    def holder(self, *, token: str) -> Holder | None:
        del token
        raise TransportError("it does not answer", where=self.target)


def test_who_is_at_work_is_told_and_nothing_is_taken() -> None:
    free, taken, garbled = Memory("a", {}), Memory("b", {}), Garbled("c", {})
    taken.held = Held("run0", "CONTOSO\\bert on PC8", "2099-01-01T00:00:00Z", THEIRS)
    writers = {"a": free, "b": taken, "c": garbled}
    held, other = others_at_work(writers, writers, token=MINE)
    assert (held.state, other.state) == ("refused", "refused")
    assert held.what == "another run is at work on b"
    assert all(word in held.why for word in ("run0", "CONTOSO\\bert on PC8", "2099-01-01T00:00:00Z"))
    assert other.what == "lock.json is no lock of ours"
    assert free.held is None


def test_where_nobody_is_at_work_it_is_said_unless_one_does_not_answer() -> None:
    writers = {"a": Memory("a", {}), "b": Memory("b", {}), "c": Mute("c", {})}
    writers["b"].held = Held("run1", "anna", "soon", MINE)
    (free,) = others_at_work(writers, ["a", "b"], token=MINE)
    assert (free.state, free.what) == ("holds", "no other run is at work on the targets")
    assert others_at_work(writers, writers, token=MINE) == ()
    assert others_at_work(writers, (), token=MINE) == ()
