"""Who may change the directory, on which server, and what replPropertyMetaData tells of earlier writes."""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import contoso
from tests.lab.contoso import READER
from tests.lab.directory_functions import (
    DESCRIPTOR,
    FLAG,
    REVISION,
    Functions,
    fixed,
    flags_from_directory,
    needs_pwsh,
    template,
)
from tests.lab.domain import closing_connection
from tests.lab.estate import Lab
from tests.lab.ldap_relay import Rewrite

pytestmark = needs_pwsh

REPL_PROPERTY_METADATA = "281416c0-1968-11d0-a28f-00aa003049e2"
"""schemaIDGUID of replPropertyMetaData ([MS-ADA3] 2.192)."""
NAME_FLAG = "ea1dddc4-60ff-416e-8cc0-17cee534bce7"
"""schemaIDGUID of msPKI-Certificate-Name-Flag ([MS-ADA2])."""
RIGHT = "Confirm-DirectoryRight @c -Attribute ([string[]] $call.names) -Descriptor:$call.descriptor"


@pytest.fixture
def functions(fresh_lab: Lab, tmp_path: Path) -> Iterator[Functions]:
    with fresh_lab.domain.restored(template(fresh_lab), fresh_lab.domain.enrollment_service_dn()):
        yield Functions(fresh_lab, tmp_path)


def test_missing_rights_are_named_before_a_write(functions: Functions) -> None:
    lab, names = functions.lab, [FLAG, REVISION]
    assert functions.value(RIGHT, names=names, descriptor=True) is None
    refused = functions.run(RIGHT, READER, names=names, descriptor=True)
    assert refused.id == "RemediateRefused"
    for said in (f"write {FLAG}", f"write {REVISION}", "WRITE_DAC", template(lab), lab.dc):
        assert said in refused.error
    service = lab.domain.enrollment_service_dn()
    assert "certificateTemplates" in functions.run(
        RIGHT, READER, dn=service, names=["certificateTemplates"], descriptor=False
    ).error  # fmt: skip
    assert functions.value(RIGHT, dn=service, names=["certificateTemplates"], descriptor=False) is None


def test_half_the_rights(functions: Functions) -> None:
    lab = functions.lab
    lab.domain.set_dacl(
        template(lab), f"D:P(A;;{contoso.FULL};;;DA)(A;;LCRPLORC;;;AU)(OA;;WP;{NAME_FLAG};;{{{READER.name}}})"
    )
    assert functions.value(RIGHT, READER, names=[FLAG], descriptor=False) is None
    refused = functions.run(RIGHT, READER, names=[FLAG, REVISION], descriptor=False).error
    assert REVISION in refused
    assert FLAG not in refused


def test_the_server_refuses_who_has_no_right(functions: Functions) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)
    start = fixed(lab)
    refused = functions.change(before, after, READER)
    assert (refused.id, refused.code) == ("RemediateFailed", "LDAP 50")
    for said in ("InsufficientAccessRights", template(lab), lab.dc):
        assert said in refused.error
    assert fixed(lab) == start


def test_a_missing_check_is_said(functions: Functions) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)
    hidden = f"(OD;;RP;{REPL_PROPERTY_METADATA};;{{{READER.name}}})"
    full = f"(A;;{contoso.FULL};;;{{{READER.name}}})"
    lab.domain.set_dacl(template(lab), f"D:P{hidden}(A;;{contoso.FULL};;;DA){full}")
    done = functions.change(before, after, READER).value
    assert done["State"] == after
    assert done["Replication"].startswith("not checked: this account cannot read replPropertyMetaData")


def test_permissions_that_cannot_be_read_are_no_state(functions: Functions) -> None:
    lab = functions.lab
    lab.domain.set_dacl(template(lab), f"D:P(A;;{contoso.FULL};;;DA)(A;;LCRPLO;;;AU)")
    refused = functions.run("Get-TemplateState @c -Name nTSecurityDescriptor", READER)
    assert refused.id == "RemediateRefused"
    assert "READ_CONTROL" in refused.error


