"""Results held against their plan: what belongs, what is told once, where each action stands, what differs."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from remediate.engine.chronology import in_order
from remediate.engine.returned import check, differences, is_held, lines_for, owed_restarts, standings
from remediate.engine.undoing import undo_plan
from remediate.model.errors import DocumentError, RefusedError
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan, digest
from remediate.model.result import ResultEdited, RunResult, read_result
from tests.unit.result_material import (
    HOST,
    OTHER_HOST,
    PLAN,
    REVISION,
    body,
    disposition,
    make_plan,
    record,
    restart,
    result,
    sealed,
    step,
    template,
)

VALUE, RESTART = PLAN.actions
NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
DONE = record(PLAN, step(VALUE, "changed"), step(RESTART, "changed"))


def _states(plan: Plan, *results: RunResult) -> list[str]:
    """Where the actions stand after these, imported in this order."""
    lines: tuple[JournalLine, ...] = ()
    for one in results:
        lines += lines_for(one, lines)
    return [standing.state for standing in standings(plan, lines)]


def test_a_record_is_read() -> None:
    read = read_result(DONE, where="result.json")
    assert (read.kind, read.target, read.exit_code) == ("change", HOST, 0)
    assert [one.outcome for one in read.steps] == ["changed", "changed"]
    assert read.steps[0].before == {"RequestDisposition": "257"}


def test_properties_of_a_later_version_are_ignored() -> None:
    later = body(PLAN, step(VALUE, "changed") | {"new": 1}, new={"a": [1]})
    assert read_result(sealed(later), where="result.json").steps[0].id == 1


@pytest.mark.parametrize("cut", [1, 2, 3, 20, 80, 400])
def test_a_record_that_was_cut_off_is_told(cut: int) -> None:
    text = DONE.rstrip()[:-cut]
    with pytest.raises(DocumentError) as raised:
        read_result(text, where="result.json")
    assert str(raised.value) == (
        "result.json: this is no result of a script, or it is cut off. Ask for the file again, as the script wrote it."
    )


@pytest.mark.parametrize("text", [b"", b"{}", b"\x00" * 99, b'{"plan_id":1}', b"\xff\xfe{"])
def test_what_is_no_record_is_told(text: bytes) -> None:
    with pytest.raises(DocumentError):
        read_result(text, where="result.json")


def test_a_checksum_of_nonsense_makes_no_record() -> None:
    for nonsense in ({"a": 1}, {**body(PLAN), "exit_code": "0"}, {**body(PLAN), "kind": "other"}):
        with pytest.raises(DocumentError):
            read_result(sealed(nonsense), where="result.json")


@pytest.mark.parametrize("at", range(0, len(DONE) - 82, 37))
def test_an_edited_record_is_refused(at: int) -> None:
    text = DONE[:at] + bytes([DONE[at] ^ 1]) + DONE[at + 1 :]
    with pytest.raises(ResultEdited):
        read_result(text, where="result.json")


@pytest.mark.parametrize("time", ["11/23/2026 10:00:00", "2026-11-23T10:00:00", "now", "\u0662026-11-23T10:00:00Z"])
def test_a_time_that_is_not_utc_is_told(time: str) -> None:
    for more in ({"started": time}, {"finished": time}):
        with pytest.raises(DocumentError, match="UTC"):
            result(PLAN, **more)
    with pytest.raises(DocumentError, match="UTC"):
        result(PLAN, step(VALUE, "changed", started=time))


def test_a_format_that_is_not_known_is_told() -> None:
    assert result(PLAN, format_version="1.7").format_version == "1.7"
    with pytest.raises(DocumentError, match=r"2\.0 is not known"):
        result(PLAN, format_version="2.0")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"plan_id": "0" * 64}, "of another plan"),
        ({"target": OTHER_HOST}, f"nothing to do on {OTHER_HOST}"),
        ({"target": "directory"}, "nothing to do on directory"),
        ({"steps": [step(VALUE, "changed", id=9)]}, "step 9 is not one of the plan's"),
        ({"steps": [step(VALUE, "changed", kind="policy_server")]}, "step 1 is not one of the plan's"),
    ],
)
def test_what_does_not_belong_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match=words) as raised:
        check(result(PLAN, **more), PLAN, digest(PLAN), where="result.json")
    assert str(raised.value).startswith("result.json: ")


def test_what_belongs_is_not_refused() -> None:
    for one in (read_result(DONE, where=""), result(PLAN), result(PLAN, kind="rollback"), result(PLAN, kind="verify")):
        check(one, PLAN, digest(PLAN), where="result.json")


def test_a_run_is_told_as_lines_that_name_who_and_when() -> None:
    lines = lines_for(read_result(DONE, where=""), ())
    assert [(line.event, line.action, line.at[-3:]) for line in lines] == [
        ("imported", 0, "09Z"), ("begin", 1, "01Z"), ("done", 1, "02Z"), ("begin", 2, "01Z"), ("done", 2, "02Z"),
    ]  # fmt: skip
    assert {(line.source, line.target, line.by) for line in lines} == {("change.ps1", HOST, "CONTOSO\\anna")}
    assert (lines[1].before, lines[1].after) == ({"RequestDisposition": "257"}, None)
    assert lines[2].after == {"RequestDisposition": "1"}
    assert lines[0].detail == read_result(DONE, where="").sha256


def test_a_second_record_tells_only_what_the_first_did_not() -> None:
    killed = result(PLAN, step(VALUE, "changed"), step(RESTART, "begun"), exit_code=4, finished="", message="")
    first = lines_for(killed, ())
    finished = result(
        PLAN, step(VALUE, "changed"),
        step(RESTART, "changed", started="2026-11-23T11:00:01Z", finished="2026-11-23T11:00:02Z"),
        started="2026-11-23T11:00:00Z", finished="2026-11-23T11:00:09Z",
    )  # fmt: skip
    second = lines_for(finished, first)
    assert [(line.event, line.action) for line in second] == [("imported", 0), ("begin", 2), ("done", 2)]
    assert _states(PLAN, killed) == ["done", "unresolved"]
    assert _states(PLAN, killed, finished) == ["done", "done"]


def test_a_step_that_was_begun_and_found_written_is_told_once() -> None:
    killed = result(PLAN, step(VALUE, "begun"), step(RESTART, "not reached"), exit_code=4, finished="")
    found = step(VALUE, "changed", finished="")
    again = [
        result(
            PLAN,
            found,
            step(RESTART, "changed"),
            started=f"2026-11-23T1{hour}:00:00Z",
            finished=f"2026-11-23T1{hour}:00:09Z",
        )
        for hour in (1, 2)
    ]
    lines = lines_for(killed, ())
    for one in again:
        lines += lines_for(one, lines)
    assert [line.event for line in lines if line.action == 1] == ["begin", "done"]
    assert _states(PLAN, killed, *again) == ["done", "done"]


def test_a_record_is_known_by_its_checksum() -> None:
    one = read_result(DONE, where="")
    assert not is_held(one, ())
    assert is_held(one, lines_for(one, ()))
    assert not is_held(result(PLAN), lines_for(one, ()))


def _rollback(*steps: dict[str, Any], hour: int = 12) -> RunResult:
    more = {"started": f"2026-11-23T{hour}:00:00Z", "finished": f"2026-11-23T{hour}:00:09Z"}
    return result(PLAN, *steps, kind="rollback", **more)


def _later(hour: int) -> dict[str, Any]:
    return {"started": f"2026-11-23T{hour}:00:01Z", "finished": f"2026-11-23T{hour}:00:02Z"}


def test_a_rollback_undoes_whatever_the_order_of_the_import() -> None:
    change = read_result(DONE, where="")
    undone = _rollback(step(VALUE, "changed", undo=True, **_later(12)), step(RESTART, "changed", **_later(12)))
    assert _states(PLAN, change, undone) == ["undone", "done"]
    assert _states(PLAN, undone, change) == ["undone", "done"]
    again = result(PLAN, step(VALUE, "changed", **_later(13)), step(RESTART, "changed", **_later(13)),
                   started="2026-11-23T13:00:00Z", finished="2026-11-23T13:00:09Z")  # fmt: skip
    assert _states(PLAN, change, undone, again) == ["done", "done"]


def _change_and_what_came_after(*, at: str) -> tuple[RunResult, RunResult, RunResult]:
    """A change, its rollback and the change again, the later two by a clock that stands still at a time."""
    change = read_result(DONE, where="")
    times: Any = {"started": at, "finished": at}
    undone = result(
        PLAN, step(VALUE, "changed", undo=True, **times), step(RESTART, "changed", **times), kind="rollback",
        undoes=change.sha256, **times,
    )  # fmt: skip
    again = result(
        PLAN, step(VALUE, "changed", **times), step(RESTART, "changed", **times), follows=undone.sha256, **times
    )
    return change, undone, again


@pytest.mark.parametrize("at", ["2026-11-23T09:00:00Z", "2026-11-23T10:00:09Z", "2026-11-23T12:00:00Z"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_a_record_says_it_undoes_or_follows_decides_and_no_clock(at: str, order: tuple[int, ...]) -> None:
    records = _change_and_what_came_after(at=at)
    change, undone, _again = records
    assert _states(PLAN, undone, change) == _states(PLAN, change, undone) == ["undone", "done"]
    assert _states(PLAN, *(records[number] for number in order)) == ["done", "done"]


def test_a_circle_that_somebody_made_up_does_not_hang() -> None:
    lines = [
        JournalLine(at=f"2026-11-23T1{n}:00:00Z", event="imported", source="change.ps1", detail=own, follows=other)
        for n, (own, other) in enumerate((("a", "b"), ("b", "a")))
    ]
    assert in_order(lines) == tuple(lines)


def test_a_rollback_plan_is_made_from_what_happened_last() -> None:
    change, undone, again = _change_and_what_came_after(at="2026-11-23T09:00:00Z")
    lines = lines_for(undone, ())
    lines += lines_for(change, lines)
    with pytest.raises(RefusedError, match="nothing of it is left to undo"):
        undo_plan(make_plan(VALUE), [line for line in lines if line.action != RESTART.id], run="run", now=NOW)
    lines += lines_for(again, lines)
    assert [one.label for one in undo_plan(make_plan(VALUE), lines, run="run", now=NOW).actions] == ["undo: change 1"]


def test_a_restart_is_owed_from_the_write_to_the_restart() -> None:
    def owed(*results: RunResult) -> list[int]:
        lines: tuple[JournalLine, ...] = ()
        for one in results:
            lines += lines_for(one, lines)
        return [action.id for action in owed_restarts(PLAN, lines)]

    killed = result(PLAN, step(VALUE, "changed"), step(RESTART, "begun"), exit_code=4, finished="")
    assert owed(killed) == owed(result(PLAN, step(VALUE, "begun"), exit_code=4, finished="")) == [2]
    assert owed(read_result(DONE, where="")) == owed(killed, _rollback(step(RESTART, "changed", **_later(12)))) == []
    assert owed(read_result(DONE, where=""), _rollback(step(VALUE, "changed", undo=True, **_later(12)))) == [2]
    assert owed(result(PLAN, step(VALUE, "declined"), step(RESTART, "declined"))) == []
    other = make_plan(disposition(1), disposition(2, OTHER_HOST), restart(3, OTHER_HOST))
    lines = lines_for(result(other, step(other.actions[0], "changed")), ())
    assert owed_restarts(other, lines) == (), "a restart that no plan approved is not asked for"


def test_what_a_rollback_did_not_write_stays() -> None:
    change = read_result(DONE, where="")
    assert _states(PLAN, change, _rollback(step(VALUE, "declined", undo=True))) == ["done", "done"]
    assert _states(PLAN, change, _rollback(step(VALUE, "begun", undo=True, **_later(12)))) == ["unresolved", "done"]
    assert _states(PLAN, change, _rollback(step(VALUE, "as wanted", undo=True))) == ["undone", "done"]


def _verified(value: str, service: str = "as wanted") -> RunResult:
    more = {"started": "2026-11-23T14:00:00Z", "finished": "2026-11-23T14:00:01Z"}
    return result(PLAN, step(VALUE, value), step(RESTART, service), kind="verify", **more)


def test_a_verification_tells_what_became_of_it() -> None:
    change = read_result(DONE, where="")
    killed = result(PLAN, step(VALUE, "begun"), exit_code=4, finished="")
    assert _states(PLAN, change, _verified("as wanted")) == ["done", "done"]
    assert _states(PLAN, change, _verified("not as wanted")) == ["not as wanted", "done"]
    assert _states(PLAN, change, _verified("as wanted", "not as wanted")) == ["done", "not as wanted"]
    assert _states(PLAN, killed, _verified("as wanted")) == ["as wanted", "open"]
    assert _states(PLAN, killed, _verified("not as wanted")) == ["not as wanted", "open"]
    assert _states(PLAN, _verified("not as wanted")) == ["open", "open"]


def test_a_service_that_runs_says_nothing_of_a_restart() -> None:
    assert _states(PLAN, _verified("as wanted")) == ["as wanted", "open"]


@pytest.mark.parametrize(
    ("steps", "states"),
    [
        ((), ["open", "open"]),
        (("not reached", "not reached"), ["open", "open"]),
        (("as wanted", "changed"), ["as wanted", "done"]),
        (("declined", "declined"), ["declined", "declined"]),
        (("changed", "declined"), ["done", "declined"]),
        (("changed", "begun"), ["done", "unresolved"]),
        (("begun", "not reached"), ["unresolved", "open"]),
    ],
)
def test_where_actions_stand_after_one_record(steps: tuple[str, ...], states: list[str]) -> None:
    told = (step(one, outcome) for one, outcome in zip(PLAN.actions, steps, strict=False))
    assert _states(PLAN, result(PLAN, *told)) == states


def test_a_refused_run_is_told_with_its_reason_and_moves_nothing() -> None:
    refused = result(PLAN, exit_code=3, phase="comparing", message="A value is no longer as approved.")
    lines = lines_for(refused, ())
    assert [(line.event, line.detail) for line in lines[1:]] == [("refused", "A value is no longer as approved.")]
    assert _states(PLAN, refused) == ["open", "open"]
    assert _states(PLAN, read_result(DONE, where=""), refused) == ["done", "done"]


def test_an_honest_record_differs_in_nothing() -> None:
    plan = make_plan(template(1))
    (one,) = plan.actions
    assert not list(differences(read_result(DONE, where=""), PLAN))
    assert not list(differences(_verified("as wanted"), PLAN))
    assert not list(differences(_verified("not as wanted"), PLAN))
    assert not list(differences(_rollback(step(VALUE, "changed", undo=True)), PLAN))
    assert not list(differences(result(PLAN, step(VALUE, "declined"), step(RESTART, "not reached")), PLAN))
    raised = step(one, "changed")
    raised["before"] |= {REVISION: "7"}
    raised["after"] |= {REVISION: "8"}
    assert not list(differences(result(plan, raised), plan))


@pytest.mark.parametrize(
    ("outcome", "name", "value", "words"),
    [
        ("changed", "after", "2", "RequestDisposition became 2, the plan says 1"),
        ("changed", "after", None, "RequestDisposition became absent, the plan says 1"),
        ("changed", "before", "3", "RequestDisposition was 3, the plan says 257"),
        ("begun", "before", "3", "RequestDisposition was 3, the plan says 257"),
        ("as wanted", "after", "2", "RequestDisposition became 2, the plan says 1"),
    ],
)
def test_what_differs_from_the_plan_is_told(outcome: str, name: str, value: str | None, words: str) -> None:
    changed = step(VALUE, outcome) | {name: {"RequestDisposition": value}}
    assert list(differences(result(PLAN, changed), PLAN)) == [f"1. change 1: {words}"]


def test_a_long_value_is_told_in_short() -> None:
    plan = make_plan(template(1))
    changed = step(plan.actions[0], "changed")
    changed["after"] |= {"nTSecurityDescriptor": "A" * 5000}
    (told,) = differences(result(plan, changed), plan)
    assert len(told) < 250


def test_targets_are_told_apart() -> None:
    plan = make_plan(template(1), disposition(2), disposition(3, OTHER_HOST), restart(4, OTHER_HOST))
    other = result(plan, step(plan.actions[2], "changed"), target=OTHER_HOST)
    directory = result(plan, step(plan.actions[0], "changed"), target="directory")
    check(other, plan, digest(plan), where="")
    assert _states(plan, other, directory) == ["done", "open", "done", "open"]
    assert [one.target for one in standings(plan, ())] == ["directory", HOST, OTHER_HOST, OTHER_HOST]
