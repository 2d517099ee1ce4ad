"""Who can obtain a certificate in which name, now and after a plan.

A hole is a broad principal that obtains a logon certificate in any name without anybody's approval (ESC1 and its
neighbours: no usage at all, any purpose, request agents, SAN by request attribute, a template that everybody may
rewrite). Only what a plan would newly open is held against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediate.actions.binding import aces_of
from remediate.actions.intents import CaValue, Grant, Intent, Publish, SetCaRegistryValue, SetNameFlag
from remediate.adcs.access_check import holders_of_enroll, holders_of_rewrite
from remediate.adcs.dacl_edit import add_aces
from remediate.adcs.flags import CertificateNameFlag, EditFlag, EnrollmentFlag, RequestDisposition
from remediate.adcs.sid import Sid
from remediate.facts.directory import Template
from remediate.facts.estate import Estate
from remediate.facts.hosts import CertificationAuthority
from remediate.model.plan import Obtains

OWN, ANY, REWRITE = "own", "any", "any (may rewrite the template)"
Pair = tuple[Template, CertificationAuthority]


class Projection:
    """The estate as it would be once these intents are carried out; without any it is the estate as it is."""

    def __init__(self, intents: Iterable[Intent] = ()) -> None:
        self._intents = tuple(intents)

    def name_flag(self, template: Template) -> CertificateNameFlag:
        """The template's name flags then."""
        wanted = (i.flag for i in self._intents if isinstance(i, SetNameFlag) and i.template is template)
        return next(wanted, None) or template.name_flag

    def holders(self, template: Template) -> tuple[tuple[Sid, ...], tuple[Sid, ...]]:
        """Who holds Enroll then, and who may rewrite the template then."""
        grants = [i for i in self._intents if isinstance(i, Grant) and i.template is template]
        aces = [ace for grant in grants for ace in aces_of(grant)]
        if not aces:
            return template.enrollers, template.rewriters
        descriptor = add_aces(template.descriptor, aces).after
        return holders_of_enroll(descriptor), holders_of_rewrite(descriptor)

    def publishes(self, template: Template, ca: CertificationAuthority) -> bool:
        """Whether the CA offers the template then."""
        wanted = any(isinstance(i, Publish) and i.template is template and i.ca is ca for i in self._intents)
        return wanted or template.name.lower() in ca.enrollment_service.published_names

    def disposition(self, ca: CertificationAuthority) -> RequestDisposition:
        """The CA's RequestDisposition then."""
        for intent in self._intents:
            if (
                isinstance(intent, SetCaRegistryValue)
                and intent.ca is ca
                and intent.value is CaValue.REQUEST_DISPOSITION
            ):
                return RequestDisposition(intent.data)
        return ca.request_disposition


def pairs_touched(intents: Iterable[Intent], estate: Estate) -> tuple[Pair, ...]:
    """Return every template and CA whose openings the intents may change."""
    found: dict[tuple[str, str], Pair] = {}
    for intent in intents:
        for template, ca in _touched(intent, estate):
            found[template.name, ca.name] = (template, ca)
    return tuple(found[key] for key in sorted(found))


def _touched(intent: Intent, estate: Estate) -> Iterator[Pair]:
    if isinstance(intent, SetNameFlag | Grant):
        for ca in estate.certification_authorities:
            if ca.service is not None and ca.asked:
                yield intent.template, ca
    elif isinstance(intent, Publish):
        yield intent.template, intent.ca
    elif isinstance(intent, SetCaRegistryValue) and intent.value is CaValue.REQUEST_DISPOSITION:
        known = estate.directory.templates
        yield from ((known[n.lower()], intent.ca) for n in intent.ca.enrollment_service.published if n.lower() in known)


def obtains(projection: Projection, pairs: Iterable[Pair], estate: Estate) -> frozenset[Obtains]:
    """Return who obtains what from these pairs. Raises UnknownFact when a fact that decides it was not read."""
    return frozenset(item for template, ca in pairs for item in _from(projection, template, ca, estate))


def _from(projection: Projection, template: Template, ca: CertificationAuthority, estate: Estate) -> Iterator[Obtains]:
    disposition = projection.disposition(ca)
    if not projection.publishes(template, ca) or disposition.denies_requests or template.signatures_required:
        return
    held = disposition.holds_requests or EnrollmentFlag.PEND_ALL_REQUESTS in template.enrollment_flag
    by_request = CertificateNameFlag.ENROLLEE_SUPPLIES_SUBJECT in projection.name_flag(template)
    name = ANY if by_request or EditFlag.ATTRIBUTESUBJECTALTNAME2 in ca.edit_flags else OWN
    enrollers, rewriters = projection.holders(template)
    for sid, obtained in [
        *((sid, name) for sid in enrollers),
        *((sid, REWRITE) for sid in rewriters if estate.directory.is_broad(sid)),
    ]:
        yield Obtains(
            principal=estate.directory.name_of(sid),
            template=template.name,
            ca=ca.name,
            name=obtained,
            held=held,
            authentication=template.authenticates,
            broad=estate.directory.is_broad(sid),
        )


def is_hole(item: Obtains) -> bool:
    """Whether everybody could become anybody."""
    return item.broad and item.authentication and not item.held and item.name != OWN
