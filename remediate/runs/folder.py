"""One folder per run: the plan as it was approved, the journal, and what came back.

    RUN/plan.json        the sealed plan, byte for byte
    RUN/approval.json    the approval that was given last, of those that the journal has
    RUN/journal.jsonl    append-only, hash-chained, each line on the disk before the next thing happens
    RUN/journal.end      how many lines that has, and the last one's hash; after a power cut perhaps those of before
    RUN/journal.torn     what a power cut left of a last line, cut off when the run was gone on with
    RUN/sent/            what was sent to each target, see `runs.sent`
    RUN/results/         records of scripts, as they were returned

A run appears whole or not at all. Its folder is its owner's alone: mode 0700 where modes exist; on Windows it inherits
from the profile, where nobody else may read.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from remediate.model.errors import DocumentError, RefusedError, UsageError
from remediate.model.journal import Journal, JournalLine, Tail, behind, continued, end_of, read_journal, tail_of
from remediate.model.plan import Plan, unseal
from remediate.runs.disk import append_whole, overwrite, sync_folder, write_whole
from remediate.runs.lock import held, owner

APPROVAL_FILE, TORN_FILE = "approval.json", "journal.torn"
PLAN_FILE, JOURNAL_FILE, END_FILE, RESULTS = "plan.json", "journal.jsonl", "journal.end", "results"

_ELSEWHERE = "Name another folder with --runs."
_COPY = "Put the folder back from a copy; where there is none, plan again."
_MEND = "Make room there, or see who may write there; then run the same again, `apply` with --go-on."
_READ = "See who may read it; where it is gone, put the folder back from a copy."

_State = tuple[tuple[int, int, int, int], ...]


def state_folder(environment: Mapping[str, str], *, home: Path | None, windows: bool) -> Path:
    """Return where runs are kept unless told otherwise: %LOCALAPPDATA%, or $XDG_STATE_HOME or ~/.local/state.

    Raises UsageError where the environment names none and there is no home.
    """
    name, below = ("LOCALAPPDATA", "AppData/Local") if windows else ("XDG_STATE_HOME", ".local/state")
    given = environment.get(name)
    if not given and home is None:
        own = "USERPROFILE" if windows else "HOME"
        why = "this account has no home folder"
        raise UsageError("the folder of runs cannot be found", why=why, do=f"Set {own}, or give --runs DIR.")
    return Path(given or (home or Path()) / below) / "remediate" / "runs"


class RunFolder:
    """One run on the disk. Every method raises DocumentError, with the path, where the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: tuple[_State, Tail] | None = None

    @classmethod
    def create(cls, root: Path, *, sealed: bytes, opened: JournalLine, digest: str, now: datetime) -> RunFolder:
        """Make the folder of a new run, named by its time and its plan's digest, with the first line of its journal.

        The line gets a token that no other run has; the approval that it bears is kept beside it. Raises RefusedError
        when another run of the plan begins at the same second.
        """
        path = root / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"
        new = root / f".{path.name}.new"
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists():
                raise RefusedError("a run of this plan began at this very second", where=str(path), do="Run it again.")
            _fill(new, sealed=sealed, opened=msgspec.structs.replace(opened, token=secrets.token_hex(16)))
            new.rename(path)
            sync_folder(root)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            raise _failed("cannot be made", path, error, do=_ELSEWHERE) from error
        return cls(path)

    @property
    def name(self) -> str:
        """The run's name, by which other verbs find it."""
        return self.path.name

    def sealed(self) -> bytes:
        """Return the plan's file."""
        return self._read(PLAN_FILE)

    def plan(self) -> tuple[Plan, str]:
        """Return the plan and its digest. Raises PlanEdited when somebody changed it, RefusedError when it is not the
        plan that the journal was opened with, or the approval beside it is none of the journal's."""
        where = str(self.path / PLAN_FILE)
        plan, digest = unseal(self.sealed(), where=where)
        journal = self.journal()
        opened = next((line.detail for line in journal.lines[:1] if line.event == "opened"), "")
        if opened and opened != digest:
            what = "the plan in this run's folder is another than the one it was opened with"
            raise RefusedError(what, where=where, why=f"it is {digest}, and was {opened}", do=_COPY)
        self._approvals(journal)
        return plan, digest

    def journal(self) -> Journal:
        """Return the journal; one that was edited or torn says so, and can be read but not continued."""
        return read_journal(self._journal_text(), end=self._recorded_end())

    def whole_journal(self) -> Journal:
        """Return the journal. Raises RefusedError when it was edited, or its last line not written to its end."""
        return self._whole(self._journal_text())

    def _whole(self, text: bytes) -> Journal:
        journal, path = read_journal(text, end=self._recorded_end()), str(self.path / JOURNAL_FILE)
        if journal.broken:
            raise RefusedError("the journal was edited", where=path, why=journal.broken, do=_COPY)
        if journal.torn:
            do = "Cut what stands behind the last line feed off, then run this again."
            raise RefusedError("the last line of the journal was not written to its end", where=path, do=do)
        return journal

    @property
    def token(self) -> str:
        """What the locks of this run bear; empty for an older run, and for one whose journal cannot be believed."""
        return next((line.token for line in self.journal().lines[:1]), "")

    def append(self, *lines: JournalLine) -> None:
        """Write lines behind the last one; all are on the disk when this returns, or none is there.

        Raises RefusedError when the journal was edited or torn, or another process is writing.
        """
        path = self.path / JOURNAL_FILE
        with held(self.path / "journal.lock", do=_MEND):
            added, tail = behind(self._tail(), *lines)
            try:
                append_whole(path, added)
                overwrite(self.path / END_FILE, tail.text())
                self._written = self._state(), tail
            except OSError as error:
                raise _failed("cannot be written", path, error, do=_MEND) from error

    def _tail(self) -> Tail:
        """How the journal ends. It is read and checked again unless both files are as this object has left them."""
        with suppress(OSError):
            if self._written and self._written[0] == self._state():
                return self._written[1]
        text = self._read(JOURNAL_FILE)
        self._whole(text)
        return tail_of(text)

    def _state(self) -> _State:
        """What the system says of the two files, which changes with whatever somebody writes into them."""
        found = [(self.path / name).stat() for name in (JOURNAL_FILE, END_FILE)]
        return tuple((one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in found)

    def cut_torn_line(self) -> bytes:
        """Take a last line that was not written to its end off the journal, into a file beside it; return it.

        Nothing is done, and nothing returned, where there is none. Raises RefusedError when the journal was edited.
        """
        path = self.path / JOURNAL_FILE
        with held(self.path / "journal.lock", do=_MEND):
            text = self._read(JOURNAL_FILE)
            kept, torn = text[: text.rfind(b"\n") + 1], text[text.rfind(b"\n") + 1 :]
            if not torn:
                return b""
            self._refuse_edited(kept)
            try:
                append_whole(self.path / TORN_FILE, torn + b"\n")
                write_whole(self.path / END_FILE, end_of(kept))
                write_whole(path, kept)
            except OSError as error:
                raise _failed("cannot be written", path, error, do=_MEND) from error
        return torn

    def _refuse_edited(self, kept: bytes) -> None:
        """Raise RefusedError when the lines before a torn one are not what they were; its own may be the end's."""
        recorded = self._recorded_end()
        without_it = recorded.partition(b" ")[0] == str(kept.count(b"\n") + 1).encode("ascii")
        broken = read_journal(kept, end=end_of(kept) if kept and without_it else recorded).broken
        if broken:
            raise RefusedError("the journal was edited", where=str(self.path / JOURNAL_FILE), why=broken, do=_COPY)

    def _recorded_end(self) -> bytes:
        return self._read(END_FILE) if (self.path / END_FILE).exists() else b""

    def approve(self, line: JournalLine) -> None:
        """Write down under which approval an attempt begins: in the journal, then beside it. Raises as `append`."""
        self.append(line)
        path = self.path / APPROVAL_FILE
        try:
            write_whole(path, _approval_text(line.approval))
        except OSError as error:
            raise _failed("cannot be written", path, error, do=_MEND) from error

    def approvals(self) -> tuple[dict[str, str], ...]:
        """Return the approvals under which this run's attempts began, oldest first; none where nothing began.

        A run whose journal knows of none, an older one, has what is kept beside it. Raises RefusedError when that is
        none of the journal's, and DocumentError when it is no approval.
        """
        return self._approvals(self.journal())

    def _approvals(self, journal: Journal) -> tuple[dict[str, str], ...]:
        kept = self._kept_approval()
        given = [line.approval for line in journal.lines if line.approval]
        if not given:
            return (kept,) if kept else ()
        if kept not in given and not journal.broken:
            what = "the approval in this run's folder is another than its journal has"
            raise RefusedError(what, where=str(self.path / APPROVAL_FILE), do=_COPY)
        return tuple(line.approval for line in journal.lines if line.event == "approved")

    def approval(self) -> dict[str, str]:
        """Return the latest of the approvals; nothing for a run without one. Raises as `approvals`."""
        return next(reversed(self.approvals()), {})

    def _kept_approval(self) -> dict[str, str]:
        path = self.path / APPROVAL_FILE
        if not path.exists():
            return {}
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError, UnicodeError) as error:
            raise DocumentError("is no approval", where=str(path), why=str(error)) from error

    def keep_result(self, name: str, text: bytes) -> None:
        """Keep a returned record as it came; the same again changes nothing."""
        path = self.path / RESULTS / name
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_whole(path, text)
        except OSError as error:
            raise _failed("cannot be written", path, error, do=_MEND) from error

    def _journal_text(self) -> bytes:
        if not (self.path / JOURNAL_FILE).exists():
            raise RefusedError("the journal of this run is missing", where=str(self.path / JOURNAL_FILE), do=_COPY)
        return self._read(JOURNAL_FILE)

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise _failed("cannot be read", self.path / name, error, do=_READ) from error


