"""Records in one after the other, counts of symptoms out. Memory stays flat; the order of sources does not matter."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec.structs import replace

from remediate.triage import request_files
from remediate.triage.bounded import Histogram, Latest, Seen, moment, seconds
from remediate.triage.correlation import Subject, key_of, subject_of
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.report import Source
from remediate.triage.signatures import Signatures
from remediate.triage.symptoms import MORE_CODES, Symptom, symptoms_of

# Of one entry the report shows so much.
LONGEST_PROOF = 400
# Formats in which people and consoles write times without a fraction: CSV, pasted events and lines.
_TO_THE_SECOND = frozenset({"event-csv", "text"})
# An entry that names a device follows its reason within so many bytes of a svclog, or lines, or events. There are no
# more processes than ranges of a source are in hand at a time.
_NEAR, _MOST_PLACES, _MOST_THREADS, _MOST_WAITING = 65_536, 64, 256, 2000
# Codes that nothing knows: what has more of them is no log of certificates, and their row could not be read.
MOST_UNKNOWN = 500
# A time written in a zone that is not known is off by whole quarters of an hour, at most a day.
_QUARTER, _DAY = 900, 86_400
_LONGEST_REMEMBERED, _MOST_REMEMBERED = 600, 2000


_Thread = tuple[str, str]


class Witness:
    """An entry that proves a symptom: the record, cut short, and whose request it speaks of."""

    __slots__ = ("place", "record", "subject")

    def __init__(self, record: Record, subject: Subject) -> None:
        self.record, self.subject, self.place = record, subject, _place(record)

    @property
    def text(self) -> str:
        """What it says, on one line."""
        return " ".join(_told(self.record).split())


class Tally:
    """Everything that is counted of one symptom."""

    def __init__(self) -> None:
        self.count = 0
        self.earliest: Witness | None = None
        self.latest: Witness | None = None
        self.requests, self.devices, self.users = Latest(), Latest(), Latest()
        self.hosts, self.authorities, self.templates, self.thumbprints = Latest(), Latest(), Latest(), Latest()
        self.histogram = Histogram()

    def add(self, record: Record, subject: Subject) -> None:
        """Count the record."""
        self.count += 1
        self.histogram.add(record.when)
        self.hosts.add(_short(record.host))
        self.authorities.add(subject.ca)
        self.templates.add(subject.template)
        self.thumbprints.add(subject.thumbprint.upper())
        self.add_request(record, subject)

    def add_request(self, record: Record, subject: Subject) -> None:
        """Count whose request it was."""
        self.devices.add(subject.device.lower(), record.when)
        self.users.add(subject.user.lower(), record.when)
        self.requests.add(key_of(subject, record.host), record.when)

    def witness(self, record: Record, subject: Subject) -> None:
        """Keep the earliest and the latest entry; one without a time comes behind those with one."""
        place = _place(record)
        if self.earliest is None or (not record.when, place) < (not self.earliest.record.when, self.earliest.place):
            self.earliest = Witness(record, subject)
        if self.latest is None or place > self.latest.place:
            self.latest = Witness(record, subject)


class Fold:
    """What was counted so far."""

    def __init__(self, signatures: Signatures, *, since: str = "") -> None:
        self.signatures, self.since = signatures, since
        self.tallies: dict[Symptom, Tally] = {}
        self.issued = Latest()
        self.issued_count = self.copies = 0
        self.sources: list[Source] = []
        self.unread: list[Skipped] = []
        self.seen = Seen()
        self.request_files: dict[str, request_files.Part] = {}
        self._unknown: set[Symptom] = set()
        self._open: dict[str, _OpenSource] = {}
        self._texts: dict[str, tuple[tuple[Symptom, ...], Subject]] = {}

    def add(self, item: Record | Skipped | SourceRead) -> None:
        """Count a record, or note what was read and what was not."""
        if isinstance(item, Record):
            self._add_record(item)
        elif isinstance(item, Skipped):
            self.unread.append(item)
        else:
            source = self._open.pop(item.source, _OpenSource())
            for symptom, told, subject in source.across_seams():
                self.tallies[symptom].add_request(told, subject)
            self.sources.append(_closed(item, source))

    def _add_record(self, record: Record) -> None:
        if self.since and record.when and moment(record.when) < moment(self.since):
            return
        if record.kind == request_files.KIND:
            self.request_files.setdefault(record.data["folder"], request_files.Part()).add(record)
        shown, subject = self._judged(record)
        if not shown:
            return
        symptoms = tuple(dict.fromkeys(map(self._told_apart, shown)))
        source = self._open.setdefault(record.source, _OpenSource())
        source.matched += 1
        source.zones |= {record.zone} - {""}
        copy = self._is_copy(record, subject)
        self.copies += copy
        for symptom in symptoms:
            self._count(symptom, record, subject, copy=copy)
        self._follow(symptoms, record, subject, source)

    def _judged(self, record: Record) -> tuple[tuple[Symptom, ...], Subject]:
        """Return what the record shows and of whom it speaks. Logs repeat themselves, so short texts are remembered."""
        if record.event_id or record.data or len(record.text) > _LONGEST_REMEMBERED:
            return symptoms_of(record, self.signatures), subject_of(record)
        judged = self._texts.get(record.text)
        if judged is None:
            judged = symptoms_of(record, self.signatures), subject_of(record)
            if len(self._texts) >= _MOST_REMEMBERED:
                self._texts.clear()
            self._texts[record.text] = judged
        return judged

    def _told_apart(self, symptom: Symptom) -> Symptom:
        """The symptom, or the row of all others where too many codes are unknown."""
        if symptom.kind != "unknown" or symptom in self._unknown:
            return symptom
        if len(self._unknown) >= MOST_UNKNOWN:
            return MORE_CODES
        self._unknown.add(symptom)
        return symptom

    def _count(self, symptom: Symptom, record: Record, subject: Subject, *, copy: bool) -> None:
        if symptom.kind == "success":
            self.issued_count += not copy
            self.issued.add(key_of(subject, record.host), record.when)
            return
        tally = self.tallies.setdefault(symptom, Tally())
        tally.witness(record, subject)
        if not copy:
            tally.add(record, subject)

    def _follow(self, symptoms: tuple[Symptom, ...], record: Record, subject: Subject, source: _OpenSource) -> None:
        """Let an entry that names a device but no reason tell whose request the reason before it in its source hit."""
        reasons = tuple(symptom for symptom in symptoms if symptom.kind in ("problem", "warning", "unknown"))
        before = source.before(record, reasons if not subject.device else ())
        if not reasons and subject.device:
            for symptom in before or ():
                self.tallies[symptom].add_request(record, subject)
            if before is None:
                source.waits(record, subject)

    def _is_copy(self, record: Record, subject: Subject) -> bool:
        """Whether the same event was read before: by its record ID, or by time, host and text.

        A channel numbers its records, so two of one channel with one text are two events; it begins anew when it is
        cleared, so the number counts with event ID and time. A svclog's entry is the same as a channel's when time,
        host and text are. What has neither number nor time is never taken for a copy.

        Where an entry stands is not asked: a log that was cut in two must count as it does whole, and an entry in each
        half looks like one that was copied. So two entries of one file are one event as well, but for those of which
        `_tells_apart` says that several are likely.
        """
        host, log = _short(record.host), record.channel or record.provider
        channel = hash(log) if record.record_id else 0
        number, around = _numbers(record, host, log) if channel else (0, ())
        told = hash(("text", _micro(record.when), host, _essence(record))) if _tells_apart(record, subject) else 0
        before = self.seen.get(told) if told else None
        copy = any(self.seen.get(key) is not None for key in around) or (
            before is not None and (before != channel or not channel)
        )
        if number:
            self.seen.put(number)
        if told:
            self.seen.put(told, channel or before or 0)
        return copy


class _OpenSource:
    """What was noted of a source that is still being read."""

    def __init__(self) -> None:
        self.matched = 0
        self.zones: set[str] = set()
        self._threads: dict[_Thread, list[tuple[int, tuple[Symptom, ...]]]] = {}
        self._waiting: list[tuple[_Thread, Record, Subject]] = []

    def before(self, record: Record, reasons: tuple[Symptom, ...]) -> tuple[Symptom, ...] | None:
        """Return the reasons of the entry right before, None where there is none near, and note those of this one.

        Threads write in between each other, so the entry before is that of the same thread. Entries of ranges of one
        source that are read side by side come interleaved: so many places are remembered as ranges may be in hand, and
        what lies further apart than _NEAR has nothing to do with each other.
        """
        places = self._places(record)
        at = bisect_right(places, record.position, key=lambda place: place[0])
        near = at > 0 and record.position - places[at - 1][0] <= _NEAR
        found = places.pop(at - 1)[1] if near else None
        places.insert(at - near, (record.position, reasons))
        if len(places) > _MOST_PLACES:
            del places[0]
        return found

    def waits(self, record: Record, subject: Subject) -> None:
        """Keep an entry before which nothing came: what stands there may be the end of a range that is still read."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append((_thread(record), replace(record, text="", data={}), subject))

    def across_seams(self) -> Iterator[tuple[Symptom, Record, Subject]]:
        """Yield the reasons that came later than the entry behind them, with that entry, once all has come."""
        for thread, record, subject in self._waiting:
            places = self._threads.get(thread, [])
            at = bisect_left(places, record.position, key=lambda place: place[0])
            if at > 0 and record.position - places[at - 1][0] <= _NEAR:
                yield from ((symptom, record, subject) for symptom in places[at - 1][1])

    def _places(self, record: Record) -> list[tuple[int, tuple[Symptom, ...]]]:
        """What is remembered of the record's thread; the thread that was quiet longest is forgotten."""
        thread = _thread(record)
        places = self._threads.pop(thread, [])
        self._threads[thread] = places
        if len(self._threads) > _MOST_THREADS:
            del self._threads[next(iter(self._threads))]
        return places


