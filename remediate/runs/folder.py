"""One folder per run: the plan as it was approved, the journal, and what came back.

    RUN/plan.json        the sealed plan, byte for byte
    RUN/journal.jsonl    append-only, hash-chained, each line on the disk before the next thing happens
    RUN/results/         records of scripts, as they were returned

The folder is its owner's alone: mode 0700 where modes exist; on Windows it inherits from the profile, where nobody
else may read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from remediate.model.errors import DocumentError, RefusedError
from remediate.model.journal import Journal, JournalLine, chained, line_hash, read_journal
from remediate.model.plan import Plan, unseal

PLAN_FILE, JOURNAL_FILE, RESULTS = "plan.json", "journal.jsonl", "results"


def state_folder(environment: Mapping[str, str], *, home: Path, windows: bool) -> Path:
    """Return where runs are kept unless told otherwise: %LOCALAPPDATA%, or $XDG_STATE_HOME or ~/.local/state."""
    if windows:
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "remediate" / "runs"
    return Path(environment.get("XDG_STATE_HOME") or home / ".local" / "state") / "remediate" / "runs"


class RunFolder:
    """One run on the disk. Every method raises DocumentError, with the path, where the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, root: Path, *, sealed: bytes, digest: str, now: datetime) -> RunFolder:
        """Make the folder of a new run, named by its time and its plan's digest."""
        path = root / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
            _write(path / PLAN_FILE, sealed)
            (path / RESULTS).mkdir(mode=0o700)
            sync_folder(path)
            sync_folder(root)
        except FileExistsError as error:
            raise RefusedError("a run of this plan begins at this very second", where=str(path)) from error
        except OSError as error:
            raise _failed("cannot be made", path, error) from error
        return cls(path)

    @property
    def name(self) -> str:
        """The run's name, by which other verbs find it."""
        return self.path.name

    def plan(self) -> tuple[Plan, str]:
        """Return the plan and its digest. Raises PlanEdited when somebody changed it."""
        return unseal(self._read(PLAN_FILE), where=str(self.path / PLAN_FILE))

    def journal(self) -> Journal:
        """Return the journal, empty before its first line."""
        return read_journal(self._read(JOURNAL_FILE)) if (self.path / JOURNAL_FILE).exists() else Journal(())

    def append(self, *lines: JournalLine) -> None:
        """Write lines behind the last one; they are on the disk when this returns.

        Raises RefusedError when the journal is broken or torn: nothing is added to what cannot be believed.
        """
        path = self.path / JOURNAL_FILE
        text = self._read(JOURNAL_FILE) if path.exists() else b""
        journal = read_journal(text)
        if journal.broken or journal.torn:
            why = journal.broken or "its last line was not written to its end"
            raise RefusedError("the journal cannot be continued", where=str(path), why=why, do="Look at it by hand.")
        previous = line_hash(text.rstrip(b"\n").rpartition(b"\n")[2]) if text else ""
        try:
            _append(path, b"".join(_chain(lines, previous)))
            sync_folder(self.path)
        except OSError as error:
            raise _failed("cannot be written", path, error) from error

    def keep_result(self, name: str, text: bytes) -> None:
        """Keep a returned record as it came."""
        try:
            _write(self.path / RESULTS / name, text)
        except OSError as error:
            raise _failed("cannot be written", self.path / RESULTS / name, error) from error

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise _failed("cannot be read", self.path / name, error) from error


def runs(root: Path) -> Iterator[RunFolder]:
    """Yield the runs below the state folder, oldest first; none when there is no such folder."""
    if root.is_dir():
        for path in sorted(root.iterdir()):
            if (path / PLAN_FILE).is_file():
                yield RunFolder(path)


def _chain(lines: tuple[JournalLine, ...], previous: str) -> Iterator[bytes]:
    for line in lines:
        text = chained(line, previous=previous)
        previous = line_hash(text)
        yield text


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Put a folder's entries on the disk. Windows cannot and need not: NTFS journals its own folders."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(what: str, path: Path, error: OSError) -> DocumentError:
    return DocumentError(what, where=str(path), why=error.strerror or "", do="Name another folder with --runs.")
