"""Files, folders, zips and streams in; records out. The only part of triage that opens anything, and only to read.

What a source is, its content says, not its name. Nothing is held whole: memory stays flat however large a source is.
What cannot be read is one `Skipped`, and everything else is still read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, tzinfo
from pathlib import Path
from typing import BinaryIO, NamedTuple

from remediate.triage.needles import Needles
from remediate.triage.records import Record, Skipped, SourceRead

Item = Record | Skipped | SourceRead


class Stream(NamedTuple):
    """An open binary stream (standard input, text from a host) and the name that its records shall bear."""

    name: str
    content: BinaryIO


def read(
    inputs: Iterable[Path | Stream], needles: Needles, *, assumed_zone: tzinfo = UTC, jobs: int = 1
) -> Iterator[Item]:
    """Yield the records of all inputs that hold a needle, a `Skipped` for whatever was not read, and one `SourceRead`
    for each file (also each one within a zip) once it is done.

    Folders are walked, zips opened. Local times without a zone are taken as `assumed_zone`. With `jobs` above 1 files
    are read side by side in processes of their own (started with spawn), and the items of different sources come
    interleaved; the items themselves are the same. Raises nothing for what the inputs contain.
    """
    raise NotImplementedError