def test_only_the_planned_domain(functions: Functions) -> None:
    lab = functions.lab
    [raw] = lab.domain.read(lab.domain.dn, "objectGUID")["objectGUID"]
    found = uuid.UUID(bytes_le=raw)
    line = "Confirm-DirectoryIdentity -Connection $connection -DomainGuid $call.guid"
    assert functions.value(line, guid=str(found)) is None
    other = uuid.UUID(int=found.int ^ 1)
    refused = functions.run(line, guid=str(other))
    assert refused.id == "RemediateRefused"
    for said in (str(found), str(other), lab.dc, lab.domain.dn):
        assert said in refused.error


@pytest.mark.parametrize(
    ("true", "told", "said"),
    [
        (b"", b"", ""),
        (b"1.2.840.113556.1.4.1935", b"1.2.840.113556.1.4.1920", "read-only"),
        (b"FALSE", b"TRUE ", "read-only"),
        (b"1.2.840.113556.1.4.800", b"1.2.840.113556.1.4.999", "does not call itself"),
    ],
    ids=["writable", "capability", "object", "not AD DS"],
)
def test_only_a_writable_domain_controller(functions: Functions, true: bytes, told: bytes, said: str) -> None:
    """A read-only Samba cannot run beside this one: the relay lets the real one say what a read-only one says."""
    functions.lab.relay.fault = Rewrite(true, told) if true else None
    answer = functions.run("Confirm-WritableDomainController -Connection $connection")
    assert (said in answer.error) if said else not answer.error, answer.error
    assert answer.id == ("RemediateRefused" if said else "")


def test_attributes_have_the_numbers_of_the_schema(functions: Functions) -> None:
    prefixes = {"1.2.840.113556.1.4": 9, "1.2.840.113556.1.2": 2}
    names = [
        "flags", "revision", "pKIDefaultKeySpec", "pKIMaxIssuingDepth", "msPKI-RA-Signature", "msPKI-Enrollment-Flag",
        "msPKI-Private-Key-Flag", FLAG, "msPKI-Minimal-Key-Size", "msPKI-Template-Schema-Version", REVISION, DESCRIPTOR,
    ]  # fmt: skip
    found = functions.value("@(foreach ($one in $call.names) { Get-AttributeNumber -Name $one })", names=names)
    with closing_connection(functions.lab.domain.connection()) as connection:
        for name, number in zip(names, found, strict=True):
            schema = f"CN=Schema,{contoso.CONFIGURATION_DN}"
            connection.search(schema, f"(lDAPDisplayName={name})", attributes=["attributeID", "msDS-IntId"])
            attributes = connection.response[0]["raw_attributes"]
            prefix, _, arc = attributes["attributeID"][0].decode().rpartition(".")
            assert attributes["msDS-IntId"] == []
            assert number == prefixes[prefix] << 16 | int(arc), name


def test_metadata_of_another_kind_is_unknown(functions: Functions) -> None:
    entry = struct.pack("<IIQ16sQQ", 9 << 16 | 1432, 7, 0, bytes(16), 1, 5)
    good = struct.pack("<IIII", 1, 0, 1, 0) + entry
    line = """@(foreach ($text in $call.metadata) {
        $bytes = [System.Convert]::FromBase64String($text)
        $stamps = Get-AttributeStamp -Metadata $bytes -Name $call.name
        if ($null -eq $stamps) { 'unknown' } else { "$($stamps[$call.name].Version) $($stamps[$call.name].Usn)" }
    })"""
    metadata = [base64.b64encode(data).decode() for data in (good, good[:-1], b"\2" + good[1:], good[:10], b"")]
    assert functions.value(line, name=FLAG, metadata=metadata) == ["7 5", *["unknown"] * 4]
    assert functions.value(line, name=REVISION, metadata=metadata[:1]) == "0 0"
    assert functions.value(line, name="cn", metadata=metadata[:1]) == "unknown"
