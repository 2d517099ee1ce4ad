"""What a plan says of its own scope: whose estate, which targets, what was not asked, what stayed unread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediate.adcs.thumbprint import as_thumbprint
from remediate.facts.directory import unreadable_sources
from remediate.facts.documents import CaDocument, ConnectorDocument, Snapshot
from remediate.facts.estate import Estate
from remediate.facts.gaps import not_told
from remediate.facts.hosts import short_name
from remediate.model.errors import UnknownFact
from remediate.model.fact import Fact
from remediate.model.finding import ALL_OF_IT, Target, Unknown
from remediate.model.plan import DIRECTORY, Action, Obtains, TargetIdentity, target_of

# Facts that only inform: no finding and no guard depends on them.
INFORMING_CA = ("pending_requests", "ping", "disable_extension_list", "enabled_eku_for_defined_ca_cert")
INFORMING_CONNECTOR = ("foreign_antivirus", "policy_servers_applied", "legacy_connection_status")


def heading(estate: Estate) -> Iterator[str]:
    """Yield the lines that say whose estate was read, when, and as whom the connectors call the CA."""
    document = estate.snapshot.directory
    if document is not None:
        domain = estate.directory.root_dse.text_or("defaultNamingContext")
        yield f"{_dns_name(domain)}, read {document.read_at} from {short_name(estate.directory.server)}"
    for ca in estate.certification_authorities:
        known_as, own = short_name(ca.host), short_name(ca.machine)
        alias = "" if own.lower() == known_as.lower() else f", which is {own}"
        yield f"CA {ca.name} on {known_as}{alias}{'' if ca.asked else ' (its host was not read)'}"
    for connector in estate.connectors:
        try:
            caller = estate.caller_name(connector)
        except UnknownFact:
            caller = "an account that is not known"
        yield f"connector {short_name(connector.host)}, calls the CA as {caller}"


def _dns_name(naming_context: str) -> str:
    return ".".join(part.partition("=")[2] for part in naming_context.split(",")) or "no domain"


def targets(estate: Estate) -> Iterator[TargetIdentity]:
    """Yield every target with what makes it the right one."""
    if estate.snapshot.directory is not None:
        domain = estate.snapshot.directory.domain.if_known()
        guid = estate.directory.domain.object_guid if domain else ""
        name = _dns_name(estate.directory.root_dse.text_or("defaultNamingContext"))
        said = _said(domain=name if guid else "", domain_objectGUID=guid)
        yield TargetIdentity(kind=DIRECTORY, name=estate.directory.server, identity=said)
    for document in estate.snapshot.certification_authorities:
        hashes = document.ca_cert_hash.if_known() or []
        thumbprint = as_thumbprint(hashes[-1]) if hashes else ""
        yield _host(estate, "ca", document, certificate_thumbprint=thumbprint)
    for connector in estate.snapshot.connectors:
        yield _host(estate, "connector", connector)


def _host(estate: Estate, kind: str, document: CaDocument | ConnectorDocument, **more: str) -> TargetIdentity:
    name = document.machine.name
    computer = estate.directory.computer(name) if estate.snapshot.directory is not None else None
    guid = computer.object_guid if computer is not None else ""
    said = _said(
        ComputerName=document.machine.computer_name,
        MachineGuid=document.machine.machine_guid.if_known() or "",
        objectGUID=guid,
        **more,
    )
    return TargetIdentity(kind=kind, name=name, identity=said)


def _said(**identity: str) -> dict[str, str]:
    return {name: value for name, value in identity.items() if value}


# What proves that a host or a domain is the one that was planned for, by the kind of target.
_PROOF = {
    "directory": ("domain_objectGUID",),
    "ca": ("MachineGuid", "certificate_thumbprint"),
    "connector": ("MachineGuid",),
}


def unidentified(actions: Iterable[Action], identities: Iterable[TargetIdentity]) -> Iterator[Unknown]:
    """Yield every target that is to be changed and could not be told from another of its name."""
    changed = {target_of(action) for action in actions}
    for item in identities:
        for proof in _PROOF[item.kind] if item.target in changed else ():
            if proof not in item.identity:
                why = "it was not read, and without it nobody can tell this target from another of its name"
                target = Target("estate" if item.kind == DIRECTORY else item.kind, item.name)
                yield Unknown(playbook="", cause="", target=target, fact=proof, why=why)


def foreign_modules(estate: Estate, obtained: Iterable[Obtains]) -> Iterator[str]:
    """Yield what is to be known of CAs in the delta whose policy module is not Microsoft's."""
    concerned = {one.ca for one in obtained}
    for ca in estate.certification_authorities:
        if ca.name in concerned and not ca.has_microsoft_policy_module:
            yield (
                f"{ca.name} decides by the policy module {ca.policy_module}, whose rules are not known: who can obtain"
                " what is told as if it issued every request."
            )


