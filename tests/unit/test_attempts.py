"""Each attempt to apply a plan: by whom, under which approval, when, and what earlier ones leave of it.

The targets are in memory: what is written to which journal in which order is not a matter of the wire.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec
import pytest

from remediate.actions.states import before_and_after
from remediate.actions.writing import Holder, Lease
from remediate.cli.approvals import account
from remediate.cli.main import main
from remediate.model.errors import DocumentError
from remediate.model.journal import JournalLine
from remediate.model.plan import digest, seal
from remediate.model.utc import utc_text
from remediate.render.documents import CheckDocument, RunsDocument
from remediate.runs.folder import APPROVAL_FILE, PLAN_FILE, RunFolder, runs
from tests.engine.memory_writer import Held, Memory
from tests.unit.result_material import HOST, PLAN, disposition, make_plan, record, step

VALUE, RESTART = PLAN.actions
OTHER = Held("run0", "bert", "2026-11-23T20:30:00Z")


pytestmark = pytest.mark.usefixtures("away_from_settings")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The plan's host, with the plan's file in this folder."""
    writer = Watched(HOST, {action.id: before_and_after(action)[0] for action in PLAN.actions})
    writer.who_is_it = dict(PLAN.targets[-1].identity)

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[dict[str, Memory]]:
        yield {HOST: writer}

    monkeypatch.setattr("remediate.cli.writers.writers_of", opened)
    Path("plan.json").write_bytes(seal(PLAN))
    return writer


class Watched(Memory):
    """A host that remembers who locked it, and does something when it is locked."""

    who = ""
    locked: Callable[[], object] = staticmethod(lambda: None)

    def lock(self, lease: Lease) -> Holder | None:
        self.who = lease.who
        self.locked()
        return super().lock(lease)


def applied(*more: str) -> int:
    return main(["apply", "plan.json", "--approve", digest(PLAN), *more])


def the_run() -> RunFolder:
    (run,) = runs(Path("runs"))
    return run


def tickets(run: RunFolder) -> list[str]:
    return [one["ticket"] for one in run.approvals()]


def kept_ticket(run: RunFolder) -> str:
    return str(msgspec.json.decode((run.path / APPROVAL_FILE).read_bytes())["ticket"])


def no_room(monkeypatch: pytest.MonkeyPatch, event: str, number: int) -> None:
    """Make the disk full when that line is to be written."""
    append = RunFolder.append

    def full(run: RunFolder, *lines: JournalLine) -> None:
        if any((line.event, line.action) == (event, number) for line in lines):
            raise DocumentError("cannot be written", where=str(run.path), why="No space left on device")
        append(run, *lines)

    monkeypatch.setattr(RunFolder, "append", full)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr("remediate.cli.applying._now", lambda: moment)


# --- approvals --------------------------------------------------------------------------------------------------------


def test_the_approval_stands_before_the_first_write(host: Watched) -> None:
    assert applied("--ticket", "CHG1") == 0
    lines = the_run().whole_journal().lines
    assert [line.event for line in lines[:3]] == ["opened", "approved", "begin"]
    assert (lines[1].approval["ticket"], lines[1].approval["digest"]) == ("CHG1", digest(PLAN))
    assert (tickets(the_run()), kept_ticket(the_run())) == (["CHG1"], "CHG1")


