"""What a run sends, kept in its folder before it is sent, and whether it still is what the journal says was sent.

    RUN/sent/HOST.ps1             the commands in their order, each with its arguments
    RUN/sent/functions-HASH.ps1   the functions that a session was given, once for each distinct text
    RUN/sent/directory.ldif       the modifications of the directory

The lines of the journal name the size and the SHA-256 of what had been sent to their target by then.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from remediate.model.errors import DocumentError
from remediate.model.journal import JournalLine
from remediate.runs.disk import append_whole, sync_folder

if TYPE_CHECKING:
    from hashlib import _Hash

SENT = "sent"
_FUNCTIONS = "functions-"
_TORN = b"\r\n# the line above was not written to its end, and not sent\r\n"
_MARK = re.compile(r"([0-9]{1,15}) ([0-9a-f]{64})")
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]")


@dataclass
class _File:
    """A file so far: everything in it is on the disk."""

    digest: _Hash = field(default_factory=hashlib.sha256)
    size: int = 0

    def followed_by(self, content: bytes) -> None:
        self.digest.update(content)
        self.size += len(content)

    @property
    def mark(self) -> str:
        return f"{self.size} {self.digest.hexdigest()}"


class SentFiles:
    """The files of one run. Before `open` there is no folder, and what is appended waits; nothing of it may write.

    Every method raises DocumentError, with the path, where the disk refuses: what was to be sent then must not be.
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._waiting: list[tuple[str, bytes]] = []
        self._files: dict[str, _File] = {}
        self._turn = threading.Lock()

    def open(self, run: Path) -> None:
        """Put what waits into the run's folder. From now on all is on the disk when `append` returns."""
        with self._turn:
            self._folder = run / SENT
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(run)
            except OSError as error:
                raise _failed(self._folder, error) from error
            waiting, self._waiting = self._waiting, []
            for name, content in waiting:
                self._append(self._folder, name, content)

    def append(self, name: str, content: bytes) -> None:
        """Write behind what the file of that name has."""
        with self._turn:
            if self._folder is None:
                self._waiting.append((name, content))
            else:
                self._append(self._folder, name, content)

    def keep_functions(self, content: bytes) -> str:
        """Keep a text of functions, if it is not kept yet, and return the name of its file."""
        name = f"{_FUNCTIONS}{hashlib.sha256(content).hexdigest()[:16]}.ps1"
        with self._turn:
            kept = name in self._files or any(waiting == name for waiting, _ in self._waiting)
        if not kept:
            self.append(name, content)
        return name

    def marks(self, *names: str) -> dict[str, str]:
        """Return `SIZE SHA-256` of the files of these names and of all functions; of every file when none is named."""
        with self._turn:
            return {
                name: file.mark
                for name, file in sorted(self._files.items())
                if not names or name in names or name.startswith(_FUNCTIONS)
            }

    def _append(self, folder: Path, name: str, content: bytes) -> None:
        path = folder / name
        try:
            file = self._files.get(name) or _begun(path)
            self._files[name] = file
            if file.size and name.startswith(_FUNCTIONS):
                return
            append_whole(path, content)
        except OSError as error:
            raise _failed(path, error) from error
        file.followed_by(content)


def host_file(host: str) -> str:
    """Return the name of a host's file: its own name, without what a file system does not take."""
    return f"{_NO_NAME.sub('_', host.lower())}.ps1"


def _begun(path: Path) -> _File:
    """The file as an earlier process left it, or a new one that is its owner's alone."""
    file = _File()
    handle = os.open(path, os.O_CREAT | os.O_RDONLY, 0o600)
    with os.fdopen(handle, "rb") as opened:
        content = opened.read()
    if not content:
        sync_folder(path.parent)
    elif not content.endswith(b"\n"):
        append_whole(path, _TORN)
        content += _TORN
    file.followed_by(content)
    return file


def altered(run: Path, lines: Iterable[JournalLine]) -> str:
    """Return which file is no longer what the journal says was sent, empty when none. Raises DocumentError."""
    marks: dict[str, set[str]] = {}
    for line in lines:
        for name, mark in line.sent.items():
            marks.setdefault(name, set()).add(mark)
    return next(_altered(run, marks), "")


def _altered(run: Path, marks: dict[str, set[str]]) -> Iterator[str]:
    for name, known in sorted(marks.items()):
        path = run / SENT / name
        try:
            content = path.read_bytes() if path.parent == run / SENT else None
        except FileNotFoundError:
            content = None
        except OSError as error:
            raise DocumentError("cannot be read", where=str(path), why=error.strerror or "") from error
        if content is None:
            yield f"{SENT}/{name} is missing"
        elif not _holds(content, known):
            yield f"{SENT}/{name} was changed after it was sent"


def _holds(content: bytes, marks: set[str]) -> bool:
    """Whether the content begins as each mark says."""
    found = [_MARK.fullmatch(mark) for mark in marks]
    sizes = sorted((int(one[1]), one[2]) for one in found if one)
    if len(sizes) != len(marks) or sizes[-1][0] > len(content):
        return False
    digest, at = hashlib.sha256(), 0
    for size, expected in sizes:
        digest.update(content[at:size])
        at = size
        if digest.hexdigest() != expected:
            return False
    return True


def _failed(path: Path, error: OSError) -> DocumentError:
    do = "Nothing was sent that is not kept. Make room, then run it again."
    return DocumentError("cannot be written", where=str(path), why=error.strerror or "", do=do)
