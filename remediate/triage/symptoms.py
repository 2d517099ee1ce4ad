"""What one record of a log shows: the codes in it, else the known texts, else its event. Pure, one record at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from remediate.adcs.hresult import HResult, found_in
from remediate.triage.records import Record
from remediate.triage.signatures import Kind, Signature, Signatures

SymptomKind = Literal[Kind, "unknown"]


class Symptom(NamedTuple):
    """A signature that was seen, with the code where one was; `signature` is empty for a code that nothing knows."""

    kind: SymptomKind
    signature: str
    code: str = ""


# The row of all codes that are not told apart, because there are too many that nothing knows.
MORE_CODES = Symptom("unknown", "")

# In events whose codes are no HRESULTs they may stand without their zeros.
_SMALL = re.compile(r"(?<![0-9a-z])0x([0-9a-f]{1,7})(?![0-9a-z])", re.IGNORECASE)


def symptoms_of(record: Record, signatures: Signatures) -> tuple[Symptom, ...]:
    """Return what a record shows, each thing once.

    A code decides over a text: "Denied by Policy Module" beside 0x80094812 is the latter. A text decides over an event.
    Codes of .NET's own (0x8013xxxx) only wrap a reason, so a text beside them counts.
    """
    event = _by_event(record, signatures)
    if event and event.kind in ("success", "routine"):
        return (Symptom("success", event.id),) if event.kind == "success" else ()
    whole = "\n".join((record.text, *record.data.values()))
    codes = (*found_in(whole, also=signatures.by_code), *_small(record, whole, signatures))
    coded = tuple(_by_code(record, dict.fromkeys(codes), signatures))
    if any(symptom.signature or not _only_wraps(symptom) for symptom in coded):
        return coded
    by_text = tuple(_by_text(whole, signatures))
    by_event = (Symptom(event.kind, event.id),) if event and not by_text else ()
    return (*coded, *by_text, *by_event)


def told_without_codes(record: Record, signatures: Signatures) -> tuple[str, ...]:
    """Return the IDs of the signatures whose text or event the record has, whatever codes stand beside it."""
    whole = "\n".join((record.text, *record.data.values()))
    event = _by_event(record, signatures)
    return (*(symptom.signature for symptom in _by_text(whole, signatures)), *((event.id,) if event else ()))


def _small(record: Record, whole: str, signatures: Signatures) -> Iterator[HResult]:
    if record.event_id and "0x" in whole.lower():
        found = (HResult(int(match[1], 16)) for match in _SMALL.finditer(whole))
        yield from (code for code in found if code in signatures.by_code)


def _only_wraps(symptom: Symptom) -> bool:
    return HResult.parse(symptom.code).only_wraps


def _by_code(record: Record, codes: Iterable[HResult], signatures: Signatures) -> Iterator[Symptom]:
    for code in codes:
        known = signatures.by_code.get(code)
        if known is None:
            yield Symptom("unknown", "", str(code))
        elif code.is_failure or not signatures.events_of[known.id].isdisjoint(_keys(record)):
            yield Symptom(known.kind, known.id, str(code))


def _by_text(whole: str, signatures: Signatures) -> Iterator[Symptom]:
    """Yield the problems whose text stands there; a consequence only where no problem does."""
    lowered = whole.lower()
    found = {one.id: one for text, one in signatures.by_text.items() if text in lowered}
    problems = [one for one in found.values() if one.kind in ("problem", "warning")]
    for one in problems or found.values():
        yield Symptom(one.kind, one.id)


def _by_event(record: Record, signatures: Signatures) -> Signature | None:
    return next(filter(None, map(signatures.by_event.get, _keys(record))), None)


def _keys(record: Record) -> tuple[tuple[str, int], ...]:
    if not record.event_id:
        return ()
    return (record.channel.lower(), record.event_id), (record.provider.lower(), record.event_id)
