"""LDAP and WinRM against the lab: what is read, in how many searches, without a write, and how failures are said."""

from __future__ import annotations

import logging
import time

import msgspec
import pytest

from remediate.facts.documents import DirectoryDocument, Entry
from remediate.model.errors import TransportError
from remediate.model.fact import Fact, Unreadable
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.ldap import DirectoryReader
from remediate.transports.winrm import run_collector
from tests.lab import broken, contoso
from tests.lab.addresses import DNS_DOMAIN
from tests.lab.contoso import ADMIN, LOCKED, READER, SERVICE, Account
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.ldap_relay import DropAtSearch, Silent
from tests.lab.winrm.faults import TOO_MANY_SHELLS, Answer, Drop, Rewrite, Sleep, Status

TICKET = Credential()
ACCOUNTS = ("CONN1$", "CONTOSO\\svc_intune", "conn2$")
COMPUTERS = ("conn1.contoso.test", "ca01")


def credential(account: Account, *, down_level: bool = False) -> Credential:
    return Credential(account.down_level if down_level else account.upn, Secret(account.password))


def read(lab: Lab, who: Credential, *, address: str = "", timeout: float = 10.0) -> DirectoryDocument:
    with DirectoryReader(address or lab.dc, who, trust=lab.trust, timeout=timeout) as reader:
        begun = reader.begin()
        document = reader.finish(ACCOUNTS, COMPUTERS)
    assert begun.public_key_services == document.public_key_services
    return document


def refused(lab: Lab, who: Credential = TICKET, **how: object) -> TransportError:
    with pytest.raises(TransportError) as error:
        read(lab, who, **how)  # type: ignore[arg-type]
    return error.value


def named(entries: list[Entry] | None, name: str) -> Entry:
    return next(one for one in entries or [] if one.dn.lower().startswith(f"cn={name.lower()},"))


def assert_read(lab: Lab, document: DirectoryDocument) -> None:
    assert document.read_from == lab.dc
    template = named(document.public_key_services.value, contoso.INTUNE_TEMPLATE)
    assert template.octets("nTSecurityDescriptor") == (lab.domain.descriptor(contoso.INTUNE_DESCRIPTOR),)
    assert template.texts("msPKI-Certificate-Name-Flag") == ("1",)
    assert template.octets("pKIKeyUsage") == (b"\xa0\x00",)
    assert [one.texts("dNSHostName") for one in document.computers.value or []] == [
        ("ca01.contoso.test",),
        ("conn1.contoso.test",),
    ]
    assert lab.relay.counts()["search"] <= 8 + 2 * len(ACCOUNTS)
    assert lab.relay.writes == []


def test_the_directory_by_kerberos(fresh_lab: Lab) -> None:
    with fresh_lab.ticket(ADMIN):
        before = len(fresh_lab.domain.changes())  # a new ticket counts as a logon, which the server itself writes down
        document = read(fresh_lab, TICKET)
    assert_read(fresh_lab, document)
    assert len(fresh_lab.domain.changes()) == before


def test_the_directory_by_name_and_password(fresh_lab: Lab) -> None:
    assert_read(fresh_lab, read(fresh_lab, credential(READER)))


def test_the_directory_by_a_down_level_name_binds_simply(fresh_lab: Lab) -> None:
    assert_read(fresh_lab, read(fresh_lab, credential(ADMIN, down_level=True)))


def test_the_domain_name_leads_to_a_controller(fresh_lab: Lab) -> None:
    with fresh_lab.ticket(ADMIN):
        assert_read(fresh_lab, read(fresh_lab, TICKET, address=DNS_DOMAIN))


def test_reading_twice_gives_the_same(fresh_lab: Lab) -> None:
    first, second = (read(fresh_lab, credential(READER)) for _ in range(2))
    assert first.public_key_services == second.public_key_services
    assert (first.accounts, first.computers, first.root_dse) == (second.accounts, second.computers, second.root_dse)


def test_accounts_and_their_nested_groups(fresh_lab: Lab) -> None:
    document = read(fresh_lab, credential(READER))
    by_name = {one.name: one for one in document.accounts}
    assert [by_name[name].entry.need_value(name).texts("sAMAccountName")[0] for name in ACCOUNTS] == [
        "CONN1$", SERVICE.name, "CONN2$",
    ]  # fmt: skip
    rids = {int.from_bytes(sid[-4:], "little") for sid in by_name["conn2$"].token_groups.need_value("conn2")}
    wanted = {int(fresh_lab.domain.sids[name].rpartition("-")[2]) for name in ("PKI Enrollers", "PKI Nested")}
    assert wanted <= rids


