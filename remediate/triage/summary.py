"""The report of what was counted: rows in the order in which an admin should look at them, and what to run next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from remediate.adcs.hresult import HResult
from remediate.triage import request_files
from remediate.triage.bounded import Latest, moment
from remediate.triage.counting import LONGEST_PROOF, Fold, Tally, Witness
from remediate.triage.records import Record
from remediate.triage.redaction import Redactor
from remediate.triage.redaction_names import known_names
from remediate.triage.report import Bucket, Problem, Proof, Report, Requests, Source, Unread
from remediate.triage.symptoms import MORE_CODES, Symptom, told_without_codes

_ORDER = {"problem": 0, "warning": 1, "unknown": 2, "consequence": 3}
# The provider of a device's own channel: its events bear the device's name as host.
_DEVICE_CHANNEL = "microsoft-windows-devicemanagement"
_MOST_NAMES = 10
# So much beside what is shown is redacted with it: a label may stand before, and a name may be cut.
_MARGIN = 1024


def make_report(fold: Fold, *, where: str, assumed_zone: str = "UTC", key: bytes = b"") -> Report:
    """Return the report. `where` are the options that say where facts come from; with a `key` names are pseudonyms."""
    redactor = _redactor(fold, key) if key else None
    summary = _Summary(fold, where, redactor)
    sources = sorted(map(summary.source, fold.sources), key=lambda one: one.source)
    return Report(
        problems=tuple(sorted(summary.problems(), key=_rank)),
        issued=fold.issued_count,
        sources=tuple(sources),
        unread=tuple(sorted(summary.unread(), key=lambda one: (one.source, one.position, one.what))),
        records=sum(one.scanned for one in sources),
        size=sum(one.size for one in sources),
        first=min((one.first for one in sources if one.first), key=moment, default=""),
        last=max((one.last for one in sources if one.last), key=moment, default=""),
        copies=fold.copies,
        since=fold.since,
        assumed_zone=assumed_zone if any("local" in one.zones for one in sources) else "",
        redacted=bool(key),
        notes=tuple(_notes(fold)),
    )


def _rank(problem: Problem) -> tuple[int, int, str, str]:
    return _ORDER[problem.kind], -problem.count, problem.signature, problem.code


def _notes(fold: Fold) -> Iterator[str]:
    if fold.seen.forgot:
        yield "There are so many events that a copy of one, read much later, may be counted again."
    tallies = fold.tallies.values()
    if any(one.full for tally in tallies for one in (tally.devices, tally.users, tally.requests)):
        yield "There are so many devices that their number is a lower bound."


class _Summary:
    """Makes the parts of a report; every foreign string goes through `text`."""

    def __init__(self, fold: Fold, where: str, redactor: Redactor | None) -> None:
        self.fold, self.redactor = fold, redactor
        self.where = self.text(where)

    def text(self, text: str) -> str:
        return self.redactor.text(text) if self.redactor else text

    def path(self, path: str) -> str:
        return self.redactor.path(path) if self.redactor else path

    def place(self, source: str, kind: str = request_files.KIND) -> str:
        """The name of a source. A request file is named after whom it is of."""
        if not self.redactor or kind != request_files.KIND or not request_files.part_of(source):
            return self.path(source)
        folder, name = request_files.parted(source)
        return self.path(folder) + self.redactor.file_name(name)

    def problems(self) -> Iterator[Problem]:
        for symptom, tally in self.fold.tallies.items():
            if tally.count:
                yield self._problem(symptom, tally)

    def unread(self) -> Iterator[Unread]:
        for one in self.fold.unread:
            yield Unread(source=self.place(one.source), what=self.text(one.what), position=one.position, lost=one.lost)

    def source(self, source: Source) -> Source:
        return Source(
            source=self.place(source.source, source.kind), kind=source.kind, size=source.size, scanned=source.scanned,
            matched=source.matched, first=source.first, last=source.last, zones=source.zones,
        )  # fmt: skip

    def _problem(self, symptom: Symptom, tally: Tally) -> Problem:
        first, last = tally.earliest, tally.latest
        name = HResult.parse(symptom.code).name if symptom.code else ""
        title, meaning, playbook = self._described(symptom, name)
        return Problem(
            kind=symptom.kind if symptom.kind != "success" and symptom.kind != "routine" else "problem",
            signature=symptom.signature, code=symptom.code, name=name, title=title, meaning=meaning, playbook=playbook,
            command=_command(symptom, playbook, self.where),
            count=tally.count,
            first=first.record.when if first else "", last=last.record.when if last else "",
            devices=len(tally.devices), users=len(tally.users),
            hosts=tuple(map(self.text, tally.hosts.newest(_MOST_NAMES))),
            certification_authorities=tuple(map(self.text, tally.authorities.newest(_MOST_NAMES))),
            templates=tuple(map(self.text, tally.templates.newest(_MOST_NAMES))),
            thumbprints=tuple(map(self.text, tally.thumbprints.newest(_MOST_NAMES))),
            requests=self._requests(tally.requests),
            proof=tuple(self._proof(tally)),
            histogram=tuple(Bucket(start, count) for start, count in tally.histogram.buckets),
            step_minutes=tally.histogram.minutes,
            notes=tuple(self._notes(symptom)),
        )  # fmt: skip

    def _described(self, symptom: Symptom, name: str) -> tuple[str, str, str]:
        if symptom.signature:
            signature = self.fold.signatures[symptom.signature]
            return signature.title, signature.meaning, signature.playbook
        if symptom == MORE_CODES:
            return "More codes that no playbook knows", "There are so many that these are not told apart.", ""
        return name or "A code without a known name", "No playbook knows this code.", ""

    def _requests(self, requests: Latest) -> Requests:
        issued = self.fold.issued.times
        recovered = {key for key, when in requests.times.items() if moment(issued.get(key, "Z")) > moment(when)}
        failing = tuple(key for key in requests.newest(len(requests)) if key not in recovered)
        shown = failing[:_MOST_NAMES]
        return Requests(
            recovered=len(recovered), failing=len(failing), at_least=requests.full,
            failing_last=tuple(map(self.redactor.request, shown)) if self.redactor else shown,
        )  # fmt: skip

    def _proof(self, tally: Tally) -> Iterator[Proof]:
        witnesses = {id(one.record): one for one in (tally.earliest, tally.latest) if one}
        places = {one.place: one for one in witnesses.values()}
        for witness in places.values():
            record = witness.record
            source = self.place(record.source, record.kind)
            yield Proof(source=source, position=record.position, when=record.when, text=self._told(witness))

    def _told(self, witness: Witness) -> str:
        """What the entry says, on one line, cut where it is long."""
        if not self.redactor:
            return _cut(witness.text, LONGEST_PROOF)
        data = witness.record.data
        if data.keys() >= {"folder", "name", "codes"}:
            return f"{data['folder']}: {self.redactor.file_name(data['name'])} {data['codes']}".rstrip()
        told = self.redactor.text(_cut(_with_lines(witness), LONGEST_PROOF + 2 * _MARGIN))
        return _cut(" ".join(told.split()), LONGEST_PROOF)

    def _notes(self, symptom: Symptom) -> Iterator[str]:
        if symptom.signature == "event_128" and not self._saw("rpc_server_unavailable"):
            yield "0x800706BA was not seen; by itself the event is a warning that OCSP responders cause too."
        if symptom.signature == "denied_by_policy_module" and not symptom.code:
            yield from self._reasons_of_the_ca()

    def _saw(self, signature: str) -> bool:
        return any(one.signature == signature for one in self.fold.tallies)

    def _reasons_of_the_ca(self) -> Iterator[str]:
        """Name the codes beside which the CA itself says that its policy module denied."""
        codes = [
            f"{symptom.code} {HResult.parse(symptom.code).name}".rstrip()
            for symptom, tally in sorted(self.fold.tallies.items())
            if symptom.code and any(map(self._says_denied, (tally.earliest, tally.latest)))
        ]
        if codes:
            yield f"The CA's own log says why: {', '.join(codes)}. Look there first."

    def _says_denied(self, witness: Witness | None) -> bool:
        told = told_without_codes(witness.record, self.fold.signatures) if witness else ()
        return "denied_by_policy_module" in told


def _redactor(fold: Fold, key: bytes) -> Redactor:
    """Return what knows every user and device that was counted, and which names stay."""
    tallies = tuple(fold.tallies.values())
    witnesses = [one for tally in tallies for one in (tally.earliest, tally.latest) if one]
    own = [one.record.host for one in witnesses if _is_a_devices(one.record)]
    of_issued = [key.split(":")[:2] for key in fold.issued.times]
    users = chain(
        (one.subject.user for one in witnesses), *(tally.users.times for tally in tallies),
        (name for kind, name in of_issued if kind == "user"),
    )  # fmt: skip
    devices = chain(
        own, (one.subject.device for one in witnesses), *(tally.devices.times for tally in tallies),
        (name for kind, name in of_issued if kind == "device"),
    )  # fmt: skip
    stay = {name for tally in tallies for kept in (tally.authorities, tally.templates) for name in kept.times}
    stay |= {part for name in stay for part in name.split("\\")}
    hosts = {name for tally in tallies for name in tally.hosts.times}
    return Redactor(key, known_names(users, devices, stay=stay), keep=stay, hosts=hosts)


def _with_lines(witness: Witness) -> str:
    """What an entry says, with the lines that it has: a label's value ends with its line."""
    text = witness.record.text
    return text if witness.text == " ".join(text.split()) else witness.text


def _is_a_devices(record: Record) -> bool:
    return record.kind == "omadm" or record.channel.lower().startswith(_DEVICE_CHANNEL)


def _command(symptom: Symptom, playbook: str, where: str) -> str:
    if not playbook:
        return f"certutil -error {symptom.code}" if symptom.code else ""
    return f"remediate run {playbook} --dry-run {where}".rstrip()


def _cut(text: str, longest: int) -> str:
    """A long text cut around a code in it."""
    if len(text) <= longest:
        return text
    middle = max(text.lower().find("0x8"), 0)
    start = max(0, min(middle - longest // 2, len(text) - longest))
    end = start + longest
    return ("… " if start else "") + text[start:end] + (" …" if end < len(text) else "")
