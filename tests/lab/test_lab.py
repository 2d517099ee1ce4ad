"""The lab's directory is right: a real domain controller, the relay's record of it, and what tests plant there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import takewhile

import ldap3
import pytest
from ldap3.core.exceptions import LDAPException, LDAPInvalidCredentialsResult, LDAPStrongerAuthRequiredResult
from ldap3.protocol.microsoft import security_descriptor_control

from tests.lab import contoso, enter, material
from tests.lab.addresses import MARK
from tests.lab.clients import base_search, bind, bind_with_ticket
from tests.lab.contoso import ADMIN, INTUNE_TEMPLATE, LOCKED, READER, Account
from tests.lab.domain import Domain
from tests.lab.estate import Lab
from tests.lab.ldap_relay import DropAtSearch, Silent
from tests.shared import SHARED

TEMPLATE = Domain.template_dn(INTUNE_TEMPLATE)


def test_simple_bind_reads_a_template_and_its_dacl(fresh_lab: Lab) -> None:
    found = base_search(
        bind(fresh_lab), TEMPLATE, "msPKI-Certificate-Name-Flag", "nTSecurityDescriptor",
        controls=security_descriptor_control(sdflags=0x07),
    )  # fmt: skip
    assert found["msPKI-Certificate-Name-Flag"] == [b"1"]
    assert found["nTSecurityDescriptor"] == [fresh_lab.domain.descriptor(contoso.INTUNE_DESCRIPTOR)]


@pytest.mark.parametrize(
    ("account", "data"),
    [(Account(READER.name, "wrong"), "52e"), (LOCKED, "775"), (Account("nobody", "x"), "52e")],
    ids=["wrong password", "locked", "unknown"],
)
def test_refused_binds_say_why_as_windows_does(fresh_lab: Lab, account: Account, data: str) -> None:
    with pytest.raises(LDAPInvalidCredentialsResult, match=f"data {data}"):
        bind(fresh_lab, account)


def test_kerberos_bind_over_ldaps(fresh_lab: Lab) -> None:
    with fresh_lab.ticket(ADMIN):
        connection = bind_with_ticket(fresh_lab)
        assert base_search(connection, TEMPLATE, "cn")["cn"] == [INTUNE_TEMPLATE.encode()]
    assert fresh_lab.relay.counts()["search"] == 1


def test_a_password_in_the_clear_is_refused(fresh_lab: Lab) -> None:
    plain = ldap3.Connection(ldap3.Server(fresh_lab.dc), READER.upn, READER.password, raise_exceptions=True)
    with pytest.raises(LDAPStrongerAuthRequiredResult):
        plain.bind()


def test_every_template_of_the_estate_is_there_with_a_dacl(fresh_lab: Lab) -> None:
    connection = bind(fresh_lab)
    controls = security_descriptor_control(sdflags=0x04)
    connection.search(
        contoso.TEMPLATES_DN, "(objectClass=pKICertificateTemplate)", attributes=["nTSecurityDescriptor"],
        controls=controls, paged_size=500,
    )  # fmt: skip
    descriptors = [entry["raw_attributes"]["nTSecurityDescriptor"] for entry in connection.response]
    assert len(descriptors) >= 3
    assert all(len(one) == 1 and one[0] for one in descriptors)


def test_nested_groups_reach_the_second_connector(fresh_lab: Lab) -> None:
    found = base_search(bind(fresh_lab), Domain.computer_dn("conn2"), "tokenGroups", "dNSHostName")
    ids = {int.from_bytes(token[-4:], "little") for token in found["tokenGroups"]}
    assert {int(fresh_lab.domain.sids[name].rpartition("-")[2]) for name in ("PKI Enrollers", "PKI Nested")} <= ids
    assert found["dNSHostName"] == [b"conn2.contoso.test"]


def test_the_material_is_loaded(fresh_lab: Lab) -> None:
    if SHARED is None:
        pytest.skip("the shared material is not beside the checkout")
    wanted = contoso.all_templates(material.templates(SHARED / "material" / "templates"))
    connection = bind(fresh_lab)
    connection.search(contoso.TEMPLATES_DN, "(objectClass=pKICertificateTemplate)", attributes=["*"])
    found = {entry["raw_attributes"]["cn"][0].decode(): entry["raw_attributes"] for entry in connection.response}
    assert found.keys() == wanted.keys()
    for name, attributes in wanted.items():
        for attribute, values in attributes.items():
            given = sorted(value.encode() if isinstance(value, str) else value for value in values)
            assert sorted(found[name][attribute]) == given, (name, attribute)


def test_a_second_ca_comes_and_goes(fresh_lab: Lab) -> None:
    with fresh_lab.second_ca("WebServer") as dn:
        assert fresh_lab.domain.read(dn)["dNSHostName"] == [b"ca02.contoso.test"]
    assert fresh_lab.domain.snapshot(dn)[0].attributes is None


def test_the_relay_counts_searches_once_and_pages_apart(fresh_lab: Lab) -> None:
    connection = bind(fresh_lab)
    pages = connection.extend.standard.paged_search(
        contoso.SERVICES_DN, "(objectClass=*)", paged_size=3, generator=False
    )
    assert len(pages) > 3
    assert fresh_lab.relay.counts()["search"] == 1
    assert [one.target for one in fresh_lab.relay.searches] == [contoso.SERVICES_DN]
    assert sum(one.name == "search" for one in fresh_lab.relay.operations) > 1
    assert fresh_lab.relay.writes == []


def test_the_relay_and_samba_see_writes(fresh_lab: Lab) -> None:
    before = len(fresh_lab.domain.changes())
    with fresh_lab.domain.restored(TEMPLATE):
        bind(fresh_lab, ADMIN).modify(TEMPLATE, {"displayName": [(ldap3.MODIFY_REPLACE, ["Changed"])]})
        changed = fresh_lab.domain.read(TEMPLATE, "displayName")
    assert [(one.name, one.target) for one in fresh_lab.relay.writes] == [("modify", TEMPLATE)]
    assert changed["displayName"] == [b"Changed"]
    assert [one["dn"] for one in fresh_lab.domain.changes()[before:]] == [TEMPLATE, TEMPLATE]


def test_planted_causes_are_taken_back(fresh_lab: Lab) -> None:
    domain, gone, new = fresh_lab.domain, Domain.template_dn("User"), Domain.template_dn("Planted")
    before = domain.snapshot(TEMPLATE, gone)
    with domain.restored(TEMPLATE, gone, new):
        domain.replace(TEMPLATE, {"msPKI-Certificate-Name-Flag": ["-1509949440"], "displayName": []})
        domain.set_dacl(TEMPLATE, contoso.template_descriptor("DU", "{PKI Nested}"))
        domain.delete(gone)
        domain.add(new, {"objectClass": ["pKICertificateTemplate"], **contoso.intune_template()})
        assert domain.read(TEMPLATE)["msPKI-Certificate-Name-Flag"] == [b"-1509949440"]
    assert domain.read(TEMPLATE).keys() == (before[0].attributes or {}).keys()
    assert domain.read(TEMPLATE)["nTSecurityDescriptor"] == (before[0].attributes or {})["nTSecurityDescriptor"]
    assert domain.read(gone)["msPKI-Enrollment-Flag"] == [b"41"]
    assert domain.snapshot(new)[0].attributes is None


def test_the_relay_drops_at_a_search(fresh_lab: Lab) -> None:
    fresh_lab.relay.fault = DropAtSearch(2)
    connection = bind(fresh_lab)
    assert base_search(connection, TEMPLATE, "cn")
    with pytest.raises(LDAPException):
        base_search(connection, TEMPLATE, "cn")


def test_a_silent_relay_leaves_clients_waiting(fresh_lab: Lab) -> None:
    fresh_lab.relay.fault = Silent()
    with pytest.raises(LDAPException):
        bind(fresh_lab)


def test_the_exit_code_of_the_command_passes_through(fresh_lab: Lab) -> None:
    command = [sys.executable, "-m", "tests.lab.enter", "sh", "-c"]
    assert subprocess.run([*command, "exit 7"], check=False).returncode == 7
    assert subprocess.run([*command, "kill -9 $$"], check=False).returncode == 137


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/nowhere")
    assert enter.main(["true"]) == enter.EXIT_CANNOT
    said = capsys.readouterr().err
    assert "root is needed" in said
    assert "`unshare` is not on PATH" in said


def test_one_command_starts_a_second_lab_beside_this_one(fresh_lab: Lab) -> None:
    environment = {name: value for name, value in os.environ.items() if name != MARK}
    command = [sys.executable, "-m", "tests.lab"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        said = "".join(takewhile(lambda line: "nsenter" not in line, started.stdout or []))
        os.killpg(started.pid, signal.SIGINT)  # Ctrl-C
        assert started.wait(timeout=30) == 0
    assert "The lab runs" in said
    assert all(host.fqdn in said for host in fresh_lab.hosts.values())
    assert str(fresh_lab.folder) not in said