def not_asked(estate: Estate) -> Iterator[str]:
    """Yield what nobody gave, so that no check of it was made."""
    if not estate.has_directory:
        yield "the directory (no domain, domain controller or bundle with directory.json)"
    if estate.intune is None:
        yield "Intune profiles, assignments and users' mail (--intune)"
    if not estate.connectors:
        yield "connector hosts (--connector)"
    if not estate.template_names:
        yield "templates (no profile names one, and no --template)"
    for ca in estate.certification_authorities:
        if not ca.asked:
            yield f"the host of {ca.name} ({ca.host})"
    yield from not_told(estate)


def unread_targets(snapshot: Snapshot) -> Iterator[Unknown]:
    """Yield every target that was asked for and could not be read at all: nothing of it is known to be fine."""
    for failure in snapshot.failures:
        yield Unknown(
            playbook="",
            cause="",
            target=Target("estate" if failure.role == "directory" else failure.role, failure.target),
            fact=ALL_OF_IT,
            why=". ".join(filter(None, (failure.what, failure.why, failure.do))),
            code=failure.code,
        )


def informing_unknowns(snapshot: Snapshot) -> Iterator[Unknown]:
    """Yield the facts that only inform and could not be read: printed as unknown, they block nothing."""
    for document in snapshot.certification_authorities:
        yield from _informing(Target("ca", document.read_from), document, INFORMING_CA)
    for connector in snapshot.connectors:
        yield from _informing(Target("connector", connector.read_from), connector, INFORMING_CONNECTOR)
    if snapshot.directory is not None:
        for name, fact in unreadable_sources(snapshot.directory):
            yield _unknown(Target("estate", snapshot.directory.read_from), name, fact)


def _informing(target: Target, document: CaDocument | ConnectorDocument, names: tuple[str, ...]) -> Iterator[Unknown]:
    for name in names:
        fact: Fact[object] = getattr(document, name)
        if not fact.known:
            yield _unknown(target, name, fact)


def _unknown(target: Target, name: str, fact: Fact[object]) -> Unknown:
    why = fact.unreadable.why if fact.unreadable else "the collector did not report it"
    code = fact.unreadable.code if fact.unreadable else ""
    return Unknown(playbook="", cause="", target=target, fact=name, why=why, code=code, needed=False)


# [MS-ADTS] 3.1.1.3.4.3: LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID, which a read-only domain controller has.
_PARTIAL_SECRETS = "1.2.840.113556.1.4.1920"


def notes(snapshot: Snapshot) -> Iterator[str]:
    """Yield what is to be known of the way in which the facts were read."""
    directory = snapshot.directory
    if directory is not None and _PARTIAL_SECRETS in directory.root_dse.texts("supportedCapabilities"):
        yield (
            f"{directory.read_from} is a read-only domain controller: what it says may be older than the domain, it may"
            " not answer everything, and changes of the directory need a writable one (--dc)."
        )
