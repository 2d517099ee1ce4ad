"""Times as logs write them, turned into UTC, with a word on how the source gave its zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple


class Moment(NamedTuple):
    """`when` is UTC with milliseconds and Z, so that text order is time order; `zone` as `Record.zone` says it."""

    when: str = ""
    zone: str = ""


NO_MOMENT = Moment()

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
# What a log holds most of: it can be read at once.
_WHOLE_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z")
# Windows writes a date in the short format of whoever looks at it: 5/31/2026 3:17:54 PM, 31.05.2026 15:17:54.
_SHORT = re.compile(r"(\d{1,2})([./])(\d{1,2})\2(\d{4}),? (\d{1,2}):(\d\d):(\d\d)(?:\s?([AP])\.?M\.?)?", re.IGNORECASE)
# What stands at the beginning of a line before its time, at most: a bracket, a quote, a severity.
_LEAD = 24


def moment(text: str, assumed_zone: tzinfo = UTC) -> Moment:
    """Return the first time in the text, NO_MOMENT where there is none or it cannot be (month 13)."""
    if _WHOLE_UTC.fullmatch(text):
        try:
            datetime.fromisoformat(text)
        except ValueError:
            return NO_MOMENT
        return Moment(f"{text[:23]}Z", "utc")
    found = _ISO.search(text) or _SHORT.search(text)
    if found is None:
        return NO_MOMENT
    try:
        return _iso(found, assumed_zone) if found.re is _ISO else _short(found, assumed_zone)
    except (ValueError, OverflowError):
        return NO_MOMENT


def leading_moment(line: str, assumed_zone: tzinfo = UTC) -> Moment:
    """Return the time with which a line begins, NO_MOMENT where it does not."""
    found = _ISO.search(line, 0, 64) or _SHORT.search(line, 0, 64)
    return moment(line[found.start() : found.end()], assumed_zone) if found and found.start() <= _LEAD else NO_MOMENT


def instant(seconds: float) -> str:
    """Return a POSIX time as `Moment.when` has it, empty where it lies outside of the calendar."""
    try:
        return _written(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return ""


def _iso(found: re.Match[str], assumed_zone: tzinfo) -> Moment:
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    micro = int((found[7] or "0")[:6].ljust(6, "0"))
    zone, said = _zone(found[8] or "", assumed_zone)
    return Moment(_written(datetime(year, month, day, hour, minute, second, micro, zone)), said)


def _short(found: re.Match[str], assumed_zone: tzinfo) -> Moment:
    """Month first only with AM or PM or a slash that allows nothing else; everyone else writes the day first."""
    first, third, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6, 7))
    half = (found[8] or "").upper()
    month_first = found[2] == "/" and (third > 12 or (bool(half) and first <= 12))
    month, day = (first, third) if month_first else (third, first)
    hour = hour % 12 + (12 if half == "P" else 0) if half else hour
    return Moment(_written(datetime(year, month, day, hour, minute, second, tzinfo=assumed_zone)), "local")


def _zone(text: str, assumed_zone: tzinfo) -> tuple[tzinfo, str]:
    if not text:
        return assumed_zone, "local"
    if text in "Zz":
        return UTC, "utc"
    sign, hours, minutes = -1 if text[0] == "-" else 1, int(text[1:3]), int(text[-2:])
    return timezone(sign * timedelta(hours=hours, minutes=minutes)), f"{text[:3]}:{text[-2:]}"


def _written(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
