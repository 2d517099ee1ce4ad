"""What was found, what could not be known, and what a fix would be refused for."""

from __future__ import annotations

import msgspec


class Target(msgspec.Struct, frozen=True, order=True):
    """What a finding or an action is about. `kind`: ca, template, connector, profile or estate."""

    kind: str
    name: str


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """One fact that shows the problem: where it was read and what stood there."""

    where: str
    shows: str


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A documented misconfiguration that is present here.

    `id` is `playbook/cause/target`, the same on every run. `code` is the HRESULT it leads to, `next_playbooks` what to
    run for a cause that another playbook knows, `advice` what people must do where no action of ours can.
    """

    id: str
    playbook: str
    cause: str
    target: Target
    message: str
    code: str = ""
    evidence: tuple[Evidence, ...] = ()
    advice: tuple[str, ...] = ()
    weak: str = ""
    next_playbooks: tuple[str, ...] = ()


# The fact of a target of which nothing at all could be read.
ALL_OF_IT = "all of it"


class Unknown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A check that could not be made: which fact was missing and why. `needed` makes the plan incomplete."""

    playbook: str
    cause: str
    target: Target
    fact: str
    why: str
    code: str = ""
    needed: bool = True


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a fix is not planned although it is known: the guard, the reason, and the safe order."""

    finding: str
    guard: str
    reason: str
    first: str = ""
    overridden: bool = False


class NotPlanned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A finding without an action: what is missing and what to give."""

    finding: str
    why: str
