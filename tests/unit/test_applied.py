"""What apply, its check, verify, rollback and runs tell: all of it, in words and as documents, without any server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from remediate.actions.states import DESCRIPTOR, Table, before_and_after
from remediate.actions.writing import Holder, Lease
from remediate.adcs.ace import enroll_ace, read_ace
from remediate.adcs.sddl import ace_to_sddl
from remediate.adcs.sid import Sid
from remediate.cli.facts import read_facts
from remediate.cli.main import main
from remediate.cli.options import FactOptions
from remediate.engine.applying import Drifted, Step, read_steps
from remediate.engine.checking import Check, check_all
from remediate.engine.guards import OVERRIDABLE
from remediate.engine.planning import PlanOptions, make_plan
from remediate.engine.returned import Standing
from remediate.engine.undoing import undo_plan
from remediate.engine.verifying import Verification, _bears_on, _is_another_cause, found_again, stands_now
from remediate.facts.documents import Failure, Snapshot
from remediate.model.errors import DocumentError, RefusedError, TransportError, UnknownFact
from remediate.model.finding import Target
from remediate.model.journal import JournalLine
from remediate.model.plan import Action, Obtains, Plan, TargetIdentity, digest, seal, unseal
from remediate.render.applied import (
    Run,
    applied,
    applied_lines,
    drift_lines,
    verification_lines,
    verify_document,
    verify_lines,
)
from remediate.render.applied_check import check_document, check_lines
from remediate.render.dacl_change import dacl_beside
from remediate.render.documents import (
    AppliedDocument,
    ApprovalDescription,
    CheckDocument,
    DriftedValue,
    ErrorDocument,
    RunsDocument,
    drifted_values,
    error_document,
)
from remediate.render.reading import unanswered
from remediate.render.text import WIDTH, Line, as_text
from remediate.runs.folder import APPROVAL_FILE, RunFolder
from remediate.transports.credentials import Logon
from remediate.transports.failure_codes import LOGON_REFUSED
from tests.engine.memory_writer import Memory
from tests.unit.descriptor_material import with_dacl
from tests.unit.result_material import HOST, PLAN, REVISION, disposition, restart, template
from tests.unit.result_material import make_plan as made_plan

ROOT = Path(__file__).resolve().parents[2]
VALUE, RESTART = PLAN.actions
NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
IDENTITY = {"MachineGuid": "0f3c", "certificate_thumbprint": "ED98"}
RUN = Run(name="20261124T200211Z-57319ed5", folder="/runs/20261124T200211Z-57319ed5", plan_id=digest(PLAN))
APPROVAL = ApprovalDescription(digest=digest(PLAN)[:12], ticket="CHG1", approved_by="anna")


pytestmark = pytest.mark.usefixtures("away_from_settings")


class Shut(Memory):
    """A target that answers nobody who is not an administrator, as a host does over WinRM."""

    def identity(self) -> dict[str, str]:
        raise TransportError("the account may not connect", where=HOST, why="WinRM fault 5", code="0x80070005")

    def read(self, action: Action) -> Table:
        del action
        raise TransportError("the account may not connect", where=HOST, why="WinRM fault 5", code="0x80070005")


class Mute(Shut):
    """A target that does not even tell what the account may do."""

    def lacks(self, action: Action) -> str:
        raise UnknownFact(f"rights for {action.id}", "the server does not tell")


class Watched(Memory):
    """A target that remembers in which order it was asked."""

    def __init__(self, asked: list[str]) -> None:
        super().__init__(HOST, {action.id: before_and_after(action)[0] for action in PLAN.actions})
        self.asked, self.who_is_it = asked, IDENTITY

    def read(self, action: Action) -> Table:
        self.asked.append(f"read {action.id}")
        return super().read(action)

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        self.asked.append(f"write {action.id}")
        return super().write(action, before=before, after=after)

    def lock(self, lease: Lease) -> Holder | None:
        self.asked.append("lock")
        return super().lock(lease)


class Elsewhere(Memory):
    """A target at which another object stands in the place of the plan's."""

    def read(self, action: Action) -> Table:
        raise RefusedError("it is another object", where=action.address)


