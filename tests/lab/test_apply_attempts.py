"""Attempts to apply against the lab: the domain controller's own clock, the check before a window, the approvals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from remediate.actions.writing import Lease
from remediate.model.errors import DocumentError
from remediate.model.journal import JournalLine
from remediate.model.utc import utc_text
from remediate.render.documents import CheckDocument
from remediate.runs.folder import RunFolder
from tests.lab.change_window import DONE, UNTOUCHED, ChangeWindow, in_process
from tests.lab.writing_material import writer


def days(number: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=number)


def check(window: ChangeWindow, **members: str) -> CheckDocument:
    file = window.changed("checked.json", **members)
    where = ["--runs", str(window.runs), "--trust", str(window.lab.trust)]
    ended = in_process("apply", str(file), "--check", "--json", *where)
    document = msgspec.json.decode(ended.out, type=CheckDocument)
    assert document.exit_code == ended.code
    return document


def test_a_clock_that_was_set_back_revives_no_plan(window: ChangeWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expired for a week, and this machine says that it is the day before."""
    members = {"created": utc_text(days(-14)), "expires_at": utc_text(days(-7))}
    file = window.changed("old.json", **members)
    before = days(-8)
    monkeypatch.setattr("remediate.cli.applying._now", lambda: before)
    ended = window.apply(file=file)
    told = " ".join(ended.err.split())
    assert (ended.code, "by the domain controller's clock the plan expired at" in told) == (3, True), ended
    assert window.stands() == UNTOUCHED
    refused = [one.name for one in check(window, **members).schedule if one.state == "refused"]
    assert refused == ["controller"]


def test_a_clock_that_differs_is_told_and_no_refusal(window: ChangeWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remediate.cli.applying._now", lambda: datetime.now(UTC) + timedelta(minutes=10))
    ended = window.apply()
    assert ended.code == 0, ended
    assert "the domain controller's clock is more than 5 minutes from this machine's" in " ".join(ended.err.split())
    assert window.stands() == DONE


def test_a_check_before_the_window_goes_on_to_the_rights(window: ChangeWindow) -> None:
    document = check(window, not_before=utc_text(days(1)), not_after=utc_text(days(2)))
    assert document.exit_code == 0, document
    states = {one.name: one.state for one in document.schedule}
    assert states.pop("window") == "not yet"
    assert set(states.values()) == {"holds"} and "controller" in states
    assert [(one.state, one.lacks) for one in document.actions] == [("as approved", "")] * 3
    assert window.stands() == UNTOUCHED


def test_each_attempt_that_writes_is_approved_and_named(window: ChangeWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused for a lock, then broken off, then gone on with: three tickets, two of which wrote."""
    other = writer(window.lab, window.lab.ca)
    lease = Lease(run="20261123T100000Z-0f3c5b0e", who="CONTOSO\\bert", token="0f" * 16, seconds=3600)
    assert other.lock(lease) is None
    assert window.apply("--ticket", "CHG1").code == 3
    other.unlock(token=lease.token)
    other.close()
    append = RunFolder.append

    def full(run: RunFolder, *lines: JournalLine) -> None:
        if any((line.event, line.action) == ("begin", 3) for line in lines):
            raise DocumentError("cannot be written", where=str(run.path), why="No space left on device")
        append(run, *lines)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "append", full)
        assert window.apply("--ticket", "CHG2").code == 4
    assert window.apply("--go-on", "--ticket", "CHG3").code == 0
    assert [one["ticket"] for one in window.run().approvals()] == ["CHG2", "CHG3"]
    assert window.stands() == DONE
