"""Bad input, live, through the real program: every target that fails is one clear line, and the others are read.

The servers that fail are real ones; the program is a process of its own, of which only streams and exit code are seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.lab import broken, contoso
from tests.lab.addresses import MACHINES, fqdn
from tests.lab.contoso import ADMIN, LOCKED, READER, Account
from tests.lab.estate import Lab
from tests.lab.ldap_relay import DropAtSearch, Silent
from tests.lab.program import ROOT, SECRETS, Ended, assert_clean, environment, remediate
from tests.lab.registry_file import number
from tests.lab.windows_hosts import policy_key
from tests.lab.winrm.faults import TOO_MANY_SHELLS, Answer, Drop, Rewrite, Status


def live(
    lab: Lab,
    *more: str,
    who: Account | None = ADMIN,
    dc: str = "",
    connectors: tuple[str, ...] = (),
    wrong: bool = False,
) -> Ended:
    """`plan --all` over the lab, with whatever is given besides."""
    where = ["--dc", dc or lab.dc, "--trust", str(lab.trust), "--template", contoso.INTUNE_TEMPLATE]
    user = ["--user", who.upn] if who else []
    hosts = [word for name in connectors or (lab.connector.fqdn,) for word in ("--connector", name)]
    return remediate("plan", "--all", *where, *user, *hosts, *more, with_environment=environment(wrong=wrong))


def told_of(ended: Ended, target: str) -> str:
    """The one line on stderr about a target."""
    [line] = [line for line in ended.told if line.startswith(f"remediate: {target}: ")]
    assert line.endswith(".")
    return line


def assert_incomplete(ended: Ended) -> None:
    assert ended.code == 1
    assert "The plan is incomplete: it can be read, not applied." in ended.out


# --- the domain controller ---------------------------------------------------------------------------------------

LOGONS: dict[str, tuple[Account | None, bool, str, str]] = {
    "wrong password": (ADMIN, True, "the user name or password is wrong", "Check both"),
    "locked": (LOCKED, False, "the account is locked", "Unlock"),
    "nobody": (Account("nobody", "x"), True, "Kerberos does not know this account", "NAME@REALM"),
    "no ticket": (None, False, "there is no Kerberos ticket", "Get a ticket with `kinit`, or name an account"),
}


@pytest.mark.parametrize("kind", LOGONS)
def test_a_refused_account_is_not_tried_on_every_host(fresh_lab: Lab, kind: str) -> None:
    who, wrong, said, do = LOGONS[kind]
    hosts = (fresh_lab.connector.fqdn, fresh_lab.hosts["conn2"].fqdn)
    ended = live(fresh_lab, "--ca", fresh_lab.ca.fqdn, who=who, wrong=wrong, connectors=hosts)
    assert_incomplete(ended)
    assert said in told_of(ended, fresh_lab.dc)
    assert do in told_of(ended, fresh_lab.dc)
    for host in (fresh_lab.ca.fqdn, *hosts):
        assert f"it was not tried ({fresh_lab.dc} refused the account)" in told_of(ended, host)
    assert len(ended.told) == 4
    assert [host.requests() for host in fresh_lab.hosts.values()] == [[], [], [], []]


@contextmanager
def faulty(lab: Lab, fault: DropAtSearch | Silent) -> Iterator[None]:
    lab.relay.fault = fault
    yield
    lab.relay.fault = None


def listening(behaviour: Callable[[Lab], broken.Behaviour]) -> Callable[[Lab], AbstractContextManager[None]]:
    return lambda lab: broken.listening(behaviour(lab), 636)


CONTROLLERS: dict[str, tuple[Callable[[Lab], AbstractContextManager[None]], str, str]] = {
    "unknown": (lambda _: nullcontext(), "nowhere.contoso.test", "its name is not known"),
    "refused": (lambda _: nullcontext(), broken.NAME, "nothing listens on that port"),
    "silent": (lambda _: broken.silent(636), broken.NAME, "it does not answer"),
    "silent after the handshake": (lambda lab: faulty(lab, Silent()), fqdn("dc1"), "it does not answer"),
    "expired": (listening(lambda lab: broken.expired(lab.root, lab.folder / "b")), broken.NAME, "has expired"),
    "foreign": (listening(lambda lab: broken.foreign(lab.folder / "b")), broken.NAME, "is not trusted here"),
    "plain": (listening(lambda _: broken.plain_http), broken.NAME, "does not speak TLS"),
    "reset": (listening(lambda _: broken.reset), broken.NAME, "the connection was lost"),
    "lost midway": (lambda lab: faulty(lab, DropAtSearch(4)), fqdn("dc1"), "the connection was lost"),
}


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_a_controller_that_fails_is_one_line_and_the_hosts_are_tried(fresh_lab: Lab, kind: str) -> None:
    fails, name, said = CONTROLLERS[kind]
    with fails(fresh_lab):
        ended = live(fresh_lab, "--timeout", "3", dc=name, connectors=(fqdn("host06"),))
    assert_incomplete(ended)
    assert said in told_of(ended, name)
    assert "nothing listens" in told_of(ended, fqdn("host06"))
    assert len(ended.told) == 2
    assert "UNKNOWN" in ended.out


def test_hosts_are_read_without_a_controller(fresh_lab: Lab) -> None:
    ended = live(fresh_lab, "--ca", fresh_lab.ca.fqdn, dc=broken.NAME)
    assert_incomplete(ended)
    assert len(ended.told) == 1
    assert fresh_lab.ca.commands() == fresh_lab.connector.commands() == 1


def test_a_password_that_no_controller_could_check_is_tried_on_one_host(fresh_lab: Lab) -> None:
    connectors = (fqdn("host06"), fresh_lab.connector.fqdn, fresh_lab.hosts["conn2"].fqdn)
    ended = live(fresh_lab, "--ca", fresh_lab.ca.fqdn, dc=broken.NAME, who=ADMIN, wrong=True, connectors=connectors)
    assert_incomplete(ended)
    assert "refused the logon" in told_of(ended, fresh_lab.ca.fqdn)
    for host in connectors:
        assert f"it was not tried ({fresh_lab.ca.fqdn} refused the account)" in told_of(ended, host)


# --- hosts -------------------------------------------------------------------------------------------------------

BAD_HOSTS: dict[str, tuple[str, str]] = {
    "host01": ("its certificate has expired", "Renew"),
    "host02": ("that is not trusted here", "(--trust)"),
    "host03": ("what answers there does not speak TLS", "Check the port"),
    "host04": ("the connection was lost", "run again"),
    "host06": ("nothing listens on that port", "firewall"),
    "nowhere": ("its name is not known", "Check the spelling"),
}


def test_every_host_that_fails_over_https_is_one_line_and_the_others_are_read(fresh_lab: Lab, tmp_path: Path) -> None:
    lab, port = fresh_lab, 5986
    behaviours = {
        "host01": broken.expired(lab.root, tmp_path, fqdn("host01")),
        "host02": broken.foreign(tmp_path, fqdn("host02")),
        "host03": broken.plain_http,
        "host04": broken.reset,
    }
    with ExitStack() as stack:
        for name, behaviour in behaviours.items():
            stack.enter_context(broken.listening(behaviour, port, MACHINES[name]))
        ended = live(lab, "--tls", connectors=(lab.connector.fqdn, *map(fqdn, BAD_HOSTS)))
    assert_incomplete(ended)
    for name, (said, do) in BAD_HOSTS.items():
        assert said in told_of(ended, fqdn(name))
        assert do in told_of(ended, fqdn(name))
    assert len(ended.told) == len(BAD_HOSTS)
    assert lab.ca.commands() == lab.connector.commands() == 1


def test_a_silent_host_has_a_deadline_of_its_own(fresh_lab: Lab) -> None:
    started = time.monotonic()
    with broken.silent(5985, MACHINES["host05"]):
        ended = live(fresh_lab, "--timeout", "2", "--ca", fqdn("host06"), connectors=(fqdn("host05"),))
    assert time.monotonic() - started < 20
    assert_incomplete(ended)
    assert "it does not answer (it was waited for until the deadline)" in told_of(ended, fqdn("host05"))
    assert "allow more time (--timeout)" in told_of(ended, fqdn("host05"))
    assert "nothing listens" in told_of(ended, fqdn("host06"))


def test_hosts_that_fail_in_the_middle(fresh_lab: Lab) -> None:
    lab = fresh_lab
    lab.connector.fail(Drop("Receive", at=0, when="midway"))
    lab.hosts["conn2"].fail(Answer("Create", TOO_MANY_SHELLS))
    with broken.listening(broken.plain_http, 5985, MACHINES["host01"]):
        ended = live(lab, connectors=(*(lab.hosts[name].fqdn for name in ("conn1", "conn2")), fqdn("host01")))
    assert_incomplete(ended)
    assert "the connection was lost" in told_of(ended, fqdn("conn1"))
    assert "the host allows this account no further session (WinRM, code 2150859173)" in told_of(ended, fqdn("conn2"))
    assert told_of(ended, fqdn("host01"))
    assert lab.ca.commands() == 1
    lab.connector.fail(Status("Command", 503))
    lab.hosts["conn2"].fail(Rewrite("Create", "<s:Envelope", "<x"))
    ended = live(lab, connectors=(fqdn("conn1"), fqdn("conn2")))
    assert_incomplete(ended)
    assert "WinRM is not ready to serve (HTTP status 503)" in told_of(ended, fqdn("conn1"))
    assert "what answers there is not WinRM" in told_of(ended, fqdn("conn2"))


def test_no_right_to_the_hosts(fresh_lab: Lab, tmp_path: Path) -> None:
    ended = live(fresh_lab, "--keep-facts", str(tmp_path / "kept"), who=READER)
    assert_incomplete(ended)
    for host in (fresh_lab.ca, fresh_lab.connector):
        assert "access is denied (WinRM, code 5). The account needs to be in" in told_of(ended, host.fqdn)
    assert "contoso.test, read " in ended.out
    kept = {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()}
    assert "0x80070005" in kept["failures.json"]
    assert not [name for name, text in kept.items() for secret in SECRETS if secret in text]


# What the hosts are made to run in place of the collector; the rest of the way is the real one.
SPOILT = r"""
import remediate.cli.facts as facts
real = facts.collector_call
spoilt = {
    "ca01": lambda call: f"({call}).Substring(0, 300)",
    "conn1": lambda call: "'Access is denied.'",
    "conn2": lambda call: f"({call}) -replace '\"format_version\":\\s*\"1', '\"format_version\":\"9'",
}
facts.collector_call = lambda request: spoilt[request.host.partition(".")[0]](real(request))
from remediate.cli.main import program
program()
"""


def test_collectors_that_say_what_is_no_document(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    command = [sys.executable, "-c", SPOILT, "collect", "--out", "facts.zip", "--dc", lab.dc, "--trust", str(lab.trust),
               "--user", ADMIN.upn, "--connector", fqdn("conn1"), "--connector", fqdn("conn2")]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert_clean(ended.out, ended.err)
    assert ended.code == 1
    assert "its collector's answer is cut off or not JSON" in told_of(ended, fqdn("ca01"))
    assert "its collector's answer is cut off or not JSON" in told_of(ended, fqdn("conn1"))
    assert "its collector writes format 9" in told_of(ended, fqdn("conn2"))
    assert "the directory, 0 CA hosts, 0 connector hosts; Intune not asked" in ended.out.replace(", Intune", "; Intune")
    again = remediate("plan", "--all", "--bundle", str(tmp_path / "facts.zip"), folder=tmp_path)
    assert again.code == 1
    assert told_of(again, fqdn("conn2")) == told_of(ended, fqdn("conn2"))


# --- the directory's content -------------------------------------------------------------------------------------


def test_a_directory_without_ad_cs(fresh_lab: Lab) -> None:
    dn = contoso.ENROLLMENT_SERVICES_DN
    with fresh_lab.domain.restored(dn):
        # Who may not list a container sees an empty one. Deleted and made anew, the service would not be the same.
        fresh_lab.domain.set_dacl(dn, f"D:PAI(D;;LC;;;AU)(A;;{contoso.FULL};;;DA)(A;;LCRPLORC;;;AU)")
        ended = live(fresh_lab, connectors=(fqdn("host06"),))
    assert_incomplete(ended)
    assert "the directory names no enterprise CA" in told_of(ended, fresh_lab.dc)
    assert "--ca" in told_of(ended, fresh_lab.dc)
    assert told_of(ended, fqdn("host06"))


def test_a_template_that_is_not_there(fresh_lab: Lab) -> None:
    ended = live(fresh_lab, "--template", "NoSuchTemplate")
    assert ended.code == 2
    assert "No template is called NoSuchTemplate." in ended.out


def test_two_cas_of_one_name_stay_two(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with lab.second_ca(contoso.INTUNE_TEMPLATE) as dn:
        lab.domain.replace(dn, {"displayName": [contoso.ISSUING_CA]})
        lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101))
        ended = live(lab, "--out", str(tmp_path / "plan.json"))
    assert ended.code in {1, 2}
    assert "CA Contoso Issuing CA on ca01" in ended.out
    assert "CA Contoso Issuing CA on ca02" in ended.out
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert [action["address"].split()[0] for action in plan["actions"]] == ["ca01", "ca01"]


def test_the_right_to_read_a_descriptor_is_missing(fresh_lab: Lab) -> None:
    dn = fresh_lab.domain.template_dn(contoso.INTUNE_TEMPLATE)
    with fresh_lab.domain.restored(dn):
        fresh_lab.domain.set_dacl(dn, f"D:PAI(D;;RC;;;AU)(A;;{contoso.FULL};;;DA)(A;;LCRPLO;;;AU)")
        ended = live(fresh_lab)
    assert_incomplete(ended)
    assert "nTSecurityDescriptor" in ended.out
    assert "the account may not read it" in ended.out


PARTIAL_SECRETS = "1.2.840.113556.1.4.1920"
"""LDAP_CAP_ACTIVE_DIRECTORY_PARTIAL_SECRETS_OID, [MS-ADTS] 3.1.1.3.4.3."""


@contextmanager
def read_only(lab: Lab) -> Iterator[None]:
    """Samba announces itself as a read-only domain controller does."""
    announce(lab, "add")
    try:
        yield
    finally:
        announce(lab, "delete")


def announce(lab: Lab, change: str) -> None:
    record = (
        f"dn: @ROOTDSE\nchangetype: modify\n{change}: supportedCapabilities\nsupportedCapabilities: {PARTIAL_SECRETS}\n"
    )
    database = str(lab.folder / "dc" / "private" / "sam.ldb")
    subprocess.run(["ldbmodify", "-H", database], input=record, text=True, capture_output=True, check=True)


def test_a_read_only_controller_may_be_read_and_is_said(fresh_lab: Lab, tmp_path: Path) -> None:
    with read_only(fresh_lab):
        ended = live(fresh_lab, "--keep-facts", str(tmp_path / "kept"), "--out", str(tmp_path / "live.json"))
    assert ended.code == 0
    assert "is a read-only domain controller" in " ".join(ended.out.split())
    assert "need a writable one (--dc)" in " ".join(ended.out.split())
    offline = [
        "--template",
        contoso.INTUNE_TEMPLATE,
        "--bundle",
        str(tmp_path / "kept"),
        "--out",
        str(tmp_path / "b.json"),
    ]
    again = remediate("plan", "--all", *offline)
    assert "is a read-only domain controller" in " ".join(again.out.split())
    plans = [json.loads((tmp_path / name).read_text()) for name in ("live.json", "b.json")]
    assert plans[0]["plan_id"] == plans[1]["plan_id"]
    assert "read-only" not in live(fresh_lab).out


def test_a_connector_that_runs_as_an_account_of_another_domain(fresh_lab: Lab) -> None:
    services: dict[str, Any] = fresh_lab.connector.state()["services"]
    changed = {name: {**service, "StartName": "CHILD\\svc"} for name, service in services.items()}
    fresh_lab.connector.change_state(services=changed)
    ended = live(fresh_lab)
    assert_incomplete(ended)
    assert "CHILD\\svc is not of a domain of this forest" in ended.out


# --- before anything is contacted ------------------------------------------------------------------------------------


PLACES = [("--out", "missing/p.json"), ("--keep-facts", "file"), ("--trust", "no.pem"), ("--intune", "missing")]


def test_what_cannot_be_written_or_trusted_is_told_before_anything_is_contacted(fresh_lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    before = fresh_lab.relay.connections
    for option, place in PLACES:
        ended = live(fresh_lab, option, str(tmp_path / place))
        assert ended.code == (64 if option == "--trust" else 1)
        assert len(ended.told) == 1
        assert str(tmp_path / place) in ended.told[0]
    where = ["--dc", fresh_lab.dc, "--user", ADMIN.upn, "--out", str(tmp_path / "file")]
    assert remediate("collect", *where).code == 1
    assert fresh_lab.relay.connections == before
    assert (tmp_path / "file").read_text() == "mine"
    assert ROOT.is_dir()
