"""Whatever WinRM does wrong while a host is written to: one clear error of ours, which says whether anything was sent.

TransportError means that nothing was sent that could write. WriteFailed says with `unresolved` that nobody knows; then
reading settles it, and that is tried here after each of them.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from remediate.actions.states import before_and_after
from remediate.actions.writing import WriteFailed
from remediate.model.errors import RemediateError, TransportError
from remediate.transports.winrm_write import HostWriter
from tests.lab import broken
from tests.lab.contoso import ADMIN, READER, Account
from tests.lab.estate import Lab
from tests.lab.registry_file import number
from tests.lab.windows_hosts import policy_key
from tests.lab.winrm.faults import (
    TERMINATED,
    TOO_MANY_SHELLS,
    UNKNOWN_COMMAND,
    Answer,
    Clear,
    Drop,
    Failure,
    Rewrite,
    Sleep,
    Status,
)
from tests.lab.writing_material import disposition, service, writer

pytestmark = pytest.mark.matrix

SHORT = 2.0
DEADLINE = 6.0
TOO_LONG = DEADLINE + 2.0
SETTLED = 20.0
"""Seconds within which a busy machine has carried out what it was sent."""
QUOTA_COMMANDS = 2150859241
"""ERROR_WSMAN_QUOTA_MAX_COMMANDS_PER_SHELL_PPQ."""


@dataclass(frozen=True)
class Fault:
    """What fails, what is said, and what may have happened.

    `written` is what stands there afterwards: True, False, or None where both may be. `open` says that the session
    stands already when it fails.
    """

    failures: tuple[Failure, ...]
    said: str
    code: str = ""
    sent: bool = False
    unresolved: bool = False
    written: bool | None = False
    open: bool = False
    account: Account = ADMIN
    how: dict[str, Any] = field(default_factory=dict)


def opening(failure: Failure, said: str, code: str = "", **more: Any) -> Fault:
    """Before there is a session: nothing can have been written."""
    return Fault((failure,), said, code, **more)


def lost(failure: Failure, said: str, code: str = "", *, written: bool | None) -> Fault:
    """After the write was sent, and nobody knows."""
    return Fault((failure,), said, code, sent=True, unresolved=True, written=written, open=True)


FAULTS: dict[str, Fault] = {
    # no session comes about
    "access denied": opening(Answer("Create", 5), "access is denied", "0x80070005"),
    "an account without rights": Fault((), "access is denied", "0x80070005", account=READER),
    "a wrong password": Fault((), "refused the logon", "HTTP 401", account=Account(ADMIN.name, "not-it-7")),
    "shells quota": opening(Answer("Create", TOO_MANY_SHELLS), "no further session", "0x803381a5"),
    "unavailable": opening(Status("Create", 503), "not ready", "HTTP 503"),
    "a proxy wants a logon": opening(Status("Create", 407), "proxy", "HTTP 407"),
    "a proxy finds no host": opening(Status("Create", 502), "proxy", "HTTP 502"),
    "404": opening(Status("Create", 404), "no WinRM", "HTTP 404"),
    "a proxy's page": opening(Rewrite("Create", "(?s)^.*$", "<html><body>Sign in</body></html>"), "not WinRM"),
    "a page that is no XML": opening(Rewrite("Create", "(?s)^.*$", "<html><p>Sign in<br></html>"), "not WinRM"),
    "cut off XML": opening(Rewrite("Create", "(?s)^(.{300}).*$", r"\1"), "not WinRM"),
    "dropped before": opening(Drop("Create"), "lost"),
    "dropped after": opening(Drop("Create", when="after"), "lost"),
    "dropped midway": opening(Drop("Create", when="midway"), "lost"),
    "an answer in the clear": opening(Clear("Create"), "in the clear"),
    "a slow start": opening(Sleep("Create", TOO_LONG), "does not answer"),
    "silent while it opens": opening(Sleep("Receive", TOO_LONG, at=0), "does not answer"),
    "the functions' answer lost": opening(Drop("Command", when="after"), "lost"),
    # the write is turned away
    "shell gone": Fault((Answer("Command", UNKNOWN_COMMAND),), "ended by the host", "0x8033805b", open=True),
    "commands quota": Fault((Answer("Command", QUOTA_COMMANDS),), "no further session", "0x803381e9", open=True),
    "rights taken away": Fault((Answer("Command", 5),), "access is denied", "0x80070005", open=True),
    # the write is sent, and its answer does not come
    "command dropped before": lost(Drop("Command"), "lost", written=False),
    "command dropped after": lost(Drop("Command", when="after"), "lost", written=True),
    "command dropped midway": lost(Drop("Command", when="midway"), "lost", written=True),
    "answer dropped before": lost(Drop("Receive", at=0), "lost", written=True),
    "answer dropped midway": lost(Drop("Receive", at=0, when="midway"), "lost", written=True),
    "shell gone in the middle": lost(Answer("Receive", UNKNOWN_COMMAND), "ended by the host", written=True),
    "process gone": lost(Answer("Receive", TERMINATED), "ended by the host", "0x800703e3", written=True),
    "401 after success": lost(Status("Receive", 401), "refused the logon", "HTTP 401", written=True),
    "401 for the command": lost(Status("Command", 401), "refused the logon", "HTTP 401", written=False),
    "503 for the command": lost(Status("Command", 503), "not ready", "HTTP 503", written=False),
    "answer in the clear": lost(Clear("Receive", at=0), "in the clear", written=True),
    "answer cut off": lost(Rewrite("Receive", "(?s)^(.{300}).*$", r"\1", at=0), "not WinRM", written=True),
    "answer of a proxy": lost(Rewrite("Receive", "(?s)^.*$", "<html/>", at=0), "not WinRM", written=True),
    "answer too late": lost(Sleep("Receive", TOO_LONG, at=0), "does not answer", written=True),
    "slow to take it": lost(Sleep("Command", TOO_LONG), "does not answer", written=None),
}


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No library may log a failure that is said as an error, with its traceback besides."""
    with caplog.at_level(logging.WARNING):
        yield
    assert not [one for one in caplog.records if one.name.startswith(("pypsrp", "psrpcore", "spnego"))]