def host(kind: type[Memory] = Memory, *, missing: str = "") -> Memory:
    found = kind.before(HOST, PLAN.actions)
    found.who_is_it, found.missing = IDENTITY, missing
    return found


def checked(writer: Memory) -> tuple[Check, str]:
    check = check_all(PLAN, {HOST: writer})
    return check, as_text(check_lines(check_document(check, plan_id=digest(PLAN))))


def test_a_check_of_what_could_be_applied() -> None:
    writer = host()
    check, told = checked(writer)
    assert (check.exit_code, [one.verdict for one in check.actions]) == (0, ["as approved"] * 2)
    assert told.count("right is there: ") == 2
    assert told.endswith("every right is there.\nNothing was changed.\n")
    assert writer.writes == []


def test_a_check_tells_every_right_that_lacks_and_not_only_the_first() -> None:
    check, told = checked(host(missing="control of the service CertSvc"))
    assert check.exit_code == 3
    assert told.count("lacks: control of the service CertSvc") == 2
    assert "It would be refused: a right is missing for 1, 2." in told


def test_a_check_of_a_target_that_turns_the_account_away_tells_its_rights_all_the_same() -> None:
    check, told = checked(host(Shut, missing="a session on the host over WinRM"))
    assert (check.exit_code, {one.verdict for one in check.actions}) == (3, {"not read"})
    assert "  not read     ca01.contoso.test: the account may not connect (WinRM fault 5)" in told
    assert told.count("lacks: a session") == 2
    silent, told = checked(host(Shut))
    assert silent.exit_code == 1
    assert "nobody can tell whether it would be applied" in told


def test_a_check_names_another_target_another_place_and_drift() -> None:
    writer = host()
    writer.who_is_it = {"MachineGuid": "beef"}
    writer.world[1] = {"RequestDisposition": "2"}
    check, told = checked(writer)
    assert check.exit_code == 3
    assert "MachineGuid is beef, planned for 0f3c" in told
    assert "not the plan's target: ca01.contoso.test; a value is no longer as approved." in told
    elsewhere, told = checked(host(Elsewhere))
    assert elsewhere.exit_code == 3
    assert "a place is another than the plan's" in told


def test_what_cannot_be_read_is_unknown_and_never_refused() -> None:
    """An object of which this account may read nothing is not another object."""
    check, told = checked(host(Mute))
    document = check_document(check, plan_id=digest(PLAN))
    assert check.exit_code == 1
    assert [(one.state, one.lacks) for one in document.actions] == [("not read", None)] * 2
    assert {one.untold for one in document.actions} == {"could not be read (the server does not tell)"}
    assert told.count("unknown: the account may not connect (WinRM fault 5)") == 2
    assert told.count("right: unknown (could not be read (the server does not tell))") == 2
    assert "efused" not in told and "right is there" not in told


def test_what_is_refused_leaves_the_unknown_unknown() -> None:
    lacking = host(Shut, missing="local administrator")
    _, told = checked(lacking)
    assert "It would be refused: a right is missing for 1, 2.\nNot all of it could be read; " in told


def applied_in_memory(monkeypatch: pytest.MonkeyPatch, writer: Memory) -> int:
    """`apply` with a target in memory: which addresses are read when is not a matter of the wire."""
    Path("plan.json").write_bytes(seal(PLAN))

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[dict[str, Memory]]:
        yield {HOST: writer}

    monkeypatch.setattr("remediate.cli.writers.writers_of", opened)
    return main(["apply", "plan.json", "--approve", digest(PLAN)])


def test_every_address_is_read_before_the_lock_and_once_more_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    assert applied_in_memory(monkeypatch, Watched(asked)) == 0
    assert asked == ["read 1", "read 2", "lock", "read 1", "read 2", "write 1", "write 2", "read 1", "read 2"]


