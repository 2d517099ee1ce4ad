"""What a live host is asked of its logs: since when, which events, and what codes and texts look like in any file.

The host filters with it, so that only what may matter comes back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator

from remediate.triage.needles import Needles
from remediate.triage.signatures import Signatures
from remediate.triage.sources_facts import CA_CHANNEL, CA_PROVIDER

COMMAND = "Get-LogDocument"
"""The function of scripts/lib that reads a host's logs."""

# Microsoft: Certificate Connector for Microsoft Intune, event logs; Intune Certificate Connector events, the older log.
CONNECTOR_PROVIDER = "Microsoft-Intune-CertificateConnectors"
CONNECTOR_LOGS = (f"{CONNECTOR_PROVIDER}/Operational", f"{CONNECTOR_PROVIDER}/Admin", "Microsoft Intune Connector")
_LOGS = {**dict.fromkeys(CONNECTOR_LOGS[:2], CONNECTOR_PROVIDER), CONNECTOR_LOGS[2]: "", CA_CHANNEL: CA_PROVIDER}

# Characters that may come back of one log, and of all trace files together.
ROOM = 2 << 20
# A host stops by itself when so much of the time for it has gone: connecting and answering take some as well.
_SHARE = 0.75


def request_for(signatures: Signatures, *, since: str, seconds: float) -> str:
    """Return what a host is asked, as JSON in ASCII. `since` is UTC, ISO 8601 with Z; `seconds` the host has in all."""
    asked = {
        # No time that a reader of JSON would turn into one of its own.
        "since": re.sub(r"[-:]|\.\d+", "", since),
        "seconds": max(1, int(seconds * _SHARE)),
        "room": ROOM,
        "patterns": host_patterns(signatures.needles),
        "events": [_asked(signatures, log, provider) for log, provider in _LOGS.items()],
    }
    return json.dumps(asked)


def _asked(signatures: Signatures, log: str, provider: str) -> dict[str, object]:
    """The IDs of what goes wrong, of what went well, and of what shows nothing even where a code stands in it."""
    ids: dict[str, set[int]] = {"ids": set(), "issued": set(), "routine": set()}
    names = {"success": "issued", "routine": "routine"}
    for one in signatures.all:
        for events in one.events:
            if events.channel.lower() == log.lower() or (provider and events.provider.lower() == provider.lower()):
                ids[names.get(one.kind, "ids")].update(events.ids)
    return {"log": log, **{name: sorted(found) for name, found in ids.items()}}


def host_patterns(needles: Needles) -> tuple[str, ...]:
    """Return what a host looks for as regular expressions in ASCII, of .NET and of Python alike.

    Together they find all that `Search` finds, and a few numbers more. Each begins with a literal, for which .NET has a
    fast search; none is blind to case, which would follow the culture.
    """
    codes = sorted(map(int, needles.codes))
    texts = {spelling for text in needles.texts for spelling in _read_as(text)}
    return (
        "0x(?:8|[fF]{8}8|0{8}8)[0-9A-Fa-f]{7}", "0X8[0-9A-Fa-f]{7}", "214(?<![0-9]214)[0-9]{7}(?![0-9])",
        *(pattern for code in codes for pattern in _with_prefix(code)),
        *_grouped({f"{code:08x}" for code in codes if code >> 31}, _bare_code),
        *_grouped({str(code) for code in codes if code >> 31 and code >> 20 != 0x800}, _decimal),
        *_grouped({str((1 << 32) - code) for code in codes if code >> 31 and code >> 20 != 0x800}, _decimal),
        *_grouped(texts, _text),
    )  # fmt: skip


def _with_prefix(code: int) -> Iterator[str]:
    """What stands behind `0x` and does not begin with 8: it is looked for by name."""
    if code >> 28 != 8:
        yield from (f"0{x}0*{_any_case(f'{code:x}')}(?![0-9A-Fa-f])" for x in "xX")


def _grouped(spellings: Collection[str], made: Callable[[str, list[str]], str]) -> Iterator[str]:
    """Spellings that begin alike are found in one pass."""
    groups: dict[str, list[str]] = {}
    for spelling in sorted(spellings):
        groups.setdefault(spelling[:3], []).append(spelling[3:])
    for start, rests in groups.items():
        yield made(start, rests)


def _bare_code(start: str, rests: list[str]) -> str:
    tail = f"(?:{'|'.join(map(_any_case, rests))})(?![0-9A-Za-z])"
    begun = start if start.isdecimal() else _any_case(start)
    return f"{begun}(?<![0-9A-Za-z]{begun}){tail}"


def _decimal(start: str, rests: list[str]) -> str:
    return f"{start}(?<![0-9]{start})(?:{'|'.join(rests)})(?![0-9])"


def _text(start: str, rests: list[str]) -> str:
    return f"{_escaped(start)}(?:{'|'.join(map(_escaped, rests))})"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _read_as(text: str) -> Iterator[str]:
    """A text itself, and as it looks where each byte of UTF-8 or of Windows-1252 is taken for one character."""
    yield text
    for encoding in ("utf-8", "cp1252"):
        yield text.encode(encoding, "replace").decode("latin-1")


def _escaped(text: str) -> str:
    return "".join(_escaped_character(character) for character in text)


def _escaped_character(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() or character == " " else f"\\x{ord(character):02x}"
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
