"""The part of a script's header that is about this plan: where, what for, what is changed, with which rights, how long.

Lines of ASCII for readers, not yet made harmless within a comment: whoever prints them does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from remediate.model.plan import Action, Plan, directory_of
from remediate.render.powershell.paragraphs import Told, titled
from remediate.render.powershell.reasons import reasons
from remediate.render.powershell.steps import ScriptTarget, computer_name, entries

Kind = Literal["change", "verify", "rollback"]

_WORD = {"change": "Changes", "verify": "Reads", "rollback": "Undoes"}
_TOLD_BY = {
    "interrupts": ("change", "rollback"),
    "takes effect": ("change",),
    "no way back": ("change", "rollback"),
}


def description(kind: Kind, plan: Plan, digest: str, target: ScriptTarget) -> Iterator[str]:
    """Yield the lines, each with its title where it begins something."""
    yield from titled("Host" if target.host else "Where", map(Told, where(plan, target)))
    yield from titled("For", reasons(plan, target.actions, evidence=True))
    yield from titled(_WORD[kind], _changes(kind, target))
    if kind == "change":
        yield from titled("After", (Told(needed(plan, target)),) if target.needs else ())
    yield from titled("Rights", map(Told, rights(target)))
    yield from titled("Valid", (Told(_valid(kind, plan)),))
    yield from titled("Plan", (Told(digest),))
    yield from titled("Made", (
        Told(f"by remediate {plan.remediate}: remediate script plan.json --out FOLDER"),
        Told(f"from facts that were read at {plan.created}"),
    ))  # fmt: skip


def where(plan: Plan, target: ScriptTarget) -> tuple[str, ...]:
    """Return where the scripts of a target run and what else is refused; for the directory, also what they talk to."""
    if target.host:
        return (f"{target.host}, which Windows calls {computer_name(plan, target)}; every other host is refused",)
    directory = directory_of(plan)
    server = directory.name if directory else "no domain controller"
    domain = directory.identity.get("domain", "") if directory else ""
    member = f"any member of the domain {domain}" if domain else f"any member of the domain of {server}"
    return f"{member}; every other domain is refused", f"reads and writes at {server}, where the plan's facts were read"


def needed(plan: Plan, target: ScriptTarget) -> str:
    """Return what of the directory has to be there before a host's change, and where its script looks for it."""
    directory = directory_of(plan)
    steps = ", ".join(f"{action.id}. {action.label}" for action in target.needs)
    return f"{steps} (the folder of the directory); it looks for that at {directory.name if directory else '?'} first"


def rights(target: ScriptTarget) -> tuple[str, ...]:
    """Return each right that a target's changes take, once."""
    return tuple(dict.fromkeys(action.rights for action in target.actions if action.rights))


def _valid(kind: Kind, plan: Plan) -> str:
    if kind != "change":
        return "at any time"
    window = f", from {plan.not_before} to {plan.not_after}" if plan.not_before or plan.not_after else ""
    return f"until {plan.expires_at}{window} (UTC); at another time it refuses"


def _changes(kind: Kind, target: ScriptTarget) -> Iterator[Told]:
    for action in target.actions:
        yield Told(f"{action.id}. {action.label}")
        if kind != "verify":
            yield from (Told(line, 3) for line in entries(action, undone=kind == "rollback"))
        for told, words in _remarks(action):
            if words and kind in _TOLD_BY[told]:
                yield Told(f"{told}: {words}", 3)


def _remarks(action: Action) -> Iterator[tuple[str, str]]:
    yield "interrupts", action.disruption
    yield "takes effect", action.takes_effect
    yield "no way back", action.undo_missing
