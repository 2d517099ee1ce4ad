"""What one record of a log shows: the codes in it, else the known texts, else its event. Pure, one record at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
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
_SMALL = re.compile(r"0[xX](?<![0-9A-Za-z]0[xX])([0-9a-fA-F]{1,7})(?![0-9A-Za-z])")
# Events of one kind share their messages.
_MOST_REMEMBERED = 256


def symptoms_of(record: Record, signatures: Signatures) -> tuple[Symptom, ...]:
    """Return what a record shows, each thing once.

    A code decides over a text: "Denied by Policy Module" beside 0x80094812 is the latter. A text decides over an event.
    Codes of .NET's own (0x8013xxxx) only wrap a reason, so a text beside them counts.
    """
    event = _by_event(record, signatures)
    if event and event.kind in ("success", "routine"):
        return (Symptom("success", event.id),) if event.kind == "success" else ()
    parts = _parts(record)
    coded = tuple(_by_code(record, dict.fromkeys(_codes(record, parts, signatures.no_failures)), signatures))
    if any(symptom.signature or not _only_wraps(symptom) for symptom in coded):
        return coded
    by_text = tuple(_by_text("\n".join(parts), signatures))
    by_event = (Symptom(event.kind, event.id),) if event and not by_text else ()
    return (*coded, *by_text, *by_event)


def told_without_codes(record: Record, signatures: Signatures) -> tuple[str, ...]:
    """Return the IDs of the signatures whose text or event the record has, whatever codes stand beside it."""
    event, whole = _by_event(record, signatures), "\n".join(_parts(record))
    return (*(symptom.signature for symptom in _by_text(whole, signatures)), *((event.id,) if event else ()))


def _parts(record: Record) -> tuple[str, ...]:
    """The text and the values of the data; the values alone where readers made the text of them."""
    values = tuple(record.data.values())
    return values if values and record.text == "; ".join(values) else (record.text, *values)


def _codes(record: Record, parts: Iterable[str], no_failures: frozenset[int]) -> Iterator[HResult]:
    """Yield the codes of every part, those without their zeros last."""
    found = [_codes_in(part, no_failures) for part in parts]
    yield from (code for codes, _ in found for code in codes)
    if record.event_id:
        yield from (code for _, small in found for code in small)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _codes_in(part: str, no_failures: frozenset[int]) -> tuple[tuple[HResult, ...], tuple[HResult, ...]]:
    small = (HResult(int(match[1], 16)) for match in _SMALL.finditer(part))
    return found_in(part, also=no_failures), tuple(code for code in small if code in no_failures)


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
