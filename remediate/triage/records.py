"""One record of a log, of whatever kind the log is, and what could not be read of one.

Readers make records one after the other and keep none; whoever counts symptoms needs no more than one at a time.
"""

from __future__ import annotations

import msgspec

# More of a record's text than this is cut: no message of the products is longer, and a line may be gigabytes.
LONGEST_TEXT = 16_384


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a log.

    `when` is UTC, ISO 8601 with Z, empty where the entry has no time; `zone` says how the source gave it: `utc`,
    `local` (the source's own zone is not known and was taken as `assumed_zone`), an offset such as `+01:00`, or empty.
    `kind` is the format (`svclog`, `evtx`, `event-log` of a live host, `event-xml`, `event-csv`, `text`, `omadm`,
    `request-file`, `facts`).
    `data` are named values of an event (EventData, UserData), `text` its message or the line, at most LONGEST_TEXT.
    """

    source: str
    kind: str
    position: int = 0
    when: str = ""
    zone: str = ""
    channel: str = ""
    provider: str = ""
    event_id: int = 0
    record_id: str = ""
    host: str = ""
    text: str = ""
    data: dict[str, str] = {}


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """What was not read, one line for people: where, what is wrong there, and whether the rest was read.

    `lost` is false where what stands there was read all the same: a last record that is still being written, say.
    """

    source: str
    what: str
    position: int = 0
    lost: bool = True


class SourceRead(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one source: its format, bytes, records, and the first and last time in it (UTC, or empty).

    `scanned` counts the records that the source holds, also those that were passed over because they hold no code.
    """

    source: str
    kind: str
    size: int = 0
    scanned: int = 0
    first: str = ""
    last: str = ""
