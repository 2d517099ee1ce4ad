"""SDDL text for people: as Windows writes it wherever directory rights have names."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from remediate.adcs.ace import Ace, enroll_ace, read_ace
from remediate.adcs.rights import CaRight
from remediate.adcs.sddl import (
    SID_ALIASES,
    ace_to_sddl,
    ca_rights_to_text,
    dacl_to_sddl,
    descriptor_to_sddl,
    rights_to_sddl,
    sid_to_sddl,
)
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import AUTHENTICATED_USERS, EVERYONE, Sid
from tests.shared import needs_shared
from tests.unit.descriptor_material import (
    DOMAIN,
    account,
    ace_bytes,
    ask_samba,
    binary_vectors,
    descriptor_bytes,
    from_samba,
    needs_samba,
    windows_texts,
    with_dacl,
)

SAMBA_NUMBER = "Samba 4.17 reads a mask as a number only with 0x and without a blank before it"
SAMBA_HEX_SID = "Samba 4.17 stops reading a SID at a hexadecimal sub authority"
SAMBA_BLANKS = "Samba 4.17 stops reading rights at a blank"
SAMBA_FILE_NAMES = "Samba 4.17 means 0x1ff by FA, Windows 0x1f01ff"
SAMBA_FLAGS = "Samba 4.17 takes the S of the SACL for a flag of the DACL"

# What Windows was given -> why Samba makes another descriptor of it than Windows, or none.
EXPLAINED: dict[str, str] = {
    "D:PS:": SAMBA_FLAGS,
    "D:(A;;FA;;;WD)": SAMBA_FILE_NAMES,
    "D:(A;;FAGX;;;SY)": SAMBA_FILE_NAMES,
    "D:(A;;123456789;;;LG)": SAMBA_NUMBER,
    "D:(A;;01234567;;;LG)": SAMBA_NUMBER,
    "D:(A;;16;;;LG)": SAMBA_NUMBER,
    "D:(A;;17;;;LG)": SAMBA_NUMBER,
    "D:(A;; 0x75bcd15;;;LG)": SAMBA_NUMBER,
    "D:(A;; GA;;;LG)": SAMBA_BLANKS,
    "D:AI(A;CI;RP LCLORC;;;AU)": SAMBA_BLANKS,
    "D:AI(A;CI;RP LCLO  RC;;;AU)": SAMBA_BLANKS,
    "D:(A;;GA;;;S-1-0x2-3-4)": SAMBA_HEX_SID,
    "D:(A;;GA;;;S-1-0x20-3-4)": SAMBA_HEX_SID,
    "D:(A;;GA;;;S-1-3-0x00000002-3-4)": SAMBA_HEX_SID,
    "D:(A;;GA;;;S-1-3-0xffffffff-3-4)": SAMBA_HEX_SID,
    "D:(A;;GA;;;S-1-5-21-0x1-0x2-0x3-513)": SAMBA_HEX_SID,
    "D:(A;;GA;;;S-1-5-21-2447931902-1787058256-3961074038-0x4b1)": SAMBA_HEX_SID,
    "O:S-1-2-0x200D:": SAMBA_HEX_SID,
    "O:S-1-2-0x2D:(A;;GA;;;LG)": SAMBA_HEX_SID,
}

# Where our text is another on purpose: Windows' words -> ours. Domain aliases are numbers, because only the domain
# knows them; and FA, a name of file rights, is the number it stands for, because it means nothing in a directory.
OUR_WORDS = {
    ";LG)": f";{account(501)})",
    "O:LA": f"O:{account(500)}",
    ";FA;": ";0x1f01ff;",
}


def in_our_words(text: str) -> str:
    for theirs, ours in OUR_WORDS.items():
        text = text.replace(theirs, ours)
    return text


def our_text_of(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"Samba: {answer['error']}"
    return descriptor_to_sddl(SecurityDescriptor.parse(base64.b64decode(answer["binary"])))


@needs_shared
@needs_samba
@pytest.mark.parametrize(
    ("file", "lines", "alike"), [("samba_windows_canonical.txt", 19, 17), ("samba_windows_non_canonical.txt", 50, 33)]
)
def test_written_as_windows_writes_it(file: str, lines: int, alike: int) -> None:
    texts = windows_texts(file)
    assert len(texts) == lines
    answers = ask_samba([{"sddl": given, "domain": DOMAIN} for given, _ in texts])
    different = [
        (given, in_our_words(written), our_text_of(answer))
        for (given, written), answer in zip(texts, answers, strict=True)
        if our_text_of(answer) != in_our_words(written)
    ]
    assert [one for one in different if one[0] not in EXPLAINED] == []
    assert lines - len(different) >= alike


@needs_shared
def test_every_explanation_is_of_a_line_that_exists() -> None:
    files = ("samba_windows_canonical.txt", "samba_windows_non_canonical.txt")
    assert set(EXPLAINED) <= {given for file in files for given, _ in windows_texts(file)}


# How Samba's own text of a descriptor differs from ours, made equal: it orders rights and flags in another way
# ("RPLCRC" for "LCRPRC") and writes numbers with leading zeros ("0x001f01ff").
ENTRY = re.compile(r"\((\w+);(\w*);([A-Z]*|0x[0-9a-f]+);")


def _in_one_order(match: re.Match[str]) -> str:
    kind, flags, rights = match.groups()
    if rights.startswith("0x"):
        return f"({kind};{''.join(sorted(re.findall('..', flags)))};{int(rights, 16):#x};"
    return f"({kind};{''.join(sorted(re.findall('..', flags)))};{''.join(sorted(re.findall('..', rights)))};"


@needs_shared
@needs_samba
def test_samba_says_the_same_of_every_vector_it_has_words_for() -> None:
    vectors = binary_vectors()
    answers = ask_samba([{"binary": base64.b64encode(data).decode("ascii")} for _, data in vectors])
    compared = 0
    for (name, data), answer in zip(vectors, answers, strict=True):
        if answer["sddl"] is None:
            assert name.startswith("samba_conditional_aces"), name
            continue
        ours = descriptor_to_sddl(SecurityDescriptor.parse(data))
        assert ENTRY.sub(_in_one_order, ours) == ENTRY.sub(_in_one_order, answer["sddl"]), name
        compared += 1
    assert compared >= 104


@needs_shared
@needs_samba
def test_samba_reads_our_text_of_real_descriptors_back() -> None:
    real = [(name, SecurityDescriptor.parse(data)) for name, data in binary_vectors() if name.startswith("real:")]
    assert len(real) == 94
    answers = ask_samba([{"sddl": descriptor_to_sddl(one), "domain": DOMAIN} for _, one in real])
    for (name, descriptor), answer in zip(real, answers, strict=True):
        assert "error" not in answer, (name, answer)
        again = SecurityDescriptor.parse(base64.b64decode(answer["binary"]))
        assert again.dacl_aces == descriptor.dacl_aces, name
        assert (again.owner, again.group) == (descriptor.owner, descriptor.group), name


@needs_samba
def test_aliases_mean_what_samba_means() -> None:
    answers = ask_samba([{"sddl": f"O:{alias}", "domain": DOMAIN} for alias in SID_ALIASES.values()])
    assert {alias: answer.get("owner") for alias, answer in zip(SID_ALIASES.values(), answers, strict=True)} == {
        alias: str(sid) for sid, alias in SID_ALIASES.items()
    }


# Texts by hand


def test_what_the_console_writes() -> None:
    connector = Sid.from_string("S-1-5-21-1-2-3-1104")
    assert ace_to_sddl(read_ace(connector)) == "(A;;LCRPRC;;;S-1-5-21-1-2-3-1104)"
    assert ace_to_sddl(enroll_ace(connector)) == "(OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;S-1-5-21-1-2-3-1104)"


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (0, ""),
        (0x20014, "LCRPRC"),
        (0x20094, "LCRPLORC"),
        (0x130, "RPWPCR"),
        (0xF00FF, "CCDCLCSWRPWPDTLOSDRCWDWO"),
        (0xF01FF, "CCDCLCSWRPWPDTLOCRSDRCWDWO"),
        (0xF0000000, "GAGXGWGR"),
        (0x1F01FF, "0x1f01ff"),
        (0x200, "0x200"),
        (123456789, "0x75bcd15"),
        (0o1234567, "0x53977"),
        (17, "CCRP"),
        (0xE00F0000, "SDRCWDWOGXGWGR"),
    ],
)
def test_rights(mask: int, text: str) -> None:
    assert rights_to_sddl(mask) == text


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (CaRight.MANAGE_CA | CaRight.ENROLL, "MANAGE_CA | ENROLL"),
        (0, "0x0"),
        (0x20200, "ENROLL | 0x20000"),
    ],
)
def test_rights_on_a_ca(mask: int, text: str) -> None:
    assert ca_rights_to_text(mask) == text


def test_only_aliases_of_no_domain() -> None:
    assert sid_to_sddl(AUTHENTICATED_USERS) == "AU"
    assert sid_to_sddl(account(513)) == f"{DOMAIN}-513"
    assert all(sid.domain is None for sid in SID_ALIASES)
    assert len(set(SID_ALIASES.values())) == len(SID_ALIASES)


def test_every_flag() -> None:
    assert ace_to_sddl(Ace.parse(ace_bytes(2, 0xFF, bytes(4) + EVERYONE.binary))) == "(AU;OICINPIOIDCRSAFA;;;;WD)"


@pytest.mark.parametrize(
    ("kind", "tail", "text"),
    [
        (9, b"artx\xf8\0\0\0", "(XA;;CR;;;WD;artx:f8000000)"),
        (10, b"", "(XD;;CR;;;WD;data:)"),
        (18, b"\x01\x02", "(RA;;CR;;;WD;data:0102)"),
        (0, bytes(4), "(A;;CR;;;WD)"),
        (0x11, b"", "(ML;;CR;;;WD)"),
    ],
)
def test_what_follows_the_sid(kind: int, tail: bytes, text: str) -> None:
    assert ace_to_sddl(Ace.parse(ace_bytes(kind, 0, b"\0\1\0\0" + EVERYONE.binary + tail))) == text


def test_types_without_a_name() -> None:
    guid = bytes.fromhex("68c9100efb78d21190d400c04f79dc55")
    denied = Ace.parse(ace_bytes(12, 0, b"\0\1\0\0\2\0\0\0" + guid + EVERYONE.binary))
    assert ace_to_sddl(denied) == "(0xc;;CR;;0e10c968-78fb-11d2-90d4-00c04f79dc55;WD;data:)"
    assert ace_to_sddl(Ace.parse(ace_bytes(0x77, 2, b"\xab"))) == "(0x77;CI;data:ab)"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (descriptor_bytes({}, control=0x8000), ""),
        (descriptor_bytes({}, control=0x8004), "D:NO_ACCESS_CONTROL"),
        (with_dacl([]), "D:"),
        (descriptor_bytes({"dacl": b"\x02\0\x08\0\0\0\0\0"}, control=0x9504), "D:PARAI"),
    ],
    ids=["absent", "NULL", "empty", "flags"],
)
def test_no_null_and_empty_dacl_read_differently(data: bytes, text: str) -> None:
    assert dacl_to_sddl(SecurityDescriptor.parse(data)) == text


@needs_samba
def test_a_whole_descriptor() -> None:
    text = f"O:{DOMAIN}-519G:BAD:PAI(A;;LCRPLORC;;;AU)S:AI(AU;SA;WP;;;WD)"
    assert descriptor_to_sddl(SecurityDescriptor.parse(from_samba(text))) == text
