"""What a playbook file is made of: META, and one function per cause of the problem."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from remediate.actions.intents import Intent
from remediate.facts.directory import Template
from remediate.facts.estate import Estate, Issuance
from remediate.facts.hosts import CertificationAuthority, ConnectorHost
from remediate.facts.intune import Profile
from remediate.model.finding import Evidence


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What `remediate list` and `remediate explain` print of a playbook."""

    title: str
    section: str
    severity: str
    impact: str
    codes: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    disruption: str = "none"
    undo: str = ""
    symptoms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    version: str = "1"


class Found:
    """One misconfiguration that a cause found, with what shows it and the intents that would mend it.

    `advice` is what people must do where no intent can; `weak` why it may not be the reason; `refused` and `first` why
    its fix is not planned and what has to be done before; `missing` which parameter to give.
    """

    def __init__(
        self,
        message: str,
        *evidence: Evidence,
        fix: Intent | tuple[Intent, ...] = (),
        advice: str = "",
        code: str = "",
        weak: str = "",
        refused: str = "",
        first: str = "",
        missing: str = "",
        next_playbooks: tuple[str, ...] = (),
    ) -> None:
        self.message: Final = message
        self.evidence: Final = evidence
        self.fix: Final[tuple[Intent, ...]] = fix if isinstance(fix, tuple) else (fix,)
        self.advice: Final = advice
        self.code: Final = code
        self.weak: Final = weak
        self.refused: Final = refused
        self.first: Final = first
        self.missing: Final = missing
        self.next_playbooks: Final = next_playbooks


Detector = Callable[..., Iterator[Found]]


@dataclass(frozen=True)
class Cause:
    """A cause: a pure function over facts, and what it looks at (one call for each).

    What a cause that only `informs` finds is a note of the plan and no finding, and what it cannot know blocks nothing.
    """

    name: str
    title: str
    reads: tuple[str, ...]
    fixes: bool
    informs: bool
    detect: Detector
    looks_at: tuple[type, ...]


# What a cause may look at; its parameters' annotations name them, so one target's trouble stays with that target.
TARGETS: Mapping[str, type] = {
    "CertificationAuthority": CertificationAuthority,
    "ConnectorHost": ConnectorHost,
    "Issuance": Issuance,
    "Profile": Profile,
    "Template": Template,
}


def cause(
    title: str, *, reads: tuple[str, ...] | str, fixes: bool = False, informs: bool = False
) -> Callable[[Detector], Cause]:
    """Make a function a cause of its playbook. Its last parameter is the estate, those before are its targets."""

    def wrap(function: Detector) -> Cause:
        names = [str(p.annotation) for p in inspect.signature(function).parameters.values()]
        told = (reads,) if isinstance(reads, str) else reads
        looks_at = tuple(TARGETS[name] for name in names[:-1])
        return Cause(function.__name__, title, told, fixes, informs, function, looks_at)

    return wrap


def targets_of(kind: type, estate: Estate) -> tuple[Any, ...]:
    """Return everything of one kind that is in scope. Raises UnknownFact when that could not be read."""
    if kind is CertificationAuthority:
        some = any(ca.asked for ca in estate.certification_authorities)
        return tuple(ca for ca in estate.certification_authorities if ca.asked or (some and estate.is_named(ca)))
    if kind is ConnectorHost:
        return estate.connectors
    if kind is Profile:
        return estate.profiles
    if not estate.template_names or not estate.has_directory:
        return ()
    return estate.issuances if kind is Issuance else estate.templates


@dataclass(frozen=True)
class Playbook:
    """A playbook as it was loaded."""

    name: str
    path: Path
    meta: Meta
    causes: tuple[Cause, ...]
