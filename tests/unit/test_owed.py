"""A restart that is owed is neither forgotten nor called done: by the journal of a run, in what is told, in verify."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.actions.states import Table, before_and_after
from remediate.cli.main import main
from remediate.engine.applying import Step, read_steps
from remediate.engine.returned import owed_restarts, owed_text, restarted
from remediate.engine.undoing import undo_plan
from remediate.engine.verifying import Verification, stands_now
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan, digest, seal
from remediate.render.applied import Run, applied, applied_lines, verification_lines, verify_document, verify_lines
from remediate.render.documents import ApprovalDescription, VerifyDocument
from remediate.render.text import as_text
from remediate.runs.folder import RunFolder
from tests.engine.memory_writer import Memory
from tests.unit.result_material import HOST, OTHER_HOST, PLAN, disposition, make_plan, restart

VALUE, RESTART = PLAN.actions
NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
TWO = make_plan(disposition(1), disposition(2, OTHER_HOST), restart(3), restart(4, OTHER_HOST))
COMMAND = "Restart-Service -Name CertSvc"
APPROVAL = ApprovalDescription(digest=digest(PLAN)[:12])


pytestmark = pytest.mark.usefixtures("away_from_settings")


def journal(*events: str, minute: int = 0) -> tuple[JournalLine, ...]:
    """Lines of `apply`, a second apart, of `2 done` and so on."""
    return tuple(
        JournalLine(
            at=f"2026-11-24T20:{minute:02}:{second:02}Z", event=event, source="apply", action=int(number),  # type: ignore[arg-type]
            before={"RequestDisposition": "257"}, after={"RequestDisposition": "1"} if event == "done" else None,
        )
        for second, (number, _, event) in enumerate(text.partition(" ") for text in events)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("events", "owed"),
    [
        ((), []),
        (("1 begin",), [2]),
        (("1 begin", "1 unresolved"), [2]),
        (("1 begin", "1 done"), [2]),
        (("1 begin", "1 done", "2 begin"), [2]),
        (("1 begin", "1 done", "2 begin", "2 unresolved"), [2]),
        (("1 begin", "1 done", "2 begin", "2 done"), []),
        (("1 begin", "1 done", "2 begin", "2 done", "1 done"), []),
        (("1 begin", "1 done", "2 begin", "2 done", "1 begin"), [2]),
        (("1 begin", "1 done", "2 begin", "2 done", "1 begin", "1 failed"), []),
        (("1 begin", "1 failed"), []),
        (("1 begin", "1 unresolved", "1 begin", "1 failed"), [2]),
        (("1 begin", "1 as wanted"), [2]),
        (("1 as wanted",), [2]),
        (("1 as wanted", "2 begin", "2 done"), []),
        (("1 as wanted", "2 begin", "2 done", "1 as wanted"), []),
    ],
)
def test_a_run_owes_a_restart_from_what_it_may_have_written_to_the_restart(
    events: tuple[str, ...], owed: list[int]
) -> None:
    assert [action.id for action in owed_restarts(PLAN, journal(*events))] == owed


def test_each_host_owes_its_own() -> None:
    lines = journal("1 begin", "1 done", "2 begin", "2 done", "3 begin", "3 done")
    assert [action.id for action in owed_restarts(TWO, lines)] == [4]


def test_a_restart_by_another_run_makes_up_for_it_when_it_began_later() -> None:
    lines = journal("1 begin", "1 done")
    other = restarted(PLAN, journal("1 begin", "1 done", "2 begin", "2 done", minute=5))
    assert other == {HOST: "2026-11-24T20:05:02Z"}
    assert owed_restarts(PLAN, lines, elsewhere=other) == ()
    assert owed_restarts(PLAN, lines, elsewhere={HOST: lines[0].at}) == (RESTART,)
    assert owed_restarts(PLAN, lines, elsewhere={OTHER_HOST: "2027"}) == (RESTART,)
    again = journal("1 begin", "1 done", "2 begin", "2 done", "1 done", "2 done", minute=5)
    assert restarted(PLAN, again) == other, "noted once more is not restarted once more"
    assert restarted(PLAN, journal("2 begin", "2 unresolved")) == {}


def test_what_is_owed_is_told_with_the_command() -> None:
    assert owed_text(PLAN, journal("1 begin", "1 done")) == (
        f"A restart of CertSvc on {HOST} is owed: until then the CA goes on with the old values. An administrator of "
        f"that host makes up for it with: {COMMAND}."
    )
    assert owed_text(PLAN, journal("1 begin", "1 done", "2 begin", "2 done")) == ""
    assert owed_text(TWO, journal("1 begin", "2 begin")).count(COMMAND) == 2


def test_going_on_restarts_again_after_a_value_that_was_written_anew() -> None:
    """It had restarted; then somebody put the value back, it was written again, and the run was killed."""
    lines = journal("1 begin", "1 done", "2 begin", "2 done", "1 begin")
    earlier = tuple(line if line.action == 1 else msgspec.structs.replace(line, before=None) for line in lines)
    writer = host("1")
    assert [step.verdict for step in read_steps(PLAN, {HOST: writer}, earlier)] == ["as wanted", "as approved"]
    assert [step.verdict for step in read_steps(PLAN, {HOST: writer}, earlier[:4])] == ["as wanted", "as wanted"]


def test_the_rollback_of_a_run_that_owes_a_restart_restarts() -> None:
    back = undo_plan(PLAN, journal("1 begin", "1 done"), run="r", now=NOW)
    assert [action.kind for action in back.actions] == ["ca_registry_value", "restart_service"]


# --- verify ----------------------------------------------------------------------------------------------------------


def host(value: str, plan: Plan = PLAN, service: str = "Running") -> Memory:
    world: dict[int, Table] = {action.id: before_and_after(action)[0] for action in plan.actions}
    return Memory(HOST, world | {1: {"RequestDisposition": value}, 2: {"State": service}})


def states(value: str, lines: tuple[JournalLine, ...] | None, **more: Any) -> tuple[list[str], int]:
    standing = stands_now(PLAN, {HOST: host(value)}, lines, **more)
    return [one.state for one in standing], Verification(standing=standing).exit_code


def test_a_restart_is_judged_by_the_journal_and_never_by_the_service() -> None:
    written = journal("1 begin", "1 done")
    done = journal("1 begin", "1 done", "2 begin", "2 done")
    assert states("1", written) == (["as wanted", "owed"], 1)
    assert states("1", done) == (["as wanted", "as wanted"], 0)
    assert states("257", done) == (["not as wanted", "as wanted"], 2)
    assert states("1", None) == (["as wanted", "as wanted"], 0), "all of it has just been carried out"
    assert states("1", ()) == (["as wanted", "not read"], 1), "nobody knows who wrote it, and when"
    assert states("257", ()) == (["not as wanted", "not as wanted"], 2)
    assert states("1", written, elsewhere={HOST: "2026-11-25"}) == (["as wanted", "as wanted"], 0)
    assert states("1", (), elsewhere={HOST: "2026-11-25"}) == (["as wanted", "not read"], 1), "before it, or after"


def test_a_service_that_does_not_run_is_not_as_wanted_whatever_the_journal_says() -> None:
    standing = stands_now(PLAN, {HOST: host("1", service="Stopped")}, journal("1 begin", "1 done"))
    assert [one.state for one in standing] == ["as wanted", "not as wanted"]


def test_verify_tells_what_is_owed() -> None:
    verification = Verification(standing=stands_now(PLAN, {HOST: host("1")}, journal("1 begin", "1 done")))
    document = verify_document(verification, plan_id="x")
    told = " ".join(as_text(verify_lines(document)).split())
    assert "owed 2. change 2" in told and COMMAND in told
    assert "1 of 2 stand as wanted, 1 restart is owed." in told
    assert not document.verification.as_wanted


def kept(
    plan: Plan = PLAN, *events: str, ended: str = "", second: int = 0, source: str = "apply", minute: int = 0
) -> RunFolder:
    opened = JournalLine(at="2026-11-24T19:59:00Z", event="opened", source=source, detail=digest(plan))
    now = NOW.replace(second=second)
    run = RunFolder.create(Path("runs"), sealed=seal(plan), opened=opened, digest=digest(plan), now=now)
    if events:
        run.append(*journal(*events, minute=minute))
    if ended:
        run.append(JournalLine(at="2026-11-24T20:50:00Z", event="closed", source=source, detail=ended))
    return run


@contextmanager
def at_hand(monkeypatch: pytest.MonkeyPatch, writer: Memory) -> Iterator[None]:
    """A target in memory for `apply` and `verify`: what is told is not a matter of the wire."""

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[dict[str, Memory]]:
        yield {HOST: writer}

    with monkeypatch.context() as patch:
        patch.setattr("remediate.cli.writers.writers_of", opened)
        yield


@pytest.mark.parametrize("given", ["run", "plan"])
def test_verify_takes_the_journal_of_a_run_and_of_a_plan(
    given: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("plan.json").write_bytes(seal(PLAN))
    run = kept(PLAN, "1 begin", "1 done")
    meant = run.name if given == "run" else "plan.json"

    def verify() -> tuple[int, list[str]]:
        capfd.readouterr()
        with at_hand(monkeypatch, host("1")):
            code = main(["verify", meant, "--json"])
        document = msgspec.json.decode(capfd.readouterr().out, type=VerifyDocument)
        return code, [one.state for one in document.verification.actions]

    assert verify() == (1, ["as wanted", "owed"])
    run.append(*journal("2 begin", "2 done", minute=1))
    assert verify() == (0, ["as wanted", "as wanted"])


def test_verify_says_that_a_journal_was_edited_and_takes_nothing_from_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("plan.json").write_bytes(seal(PLAN))
    other = make_plan(disposition(1), restart(2), created="2026-11-24T00:00:00Z")
    kept(other, "1 begin", "1 done", "2 begin", "2 done")
    run = kept(PLAN, "1 begin", "1 done", "2 begin", "2 done", second=7)
    file = run.path / "journal.jsonl"
    file.write_bytes(file.read_bytes().replace(b"20:00:01Z", b"20:00:00Z"))
    for meant in (run.name, "plan.json"):
        capfd.readouterr()
        with at_hand(monkeypatch, host("1")):
            assert main(["verify", meant]) == 1
        said = capfd.readouterr()
        assert f"remediate: run {run.name} cannot be believed, and is left out: line" in " ".join(said.err.split())
        assert "not read 2. change 2" in " ".join(said.out.split())


def test_a_plan_without_a_run_has_nothing_that_tells_of_its_restart(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("plan.json").write_bytes(seal(PLAN))
    with at_hand(monkeypatch, host("1")):
        assert main(["verify", "plan.json"]) == 1
    told = " ".join(capfd.readouterr().out.split())
    assert "not read 2. change 2" in told and "a service that runs says nothing of it" in told


def own_playbook(tmp_path: Path) -> Plan:
    """A plan that was made with a playbook of the admin's own."""
    (tmp_path / "own").mkdir()
    shipped = Path(__file__).resolve().parents[2] / "playbooks" / "submission_pending.py"
    (tmp_path / "own" / "our_pending.py").write_bytes(shipped.read_bytes())
    because = msgspec.structs.replace(VALUE, because=("our_pending/x/y",))
    return make_plan(because, RESTART, playbooks={"our_pending": "1.0"}, options={"playbooks": ["our_pending"]})


