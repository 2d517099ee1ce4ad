"""When a plan may be applied, and that it is applied once: clock, expiry, window, and what its runs so far have done.

Each is a condition with what there is to say of it, so that `--check` tells all of them and `apply` refuses the first
that does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

import msgspec

from remediate.actions.writing import Writer
from remediate.engine.returned import standings
from remediate.engine.undoing import still_undoes
from remediate.model.errors import RefusedError
from remediate.model.journal import JournalLine
from remediate.model.plan import DIRECTORY, Plan
from remediate.model.utc import utc_text

CLOSE = timedelta(minutes=5)
"""How far two clocks of a domain may lie apart: what Kerberos accepts ([RFC 4120] 8.2)."""

State = Literal["holds", "not yet", "differs", "refused"]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What has to hold. `not yet` is a window that opens later; `differs` is told, and refuses nothing."""

    name: str
    state: State
    what: str
    why: str = ""
    do: str = ""

    @property
    def told(self) -> str:
        """What there is to say, in one line."""
        return f"{self.what} ({self.why})" if self.why else self.what


def refuse(conditions: Iterable[Condition], *, where: str) -> None:
    """Raise RefusedError for the first that does not hold."""
    for one in conditions:
        if one.state in ("refused", "not yet"):
            raise RefusedError(one.what, where=where, why=one.why, do=one.do)


def schedule(plan: Plan, *, now: str) -> tuple[Condition, ...]:
    """Return expiry, clock and, where it has one, window of a plan; `now` is UTC as every document writes it."""
    return (expiry(plan, now=now), _clock(plan, now), *_window(plan, now))


def expiry(plan: Plan, *, now: str) -> Condition:
    """Return whether the plan has expired."""
    if now >= plan.expires_at:
        return Condition(
            name="expiry", state="refused", what=f"the plan expired at {plan.expires_at}", do="Plan again."
        )
    return Condition(name="expiry", state="holds", what=f"the plan expires at {plan.expires_at}")


def _clock(plan: Plan, now: str) -> Condition:
    why = f"it is {now} here, and its facts were read at {plan.created}"
    if now < plan.created:
        what = "the clock of this machine is behind the plan"
        return Condition(name="clock", state="refused", what=what, why=why, do="Set the clock.")
    return Condition(name="clock", state="holds", what="the clock of this machine is not behind the plan", why=why)


def _window(plan: Plan, now: str) -> Iterator[Condition]:
    if plan.not_before and now < plan.not_before:
        what = f"its window opens at {plan.not_before}; it is {now}"
        yield Condition(name="window", state="not yet", what=what, do="Wait.")
    elif plan.not_after and now >= plan.not_after:
        what = f"its window closed at {plan.not_after}; it is {now}"
        yield Condition(name="window", state="refused", what=what, do="Plan again.")
    elif plan.not_before or plan.not_after:
        until = f"until {plan.not_after}" if plan.not_after else "and has no end"
        yield Condition(name="window", state="holds", what=f"its window is open {until}")


def controllers_clock(plan: Plan, *, now: datetime, there: datetime) -> Condition:
    """Return whether the plan is in time by the clock of the domain controller too, which nobody here can set back."""
    told = f"it is {utc_text(there)} there, and {utc_text(now)} here"
    for one in (expiry(plan, now=utc_text(there)), *_window(plan, utc_text(there))):
        if one.state == "refused":
            what = f"by the domain controller's clock {one.what.partition(';')[0]}"
            return Condition(
                name="controller", state="refused", what=what, why=told, do="Set the clock, or plan again."
            )
    if abs(there - now) > CLOSE:
        what = "the domain controller's clock is more than 5 minutes from this machine's"
        return Condition(name="controller", state="differs", what=what, why=told, do="Set the clock.")
    return Condition(name="controller", state="holds", what="the domain controller's clock agrees", why=told)


@runtime_checkable
class _TellsTime(Protocol):
    def time(self) -> datetime | None: ...


def time_there(writers: Mapping[str, Writer]) -> datetime | None:
    """Return the clock of the directory's domain controller, None where nothing of it is planned or it does not tell.

    Raises TransportError.
    """
    writer = writers.get(DIRECTORY)
    return writer.time() if isinstance(writer, _TellsTime) else None


def use(lines: Iterable[JournalLine], *, run: str, rolled_back_by: str = "") -> Condition:
    """Return whether a live run of the plan, with these lines, leaves something to apply; `run` is empty for none."""
    if rolled_back_by:
        why, do = f"by run {rolled_back_by}", "Plan again; what stands now is read anew."
        return Condition(name="use", state="refused", what=f"run {run} of it was rolled back", why=why, do=do)
    events = {line.event for line in lines}
    if "closed" in events:
        do = "Plan again; what stands now is read anew."
        return Condition(name="use", state="refused", what="the plan was applied already", why=f"run {run}", do=do)
    if "begin" in events:
        return Condition(name="use", state="holds", what=f"run {run} of it was broken off, and can be gone on with")
    return Condition(name="use", state="holds", what="the plan was not applied yet")


def use_by_scripts(plan: Plan, lines: Iterable[JournalLine], *, run: str) -> Condition | None:
    """Return the refusal of a plan that scripts carried out, by the records that were imported into `run`; None where
    they have written nothing."""
    known = tuple(lines)
    if not any(line.event in ("begin", "done") for line in known):
        return None
    if all(one.is_done for one in standings(plan, known)):
        what, do = "the plan was carried out by scripts already", "Plan again; what stands now is read anew."
    else:
        what, do = "a part of the plan was carried out by scripts", "Go on with the scripts, or plan again."
    return Condition(name="use", state="refused", what=what, why=f"run {run}", do=do)


def rollback(back: Plan, *, of: str, its_plan: Plan | None, lines: Iterable[JournalLine] = ()) -> Condition:
    """Return whether a rollback is as old as the last thing that its run wrote; without that run nobody can tell."""
    again = f"Make it again: remediate rollback {of} --out back.json."
    if its_plan is None:
        what = f"run {of}, which it takes back, is not kept here: nobody can tell whether it has gone on since"
        return Condition(name="rollback", state="differs", what=what, do="Name its folder with --runs.")
    if not still_undoes(back, its_plan, lines):
        what = "the run that it takes back has written, or was taken back, since this rollback was made"
        return Condition(name="rollback", state="refused", what=what, why=f"run {of}", do=again)
    return Condition(name="rollback", state="holds", what=f"it takes back all that run {of} has written")
