"""The JSON documents of the verbs that print no plan, and of every verb's failure: one document on stdout each.

`remediate.render.schema` derives the shipped schemas from these types, so a document cannot differ from its schema.
"""

from __future__ import annotations

import msgspec

from remediate.engine.device_logs import DeviceLog
from remediate.facts.documents import Failure
from remediate.model.errors import RemediateError, TransportError, UnknownFact
from remediate.model.result import ScriptKind


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
    holds already.
    """

    run: str
    folder: str
    plan_id: str
    done: bool
    results: tuple[ImportedResult, ...]
    held_before: tuple[str, ...]
    actions: tuple[ActionStanding, ...]
    differs: tuple[str, ...]


class ErrorDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, where, why, and what to do next; `code` is the HRESULT, Win32 or LDAP code where there is one."""

    what: str
    where: str
    why: str
    do: str
    code: str
    exit_code: int


class ErrorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What any verb prints instead of its document when it fails and JSON was asked for."""

    error: ErrorDescription


def error_document(error: RemediateError, *, exit_code: int) -> ErrorDocument:
    """Return the error as a document. It holds what the line on stderr says, in its parts."""
    code = error.code if isinstance(error, TransportError | UnknownFact) else ""
    described = ErrorDescription(
        what=error.what, where=error.where, why=error.why, do=error.do, code=code, exit_code=exit_code
    )
    return ErrorDocument(error=described)