def test_a_playbook_that_is_not_known_is_said_with_the_option_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = own_playbook(tmp_path)
    run = kept(plan, "1 begin", "1 done", "2 begin", "2 done", ended="0")
    asked = list[str]()

    def no_facts(*_: object) -> None:
        asked.append("read")
        raise KeyboardInterrupt

    monkeypatch.setattr("remediate.cli.facts.read_facts", no_facts)
    with at_hand(monkeypatch, host("1", plan)):
        assert main(["verify", run.name]) == 1
        told = " ".join(capfd.readouterr().out.split())
        assert "the plan's playbook our_pending is not known here" in told and "--playbooks DIR" in told
        assert asked == []
        assert main(["verify", run.name, "--playbooks", "own"]) == 130
    assert asked == ["read"]


# --- apply -----------------------------------------------------------------------------------------------------------


def steps(*outcomes: str) -> tuple[Step, ...]:
    found = read_steps(PLAN, {HOST: host("257")})
    for step, outcome in zip(found, outcomes, strict=True):
        step.outcome = outcome
    return found


@pytest.mark.parametrize(
    ("outcomes", "owed"),
    [
        (("done", "unresolved"), True), (("done", "not reached"), True), (("unresolved", "not reached"), True),
        (("as wanted", "failed"), True), (("failed", "not reached"), False), (("done", "done"), False),
        (("not reached", "not reached"), False),
    ],
)  # fmt: skip
def test_a_run_that_stops_part_way_says_what_it_owes(outcomes: tuple[str, ...], owed: bool) -> None:
    document = applied(
        Run(name="r", folder="/r", plan_id="x"), steps(*outcomes), approval=APPROVAL, exit_code=4, verification=None
    )
    told = " ".join(as_text(applied_lines(document)).split())
    assert (document.restarts_owed, COMMAND in told) == ((HOST,) if owed else (), owed)