def _thread(record: Record) -> _Thread:
    return record.data.get("ProcessID", ""), record.data.get("ThreadID", "")


def count(items: Iterable[Record | Skipped | SourceRead], signatures: Signatures, *, since: str = "") -> Fold:
    """Count all items. `since` (UTC, ISO 8601 with Z) leaves older records out; those without a time stay."""
    fold = Fold(signatures, since=since)
    for item in items:
        fold.add(item)
    return fold


def _place(record: Record) -> tuple[str, str, int]:
    """What orders entries: time, source, position."""
    return moment(record.when), record.source, record.position


def _closed(read: SourceRead, noted: _OpenSource) -> Source:
    return Source(
        source=read.source, kind=read.kind, size=read.size, scanned=read.scanned, matched=noted.matched,
        first=read.first, last=read.last, zones=tuple(sorted(noted.zones)),
    )  # fmt: skip


@lru_cache(maxsize=256)
def _short(host: str) -> str:
    """The first label of a name in small letters: an event has the full name, a svclog that alone. Or an address."""
    return host.lower() if re.fullmatch(r"[\d.]+|[\da-fA-F:]*:[\da-fA-F:]*", host) else host.partition(".")[0].lower()


def _micro(when: str) -> str:
    """A time to the microsecond: that is what every reader gives; a svclog has one digit more."""
    second, _, fraction = moment(when).partition(".")
    return f"{second}.{fraction[:6].ljust(6, '0')}"


