"""Lines of a run's journal, each on the disk before the next, against bare appends of the same size with an fsync.

`python -m benchmarks.journal [FOLDER]`. Nothing is contacted. FOLDER is on the disk that is meant; else the temporary
one.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measuring import Pairs, Row, in_turn, show
from remediate.model.journal import JournalLine
from remediate.runs.folder import RunFolder

LINES, PAIRS = 200, 15
ENOUGH = 500
AT = "2026-11-23T09:12:00Z"
HASH = "9fd753b4157bc909ee6d205582e51d50fdd7712d1cd71d62cc756763250f3780"
LINE = JournalLine(
    at=AT, event="begin", source="apply", target="ca01.contoso.test", action=3, by="admin",
    before={"UseDefinedCACertInRequest": "0"}, sent={"ca01.contoso.test.ps1": f"1056 {HASH}"},
)  # fmt: skip


def journaled(folder: Path) -> Callable[[], object]:
    """Append lines to the journal of one run, which grows with every call."""
    opened = JournalLine(at=AT, event="opened", source="apply", by="admin")
    run = RunFolder.create(folder, sealed=b"{}\n", opened=opened, digest="0" * 64, now=datetime.now(UTC))

    def work() -> None:
        for _ in range(LINES):
            run.append(LINE)

    return work


def appended(file: Path, size: int) -> Callable[[], object]:
    """Append so many bytes to an open file, with an fsync after each."""
    content, opened = b"x" * size, file.open("ab", buffering=0)

    def work() -> None:
        for _ in range(LINES):
            opened.write(content)
            os.fsync(opened.fileno())

    return work


def main(where: str | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        ours = journaled(folder)
        ours()
        (journal,) = folder.glob("*/journal.jsonl")
        size = len(journal.read_bytes().splitlines(keepends=True)[-1])
        pairs = in_turn(ours, appended(folder / "bare", size), times=PAIRS)
    show(rows(pairs, size))


def rows(pairs: Pairs, size: int) -> list[Row]:
    """Return the table: the ratio has a goal only where the speed misses its own."""
    speed, bare = (LINES / statistics.median(taken) for taken in pairs)
    goal = "" if speed >= ENOUGH else "at most 1.2"
    ours, theirs = f"{LINES} lines of {size} bytes in the journal", "bare appends, each with an fsync"
    (first, second, ratio) = pairs.rows("ratio", ours=ours, theirs=theirs, goal=goal)
    told = Row("lines of the journal a second", f"{speed:.0f}", f"at least {ENOUGH}, or the ratio at most 1.2")
    return [first, second, told, Row("bare appends a second", f"{bare:.0f}"), ratio]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
