"""Reasons not to carry out a known fix: what it would open, what it must not touch, what it would stop.

Guards judge the estate as it would be after the whole plan. An override is named in the plan's options, so it is part
of what is approved; what a server would refuse anyway cannot be overridden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from remediate.actions.binding import MAXIMUM_MINOR_REVISION
from remediate.actions.intents import (
    CaValue,
    Grant,
    Intent,
    Publish,
    SetCaRegistryValue,
    SetNameFlag,
    StartCertSvc,
)
from remediate.engine.detection import Detected
from remediate.engine.openings import AGENT, ANY, REWRITE, Openings
from remediate.facts.directory import Template
from remediate.facts.hosts import CertificationAuthority, short_name
from remediate.model.finding import Refusal
from remediate.model.plan import Obtains

ANY_NAME = "any-name"
CLUSTER = "cluster"
KEY_PROVIDER = "key-provider"
DUPLICATE_FIRST = "duplicate-first"
PLAYBOOK = "playbook"
OVERRIDABLE = frozenset({ANY_NAME, CLUSTER, KEY_PROVIDER})

_OBTAINED = {
    ANY: "a logon certificate in any name",
    AGENT: "a certificate with which to request others in any name",
    REWRITE: "a certificate of any kind, by rewriting the template,",
}

# Providers that Windows brings; a key in another one may need a card or a person after a restart (certsrv.h CSP).
_MICROSOFT_PROVIDER = "microsoft "


def refusals(item: Detected, overrides: Iterable[str]) -> tuple[Refusal, ...]:
    """Return what speaks against one finding's fix by itself. Raises UnknownFact where a guard's fact was not read."""
    if not item.intents:
        return ()
    allowed = frozenset(overrides) & OVERRIDABLE
    found = [refusal for intent in item.intents for refusal in _of(intent, item.finding.id)]
    unique = {(refusal.guard, refusal.reason): refusal for refusal in found}
    return tuple(_override(refusal, allowed) for refusal in unique.values())


def _override(refusal: Refusal, allowed: frozenset[str]) -> Refusal:
    if refusal.guard not in allowed:
        return refusal
    return Refusal(
        finding=refusal.finding, guard=refusal.guard, reason=refusal.reason, first=refusal.first, overridden=True
    )


def _of(intent: Intent, finding: str) -> Iterator[Refusal]:
    if isinstance(intent, SetNameFlag | Grant):
        yield from _edit_refusals(intent.template, finding)
    if isinstance(intent, SetCaRegistryValue | StartCertSvc):
        yield from _restart_refusals(intent.ca, finding, starts=isinstance(intent, StartCertSvc))


def _edit_refusals(template: Template, finding: str) -> Iterator[Refusal]:
    name, why = template.name, template.must_be_duplicated
    if not why and template.minor_revision >= MAXIMUM_MINOR_REVISION:
        why = "its minor revision cannot rise any more"
    if why:
        yield Refusal(
            finding=finding,
            guard=DUPLICATE_FIRST,
            reason=f"{name} must not be edited: {why}.",
            first=f"duplicate {name}, name the duplicate in the profile, then plan again",
        )


def _restart_refusals(ca: CertificationAuthority, finding: str, *, starts: bool) -> Iterator[Refusal]:
    host = short_name(ca.host)
    if ca.document.cluster_resource.need(f"{host} cluster resources"):
        what = "it runs on one node, and the cluster starts it" if starts else "a restart would be seen as a failure"
        yield Refusal(
            finding=finding,
            guard=CLUSTER,
            reason=f"CertSvc on {host} is a cluster resource: {what}.",
            first="see in the cluster's own tools on which node it is to run, and bring the resource online there"
            if starts
            else "set the value on the active node and cycle the resource in the cluster's own tools",
        )
    provider = ca.document.key_provider.need(ca.at("CSP\\Provider")) or ""
    if not provider.lower().startswith(_MICROSOFT_PROVIDER):
        again = "" if starts else " again"
        yield Refusal(
            finding=finding,
            guard=KEY_PROVIDER,
            reason=f"The CA's key is in {provider or 'an unnamed provider'}; CertSvc may not start{again} by itself.",
            first=("start" if starts else "set the value and restart")
            + " CertSvc by hand, with whoever holds the provider's cards or PIN",
        )


def openings_guard(items: Sequence[Detected], openings: Openings, overrides: Iterable[str]) -> tuple[Refusal, ...]:
    """Refuse, one by one, the fixes without which the plan opens no hole; the most specific kind of change first.

    Raises UnknownFact when a fact that decides who obtains what was not read.
    """
    kept, refused = list(items), []
    overridden = ANY_NAME in frozenset(overrides)
    while holes := openings.new_holes(_intents(kept)):
        culprit = _culprit(kept, holes, openings)
        refused.append(_refusal(culprit, holes, overridden=overridden))
        kept.remove(culprit)
    return tuple(refused)


def _intents(items: Iterable[Detected]) -> list[Intent]:
    return [intent for item in items for intent in item.intents]


def _culprit(kept: list[Detected], holes: frozenset[Obtains], openings: Openings) -> Detected:
    concerned = [item for item in kept if any(_concerns(intent, hole) for intent in item.intents for hole in holes)]
    closing = [item for item in concerned if len(_holes_without(item, kept, openings) & holes) < len(holes)]
    return min(closing or concerned, key=lambda item: (_rank(item), item.finding.id))


def _holes_without(item: Detected, kept: list[Detected], openings: Openings) -> frozenset[Obtains]:
    return openings.new_holes(_intents(other for other in kept if other is not item))


def _concerns(intent: Intent, hole: Obtains) -> bool:
    if isinstance(intent, SetNameFlag | Grant):
        return intent.template.name == hole.template
    if isinstance(intent, Publish):
        return (intent.template.name, intent.ca.name) == (hole.template, hole.ca)
    return isinstance(intent, SetCaRegistryValue) and intent.ca.name == hole.ca and _decides(intent)


def _decides(intent: SetCaRegistryValue) -> bool:
    return intent.value is CaValue.REQUEST_DISPOSITION


def _rank(item: Detected) -> int:
    order: tuple[type, ...] = (SetNameFlag, Publish, Grant, SetCaRegistryValue)
    return min((order.index(type(i)) for i in item.intents if type(i) in order), default=len(order))


def _refusal(item: Detected, holes: frozenset[Obtains], *, overridden: bool) -> Refusal:
    mine = sorted(hole for hole in holes if any(_concerns(intent, hole) for intent in item.intents))
    who = ", ".join(sorted({hole.principal for hole in mine}))
    templates = ", ".join(sorted({hole.template for hole in mine}))
    what = " and ".join(dict.fromkeys(_OBTAINED[hole.name] for hole in mine))
    return Refusal(
        finding=item.finding.id,
        guard=ANY_NAME,
        reason=f"It would let {who} obtain {what} from {templates}.",
        first=f"take {_taken(mine)} on {templates} from {who}; grant the connector's one account; then plan again",
        overridden=overridden,
    )


def _taken(holes: Iterable[Obtains]) -> str:
    """The rights that make the holes, as the template console calls them."""
    return " and ".join(sorted({"Write" if hole.name == REWRITE else "Enroll" for hole in holes}))
