"""A run over many hosts: what is the same everywhere is written side by side, services are restarted one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from remediate.actions.writing import Lease
from remediate.engine.applying import carry_out
from remediate.model.errors import DocumentError, ExitCode
from remediate.model.journal import JournalLine
from remediate.model.places import RegistryPlace, ServicePlace
from remediate.model.plan import Action, Plan
from tests.engine.memory_writer import Memory, fails, lost
from tests.powershell.handover import defined_ca_cert, make_plan, restart

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
LEASE = Lease(run="run1", who="CONTOSO\\anna", token="0f" * 16)
HOSTS = ("a.contoso.test", "b.contoso.test", "c.contoso.test", "d.contoso.test")
PATIENCE = 10.0


def on(host: str, action: Action) -> Action:
    """The action on another host."""
    assert isinstance(action.place, RegistryPlace | ServicePlace)
    return msgspec.structs.replace(action, place=msgspec.structs.replace(action.place, host=host))


VALUES = tuple(on(host, defined_ca_cert(number)) for number, host in enumerate(HOSTS, start=1))
RESTARTS = tuple(
    on(host, restart(number + 4, depends_on=(number,))) for number, host in enumerate(HOSTS, start=1)
)  # fmt: skip
PLAN = make_plan(*VALUES, *RESTARTS)


def memories(breaks: dict[str, Callable[[str], None]]) -> dict[str, Memory]:
    found = {host: Memory.before(host, PLAN.actions) for host in HOSTS}
    for host, then in breaks.items():
        found[host].breaks = then
    return found


def apply(
    plan: Plan, writers: dict[str, Memory], record: Callable[[JournalLine], None], stop: Callable[[], bool]
) -> ExitCode:
    return carry_out(plan, writers, lease=LEASE, record=record, clock=lambda: NOW, stop=stop)[1]


def never() -> bool:
    return False


def test_one_that_hangs_holds_up_no_other_value() -> None:
    """The write on b ends only when those on c and d are done and written down."""
    journal, others = list[JournalLine](), threading.Event()

    def record(line: JournalLine) -> None:
        journal.append(line)
        done = {one.action for one in journal if one.event == "done"}
        if {3, 4} <= done:
            others.set()

    def hangs(point: str) -> None:
        if point == "before the write":
            assert others.wait(PATIENCE)

    writers = memories({HOSTS[1]: hangs})
    assert apply(PLAN, writers, record, never) is ExitCode.NOTHING_TO_DO
    assert [(line.action, line.event) for line in journal[:2]] == [(1, "begin"), (1, "done")]
    for number in range(1, 9):
        assert [line.event for line in journal if line.action == number] == ["begin", "done"]
    last = max(at for at, line in enumerate(journal) if line.action <= 4)
    assert [line.action for line in journal[last + 1 :]] == [5, 5, 6, 6, 7, 7, 8, 8]
    assert all(memory.held is None for memory in writers.values())


def test_services_are_restarted_one_after_the_other() -> None:
    busy, most = set[str](), list[int]()

    def watching(host: str) -> Callable[[str], None]:
        def at(point: str) -> None:
            (busy.add if point == "before the write" else busy.discard)(host)
            most.append(len(busy))

        return at

    plan = make_plan(*(msgspec.structs.replace(one, depends_on=()) for one in RESTARTS))
    assert apply(plan, memories({host: watching(host) for host in HOSTS}), lambda _line: None, never) == 0
    assert max(most) == 1


def test_a_lost_host_leaves_the_others_done_and_its_own_restart_undone() -> None:
    journal = list[JournalLine]()
    writers = memories({HOSTS[2]: fails(lost())})
    assert apply(PLAN, writers, journal.append, never) is ExitCode.STOPPED_PART_WAY
    assert {line.action for line in journal if line.event == "unresolved"} == {3}
    assert {line.action for line in journal if line.event == "done"} == {1, 2, 4, 5, 6, 8}


def test_nothing_more_begins_when_it_is_asked_to_stop() -> None:
    journal = list[JournalLine]()
    code = apply(PLAN, memories({}), journal.append, lambda: any(line.action == 1 for line in journal))
    assert code is ExitCode.STOPPED_PART_WAY
    assert [(line.action, line.event) for line in journal] == [(1, "begin"), (1, "done")]


def test_a_journal_that_cannot_be_written_ends_it_and_nothing_unwritten_is_sent() -> None:
    journal = list[JournalLine]()

    def record(line: JournalLine) -> None:
        if len(journal) >= 3:
            raise DocumentError("cannot be written", where="journal.jsonl")
        journal.append(line)

    writers = memories({})
    with pytest.raises(DocumentError, match="cannot be written"):
        apply(PLAN, writers, record, never)
    begun = {line.action for line in journal if line.event == "begin"}
    assert {number for memory in writers.values() for number in memory.writes} <= begun
    assert all(memory.held is None for memory in writers.values())