def fail(lab: Lab, fault: Fault) -> tuple[RemediateError, float, HostWriter]:
    """The error that a write ends with, and the seconds it took."""
    action = disposition(lab.ca)
    before, after = before_and_after(action)
    one = writer(lab, lab.ca, fault.account, **{"deadline": DEADLINE, **fault.how})
    if fault.open:
        one.identity()
    lab.ca.forget()
    lab.ca.fail(*fault.failures)
    started = time.monotonic()
    with pytest.raises((TransportError, WriteFailed)) as error:
        one.write(action, before=before, after=after)
    return error.value, time.monotonic() - started, one


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_clear_error(fresh_lab: Lab, name: str, quiet: None) -> None:
    fault = FAULTS[name]
    fresh_lab.ca.registry.set(policy_key(), "RequestDisposition", number(257))
    error, seconds, one = fail(fresh_lab, fault)
    assert isinstance(error, WriteFailed) == fault.sent
    assert getattr(error, "unresolved", False) == fault.unresolved
    assert fault.said in error.what
    assert getattr(error, "code", "") == fault.code or not fault.code
    assert fresh_lab.ca.fqdn in error.where
    assert error.do
    assert fault.account.password not in str(error)
    assert seconds <= DEADLINE * 1.1 + 0.3
    settle(fresh_lab, fault, one)


def settle(lab: Lab, fault: Fault, one: HostWriter) -> None:
    """Once nothing fails any more, reading says what has become of it, with the same writer."""
    lab.ca.fail()
    written = wait_for_write(lab, fault)
    assert fault.written is None or written == fault.written
    assert len(lab.ca.registry.writes()) == int(written)
    if fault.account is ADMIN:
        assert one.read(disposition(lab.ca)) == {"RequestDisposition": "1" if written else "257"}
    one.close()


def wait_for_write(lab: Lab, fault: Fault) -> bool:
    """Whether it was written, once the host has had its time."""
    slow = any(isinstance(each, Sleep) for each in fault.failures)
    end = time.monotonic() + (SETTLED if fault.written else TOO_LONG if slow else 0.5)
    while time.monotonic() < end:
        if len(lab.ca.registry.writes()):
            return True
        time.sleep(0.1)
    return False


def page(connection: socket.socket) -> None:
    """Answer as a proxy does that wants somebody to sign in."""
    body = b"<html><body>Sign in</body></html>"
    connection.recv(65536)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.sendall(head + body)
    connection.close()


def greeting(connection: socket.socket) -> None:
    """Answer as something that is no web server."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    connection.recv(65536)
    connection.close()


def drip(connection: socket.socket) -> None:
    """Answer one byte at a time, so that no wait for the next one is long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x")
        time.sleep(0.05)


