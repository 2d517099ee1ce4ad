"""The record that a generated script leaves: what one run of it read, wrote, and how it ended.

The last property of the file is the SHA-256 of every byte before its comma, so a record that was cut off or edited
is seen. It is no signature: whoever means to deceive can compute it again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from remediate.model.errors import DocumentError, RefusedError

RESULT_FORMAT = "1.0"
ScriptKind = Literal["change", "verify", "rollback"]
Outcome = Literal["not reached", "as wanted", "not as wanted", "begun", "changed", "declined"]
Table = dict[str, str | None]

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ENDING = re.compile(rb',"sha256":"([0-9a-f]{64})"\}\s*\Z')


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `begun` without more is unresolved: it was being written when the script ended."""

    id: int
    kind: str
    label: str
    outcome: Outcome
    before: Table
    after: Table
    started: str = ""
    finished: str = ""
    detail: str = ""


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a script. `undoes` is the `sha256` of the change that a rollback undid, `follows` that of the rollback
    which a change came after. Times are UTC."""

    format_version: str
    kind: ScriptKind
    plan_id: str
    target: str
    tool: str
    computer: str
    account: str
    powershell: str
    started: str
    finished: str
    phase: str
    exit_code: int
    message: str
    undoes: str
    steps: tuple[StepResult, ...]
    sha256: str
    follows: str = ""


class ResultEdited(RefusedError):
    """The record is not as the script wrote it."""


def read_result(text: bytes, *, where: str) -> RunResult:
    """Return the record. Raises DocumentError when it is none or cut off, ResultEdited when its digest is another."""
    again = "Ask for the file again, as the script wrote it."
    ending = _ENDING.search(text)
    if ending is None:
        raise DocumentError("this is no result of a script, or it is cut off", where=where, do=again)
    if hashlib.sha256(text[: ending.start()]).hexdigest() != ending[1].decode("ascii"):
        raise ResultEdited("the result was changed after the script wrote it", where=where, do=again)
    try:
        result = msgspec.json.decode(text, type=RunResult)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DocumentError("this is no result of a script", where=where, why=str(error), do=again) from error
    if result.format_version.partition(".")[0] != RESULT_FORMAT.partition(".")[0]:
        raise DocumentError(f"result format {result.format_version} is not known", where=where, do="Update remediate.")
    for time in (result.started, *_later_times(result)):
        if not _TIME.fullmatch(time):
            raise DocumentError("a time in it is not UTC like 2026-11-23T09:30:00Z", where=where, why=time, do=again)
    return result


def _later_times(result: RunResult) -> Iterator[str]:
    """The times that may be missing: those of what was not ended, or not begun."""
    yield from filter(None, (result.finished, *(time for s in result.steps for time in (s.started, s.finished))))
