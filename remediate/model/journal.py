"""The journal of a run: append-only JSON lines, each with the hash of the line before.

A line is one JSON object and a line feed. `previous` is the SHA-256 of the whole line before without its line feed,
empty in the first: a line that was taken out, put in or edited breaks the chain, and is seen.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from remediate.model.secret import refuse_to_encode

Event = Literal["opened", "imported", "begin", "done", "declined", "as wanted", "failed", "unresolved", "closed"]
Table = dict[str, str | None]


class JournalLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `at` is UTC; `action` is the plan's number, 0 for the run as a whole; `by` the account that acted.

    `source` tells who did it: `apply`, or a script by its kind and target. `undo` marks what a rollback did.
    """

    at: str
    event: Event
    source: str
    target: str = ""
    action: int = 0
    before: Table | None = None
    after: Table | None = None
    detail: str = ""
    by: str = ""
    undo: bool = False
    previous: str = ""


class Journal(msgspec.Struct, frozen=True):
    """What a journal holds. `broken` tells the first line that does not follow from the one before, `torn` a last
    line that was not written to its end; empty and false when all is well."""

    lines: tuple[JournalLine, ...]
    broken: str = ""
    torn: bool = False


_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=refuse_to_encode)


def line_hash(text: bytes) -> str:
    """Return the SHA-256 of a line without its line feed, in hexadecimal."""
    return hashlib.sha256(text.rstrip(b"\n")).hexdigest()


def chained(line: JournalLine, *, previous: str) -> bytes:
    """Return the text of a line that follows the one with that hash. Raises SecretNotSerialisable."""
    return _ENCODER.encode(msgspec.structs.replace(line, previous=previous)) + b"\n"


def read_journal(text: bytes) -> Journal:
    """Return a journal; whatever stands after a break is not believed and not returned."""
    whole, _, rest = text.rpartition(b"\n")
    lines: list[JournalLine] = []
    previous = ""
    for number, row in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            line = msgspec.json.decode(row, type=JournalLine)
        except (msgspec.MsgspecError, UnicodeError):
            return Journal(tuple(lines), broken=f"line {number} is no line of a journal", torn=bool(rest))
        if line.previous != previous:
            return Journal(tuple(lines), broken=f"line {number} does not follow line {number - 1}", torn=bool(rest))
        lines.append(line)
        previous = line_hash(row)
    return Journal(tuple(lines), torn=bool(rest))
