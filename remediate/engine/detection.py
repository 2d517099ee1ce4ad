"""Runs the causes of playbooks over an estate: findings with their intents, and what could not be known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import msgspec

from remediate.actions.intents import Intent
from remediate.engine.playbook import Cause, Found, Playbook, targets_of
from remediate.facts.directory import Template
from remediate.facts.estate import Estate, Issuance
from remediate.facts.hosts import CertificationAuthority, ConnectorHost
from remediate.facts.intune import Profile
from remediate.model.errors import RemediateError, UnknownFact
from remediate.model.finding import Evidence, Finding, Target, Unknown

_KINDS = {
    Issuance: "template",
    Template: "template",
    CertificationAuthority: "ca",
    ConnectorHost: "connector",
    Profile: "profile",
}


@dataclass(frozen=True)
class Detected:
    """A finding and what its playbook said of it."""

    finding: Finding
    found: Found

    @property
    def intents(self) -> tuple[Intent, ...]:
        """What would mend it."""
        return self.found.fix


@dataclass(frozen=True)
class Detection:
    """Everything that the chosen playbooks found, could not know, and remark without calling it a problem."""

    detected: tuple[Detected, ...]
    unknown: tuple[Unknown, ...]
    informing: tuple[Unknown, ...]
    notes: tuple[str, ...]


def detect(playbooks: Iterable[Playbook], estate: Estate) -> Detection:
    """Look for every cause of these playbooks. Nothing is read here and nothing is written."""
    chosen = [(playbook, cause) for playbook in playbooks for cause in playbook.causes]
    outcomes = [outcome for playbook, cause in chosen for outcome in _outcomes(playbook, cause, estate)]
    unknown = [outcome for outcome in outcomes if isinstance(outcome, Unknown)]
    return Detection(
        detected=tuple(outcome for outcome in outcomes if isinstance(outcome, Detected)),
        unknown=tuple(item for item in unknown if item.needed),
        informing=tuple(item for item in unknown if not item.needed),
        notes=tuple(dict.fromkeys(outcome for outcome in outcomes if isinstance(outcome, str))),
    )


def _outcomes(playbook: Playbook, cause: Cause, estate: Estate) -> Iterator[Detected | Unknown | str]:
    try:
        combinations = list(product(*(targets_of(kind, estate) for kind in cause.looks_at)))
    except UnknownFact as error:
        yield _unknown(playbook, cause, Target("estate", "what is in scope"), error)
        return
    for targets in combinations:
        target = _target(targets)
        # What was found before a fact was missing stays found.
        try:
            for number, found in enumerate(cause.detect(*targets, estate)):
                finding = _finding(playbook, cause, target, number, found)
                logged = estate.logged("" if found.code else playbook.name, code=finding.code)
                yield _note(finding) if cause.informs else Detected(_with(finding, logged), found)
        except UnknownFact as error:
            yield _unknown(playbook, cause, target, error)
        except RemediateError:
            raise
        except Exception as error:
            raise RemediateError(
                "the playbook failed",
                where=f"{playbook.path.name} {cause.name} for {target.name}",
                why=f"{type(error).__name__}: {error}",
                do="This is a fault in the playbook, not in the estate; run the others by name.",
            ) from error


def _target(targets: tuple[Any, ...]) -> Target:
    if not targets:
        return Target("estate", "the estate")
    return Target(_KINDS[type(targets[0])], " for ".join(str(target.name) for target in targets))


def _finding(playbook: Playbook, cause: Cause, target: Target, number: int, found: Found) -> Finding:
    suffix = f"/{number + 1}" if number else ""
    return Finding(
        id=f"{playbook.name}/{cause.name}/{target.name}{suffix}",
        playbook=playbook.name,
        cause=cause.name,
        target=target,
        message=found.message,
        code=found.code or next(iter(playbook.meta.codes), ""),
        evidence=found.evidence,
        advice=(found.advice,) if found.advice else (),
        weak=found.weak,
        next_playbooks=found.next_playbooks,
    )


def _with(finding: Finding, logged: tuple[Evidence, ...]) -> Finding:
    """Add what logs show of the same problem, unless the finding says it already."""
    new = tuple(one for one in logged if one not in finding.evidence)
    return msgspec.structs.replace(finding, evidence=(*finding.evidence, *new)) if new else finding


def _note(finding: Finding) -> str:
    shown = "; ".join(f"{evidence.shows} ({evidence.where})" for evidence in finding.evidence)
    told = (finding.message, f"Because: {shown}." if shown else "", *finding.advice)
    return f"{finding.playbook}, {finding.target.name}: {' '.join(filter(None, told))}"


def _unknown(playbook: Playbook, cause: Cause, target: Target, error: UnknownFact) -> Unknown:
    return Unknown(
        playbook=playbook.name,
        cause=cause.name,
        target=target,
        fact=error.where,
        why=error.why,
        code=error.code,
        needed=not cause.informs,
    )