def test_a_plan_that_has_drifted_leaves_no_run_and_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()
    writer = Watched(asked)
    writer.world[1] = {"RequestDisposition": "2"}
    assert applied_in_memory(monkeypatch, writer) == 3
    assert asked == ["read 1", "read 2"]
    assert [path for path in Path("runs").glob("*") if not path.name.startswith(".")] == []


@pytest.mark.parametrize(("line", "code", "written"), [(1, 1, []), (2, 1, []), (3, 4, [1]), (4, 4, [1])])
def test_a_disk_that_is_full_part_way_ends_part_way(
    line: int, code: int, written: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`line` is the one that has no room: `approved`, the first action's `begin`, its `done`, the second's `begin`."""
    append, lines = RunFolder.append, list[JournalLine]()

    def until_full(folder: RunFolder, new: JournalLine) -> None:
        if len(lines) == line - 1:
            raise DocumentError("cannot be written", where=str(folder.path), why="No space left on device")
        lines.append(new)
        append(folder, new)

    monkeypatch.setattr(RunFolder, "append", until_full)
    writer = Watched([])
    assert applied_in_memory(monkeypatch, writer) == code
    assert writer.writes == written


def test_a_disk_that_is_full_before_the_first_write_ends_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that says of the first action that it is as wanted is no write."""
    append, lines = RunFolder.append, list[JournalLine]()

    def once(folder: RunFolder, new: JournalLine) -> None:
        if len(lines) == 2:
            raise DocumentError("cannot be written", where=str(folder.path), why="No space left on device")
        lines.append(new)
        append(folder, new)

    monkeypatch.setattr(RunFolder, "append", once)
    writer = Watched([])
    writer.world[1] = before_and_after(VALUE)[1]
    assert applied_in_memory(monkeypatch, writer) == 1
    assert ([line.event for line in lines], writer.writes) == (["approved", "as wanted"], [])


class Refusing(Shut):
    """A target that refuses the account itself."""

    asked = 0

    def identity(self) -> dict[str, str]:
        self.asked += 1
        raise TransportError("the password is wrong", where=self.target, why="HTTP status 401", code="HTTP 401")


def test_a_check_tries_a_refused_account_once() -> None:
    writers = {name: Refusing(name, {}) for name in (HOST, "conn1.contoso.test", "conn2.contoso.test")}
    check = check_all(PLAN, writers, logon_refused=LOGON_REFUSED)
    assert [writer.asked for writer in writers.values()] == [1, 0, 0]
    assert check.exit_code == 1 and {one.state for one in check.targets} == {"not read"}
    assert {one.why_unread for one in check.actions} == {f"not asked: {HOST} refused the account"}


def test_a_check_is_a_document() -> None:
    document = check_document(checked(host(missing="x"))[0], plan_id=digest(PLAN))
    assert msgspec.json.decode(msgspec.json.encode(document), type=CheckDocument) == document
    assert [(one.needs, one.lacks) for one in document.actions] == [("local administrator", "x"), ("", "x")]


def drifted_steps() -> tuple[Step, ...]:
    writer = host()
    writer.world[1] = {"RequestDisposition": None}
    return tuple(step for step in read_steps(PLAN, {HOST: writer}) if step.verdict == "drifted")


def test_drift_is_a_table_of_approved_now_and_wanted() -> None:
    (value,) = drifted_values(drifted_steps())
    assert (value.name, value.approved, value.now, value.wanted) == ("RequestDisposition", "257", None, "1")
    assert as_text(drift_lines((value,))).splitlines()[1:] == [
        "    RequestDisposition", "      approved  257", "      now       absent", "      wanted    1"
    ]  # fmt: skip


def test_a_dacl_that_drifted_is_told_by_the_entries_that_come_and_go() -> None:
    conn, others = enroll_ace(Sid.from_string("S-1-5-21-1-2-3-1104")), read_ace(Sid.from_string("S-1-5-11"))
    strange = enroll_ace(Sid.from_string("S-1-5-21-1-2-3-513"))
    shown = [base64.b64encode(with_dacl([ace.binary for ace in aces])).decode() for aces in (
        [others], [strange], [others, conn], [conn, others]
    )]  # fmt: skip
    value = DriftedValue(action=1, label="DACL", target="directory", name=DESCRIPTOR, approved=shown[0], now=shown[1],
                         wanted=shown[2])  # fmt: skip
    told = as_text(drift_lines((value,)))
    assert told.splitlines()[1:] == [
        "    nTSecurityDescriptor",
        "      approved  DACL of 1 entry (D:)",
        "      now       DACL of 1 entry (D:)",
        f"                + allow  {ace_to_sddl(strange)}",
        f"                - allow  {ace_to_sddl(others)}",
        "      wanted    DACL of 2 entries (D:)",
        f"                + allow  {ace_to_sddl(conn)}",
    ]
    assert dacl_beside(shown[3], shown[2])[1:] == ("the same entries in another order",)
    assert dacl_beside("no base64", shown[0]) == ("no base64",)


def test_a_refusal_for_drift_is_a_document_with_the_table() -> None:
    told = msgspec.json.encode(error_document(Drifted(drifted_steps()), exit_code=3))
    error = msgspec.json.decode(told, type=ErrorDocument).error
    assert [(one.action, one.now) for one in error.drift] == [(1, None)]


def steps(*outcomes: str) -> tuple[Step, ...]:
    found = read_steps(PLAN, {HOST: host()})
    for step, outcome in zip(found, outcomes, strict=True):
        step.outcome, step.detail = outcome, "the connection was lost" if outcome == "unresolved" else ""
    return found


def told_of(document: AppliedDocument) -> str:
    return as_text(applied_lines(document))


def test_a_run_that_stopped_tells_what_is_unresolved_and_what_to_do() -> None:
    document = applied(RUN, steps("unresolved", "not reached"), approval=APPROVAL, exit_code=4, verification=None)
    told = told_of(document)
    assert told.startswith(f"Plan {digest(PLAN)[:12]}: 0 of 2 actions are done (CHG1, approved by anna)\n")
    assert "  unresolved     1. change 1   (ca01.contoso.test)\n" in told
    assert "the connection was lost" in told
    assert "Stopped part-way, and not verified." in told
    assert "unresolved (1): " in told and "not reached (2): " in told
    assert f"What undoes it: remediate rollback {RUN.name} --out back.json" in told
    assert msgspec.json.decode(msgspec.json.encode(document), type=AppliedDocument) == document


def test_what_is_written_and_does_not_help_has_the_new_evidence() -> None:
    plan, snapshot = broken()
    found = found_again(plan, snapshot)
    verification = Verification(standing=(), still=found.still, others=found.others, unknown=found.unknown)
    document = applied(RUN, steps("done", "done"), approval=APPROVAL, exit_code=5, verification=verification)
    told = told_of(document)
    assert "still found    submission_pending, CA Contoso Issuing CA" in told
    assert "0x101 (issue, but pending first)" in told
    assert "of its problems are still found" in told
    assert f"What undoes it: remediate rollback {RUN.name} --out back.json" in told


def test_what_no_action_of_the_plan_answers_is_named_as_not_mended() -> None:
    verification = Verification(standing=stands_now(PLAN, {HOST: host()}))
    document = applied(RUN, steps("done", "done"), approval=APPROVAL, exit_code=0, verification=verification)
    plan, _ = broken()
    advised = msgspec.structs.replace(
        plan.findings[0], id="antivirus_exclusions/x/y", playbook="antivirus_exclusions", message="by hand",
        target=Target("connector", "conn1.contoso.test"),
    )  # fmt: skip
    left = unanswered(msgspec.structs.replace(plan, findings=(*plan.findings, advised)))
    assert advised in left and not any(one.id in action.because for one in left for action in plan.actions)
    named = "Not mended by this plan, still to be done by hand or by another plan: "
    for told in (applied_lines(document, unanswered=left), verify_lines(
        verify_document(verification, plan_id="x"), unanswered=left
    )):  # fmt: skip
        text = " ".join(as_text(told).split())
        assert named in text and "antivirus_exclusions, connector conn1.contoso.test" in text
    assert named not in " ".join(told_of(document).split())


def test_all_that_stands_says_no_more_than_that_what_it_mends_is_gone() -> None:
    writer = host()
    writer.world[1] = before_and_after(VALUE)[1]
    verification = Verification(standing=stands_now(PLAN, {HOST: writer}))
    lines = verification_lines(verify_document(verification, plan_id="x").verification, listed=False)
    assert "none of the problems that it mends is found any more." in as_text(lines)


REPLICATION = "after replication to the CA's domain controller; the CA reads templates again on its own schedule"
RESTARTED = "when CertSvc has restarted"
DELAYS = {
    "template": REPLICATION, "publish_template": REPLICATION, "ca_registry_value": RESTARTED, "restart_service": "",
    "defender_exclusions": "", "pending_request": "",
}  # fmt: skip


def everything() -> Plan:
    """Actions of these kinds, as they are bound from the made estate."""
    snapshot = read_facts(FactOptions(bundle=(str(ROOT / "examples" / "contoso-broken"),)), Logon("", terminal=False))
    names = ("IntunePKCS", "IntuneVPN", "IntuneWiFi")
    return make_plan(snapshot, PlanOptions(templates=names, settings={"resubmit": "17"}, overrides=tuple(OVERRIDABLE)))


def ended(action: Action, outcome: str = "done") -> Step:
    before, after = before_and_after(action)
    return Step(action=action, now=after, before=before, after=after, verdict="as approved", outcome=outcome)


@pytest.mark.parametrize("kind", DELAYS)
def test_what_delays_the_effect_is_named_for_each_kind(kind: str) -> None:
    """Replication to the controller that the CA asks and its cache of templates, for a registry value the restart."""
    (action, *_) = [one for one in everything().actions if one.kind == kind]
    delays = (DELAYS[kind],) if DELAYS[kind] else ()
    document = applied(RUN, (ended(action),), approval=APPROVAL, exit_code=0, verification=None)
    assert document.takes_effect == delays
    assert (
        applied(RUN, (ended(action, "failed"),), approval=APPROVAL, exit_code=4, verification=None).takes_effect == ()
    )
    stands = Standing(action=action, target=HOST, state="as wanted")
    verify = verify_document(Verification(standing=(stands,)), plan_id="x")
    assert verify.takes_effect == delays
    for told, words in ((told_of(document), "What was written"), (as_text(verify_lines(verify)), "What stands")):
        assert (f"{words} takes effect {' '.join(delays)}" in " ".join(told.split())) is bool(delays)


def test_a_restart_that_is_done_delays_nothing_any_more() -> None:
    value, restarted, replicated = (
        next(one for one in everything().actions if one.kind == kind)
        for kind in ("ca_registry_value", "restart_service", "template")
    )
    steps = (ended(replicated), ended(value), ended(restarted))
    assert applied(RUN, steps, approval=APPROVAL, exit_code=0, verification=None).takes_effect == (REPLICATION,)
    owed = (ended(value), ended(restarted, "unresolved"))
    assert applied(RUN, owed, approval=APPROVAL, exit_code=4, verification=None).takes_effect == (RESTARTED,)


def test_lines_fit_a_terminal_and_steer_none() -> None:
    hostile = msgspec.structs.replace(VALUE, label="Template \x1b[2J\u202e " + "x" * 300)
    step = Step(action=hostile, now={}, before={}, after={}, verdict="as approved", outcome="failed", detail="a\nb")
    document = applied(RUN, (step,), approval=APPROVAL, exit_code=4, verification=None)
    lines: list[Line] = list(applied_lines(document))
    assert not any("\x1b" in line.text or "\u202e" in line.text or "\n" in line.text for line in lines)
    assert all(len(line.text) <= WIDTH for line in lines if "xxx" not in line.text)


def broken() -> tuple[Plan, Snapshot]:
    """A plan for the made estate, and the estate as it was before it."""
    snapshot = read_facts(FactOptions(bundle=(str(ROOT / "examples" / "contoso-broken"),)), Logon("", terminal=False))
    return make_plan(snapshot, PlanOptions(playbooks=("submission_pending",))), snapshot


def test_another_cause_of_the_same_problem_is_found_and_that_of_another_is_not() -> None:
    """It is of the same playbook, and about the same thing or about one of another kind."""
    plan, _ = broken()
    mended = plan.findings[0]
    other = msgspec.structs.replace(mended, id="submission_pending/template_wants_approval/IntunePKCS on it")
    template, elsewhere = Target("template", "IntunePKCS on it"), Target("ca", "Another CA")
    made = msgspec.structs.replace(plan, findings=(mended,))
    assert mended.target.kind == "ca"
    assert _bears_on(msgspec.structs.replace(other, target=template), made)
    assert not _bears_on(msgspec.structs.replace(other, target=elsewhere), made)
    assert not _bears_on(msgspec.structs.replace(other, playbook="stuck_pending"), made)
    verification = Verification(standing=(), others=(msgspec.structs.replace(other, target=template),))
    assert verification.exit_code == 2
    lines = verification_lines(verify_document(verification, plan_id="x").verification, listed=True)
    assert "another cause  submission_pending, template IntunePKCS on it: " in as_text(lines)


def test_what_the_plan_told_of_the_same_thing_is_no_other_cause() -> None:
    """Requests that wait stay waiting, as the plan said; that others wait it did not say."""
    plan, _ = broken()
    mended = next(one for one in plan.findings if one.id in plan.actions[0].because)
    wait = mended.evidence[-1]
    assert "stay waiting" in wait.shows
    left = msgspec.structs.replace(mended, id="submission_pending/requests_to_resubmit/x", evidence=(wait,))
    assert not _is_another_cause(left, plan)
    untold = msgspec.structs.replace(mended, evidence=mended.evidence[:1])
    assert _is_another_cause(left, msgspec.structs.replace(plan, findings=(untold,)))
    assert _is_another_cause(msgspec.structs.replace(left, evidence=()), plan)
    assert _is_another_cause(msgspec.structs.replace(left, target=Target("template", "IntunePKCS")), plan)


def test_of_one_template_what_is_for_a_connector_bears_on_what_is_on_a_ca() -> None:
    plan, _ = broken()
    (first,) = {action.because[0] for action in plan.actions}
    mended = next(one for one in plan.findings if one.id == first)
    for_one = msgspec.structs.replace(mended, target=Target("template", "IntunePKCS for conn1"))
    made = msgspec.structs.replace(plan, findings=(for_one,))
    on_ca = Target("template", "IntunePKCS on Contoso Issuing CA")
    assert _bears_on(msgspec.structs.replace(mended, target=on_ca), made)
    assert not _bears_on(msgspec.structs.replace(mended, target=Target("template", "IntuneVPN for conn1")), made)


def test_detection_again_finds_what_the_plan_touched_and_nothing_else() -> None:
    plan, snapshot = broken()
    found = found_again(plan, snapshot)
    assert {finding.id for finding in found.still} == {name for action in plan.actions for name in action.because}
    assert (found.others, found.unknown) == ((), ())
    nothing = found_again(msgspec.structs.replace(plan, actions=()), snapshot)
    assert (nothing.still, nothing.others) == ((), ())


@pytest.mark.parametrize(("role", "name", "counts"), [
    ("ca", "ca01.contoso.test", True), ("connector", "other.contoso.test", False), ("directory", "dc1", True)
])  # fmt: skip
def test_a_target_that_could_not_be_read_counts_where_it_could_hide_the_problem(
    role: Literal["directory", "ca", "connector"], name: str, counts: bool
) -> None:
    plan, snapshot = broken()
    failure = Failure(role=role, target=name, what="it does not answer", why="", do="", code="")
    unknown = found_again(plan, msgspec.structs.replace(snapshot, failures=(failure,))).unknown
    assert any("it does not answer" in one for one in unknown) is counts


def test_verification_ends_with_1_before_2_and_2_before_0() -> None:
    writer = host()
    before = Verification(standing=stands_now(PLAN, {HOST: writer}))
    assert (before.exit_code, [one.state for one in before.standing]) == (2, ["not as wanted", "as wanted"])
    writer.world[1] = {"RequestDisposition": "1"}
    assert Verification(standing=stands_now(PLAN, {HOST: writer})).exit_code == 0
    unread = Verification(standing=stands_now(PLAN, {HOST: host(Shut)}))
    assert (unread.exit_code, unread.is_broken) == (1, False)
    document = verify_document(unread, plan_id="x")
    assert "nobody can tell that it helps" in as_text(verification_lines(document.verification, listed=True))
    assert Verification(standing=before.standing, unknown=("conn1: it does not answer",)).exit_code == 1


def test_a_minor_revision_that_has_risen_since_is_as_wanted() -> None:
    plan = made_plan(template(1))
    writer = Memory.before("directory", plan.actions)
    after = dict(read_steps(plan, {"directory": writer})[0].after)
    writer.world[1] = after | {REVISION: "9"}
    assert stands_now(plan, {"directory": writer})[0].state == "as wanted"


# --- runs ------------------------------------------------------------------------------------------------------------


def kept(*events: tuple[str, int], approval: bool = True, ended: str = "") -> RunFolder:
    """A run with these journal lines."""
    text = seal(PLAN)
    opened = JournalLine(at="2026-11-24T20:00:00Z", event="opened", source="apply", detail=digest(PLAN), by="anna")
    run = RunFolder.create(
        Path("runs"), sealed=text, opened=opened, digest=digest(PLAN), now=datetime(2026, 11, 24, 20, tzinfo=UTC)
    )
    if approval:
        (run.path / APPROVAL_FILE).write_bytes(msgspec.json.encode(APPROVAL))
    for event, number in events:
        run.append(JournalLine(at="2026-11-24T20:01:00Z", event=event, source="apply", action=number))  # type: ignore[arg-type]
    if ended:
        run.append(JournalLine(at="2026-11-24T20:02:00Z", event="closed", source="apply", detail=ended))
    return run


def runs_told(capfd: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capfd.readouterr()
    assert main(["runs", *arguments]) == code
    return capfd.readouterr().out


def test_no_runs_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    assert runs_told(capfd) == "No runs in runs.\n"
    assert json.loads(runs_told(capfd, "--json")) == {"folder": "runs", "runs": []}


def test_a_run_is_told_with_its_approval_and_its_end(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(("begin", 1), ("done", 1), ("begin", 2), ("done", 2), ended="0")
    assert runs_told(capfd) == (
        f"{run.name}  apply by anna, 2 of 2 done, applied and verified, approved by anna, CHG1\n"
    )
    document = msgspec.json.decode(runs_told(capfd, "--json"), type=RunsDocument)
    assert (document.runs[0].ended, document.runs[0].approval) == (0, APPROVAL)
    assert "ticket       CHG1" in runs_told(capfd, run.name)


def test_a_run_that_was_broken_off_tells_which_action_is_unresolved(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(("begin", 1), ("done", 1), ("begin", 2))
    told = runs_told(capfd)
    assert "1 of 2 done, not ended" in told
    assert "unresolved: 2 on ca01.contoso.test" in told
    assert "To go on: remediate apply the same plan again" in runs_told(capfd, run.name)


def test_an_action_that_the_target_refused_is_failed_and_not_unresolved(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(("begin", 1), ("failed", 1))
    assert "failed         1. change 1" in runs_told(capfd, run.name)


def test_a_run_that_cannot_be_believed_hides_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept(ended="0")
    (run.path / "plan.json").write_bytes(run.sealed().replace(b"change 1", b"change 9"))
    told = runs_told(capfd, code=1)
    assert "cannot be believed: " in told and "changed after it was sealed" in " ".join(told.split())
    document = msgspec.json.decode(runs_told(capfd, "--json", code=1), type=RunsDocument)
    assert "changed after it was sealed" in document.runs[0].trouble


# --- rollback --------------------------------------------------------------------------------------------------------


def done(action: Action, before: Table, after: Table) -> JournalLine:
    at = "2026-11-24T20:01:00Z"
    return JournalLine(at=at, event="done", source="apply", action=action.id, before=before, after=after)


def test_a_rollback_shows_the_diff_the_other_way_round() -> None:
    held = Obtains("CONTOSO\\CONN1$", "IntunePKCS", "Contoso Issuing CA", "own")
    shown = ("DACL", "  + allow  CONN1$  Enroll", "    5 entries of others stay", f"{REVISION} 3 -> 4")
    one = msgspec.structs.replace(template(1), diff=shown)
    plan = made_plan(one, disposition(2), restart(3), gained=(held,))
    (step,) = read_steps(made_plan(one), {"directory": Memory.before("directory", (one,))})
    back = undo_plan(plan, [done(one, step.before, step.after)], run="r", now=NOW)
    assert back.actions[0].diff == (
        "DACL", "  - allow  CONN1$  Enroll", "    5 entries of others stay", f"{REVISION} 4 -> 5"
    )  # fmt: skip
    assert (back.gained, back.lost) == ((), (held,))
    assert "Only a part of the plan" in back.notes[0]


def test_a_value_that_was_replaced_is_shown_with_what_goes_first() -> None:
    one = msgspec.structs.replace(VALUE, diff=("RequestDisposition  REG_DWORD", "  - 0x101 (held)", "  + 0x1 (issue)"))
    plan = made_plan(one)
    back = undo_plan(plan, [done(one, {"RequestDisposition": "257"}, {"RequestDisposition": "1"})], run="r", now=NOW)
    assert back.actions[0].diff == ("RequestDisposition  REG_DWORD", "  - 0x1 (issue)", "  + 0x101 (held)")
    assert back.notes == ()


def test_a_rollback_is_the_document_of_a_plan(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept()
    run.append(done(VALUE, {"RequestDisposition": "257"}, {"RequestDisposition": "1"}))
    capfd.readouterr()
    assert main(["rollback", run.name, "--out", "back.json", "--json"]) == 2
    told = capfd.readouterr().out.encode()
    assert told == Path("back.json").read_bytes()
    assert unseal(told, where="back.json")[0].options == {"rollback_of": run.name}


def test_nothing_left_to_undo_is_an_error_document(capfd: pytest.CaptureFixture[str]) -> None:
    run = kept()
    capfd.readouterr()
    assert main(["rollback", run.name, "--format", "json"]) == 3
    assert json.loads(capfd.readouterr().out)["error"]["what"] == "nothing of it is left to undo"


# --- run, away from a terminal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--domain", "contoso.test"], 3, "remediate apply"),
        (["--bundle", "x"], 64, "--dry-run"),
        (["--domain", "contoso.test", "--format", "json"], 64, "remediate apply --json"),
    ],
)
def test_run_applies_nothing_where_nobody_can_be_asked(
    more: list[str], code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "submission_pending", *more]) == code
    assert said in capfd.readouterr().err


def test_the_target_of_a_plan_says_what_it_is_not() -> None:
    other = made_plan(*PLAN.actions, targets=(TargetIdentity(kind="ca", name=HOST, identity={}),))
    check = check_all(other, {HOST: host()})
    assert (check.exit_code, check.targets[0].state) == (3, "another")


@pytest.mark.parametrize(("verb", "said"), [("apply", "`remediate runs` tells"), ("verify", "nothing was changed")])
def test_a_fault_of_ours_does_not_claim_that_nothing_was_changed(
    verb: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(_text: bytes, *, where: str) -> None:
        raise ValueError("what must not be shown")

    monkeypatch.setattr("remediate.cli.sealed_plan.unsealed", fails)  # no input we know of makes it fail so
    Path("plan.json").write_text("{}", encoding="ascii")
    assert main([verb, "plan.json", *(["--approve", "0" * 12] if verb == "apply" else [])]) == 1
    told = capfd.readouterr().err
    assert said in told and "must not be shown" not in told
