"""The facts of the directory, read from one domain controller in at most eight searches plus two per account.

Two phases, so that hosts can be read in between: `begin` says which CAs and templates there are, `finish` looks up
the computers and accounts that turned out to matter. The eighth search is for the rights that a plan takes, once it is
known what it changes. There is no way to write through it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from remediate.actions.rights import EFFECTIVE
from remediate.adcs.security_descriptor import MalformedDescriptor, SecurityDescriptor
from remediate.adcs.sid import MalformedSid, Sid
from remediate.facts.documents import FORMAT_VERSION, Account, DirectoryDocument, Entry
from remediate.model.errors import TransportError
from remediate.model.fact import Fact, Unreadable
from remediate.model.utc import utc_now
from remediate.transports.credentials import Credential
from remediate.transports.ldap_connection import BASE, LEVEL, LdapConnection, connect, escaped

COLLECTOR: Final = "remediate LDAP"
ANYTHING: Final = "(objectClass=*)"
_DOMAIN: Final = ("objectClass", "objectSid", "objectGUID", "name", "msDS-Behavior-Version")
_CROSS_REFERENCE: Final = ("objectClass", "cn", "nCName", "dnsRoot", "nETBIOSName", "systemFlags")
# [MS-CRTD] 2 and [MS-WCCE] 2.2.2.11; not the revocation lists, which are large.
_SERVICES: Final = (
    "objectClass", "objectGUID", "cn", "displayName", "whenCreated", "whenChanged", "flags", "revision",
    "pKIDefaultKeySpec", "pKIKeyUsage", "pKIMaxIssuingDepth", "pKICriticalExtensions", "pKIExpirationPeriod",
    "pKIOverlapPeriod", "pKIExtendedKeyUsage", "pKIDefaultCSPs", "msPKI-RA-Signature", "msPKI-RA-Policies",
    "msPKI-RA-Application-Policies", "msPKI-Enrollment-Flag", "msPKI-Private-Key-Flag", "msPKI-Certificate-Name-Flag",
    "msPKI-Minimal-Key-Size", "msPKI-Template-Schema-Version", "msPKI-Template-Minor-Revision",
    "msPKI-Cert-Template-OID", "msPKI-Supersede-Templates", "msPKI-Certificate-Policy",
    "msPKI-Certificate-Application-Policy", "msPKI-Enrollment-Servers", "msPKI-OID-Attribute", "msDS-OIDToGroupLink",
    "certificateTemplates", "dNSHostName", "cACertificate", "cACertificateDN", "nTSecurityDescriptor",
)  # fmt: skip
_PRINCIPAL: Final = (
    "objectClass", "objectSid", "objectGUID", "sAMAccountName", "userPrincipalName", "dNSHostName", "groupType",
    "userAccountControl", "primaryGroupID", "servicePrincipalName", "operatingSystem",
)  # fmt: skip
# [MS-DTYP] 2.4.2.4, and the RIDs of Domain Users and Domain Computers.
_EVERYBODY: Final = (Sid.from_string("S-1-5-11"), Sid.from_string("S-1-1-0"))
_BROAD_RIDS: Final = (513, 515)
# [MS-ADTS] 3.1.1.3.4.4.3, LDAP_MATCHING_RULE_TRANSITIVE_EVAL.
_IN_CHAIN: Final = "1.2.840.113556.1.4.1941"
_NO_SUCH_OBJECT: Final = "LDAP 32"
# [MS-ADTS] 6.1.1.2.1.1.1: a crossRef of a domain.
_NTDS_DOMAIN: Final = 2

T = TypeVar("T")


def _attempt(read: Callable[[], T]) -> Fact[T]:
    """What `read` gives as a fact; refused by the server is unreadable, a lost connection is raised."""
    try:
        return Fact(value=read())
    except TransportError as error:
        if error.code == _NO_SUCH_OBJECT:
            return Fact(absent=True)
        if not error.code.startswith("LDAP "):
            raise
        return Fact(unreadable=Unreadable(f"{error.what} ({error.why})", error.code))


class DirectoryReader:
    """Reads one domain controller. Use it in a `with` block; every method raises TransportError.

    `address` is a domain controller, or a domain, whose name leads to one. `trust` is a PEM file of root certificates
    in place of the system's, `timeout` the seconds to wait for each answer.
    """

    def __init__(
        self, address: str, credential: Credential, *, trust: Path | None = None, timeout: float = 15.0
    ) -> None:
        self._address, self._credential, self._trust, self._timeout = address, credential, trust, timeout
        self._here: LdapConnection | None = None
        self._elsewhere: dict[str, LdapConnection] = {}
        self._begun: DirectoryDocument | None = None

    def __enter__(self) -> DirectoryReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):  # on Ctrl-C a search may be under way: a goodbye would wait
            self.close()

    def close(self) -> None:
        """End every connection."""
        for each in (*self._elsewhere.values(), *([self._here] if self._here else [])):
            each.close()

    def begin(self) -> DirectoryDocument:
        """Log on and read the domain, the partitions and everything below CN=Public Key Services: four searches."""
        self._here = here = self._connect(self._address)
        domain, configuration = self._naming("defaultNamingContext"), self._naming("configurationNamingContext")
        services = _services_of(configuration)
        partitions = f"CN=Partitions,{configuration}"
        self._begun = DirectoryDocument(
            format_version=FORMAT_VERSION, role="directory", collector=COLLECTOR,
            read_from=here.host, read_at=utc_now(), read_as=here.read_as, root_dse=here.root_dse,
            domain=_attempt(lambda: here.search(domain, ANYTHING, attributes=_DOMAIN, scope=BASE)[0]),
            partitions=_attempt(
                lambda: here.search(partitions, "(objectClass=crossRef)", attributes=_CROSS_REFERENCE, scope=LEVEL)
            ),
            public_key_services=_attempt(
                lambda: here.search(services, ANYTHING, attributes=_SERVICES, descriptors=True)
            ),
        )  # fmt: skip
        return self._begun

    def finish(self, accounts: Sequence[str], computers: Sequence[str]) -> DirectoryDocument:
        """The whole document: what `begin` read, the accounts (`DOMAIN\\NAME`, UPN, `NAME$`) and the computers."""
        begun = self._begun or self.begin()
        principals = _attempt(lambda: self._principals(begun))
        return msgspec.structs.replace(
            begun,
            computers=_attempt(lambda: self._computers(computers)),
            accounts=tuple(self._account(name) for name in sorted(set(accounts), key=str.lower)),
            security_principals=principals,
            broad_groups=self._broad_groups(principals, begun),
        )

    def rights(self, guids: Sequence[str]) -> dict[str, Entry]:
        """The objects below CN=Public Key Services with these objectGUIDs, by these, and what this account may write
        there: one search. What it may not see is not among them."""
        base, wanted = _services_of(self._naming("configurationNamingContext")), [uuid.UUID(one) for one in guids]
        query = "".join(f"(objectGUID={escaped(one.bytes_le)})" for one in wanted)
        found = self._open().search(base, f"(|{query})", attributes=("objectGUID", *EFFECTIVE))
        by_guid = {guid: entry for entry in found for guid in entry.octets("objectGUID")}
        return {str(one): by_guid[one.bytes_le] for one in wanted if one.bytes_le in by_guid}

    @property
    def searches(self) -> int:
        """How many searches were sent so far, on all connections."""
        return sum(one.searches for one in (*self._elsewhere.values(), *([self._here] if self._here else [])))

    def _connect(self, host: str) -> LdapConnection:
        return connect(host, self._credential, trust=self._trust, timeout=self._timeout)

    def _open(self) -> LdapConnection:
        if self._here is None:
            raise TransportError("the directory is not open", where=self._address)
        return self._here

    def _naming(self, attribute: str) -> str:
        here = self._open()
        found = here.root_dse.texts(attribute)
        if not found:
            raise TransportError(
                f"it has no {attribute}", where=here.host, do="Name a domain controller of Active Directory with --dc."
            )
        return found[0]

    def _computers(self, names: Sequence[str]) -> list[Entry]:
        if not names:
            return []
        wanted = "".join(_computer_filter(name) for name in sorted(set(names), key=str.lower))
        query = f"(&(objectCategory=computer)(|{wanted}))"
        return self._open().search(self._naming("defaultNamingContext"), query, attributes=_PRINCIPAL)

    def _principals(self, begun: DirectoryDocument) -> list[Entry]:
        sids = {*_sids_to_name(begun.public_key_services.if_known() or []), *_EVERYBODY, *_broad_sids(begun)}
        query = "".join(f"(objectSid={escaped(sid.binary)})" for sid in sorted(sids))
        return self._open().search(self._naming("defaultNamingContext"), f"(|{query})", attributes=_PRINCIPAL)

    def _broad_groups(self, principals: Fact[list[Entry]], begun: DirectoryDocument) -> Fact[list[Entry]]:
        if principals.unreadable:
            return Fact(unreadable=principals.unreadable)
        everybody = {sid.binary for sid in (*_EVERYBODY, *_broad_sids(begun))}
        found = [one.dn for one in principals.if_known() or [] if everybody.intersection(one.octets("objectSid"))]
        if not found:
            return Fact(unreadable=Unreadable("Domain Users was not found in this domain"))
        query = "".join(f"(member:{_IN_CHAIN}:={escaped(dn)})" for dn in found)
        base = self._naming("defaultNamingContext")
        return _attempt(lambda: self._open().search(base, f"(|{query})", attributes=_PRINCIPAL))

    def _account(self, name: str) -> Account:
        """One account; a controller of another domain that fails makes only this account unreadable."""
        try:
            return self._looked_up(name)
        except TransportError as error:
            if error.where == self._open().host:
                raise
            unreadable = Unreadable(str(error), error.code)
            return Account(name=name, entry=Fact(unreadable=unreadable), token_groups=Fact(unreadable=unreadable))

    def _looked_up(self, name: str) -> Account:
        where, base = self._home_of(name)
        found = _attempt(lambda: where.search(base, _account_filter(name), attributes=_PRINCIPAL))
        entry = self._only(name, found)
        if entry.value is None:
            return Account(name=name, entry=entry, token_groups=Fact(unreadable=Unreadable("the account is not known")))
        dn = entry.value.dn
        groups = _attempt(lambda: _token_groups(where.search(dn, ANYTHING, attributes=["tokenGroups"], scope=BASE)))
        return Account(name=name, entry=entry, token_groups=groups)

    def _only(self, name: str, found: Fact[list[Entry]]) -> Fact[Entry]:
        """One entry, none, or that it cannot be told: an UPN of a suffix of its own may live in any domain."""
        entries = found.if_known()
        if found.unreadable or entries is None:
            return Fact(unreadable=found.unreadable, absent=found.absent)
        if len(entries) > 1:
            return Fact(unreadable=Unreadable(f"{len(entries)} accounts have this name"))
        if not entries and "@" in name and len(self._domains()) > 1 and self._domain_of(name) is None:
            return Fact(unreadable=Unreadable("it is not in this domain, and the forest has others it may be in"))
        return Fact(value=entries[0]) if entries else Fact(absent=True)

    def _domains(self) -> list[Entry]:
        begun = self._begun
        references = (begun.partitions.if_known() if begun else None) or []
        return [one for one in references if int(next(iter(one.texts("systemFlags")), "0")) & _NTDS_DOMAIN]

    def _domain_of(self, name: str) -> Entry | None:
        """The crossRef of the domain that a name itself says it is of."""
        netbios, _, _ = name.rpartition("\\")
        suffix = name.rpartition("@")[2] if "@" in name and not netbios else ""
        attribute, wanted = ("nETBIOSName", netbios) if netbios else ("dnsRoot", suffix)
        matches = (one for one in self._domains() if wanted.lower() in map(str.lower, one.texts(attribute)))
        dns = (one for one in self._domains() if netbios and netbios.lower() in map(str.lower, one.texts("dnsRoot")))
        return next(matches, None) or next(dns, None)

    def _home_of(self, name: str) -> tuple[LdapConnection, str]:
        """The connection to ask about this account, and the naming context it is in."""
        here, base = self._open(), self._naming("defaultNamingContext")
        domain = self._domain_of(name)
        if domain is None and "\\" in name:
            raise TransportError(f"{name} is not of a domain of this forest", do="Look at that account by hand.")
        if domain is None or base.lower() in map(str.lower, domain.texts("nCName")):
            return here, base
        root = next(iter(domain.texts("dnsRoot")), "")
        if root not in self._elsewhere:
            self._elsewhere[root] = self._connect(root)
        return self._elsewhere[root], domain.texts("nCName")[0]


def _services_of(configuration: str) -> str:
    return f"CN=Public Key Services,CN=Services,{configuration}"


def _computer_filter(name: str) -> str:
    short = name.removesuffix("$").partition(".")[0]
    if "." in name:
        return f"(dNSHostName={escaped(name)})"
    return f"(sAMAccountName={escaped(short)}$)"


def _account_filter(name: str) -> str:
    bare = name.rpartition("\\")[2]
    if "@" not in bare:
        return f"(sAMAccountName={escaped(bare)})"
    return f"(|(userPrincipalName={escaped(bare)})(sAMAccountName={escaped(bare.partition('@')[0])}))"


def _token_groups(found: Iterable[Entry]) -> list[bytes]:
    return sorted({sid for entry in found for sid in entry.octets("tokenGroups")})


def _broad_sids(begun: DirectoryDocument) -> list[Sid]:
    domain = begun.domain.if_known()
    heads = domain.octets("objectSid") if domain else []
    return [Sid.from_bytes(head).with_rid(rid) for head in heads for rid in _BROAD_RIDS]


def _sids_to_name(services: Sequence[Entry]) -> set[Sid]:
    """Every SID in the descriptors of enrollment services and of templates, published or not: any may be in scope."""
    named = {"pKIEnrollmentService", "pKICertificateTemplate"}
    return {sid for one in services if named.intersection(one.texts("objectClass")) for sid in _sids_of(one)}


def _sids_of(entry: Entry) -> set[Sid]:
    found: set[Sid] = set()
    for data in entry.octets("nTSecurityDescriptor"):
        with suppress(MalformedDescriptor, MalformedSid):  # said where the descriptor itself is used
            descriptor = SecurityDescriptor.parse(data)
            found |= {ace.sid for ace in descriptor.dacl_aces if ace.sid}
            found |= {sid for sid in (descriptor.owner, descriptor.group) if sid}
    return found


def read_directory(
    address: str, credential: Credential, *, accounts: Sequence[str], computers: Sequence[str], trust: Path | None
) -> DirectoryDocument:
    """Both phases in one. Raises TransportError."""
    with DirectoryReader(address, credential, trust=trust) as reader:
        reader.begin()
        return reader.finish(accounts, computers)
