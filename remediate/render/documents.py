"""The JSON documents of the verbs that print no plan, and of every verb's failure: one document on stdout each.

`remediate.render.schema` derives the shipped schemas from these types, so a document cannot differ from its schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from remediate.engine.device_logs import DeviceLog
from remediate.facts.documents import Failure
from remediate.model.errors import RemediateError, TransportError, UnknownFact
from remediate.model.finding import Finding
from remediate.model.result import ScriptKind

if TYPE_CHECKING:
    from remediate.engine.applying import Step


class CauseDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A cause of a playbook: the facts it reads, and whether a fix of ours exists."""

    name: str
    title: str
    reads: tuple[str, ...]
    fixes: bool
    informs: bool = False


class PlaybookDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What a playbook says of itself. `codes` are HRESULTs as 0xXXXXXXXX, `parameters` what --set takes."""

    name: str
    title: str
    section: str
    codes: tuple[str, ...]
    severity: str
    description: str
    impact: str
    rights: tuple[str, ...]
    disruption: str
    undo: str
    parameters: dict[str, str]
    symptoms: tuple[str, ...]
    sources: tuple[str, ...]
    causes: tuple[CauseDescription, ...]


class PlaybooksDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`remediate list --json` and `remediate explain --json`; the latter with the logs of devices."""

    playbooks: tuple[PlaybookDescription, ...]
    device_logs: tuple[DeviceLog, ...] = ()


class BundleDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate collect --out BUNDLE --json`: the bundle, and the targets that could not be read."""

    bundle: str
    failures: tuple[Failure, ...]


class CollectorsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate collect --scripts DIR --json`: the files that were written."""

    files: tuple[str, ...]


class HandoverDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate script --json`: the folder, the plan's digest, and the files below the folder."""

    folder: str
    plan_id: str
    files: tuple[str, ...]


class ImportedResult(msgspec.Struct, frozen=True, kw_only=True):
    """A record that was taken: its file, and what its script said of itself. Times are UTC."""

    file: str
    kind: ScriptKind
    target: str
    computer: str
    account: str
    started: str
    finished: str
    exit_code: int
    message: str


class ActionStanding(msgspec.Struct, frozen=True, kw_only=True):
    """Where an action of the plan stands after all results so far; `state` as `engine.returned.Standing` has it."""

    id: int
    label: str
    target: str
    state: str
    detail: str


class ImportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate import --json`: the run and its folder, what was taken now, and where the plan stands.

    `done` is whether every action is done and nothing `differs` from the plan; `held_before` are files that the run
    holds already, `left_out` those that are no record of our scripts. `restarts_owed` are hosts whose CertSvc has not
    been restarted since its configuration was written.
    """

    run: str
    folder: str
    plan_id: str
    done: bool
    results: tuple[ImportedResult, ...]
    held_before: tuple[str, ...]
    actions: tuple[ActionStanding, ...]
    differs: tuple[str, ...]
    restarts_owed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class ApprovalDescription(msgspec.Struct, frozen=True, kw_only=True):
    """The approval as it was given; `given_at` is UTC, what was not given is empty."""

    digest: str
    ticket: str = ""
    approved_by: str = ""
    given_at: str = ""


class VerificationDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What was read after the run: where each action stands (`as wanted`, `not as wanted`, `not read`; of a restart
    that is missing by the journal `owed`), the plan's problems that are still found, other causes of the same problems,
    and what could not be known. `rollback_of` is the run that the plan undoes: then no problem was looked for; where
    that run was itself a rollback, it `undoes_rollback`."""

    as_wanted: bool
    actions: tuple[ActionStanding, ...]
    still_found: tuple[Finding, ...]
    unknown: tuple[str, ...]
    other_causes: tuple[Finding, ...] = ()
    rollback_of: str = ""
    undoes_rollback: bool = False


class AppliedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate apply --json`: the run, what became of each action, and the verification, which is absent where the
    run stopped part-way. `state` is `done`, `as wanted`, `failed`, `unresolved` or `not reached`; `takes_effect` names
    what delays the effect of what was done, `restarts_owed` the hosts whose CertSvc was to be restarted after what was
    written, and was not; `undoable` is whether a rollback has something to take back."""

    run: str
    folder: str
    plan_id: str
    approval: ApprovalDescription
    exit_code: int
    actions: tuple[ActionStanding, ...]
    takes_effect: tuple[str, ...]
    verification: VerificationDescription | None
    restarts_owed: tuple[str, ...] = ()
    undoable: bool = False


class TargetStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A target of a plan: `state` is `the plan's`, `another` or `not read`."""

    name: str
    state: str
    detail: str