def _numbers(record: Record, host: str, log: str) -> tuple[int, tuple[int, ...]]:
    """What to remember of a numbered event, and under which its copies may stand: on the day, one before or after.

    An export without a zone has another hour than the log, and no fraction. What has no time is told by its text.
    """
    event = "id", host, log, record.record_id, record.event_id
    second = seconds(record.when)
    if second is None:
        key = hash((*event, _essence(record)))
        return key, (key,)
    day, part = second // _DAY, second % _QUARTER
    before, key, after = (hash((*event, part, near)) for near in (day - 1, day, day + 1))
    return key, (before, key, after)


def _tells_apart(record: Record, subject: Subject) -> bool:
    """Whether time, host and text tell this event from every other.

    A written event has its time to the second, in which many requests can fail with one text: unless the text says
    whose request it was, each entry counts, and so does each in a copy of the file.
    """
    coarse = record.kind in _TO_THE_SECOND and _micro(record.when).endswith(".000000")
    return bool(record.when) and (not coarse or bool(key_of(subject, record.host)))


def _told(record: Record) -> str:
    """The text of an entry; for an event without a message its ID and its data by name."""
    told = record.text.split()
    if told and sorted(told) != sorted(" ".join(record.data.values()).split()):
        return record.text
    return "; ".join((f"event {record.event_id}", *(f"{name}: {value}" for name, value in record.data.items())))


def _essence(record: Record) -> str:
    told = " ".join((record.text or " ".join(record.data.values())).casefold().split())
    return told or f"{record.provider} {record.event_id}"
