"""Every reason not to apply a plan, by its name, and nothing written: the lab's own records prove it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from remediate.actions.writing import Lease
from remediate.model.places import TemplatePlace
from remediate.runs.folder import alone
from remediate.runs.lock import held
from tests.lab.change_window import DONE, UNTOUCHED, ChangeWindow, in_process
from tests.lab.contoso import READER
from tests.lab.program import Ended
from tests.lab.registry_file import lines, text
from tests.lab.windows_hosts import CRYPTOGRAPHY, ca_key
from tests.lab.writing_material import writer

Refused = Callable[[ChangeWindow, pytest.MonkeyPatch], Ended]


def at(window: ChangeWindow, patch: pytest.MonkeyPatch, after: timedelta) -> Ended:
    """Apply it on a machine whose clock shows a time that long after the plan was made."""
    now = datetime.fromisoformat(window.plan.created) + after
    patch.setattr("remediate.cli.applying._now", lambda: now)
    return window.apply()


def iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def not_open(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    later = iso(datetime.now(UTC) + timedelta(hours=2))
    return window.apply(file=window.changed("later.json", not_before=later))


def closed(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    return window.apply(file=window.changed("over.json", not_after=window.plan.created))


def incomplete(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    return window.apply(file=window.changed("part.json", complete=False))


def edited(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    file, approved = window.folder / "edited.json", window.arguments()[3]
    file.write_bytes(window.file.read_bytes().replace(b"IntunePKCS", b"IntuneVPN"))
    return window.apply(file=file, approve=approved)


def other_digest(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    return window.apply(approve="0" * 64)


def other_domain(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    targets = tuple(
        msgspec.structs.replace(one, identity={"domain_objectGUID": "11111111-2222-3333-4444-555555555555"})
        if one.kind == "directory"
        else one
        for one in window.plan.targets
    )
    return window.apply(file=window.changed("other.json", targets=targets))


def other_ca(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    hashes = window.lab.ca.registry.get(ca_key(), "CACertHash")
    window.lab.ca.registry.set(ca_key(), "CACertHash", lines("aa " * 19 + "aa"))
    try:
        return window.apply()
    finally:
        window.lab.ca.registry.set(ca_key(), "CACertHash", lines(*hashes))


def other_machine(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    guid = window.lab.ca.registry.get(CRYPTOGRAPHY, "MachineGuid")
    window.lab.ca.registry.set(CRYPTOGRAPHY, "MachineGuid", text("another"))
    try:
        return window.apply()
    finally:
        window.lab.ca.registry.set(CRYPTOGRAPHY, "MachineGuid", text(guid))


def untold_ca(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    hashes = window.lab.ca.registry.get(ca_key(), "CACertHash")
    window.lab.ca.registry.delete(ca_key(), "CACertHash")
    try:
        return window.apply()
    finally:
        window.lab.ca.registry.set(ca_key(), "CACertHash", lines(*hashes))


def clone(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    """A machine with the same MachineGuid, under another name."""
    targets = tuple(
        msgspec.structs.replace(one, identity=one.identity | {"ComputerName": "CA09"}) if one.kind == "ca" else one
        for one in window.plan.targets
    )
    return window.apply(file=window.changed("clone.json", targets=targets))


def gone(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    """The template is not there any more."""
    dn = window.lab.domain.template_dn("Nowhere")
    actions = tuple(
        msgspec.structs.replace(one, place=msgspec.structs.replace(one.place, dn=dn))
        if isinstance(one.place, TemplatePlace)
        else one
        for one in window.plan.actions
    )
    return window.apply(file=window.changed("gone.json", actions=actions))


def no_lock(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    with window_lock(window, "somebody's notes"):
        return window.apply()


@contextmanager
def window_lock(window: ChangeWindow, content: str) -> Iterator[None]:
    """Something in the place of the CA's lock, for a block."""
    window.lock.parent.mkdir(parents=True, exist_ok=True)
    window.lock.write_text(content)
    try:
        yield
    finally:
        window.lock.unlink()


