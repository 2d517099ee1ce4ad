"""The directory's part of the estate: templates, enrollment services, accounts, names for SIDs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from remediate.adcs import sid as sids
from remediate.adcs.access_check import DaclEntry, holders_of_enroll, holders_of_rewrite, token_sids
from remediate.adcs.ca_name import original, sanitised_short
from remediate.adcs.flags import (
    CertificateNameFlag,
    EnrollmentFlag,
    EnrollmentServiceFlag,
    PrivateKeyFlag,
    TemplateFlag,
    unsigned,
)
from remediate.adcs.sid import Sid
from remediate.adcs.thumbprint import thumbprints
from remediate.facts.access import TemplateRights, template_rights
from remediate.facts.addressed import Addressed
from remediate.facts.directory_object import DirectoryObject
from remediate.facts.documents import Account, DirectoryDocument, Entry
from remediate.model.errors import UnknownFact
from remediate.model.fact import Fact

# Extended key usages that let a certificate log on: [MS-WCCE], RFC 4556, and the absence of any.
CLIENT_AUTHENTICATION = "1.3.6.1.5.5.7.3.2"
ANY_PURPOSE = "2.5.29.37.0"
CERTIFICATE_REQUEST_AGENT = "1.3.6.1.4.1.311.20.2.1"
AUTHENTICATION_USAGES = frozenset(
    {CLIENT_AUTHENTICATION, "1.3.6.1.4.1.311.20.2.2", "1.3.6.1.5.2.3.4", ANY_PURPOSE, CERTIFICATE_REQUEST_AGENT}
)
# Groups that hold everybody, wherever they stand: [MS-DTYP] 2.4.2.4. Domain Users, Guests, Computers by RID.
_BROAD = frozenset(
    map(Sid.from_string, ("S-1-1-0", "S-1-5-7", "S-1-5-11", "S-1-5-2", "S-1-5-15", "S-1-5-32-545", "S-1-5-32-546"))
)
_BROAD_RIDS = frozenset({513, 514, 515})

# Where objects of a class stand, directly below, in CN=Public Key Services ([MS-WCCE] 2.2.2.11).
_CONTAINERS = {
    "pKICertificateTemplate": "certificate templates",
    "pKIEnrollmentService": "enrollment services",
    "certificationAuthority": "certification authorities",
}


class Template(DirectoryObject, Addressed):
    """A certificate template ([MS-CRTD] 2)."""

    @property
    def name(self) -> str:
        """The template name that profiles and enrollment services use: its cn."""
        return self.cn

    @property
    def name_flag(self) -> CertificateNameFlag:
        """msPKI-Certificate-Name-Flag."""
        return CertificateNameFlag(unsigned(self.number("msPKI-Certificate-Name-Flag")))

    @property
    def enrollment_flag(self) -> EnrollmentFlag:
        """msPKI-Enrollment-Flag."""
        return EnrollmentFlag(unsigned(self.number("msPKI-Enrollment-Flag")))

    @property
    def private_key_flag(self) -> PrivateKeyFlag:
        """msPKI-Private-Key-Flag."""
        return PrivateKeyFlag(unsigned(self.number("msPKI-Private-Key-Flag")))

    @property
    def flags(self) -> TemplateFlag:
        """The general flags."""
        return TemplateFlag(unsigned(self.number("flags")))

    @property
    def schema_version(self) -> int:
        """msPKI-Template-Schema-Version; templates of Windows 2000 may bear none and are version 1."""
        return self.number_or("msPKI-Template-Schema-Version", 1)

    @property
    def minor_revision(self) -> int:
        """msPKI-Template-Minor-Revision."""
        return self.number("msPKI-Template-Minor-Revision")

    @property
    def signatures_required(self) -> int:
        """msPKI-RA-Signature; none when the attribute is not there."""
        return self.number_or("msPKI-RA-Signature", 0)

    @property
    def usages(self) -> tuple[str, ...]:
        """The extended key usages: application policies, else pKIExtendedKeyUsage."""
        return self.texts("msPKI-Certificate-Application-Policy") or self.texts("pKIExtendedKeyUsage")

    @property
    def authenticates(self) -> bool:
        """Whether its certificates can log on, also by having no usage at all."""
        return not self.usages or bool(AUTHENTICATION_USAGES.intersection(self.usages))

    @property
    def serves_a_request_agent(self) -> bool:
        """Whether its certificates can sign requests for others: a request agent's, any purpose, or no usage at all."""
        return not self.usages or not {ANY_PURPOSE, CERTIFICATE_REQUEST_AGENT}.isdisjoint(self.usages)

    @property
    def exports_keys(self) -> bool:
        """Whether private keys may leave the host that asks, without which no PFX can be made."""
        return PrivateKeyFlag.EXPORTABLE_KEY in self.private_key_flag

    @property
    def publishes_to_directory(self) -> bool:
        """Whether the CA writes each certificate to the account that asks, which here is the connector's."""
        return EnrollmentFlag.PUBLISH_TO_DS in self.enrollment_flag

    @property
    def wants_approval(self) -> bool:
        """Whether a CA certificate manager must approve every request."""
        return EnrollmentFlag.PEND_ALL_REQUESTS in self.enrollment_flag

    @property
    def takes_subject_from_request(self) -> bool:
        """Whether the request names the subject, not the directory."""
        return CertificateNameFlag.ENROLLEE_SUPPLIES_SUBJECT in self.name_flag

    @property
    def must_be_duplicated(self) -> str:
        """Why it must not be edited, empty when it may: a default template, or schema version 1."""
        if self.flags & TemplateFlag.IS_DEFAULT:
            return "it is one of the templates that Windows brought (IS_DEFAULT)"
        return "it has schema version 1" if self.schema_version < 2 else ""

    @cached_property
    def enrollers(self) -> tuple[Sid, ...]:
        """The SIDs that hold Enroll, in DACL order."""
        return holders_of_enroll(self.descriptor)

    @cached_property
    def rewriters(self) -> tuple[Sid, ...]:
        """The SIDs that may rewrite it, in DACL order."""
        return holders_of_rewrite(self.descriptor)

    def rights_of(self, principal: Principal) -> TemplateRights:
        """Return what an account may do with it. Raises UnknownFact when a condition decides."""
        return template_rights(self.descriptor, principal.token, where=self.at("nTSecurityDescriptor"))

    def at(self, what: str) -> str:
        """Return the address of one of its attributes."""
        return f"CN={self.name} {what}"


