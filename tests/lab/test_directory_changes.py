"""A template changed by the PowerShell functions: its flags, its DACL, and others who change it at the same time."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ldap3
import pytest

from remediate.adcs.security_descriptor import SecurityDescriptor
from tests.lab import contoso
from tests.lab.contoso import READER
from tests.lab.directory_functions import (
    CHANGE,
    DESCRIPTOR,
    FLAG,
    FROM_DIRECTORY,
    REVISION,
    Functions,
    encoded,
    fixed,
    flags_from_directory,
    grants,
    interrupt,
    needs_pwsh,
    revision,
    template,
    whole_descriptor,
)
from tests.lab.domain import closing_connection
from tests.lab.estate import Lab

pytestmark = needs_pwsh


@pytest.fixture
def functions(fresh_lab: Lab, tmp_path: Path) -> Iterator[Functions]:
    with fresh_lab.domain.restored(template(fresh_lab), fresh_lab.domain.enrollment_service_dn()):
        yield Functions(fresh_lab, tmp_path)


# flags


def test_flags_change_again_undo_and_the_object_is_as_it_was(functions: Functions) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)
    start = fixed(lab)
    assert functions.value("Get-TemplateState @c -Name ([string[]] $call.names)", names=list(before)) == before
    assert functions.change(before, after).value == {"State": after, "Written": True, "Replication": "checked"}
    assert [one.name for one in lab.relay.writes] == ["modify"]
    assert fixed(lab) == start | {FLAG: [b"1"]}

    again = functions.change(before, after)
    assert again.value["Replication"].startswith("not checked: nothing was written")
    assert len(lab.relay.writes) == 1

    raised = str(int(after[REVISION]) + 1)
    undo = {FLAG: FROM_DIRECTORY, REVISION: raised}
    assert functions.change(after, undo).value["State"] == undo
    assert fixed(lab) == start
    assert revision(lab) == int(raised)


def test_absent_is_a_state(functions: Functions) -> None:
    lab = functions.lab
    lab.domain.replace(template(lab), {FLAG: []})
    now = revision(lab)
    absent, present = {FLAG: None, REVISION: str(now)}, {FLAG: "1", REVISION: str(now + 1)}
    assert functions.change(absent, present).value == {"State": present, "Written": True, "Replication": "checked"}
    gone = {FLAG: None, REVISION: str(now + 2)}
    assert functions.change(present, gone).value == {"State": gone, "Written": True, "Replication": "checked"}
    assert lab.domain.read(template(lab), FLAG)[FLAG] == []


def test_wanted_and_drifted(functions: Functions) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)
    line = "Test-TemplateState @c -Wanted (ConvertTo-Table -From $call.wanted)"
    assert functions.value(line, wanted=before) is True
    assert functions.value(line, wanted=after) is False
    lab.domain.replace(template(lab), {FLAG: ["16777216"]})
    drifted = functions.change(before, after)
    assert drifted.id == "RemediateDrift"
    for said in ("expected", "0xA6000000", "now", "0x1000000", "wanted", "0x1", lab.dc, template(lab)):
        assert said in drifted.error
    assert lab.relay.writes == []


def test_what_if_writes_nothing_and_names_the_write(functions: Functions) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)
    changes = len(lab.domain.changes())
    answer = functions.run(CHANGE + " -WhatIf -Verbose", before=before, after=after)
    assert answer.value["State"] == before
    for said in ("What if", template(lab), "0xA6000000", "0x1", f"{REVISION} = {after[REVISION]}"):
        assert said in answer.shown
    assert lab.relay.writes == []
    assert len(lab.domain.changes()) == changes
    assert "reading" in answer.shown


def test_states_that_do_not_fit_together(functions: Functions) -> None:
    _, before, after = grants(functions.lab)
    unfit = [
        ({FLAG: "1"}, {FLAG: "2", REVISION: "4"}),
        ({DESCRIPTOR: before[DESCRIPTOR]}, {DESCRIPTOR: after[DESCRIPTOR]}),
        (before, after | {REVISION: before[REVISION]}),
    ]
    for one, other in unfit:
        assert functions.change(one, other).id == "RemediateRefused"
    assert functions.run("Get-TemplateState @c -Name flags", dn=functions.lab.domain.enrollment_service_dn()).error
    nowhere = functions.run("Get-TemplateState @c -Name flags", dn=functions.lab.domain.template_dn("Nowhere"))
    assert nowhere.code == "LDAP 32"
    assert functions.lab.relay.writes == []


# --- DACL ------------------------------------------------------------------------------------------------------------


def test_planned_bytes_are_the_bytes_that_are_read(functions: Functions) -> None:
    _, before, _ = grants(functions.lab)
    read = functions.value("Get-TemplateState @c -Name nTSecurityDescriptor")
    assert read[DESCRIPTOR] == before[DESCRIPTOR]
    assert base64.b64decode(read[DESCRIPTOR]) == whole_descriptor(functions.lab, 4)


def test_a_dacl_edit_keeps_all_that_belongs_to_others(functions: Functions) -> None:
    lab = functions.lab
    start, whole = fixed(lab), SecurityDescriptor.parse(whole_descriptor(lab))
    edit, before, after = grants(lab)
    assert functions.change(before, after).value == {"State": after, "Written": True, "Replication": "checked"}
    changed = SecurityDescriptor.parse(whole_descriptor(lab))
    assert (changed.owner, changed.group, changed.sacl) == (whole.owner, whole.group, whole.sacl)
    assert changed.dacl_aces == edit.after.dacl_aces
    assert [ace for ace in changed.dacl_aces if ace not in edit.added] == list(whole.dacl_aces)
    assert functions.change(before, after).value["Replication"].startswith("not checked: nothing")

    raised = str(int(after[REVISION]) + 1)
    assert functions.change(after, before | {REVISION: raised}).value["Replication"] == "checked"
    assert whole_descriptor(lab) == whole.to_bytes()
    assert fixed(lab) == start
    assert len(lab.relay.writes) == 2


def test_inherited_entries_are_the_servers_own(functions: Functions) -> None:
    lab = functions.lab
    lab.domain.set_dacl(template(lab), f"D:AI(A;;{contoso.FULL};;;DA)(A;;LCRPLORC;;;AU)")
    whole = SecurityDescriptor.parse(whole_descriptor(lab))
    assert any(ace.is_inherited for ace in whole.dacl_aces)
    _, before, after = grants(lab)
    assert functions.value("Get-TemplateState @c -Name nTSecurityDescriptor")[DESCRIPTOR] == before[DESCRIPTOR]
    assert functions.change(before, after).value == {"State": after, "Written": True, "Replication": "checked"}


def test_the_order_that_a_windows_server_gives_is_no_difference(functions: Functions) -> None:
    edit, before, after = grants(functions.lab)
    entries = sorted(edit.after.dacl_aces, key=lambda ace: ace.binary)  # [MS-ADTS] 6.1.3.1
    header = edit.after.dacl_part()[:28]
    reordered = base64.b64encode(header + b"".join(ace.binary for ace in entries)).decode()
    assert reordered != after[DESCRIPTOR]
    fewer = encoded(edit.before)
    unprotected = bytearray(edit.after.dacl_part())
    unprotected[3] &= 0xEF
    others = [reordered, fewer, base64.b64encode(unprotected).decode()]
    line = "@(foreach ($one in $call.others) { Test-SameDacl -Now $one -Wanted $call.wanted })"
    assert functions.value(line, others=others, wanted=after[DESCRIPTOR]) == [True, False, False]

    functions.lab.domain.replace(template(functions.lab), {DESCRIPTOR: [base64.b64decode(reordered)]})
    read = "Get-TemplateState @c -Name nTSecurityDescriptor"
    assert functions.value(read)[DESCRIPTOR] == reordered
    known = " -Known @((ConvertTo-Table -From $call.before), (ConvertTo-Table -From $call.after))"
    assert functions.value(read + known, before=before, after=after)[DESCRIPTOR] == after[DESCRIPTOR]
    test = "Test-TemplateState @c -Wanted (ConvertTo-Table -From $call.wanted)"
    assert functions.value(test, wanted={DESCRIPTOR: after[DESCRIPTOR]}) is True


def test_deny_after_allow_has_one_order_only(functions: Functions) -> None:
    lab = functions.lab
    deny, allow = "(D;;RP;;;{READER_SID})", "(A;;RP;;;AU)"
    sid = lab.domain.sids[READER.name]
    texts = [
        base64.b64encode(lab.domain.descriptor(f"D:P{order}".replace("{READER_SID}", sid))).decode()
        for order in (allow + deny, deny + allow)
    ]
    line = "Test-SameDacl -Now $call.now -Wanted $call.wanted"
    assert functions.value(line, now=texts[0], wanted=texts[1]) is False
    assert functions.value(line, now=texts[0], wanted=texts[0]) is True


def test_the_parts_that_were_not_asked_for_do_not_count(functions: Functions) -> None:
    whole = whole_descriptor(functions.lab, 7)
    odd = bytearray(whole)
    odd[2] |= 0x03  # owner and group defaulted
    odd[3] |= 0x28  # of the SACL
    line = "ConvertTo-DaclText -Descriptor ([System.Convert]::FromBase64String($call.bytes))"
    shown = {functions.value(line, bytes=base64.b64encode(each).decode()) for each in (whole, odd)}
    assert shown == {encoded(SecurityDescriptor.parse(each)) for each in (whole, bytes(odd))}
    assert len(shown) == 1


# races


def test_a_faster_writer_is_not_overwritten(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(template(lab), {FLAG: ["33554432"]}))
    refused = functions.change(before, after)
    assert (refused.id, refused.code) == ("RemediateDrift", "LDAP 16")
    assert "nothing was written here" in refused.error
    assert lab.domain.read(template(lab), FLAG)[FLAG] == [b"33554432"]
    assert revision(lab) == int(before[REVISION])


def test_a_faster_writer_with_a_new_revision_keeps_its_dacl(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = functions.lab
    _, before, after = grants(lab)
    theirs = lab.domain.descriptor(contoso.template_descriptor("DU"))
    change: dict[str, list[Any]] = {DESCRIPTOR: [theirs], REVISION: ["99"]}
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(template(lab), change))
    refused = functions.change(before, after)
    assert (refused.id, refused.code) == ("RemediateDrift", "LDAP 16")
    assert lab.domain.read(template(lab), REVISION)[REVISION] == [b"99"]
    read = SecurityDescriptor.parse(whole_descriptor(lab)).dacl_aces
    assert read == SecurityDescriptor.parse(theirs).dacl_aces


def test_an_overwritten_dacl_is_reported(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = functions.lab
    _, before, after = grants(lab)
    theirs = lab.domain.descriptor(contoso.template_descriptor("DU"))
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(template(lab), {DESCRIPTOR: [theirs]}))
    lost = functions.change(before, after)
    assert lost.id == "RemediateNotAsWritten"
    assert "was overwritten by this script" in lost.error
    assert DESCRIPTOR in lost.error


@pytest.mark.parametrize("same", [False, True], ids=["other", "same"])
def test_who_writes_after_us_is_told_apart(functions: Functions, monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    lab = functions.lab
    _, before, after = grants(lab)
    theirs = lab.domain.descriptor(contoso.template_descriptor("DU"))

    def write_again() -> None:
        values = [lab.domain.descriptor("D:PAI"), base64.b64decode(after[DESCRIPTOR])] if same else [theirs]
        for value in values:
            lab.domain.replace(template(lab), {DESCRIPTOR: [value]})

    interrupt(monkeypatch, lab, "read back", write_again)
    lost = functions.change(before, after)
    assert lost.id == "RemediateNotAsWritten"
    assert ("again after this script" if same else "has overwritten this script's write") in lost.error


@pytest.mark.parametrize("back", [False, True], ids=["another value", "the same value"])
def test_a_thousand_writes_between_reading_and_writing(
    functions: Functions, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)

    def thousand() -> None:
        with closing_connection(lab.domain.connection()) as connection:
            for number in range(1000):
                value = FROM_DIRECTORY if back and number == 999 else str(1 << number % 20)
                connection.modify(template(lab), {FLAG: [(ldap3.MODIFY_REPLACE, [value])]})

    interrupt(monkeypatch, lab, "modify", thousand)
    answer = functions.change(before, after)
    assert answer.id == ("RemediateNotAsWritten" if back else "RemediateDrift")
    assert lab.domain.read(template(lab), FLAG)[FLAG] == [b"1" if back else str(1 << 999 % 20).encode()]


def test_two_writers_lose_no_update(functions: Functions) -> None:
    lab = functions.lab
    start, wins, stop = revision(lab), 0, threading.Event()

    def raise_revision() -> None:
        nonlocal wins
        with closing_connection(lab.domain.connection()) as connection:
            while not stop.is_set():
                now = lab.domain.read(template(lab), REVISION)[REVISION][0].decode()
                steps = [(ldap3.MODIFY_DELETE, [now]), (ldap3.MODIFY_ADD, [str(int(now) + 1)])]
                try:
                    connection.modify(template(lab), {REVISION: steps})
                    wins += 1
                except ldap3.core.exceptions.LDAPNoSuchAttributeResult:
                    continue

    line = """
        $won = 0
        foreach ($turn in 1..40) {
            $now = Get-TemplateState @c -Name $call.name
            $next = @{ $call.name = [string] (10000 + [int] $now[$call.name]) }
            try { [void] (Set-TemplateState @c -Before $now -After $next -Confirm:$false); $won++ }
            catch {
                if ($_.FullyQualifiedErrorId -eq 'RemediateNotAsWritten') { $won++ }
                elseif ($_.FullyQualifiedErrorId -ne 'RemediateDrift') { throw }
            }
        }
        $won
    """
    writer = threading.Thread(target=raise_revision)
    writer.start()
    try:
        won = functions.value(line, name=REVISION)
    finally:
        stop.set()
        writer.join()
    assert wins > 0
    assert revision(lab) == start + wins + 10000 * won


def test_a_lost_connection_leaves_it_open_what_was_written(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = functions.lab
    before, after = flags_from_directory(lab)

    def cut() -> None:
        raise ConnectionError

    interrupt(monkeypatch, lab, "modify", cut)
    lost = functions.change(before, after)
    assert lost.id == "RemediateFailed"
    assert "whether it was written is not known" in lost.error