def test_accounts_that_are_not_there(fresh_lab: Lab) -> None:
    with DirectoryReader(fresh_lab.dc, credential(READER), trust=fresh_lab.trust) as reader:
        document = reader.finish(["CONTOSO\\nobody", "OTHER\\x", "a)(cn=*", "svc_intune@contoso.test"], [])
        assert reader.searches == fresh_lab.relay.counts()["search"]
    found = {one.name: one for one in document.accounts}
    assert found["CONTOSO\\nobody"].entry.absent
    assert found["OTHER\\x"].entry.unreadable
    assert found["a)(cn=*"].entry.absent
    assert found["svc_intune@contoso.test"].entry.need_value("x").texts("sAMAccountName") == (SERVICE.name,)
    assert document.computers.value == []


def test_an_account_of_another_domain_is_looked_up_there(fresh_lab: Lab) -> None:
    dn = f"CN=CHILD,CN=Partitions,{contoso.CONFIGURATION_DN}"
    child = {
        "objectClass": ["crossRef"], "nCName": ["DC=child,DC=contoso,DC=test"], "dnsRoot": [broken.NAME],
        "nETBIOSName": ["CHILD"], "systemFlags": ["3"],
    }  # fmt: skip
    reader = DirectoryReader(fresh_lab.dc, credential(READER), trust=fresh_lab.trust)
    with reader:
        begun = reader.begin()
        extra = Entry(dn, {name: list(values) for name, values in child.items()})
        partitions = Fact(value=[*begun.partitions.need_value("partitions"), extra])
        reader._begun = msgspec.structs.replace(begun, partitions=partitions)  # Samba cannot hold two domains
        found = {one.name: one for one in reader.finish(["CHILD\\x", "conn1$"], []).accounts}
    assert broken.NAME in (found["CHILD\\x"].entry.unreadable or Unreadable("")).why
    assert found["conn1$"].entry.known


def test_names_for_sids_and_broad_groups(fresh_lab: Lab) -> None:
    document = read(fresh_lab, credential(READER))
    assert named(document.security_principals.value, "CONN1")
    assert named(document.security_principals.value, "Domain Users")
    assert named(document.broad_groups.value, "Broad by nesting")
    assert all("PKI Enrollers" not in one.dn for one in document.broad_groups.value or [])


def test_names_for_sids_of_a_template_that_nobody_publishes(fresh_lab: Lab) -> None:
    service = fresh_lab.domain.enrollment_service_dn()
    with fresh_lab.domain.restored(service):
        fresh_lab.domain.replace(service, {"certificateTemplates": ["WebServer"]})
        document = read(fresh_lab, credential(READER))
    assert named(document.security_principals.value, "CONN1")


@pytest.mark.parametrize("down_level", [False, True], ids=["kerberos", "simple"])
@pytest.mark.parametrize(
    ("account", "said"),
    [(Account(READER.name, "not-it-7"), "password is wrong"), (LOCKED, "locked")],
    ids=["wrong password", "locked"],
)
def test_refused_logons(fresh_lab: Lab, account: Account, said: str, down_level: bool) -> None:
    error = refused(fresh_lab, credential(account, down_level=down_level))
    assert said in error.what
    assert error.code
    assert account.password not in str(error)


def test_no_ticket(fresh_lab: Lab) -> None:
    assert "no Kerberos ticket" in refused(fresh_lab).what


@pytest.mark.parametrize("kind", broken.EACH)
def test_broken_tls(fresh_lab: Lab, kind: str) -> None:
    behave, said = broken.EACH[kind]
    with broken.listening(behave(fresh_lab), 636):
        assert said in refused(fresh_lab, credential(READER), address=broken.NAME).what
    with broken.listening(behave(fresh_lab), 5986):
        assert said in failed(fresh_lab, broken.NAME, tls=True).what


def test_ldap_refused_unknown_and_silent(fresh_lab: Lab) -> None:
    assert "nothing listens" in refused(fresh_lab, address=broken.NAME).what
    assert "not known" in refused(fresh_lab, address="nowhere.contoso.test").what
    started = time.monotonic()
    with broken.silent(636):
        assert "does not answer" in refused(fresh_lab, address=broken.NAME, timeout=0.5).what
    fresh_lab.relay.fault = Silent()
    assert "does not answer" in refused(fresh_lab, credential(READER), timeout=0.5).what
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("number", [1, 3, 6])
def test_ldap_dropped(fresh_lab: Lab, number: int) -> None:
    fresh_lab.relay.fault = DropAtSearch(number)
    error = refused(fresh_lab, credential(READER, down_level=True))
    assert "lost" in error.what
    assert error.where == fresh_lab.dc


