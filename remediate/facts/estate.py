"""The estate: everything a snapshot says, as the objects that playbooks look at, and what is in scope."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from remediate.adcs.thumbprint import as_thumbprint
from remediate.facts.ca_naming import Misnamed, wrong_host, wrong_name
from remediate.facts.callers import netbios_name_of
from remediate.facts.directory import Directory, EnrollmentService, Principal, Template
from remediate.facts.documents import CaDocument, Failure, LogEvidence, Snapshot
from remediate.facts.fitness import Misfit, misfits
from remediate.facts.hosts import CertificationAuthority, ConnectorHost, short_name
from remediate.facts.intune import Intune, Profile, TrustedRoot
from remediate.facts.request_files import LoggedRequestFiles
from remediate.model.errors import UnknownFact, UsageError
from remediate.model.finding import Evidence

# https and a host; the rest is the web service's own affair.
_WEB_ADDRESS = re.compile(r"https://[\w.\-\[\]:]*\w", re.IGNORECASE)


@dataclass(frozen=True)
class Issuance:
    """A template that is to be issued by a CA: what a profile asks for, or what --template names."""

    template: Template
    ca: CertificationAuthority

    @property
    def name(self) -> str:
        """`template on CA`."""
        return f"{self.template.name} on {self.ca.name}"


class Estate:
    """What was read, in one place. Using what could not be read raises UnknownFact."""

    def __init__(
        self, snapshot: Snapshot, templates: Iterable[str] = (), settings: Mapping[str, str] | None = None
    ) -> None:
        self.snapshot = snapshot
        self.settings = dict(settings or {})
        self._asked_templates = tuple(templates)
        self._directory = Directory(snapshot.directory) if snapshot.directory else None
        self.intune = Intune(snapshot.intune) if snapshot.intune is not None else None

    def failure(self, role: str, host: str = "") -> Failure | None:
        """Return why a target of this role could not be read, None when it could."""
        found = (f for f in self.snapshot.failures if f.role == role and host.lower() in {"", f.target.lower()})
        return next(found, None)

    def logged(self, signature: str, *, code: str = "", host: str = "") -> tuple[Evidence, ...]:
        """Return what logs show of a signature or of a code, as evidence; with a host, what they show of that one."""
        seen = (one for one in self.logs_of(host) if one.signature == signature or (code and one.code == code))
        return tuple(Evidence(_logs(one), _shows(one)) for one in seen)

    def logs_of(self, host: str = "") -> tuple[LogEvidence, ...]:
        """Return what logs show, or what they show of one host; entries that name no host may be of any."""
        label = short_name(host).lower()
        logs = (one for one in self.snapshot.logs if not one.part)
        return tuple(one for one in logs if not label or not any(one.hosts) or label in one.hosts)

    @property
    def request_files_of_logs(self) -> LoggedRequestFiles:
        """What request files stand among the logs, of whatever connector: they do not tell."""
        return LoggedRequestFiles(one for one in self.snapshot.logs if one.part)

    @property
    def has_directory(self) -> bool:
        """Whether a directory was read or should have been."""
        return self._directory is not None or self.failure("directory") is not None

    @property
    def directory(self) -> Directory:
        """The directory. Raises UnknownFact when it could not be read."""
        if self._directory is None:
            failure = self.failure("directory")
            raise UnknownFact("the directory", failure.what if failure else "it was not read")
        return self._directory

    @cached_property
    def certification_authorities(self) -> tuple[CertificationAuthority, ...]:
        """Every CA of the directory and every CA host that was read."""
        parts = tuple(self._parts_of_cas())
        names = [CertificationAuthority(*part).own_name for part in parts]
        often = Counter(names)
        return tuple(
            CertificationAuthority(*part, has_namesake=often[name] > 1) for part, name in zip(parts, names, strict=True)
        )

    def _parts_of_cas(self) -> Iterator[tuple[EnrollmentService | None, CaDocument | None, Failure | None]]:
        """What belongs together: enrollment service, host, and why the host could not be read."""
        documents = list(self.snapshot.certification_authorities)
        known = set()
        for service in self._known_services():
            document = next((d for d in documents if _belongs(service, d)), None)
            document = document or next((d for d in documents if _has_certificate_of(service, d)), None)
            documents = [d for d in documents if d is not document]
            known.add(service.host.lower())
            yield service, document, self.failure("ca", service.host) if service.host else None
        for document in documents:
            known.add(CertificationAuthority(None, document, None).host.lower())
            yield None, document, None
        for failure in self.snapshot.failures:
            if failure.role == "ca" and failure.target.lower() not in known:
                yield None, None, failure

    def _known_services(self) -> tuple[EnrollmentService, ...]:
        """None where they cannot be read: whoever asks the directory itself for them learns why."""
        try:
            return self._directory.enrollment_services if self._directory else ()
        except UnknownFact:
            return ()

    def requests_to_resubmit(self, ca: CertificationAuthority) -> tuple[int, ...]:
        """Return the numbers that the parameter `resubmit` gives for a CA: `17`, or `HOST:17` among several CAs.

        Raises UsageError for what is no number, and for a number of which nobody can tell the CA.
        """
        hosts = {name: other for other in self.certification_authorities if other.asked for name in _names_of(other)}
        found: list[int] = []
        for text in filter(None, map(str.strip, self.settings.get("resubmit", "").split(","))):
            host, _, number = text.rpartition(":")
            owner = hosts.get(host.lower()) if host else next(iter(hosts.values()), None)
            if not number.isdecimal() or owner is None or (not host and len(set(hosts.values())) > 1):
                raise UsageError(f"resubmit: {text} names no request of a CA that was read", do="Give HOST:NUMBER.")
            found += [int(number)] * (owner is ca)
        return tuple(dict.fromkeys(found))

    def policy_server_url(self) -> str:
        """Return the parameter `policy_server_url`, empty when it was not given.

        Raises UsageError for what Add-CertificateEnrollmentPolicyServer would not be run with: its page knows web
        addresses alone, and only https keeps what it sends from being read.
        """
        url = self.settings.get("policy_server_url", "")
        plain = url.isprintable() and not any(map(str.isspace, url))
        if url and not (plain and _WEB_ADDRESS.match(url)):
            do = "Such as https://cep.contoso.com/ADPolicyProvider_CEP_Kerberos/service.svc/CEP."
            raise UsageError(f"policy_server_url: {url} is no https address", do=do)
        return url

    @cached_property
    def connectors(self) -> tuple[ConnectorHost, ...]:
        """Every connector host that was asked for."""
        read = [ConnectorHost(document, None) for document in self.snapshot.connectors]
        failed = [ConnectorHost(None, f) for f in self.snapshot.failures if f.role == "connector"]
        return (*read, *failed)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The PKCS profiles, none when no export was given."""
        return self.intune.profiles if self.intune else ()

    @property
    def trusted_roots(self) -> tuple[TrustedRoot, ...]:
        """The trusted-root profiles, none when no export was given."""
        return self.intune.trusted_roots if self.intune else ()

    @cached_property
    def template_names(self) -> tuple[str, ...]:
        """The names of the templates in scope: those that a profile or --template names."""
        names = [*self._asked_templates, *(profile.template for profile in self.profiles if profile.template)]
        return tuple(sorted({name.lower(): name for name in names}.values()))

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """The templates in scope that exist in the directory."""
        known = self.directory.templates
        return tuple(known[name.lower()] for name in self.template_names if name.lower() in known)

    @cached_property
    def issuances(self) -> tuple[Issuance, ...]:
        """Every template in scope with every CA that is to issue it."""
        return tuple(Issuance(template, ca) for template in self.templates for ca in self._issuers(template))

    def _issuers(self, template: Template) -> Iterator[CertificationAuthority]:
        named = self._named_for(template)
        known = [ca for ca in named or self.certification_authorities if ca.service is not None]
        yield from [ca for ca in known if ca.asked] or known

    def _named_for(self, template: Template) -> tuple[CertificationAuthority, ...]:
        """The CAs that profiles name for a template."""
        asking = [profile for profile in self.profiles if profile.template.lower() == template.name.lower()]
        return tuple(ca for ca in self.certification_authorities if any(self.matches(one, ca) for one in asking))

    def is_named(self, ca: CertificationAuthority) -> bool:
        """Whether a profile means this CA, so that what is not known of it matters."""
        return any(self.matches(profile, ca) for profile in self.profiles)

    def has_a_choice_of_cas(self, template: Template) -> bool:
        """Whether several CAs could issue a template and no profile says which one is to."""
        return not self._named_for(template) and len(tuple(self._issuers(template))) > 1

    def matches(self, profile: Profile, ca: CertificationAuthority) -> bool:
        """Whether a profile means this CA: its host or its name is right."""
        same_host = bool(ca.host) and profile.ca_host.lower() == ca.host.lower()
        return same_host or ca.is_called(profile.ca_name)

    def issuers_without(self, template: Template) -> tuple[CertificationAuthority, ...]:
        """Return the CAs that are to issue a template and do not offer it yet; none while nobody says which are to."""
        if self.has_a_choice_of_cas(template):
            return ()
        wanted = (issuance.ca for issuance in self.issuances if issuance.template is template)
        return tuple(ca for ca in wanted if not ca.enrollment_service.offers(template))

    def authorities_on(self, host: str) -> tuple[CertificationAuthority, ...]:
        """Return the CAs that the directory has on a host, whatever the case of its name."""
        there = [one for one in self.directory.enrollment_services if one.host and one.host.lower() == host.lower()]
        return tuple(ca for ca in self.certification_authorities if ca.service in there)

    def wrong_host(self, profile: Profile) -> Misnamed | None:
        """Return what is wrong with the CA host of a profile, None when a CA has it."""
        return wrong_host(profile, self.directory.enrollment_services)

    def wrong_name(self, profile: Profile, *, anywhere: bool = False) -> Misnamed | None:
        """Return what is wrong with the CA name of a profile, None when the CA on its host has that name.

        With `anywhere`, also None when any CA of the directory has it.
        """
        there = self.authorities_on(profile.ca_host)
        known = tuple(ca for ca in self.certification_authorities if ca.service is not None)
        if anywhere and any(ca.is_called(profile.ca_name) for ca in known):
            return None
        return wrong_name(profile, there, known)

    def holds_requests(self, ca: CertificationAuthority) -> bool:
        """Whether new requests may wait on a CA: by its policy module, or by a template in scope that it issues."""
        issued = self.issuances if self.has_directory else ()
        if any(one.template.wants_approval for one in issued if one.ca is ca) or not ca.has_microsoft_policy_module:
            return True
        return ca.request_disposition.holds_requests or ca.request_disposition.leaves_it_to_the_request

    def open_to(self, issuance: Issuance) -> str:
        """Return the broad groups that obtain a logon certificate in any name now, by name; empty when none does."""
        template, service = issuance.template, issuance.ca.enrollment_service
        asks = template.wants_approval or template.signatures_required
        if asks or not (template.takes_subject_from_request and template.authenticates and service.offers(template)):
            return ""
        broad = [sid for sid in template.enrollers if self.directory.is_broad(sid)]
        return ", ".join(sorted(map(self.directory.name_of, broad)))

    def misfits(self, template: Template) -> Iterator[Misfit]:
        """Yield what of a template does not fit Intune."""
        return misfits(template)

    def offered_elsewhere(self, issuance: Issuance) -> str:
        """Return a CA that offers the template in place of the one that a profile asks for it, empty when none does."""
        template, ca = issuance.template, issuance.ca
        asking = (profile for profile in self.profiles if profile.template.lower() == template.name.lower())
        offers = [service for service in self.directory.enrollment_services if service.offers(template)]
        asked = any(self.matches(profile, ca) for profile in asking)
        elsewhere = asked and all(service is not ca.service for service in offers)
        return offers[0].display_name if offers and elsewhere else ""

    def caller(self, connector: ConnectorHost) -> Principal:
        """Return the account as which a connector calls the CA."""
        return self.directory.principal(self.caller_name(connector))

    def callers(self, connector: ConnectorHost) -> tuple[Principal, ...]:
        """Return that account, none where every service runs as one that no other host knows."""
        return () if any(connector.product.nobody()) else (self.caller(connector),)

    def caller_name(self, connector: ConnectorHost) -> str:
        """Return the name of that account."""
        return connector.caller(self._domain_of(connector))

    def revoker(self, connector: ConnectorHost) -> Principal | None:
        """Return the account as which a connector revokes certificates, None when it does not."""
        name = connector.revoker(self._domain_of(connector))
        return self.directory.principal(name) if name else None

    def _domain_of(self, connector: ConnectorHost) -> str:
        domain = connector.document.machine.domain.need(connector.at("domain"))
        return netbios_name_of(domain or "", self.directory.document)

    @property
    def read_at(self) -> str:
        """When the snapshot was complete: the newest reading."""
        documents = [*self.snapshot.certification_authorities, *self.snapshot.connectors]
        times = [document.read_at for document in documents] + [failure.read_at for failure in self.snapshot.failures]
        return max([*times, self.snapshot.directory.read_at if self.snapshot.directory else ""])


