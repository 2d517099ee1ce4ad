"""The journal of a run: append-only JSON lines, each with the hash of the line before.

A line is one JSON object and a line feed. `previous` is the SHA-256 of the whole line before without its line feed,
empty in the first: a line that was taken out, put in or edited breaks the chain, and is seen. Beside the journal stands
how many lines it had and the last one's hash, so that the end of the chain is held too. It is no signature.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal, NamedTuple

import msgspec

from remediate.model.secret import refuse_to_encode

Event = Literal[
    "opened", "approved", "imported", "begin", "done", "declined", "as wanted", "not as wanted", "refused", "failed",
    "unresolved", "closed",
]  # fmt: skip
Table = dict[str, str | None]

_END = re.compile(rb"([1-9][0-9]{0,8}) {1,9}([0-9a-f]{64})\n")


class JournalLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `at` is UTC; `action` is the plan's number, 0 for the run as a whole; `by` the account that acted.

    `source` tells who did it: `apply`, or a script by its name. `began` of a `done` is the `at` of its `begin`. `undo`
    marks what a rollback did. `sent` names files of what was sent to the target: size and SHA-256 by then. `follows` of
    an `imported` is the SHA-256 of the record which that one undoes or comes after. `approval` of an `approved` is what
    the attempt that begins there was approved by: digest, ticket, approved_by, given_at. `token` of an `opened` is what
    the hosts' locks of this run bear, and of no other run.
    """

    at: str
    event: Event
    source: str
    target: str = ""
    action: int = 0
    began: str = ""
    before: Table | None = None
    after: Table | None = None
    detail: str = ""
    by: str = ""
    undo: bool = False
    follows: str = ""
    sent: dict[str, str] = {}
    approval: dict[str, str] = {}
    token: str = ""
    previous: str = ""


class Journal(msgspec.Struct, frozen=True):
    """What a journal holds. `broken` tells the first thing that was changed in it by hand, `torn` a last line that was
    not written to its end; empty and false when all is well."""

    lines: tuple[JournalLine, ...]
    broken: str = ""
    torn: bool = False


class Tail(NamedTuple):
    """How many lines a whole journal has, and the hash of the last one, empty for none."""

    lines: int
    last: str

    def text(self) -> bytes:
        """Return it as the text that stands beside the journal: of the same length, however many lines there are."""
        return f"{self.lines:<9} {self.last}\n".encode("ascii")


_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=refuse_to_encode)


def line_hash(line: bytes) -> str:
    """Return the SHA-256 of a line without its line feed, in hexadecimal."""
    return hashlib.sha256(line.removesuffix(b"\n")).hexdigest()


def chained(line: JournalLine, *, previous: str) -> bytes:
    """Return the text of a line that follows the one with that hash. Raises SecretNotSerialisable."""
    return _ENCODER.encode(msgspec.structs.replace(line, previous=previous)) + b"\n"


def continued(text: bytes, *lines: JournalLine) -> bytes:
    """Return what is to be written behind a whole journal's text."""
    return behind(tail_of(text), *lines)[0]


def behind(tail: Tail, *lines: JournalLine) -> tuple[bytes, Tail]:
    """Return what is to be written behind a journal that ends so, and how it ends then."""
    added = b""
    for line in lines:
        row = chained(line, previous=tail.last)
        tail = Tail(tail.lines + 1, line_hash(row))
        added += row
    return added, tail


def tail_of(text: bytes) -> Tail:
    """Return how a whole journal ends."""
    return Tail(text.count(b"\n"), line_hash(text[:-1].rpartition(b"\n")[2]) if text else "")


def end_of(text: bytes) -> bytes:
    """Return how a whole journal ends, as the text that stands beside it."""
    return tail_of(text).text()


def read_journal(text: bytes, *, end: bytes) -> Journal:
    """Return a journal; whatever stands after a break is not believed and not returned.

    `end` is what `end_of` gave. Lines beyond it that follow are believed: it is written after them.
    """
    *rows, rest = text.split(b"\n")
    lines: list[JournalLine] = []
    previous = ""
    for number, row in enumerate(rows, start=1):
        try:
            line = msgspec.json.decode(row, type=JournalLine)
        except (msgspec.MsgspecError, UnicodeError):
            return Journal(tuple(lines), broken=f"line {number} is no line of a journal", torn=bool(rest))
        if line.previous != previous:
            return Journal(tuple(lines), broken=_where(number), torn=bool(rest))
        lines.append(line)
        previous = line_hash(row)
    return Journal(tuple(lines), broken=_contradicted(rows, end), torn=bool(rest))


def _where(number: int) -> str:
    return f"line {number} does not follow line {number - 1}" if number > 1 else "its first line is missing"


def _contradicted(rows: list[bytes], end: bytes) -> str:
    """What a chain that is whole in itself does not have in common with its end; empty when nothing."""
    known = _END.fullmatch(end)
    if known is None:
        return "its end is not recorded, or not as it should be"
    count = int(known[1])
    if len(rows) < count:
        return f"it had {count} lines and has {len(rows)}"
    return "" if line_hash(rows[count - 1]) == known[2].decode("ascii") else f"line {count} was changed"