class EnrollmentService(DirectoryObject, Addressed):
    """A pKIEnrollmentService: what the directory says of a CA."""

    @property
    def host(self) -> str:
        """dNSHostName, empty when it was not answered."""
        return self.text_or("dNSHostName")

    @property
    def display_name(self) -> str:
        """The CA's name as its console shows it."""
        return self.text_or("displayName") or original(self.cn)

    def is_of(self, ca_name: str) -> bool:
        """Whether it is the object of a CA of this name, which its cn bears sanitised ([MS-WCCE] 2.2.2.11.2)."""
        return ca_name == self.display_name or sanitised_short(ca_name) == self.cn

    @property
    def published(self) -> tuple[str, ...]:
        """The names of the templates that this CA offers."""
        return self.texts("certificateTemplates")

    @cached_property
    def published_names(self) -> frozenset[str]:
        """The same names in lower case: the directory does not mind case."""
        return frozenset(name.lower() for name in self.published)

    def offers(self, template: Template) -> bool:
        """Whether it lists this template, by its name and whatever its case."""
        return template.name.lower() in self.published_names

    @property
    def thumbprints(self) -> frozenset[str]:
        """What Windows calls the certificates in its cACertificate."""
        return thumbprints(self.octets("cACertificate"))

    def at(self, what: str) -> str:
        """Return the address of one of its attributes."""
        return f"{self.display_name} {what}"

    @property
    def is_standalone(self) -> bool:
        """Whether it issues without templates, which Intune cannot use."""
        return bool(EnrollmentServiceFlag(unsigned(self.number("flags"))) & EnrollmentServiceFlag.NO_TEMPLATE_SUPPORT)


class Principal:
    """An account that calls the CA, with every SID of its token."""

    def __init__(self, account: Account) -> None:
        self.name = account.name
        entry = account.entry.need_value(f"account {account.name}")
        self.object = DirectoryObject(entry)
        sid = self.object.sid
        if sid is None:
            raise UnknownFact(f"account {account.name}", "its objectSid was not answered")
        self.sid = sid
        self._groups = account.token_groups

    @cached_property
    def token(self) -> frozenset[Sid]:
        """Its own SID and those of all its groups. Raises UnknownFact when tokenGroups could not be read."""
        groups = self._groups.need(f"account {self.name} tokenGroups") or []
        return token_sids(self.sid, map(Sid.from_bytes, groups))

    @property
    def groups(self) -> str:
        """How many groups it is in, nested ones included, in words."""
        count = len(self._groups.if_known() or ())
        return "the one group it is in" if count == 1 else f"the {count} groups it is in"


