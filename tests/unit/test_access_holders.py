"""Who holds a right on a template or a CA: entry by entry, and as certutil names them for real templates."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from remediate.adcs.access_check import (
    Verdict,
    ca_access_check,
    holders_of,
    holders_of_enroll,
    holders_of_rewrite,
    may_enroll,
    may_read,
    token_sids,
)
from remediate.adcs.rights import (
    AUTO_ENROLL,
    CA_MAPPING,
    ENROLL,
    TEMPLATE_CLASS,
    TEMPLATE_CONTROL_ATTRIBUTES,
    CaRight,
    DirectoryRight,
)
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import AUTHENTICATED_USERS, CREATOR_OWNER, OWNER_RIGHTS, PRINCIPAL_SELF, Sid
from tests.shared import SHARED, needs_shared
from tests.unit.descriptor_material import (
    ALLOW,
    ALLOW_IF,
    ALLOW_OBJECT,
    DENY,
    DENY_OBJECT,
    DOMAIN,
    account,
    descriptor,
    entry,
    from_samba,
    needs_samba,
)

CONNECTOR, GROUP, STRANGER = account(1104), account(1200), account(1999)
TOKEN = token_sids(CONNECTOR, [GROUP])
CR, FULL = 0x100, 0xF01FF
ALLOW_ENROLL = entry(ALLOW_OBJECT, CONNECTOR, CR, guid=ENROLL)

NAME_FLAG = UUID("ea1dddc4-60ff-416e-8cc0-17cee534bce7")
MINIMAL_KEY_SIZE = UUID("e96a63f5-417f-46d3-be52-db7703c503df")


def test_holders_stand_once_in_the_order_of_the_dacl() -> None:
    template = descriptor(
        entry(DENY, STRANGER, CR),
        entry(ALLOW, GROUP, FULL),
        ALLOW_ENROLL,
        entry(ALLOW_OBJECT, STRANGER, CR, guid=ENROLL),
        entry(ALLOW_OBJECT, GROUP, CR, guid=ENROLL),
        entry(ALLOW, CREATOR_OWNER, FULL),
        entry(ALLOW, PRINCIPAL_SELF, FULL),
    )
    assert holders_of_enroll(template) == (GROUP, CONNECTOR)


def test_owner_rights_is_the_owner() -> None:
    template = descriptor(entry(ALLOW, OWNER_RIGHTS, CR), owner=STRANGER)
    assert holders_of_enroll(template) == (STRANGER,)


@pytest.mark.parametrize(
    ("entries", "may"),
    [
        ([entry(ALLOW, GROUP, DirectoryRight.WRITE_DAC)], True),
        ([entry(ALLOW, GROUP, DirectoryRight.WRITE_OWNER)], True),
        ([entry(ALLOW, GROUP, DirectoryRight.WRITE_PROPERTY)], True),
        ([entry(ALLOW, GROUP, DirectoryRight.GENERIC_ALL)], True),
        ([entry(ALLOW, GROUP, DirectoryRight.GENERIC_WRITE)], True),
        ([entry(ALLOW, GROUP, 0xF00FF)], True),
        ([entry(ALLOW_OBJECT, GROUP, 0x20)], True),
        ([entry(ALLOW_OBJECT, GROUP, 0x20, guid=NAME_FLAG)], True),
        ([entry(ALLOW_OBJECT, GROUP, 0x20, guid=TEMPLATE_CLASS)], True),
        ([entry(ALLOW_IF, GROUP, 0x20)], True),
        ([entry(DENY_OBJECT, GROUP, 0x20, guid=NAME_FLAG), entry(ALLOW, GROUP, 0x20)], True),
        ([entry(ALLOW_OBJECT, GROUP, 0x20, guid=MINIMAL_KEY_SIZE)], False),
        # RPWPCR with the Enroll GUID, as the default templates have it: the GUID is no attribute.
        ([entry(ALLOW_OBJECT, GROUP, 0x130, guid=ENROLL)], False),
        ([entry(ALLOW, GROUP, 0x20094)], False),
        ([entry(ALLOW, GROUP, FULL, flags=0x0A)], False),
        ([entry(DENY, GROUP, 0xC0020), entry(ALLOW, GROUP, FULL)], False),
        (
            [
                *(entry(DENY_OBJECT, GROUP, 0x20, guid=one) for one in TEMPLATE_CONTROL_ATTRIBUTES),
                entry(ALLOW, GROUP, 0x20),
            ],
            False,
        ),
        ([entry(DENY_OBJECT, GROUP, 0x20, guid=TEMPLATE_CLASS), entry(ALLOW, GROUP, 0x20)], False),
    ],
)
def test_who_may_rewrite_a_template(entries: list[bytes], may: bool) -> None:
    assert (GROUP in holders_of_rewrite(descriptor(*entries))) is may


def test_the_owner_may_rewrite_a_template() -> None:
    assert holders_of_rewrite(descriptor(owner=STRANGER)) == (STRANGER,)
    assert holders_of_rewrite(descriptor(entry(ALLOW, OWNER_RIGHTS, 0x20000), owner=STRANGER)) == ()


# The CA's own descriptor


def test_the_ca_has_rights_of_its_own() -> None:
    ca = descriptor(entry(ALLOW, GROUP, 0x003), entry(ALLOW, AUTHENTICATED_USERS, 0x200))
    assert ca_access_check(ca, TOKEN, desired=CaRight.ENROLL | CaRight.MANAGE_CERTIFICATES).is_granted
    assert ca_access_check(ca, {STRANGER, AUTHENTICATED_USERS}, desired=CaRight.ENROLL).is_granted
    assert ca_access_check(ca, TOKEN, desired=CaRight.READ).missing == CaRight.READ
    assert holders_of(ca, CaRight.ENROLL, mapping=CA_MAPPING) == (AUTHENTICATED_USERS,)


def test_a_generic_right_in_a_ca_descriptor_grants_nothing() -> None:
    ca = descriptor(entry(ALLOW, CONNECTOR, DirectoryRight.GENERIC_ALL))
    assert ca_access_check(ca, TOKEN, desired=CaRight.ENROLL).verdict is Verdict.REFUSED


# certutil's own decoding of real templates

CERTUTIL_NAMES = {
    "LUNAR\\Administrator": account(500),
    "LUNAR\\Domain Admins": account(512),
    "LUNAR\\Domain Users": account(513),
    "LUNAR\\Enterprise Admins": account(519),
    "NT AUTHORITY\\Authenticated Users": AUTHENTICATED_USERS,
}
# The mask behind "Full Control" in these captures: every right but the one for extended rights.
CERTUTIL_FULL_CONTROL = 0xF00FF


def certutil_templates() -> list[tuple[str, dict[str, set[Sid]]]]:
    """Each template's SDDL with certutil's lines under it: right -> who has it."""
    assert SHARED is not None
    text = (SHARED / "material" / "certutil" / "v_template_lunar.txt").read_text("utf-8")
    blocks = re.findall(r"SecurityDescriptor = (\S+)\n\n((?: +Allow .*\n)+)", text)
    templates = []
    for sddl, lines in blocks:
        allowed: dict[str, set[Sid]] = {"Enroll": set(), "Auto-Enroll": set(), "Full Control": set(), "Read": set()}
        for right, name in re.findall(r"Allow (.+?)\t(.+)", lines):
            allowed[right].add(CERTUTIL_NAMES[name])
        templates.append((sddl, allowed))
    return templates


@needs_shared
@needs_samba
def test_certutil_names_the_same_holders() -> None:
    templates = certutil_templates()
    assert len(templates) == 3
    for sddl, allowed in templates:
        template = SecurityDescriptor.parse(from_samba(sddl, DOMAIN))
        assert set(holders_of_enroll(template)) == allowed["Enroll"]
        assert set(holders_of(template, CR, object_type=AUTO_ENROLL)) == allowed["Auto-Enroll"]
        assert set(holders_of(template, CERTUTIL_FULL_CONTROL)) == allowed["Full Control"]
        assert set(holders_of(template, 0x20014)) == allowed["Read"] | allowed["Full Control"]
        assert set(holders_of_rewrite(template)) == allowed["Full Control"]


@needs_shared
@needs_samba
def test_members_of_the_groups_certutil_names_may_enroll_and_read() -> None:
    for sddl, allowed in certutil_templates():
        template = SecurityDescriptor.parse(from_samba(sddl, DOMAIN))
        everybody = AUTHENTICATED_USERS in allowed["Enroll"]
        for rid in (512, 513, 515, 519):
            token = token_sids(account(3000), [account(rid)])
            assert may_enroll(template, token).is_granted == (everybody or account(rid) in allowed["Enroll"])
            assert may_read(template, token).is_granted
