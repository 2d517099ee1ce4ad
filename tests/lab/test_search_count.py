"""How often the directory is searched does not depend on how much stands in it.

What grows here: templates past one page of a search, what the CA publishes, groups named in DACLs, and accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from remediate.adcs.ace import enroll_ace, read_ace
from remediate.adcs.dacl_edit import add_aces
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import Sid
from remediate.facts.documents import DirectoryDocument
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.ldap import DirectoryReader
from remediate.transports.ldap_connection import PAGE
from tests.lab import contoso
from tests.lab.addresses import BASE_DN
from tests.lab.clients import base_search
from tests.lab.contoso import READER
from tests.lab.domain import closing_connection
from tests.lab.estate import Lab

MANY_TEMPLATES = PAGE + 50
MANY_GROUPS = 60
MANY_COMPUTERS = 40
ACCOUNTS = ("CONN1$", "CONTOSO\\svc_intune")
COMPUTERS = ("conn1.contoso.test", "ca01.contoso.test")


def read(lab: Lab, accounts: tuple[str, ...] = ACCOUNTS) -> tuple[DirectoryDocument, int]:
    """The directory's document, and how many searches the relay saw for it."""
    lab.relay.clear()
    with DirectoryReader(lab.dc, Credential(READER.upn, Secret(READER.password)), trust=lab.trust) as reader:
        reader.begin()
        document = reader.finish(accounts, COMPUTERS)
        assert reader.searches == lab.relay.counts()["search"]
    return document, lab.relay.counts()["search"]


def groups() -> dict[str, dict[str, Any]]:
    """Groups, each a member of the next; the first holds everybody."""
    names = [f"CN=Crowd {number:03},CN=Users,{BASE_DN}" for number in range(MANY_GROUPS)]
    members = [f"CN=Domain Users,CN=Users,{BASE_DN}", *names]
    return {
        dn: {"objectClass": ["group"], "sAMAccountName": [dn[3:].partition(",")[0]], "member": [members[number]]}
        for number, dn in enumerate(names)
    }


def computers(lab: Lab) -> dict[str, dict[str, Any]]:
    """Further machines of the domain, which nobody asks about."""
    names = [f"crowd{number:03}" for number in range(MANY_COMPUTERS)]
    accounts = {lab.domain.computer_dn(name): contoso.computer(name) for name in names}
    return {dn: {**account, "dNSHostName": ["crowd.contoso.test"]} for dn, account in accounts.items()}


def templates(lab: Lab, sids: list[Sid]) -> dict[str, dict[str, Any]]:
    """Templates from which another group each may enroll."""
    plain = SecurityDescriptor.parse(lab.domain.descriptor(contoso.INTUNE_DESCRIPTOR))
    wide = [add_aces(plain, (enroll_ace(sid), read_ace(sid))).after.to_bytes() for sid in sids]
    kind = {"objectClass": ["pKICertificateTemplate"], **contoso.intune_template()}
    return {
        lab.domain.template_dn(f"Crowd{number:04}"): {**kind, "nTSecurityDescriptor": [wide[number % len(wide)]]}
        for number in range(MANY_TEMPLATES)
    }


def sids(connection: Any, dns: Iterable[str]) -> list[Sid]:
    """The SIDs of these objects."""
    found = [base_search(connection, dn, "objectSid")["objectSid"][0] for dn in dns]
    return [Sid.from_bytes(sid) for sid in found]


@contextmanager
def crowded(lab: Lab) -> Iterator[None]:
    """Within it the directory holds very much more, all of it published."""
    service, added = lab.domain.enrollment_service_dn(), list[str]()
    with lab.domain.restored(service), closing_connection(lab.domain.connection()) as connection:

        def add(objects: dict[str, dict[str, Any]]) -> None:
            for dn, attributes in objects.items():
                connection.add(dn, attributes=attributes)
                added.append(dn)

        try:
            add(groups() | computers(lab))
            more = templates(lab, sids(connection, groups()))
            add(more)
            names = [dn[3:].partition(",")[0] for dn in more]
            lab.domain.replace(service, {"certificateTemplates": [contoso.INTUNE_TEMPLATE, *names]})
            yield
        finally:
            for dn in reversed(added):
                connection.delete(dn)


def test_searches_grow_with_the_accounts_asked_for_and_with_nothing_else(fresh_lab: Lab) -> None:
    small, few = read(fresh_lab)
    with crowded(fresh_lab):
        large, many = read(fresh_lab)
        _, for_one = read(fresh_lab, ACCOUNTS[:1])
    assert len(large.public_key_services.value or []) == len(small.public_key_services.value or []) + MANY_TEMPLATES
    assert len(large.security_principals.value or []) >= len(small.security_principals.value or []) + MANY_GROUPS
    assert len(large.broad_groups.value or []) >= MANY_GROUPS
    assert all(account.entry.known and account.token_groups.known for account in large.accounts)
    assert many == few <= 8 + 2 * len(ACCOUNTS)
    assert for_one == many - 2 * (len(ACCOUNTS) - 1)