def test_an_attempt_that_was_refused_leaves_no_approval(host: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    host.held = OTHER
    assert applied("--ticket", "CHG1") == 3
    assert (tickets(the_run()), kept_ticket(the_run())) == ([], "CHG1")
    capfd.readouterr()
    assert main(["runs"]) == 0
    assert "CHG1" not in capfd.readouterr().out
    host.held = None
    assert applied("--ticket", "CHG2", "--approved-by", "anna") == 0
    assert (tickets(the_run()), kept_ticket(the_run())) == (["CHG2"], "CHG2")
    assert main(["runs"]) == 0
    assert "approved by anna, CHG2" in capfd.readouterr().out


def test_every_attempt_that_writes_has_its_own_approval(
    host: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        no_room(patch, "done", VALUE.id)
        assert applied("--ticket", "CHG1") == 4
    assert applied("--go-on", "--ticket", "CHG2") == 0
    assert (tickets(the_run()), kept_ticket(the_run())) == (["CHG1", "CHG2"], "CHG2")
    capfd.readouterr()
    assert main(["runs", "--json"]) == 0
    (told,) = msgspec.json.decode(capfd.readouterr().out, type=RunsDocument).runs
    assert told.approval and told.approval.ticket == "CHG2"
    assert [one.ticket for one in told.approvals] == ["CHG1", "CHG2"]
    assert main(["runs", told.run]) == 0
    shown = capfd.readouterr().out
    assert "ticket       CHG1" in shown and "ticket       CHG2" in shown


def test_a_run_without_its_approval_never_stands_there(host: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended from outside as soon as there is a folder: the approval is in it."""

    def killed(_run: RunFolder, _line: JournalLine) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "approve", killed)
        assert applied("--ticket", "CHG1") == 130
    assert kept_ticket(the_run()) == "CHG1"
    assert the_run().plan()[1] == digest(PLAN)


# --- a folder that is not what its journal says -----------------------------------------------------------------------


def swapped(run: RunFolder) -> None:
    (run.path / PLAN_FILE).write_bytes(seal(make_plan(disposition(1))))


def re_approved(run: RunFolder) -> None:
    path = run.path / APPROVAL_FILE
    path.write_bytes(path.read_bytes().replace(b"CHG1", b"CHG9"))


def unapproved(run: RunFolder) -> None:
    (run.path / APPROVAL_FILE).unlink()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (swapped, "the plan in this run's folder is another than the one it was opened with"),
        (re_approved, "the approval in this run's folder is another than its journal has"),
        (unapproved, "the approval in this run's folder is another than its journal has"),
    ],
)
def test_a_swapped_plan_and_another_approval_are_refused_and_told(
    edit: Callable[[RunFolder], None], words: str, host: Watched, capfd: pytest.CaptureFixture[str]
) -> None:
    assert applied("--ticket", "CHG1") == 0
    name = the_run().name
    edit(the_run())
    for verb in (["rollback", name], ["verify", name], ["apply", "plan.json", "--approve", digest(PLAN), "--go-on"]):
        capfd.readouterr()
        assert main(verb) == 3
        assert words in capfd.readouterr().err
    assert main(["runs"]) == 1
    assert words in " ".join(capfd.readouterr().out.split())
    assert main(["apply", "plan.json", "--check"]) == 3
    assert words in " ".join(capfd.readouterr().out.split())
    assert host.writes == [VALUE.id, RESTART.id]


def test_a_folder_without_a_journal_is_no_run(host: Watched) -> None:
    other = Path("runs") / f"copy-{digest(PLAN)[:8]}"
    other.mkdir(parents=True)
    (other / PLAN_FILE).write_bytes(seal(PLAN))
    assert applied() == 0
    assert len(list(runs(Path("runs")))) == 1


def test_a_run_whose_journal_is_gone_is_refused(host: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    assert applied() == 0
    (the_run().path / "journal.jsonl").unlink()
    assert applied() == 3
    assert "the journal of this run is missing" in capfd.readouterr().err


# --- by whom ----------------------------------------------------------------------------------------------------------


def test_the_journal_names_the_account_and_the_lock_its_machine_too(host: Watched) -> None:
    assert applied("--user", "admin@CONTOSO.TEST") == 0
    assert {line.by for line in the_run().whole_journal().lines} == {"admin@CONTOSO.TEST"}
    assert host.who == f"admin@CONTOSO.TEST on {socket.gethostname()}"


def test_the_account_of_this_process_is_named_as_its_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", lambda: "anna")
    assert account("") == "anna"
    assert account("bert@CONTOSO.TEST") == "bert@CONTOSO.TEST"
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert account("") == f"uid {os.getuid()}"


# --- when -------------------------------------------------------------------------------------------------------------


def windowed(ends: datetime) -> list[str]:
    plan = msgspec.structs.replace(PLAN, not_after=utc_text(ends))
    Path("plan.json").write_bytes(seal(plan))
    return ["apply", "plan.json", "--approve", digest(plan)]


def test_a_window_that_closes_before_the_first_write_closes_it(
    host: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Behind the locks, which may have been waited for."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    host.locked = lambda: at(monkeypatch, ends)
    assert main(windowed(ends)) == 3
    assert "its window closed at" in capfd.readouterr().err
    assert (host.writes, host.held, tickets(the_run())) == ([], None, [])


def test_a_window_that_closes_while_somebody_is_asked_closes_it(
    host: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    command = windowed(ends)
    with monkeypatch.context() as patch:
        no_room(patch, "begin", RESTART.id)
        assert main(command) == 4
    monkeypatch.setattr("click.confirm", lambda *_, **__: at(monkeypatch, ends))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    capfd.readouterr()
    assert main(command) == 3
    told = capfd.readouterr().err
    assert "its window closed at" in told and f"A restart of CertSvc on {HOST} is owed" in told
    assert host.writes == [VALUE.id]


def test_a_run_that_began_in_its_window_ends_its_restarts(host: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = datetime.now(UTC) + timedelta(hours=1)
    host.breaks = lambda point: at(monkeypatch, ends) if point == "after the write" else None
    assert main(windowed(ends)) == 0
    assert host.writes == [VALUE.id, RESTART.id]


def answering(no: bool) -> Callable[..., None]:
    def answer(*_: object, **__: object) -> None:
        if no:
            raise click.Abort

    return answer


@pytest.mark.parametrize("no", [True, False], ids=["the question is answered with no", "Ctrl-C while it is read"])
def test_who_does_not_go_on_is_not_told_that_nothing_was_changed(
    no: bool, host: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> dict[str, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        no_room(patch, "begin", RESTART.id)
        assert applied() == 4
    monkeypatch.setattr("click.confirm", answering(no))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(host, "identity", interrupted)
    capfd.readouterr()
    assert applied() == 130
    told = capfd.readouterr().err
    assert "interrupted. Nothing more was changed." in told and "Nothing was changed" not in told
    assert host.writes == [VALUE.id]


@pytest.mark.parametrize(("more", "by"), [((), "typed at the terminal"), (("--approved-by", "bo"), "bo")])
def test_run_keeps_who_approved_it(
    more: tuple[str, ...], by: str, host: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is read, and the terminal, are not a matter of this."""

    class Read:
        snapshot = None

        def rights(self, _plan: object) -> tuple[()]:
            return ()

    monkeypatch.setattr("remediate.cli.plans._refuse_without_a_person", lambda *_, **__: None)
    monkeypatch.setattr("remediate.cli.plans._facts", lambda *_: nullcontext(Read()))
    monkeypatch.setattr("remediate.cli.plans._planned", lambda *_: PLAN)
    monkeypatch.setattr("remediate.cli.plans._typed", lambda _question: digest(PLAN)[:12])
    assert main(["run", "submission_pending", "--domain", "contoso.test", *more]) == 0
    assert host.writes == [VALUE.id, RESTART.id]
    assert [one["approved_by"] for one in the_run().approvals()] == [by]
    capfd.readouterr()
    assert main(["runs"]) == 0
    assert f"approved by {by}" in " ".join(capfd.readouterr().out.split())


@pytest.mark.parametrize("why", ["expired", "drifted"])
def test_no_refusal_forgets_a_restart_that_is_owed(
    why: str, host: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        no_room(patch, "begin", RESTART.id)
        assert applied() == 4
    if why == "expired":
        at(monkeypatch, datetime(9999, 12, 1, tzinfo=UTC))
    else:
        host.world[VALUE.id] = {"RequestDisposition": "7"}
    capfd.readouterr()
    assert applied("--go-on") == 3
    told = " ".join(capfd.readouterr().err.split())
    assert f"A restart of CertSvc on {HOST} is owed" in told
    assert ("Nothing more was changed" in told) == (why == "drifted")


# --- carried out by scripts -------------------------------------------------------------------------------------------


def imported(*steps: dict[str, object], **more: object) -> None:
    Path("result.json").write_bytes(record(PLAN, *steps, **more))
    main(["import", "result.json", "--plan", "plan.json"])


def test_what_scripts_have_done_is_not_applied_again(host: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    imported(step(VALUE, "changed"), step(RESTART, "changed"))
    run = the_run().name
    assert applied() == 3
    assert f"the plan was carried out by scripts already (run {run})" in capfd.readouterr().err
    assert host.writes == []


def test_what_scripts_have_done_a_part_of_is_theirs_to_end(host: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    killed = {"finished": "", "exit_code": 4, "message": "", "phase": "writing"}
    imported(step(VALUE, "changed"), step(RESTART, "begun"), **killed)
    assert applied() == 3
    told = capfd.readouterr().err
    assert "a part of the plan was carried out by scripts" in told and "Go on with the scripts" in told
    assert f"A restart of CertSvc on {HOST} is owed" in told


# --- before the window ------------------------------------------------------------------------------------------------


def checked(capfd: pytest.CaptureFixture[str], **members: str) -> CheckDocument:
    Path("plan.json").write_bytes(seal(msgspec.structs.replace(PLAN, **members)))
    capfd.readouterr()
    code = main(["apply", "plan.json", "--check", "--json"])
    document = msgspec.json.decode(capfd.readouterr().out, type=CheckDocument)
    assert document.exit_code == code
    assert [one.state for one in document.actions] == ["as approved"] * 2, "it goes on to the values and rights"
    return document


def test_a_check_before_the_window_tells_when_it_opens(host: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    opens = utc_text(datetime.now(UTC) + timedelta(hours=3))
    document = checked(capfd, not_before=opens)
    states = {one.name: one.state for one in document.schedule}
    assert (document.exit_code, states.pop("window"), set(states.values())) == (0, "not yet", {"holds"})
    assert main(["apply", "plan.json", "--check"]) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert f"every right is there; its window opens at {opens}" in told


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("expiry", {"created": "2026-11-01T00:00:00Z", "expires_at": "2026-11-08T00:00:00Z"}),
        ("window", {"not_after": "2026-11-23T10:00:00Z"}),
        ("clock", {"created": "9999-11-01T00:00:00Z"}),
    ],
)
def test_a_check_tells_what_would_refuse_it_and_goes_on(
    name: str, members: dict[str, str], host: Watched, capfd: pytest.CaptureFixture[str]
) -> None:
    document = checked(capfd, **members)
    assert (document.exit_code, [one.name for one in document.schedule if one.state == "refused"]) == (3, [name])
    assert main(["apply", "plan.json", "--check"]) == 3
    assert "It would be refused: " in capfd.readouterr().out


def test_a_check_of_a_used_plan_tells_its_run(host: Watched, capfd: pytest.CaptureFixture[str]) -> None:
    assert applied() == 0
    capfd.readouterr()
    assert main(["apply", "plan.json", "--check"]) == 3
    assert f"the plan was applied already (run {the_run().name})" in " ".join(capfd.readouterr().out.split())


def test_a_run_has_a_token_of_its_own(host: Watched) -> None:
    line = JournalLine(at="2026-11-23T10:00:00Z", event="opened", source="apply", detail=digest(PLAN))
    found = [
        RunFolder.create(Path("runs"), sealed=seal(PLAN), opened=line, digest=digest(PLAN), now=moment).token
        for moment in (datetime(2026, 11, 23, 10, tzinfo=UTC), datetime(2026, 11, 23, 11, tzinfo=UTC))
    ]
    assert len(set(found)) == 2 and all(len(one) >= 16 for one in found)


def test_a_run_that_was_rolled_back_is_not_gone_on_with(
    host: Watched, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        no_room(patch, "done", VALUE.id)
        assert applied() == 4
    broken = the_run().name
    assert main(["rollback", broken, "--out", "back.json"]) == 2
    approve = msgspec.json.decode(Path("back.json").read_bytes())["plan_id"]
    assert main(["apply", "back.json", "--approve", approve]) == 0
    capfd.readouterr()
    assert applied("--go-on") == 3
    told = " ".join(capfd.readouterr().err.split())
    assert f"run {broken} of it was rolled back" in told and "Plan again" in told
