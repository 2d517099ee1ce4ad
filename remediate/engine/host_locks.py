"""The locks of a run's hosts: taken before anything is read, renewed while it works, given back at the end.

A lock holds for a time, by its host's clock, so that a run that was killed keeps nobody out for ever. A run that works
on renews it between actions; where another run has had the host meanwhile, nothing more is written there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from time import monotonic

from remediate.actions.writing import LOCK_FILE, Holder, Lease, Writer
from remediate.engine.schedule import Condition
from remediate.engine.side_by_side import by_target
from remediate.model.errors import RefusedError, RemediateError

_RENEWED_AFTER = 1 / 3
"""The part of its time after which a lock is renewed: the rest has to be longer than any one action, a restart too."""
_CLEAR = f"Wait until it has ended. Where nobody is at work any more, an administrator deletes {LOCK_FILE} there."


def told(holder: Holder) -> str:
    """Return who holds a host's lock, for people."""
    return f"run {holder.run} by {holder.who}, until {holder.until} at the latest, by the clock there"


def others_at_work(writers: Mapping[str, Writer], names: Iterable[str], *, token: str) -> tuple[Condition, ...]:
    """Return who else holds the locks of these targets, without taking any; `token` is that of a run to go on with.

    A target that does not answer is left out: nobody can tell.
    """
    found = by_target(names, str, lambda name: _at_work(name, writers[name], token))
    held = tuple(one for one in found if one and one.state == "refused")
    if held or None in found or not found:
        return held
    return (Condition(name="lock", state="holds", what="no other run is at work on the targets"),)


def _at_work(name: str, writer: Writer, token: str) -> Condition | None:
    try:
        holder = writer.holder(token=token)
    except RefusedError as error:
        return Condition(name="lock", state="refused", what=error.what, why=error.where, do=error.do)
    except RemediateError:
        return None
    if holder is None:
        return Condition(name="lock", state="holds", what=f"no other run is at work on {name}")
    what = f"another run is at work on {name}"
    return Condition(name="lock", state="refused", what=what, why=told(holder), do=_CLEAR)


class HostLocks:
    """The locks of some targets for one run. The calls for one target come one by one; `clock` is UTC."""

    def __init__(self, writers: Mapping[str, Writer], lease: Lease, *, clock: Callable[[], datetime]) -> None:
        self._writers, self._lease, self._clock = writers, lease, clock
        self._taken: dict[str, tuple[float, datetime]] = {}

    @contextmanager
    def held(self) -> Iterator[HostLocks]:
        """Hold all of them for a block. Raises RefusedError for one that another run holds, and TransportError.

        What could not be given back dies by its time, and is not an error.
        """
        try:
            by_target(self._writers, str, self._take)
            yield self
        finally:
            by_target(tuple(self._taken), str, self._give_back)

    def renew(self, targets: Iterable[str]) -> dict[str, str]:
        """Renew the locks that are due, and return why a target is not this run's any more. Raises nothing."""
        due = tuple(name for name in targets if name in self._taken and self._is_due(name))
        return {name: why for name, why in zip(due, by_target(due, str, self._renew), strict=True) if why}

    def _take(self, name: str) -> None:
        now = self._now()
        holder = self._writers[name].lock(self._lease)
        if holder is not None:
            raise RefusedError("another run is at work there", where=name, why=told(holder), do=_CLEAR)
        self._taken[name] = now

    def _renew(self, name: str) -> str:
        now = self._now()
        try:
            why = self._writers[name].renew(self._lease)
        except RemediateError as error:
            return error.in_short
        self._taken[name] = now
        return why

    def _give_back(self, name: str) -> None:
        with suppress(RemediateError):
            self._writers[name].unlock(token=self._lease.token)

    def _now(self) -> tuple[float, datetime]:
        return monotonic(), self._clock()

    def _is_due(self, name: str) -> bool:
        """By two clocks: the one stands still while a laptop sleeps, and the other may be set back."""
        steady, wall = self._taken[name]
        passed = max(monotonic() - steady, (self._clock() - wall).total_seconds())
        return passed > self._lease.seconds * _RENEWED_AFTER
