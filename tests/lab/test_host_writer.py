"""Every kind of action on a host, live: written, written again, undone, refused where somebody else was faster.

What stands on the host afterwards is compared with what stood there; the registry's recorder shows what was written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from remediate.actions.states import UNANSWERED, before_and_after
from remediate.actions.writing import Drift, WriteFailed, Writer
from remediate.model.errors import TransportError
from remediate.model.plan import Action
from remediate.transports import winrm_session
from remediate.transports.winrm_write import HostWriter
from tests.lab.contoso import ADMIN, LOCKED, READER
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.registry_file import number, text
from tests.lab.windows_hosts import CERTSVC, policy_key
from tests.lab.writing_material import (
    WAITING,
    credential,
    defined_ca,
    disposition,
    exclusions,
    pending,
    policy_server,
    service,
    writer,
)

Plant = Callable[[LabHost], Action]


def planted_disposition(host: LabHost) -> Action:
    host.registry.set(policy_key(), "RequestDisposition", number(257))
    return disposition(host)


def stopped(host: LabHost) -> Action:
    change_service(host, "Stopped")
    return service(host, "start_service", "Stopped")


def change_service(host: LabHost, state: str) -> None:
    services = host.state()["services"]
    host.change_state(services=services | {"CertSvc": services["CertSvc"] | {"State": state}})


def waiting(host: LabHost) -> Action:
    host.change_state(pending_requests=[WAITING])
    return pending(host)


def restart(host: LabHost) -> Action:
    return service(host, "restart_service", "Running")


def known_servers(host: LabHost) -> Action:
    host.registry.set(r"HKLM:\SOFTWARE\Microsoft\Cryptography\PolicyServers", "Flags", number(0))
    return policy_server(host)


KINDS: dict[str, tuple[str, Plant]] = {
    "a value": ("ca01", planted_disposition),
    "an absent value": ("ca01", defined_ca),
    "start": ("ca01", stopped),
    "policy server": ("conn1", known_servers),
    "exclusions": ("conn1", exclusions),
}
ALL = KINDS | {"restart": ("ca01", restart), "pending request": ("ca01", waiting)}


@pytest.fixture
def open_writer(fresh_lab: Lab) -> Iterator[Callable[..., HostWriter]]:
    """A writer for a host of the fresh lab; closed at the end."""
    opened: list[HostWriter] = []

    def new(host: LabHost | str, *more: Any, **how: Any) -> HostWriter:
        opened.append(writer(fresh_lab, host, *more, **how))
        return opened[-1]

    yield new
    for one in opened:
        one.close()


def everything(host: LabHost) -> tuple[dict[str, Any], dict[str, Any]]:
    """Registry and state, but for events, which only ever grow, and for keys that only stand above others."""
    keys = json.loads(host.registry.path.read_text())["keys"]
    kept = {key: value for key, value in keys.items() if value.get("values")}
    return kept, {name: value for name, value in host.state().items() if name != "events"}


def starts(host: LabHost) -> int:
    return sum(event["Id"] == 26 for event in host.state()["events"])


def test_it_is_a_writer(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    found: Writer = open_writer(fresh_lab.ca)
    assert found.target == fresh_lab.ca.fqdn


@pytest.mark.parametrize("kind", KINDS)
def test_written_written_again_and_undone(fresh_lab: Lab, kind: str, open_writer: Callable[..., HostWriter]) -> None:
    name, plant = KINDS[kind]
    host = fresh_lab.hosts[name]
    action = plant(host)
    before, after = before_and_after(action)
    start, one = everything(host), open_writer(host)
    assert one.read(action) == before
    one.write(action, before=before, after=after)
    assert one.read(action) == after
    changed, writes = everything(host), len(host.registry.writes())
    assert changed != start
    with pytest.raises(Drift) as again:
        one.write(action, before=before, after=after)
    assert again.value.now == after
    assert everything(host) == changed
    assert len(host.registry.writes()) == writes
    one.write(action, before=after, after=before)
    assert one.read(action) == before
    assert everything(host) == start


def test_one_session_serves_all_of_it(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    host, one = fresh_lab.ca, open_writer(fresh_lab.ca)
    for action in (planted_disposition(host), defined_ca(host), restart(host)):
        before, after = before_and_after(action)
        one.read(action)
        one.write(action, before=before, after=after)
    verbs = [request["verb"] for request in host.requests()]
    assert verbs.count("Create") == 1
    assert all(request["encrypted"] for request in host.requests())


def test_over_tls_and_by_ticket(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    action = planted_disposition(fresh_lab.ca)
    before, after = before_and_after(action)
    open_writer(fresh_lab.ca, tls=True).write(action, before=before, after=after)
    assert {request["tls"] for request in fresh_lab.ca.requests()} == {True}
    with fresh_lab.ticket(ADMIN):
        assert writer_by_ticket(fresh_lab).read(action) == after


def writer_by_ticket(lab: Lab) -> HostWriter:
    from remediate.transports.credentials import Credential
    from tests.lab.writing_material import LIBRARY

    return HostWriter(lab.ca.fqdn, Credential(), library=LIBRARY, deadline=20.0)


def test_a_restart_is_never_left_out(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    host, action = fresh_lab.ca, restart(fresh_lab.ca)
    before, after = before_and_after(action)
    one = open_writer(host)
    for times in (1, 2):
        remark = one.write(action, before=before, after=after)
        assert "Running after" in remark
        assert "certutil -ping" in remark
        assert starts(host) == times
    change_service(host, "Stopped")
    assert "Running after" in one.write(action, before={"State": "Stopped"}, after=after)
    assert one.read(action) == after
    assert host.registry.writes() == []


def test_a_request_is_decided_and_cannot_be_undone(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    action, one = waiting(fresh_lab.ca), open_writer(fresh_lab.ca)
    before, after = before_and_after(action)
    assert one.write(action, before=before, after=after) == "issued"
    assert one.read(action) == after
    with pytest.raises(Drift, match="already") as again:
        one.write(action, before=before, after=after)
    assert again.value.now == after
    with pytest.raises(ValueError, match="no command"):
        one.write(action, before=after, after=before)


# --- somebody was faster ------------------------------------------------------------------------------------------

DRIFT: dict[str, tuple[str, Plant, Callable[[LabHost], object], dict[str, str | None]]] = {
    "a value": (
        "ca01", planted_disposition, lambda host: host.registry.set(policy_key(), "RequestDisposition", number(2)),
        {"RequestDisposition": "2"},
    ),
    "start": ("ca01", stopped, lambda host: change_service(host, "Paused"), {"State": "Paused"}),
    "restart": ("ca01", restart, lambda host: change_service(host, "Stopped"), {"State": "Stopped"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", DRIFT)
def test_drift_is_refused(fresh_lab: Lab, kind: str, open_writer: Callable[..., HostWriter]) -> None:
    name, plant, change, now = DRIFT[kind]
    host = fresh_lab.hosts[name]
    action = plant(host)
    before, after = before_and_after(action)
    change(host)
    host.forget()
    stands, one = everything(host), open_writer(host)
    with pytest.raises(Drift) as error:
        one.write(action, before=before, after=after)
    assert error.value.now == now
    assert host.fqdn in error.value.where
    assert everything(host) == stands
    assert host.registry.writes() == []


def test_exclusions_that_another_changed_are_drift(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    host, action = fresh_lab.connector, exclusions(fresh_lab.connector)
    before, after = before_and_after(action)
    host.change_state(mp_preference={"ExclusionPath": None, "DisableLocalAdminMerge": False})
    with pytest.raises(Drift) as error:
        open_writer(host).write(action, before=before, after=after)
    assert error.value.now == dict.fromkeys(after)
    assert host.state()["mp_preference"]["ExclusionPath"] is None


def test_another_active_ca_is_refused_as_drift(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    action = planted_disposition(fresh_lab.ca)
    before, after = before_and_after(action)
    fresh_lab.ca.registry.set(CERTSVC, "Active", text("Another CA"))
    fresh_lab.ca.forget()
    with pytest.raises(Drift) as error:
        open_writer(fresh_lab.ca).write(action, before=before, after=after)
    assert error.value.now == before
    assert fresh_lab.ca.registry.writes() == []


# --- the host refuses ---------------------------------------------------------------------------------------------

REFUSALS: dict[str, tuple[str, Plant, dict[str, str], str]] = {
    "restart": ("ca01", restart, {"Restart-Service": "access denied"}, "RemediateFailed"),
    "start": ("ca01", stopped, {"Start-Service": "stays stopped"}, "RemediateFailed"),
    "exclusions": ("conn1", exclusions, {"Add-MpPreference": "access denied"}, "RemediateFailed"),
    "group policy": ("conn1", exclusions, {"Add-MpPreference": "ignored"}, "RemediateNotAsWritten"),
    "policy server": (
        "conn1", known_servers, {"Add-CertificateEnrollmentPolicyServer": "unreachable"}, "RemediateFailed",
    ),
    "list": ("conn1", known_servers, {"Add-CertificateEnrollmentPolicyServer": "ignored"}, "RemediateNotAsWritten"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_write_that_the_host_refuses(fresh_lab: Lab, kind: str, open_writer: Callable[..., HostWriter]) -> None:
    name, plant, failures, identity = REFUSALS[kind]
    host = fresh_lab.hosts[name]
    action = plant(host)
    before, after = before_and_after(action)
    host.change_state(failures=failures)
    stands, one = everything(host), open_writer(host)
    with pytest.raises(WriteFailed) as error:
        one.write(action, before=before, after=after)
    assert (error.value.code, error.value.unresolved) == (identity, False)
    assert host.fqdn in error.value.where
    assert everything(host) == stands
    assert one.read(action) == before


@pytest.mark.parametrize(("kind", "plant"), [("restart", restart), ("start", stopped)])
def test_a_service_that_runs_and_does_not_answer_is_unresolved(
    fresh_lab: Lab, kind: str, plant: Plant, open_writer: Callable[..., HostWriter]
) -> None:
    """It was started: doing it again because nobody answered yet would only take the CA away once more."""
    host = fresh_lab.ca
    action = plant(host)
    before, after = before_and_after(action)
    host.change_state(failures={"certutil -ping": "0x800706BA"})
    with pytest.raises(WriteFailed) as error:
        open_writer(host, service_deadline=4.0).write(action, before=before, after=after)
    assert (error.value.code, error.value.unresolved, error.value.now) == ("RemediateNoAnswer", True, UNANSWERED)
    assert "runs, but did not answer" in error.value.what
    assert starts(host) == 1


def test_a_write_that_failed_and_reads_otherwise_is_unresolved(
    fresh_lab: Lab, open_writer: Callable[..., HostWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what reads as before was certainly not written."""
    host, action = fresh_lab.connector, exclusions(fresh_lab.connector)
    before, after = before_and_after(action)
    host.change_state(failures={"Add-MpPreference": "access denied"})
    one = open_writer(host)
    answers = [one.read(action), dict(after)]
    monkeypatch.setattr(one, "read", lambda _action: answers.pop(0))
    with pytest.raises(WriteFailed) as error:
        one.write(action, before=before, after=after)
    assert (error.value.code, error.value.unresolved, error.value.now) == ("RemediateFailed", True, after)


