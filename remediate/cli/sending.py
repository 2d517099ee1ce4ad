"""Keeps what a run sends: the records that writers tell it to, as text, in the files of the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from remediate.model.journal import JournalLine
from remediate.model.plan import DIRECTORY
from remediate.model.utc import utc_now
from remediate.runs.folder import RunFolder
from remediate.runs.sent import SentFiles, host_file
from remediate.transports.sending import Modifications

DIRECTORY_FILE = "directory.ldif"


class Sending:
    """What one run sends. Before `into` nothing is sent that writes, and it waits until there is a folder."""

    def __init__(self) -> None:
        self._files = SentFiles()

    def to_host(self, host: str) -> ToHost:
        """Return the record of a host."""
        return ToHost(host, self._files)

    def to_directory(self) -> ToDirectory:
        """Return the record of the directory."""
        return ToDirectory(self._files)

    def into(self, run: RunFolder) -> None:
        """Keep it in this run's folder. Raises DocumentError."""
        self._files.open(run.path)

    def journaling(self, append: Callable[[JournalLine], None]) -> Callable[[JournalLine], None]:
        """Return what journals a line together with the hashes of what has been sent to its target since the last."""
        told: dict[str, str] = {}

        def record(line: JournalLine) -> None:
            marks = self._files.marks(*_files_of(line.target)).items()
            new = {name: mark for name, mark in marks if told.get(name) != mark}
            append(msgspec.structs.replace(line, sent=new))
            told.update(new)

        return record


def _files_of(target: str) -> tuple[str, ...]:
    """The file of a target; none for a line about the whole run, which is about all of them."""
    return (DIRECTORY_FILE if target == DIRECTORY else host_file(target),) if target else ()


class ToHost:
    """A HostRecord that keeps."""

    def __init__(self, host: str, files: SentFiles) -> None:
        self._host, self._files = host, files

    def script(self, text: str) -> None:
        """Keep the functions that a session is given, and that it was."""
        from remediate.render.as_sent import session_text

        functions = self._files.keep_functions(text.encode("utf-8"))
        self._append(session_text(self._host, functions, utc_now()))

    def call(self, command: str, parameters: Mapping[str, object]) -> None:
        """Keep a command as a line of PowerShell."""
        from remediate.render.as_sent import call_text

        self._append(call_text(command, parameters, utc_now()))

    def _append(self, text: str) -> None:
        self._files.append(host_file(self._host), text.encode("ascii"))


class ToDirectory:
    """A DirectoryRecord that keeps."""

    def __init__(self, files: SentFiles) -> None:
        self._files = files

    def modify(self, dn: str, changes: Modifications, *, controller: str, dacl_only: bool) -> None:
        """Keep a modify as LDIF."""
        from remediate.render.as_sent import modify_text

        text = modify_text(dn, changes, controller=controller, dacl_only=dacl_only, at=utc_now())
        self._files.append(DIRECTORY_FILE, text.encode("ascii"))
