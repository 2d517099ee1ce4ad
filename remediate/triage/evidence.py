"""What logs show, in the shape in which playbooks see it beside the facts of hosts. It names no user and no device."""

from __future__ import annotations

from remediate.facts.documents import LogEvidence
from remediate.triage.bounded import Latest
from remediate.triage.counting import Fold, Tally
from remediate.triage.symptoms import Symptom

_MOST_HOSTS = 100


def evidence_of(fold: Fold) -> tuple[LogEvidence, ...]:
    """Return what was counted of each problem that a playbook knows, in the order of their signatures."""
    seen = (one for one in sorted(fold.tallies.items()) if one[0].kind in ("problem", "warning") and one[1].count)
    return tuple(_evidence(fold, symptom, tally) for symptom, tally in seen)


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
        source=last.record.source.replace("\\", "/").rpartition("/")[2] if last else "",
    )


def _hosts(hosts: Latest) -> tuple[str, ...]:
    return tuple(sorted(hosts.newest(_MOST_HOSTS)))
