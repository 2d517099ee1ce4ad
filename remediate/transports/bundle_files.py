"""The files of a folder or a .zip with the limits that a bundle from elsewhere needs: sizes first, no way outside."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from remediate.model.errors import DocumentError

LARGEST: Final = 256 << 20
"""Bytes of one file, uncompressed."""
LARGEST_TOGETHER: Final = 1 << 30
"""Bytes of all files of one path, uncompressed."""
MOST: Final = 10_000
"""Files of one path, whatever they are: an estate has a few, and profiles a few hundred."""
_LOGS: Final = "logs"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class File(NamedTuple):
    """One file: its name with forward slashes below what was named, the place to tell a person, and its bytes."""

    name: str
    place: str
    text: bytes


class _Budget:
    """How many bytes may still be read from one path, and how many files looked at."""

    def __init__(self, root: Path) -> None:
        self.root, self.left, self.files = root, LARGEST_TOGETHER, MOST

    def count(self, number: int = 1) -> None:
        self.files -= number
        if self.files < 0:
            raise DocumentError(
                "there are too many files in it to be a bundle", where=str(self.root), why=f"at most {MOST}",
                do="Name the folder of the bundle itself.",
            )  # fmt: skip

    def spend(self, size: int, place: str) -> None:
        self.left -= size
        if size > LARGEST or self.left < 0:
            raise DocumentError(
                "it is too large to be part of a bundle", where=place,
                why=f"at most {LARGEST >> 20} MB each and {LARGEST_TOGETHER >> 20} MB together",
                do="Check the path, or collect again.",
            )  # fmt: skip


def files_of(path: Path) -> list[File]:
    """The JSON files of a folder or .zip, .zip files within a folder opened too, by name. Raises DocumentError."""
    try:
        return list(_files(path, _Budget(path)))
    except OSError as error:
        raise DocumentError(
            "it could not be read",
            where=str(error.filename or path),
            why=error.strerror or type(error).__name__,
            do="Check the path.",
        ) from None


def _files(path: Path, budget: _Budget) -> Iterator[File]:
    if path.is_file():
        if path.suffix.lower() == ".zip":
            yield from _members(path, budget)
        else:
            yield _file(path, path.parent, budget)
        return
    if not path.is_dir():
        what = "it is neither a file nor a folder" if path.exists() else "it does not exist"
        raise DocumentError(what, where=str(path), do="Check the path.")
    for one in sorted(_all_below(path, budget)):
        if _LOGS in (part.lower() for part in one.relative_to(path).parts[:-1]):
            continue  # logs may be large, and triage reads them
        if one.is_file() and one.suffix.lower() == ".zip":
            yield from _members(one, budget)
        elif one.is_file() and one.suffix.lower() == ".json":
            yield _file(one, path, budget)


def _all_below(path: Path, budget: _Budget) -> Iterator[Path]:
    """Everything below a folder. One that may not be entered is no empty one, unless it holds logs alone."""

    def fails(error: OSError) -> None:
        if _LOGS not in (part.lower() for part in Path(error.filename).relative_to(path).parts):
            raise error

    for folder, folders, files in os.walk(path, onerror=fails):
        for name in (*folders, *files):
            budget.count()
            yield Path(folder, name)


def _file(path: Path, root: Path, budget: _Budget) -> File:
    if not path.resolve().is_relative_to(root.resolve()):
        raise DocumentError("it leads out of the folder", where=str(path), do="Copy the file itself into the folder.")
    budget.spend(path.stat().st_size, str(path))
    return File(path.relative_to(root).as_posix(), str(path), _utf8(path.read_bytes()))


def _members(path: Path, budget: _Budget) -> Iterator[File]:
    try:
        with zipfile.ZipFile(path) as archive:
            budget.count(len(archive.infolist()))
            wanted = [one for one in archive.infolist() if not one.is_dir()]
            for member in wanted:
                _check(member, path)
            wanted = [one for one in wanted if _LOGS not in one.filename.lower().replace("\\", "/").split("/")[:-1]]
            for member in wanted:
                budget.spend(member.file_size, f"{path}: {member.filename}")
            for member in sorted(wanted, key=lambda one: one.filename):
                if member.filename.lower().endswith(".json"):
                    yield _member(archive, member, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise DocumentError(
            "the .zip file is torn or encrypted", where=str(path), do="Copy it again, or collect again."
        ) from None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> File:
    with archive.open(member) as content:
        data = content.read(member.file_size + 1)  # what is said about its size is all that is read
    return File(member.filename.replace("\\", "/"), f"{path}: {member.filename}", _utf8(data))


def _utf8(data: bytes) -> bytes:
    """Without a byte order mark; UTF-16, as Windows PowerShell redirects, becomes UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace").encode()
    return data.removeprefix(_BYTE_ORDER_MARK)


def _check(member: zipfile.ZipInfo, path: Path) -> None:
    name = member.filename.replace("\\", "/")
    if name.startswith("/") or ":" in name or ".." in name.split("/"):
        raise DocumentError("a name in it leads out of it", where=f"{path}: {member.filename}", do="Do not use it.")