class Directory:
    """What one domain controller answered, as objects."""

    def __init__(self, document: DirectoryDocument) -> None:
        self.document = document
        self.root_dse = DirectoryObject(document.root_dse)

    @property
    def server(self) -> str:
        """The domain controller that was read."""
        return self.root_dse.text_or("dnsHostName") or self.document.read_from

    @cached_property
    def domain(self) -> DirectoryObject:
        """The head of the domain. Raises UnknownFact when it could not be read."""
        return DirectoryObject(self.document.domain.need_value("the domain's own object"))

    @cached_property
    def netbios_name(self) -> str:
        """The domain's NetBIOS name, from its crossRef."""
        wanted = self.root_dse.text_or("defaultNamingContext").lower()
        for entry in self.document.partitions.need("CN=Partitions") or []:
            partition = DirectoryObject(entry)
            if partition.text_or("nCName").lower() == wanted and partition.text_or("nETBIOSName"):
                return partition.text("nETBIOSName")
        raise UnknownFact("CN=Partitions", "no crossRef bears the NetBIOS name of the domain")

    def _services(self, object_class: str) -> Iterator[Entry]:
        """Entries of a class; one whose class may not be read belongs where it stands, and is unknown when used."""
        for entry in self.document.public_key_services.need("CN=Public Key Services") or []:
            classes = entry.texts("objectClass")
            parent = entry.dn.lower().partition(",")[2]
            unread = not classes and parent.startswith(f"cn={_CONTAINERS[object_class]},")
            if unread or object_class.lower() in map(str.lower, classes):
                yield entry

    @cached_property
    def templates(self) -> dict[str, Template]:
        """All templates by lower-case name."""
        found = map(Template, self._services("pKICertificateTemplate"))
        return {template.name.lower(): template for template in found}

    @cached_property
    def enrollment_services(self) -> tuple[EnrollmentService, ...]:
        """All enrollment services, by name and host."""
        found = map(EnrollmentService, self._services("pKIEnrollmentService"))
        return tuple(sorted(found, key=lambda service: (service.cn, service.host)))

    @cached_property
    def root_certificates(self) -> tuple[bytes, ...]:
        """The DER of the root certificates below CN=Certification Authorities."""
        found = map(DirectoryObject, self._services("certificationAuthority"))
        trusted = [ca for ca in found if "cn=certification authorities," in ca.dn.lower()]
        return tuple(certificate for ca in trusted for certificate in ca.octets("cACertificate"))

    @cached_property
    def root_thumbprints(self) -> frozenset[str]:
        """What Windows calls those certificates."""
        return thumbprints(self.root_certificates)

    def computer(self, host: str) -> DirectoryObject | None:
        """Return the computer account of a host by its DNS name or short name, None when it was not found."""
        short = f"{host.partition('.')[0]}$".lower()
        found = [DirectoryObject(entry) for entry in self.document.computers.if_known() or []]
        by_name = [c for c in found if c.text_or("dNSHostName").lower() == host.lower()]
        return next(iter(by_name or [c for c in found if c.text_or("sAMAccountName").lower() == short]), None)

    @cached_property
    def _names(self) -> dict[Sid, str]:
        accounts = [account.entry.if_known() for account in self.document.accounts]
        entries = [*(self.document.security_principals.if_known() or []), *filter(None, accounts)]
        found = {}
        for item in map(DirectoryObject, entries):
            if item.sid is not None:
                found[item.sid] = f"{self.netbios_name}\\{item.text_or('sAMAccountName', item.cn)}"
        return found

    def name_of(self, sid: Sid) -> str:
        """Return `DOMAIN\\name`, a well-known name, or the SID itself."""
        return sids.WELL_KNOWN_NAMES.get(sid) or self._names.get(sid) or str(sid)

    def denial(self, entry: DaclEntry) -> str:
        """Return in words whom an entry of a DACL denies what was asked for."""
        who = self.name_of(entry.ace.sid) if entry.ace.sid else "Somebody"
        return f"{who} is denied it by entry {entry.index + 1} of the DACL"

    @cached_property
    def _broad_groups(self) -> frozenset[Sid]:
        groups = self.document.broad_groups.need("groups that hold everybody by nesting") or []
        return frozenset(found for group in groups if (found := DirectoryObject(group).sid) is not None)

    def is_broad(self, sid: Sid) -> bool:
        """Whether everybody, or every user or computer, is in this principal, by nesting too."""
        by_rid = str(sid).startswith("S-1-5-21-") and sid.rid in _BROAD_RIDS
        return sid in _BROAD or by_rid or sid in self._broad_groups

    def principal(self, account_name: str) -> Principal:
        """Return a connector's account. Raises UnknownFact when it was not looked up or not found."""
        for account in self.document.accounts:
            if account.name.lower() == account_name.lower():
                return Principal(account)
        raise UnknownFact(f"account {account_name}", "it was not looked up in the directory")


def unreadable_sources(document: DirectoryDocument) -> Iterator[tuple[str, Fact[object]]]:
    """Yield (name, fact) of every part of the document that could not be read."""
    for name in ("domain", "partitions", "public_key_services", "computers", "security_principals", "broad_groups"):
        fact: Fact[object] = getattr(document, name)
        if not fact.known:
            yield name, fact
