"""What `runs` and `rollback` tell of a run that owes a restart, was rolled back, or was never ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from remediate.cli.main import main
from remediate.engine.undoing import undo_plan
from remediate.model.journal import JournalLine
from remediate.model.plan import digest, seal, unseal
from remediate.render.documents import RollbackDescription, RunsDocument
from remediate.runs.folder import RunFolder, alone
from tests.unit.result_material import HOST, PLAN, disposition, make_plan, restart
from tests.unit.test_owed import COMMAND, NOW, at_hand, host, journal, kept

pytestmark = pytest.mark.usefixtures("away_from_settings")


# --- runs ------------------------------------------------------------------------------------------------------------


def told(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    capfd.readouterr()
    assert main(["runs", *arguments]) == 0
    return " ".join(capfd.readouterr().out.split())


def document(capfd: pytest.CaptureFixture[str], *arguments: str) -> RunsDocument:
    return msgspec.json.decode(told(capfd, *arguments, "--json"), type=RunsDocument)


def test_runs_says_what_is_owed_until_a_run_has_restarted_there(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(PLAN, "1 begin", "1 done")
    for text in (told(capfd), told(capfd, run.name)):
        assert f"A restart of CertSvc on {HOST} is owed" in text and COMMAND in text
        assert "One that was done by hand since is not known here." in text
    assert [one.restarts_owed for one in document(capfd).runs] == [(HOST,)]
    other = make_plan(disposition(1), restart(2), created="2026-11-24T00:00:00Z")
    kept(other, "1 begin", "1 done", "2 begin", "2 done", ended="0", second=9, minute=3)
    assert [one.restarts_owed for one in document(capfd).runs] == [(), ()]


def test_a_run_that_is_at_work_is_told_as_that_and_cannot_be_rolled_back(capfd: pytest.CaptureFixture[str]) -> None:
    ended = kept(PLAN, "1 begin", "1 done", "2 begin", "2 done", ended="0")
    run = kept(PLAN, "1 begin", "1 done", "2 begin", second=5, minute=2)
    with alone(Path("runs"), digest(PLAN)):
        said = told(capfd)
        assert "1 of 2 done, at work now (process " in said and "2 of 2 done, applied and verified" in said
        assert "owed" not in said and "unresolved" not in said and "To go on" not in told(capfd, run.name)
        assert [bool(one.at_work) for one in document(capfd).runs] == [False, True]
        assert main(["rollback", run.name]) == 3
        assert "the run is at work" in " ".join(capfd.readouterr().err.split())
        assert main(["rollback", ended.name]) == 2, "that one has ended"
    assert "not ended" in told(capfd)
    assert main(["rollback", run.name]) == 2


def test_no_undo_is_offered_where_nothing_was_written(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(PLAN, "1 as wanted", "2 begin", "2 done", ended="0")
    assert "rollback" not in told(capfd, run.name)
    assert [one.undoable for one in document(capfd).runs] == [False]
    assert main(["rollback", run.name]) == 3


def test_a_rollback_that_is_older_than_the_end_of_its_run_is_refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    two = make_plan(disposition(1), restart(2), disposition(3))
    run = kept(two, "1 begin", "1 done")
    assert main(["rollback", run.name, "--out", "back.json"]) == 2
    back = unseal(Path("back.json").read_bytes(), where="")[0]
    run.append(*journal("3 begin", "3 done", "2 begin", "2 done", minute=5))
    monkeypatch.setattr("remediate.cli.applying._now", lambda: datetime.now(UTC) + timedelta(seconds=5))
    capfd.readouterr()
    assert main(["apply", "back.json", "--approve", digest(back), "--runs", "runs"]) == 3
    said = " ".join(capfd.readouterr().err.split())
    assert "has written, or was taken back, since this rollback was made" in said
    assert f"remediate rollback {run.name} --out back.json" in said


def rolled_back(run: RunFolder, *events: str, ended: str = "") -> RunFolder:
    back = undo_plan(PLAN, run.journal().lines, run=run.name, now=NOW)
    return kept(back, *events, ended=ended, second=30, minute=9)


def test_runs_says_that_a_run_was_rolled_back_and_does_not_offer_it(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(PLAN, "1 begin", "1 done", "2 begin", "2 done", ended="0")
    offer = f"remediate rollback {run.name} --out back.json"
    assert offer in told(capfd, run.name)
    refused = rolled_back(run)
    assert offer in told(capfd, run.name), "that one was refused before it began to"
    refused.append(*journal("1 begin", minute=10))
    assert f"its rollback, run {refused.name}, has not ended" in told(capfd, run.name)
    refused.append(*journal("1 done", "2 begin", "2 done", minute=11))
    refused.append(JournalLine(at="2026-11-24T20:50:00Z", event="closed", source="apply", detail="0"))
    for text in (told(capfd), told(capfd, run.name)):
        assert f"applied and verified, rolled back by run {refused.name}" in text
    assert offer not in told(capfd, run.name)
    assert f"remediate rollback {refused.name} --out back.json" in told(capfd, refused.name)
    assert document(capfd, run.name).runs[0].rollback == RollbackDescription(run=refused.name, ended=0)


def test_a_broken_off_run_that_was_rolled_back_owes_nothing_and_is_not_gone_on_with(
    capfd: pytest.CaptureFixture[str],
) -> None:
    run = kept(PLAN, "1 begin", "1 done")
    assert "To go on" in told(capfd, run.name)
    rolled_back(run, "1 begin", "1 done", "2 begin", "2 done", ended="0")
    text = told(capfd, run.name)
    assert "To go on" not in text and "is owed" not in text


def test_a_refusal_of_a_plan_says_what_its_run_owes_until_another_has_restarted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = msgspec.structs.replace(PLAN, created="2001-01-01T00:00:00Z", expires_at="2001-01-08T00:00:00Z")
    Path("plan.json").write_bytes(seal(plan))
    run = kept(plan, "1 begin", "1 done")

    def refused() -> str:
        capfd.readouterr()
        with at_hand(monkeypatch, host("1")):
            assert main(["apply", "plan.json", "--approve", digest(plan), "--go-on"]) == 3
        return " ".join(capfd.readouterr().err.split())

    text = refused()
    assert "the plan expired" in text and COMMAND in text
    back = undo_plan(plan, run.journal().lines, run=run.name, now=NOW)
    kept(back, "1 begin", "1 done", "2 begin", "2 done", ended="0", second=30, minute=9)
    text = refused()
    assert "the plan expired" in text and COMMAND not in text


def test_what_is_unresolved_is_offered_to_be_undone(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(PLAN, "1 begin")
    assert f"remediate rollback {run.name} --out back.json" in told(capfd, run.name)


# --- rollback --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--format", "md"), ("--dry-run", "--out", "back.json")])
def test_a_rollback_that_is_not_kept_tells_no_digest_but_how_to_keep_it(
    more: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    run = kept(PLAN, "1 begin", "1 done")
    capfd.readouterr()
    assert main(["rollback", run.name, *more]) == 2
    out = capfd.readouterr().out
    assert "igest" not in out and not Path("back.json").exists()
    assert (f"remediate rollback {run.name} --out back.json" in out) is ("md" not in more)


def test_the_digest_that_is_told_is_that_of_the_file(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(PLAN, "1 begin", "1 done")
    capfd.readouterr()
    assert main(["rollback", run.name, "--out", "back.json"]) == 2
    plan_id = json.loads(Path("back.json").read_text())["plan_id"]
    assert plan_id in capfd.readouterr().out
    made = unseal(Path("back.json").read_bytes(), where="back.json")[0]
    assert timedelta() <= datetime.now(UTC) - datetime.fromisoformat(made.created) < timedelta(minutes=5)
