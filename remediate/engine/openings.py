"""Who can obtain a certificate in which name, now and after a plan.

A hole is a broad principal that could become anybody without anybody's approval (ESC1 and its neighbours): a logon
certificate in any name, by the request or by a SAN in its attributes; one that can request for others, being a request
agent's, for any purpose or without a usage; a template that everybody may rewrite. Only what a plan would newly open is
held against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from remediate.actions.binding import aces_of
from remediate.actions.intents import CaValue, Grant, Intent, Publish, SetCaRegistryValue, SetNameFlag
from remediate.adcs.access_check import holders_of_enroll, holders_of_rewrite
from remediate.adcs.dacl_edit import add_aces
from remediate.adcs.flags import CertificateNameFlag, Disposition, EditFlag, RequestDisposition
from remediate.adcs.sid import Sid
from remediate.facts.directory import Template
from remediate.facts.estate import Estate
from remediate.facts.hosts import CertificationAuthority
from remediate.model.errors import UnknownFact
from remediate.model.plan import Obtains

OWN, ANY, REWRITE = "own", "any", "any (may rewrite the template)"
# Its own name, and with that certificate one in any name: a request agent's, or one that may be used as such.
AGENT = "own (may request for others)"
# What a policy module that is not Microsoft's decides nobody can read: it is taken to issue whatever is asked.
_FOREIGN_MODULE_ISSUES = RequestDisposition(int(Disposition.ISSUE))
Pair = tuple[Template, CertificationAuthority]
Intents = tuple[Intent, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody obtains only afterwards, what nobody obtains any more, and which of the gained are holes."""

    gained: frozenset[Obtains]
    lost: frozenset[Obtains]
    holes: frozenset[Obtains]


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
        """The CA's RequestDisposition then; one of a policy module that is not Microsoft's has no known meaning."""
        if not ca.has_microsoft_policy_module:
            return _FOREIGN_MODULE_ISSUES
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
    found = dict.fromkeys(pair for intent in intents for pair in _touched(intent, estate))
    return tuple(sorted(found, key=lambda pair: (pair[0].name, pair[1].name, pair[1].host)))


def _touched(intent: Intent, estate: Estate) -> Iterator[Pair]:
    if isinstance(intent, SetNameFlag | Grant):
        yield from ((intent.template, ca) for ca in estate.certification_authorities if ca.service is not None)
    elif isinstance(intent, Publish):
        yield intent.template, intent.ca
    elif isinstance(intent, SetCaRegistryValue) and intent.value is CaValue.REQUEST_DISPOSITION:
        yield from ((_offered(name, intent.ca, estate), intent.ca) for name in intent.ca.enrollment_service.published)


def _offered(name: str, ca: CertificationAuthority, estate: Estate) -> Template:
    if name.lower() not in estate.directory.templates:
        why = (
            f"{ca.name} offers it and the directory does not show it: it was deleted, and its name can be taken off the"
            " CA, or the account may not see it"
        )
        raise UnknownFact(f"CN={name}", why)
    return estate.directory.templates[name.lower()]