def _logs(seen: LogEvidence) -> str:
    hosts = f"logs of {', '.join(seen.hosts)}" if any(seen.hosts) else "logs"
    return f"{hosts}, last in {seen.source}" if seen.source else hosts


def _shows(seen: LogEvidence) -> str:
    what = seen.code or seen.signature
    times = f", first {seen.first}, last {seen.last}" if seen.first else ""
    return (
        f"{what} {seen.count} times{times}" if seen.count > 1 else f"{what} once{f', {seen.last}' if seen.last else ''}"
    )


def _names_of(ca: CertificationAuthority) -> tuple[str, str]:
    return ca.host.lower(), short_name(ca.host).lower()


def _belongs(service: EnrollmentService, document: CaDocument) -> bool:
    """A host's facts belong to an enrollment service of its host and, where the host has told it, of its name."""
    host = document.machine.name
    same_host = host.lower() == service.host.lower() or host.lower() == short_name(service.host).lower()
    name = document.common_name.if_known()
    return same_host and (name is None or service.is_of(name))


def _has_certificate_of(service: EnrollmentService, document: CaDocument) -> bool:
    """A host that the directory knows by an alias, or by no name at all, is known by its CA's name and certificate."""
    own = set(map(as_thumbprint, document.ca_cert_hash.if_known() or ()))
    by_name_alone = not service.host and not (own and service.thumbprints)
    name = document.common_name.if_known()
    return name is not None and service.is_of(name) and (by_name_alone or bool(own & service.thumbprints))