def legs(connection: socket.socket) -> None:
    """Ask for a logon, late, and for every leg of it again."""
    challenge = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"
    while connection.recv(65536):
        time.sleep(0.8 * SHORT)
        connection.sendall(challenge)


ELSEWHERE: dict[str, tuple[int, Callable[[Lab], broken.Behaviour], str]] = {
    "expired": (5986, lambda lab: broken.expired(lab.root, lab.folder / "broken"), "has expired"),
    "foreign": (5986, lambda lab: broken.foreign(lab.folder / "broken"), "not trusted"),
    "misnamed": (5986, lambda lab: broken.misnamed(lab.root, lab.folder / "broken"), "another name"),
    "no TLS": (5986, lambda lab: broken.plain_http, "does not speak TLS"),
    "reset in TLS": (5986, lambda lab: broken.reset, "lost"),
    "reset": (5985, lambda lab: broken.reset, "lost"),
    "not WinRM": (5985, lambda lab: broken.plain_http, "idle for too long"),
    "a sign-in page": (5985, lambda lab: page, "not WinRM"),
    "a greeting": (5985, lambda lab: greeting, "not WinRM"),
}


def failed_at(lab: Lab, address: str, *, tls: bool = False) -> TransportError:
    action = disposition(lab.ca)
    before, after = before_and_after(action)
    one = writer(lab, address, tls=tls, deadline=SHORT)
    with pytest.raises(TransportError) as error:
        one.write(action, before=before, after=after)
    assert error.value.where == address
    assert ADMIN.password not in str(error.value)
    one.close()
    return error.value


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_what_answers_is_not_the_host(fresh_lab: Lab, kind: str, quiet: None) -> None:
    port, behave, said = ELSEWHERE[kind]
    with broken.listening(behave(fresh_lab), port):
        assert said in failed_at(fresh_lab, broken.NAME, tls=port == 5986).what


def test_nothing_answers(fresh_lab: Lab, quiet: None) -> None:
    assert "nothing listens" in failed_at(fresh_lab, broken.NAME).what
    assert "not known" in failed_at(fresh_lab, "nowhere.contoso.test").what
    started = time.monotonic()
    for port in (5985, 5986):
        with broken.silent(port):
            assert "does not answer" in failed_at(fresh_lab, broken.NAME, tls=port == 5986).what
    assert time.monotonic() - started < 2 * (SHORT * 1.1 + 0.3)


@pytest.mark.parametrize("behave", [drip, legs])
def test_the_deadline_is_one_for_everything(fresh_lab: Lab, behave: broken.Behaviour, quiet: None) -> None:
    started = time.monotonic()
    with broken.listening(behave, 5985):
        failed_at(fresh_lab, broken.NAME)
    assert time.monotonic() - started < SHORT * 1.1 + 0.3


def test_a_slow_host_is_no_fault(fresh_lab: Lab) -> None:
    fresh_lab.ca.registry.set(policy_key(), "RequestDisposition", number(257))
    fresh_lab.ca.fail(Sleep("Create", 0.5), Sleep("Command", 0.5), Sleep("Receive", 0.5, at=0))
    action = disposition(fresh_lab.ca)
    before, after = before_and_after(action)
    one = writer(fresh_lab, fresh_lab.ca)
    one.write(action, before=before, after=after)
    assert one.read(action) == after
    one.close()


def started_again(lab: Lab) -> int:
    return sum(event["Id"] == 26 for event in lab.ca.state()["events"])


def test_a_restart_that_is_not_answered_is_not_broken_off(fresh_lab: Lab) -> None:
    """The session is left to itself: closing it would stop the restart between stopping and starting."""
    action = service(fresh_lab.ca, "restart_service", "Running")
    before, after = before_and_after(action)
    one = writer(fresh_lab, fresh_lab.ca)
    one.identity()
    fresh_lab.ca.forget()
    # the first command of it reads the state
    fresh_lab.ca.fail(Drop("Command", at=2, when="after"))
    with pytest.raises(WriteFailed) as error:
        one.write(action, before=before, after=after)
    assert error.value.unresolved
    assert [request["verb"] for request in fresh_lab.ca.requests()].count("Delete") == 0
    end = time.monotonic() + SETTLED
    while time.monotonic() < end and not started_again(fresh_lab):
        time.sleep(0.1)
    assert started_again(fresh_lab) == 1
    assert one.read(action) == after
    one.close()