class Openings:
    """Who obtains what in one estate, now and after intents.

    What a pair of template and CA gives depends on few intents, so it is worked out once for each set of those. Every
    method raises UnknownFact when a fact that decides was not read.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate = estate
        self._principals: dict[Sid, tuple[str, bool]] = {}
        self._now: dict[Pair, frozenset[Obtains]] = {}
        self._changes: dict[tuple[Pair, Intents], Change] = {}

    def change(self, intents: Iterable[Intent]) -> Change:
        """Return what the intents change, wherever they touch anything."""
        changes = self._by_pair(tuple(intents))
        return Change(
            gained=frozenset().union(*(change.gained for change in changes.values())),
            lost=frozenset().union(*(change.lost for change in changes.values())),
            holes=frozenset().union(*(change.holes for change in changes.values())),
        )

    def new_holes(self, intents: Iterable[Intent]) -> frozenset[Obtains]:
        """Return the holes that are open after these intents and are not now."""
        return frozenset().union(*(change.holes for change in self._by_pair(tuple(intents)).values()))

    def _by_pair(self, intents: Intents) -> dict[Pair, Change]:
        concerning = _by_concern(intents)
        pairs = pairs_touched(intents, self._estate)
        for pair in pairs:  # first, so that a fact that is missing now is named before one that only then matters
            self._obtained_now(pair)
        return {pair: self._change_of(pair, _concerning(pair, concerning)) for pair in pairs}

    def _obtained_now(self, pair: Pair) -> frozenset[Obtains]:
        if pair not in self._now:
            self._now[pair] = frozenset(self._obtained(pair, Projection()))
        return self._now[pair]

    def _change_of(self, pair: Pair, intents: Intents) -> Change:
        if (pair, intents) not in self._changes:
            before, after = self._obtained_now(pair), frozenset(self._obtained(pair, Projection(intents)))
            gained = after - before
            self._changes[pair, intents] = Change(gained, before - after, frozenset(filter(is_hole, gained)))
        return self._changes[pair, intents]

    def _obtained(self, pair: Pair, projection: Projection) -> Iterator[Obtains]:
        template, ca = pair
        if not projection.publishes(template, ca) or (disposition := projection.disposition(ca)).denies_requests:
            return
        enrollers, rewriters = projection.holders(template)
        if not template.signatures_required:
            held = disposition.holds_requests or template.wants_approval
            name = _name(projection.name_flag(template), template, ca)
            yield from (self._obtains(pair, sid, name, held=held) for sid in enrollers)
        # Who may rewrite a template can take signatures and approval away as well.
        broad = (sid for sid in rewriters if self._estate.directory.is_broad(sid))
        yield from (self._obtains(pair, sid, REWRITE, held=disposition.holds_requests) for sid in broad)

    def _obtains(self, pair: Pair, sid: Sid, name: str, *, held: bool) -> Obtains:
        template, ca = pair
        principal, broad = self._principal(sid)
        return Obtains(principal, template.name, ca.name, name, held, template.authenticates, broad)

    def _principal(self, sid: Sid) -> tuple[str, bool]:
        """The name of a SID and whether everybody is in it."""
        if sid not in self._principals:
            self._principals[sid] = (self._estate.directory.name_of(sid), self._estate.directory.is_broad(sid))
        return self._principals[sid]


def _name(flag: CertificateNameFlag, template: Template, ca: CertificationAuthority) -> str:
    if CertificateNameFlag.ENROLLEE_SUPPLIES_SUBJECT in flag or _takes_any_name(ca):
        return ANY
    return AGENT if template.serves_a_request_agent else OWN


def _takes_any_name(ca: CertificationAuthority) -> bool:
    """Whether a request's attributes may name anybody; EditFlags are Microsoft's module's."""
    return ca.has_microsoft_policy_module and EditFlag.ATTRIBUTESUBJECTALTNAME2 in ca.edit_flags


def _by_concern(intents: Intents) -> dict[object, Intents]:
    """The intents by what they concern: a template, a template on a CA, or a whole CA."""
    found: dict[object, Intents] = {}
    for intent in intents:
        concern = _concern(intent)
        found[concern] = (*found.get(concern, ()), intent)
    return found


def _concern(intent: Intent) -> object:
    if isinstance(intent, SetNameFlag | Grant):
        return intent.template
    if isinstance(intent, Publish):
        return intent.template, intent.ca
    if isinstance(intent, SetCaRegistryValue) and intent.value is CaValue.REQUEST_DISPOSITION:
        return intent.ca
    return None


def _concerning(pair: Pair, by_concern: Mapping[object, Intents]) -> Intents:
    template, ca = pair
    return by_concern.get(template, ()) + by_concern.get(pair, ()) + by_concern.get(ca, ())


def is_hole(item: Obtains) -> bool:
    """Whether everybody could become anybody. Whoever rewrites a template rewrites its usages too."""
    usable = item.authentication or item.name == REWRITE
    return item.broad and usable and not item.held and item.name != OWN
