"""The writer of the directory against a real one: what it writes, takes back, refuses, and asks for."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from remediate.actions.states import Table, before_and_after
from remediate.actions.writing import Drift, Lease, WriteFailed, Writer
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.model.errors import ExitCode, RefusedError, TransportError
from remediate.transports import ldap_write_session
from remediate.transports.ldap_write import NOT_CHECKED, DirectoryWriter
from tests.lab import contoso
from tests.lab.contoso import ADMIN, READER
from tests.lab.directory_functions import (
    CHANGING,
    DESCRIPTOR,
    FLAG,
    FROM_DIRECTORY,
    REVISION,
    fixed,
    flags_from_directory,
    grants,
    interrupt,
    revision,
    template,
    whole_descriptor,
)
from tests.lab.directory_writing import Tables, guid, publish_action, template_action, writing
from tests.lab.estate import Lab
from tests.lab.ldap_relay import Rewrite

TEMPLATES = "certificateTemplates"


@pytest.fixture
def lab(fresh_lab: Lab) -> Iterator[Lab]:
    with fresh_lab.domain.restored(template(fresh_lab), fresh_lab.domain.enrollment_service_dn()):
        yield fresh_lab


@pytest.fixture
def writer(lab: Lab) -> Iterator[DirectoryWriter]:
    with writing(lab) as made:
        yield made


def both_from_directory(lab: Lab) -> Tables:
    """The name flag and the DACL in one change."""
    flag, dacl = flags_from_directory(lab), grants(lab)
    return flag[0] | dacl[1], flag[1] | dacl[2]


def dacl_from_directory(lab: Lab) -> Tables:
    return grants(lab)[1:]


KINDS = {"flags": flags_from_directory, "dacl": dacl_from_directory, "both": both_from_directory}


def undone(tables: Tables) -> Tables:
    before, after = tables
    return after, before | {REVISION: str(int(after[REVISION] or 0) + 1)}


@pytest.mark.parametrize("kind", KINDS)
def test_write_again_undo_and_the_object_is_as_it_was(lab: Lab, writer: DirectoryWriter, kind: str) -> None:
    before, after = KINDS[kind](lab)
    start, whole = fixed(lab), whole_descriptor(lab)
    action = template_action(lab, (before, after))
    assert writer.read(action) == before
    assert writer.write(action, before=before, after=after) == ""
    assert writer.read(action) == after
    assert [one.name for one in lab.relay.writes] == ["modify"]
    assert {name for name, value in fixed(lab).items() if value != start[name]} == set(after) - {REVISION}

    with pytest.raises(Drift, match="as wanted") as again:
        writer.write(action, before=before, after=after)
    assert again.value.now == after
    assert len(lab.relay.writes) == 1

    back = undone((before, after))
    assert writer.write(template_action(lab, back), before=back[0], after=back[1]) == ""
    assert fixed(lab) == start
    assert whole_descriptor(lab) == whole
    assert revision(lab) == int(before[REVISION] or 0) + 2


def test_owner_group_and_audit_stay(lab: Lab, writer: DirectoryWriter) -> None:
    edit, before, after = grants(lab)
    whole = SecurityDescriptor.parse(whole_descriptor(lab))
    writer.write(template_action(lab, (before, after)), before=before, after=after)
    changed = SecurityDescriptor.parse(whole_descriptor(lab))
    assert (changed.owner, changed.group, changed.sacl) == (whole.owner, whole.group, whole.sacl)
    assert changed.dacl_aces == edit.after.dacl_aces


def test_absent_is_a_state(lab: Lab, writer: DirectoryWriter) -> None:
    lab.domain.replace(template(lab), {FLAG: []})
    now = revision(lab)
    absent: Table = {FLAG: None, REVISION: str(now)}
    present: Table = {FLAG: "1", REVISION: str(now + 1)}
    gone: Table = {FLAG: None, REVISION: str(now + 2)}
    for before, after in ((absent, present), (present, gone)):
        action = template_action(lab, (before, after))
        assert writer.read(action) == before
        assert writer.write(action, before=before, after=after) == ""
    assert lab.domain.read(template(lab), FLAG)[FLAG] == []


@pytest.mark.parametrize("others", [["WebServer", "User"], []], ids=["beside others", "alone"])
def test_publish_again_and_take_back(lab: Lab, writer: DirectoryWriter, others: list[str]) -> None:
    dn = lab.domain.enrollment_service_dn()
    lab.domain.replace(dn, {TEMPLATES: others})
    start = lab.domain.read(dn)
    for publish in (True, False):
        action = publish_action(lab, publish=publish)
        before, after = before_and_after(action)
        assert writer.read(action) == before
        assert writer.write(action, before=before, after=after) == ""
        with pytest.raises(Drift, match="as wanted"):
            writer.write(action, before=before, after=after)
        wanted = {one.encode() for one in others} | ({b"IntunePKCS"} if publish else set())
        assert set(lab.domain.read(dn, TEMPLATES)[TEMPLATES]) == wanted
    end = lab.domain.read(dn)
    assert {k: sorted(v) for k, v in end.items() if k not in CHANGING} == {
        k: sorted(v) for k, v in start.items() if k not in CHANGING
    }
    assert len(lab.relay.writes) == 2


def test_the_order_of_a_windows_server_is_no_drift(lab: Lab, writer: DirectoryWriter) -> None:
    """Samba keeps what it is sent, so it is sent what a Windows server would make of it ([MS-ADTS] 6.1.3.1)."""
    _, before, after = grants(lab)
    action = template_action(lab, (before, after))
    binary = base64.b64decode(before[DESCRIPTOR])
    entries = sorted(SecurityDescriptor.parse(binary).dacl_aces, key=lambda ace: ace.binary)
    sorted_binary = binary[:28] + b"".join(ace.binary for ace in entries)
    assert sorted_binary != binary
    lab.domain.replace(template(lab), {DESCRIPTOR: [sorted_binary]})
    assert writer.read(action) == before
    assert writer.write(action, before=before, after=after) == ""


def test_identity_is_that_of_the_plan_and_by_kerberos_too(lab: Lab, writer: DirectoryWriter) -> None:
    known: Writer = writer
    assert known.identity() == {"domain_objectGUID": guid(lab, lab.domain.dn), "domain": "contoso.test"}
    assert (known.target, writer.host) == ("directory", lab.dc)
    lease = Lease(run="r", who="w", token="0f" * 16, seconds=60)
    assert (known.lock(lease), known.renew(lease), known.holder(token="")) == (None, "", None)
    known.unlock(token=lease.token)
    with lab.ticket(ADMIN), writing(lab, None) as other:
        before, after = flags_from_directory(lab)
        assert other.identity() == known.identity()
        assert other.write(template_action(lab, (before, after)), before=before, after=after) == ""


def test_one_connection_serves_several_actions(lab: Lab, writer: DirectoryWriter) -> None:
    before, after = flags_from_directory(lab)
    connections = lab.relay.connections
    for one, other in ((before, after), undone((before, after))):
        writer.write(template_action(lab, (one, other)), before=one, after=other)
    writer.identity()
    assert lab.relay.connections == connections + 1


def test_after_long_idleness_the_connection_is_new_and_the_controller_is_not(
    lab: Lab, writer: DirectoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity, connections = writer.identity(), lab.relay.connections
    monkeypatch.setattr(ldap_write_session, "IDLE", -1.0)
    assert writer.identity() == identity
    assert lab.relay.connections == connections + 1


# --- drift -----------------------------------------------------------------------------------------------------------


def test_drift_names_the_other_value_and_writes_nothing(lab: Lab, writer: DirectoryWriter) -> None:
    before, after = flags_from_directory(lab)
    lab.domain.replace(template(lab), {FLAG: ["16777216"]})
    changes = changed(lab, template(lab))
    with pytest.raises(Drift) as drifted:
        writer.write(template_action(lab, (before, after)), before=before, after=after)
    assert drifted.value.now == before | {FLAG: "16777216"}
    assert drifted.value.exit_code == ExitCode.REFUSED
    for said in ("now msPKI-Certificate-Name-Flag 0x1000000", "approved", "0xA6000000", "wanted", "0x1", lab.dc):
        assert said in str(drifted.value)
    assert lab.relay.writes == []
    assert changed(lab, template(lab)) == changes


def changed(lab: Lab, dn: str) -> int:
    """How often the domain controller saw this object changed; accounts it changes by itself when they log on."""
    return [str(change["dn"]).lower() for change in lab.domain.changes()].count(dn.lower())


def test_drift_of_a_dacl_is_told_by_entries(lab: Lab, writer: DirectoryWriter) -> None:
    _, before, after = grants(lab)
    lab.domain.set_dacl(template(lab), contoso.template_descriptor("DU"))
    with pytest.raises(Drift, match=r"now nTSecurityDescriptor DACL of [0-9]+ entries"):
        writer.write(template_action(lab, (before, after)), before=before, after=after)
    assert lab.relay.writes == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_faster_writer_is_not_overwritten(
    lab: Lab, writer: DirectoryWriter, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    before, after = KINDS[kind](lab)
    theirs: dict[str, list[Any]] = {REVISION: ["99"]}
    if kind != "dacl":
        theirs[FLAG] = ["33554432"]
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(template(lab), theirs))
    with pytest.raises(Drift, match="99") as drifted:
        writer.write(template_action(lab, (before, after)), before=before, after=after)
    assert drifted.value.now[REVISION] == "99"
    assert revision(lab) == 99


@pytest.mark.parametrize("publish", [True, False])
def test_publishing_somebody_was_faster(
    lab: Lab, writer: DirectoryWriter, monkeypatch: pytest.MonkeyPatch, publish: bool
) -> None:
    dn = lab.domain.enrollment_service_dn()
    lab.domain.replace(dn, {TEMPLATES: ["User"] if publish else ["User", "IntunePKCS"]})
    theirs = ["User", "IntunePKCS"] if publish else ["User"]
    action = publish_action(lab, publish=publish)
    before, after = before_and_after(action)
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(dn, {TEMPLATES: theirs}))
    with pytest.raises(Drift, match="as wanted") as drifted:
        writer.write(action, before=before, after=after)
    assert drifted.value.now == after


def test_added_where_nothing_stood_and_somebody_was_faster(
    lab: Lab, writer: DirectoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.domain.replace(template(lab), {FLAG: []})
    now = revision(lab)
    before: Table = {FLAG: None, REVISION: str(now)}
    after: Table = {FLAG: "1", REVISION: str(now + 1)}
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(template(lab), {FLAG: ["8"]}))
    with pytest.raises(Drift, match="0x8"):
        writer.write(template_action(lab, (before, after)), before=before, after=after)
    assert (lab.domain.read(template(lab), FLAG)[FLAG], revision(lab)) == ([b"8"], now)


def test_an_overwritten_dacl_is_reported(lab: Lab, writer: DirectoryWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    _, before, after = grants(lab)
    theirs = lab.domain.descriptor(contoso.template_descriptor("DU"))
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(template(lab), {DESCRIPTOR: [theirs]}))
    with pytest.raises(WriteFailed, match=f"of somebody else to {DESCRIPTOR} came just before") as lost:
        writer.write(template_action(lab, (before, after)), before=before, after=after)
    assert lost.value.exit_code == ExitCode.STOPPED_PART_WAY
    assert lost.value.unresolved


@pytest.mark.parametrize(
    ("same", "said"), [(False, "has overwritten this write"), (True, "again after it, with the same result")]
)
def test_who_writes_after_us_is_told_apart(
    lab: Lab, writer: DirectoryWriter, monkeypatch: pytest.MonkeyPatch, same: bool, said: str
) -> None:
    _, before, after = grants(lab)
    descriptors = [lab.domain.descriptor(one) for one in ("D:PAI", contoso.template_descriptor("DU"))]
    values = [descriptors[0], base64.b64decode(after[DESCRIPTOR])] if same else descriptors[1:]

    def write_again() -> None:
        for value in values:
            lab.domain.replace(template(lab), {DESCRIPTOR: [value]})

    interrupt(monkeypatch, lab, "read back", write_again)
    with pytest.raises(WriteFailed, match=said):
        writer.write(template_action(lab, (before, after)), before=before, after=after)


# --- refused, and rights ---------------------------------------------------------------------------------------------


def test_a_read_only_controller_is_refused_before_anything(lab: Lab, writer: DirectoryWriter) -> None:
    """Samba cannot be two controllers here, so the relay says what a read-only one says; both ways of saying it."""
    action = publish_action(lab)
    before, after = before_and_after(action)
    for old, new in ((b"1.2.840.113556.1.4.1791", b"1.2.840.113556.1.4.1920"), (b"FALSE", b"NEVER")):
        lab.relay.fault = Rewrite(old, new)
        with pytest.raises(RefusedError, match="read-only") as refused:
            writer.read(action)
        assert refused.value.exit_code == ExitCode.REFUSED
        with pytest.raises(WriteFailed, match=r"nothing was written.*read-only"):
            writer.write(action, before=before, after=after)
    lab.relay.fault = Rewrite(b"1.2.840.113556.1.4.800", b"1.2.840.113556.1.4.900")
    with pytest.raises(RefusedError, match="does not call itself a domain controller"):
        writer.identity()
    assert lab.relay.writes == []


def test_another_object_of_the_same_name_is_refused(lab: Lab, writer: DirectoryWriter) -> None:
    before, after = flags_from_directory(lab)
    action = template_action(lab, (before, after))
    other = msgspec.structs.replace(action.place, object_guid=guid(lab, lab.domain.dn))
    with pytest.raises(RefusedError, match="another object of the same name"):
        writer.read(msgspec.structs.replace(action, place=other))
    service = msgspec.structs.replace(action.place, dn=lab.domain.enrollment_service_dn())
    with pytest.raises(RefusedError, match="no pKICertificateTemplate"):
        writer.read(msgspec.structs.replace(action, place=service))
    nowhere = msgspec.structs.replace(action.place, dn=lab.domain.template_dn("Nowhere"))
    with pytest.raises(RefusedError, match=r"CN=Nowhere,.+ no such object any more, or this account may not see it"):
        writer.read(msgspec.structs.replace(action, place=nowhere))
    with pytest.raises(WriteFailed, match="nothing was written"):
        writer.write(msgspec.structs.replace(action, place=nowhere), before=before, after=after)
    assert lab.relay.writes == []


def test_states_that_do_not_fit_together(lab: Lab, writer: DirectoryWriter) -> None:
    _, before, after = grants(lab)
    unfit: list[Tables] = [
        ({FLAG: "1"}, {FLAG: "2", REVISION: "4"}),
        ({DESCRIPTOR: before[DESCRIPTOR]}, {DESCRIPTOR: after[DESCRIPTOR]}),
        (before, after | {REVISION: before[REVISION]}),
    ]
    for one, other in unfit:
        with pytest.raises(WriteFailed, match="nothing was written"):
            writer.write(template_action(lab, (before, after)), before=one, after=other)
    assert writer.write(template_action(lab, (before, after)), before=before, after=before) == ""
    assert lab.relay.writes == []


def test_a_reader_may_read_and_nothing_else(lab: Lab) -> None:
    tables = both_from_directory(lab)
    before, after = tables
    with writing(lab, READER) as writer:
        action = template_action(lab, tables)
        assert writer.read(action) == before
        lacks = writer.lacks(action)
        for said in (FLAG, REVISION, "WRITE_DAC", template(lab)):
            assert said in lacks
        with pytest.raises(WriteFailed, match="may not write it; nothing was written") as refused:
            writer.write(action, before=before, after=after)
        assert (refused.value.code, refused.value.unresolved) == ("LDAP 50", False)
        lab.domain.replace(lab.domain.enrollment_service_dn(), {TEMPLATES: ["User"]})
        publish = publish_action(lab)
        assert TEMPLATES in writer.lacks(publish)
        with pytest.raises(WriteFailed, match="may not write it"):
            writer.write(publish, before={"IntunePKCS": None}, after={"IntunePKCS": "published"})
    assert fixed(lab)[FLAG] == [FROM_DIRECTORY.encode()]


# Rights as they are delegated: write one attribute (by its schemaIDGUID, [MS-ADA2]), all of them, the permissions.
FLAG_ONLY = "(OA;;WP;ea1dddc4-60ff-416e-8cc0-17cee534bce7;;{{{0}}})"
RIGHTS = {
    "nothing": ("", {FLAG, REVISION, "WRITE_DAC"}),
    "one attribute": (FLAG_ONLY, {REVISION, "WRITE_DAC"}),
    "all attributes": ("(A;;WP;;;{{{0}}})", {"WRITE_DAC"}),
    "permissions": ("(A;;WD;;;{{{0}}})", {FLAG, REVISION}),
    "both": ("(A;;WPWD;;;{{{0}}})", set()),
}


@pytest.mark.parametrize("rights", RIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_server_says_of_rights_is_what_it_does(lab: Lab, rights: str, kind: str) -> None:
    granted, missing = RIGHTS[rights]
    lab.domain.set_dacl(template(lab), contoso.INTUNE_DESCRIPTOR + granted.format(READER.name))
    before, after = KINDS[kind](lab)
    names = {"WRITE_DAC" if name == DESCRIPTOR else name for name in after}
    with writing(lab, READER) as writer:
        action = template_action(lab, (before, after))
        lacks = writer.lacks(action)
        assert {name for name in (FLAG, REVISION, "WRITE_DAC") if name in lacks} == missing & names
        assert lab.relay.writes == []
        if lacks:
            with pytest.raises(WriteFailed, match="may not write"):
                writer.write(action, before=before, after=after)
        else:
            assert writer.write(action, before=before, after=after) == ""


def test_permissions_that_may_not_be_read(lab: Lab) -> None:
    _, before, after = grants(lab)
    lab.domain.set_dacl(template(lab), f"D:P(A;;{contoso.FULL};;;DA)(A;;{contoso.FULL};;;EA)(A;;LCRP;;;AU)")
    with writing(lab, READER) as writer, pytest.raises(TransportError, match="may not read the permissions"):
        writer.read(template_action(lab, (before, after)))


def test_without_the_metadata_the_missing_check_is_said(lab: Lab, writer: DirectoryWriter) -> None:
    """An account that may write may always read it on Samba, so the relay garbles the attribute's name."""
    before, after = flags_from_directory(lab)
    lab.relay.fault = Rewrite(b"replPropertyMetaData", b"notPropertyMetaData1")
    assert writer.write(template_action(lab, (before, after)), before=before, after=after) == NOT_CHECKED