def no_right(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    with window.lab.ticket(READER):
        return window.apply()


def another_run(window: ChangeWindow, _patch: pytest.MonkeyPatch) -> Ended:
    other = writer(window.lab, window.lab.ca)
    lease = Lease(run="20261123T100000Z-0f3c5b0e", who="CONTOSO\\bert", token="0f" * 16, seconds=3600)
    assert other.lock(lease) is None
    try:
        return window.apply()
    finally:
        other.unlock(token=lease.token)
        other.close()


def the_same_at_once(window: ChangeWindow, patch: pytest.MonkeyPatch) -> Ended:
    patch.setattr("remediate.runs.folder.held", partial(held, wait=0.1))
    with alone(window.runs, window.arguments()[3]):
        return window.apply()


REFUSALS: dict[str, tuple[Refused, tuple[str, ...]]] = {
    "expired": (partial(at, after=timedelta(days=8)), ("the plan expired at",)),
    "clock set back": (partial(at, after=-timedelta(hours=1)), ("the clock of this machine is behind the plan",)),
    "window not open": (not_open, ("its window opens at",)),
    "window closed": (closed, ("its window closed at",)),
    "incomplete": (incomplete, ("the plan is incomplete",)),
    "edited": (edited, ("changed after it was sealed",)),
    "another digest": (other_digest, ("not the plan that was approved",)),
    "another domain": (other_domain, ("another target of the same name", "domain_objectGUID")),
    "another CA of the same name": (other_ca, ("another target of the same name", "certificate_thumbprint")),
    "another machine": (other_machine, ("another target of the same name", "MachineGuid")),
    "a CA that does not tell its certificate": (untold_ca, ("nobody can tell", "certificate_thumbprint was not")),
    "a clone": (clone, ("another target of the same name", "ComputerName is CA01")),
    "a template that is gone": (gone, ("there is no such object any more", "CN=Nowhere,CN=Certificate Templates")),
    "no lock of ours": (no_lock, ("is no lock of ours", "lock.json")),
    "no right": (no_right, ("a right is missing", "msPKI-Certificate-Name-Flag", "a session on the host")),
    "another run": (another_run, ("another run is at work there", "20261123T100000Z-0f3c5b0e", "CONTOSO\\bert")),
    "the same at once": (the_same_at_once, ("another remediate is at work here",)),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_it_is_refused_by_name_and_nothing_is_written(
    window: ChangeWindow, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse, words = REFUSALS[name]
    ended = refuse(window, monkeypatch)
    told = " ".join(ended.err.split())
    assert ended.code == 3, ended
    assert all(word in told for word in words), told
    assert window.stands() == UNTOUCHED
    assert not any("begin" in file.read_text() for file in window.runs.glob("*/journal.jsonl"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"run": "r0", "who": "bert on PC8", "until": "2099-01-01T00:00:00Z"}', "another run is at work on ca01"),
        ("somebody's notes", "is no lock of ours"),
    ],
)
def test_a_check_tells_who_has_locked_a_host(window: ChangeWindow, content: str, words: str) -> None:
    check = ["apply", str(window.file), "--check", "--runs", str(window.runs), "--trust", str(window.lab.trust)]
    free = in_process(*check)
    assert (free.code, "no other run is at work on the targets" in free.out) == (0, True)
    with window_lock(window, content):
        ended = in_process(*check)
        assert window.lock.read_text() == content
    told = " ".join(ended.out.split())
    assert (ended.code, words in told) == (3, True), told
    assert "2099" not in content or all(word in told for word in ("r0", "bert on PC8", "2099-01-01T00:00:00Z")), told
    assert window.stands() == UNTOUCHED


def test_what_was_refused_for_a_lock_is_applied_later_and_once(
    window: ChangeWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal leaves no run that would have to be gone on with; a used plan is refused."""
    assert another_run(window, monkeypatch).code == 3
    assert window.apply().code == 0
    assert window.stands() == DONE
    again = window.apply("--go-on")
    assert (again.code, "the plan was applied already" in again.err) == (3, True)
    assert window.stands() == DONE
    assert len([path for path in Path(window.runs).iterdir() if path.is_dir()]) == 1
