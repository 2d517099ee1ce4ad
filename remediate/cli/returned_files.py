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


class Returned(msgspec.Struct, frozen=True):
    """One record, the place it came from, and its bytes."""

    where: str
    text: bytes
    result: RunResult


class PlanFile(msgspec.Struct, frozen=True):
    """A file that says it is a plan, and its bytes."""

    where: str
    text: bytes


def returned(paths: Iterable[Path]) -> tuple[Returned, ...]:
    """Return each record once, by the time its script began. Raises UsageError, DocumentError, ResultEdited."""
    named = tuple(paths)
    found: dict[str, Returned] = {}
    for path in named:
        for file in _results(path):
            record = Returned(file.place, file.text, read_result(file.text, where=file.place))
            found.setdefault(record.result.sha256, record)
    if not found:
        do = "Name result.json, or the folder or .zip file it is in."
        raise UsageError("no result is there", where=", ".join(map(str, named)), do=do)
    return tuple(sorted(found.values(), key=lambda one: (one.result.started, one.where)))


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
    named = path.is_file() and path.suffix.lower() != ".zip"
    for file in _files(path):
        if named or _RESULT.fullmatch(PurePosixPath(file.name).name):
            yield file


def _files(path: Path) -> list[File]:
    try:
        return files_of(path)
    except DocumentError as error:
        do = "Check the path, or ask for it again."
        raise DocumentError(error.what, where=error.where, why=error.why, do=do) from error
