"""The writer of the directory when something goes wrong: each fault gives one clear error, and reading settles it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from remediate.actions.writing import Drift, WriteFailed
from remediate.model.errors import ExitCode, RemediateError, TransportError
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.ldap_write import DirectoryWriter
from tests.lab import broken
from tests.lab.contoso import ADMIN
from tests.lab.directory_functions import (
    FLAG,
    REVISION,
    Watched,
    fixed,
    flags_from_directory,
    revision,
    template,
)
from tests.lab.directory_writing import template_action, writing
from tests.lab.estate import Lab
from tests.lab.ldap_messages import SEARCH_DONE, notice_of_disconnection, result
from tests.lab.ldap_relay import Instead

pytestmark = pytest.mark.matrix

TIMEOUT = 1.5


@pytest.fixture
def lab(fresh_lab: Lab) -> Iterator[Lab]:
    with fresh_lab.domain.restored(template(fresh_lab)):
        yield fresh_lab


def answer(code: int, **more: Any) -> Callable[[int], bytes]:
    return lambda identifier: result(identifier, code, **more)


def refuses(code: int, **more: Any) -> Instead:
    return Instead(answer(code, **more))


def at_search(number: int, code: int | None) -> Instead:
    """A search that is answered with a code, or never."""
    given = answer(code, tag=SEARCH_DONE) if code is not None else lambda _identifier: b""
    return Instead(given, operation="search", number=number)


@dataclass(frozen=True)
class Outcome:
    """What is to come of a fault. `applied` says whether the directory has the change afterwards."""

    said: str
    code: str = ""
    unresolved: bool = False
    applied: bool = False
    error: type[RemediateError] = WriteFailed
    late: bool = False


GONE = "no answer came to a write: whether it was written is not known"
UNREAD = "it was written, but could not be read back"
FAULTS: dict[str, tuple[Instead, Outcome]] = {
    # answers to the modify, which was not carried out
    "busy": (refuses(51), Outcome("is busy; nothing was written", "LDAP 51")),
    "unwilling": (
        refuses(53, text="0000052D: Nej."),
        Outcome("unwilling to do it; nothing was written (LDAP, code 53, error 0x0000052d)", "LDAP 53"),
    ),
    "referral": (refuses(10, referral="ldap://dc2.contoso.test/"), Outcome("sends to another one", "LDAP 10")),
    "rights": (refuses(50, text="00002098: SecErr"), Outcome("may not write it; nothing was written", "LDAP 50")),
    "constraint": (refuses(19), Outcome("does not accept the value", "LDAP 19")),
    "signing": (refuses(8), Outcome("demands signing", "LDAP 8")),
    "schema": (refuses(65), Outcome("the schema does not allow it", "LDAP 65")),
    "object gone": (refuses(32), Outcome("the object does not exist", "LDAP 32")),
    "an odd code": (refuses(71), Outcome("the domain controller refused; nothing was written", "LDAP 71")),
    "value gone": (refuses(16), Outcome("changed it back; nothing was written", error=Drift)),
    "value there": (refuses(20), Outcome("changed it back; nothing was written", error=Drift)),
    "unavailable": (refuses(52), Outcome("not available; whether it was written", "LDAP 52", unresolved=True)),
    "out of time": (refuses(3), Outcome("ran out of time; whether it was written", "LDAP 3", unresolved=True)),
    "other": (refuses(80), Outcome("failed inside; whether it was written", "LDAP 80", unresolved=True)),
    "a lie": (refuses(0), Outcome("said that it was written, and nothing was", unresolved=True)),
    # carried out all the same
    "other, done": (
        Instead(answer(80), passed=True), Outcome("failed inside", "LDAP 80", unresolved=True, applied=True),
    ),
    # no answer, or none that can be read
    "dropped before": (Instead(close=True), Outcome(f"{GONE} (the connection was lost", unresolved=True)),
    "dropped after": (
        Instead(passed=True, close=True), Outcome(f"{GONE} (the connection was lost", unresolved=True, applied=True),
    ),
    "silent before": (Instead(), Outcome(f"{GONE} (it does not answer", unresolved=True, late=True)),
    "silent after": (
        Instead(passed=True), Outcome(f"{GONE} (it does not answer", unresolved=True, applied=True, late=True),
    ),
    "dripping": (
        Instead(answer(0, text="x" * 99), pause=0.1),
        Outcome(f"{GONE} (it does not answer", unresolved=True, late=True),
    ),
    "cut off": (
        Instead(lambda one: result(one, 0)[:5], passed=True, close=True),
        Outcome(f"{GONE} (the connection was lost", unresolved=True, applied=True),
    ),
    "no LDAP": (
        Instead(lambda _one: b"HTTP/1.1 400 Bad Request\r\n\r\n" * 5, close=True),
        Outcome(f"{GONE} (its answer is not LDAP", unresolved=True),
    ),
    "another message": (
        Instead(lambda one: result(one + 7, 0), passed=True),
        Outcome(f"{GONE} (the connection was lost", unresolved=True, applied=True),
    ),
    "sent away": (
        Instead(lambda _one: notice_of_disconnection(), close=True),
        Outcome(f"{GONE} (the connection was lost", unresolved=True),
    ),
    # before the modify
    "busy at compare": (at_search(1, 51), Outcome("nothing was written (the domain controller is busy", "LDAP 51")),
    "referral at compare": (at_search(1, 10), Outcome("nothing was written (the object belongs", "LDAP 10")),
    "nothing at compare": (at_search(1, 0), Outcome("nothing was written (there is no such object")),
    "silent at compare": (at_search(1, None), Outcome("nothing was written (it does not answer", late=True)),
    "dropped at compare": (
        Instead(operation="search", close=True), Outcome("nothing was written (the connection was lost"),
    ),
    # after it
    "busy at read back": (at_search(2, 51), Outcome(UNREAD, "LDAP 51", unresolved=True, applied=True)),
    "silent at read back": (at_search(2, None), Outcome(UNREAD, unresolved=True, applied=True, late=True)),
    "dropped at read back": (
        Instead(operation="search", number=2, close=True), Outcome(UNREAD, unresolved=True, applied=True),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_error_and_reading_settles_it(lab: Lab, fault: str) -> None:
    given, outcome = FAULTS[fault]
    before, after = flags_from_directory(lab)
    action = template_action(lab, (before, after))
    with writing(lab, timeout=TIMEOUT) as writer:
        writer.identity()
        lab.relay.clear()
        lab.relay.fault = given
        started = time.monotonic()
        with pytest.raises(outcome.error) as raised:
            writer.write(action, before=before, after=after)
        took = time.monotonic() - started
        assert_clear(raised.value, outcome, lab)
        assert not outcome.late or TIMEOUT <= took <= TIMEOUT * 1.1
        assert outcome.late or took < TIMEOUT
        assert len(lab.relay.writes) <= 1

        lab.relay.fault = None
        settled = writer.read(action)
        assert settled == (after if outcome.applied else before)
        if settled == before:
            assert writer.write(action, before=before, after=after) == ""
    assert (fixed(lab)[FLAG], revision(lab)) == ([b"1"], int(after[REVISION] or 0))


def assert_clear(error: RemediateError, outcome: Outcome, lab: Lab) -> None:
    text = str(error)
    assert outcome.said in text
    assert text.startswith(f"{template(lab)} on {lab.dc}: ")
    assert "\n" not in text
    assert ADMIN.password not in text
    assert "unexpected" not in text
    if isinstance(error, WriteFailed):
        assert (error.code, error.unresolved) == (outcome.code, outcome.unresolved)
        assert error.exit_code == ExitCode.STOPPED_PART_WAY
        assert error.do
    else:
        assert error.exit_code == ExitCode.REFUSED


def test_a_lost_connection_is_not_made_anew_between_compare_and_write(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = flags_from_directory(lab)
    action = template_action(lab, (before, after))
    with writing(lab, timeout=TIMEOUT) as writer:
        writer.identity()
        connections = lab.relay.connections

        def cut() -> None:
            raise ConnectionError

        monkeypatch.setattr(lab.relay, "operations", Watched("modify", cut))
        with pytest.raises(WriteFailed, match="not known"):
            writer.write(action, before=before, after=after)
        assert lab.relay.connections == connections
        assert writer.read(action) == before
        assert lab.relay.connections == connections + 1


def interrupt_soon() -> None:
    main = threading.main_thread().ident or 0
    threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT)).start()


def test_an_interrupt_ends_a_silent_write_at_once(lab: Lab) -> None:
    before, after = flags_from_directory(lab)
    action = template_action(lab, (before, after))
    with writing(lab, timeout=20.0) as writer:
        writer.identity()
        lab.relay.fault = Instead(passed=True)
        interrupt_soon()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            writer.write(action, before=before, after=after)
        assert time.monotonic() - started < 2
        lab.relay.fault = None
        assert writer.read(action) == after


@pytest.mark.parametrize("kind", [*broken.EACH, "nothing there", "wrong password"])
def test_what_cannot_be_connected_to_is_not_written(lab: Lab, kind: str) -> None:
    behave, said = broken.EACH.get(kind, (None, "nothing listens"))
    password, name = ADMIN.password, broken.NAME
    if kind == "wrong password":
        password, name, said = "not-it-7", lab.dc, "password is wrong"
    before, after = flags_from_directory(lab)
    action = template_action(lab, (before, after))
    writer = DirectoryWriter(name, Credential(ADMIN.down_level, Secret(password)), trust=lab.trust, timeout=TIMEOUT)
    with broken.listening(behave(lab) if behave else broken.reset, 636 if behave else 6360):
        with pytest.raises(TransportError, match=said) as error:
            writer.read(action)
        assert error.value.exit_code == ExitCode.ERROR
        with pytest.raises(WriteFailed, match=f"nothing was written.*{said}") as failed:
            writer.write(action, before=before, after=after)
    assert not failed.value.unresolved
    assert password not in f"{error.value} {failed.value}"
    assert lab.relay.writes == []