def runs(root: Path) -> Iterator[RunFolder]:
    """Yield the runs below the state folder, oldest first; none when there is no such folder. Raises DocumentError.

    A folder without anything of a journal is no run: a run appears whole, so nothing has ever begun there.
    """
    try:
        found = sorted(path for path in root.iterdir() if not path.name.startswith(".")) if root.is_dir() else []
    except OSError as error:
        raise _failed("cannot be read", root, error, do=_ELSEWHERE) from error
    for path in found:
        if any((path / name).is_file() for name in (JOURNAL_FILE, END_FILE)):
            yield RunFolder(path)


def alone(root: Path, digest: str) -> AbstractContextManager[None]:
    """Hold the lock over the runs of one plan, in a folder that is made where it is not there. Raises as `held`."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _failed("cannot be made", root, error, do=_ELSEWHERE) from error
    return held(_lock(root, digest))


def at_work(root: Path, digest: str) -> str:
    """Return who works on a run of the plan at this moment; empty for nobody."""
    return owner(_lock(root, digest))


def _lock(root: Path, digest: str) -> Path:
    return root / f".{digest[:16]}.lock"


def _fill(folder: Path, *, sealed: bytes, opened: JournalLine) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what a process that was killed left
    folder.mkdir(mode=0o700)
    (folder / RESULTS).mkdir(mode=0o700)
    journal = continued(b"", opened)
    write_whole(folder / PLAN_FILE, sealed)
    if opened.approval:
        write_whole(folder / APPROVAL_FILE, _approval_text(opened.approval))
    write_whole(folder / JOURNAL_FILE, journal)
    write_whole(folder / END_FILE, end_of(journal))


def _approval_text(approval: Mapping[str, str]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(approval), indent=2) + b"\n"


def _failed(what: str, path: Path, error: OSError, *, do: str) -> DocumentError:
    return DocumentError(what, where=str(path), why=error.strerror or "", do=do)
