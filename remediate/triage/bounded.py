"""Counting in a memory that stays the same however much is counted, and in whatever order it comes.

Only what lies beyond a limit depends on the order, and `full` then says so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

# More devices, users or hosts than this are not told apart.
MOST_VALUES = 20_000
# So many minutes (or, once there are more, longer and longer steps) of a histogram are kept.
MOST_BUCKETS = 720
# Copies of an event that lie further apart than this many events count twice.
REMEMBERED = 100_000

_START = datetime(1970, 1, 1, tzinfo=UTC)


def moment(when: str) -> str:
    """Return a time such that text order is time order: a fraction of any length sorts behind none."""
    return when[:-1]


class Latest:
    """Values and the latest time each was seen, at most MOST_VALUES of them."""

    def __init__(self) -> None:
        self.times: dict[str, str] = {}
        self.full = False

    def __len__(self) -> int:
        return len(self.times)

    def add(self, value: str, when: str = "") -> None:
        """Count the value, unless it is empty or there are too many."""
        before = self.times.get(value)
        if not value or (before is None and self._no_room()):
            return
        if before is None or moment(when) > moment(before):
            self.times[value] = when

    def newest(self, most: int) -> tuple[str, ...]:
        """Return at most so many values, those seen last first."""
        by_name = sorted(self.times.items())
        return tuple(value for value, _ in sorted(by_name, key=lambda one: moment(one[1]), reverse=True)[:most])

    def _no_room(self) -> bool:
        self.full = self.full or len(self.times) >= MOST_VALUES
        return self.full


class Histogram:
    """How often something was seen in each step of time. A step is a minute, and doubles when there are too many."""

    def __init__(self) -> None:
        self.minutes = 1
        self._counts: dict[int, int] = {}

    def add(self, when: str) -> None:
        """Count one at a time (UTC, ISO 8601 with Z); nothing for an empty one."""
        minute = _minute(when[:16])
        if minute is None:
            return
        step = minute // self.minutes
        self._counts[step] = self._counts.get(step, 0) + 1
        while len(self._counts) > MOST_BUCKETS:
            self._double()

    @property
    def buckets(self) -> tuple[tuple[str, int], ...]:
        """The start of every step in which something was seen (UTC), and how often, in the order of time."""
        return tuple((_shown(step * self.minutes), count) for step, count in sorted(self._counts.items()))

    def _double(self) -> None:
        self.minutes *= 2
        halved: dict[int, int] = {}
        for step, count in self._counts.items():
            halved[step // 2] = halved.get(step // 2, 0) + count
        self._counts = halved


class Seen:
    """What was seen lately, so that a copy is known: the last REMEMBERED to twice as many."""

    def __init__(self) -> None:
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self.forgot = False

    def get(self, key: int) -> int | None:
        """Return what was put there; None when nothing was, or it was long ago."""
        return self._young.get(key, self._old.get(key))

    def put(self, key: int, value: int = 0) -> None:
        """Remember it."""
        self._young[key] = value
        if len(self._young) >= REMEMBERED:
            self.forgot = self.forgot or bool(self._old)
            self._old, self._young = self._young, {}


def seconds(when: str) -> int | None:
    """Return a time in whole seconds since 1970; None for what is none."""
    minute = _minute(when[:16])
    return None if minute is None or not when[17:19].isdecimal() else minute * 60 + int(when[17:19])


@lru_cache(maxsize=512)
def _minute(start: str) -> int | None:
    try:
        return (datetime.fromisoformat(start).replace(tzinfo=UTC) - _START) // timedelta(minutes=1)
    except ValueError:
        return None


def _shown(minute: int) -> str:
    return (_START + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%MZ")
