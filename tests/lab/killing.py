"""Runs the program, and ends it by SIGKILL at one of the points between two things that matter.

`python -m tests.lab.killing FILE NUMBER ARGUMENTS...`: FILE gets the name of every point that is passed, one a line, on
the disk before anything else happens; at point NUMBER (from 1) the process dies. 0 passes all of them.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remediate.cli import detecting_again
from remediate.engine.host_locks import HostLocks
from remediate.runs import disk, folder
from remediate.runs.sent import SentFiles
from remediate.transports.ldap_write import DirectoryWriter
from remediate.transports.ldap_write_session import WritableController
from remediate.transports.winrm_session import HostSession
from remediate.transports.winrm_write import HostWriter

WRITES = re.compile(rb"^(Set|Restart)-", re.MULTILINE)


class Points:
    """Counts the points that a run passes. `during` is the write that is under way, empty between writes."""

    def __init__(self, file: Path, deadly: int) -> None:
        self._file, self._deadly = file, deadly
        self._passed, self.during = 0, ""

    def __call__(self, name: str) -> None:
        self._passed += 1
        with self._file.open("a") as file:
            file.write(f"{name}\n")
        if self._passed == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Put the points in place and run the program."""
    points = Points(Path(sys.argv[1]), int(sys.argv[2]))
    journal(points)
    kept(points)
    for writer in (DirectoryWriter, HostWriter):
        writes(writer, points)
    answers_lost(points)
    around(HostLocks, "held", points, before="before the locks are taken")
    around(detecting_again, "verified", points, before="before verification")
    from remediate.cli.main import program

    program(sys.argv[3:])


def journal(points: Points) -> None:
    """Between a line and the record of the journal's end, and after both."""
    append, append_whole = folder.RunFolder.append, disk.append_whole
    line = [""]

    def appended(run: folder.RunFolder, *lines: Any) -> None:
        line[0] = " ".join(f"{one.action} {one.event}" for one in lines)
        append(run, *lines)
        points(f"{line[0]}: after the line")

    def appended_whole(path: Path, content: bytes) -> None:
        append_whole(path, content)
        points(f"{line[0]}: line written, the journal's end not")

    for owner, name, function in ((folder.RunFolder, "append", appended), (folder, "append_whole", appended_whole)):
        setattr(owner, name, function)


def kept(points: Points) -> None:
    """What writes is kept in the run's folder, and has not been sent."""
    append = SentFiles.append

    def appended(self: SentFiles, name: str, content: bytes) -> None:
        append(self, name, content)
        if points.during and (name.endswith(".ldif") or WRITES.search(content)):
            points(f"{points.during}: kept, not sent")

    SentFiles.append = appended  # type: ignore[method-assign]


def writes(writer: Any, points: Points) -> None:
    """After the writer has its answer, before the journal says so."""
    write = writer.write

    @functools.wraps(write)
    def written(self: Any, action: Any, **tables: Any) -> str:
        points.during = str(action.id)
        remark: str = write(self, action, **tables)
        points.during = ""
        points(f"{action.id}: answered, not written down")
        return remark

    writer.write = written


def answers_lost(points: Points) -> None:
    """A write was sent, on either protocol, and its answer has not been read."""
    from ldap3.strategy.sync import SyncStrategy

    begin, modify, received = HostSession._begin, WritableController.modify, SyncStrategy.post_send_single_response
    modifying = [False]

    def begun(self: Any, shell: Any) -> None:
        begin(self, shell)
        if points.during and shell.commands[0].cmd.startswith(("Set-", "Restart-")):
            points(f"{points.during}: sent, answer lost")

    def modified(self: Any, *arguments: Any, **named: Any) -> Any:
        modifying[0] = True
        return modify(self, *arguments, **named)

    def answered(self: Any, *arguments: Any) -> Any:
        if modifying[0]:
            modifying[0] = False
            points(f"{points.during}: sent, answer lost")
        return received(self, *arguments)

    HostSession._begin = begun  # type: ignore[method-assign]
    WritableController.modify = modified  # type: ignore[method-assign]
    SyncStrategy.post_send_single_response = answered


def around(owner: Any, name: str, points: Points, *, before: str) -> None:
    """A point before a function is called."""
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        points(before)
        return function(*arguments, **named)

    setattr(owner, name, called)


if __name__ == "__main__":
    main()