def test_the_same_by_another_in_the_very_moment_is_not_ours(
    fresh_lab: Lab, open_writer: Callable[..., HostWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer has read, and another is done before its command begins: the function says that it wrote nothing."""
    host, action = fresh_lab.connector, exclusions(fresh_lab.connector)
    before, after = before_and_after(action)
    one, other = open_writer(host), open_writer(host)
    change = one._change

    def faster(*call: Any) -> list[Any]:
        other.write(action, before=before, after=after)
        return change(*call)

    monkeypatch.setattr(one, "_change", faster)
    with pytest.raises(Drift) as error:
        one.write(action, before=before, after=after)
    assert error.value.now == after


def test_a_key_that_may_not_be_written(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    action = planted_disposition(fresh_lab.ca)
    before, after = before_and_after(action)
    fresh_lab.ca.registry.deny(policy_key(), "write")
    fresh_lab.ca.forget()
    with pytest.raises(WriteFailed) as error:
        open_writer(fresh_lab.ca).write(action, before=before, after=after)
    assert (error.value.code, error.value.unresolved) == ("RemediateFailed", False)
    assert "0x80070005" in error.value.what
    assert fresh_lab.ca.registry.writes() == []


def test_what_cannot_be_read_is_said(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    one, action = open_writer(fresh_lab.connector), disposition(fresh_lab.connector)
    with pytest.raises(TransportError) as error:
        one.read(action)
    assert error.value.code == "RemediateRefused"
    assert "does not exist" in error.value.what
    assert fresh_lab.connector.registry.writes() == []


# --- who the host is, and what the account may do -----------------------------------------------------------------


def test_identity(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    ca, connector = open_writer(fresh_lab.ca).identity(), open_writer(fresh_lab.connector).identity()
    assert ca["certificate_thumbprint"] == "".join(fresh_lab.issuing.thumbprint.split()).upper()
    assert set(connector) == {"ComputerName", "MachineGuid"}
    assert (ca["ComputerName"], connector["ComputerName"]) == ("CA01", "CONN1")
    assert ca["MachineGuid"] != connector["MachineGuid"]


@pytest.mark.parametrize("kind", ALL)
def test_an_administrator_lacks_nothing(fresh_lab: Lab, kind: str, open_writer: Callable[..., HostWriter]) -> None:
    name, plant = ALL[kind]
    host = fresh_lab.hosts[name]
    action = plant(host)
    host.forget()
    stands = everything(host)
    assert open_writer(host).lacks(action) == ""
    assert everything(host) == stands
    assert host.registry.writes() == []


def test_whoever_gets_no_session_lacks_it(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    one, action = open_writer(fresh_lab.ca, READER), disposition(fresh_lab.ca)
    assert "session" in one.lacks(action)
    with pytest.raises(TransportError) as error:
        one.write(action, before={"RequestDisposition": "1"}, after={"RequestDisposition": "257"})
    assert error.value.code == "0x80070005"
    assert fresh_lab.ca.registry.writes() == []


def test_whoever_is_no_administrator_there(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    host, one = fresh_lab.ca, open_writer(fresh_lab.ca)
    who = host.state()["whoami"]
    host.change_state(whoami=who | {"elevated": False})
    assert "S-1-5-32-544" in one.lacks(disposition(host))
    host.change_state(whoami=who | {"groups": [["Alle", "Bekannte Gruppe", "S-1-1-0", ""]]})
    assert "S-1-5-32-544" in one.lacks(disposition(host))


def test_control_of_the_service(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    host, one, action = fresh_lab.ca, open_writer(fresh_lab.ca), restart(fresh_lab.ca)
    host.change_state(failures={"ServiceHandle": "access denied", "Restart-Service": "access denied"})
    assert "CertSvc" in one.lacks(action)
    assert one.lacks(disposition(host)) == ""
    with pytest.raises(WriteFailed):
        one.write(action, before={"State": "Running"}, after={"State": "Running"})


# --- the session --------------------------------------------------------------------------------------------------


def test_an_idle_connection_is_not_trusted(
    fresh_lab: Lab, open_writer: Callable[..., HostWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = open_writer(fresh_lab.ca)
    one.identity()
    monkeypatch.setattr(winrm_session, "_IDLE", 0.0)
    time.sleep(0.01)
    one.identity()
    verbs = [request["verb"] for request in fresh_lab.ca.requests()]
    assert (verbs.count("Create"), verbs.count("Delete")) == (2, 1)


def test_closing_ends_the_session_and_a_call_begins_one(fresh_lab: Lab, open_writer: Callable[..., HostWriter]) -> None:
    one = open_writer(fresh_lab.ca)
    one.close()
    one.identity()
    one.close()
    one.close()
    assert one.identity()
    assert [request["verb"] for request in fresh_lab.ca.requests()].count("Delete") == 1


def test_no_logon_no_write(fresh_lab: Lab) -> None:
    one = writer(fresh_lab, fresh_lab.ca, LOCKED)
    with pytest.raises(TransportError) as error:
        one.identity()
    assert "logon" in error.value.what
    assert LOCKED.password not in str(error.value)
    assert (credential(LOCKED).user or "nobody") not in str(error.value)
    one.close()