# --- WinRM -----------------------------------------------------------------------------------------------------------

SCRIPT = "param([string] $Name)\r\n'\u00e5: ' + $Name"


def run(lab: Lab, host: LabHost | str, who: Credential, **how: object) -> str:
    name = host if isinstance(host, str) else host.fqdn
    how = {"script": SCRIPT, "call": {"Name": "b"}, "deadline": 20.0, "trust": lab.trust, **how}
    return run_collector(name, who, **how)  # type: ignore[arg-type]


def failed(lab: Lab, host: LabHost | str = "", who: Credential | None = None, **how: object) -> TransportError:
    with pytest.raises(TransportError) as error:
        run(lab, host or lab.ca, who or credential(ADMIN, down_level=True), **how)
    return error.value


@pytest.mark.parametrize("tls", [False, True])
def test_one_command_one_string(fresh_lab: Lab, tls: bool) -> None:
    with fresh_lab.ticket(ADMIN):
        assert run(fresh_lab, fresh_lab.ca, TICKET, tls=tls) == "å: b"
    assert fresh_lab.ca.commands() == 1
    assert all(one["tls"] or one["encrypted"] for one in fresh_lab.ca.requests())


@pytest.mark.parametrize("down_level", [False, True])
def test_by_name_and_password(fresh_lab: Lab, down_level: bool) -> None:
    who = credential(ADMIN, down_level=down_level)
    assert run(fresh_lab, fresh_lab.ca, who, script="function Get-It { 'x' * 200000 }", call="Get-It") == "x" * 200000
    assert fresh_lab.ca.commands() == 1


def test_scripts_stay_out_of_logs(fresh_lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        run(fresh_lab, fresh_lab.ca, credential(ADMIN, down_level=True))
    assert "param(" not in caplog.text


def test_winrm_refused_logons(fresh_lab: Lab) -> None:
    denied = failed(fresh_lab, who=credential(READER, down_level=True))
    assert (denied.what, denied.code, denied.why) == ("access is denied", "0x80070005", "WinRM, code 5")
    wrong = failed(fresh_lab, who=Credential(ADMIN.down_level, Secret("wrong")))
    assert "refused the logon" in wrong.what
    assert "logon" in failed(fresh_lab, who=credential(LOCKED, down_level=True)).what
    assert "no Kerberos ticket" in failed(fresh_lab, who=TICKET).what


def test_winrm_refused_unknown_and_silent(fresh_lab: Lab) -> None:
    assert "nothing listens" in failed(fresh_lab, broken.NAME).what
    assert "not known" in failed(fresh_lab, "nowhere.contoso.test").what
    started = time.monotonic()
    with broken.silent(5985):
        assert "does not answer" in failed(fresh_lab, broken.NAME, deadline=1.0).what
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("verb", ["Create", "Command", "Receive"])
@pytest.mark.parametrize("when", ["before", "midway"])
def test_winrm_dropped(fresh_lab: Lab, verb: str, when: str) -> None:
    fresh_lab.ca.fail(Drop(verb, at=0, when=when))
    error = failed(fresh_lab, deadline=8.0)
    assert "lost" in error.what
    assert error.where == fresh_lab.ca.fqdn


def test_winrm_faults(fresh_lab: Lab) -> None:
    fresh_lab.ca.fail(Answer("Create", TOO_MANY_SHELLS))
    assert "no further session" in failed(fresh_lab).what
    fresh_lab.ca.fail(Status("Command", 503))
    assert failed(fresh_lab).code == "HTTP 503"
    fresh_lab.ca.fail(Rewrite("Create", "<s:Envelope", "<x"))
    assert "not WinRM" in failed(fresh_lab).what


def test_a_slow_script_ends_with_the_deadline(fresh_lab: Lab) -> None:
    started = time.monotonic()
    error = failed(fresh_lab, script="Start-Sleep -Seconds 60", call={}, deadline=2.0)
    assert "in time" in error.what or "does not answer" in error.what
    fresh_lab.ca.fail(Sleep("Receive", 30, at=0))
    assert "does not answer" in failed(fresh_lab, deadline=2.0).what
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("throw 'No'", "failed there"),
        ("Write-Error 'No'; 'x'", "failed there"),
        ("'a'; 'b'", "2 values"),
        ("$null = 1", "0 values"),
        ("5", "1 values"),
    ],
)
def test_what_a_collector_must_not_do(fresh_lab: Lab, script: str, said: str) -> None:
    assert said in failed(fresh_lab, script=script, call={}).what
