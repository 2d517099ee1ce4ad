"""The lock of a host, live: one run has it, of one name or not; renewed, taken over when dead, and never a reader's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from remediate.actions.writing import Lease
from remediate.model.errors import RefusedError
from remediate.transports.winrm_write import HostWriter
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.test_host_writer import open_writer
from tests.lab.writing_material import disposition

__all__ = ["open_writer"]


def at(minutes: float) -> str:
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def lease(run: str, *, by: str = "", seconds: int = 300) -> Lease:
    """`by` tells runs of one name apart."""
    return Lease(run=run, who=f"{by or run} on PC7", token=(by or run).encode().hex().ljust(32, "0"), seconds=seconds)


@pytest.fixture
def unlocked(fresh_lab: Lab) -> Iterator[LabHost]:
    """A CA whose lock is taken away at the end."""
    place = fresh_lab.ca.program_data / "remediate" / "lock.json"
    place.unlink(missing_ok=True)
    yield fresh_lab.ca
    place.unlink(missing_ok=True)


def test_one_run_has_the_lock(unlocked: LabHost, open_writer: Callable[..., HostWriter]) -> None:
    first, second, a, b = open_writer(unlocked), open_writer(unlocked), lease("a"), lease("b")
    assert first.holder(token=a.token) is None
    assert first.lock(a) is None
    assert first.lock(a) is None
    held = second.lock(b)
    assert held is not None
    assert (held.run, held.who, at(4) < held.until <= at(5)) == ("a", "a on PC7", True)
    assert second.holder(token=b.token) == held
    assert first.holder(token=a.token) is None, "its own is not another's"
    second.unlock(token=b.token)
    assert second.lock(b) is not None
    assert second.read(disposition(unlocked)) == {"RequestDisposition": "1"}, "reading is never locked"
    first.unlock(token=a.token)
    assert second.lock(b) is None
    assert second.taken_over is None


def test_two_runs_of_one_name_exclude_each_other(unlocked: LabHost, open_writer: Callable[..., HostWriter]) -> None:
    """A run is named after the second in which it began."""
    assert open_writer(unlocked).lock(lease("same", by="anna")) is None
    held = open_writer(unlocked).lock(lease("same", by="bertil"))
    assert held is not None and held.who == "anna on PC7"


def test_a_lock_is_renewed_and_who_had_it_meanwhile_is_told(
    unlocked: LabHost, open_writer: Callable[..., HostWriter]
) -> None:
    first, second, a, b = open_writer(unlocked), open_writer(unlocked), lease("a", seconds=1), lease("b")
    first.lock(a)
    assert first.renew(a) == ""
    time.sleep(1.1)
    assert first.renew(a) == "", "it died, and nobody has taken it"
    time.sleep(1.1)
    assert second.lock(b) is None
    assert second.taken_over is not None
    assert "another run has taken this host over: b by b on PC7" in first.renew(a)
    assert second.renew(b) == ""
    second.unlock(token=b.token)
    assert "was taken away" in first.renew(a)


def test_a_dead_lock_is_taken_over(unlocked: LabHost, open_writer: Callable[..., HostWriter]) -> None:
    first, second, dead = open_writer(unlocked), open_writer(unlocked), lease("dead", seconds=1)
    assert first.lock(dead) is None
    time.sleep(1.1)
    assert second.holder(token="") is None
    assert second.lock(lease("b")) is None
    assert second.taken_over is not None
    assert (second.taken_over.run, second.taken_over.until <= at(0)) == ("dead", True)
    first.unlock(token=dead.token)
    assert first.lock(lease("a")) is not None, "only its own lock is taken away"


def test_of_two_at_once_one_has_it(unlocked: LabHost, open_writer: Callable[..., HostWriter]) -> None:
    writers = {run: open_writer(unlocked) for run in ("a", "b")}
    for one in writers.values():
        one.identity()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(10):
            calls = {run: pool.submit(one.lock, lease(run)) for run, one in writers.items()}
            won = [run for run, call in calls.items() if call.result() is None]
            assert len(won) == 1
            writers[won[0]].unlock(token=lease(won[0]).token)


def test_what_is_no_lock_is_refused(unlocked: LabHost, open_writer: Callable[..., HostWriter]) -> None:
    place = unlocked.program_data / "remediate" / "lock.json"
    place.parent.mkdir(exist_ok=True)
    place.write_text("somebody's notes")
    one, a = open_writer(unlocked), lease("a")
    for ask in (lambda: one.lock(a), lambda: one.renew(a), lambda: one.holder(token=a.token)):
        with pytest.raises(RefusedError, match="no lock of ours") as error:
            ask()
        assert "lock.json" in error.value.what and error.value.exit_code == 3
    assert place.read_text() == "somebody's notes"
