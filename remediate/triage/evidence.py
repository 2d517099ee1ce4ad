"""What logs show, in the shape in which playbooks see it beside the facts of hosts. It names no user and no device."""

from __future__ import annotations

from remediate.facts.documents import LogEvidence
from remediate.triage import request_files
from remediate.triage.bounded import Latest, moment
from remediate.triage.counting import Fold, Tally
from remediate.triage.records import Record
from remediate.triage.symptoms import Symptom

_MOST_HOSTS = 100
_UNPROCESSED, _PLAYBOOK = ("Failed", "Processing"), "stuck_pending"


def evidence_of(fold: Fold) -> tuple[LogEvidence, ...]:
    """Return what was counted of each problem that a playbook knows, in the order of their signatures.

    Behind them, how many request files lie in the parts of PfxRequest where none stays that was processed.
    """
    seen = (one for one in sorted(fold.tallies.items()) if one[0].kind in ("problem", "warning") and one[1].count)
    problems = tuple(_evidence(fold, symptom, tally) for symptom, tally in seen)
    parts = ((name, fold.request_files[name]) for name in _UNPROCESSED if name in fold.request_files)
    return (*problems, *(_requests(name, part) for name, part in parts))


def _evidence(fold: Fold, symptom: Symptom, tally: Tally) -> LogEvidence:
    first, last = tally.earliest, tally.latest
    return LogEvidence(
        signature=symptom.signature,
        playbook=fold.signatures[symptom.signature].playbook,
        code=symptom.code,
        count=tally.count,
        first=first.record.when if first else "",
        last=last.record.when if last else "",
        hosts=_hosts(tally.hosts),
        source=_source(last.record) if last else "",
    )


def _source(record: Record) -> str:
    """The name of the file, but for a request file, which bears the name of a device or of a request."""
    if record.kind == request_files.KIND:
        return _folder(record.data["folder"])
    return record.source.replace("\\", "/").rpartition("/")[2]


def _folder(part: str) -> str:
    return "PfxRequest" if part in ("", "PfxRequest") else f"PfxRequest/{part}"


def _requests(name: str, part: request_files.Part) -> LogEvidence:
    times = sorted(filter(None, part.files.times.values()), key=moment)
    return LogEvidence(
        signature="",
        playbook=_PLAYBOOK,
        count=len(part.files),
        first=times[0] if times else "",
        last=times[-1] if times else "",
        source=_folder(name),
        part=name,
        codes=tuple(sorted(part.codes.times)),
    )


def _hosts(hosts: Latest) -> tuple[str, ...]:
    return tuple(sorted(hosts.newest(_MOST_HOSTS)))
