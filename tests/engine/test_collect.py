"""Live collection over in-memory sources: order, failures, what is looked up in the second phase."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from typing import Any

import msgspec
import pytest

from remediate.engine.collect import (
    HostRequest,
    Wanted,
    collect,
    connector_accounts,
    decode,
    enrollment_service_hosts,
)
from remediate.facts.callers import netbios_name_of
from remediate.facts.documents import DirectoryDocument, Entry, Octets
from remediate.model.errors import DocumentError, TransportError, UsageError
from remediate.model.fact import Fact, Unreadable

READ_AT = "2026-11-23T09:12:00Z"


def _reading(role: str, host: str) -> dict[str, Any]:
    return {"format_version": "1.0", "role": role, "collector": "test", "read_from": host, "read_at": READ_AT,
            "read_as": "CONTOSO\\admin"}  # fmt: skip


def _host(role: str, host: str, **more: object) -> str:
    short, _, domain = host.partition(".")
    machine = {"computer_name": short, "dns_host_name": {"value": host}, "domain": {"value": domain}}
    return json.dumps({**_reading(role, host), "machine": machine, **more})


def _service(start_name: str) -> dict[str, str]:
    return {"name": "PkiCreateConnectorSvc", "state": "Running", "start_mode": "Auto", "start_name": start_name}


def _enrollment_service(name: str, host: str) -> Entry:
    attributes: dict[str, list[str | Octets]] = {"objectClass": ["top", "pKIEnrollmentService"], "dNSHostName": [host]}
    return Entry(f"CN={name},CN=Enrollment Services", attributes)


CONTOSO = Entry("CN=CONTOSO,CN=Partitions", {"dnsRoot": ["contoso.test"], "nETBIOSName": ["CONTOSO"]})
DIRECTORY = DirectoryDocument(
    **_reading("directory", "dc1.contoso.test"),
    root_dse=Entry("", {}),
    partitions=Fact(value=[CONTOSO]),
    public_key_services=Fact(
        value=[_enrollment_service("B", "ca02.contoso.test"), _enrollment_service("A", "ca01.contoso.test")]
    ),
)


class Directory:
    """A directory in memory that keeps what it was asked."""

    def __init__(self, *, begin: TransportError | None = None, finish: TransportError | None = None) -> None:
        self.begin_error, self.finish_error = begin, finish
        self.asked: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    def begin(self) -> DirectoryDocument:
        if self.begin_error:
            raise self.begin_error
        return DIRECTORY

    def finish(self, accounts: tuple[str, ...], computers: tuple[str, ...]) -> DirectoryDocument:
        self.asked = (accounts, computers)
        if self.finish_error:
            raise self.finish_error
        return DIRECTORY


def _answers(request: HostRequest) -> str:
    more = {"services": {"value": [_service("LocalSystem")]}} if request.role == "connector" else {}
    return _host(request.role, request.host, **more)


WANTED = Wanted(directory="dc1", connectors=("conn1.contoso.test",))


def test_hosts_of_the_enrollment_services_are_read_and_the_connector_hears_of_them() -> None:
    seen: list[HostRequest] = []

    def read(request: HostRequest) -> str:
        seen.append(request)
        return _answers(request)

    snapshot = collect(Directory(), read, wanted=WANTED)
    assert [item.read_from for item in snapshot.certification_authorities] == ["ca01.contoso.test", "ca02.contoso.test"]
    assert [item.read_from for item in snapshot.connectors] == ["conn1.contoso.test"]
    told = next(request for request in seen if request.role == "connector")
    assert told.certification_authorities == ("ca01.contoso.test", "ca02.contoso.test")
    assert snapshot.failures == ()


def test_given_ca_hosts_take_the_place_of_the_discovered_ones() -> None:
    wanted = msgspec.structs.replace(WANTED, certification_authorities=("CA02.contoso.test", "ca02.contoso.test"))
    snapshot = collect(Directory(), _answers, wanted=wanted)
    assert [item.read_from.lower() for item in snapshot.certification_authorities] == ["ca02.contoso.test"]


def test_a_host_that_is_named_in_two_ways_is_one() -> None:
    def read(request: HostRequest) -> str:
        return _host(request.role, "ca01.contoso.test") if request.role == "ca" else _answers(request)

    wanted = msgspec.structs.replace(WANTED, certification_authorities=("CA01", "pki.contoso.test"))
    [document] = collect(Directory(), read, wanted=wanted).certification_authorities
    assert document.machine.dns_host_name.value == "ca01.contoso.test"


def test_the_directory_is_asked_for_the_calling_account_and_all_computers() -> None:
    directory = Directory()
    collect(directory, _answers, wanted=WANTED)
    assert directory.asked == (
        ("CONTOSO\\CONN1$",),
        ("ca01.contoso.test", "ca02.contoso.test", "conn1.contoso.test"),
    )


@pytest.mark.parametrize(
    ("start_name", "account"),
    [
        ("LocalSystem", ("CONTOSO\\CONN1$",)),
        ("NT AUTHORITY\\NetworkService", ("CONTOSO\\CONN1$",)),
        ("NT SERVICE\\PkiCreateConnectorSvc", ("CONTOSO\\CONN1$",)),
        ("CONTOSO\\gmsa$", ("CONTOSO\\gmsa$",)),
        ("svc@contoso.test", ("svc@contoso.test",)),
        (".\\local", ()),
        ("NT AUTHORITY\\LocalService", ()),
        ("", ()),
    ],
)
def test_account_that_calls_the_ca(start_name: str, account: tuple[str, ...]) -> None:
    text = _host("connector", "conn1.contoso.test", services={"value": [_service(start_name)]})
    assert connector_accounts([decode(text, role="connector", host="conn1")], DIRECTORY) == account


def test_one_host_that_fails_stops_no_other() -> None:
    def read(request: HostRequest) -> str:
        if request.host.startswith("ca01"):
            raise TransportError("access is denied", where=request.host, why="WinRM", do="Ask.", code="0x80070005")
        return _answers(request)

    snapshot = collect(Directory(), read, wanted=WANTED)
    (failed,) = snapshot.failures
    assert (failed.role, failed.target, failed.what, failed.code) == (
        "ca", "ca01.contoso.test", "access is denied", "0x80070005",
    )  # fmt: skip
    assert len(snapshot.certification_authorities) == 1
    assert len(snapshot.connectors) == 1


def test_a_directory_that_fails_leaves_the_hosts_that_were_given() -> None:
    wanted = msgspec.structs.replace(WANTED, certification_authorities=("ca01.contoso.test",))
    snapshot = collect(Directory(begin=TransportError("it does not answer", where="dc1")), _answers, wanted=wanted)
    assert snapshot.directory is None
    assert [(failed.role, failed.what) for failed in snapshot.failures] == [("directory", "it does not answer")]
    assert len(snapshot.certification_authorities) == len(snapshot.connectors) == 1


def test_a_directory_that_is_lost_in_the_second_phase_is_a_failure() -> None:
    snapshot = collect(Directory(finish=TransportError("the connection was lost")), _answers, wanted=WANTED)
    assert snapshot.directory is None
    assert [failed.role for failed in snapshot.failures] == ["directory"]


def test_a_usage_error_is_not_hidden_as_a_failure() -> None:
    def read(request: HostRequest) -> str:
        raise UsageError("no such host name")

    with pytest.raises(UsageError):
        collect(Directory(), read, wanted=WANTED)


GOOD = _host("ca", "ca01.contoso.test")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cut off or not JSON (it is empty)"),
        (GOOD[:-9], "cut off or not JSON"),
        ("Access denied", "cut off or not JSON"),
        ("[]", "cut off or not JSON"),
        ("{}", "not a document of facts"),
        (GOOD.replace('"1.0"', '"2.0"'), "writes format 2.0"),
        (GOOD.replace('"1.0"', "1"), "cut off or not JSON"),
        (GOOD.replace('"role": "ca"', '"role": "connector"'), "that of a connector, not of a ca"),
        (GOOD.replace('"computer_name": "ca01"', '"computer_name": 7'), "does not fit"),
    ],
)
def test_output_that_is_no_document_is_one_clear_failure(text: str, told: str) -> None:
    with pytest.raises(DocumentError) as caught:
        decode(text, role="ca", host="ca01")
    assert told in str(caught.value)
    assert str(caught.value).startswith("ca01: ")
    wanted = Wanted(directory="dc1", certification_authorities=("ca01",))
    (failed,) = collect(Directory(), lambda _request: text, wanted=wanted).failures
    assert failed.target == "ca01"


def test_a_minor_version_and_unknown_properties_are_read() -> None:
    text = GOOD.replace('"1.0"', '"1.7"').replace("{", '{"new": 1, ', 1)
    assert decode(text, role="ca", host="ca01").read_from == "ca01.contoso.test"


def test_hosts_are_read_side_by_side_and_stay_in_order() -> None:
    together = threading.Barrier(3, timeout=10)

    def read(request: HostRequest) -> str:
        together.wait()
        time.sleep(0.05 if request.host.startswith("ca01") else 0)
        return _answers(request)

    snapshot = collect(Directory(), read, wanted=WANTED)
    assert [item.read_from[:4] for item in snapshot.certification_authorities] == ["ca01", "ca02"]


def test_progress_tells_the_end_of_every_target() -> None:
    told: list[tuple[str, str]] = []
    collect(Directory(), _answers, wanted=WANTED, progress=lambda target, state: told.append((target, state)))
    assert {target for target, state in told if state == "read"} == {
        "dc1", "ca01.contoso.test", "ca02.contoso.test", "conn1.contoso.test",
    }  # fmt: skip


def test_ctrl_c_does_not_wait_for_a_silent_host() -> None:
    answered = threading.Event()

    def read(request: HostRequest) -> str:
        if request.role == "connector":
            os.kill(os.getpid(), signal.SIGINT)
        answered.wait(20)
        return _answers(request)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        collect(Directory(), read, wanted=WANTED)
    assert time.monotonic() - started < 5
    answered.set()


def test_no_enrollment_services_are_no_hosts() -> None:
    unread = msgspec.structs.replace(DIRECTORY, public_key_services=Fact(unreadable=Unreadable("denied")))
    assert enrollment_service_hosts(unread) == ()


def test_a_domain_that_the_partitions_do_not_name_stays_as_it_is() -> None:
    assert netbios_name_of("fabrikam.test", DIRECTORY) == "fabrikam.test"
    assert netbios_name_of("CONTOSO.test", DIRECTORY) == "CONTOSO"
