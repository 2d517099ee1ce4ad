"""When a plan may be applied, condition by condition, and what the runs so far leave of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from remediate.engine.admission import check_time
from remediate.engine.schedule import controllers_clock, schedule, time_there, use, use_by_scripts
from remediate.model.errors import RefusedError
from remediate.model.journal import JournalLine
from remediate.model.plan import DIRECTORY
from tests.engine.memory_writer import Memory
from tests.unit.result_material import PLAN, disposition, make_plan

NOW = "2026-11-24T20:00:00Z"
THERE = datetime(2026, 11, 24, 20, tzinfo=UTC)
BEFORE, AFTER = "2026-11-24T19:00:00Z", "2026-11-24T21:00:00Z"


def states(now: str = NOW, **members: Any) -> dict[str, str]:
    plan = make_plan(disposition(1), **members)
    return {one.name: one.state for one in schedule(plan, now=now)}


@pytest.mark.parametrize(
    ("members", "name", "state"),
    [
        ({}, "expiry", "holds"),
        ({"expires_at": NOW}, "expiry", "refused"),
        ({"created": AFTER}, "clock", "refused"),
        ({"not_before": AFTER, "not_after": "2026-11-24T23:00:00Z"}, "window", "not yet"),
        ({"not_before": BEFORE, "not_after": AFTER}, "window", "holds"),
        ({"not_before": BEFORE}, "window", "holds"),
        ({"not_after": NOW}, "window", "refused"),
    ],
)
def test_each_condition_is_told_by_its_name(members: dict[str, str], name: str, state: str) -> None:
    told = states(**members)
    assert told[name] == state
    assert {other for key, other in told.items() if key != name} <= {"holds"}


def test_a_plan_without_a_window_has_no_such_condition() -> None:
    assert list(states()) == ["expiry", "clock"]


def test_before_its_window_it_is_refused_where_it_is_applied() -> None:
    with pytest.raises(RefusedError, match=f"its window opens at {AFTER}"):
        check_time(make_plan(disposition(1), not_before=AFTER), now=NOW, where="plan.json")


@pytest.mark.parametrize(
    ("members", "ahead", "state"),
    [
        ({}, timedelta(minutes=5), "holds"),
        ({}, timedelta(minutes=-6), "differs"),
        ({}, timedelta(minutes=6), "differs"),
        ({"expires_at": AFTER}, timedelta(hours=2), "refused"),
        ({"not_after": AFTER}, timedelta(hours=2), "refused"),
        ({"not_before": AFTER}, timedelta(0), "holds"),
    ],
)
def test_the_controllers_clock_shows_a_plan_that_has_expired(
    members: dict[str, str], ahead: timedelta, state: str
) -> None:
    """Whoever sets this machine's clock back does not set that one."""
    found = controllers_clock(make_plan(disposition(1), **members), now=THERE, there=THERE + ahead)
    assert found.state == state
    assert f"and {NOW} here" in found.told


class Clocked(Memory):
    """A directory that tells its time."""

    def time(self) -> datetime | None:
        return THERE


def test_only_a_directory_that_is_planned_is_asked_for_its_time() -> None:
    assert time_there({DIRECTORY: Clocked(DIRECTORY, {})}) == THERE
    assert time_there({DIRECTORY: Memory(DIRECTORY, {})}) is None
    assert time_there({"ca01.contoso.test": Clocked("ca01.contoso.test", {})}) is None


# --- used -------------------------------------------------------------------------------------------------------------


def lines(*events: tuple[str, int], source: str = "apply") -> tuple[JournalLine, ...]:
    return tuple(
        JournalLine(at=f"2026-11-24T20:00:{at:02}Z", event=event, source=source, action=number)  # type: ignore[arg-type]
        for at, (event, number) in enumerate(events)
    )


def test_a_plan_is_applied_once() -> None:
    assert use((), run="").state == "holds"
    assert use(lines(("opened", 0)), run="r1").told == "the plan was not applied yet"
    broken_off = use(lines(("approved", 0), ("begin", 1)), run="r1")
    assert (broken_off.state, "r1 of it was broken off" in broken_off.told) == ("holds", True)
    ended = use(lines(("begin", 1), ("done", 1), ("closed", 0)), run="r1")
    assert (ended.state, ended.told) == ("refused", "the plan was applied already (run r1)")


ALL = (("begin", 1), ("done", 1), ("begin", 2), ("done", 2))


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (ALL, "the plan was carried out by scripts already (run r2)"),
        (ALL[:2], "a part of the plan was carried out by scripts (run r2)"),
        (ALL[:3], "a part of the plan was carried out by scripts (run r2)"),
        ((("imported", 0), ("refused", 0)), ""),
        ((("imported", 0), ("as wanted", 1), ("as wanted", 2)), ""),
        ((("declined", 1),), ""),
    ],
)
def test_what_scripts_wrote_is_not_applied_again(events: tuple[tuple[str, int], ...], words: str) -> None:
    found = use_by_scripts(PLAN, lines(*events, source="change.ps1"), run="r2")
    assert (found.told if found else "") == words
    assert found is None or found.state == "refused"
