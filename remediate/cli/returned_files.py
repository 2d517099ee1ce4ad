"""The records of scripts in what the Windows team sent back: files, folders and .zip files, and the plan among them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import msgspec

from remediate.model.errors import DocumentError, UsageError
from remediate.model.result import RunResult, read_result
from remediate.transports.bundle_files import File, files_of

PLAN_FILE = "plan.json"
_RESULT = re.compile(r".*result.*\.json", re.IGNORECASE)
# As our scripts name them: result.json, verify-result.json, result.1f3a90bc.json, rollback-result.refused.json.
_OURS = re.compile(r"((verify|rollback)-)?result(\.([0-9a-f]{8}|refused))?\.json", re.IGNORECASE)
_HEAD = re.compile(r'\s*\{"format_version":"[0-9.]{1,9}","kind":"')
# What macOS puts beside a file in a .zip: the same name behind `._`, in a folder of its own.
_APPLE_PREFIX, _APPLE_FOLDER = "._", "__MACOSX"


class Returned(msgspec.Struct, frozen=True):
    """One record, the place it came from, and its bytes."""

    where: str
    text: bytes
    result: RunResult


class PlanFile(msgspec.Struct, frozen=True):
    """A file that says it is a plan, and its bytes."""

    where: str
    text: bytes


def returned(paths: Iterable[Path]) -> tuple[tuple[Returned, ...], tuple[str, ...]]:
    """Return each record once, by the time its script began, and the files that other programs have called results.

    Raises UsageError, DocumentError, ResultEdited.
    """
    named = tuple(paths)
    found: dict[str, Returned] = {}
    foreign: list[str] = []
    for path in named:
        for file in _results(path):
            if not _is_named(path) and _is_foreign(file):
                foreign.append(file.place)
                continue
            record = Returned(file.place, file.text, read_result(file.text, where=file.place))
            found.setdefault(record.result.sha256, record)
    if not found:
        do = "Name result.json, or the folder or .zip file it is in."
        raise UsageError("no result is there", where=", ".join(map(str, named)), do=do)
    records = sorted(found.values(), key=lambda one: (one.result.started, one.where))
    return tuple(records), tuple(dict.fromkeys(foreign))


def plans(paths: Iterable[Path]) -> Iterator[PlanFile]:
    """Yield every plan.json among what came back, then those in the folders beside and above it."""
    for path in paths:
        if path.is_dir() or path.suffix.lower() == ".zip":
            for file in _files(path):
                if PurePosixPath(file.name).name.lower() == PLAN_FILE:
                    yield PlanFile(file.place, file.text)
        for folder in path.resolve().parents[:2]:
            if (folder / PLAN_FILE).is_file():
                yield plan_file(folder / PLAN_FILE)


def plan_file(path: Path) -> PlanFile:
    """Return a plan's file. Raises DocumentError."""
    from remediate.cli.output import contents

    try:
        return PlanFile(str(path), contents(path))
    except OSError as error:
        why = error.strerror or ""
        raise DocumentError("cannot be read", where=str(path), why=why, do="Name the plan with --plan.") from error


def _results(path: Path) -> Iterator[File]:
    """A file that is named is a result whatever its name is; in a folder the name tells."""
    for file in _files(path):
        *folders, name = PurePosixPath(file.name).parts
        apple = name.startswith(_APPLE_PREFIX) or _APPLE_FOLDER in folders
        if _is_named(path) or (_RESULT.fullmatch(name) and not apple):
            yield file


def _is_named(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() != ".zip"


def _is_foreign(file: File) -> bool:
    """Whether another program wrote it: whole JSON of another shape, or neither named nor begun like a record of ours.

    In doubt it is ours: a record that was cut off or edited must be told.
    """
    try:
        body = msgspec.json.decode(file.text)
    except (msgspec.MsgspecError, UnicodeError):
        begun = _HEAD.match(file.text[:100].decode("utf-8", "replace"))
        return not begun and not _OURS.fullmatch(PurePosixPath(file.name).name)
    return not isinstance(body, dict) or not {"plan_id", "steps"} & body.keys()


def _files(path: Path) -> list[File]:
    try:
        return files_of(path)
    except DocumentError as error:
        do = "Check the path, or ask for it again."
        raise DocumentError(error.what, where=error.where, why=error.why, do=do) from error