def test_stopped_while_it_was_verified_it_says_what_to_do_next() -> None:
    run = Run(name="20261124T200211Z-57319ed5", folder="/r", plan_id="x")
    document = applied(run, steps("done", "done"), approval=APPROVAL, exit_code=4, verification=None)
    told = " ".join(as_text(applied_lines(document)).split())
    assert "Stopped part-way" not in told and "All of it is done" in told
    assert "--go-on" in told and f"remediate verify {run.name}" in told
    stopped = applied(run, steps("done", "not reached"), approval=APPROVAL, exit_code=4, verification=None)
    assert "Stopped part-way, and not verified." in as_text(applied_lines(stopped))


def test_what_is_unresolved_can_be_undone() -> None:
    run = Run(name="r", folder="/r", plan_id="x")
    document = applied(run, steps("unresolved", "not reached"), approval=APPROVAL, exit_code=4, verification=None)
    assert "What undoes it: remediate rollback r --out back.json" in as_text(applied_lines(document))


@pytest.mark.parametrize(
    ("undoes_rollback", "words"),
    [(False, "the problems that it had mended are expected to be back"), (True, "whether the problems are gone")],
)
def test_a_rollback_does_not_say_that_its_problems_are_gone(undoes_rollback: bool, words: str) -> None:
    verification = Verification(
        standing=stands_now(PLAN, {HOST: host("1")}), rollback_of="run1", undoes_rollback=undoes_rollback
    )
    document = verify_document(verification, plan_id="x")
    told = " ".join(as_text(verification_lines(document.verification, verified="Verified", listed=False)).split())
    assert told.startswith("Verified: 2 of 2 stand as before run run1") and words in told
    assert "found any more" not in told and verification.exit_code == 0


def test_applying_a_rollback_tells_that_it_is_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = kept(PLAN, "1 begin", "1 done", "2 begin", "2 done", ended="0")
    assert main(["rollback", run.name, "--out", "back.json"]) == 2
    writer = host("1")
    writer.who_is_it = {"MachineGuid": "0f3c", "certificate_thumbprint": "ED98"}
    approved = json.loads(Path("back.json").read_text())["plan_id"]
    capfd.readouterr()
    with at_hand(monkeypatch, writer):
        assert main(["apply", "back.json", "--approve", approved]) == 0
    told = " ".join(capfd.readouterr().out.split())
    assert f"stand as before run {run.name}, and the problems that it had mended are expected to be back" in told
    assert writer.world[1] == {"RequestDisposition": "257"}