class RightStanding(msgspec.Struct, frozen=True, kw_only=True):
    """An action before the window: `state` is `as approved`, `as wanted`, `drifted`, `refused` (another place than the
    plan's) or `not read`, which is unknown, and `detail` says why; `needs` the right in the plan's words, `lacks` what
    the present account lacks: empty when nothing, null when that is unknown, and `untold` says why."""

    id: int
    label: str
    target: str
    state: str
    needs: str
    lacks: str | None
    detail: str
    untold: str = ""


class DriftedValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is no longer as approved; null is absent."""

    action: int
    label: str
    target: str
    name: str
    approved: str | None
    now: str | None
    wanted: str | None


class ConditionStanding(msgspec.Struct, frozen=True, kw_only=True):
    """When a plan may be applied: `name` is `expiry`, `clock` (of this machine), `window`, `use` (it is applied once),
    or `controller` (the domain controller's clock); `state` is `holds`, `not yet` (the window opens later, which
    refuses nothing before it), `differs` (a clock, which is told) or `refused`."""

    name: str
    state: str
    detail: str


class CheckDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate apply --check --json`: whether the plan could be applied in its window, by the present account."""

    plan_id: str
    exit_code: int
    targets: tuple[TargetStanding, ...]
    actions: tuple[RightStanding, ...]
    drift: tuple[DriftedValue, ...]
    schedule: tuple[ConditionStanding, ...] = ()


class VerifyDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate verify --json`. `takes_effect` names what delays the effect of what stands as wanted: replication, a
    CA's cache, a restart that no journal tells of; whether that has happened since cannot be read."""

    plan_id: str
    exit_code: int
    verification: VerificationDescription
    takes_effect: tuple[str, ...] = ()


class SentDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A file of what a run sent, below the run's folder, with the size in bytes and the SHA-256 that the journal names
    last: so many bytes at its beginning have that hash."""

    file: str
    size: int
    sha256: str


class RollbackDescription(msgspec.Struct, frozen=True, kw_only=True):
    """The run that took another one back; `ended` the exit code it ended with, null when it did not end."""

    run: str
    ended: int | None


class RunDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A run: `source` is `apply` or `import`; `ended` the exit code it ended with, null when it did not end.

    `trouble` tells why the run cannot be believed, empty when all is well. `actions` stand in the order of the plan.
    `restarts_owed` are hosts whose CertSvc no run has restarted since this one wrote its configuration; `rollback` is
    the last run that took this one back, or part of it; `undoable` is whether one has something to take back, and
    `at_work` who works on the run at this moment, empty for nobody. `approval` is the latest of `approvals`, under
    which the attempts of the run began, oldest first.
    """

    run: str
    folder: str
    source: str
    opened: str
    by: str
    plan_id: str
    approval: ApprovalDescription | None
    ended: int | None
    trouble: str
    actions: tuple[ActionStanding, ...]
    sent: tuple[SentDescription, ...] = ()
    restarts_owed: tuple[str, ...] = ()
    rollback: RollbackDescription | None = None
    approvals: tuple[ApprovalDescription, ...] = ()
    undoable: bool = False
    at_work: str = ""


class RunsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate runs --json`: the folder of all runs, and the runs, oldest first."""

    folder: str
    runs: tuple[RunDescription, ...]


class ErrorDescription(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened, where, why, and what to do next; `code` is the HRESULT, Win32 or LDAP code where there is one.

    `drift` is there when a plan was refused because values are no longer as approved.
    """

    what: str
    where: str
    why: str
    do: str
    code: str
    exit_code: int
    drift: tuple[DriftedValue, ...] = ()


class ErrorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What any verb prints instead of its document when it fails and JSON was asked for."""

    error: ErrorDescription


def error_document(error: RemediateError, *, exit_code: int) -> ErrorDocument:
    """Return the error as a document. It holds what the line on stderr says, in its parts."""
    from remediate.engine.applying import Drifted

    described = ErrorDescription(
        what=error.what,
        where=error.where,
        why=error.why,
        do=error.do,
        code=error.code if isinstance(error, TransportError | UnknownFact) else "",
        exit_code=exit_code,
        drift=drifted_values(error.steps) if isinstance(error, Drifted) else (),
    )
    return ErrorDocument(error=described)


def drifted_values(steps: Iterable[Step]) -> tuple[DriftedValue, ...]:
    """Return approved, now and wanted of every value of these steps that is not as approved."""
    from remediate.engine.applying import changes_of

    return tuple(
        DriftedValue(
            action=step.action.id,
            label=step.action.label,
            target=step.target,
            name=name,
            approved=approved,
            now=now,
            wanted=wanted,
        )
        for step in steps
        for name, approved, now, wanted in changes_of((step,))
        if now != approved
    )
