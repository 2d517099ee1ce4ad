"""Two hundred hosts that are far away: as many side by side as the pool has threads, in flat memory, none held up.

Answers are canned and each round trip takes 200 ms; the endpoints count the round trips.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.cli.collectors import collector_call, collector_source
from remediate.engine.collect import HostRequest, Wanted, collect
from remediate.engine.side_by_side import SIDE_BY_SIDE
from remediate.facts.documents import Snapshot
from remediate.model.plan import digest, seal
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.winrm import run_collector
from tests.lab.contoso import ADMIN
from tests.lab.estate import obstacle
from tests.lab.far_hosts import FarHost, far_hosts, plan_for
from tests.lab.program import remediate

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]

HOSTS, LATENCY, HANGING = 200, 0.2, 3
# Three rounds of the pool, which show the same as ten; with REMEDIATE_EVERY_POINT all of them, which takes minutes.
APPLIED = HOSTS if os.environ.get("REMEDIATE_EVERY_POINT") else 60
DEADLINE = 40.0
ENOUGH = 60
"""Hosts after which a process has all it needs: from then on it holds documents and nothing more."""
GROWTH = 16 * 2**20
"""Bytes that 140 documents of 5 kB, parsed, and the allocator may take."""
CREDENTIAL = Credential(ADMIN.down_level, Secret(ADMIN.password))


@pytest.fixture
def far(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[FarHost]]:
    if problem := obstacle():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(problem)
    number, hanging = getattr(request, "param", (APPLIED, ()))
    with far_hosts(tmp_path / "far", number, latency=LATENCY, hanging=hanging) as hosts:
        yield hosts


class Watched:
    """What a progress is told, with the time and the memory of the process at that moment."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.ended: dict[str, float] = {}
        self.memory: list[int] = []

    def __call__(self, target: str, state: str) -> None:
        if state != "reading":
            self.ended[target] = time.monotonic() - self.started
            self.memory.append(resident())


def resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def read_all(hosts: list[FarHost], watched: Watched) -> Snapshot:
    """Collect from all of them, as the program does."""
    source = collector_source("connector")

    def read(asked: HostRequest) -> str:
        return run_collector(asked.host, CREDENTIAL, script=source, call=collector_call(asked), deadline=DEADLINE)

    return collect(None, read, wanted=Wanted(connectors=tuple(host.name for host in hosts)), progress=watched)


@pytest.mark.parametrize("far", [(HOSTS, (HANGING,))], indirect=True, ids=["one hangs"])
def test_two_hundred_are_read_side_by_side_and_one_that_hangs_delays_none(far: list[FarHost]) -> None:
    watched = Watched()
    snapshot = read_all(far, watched)
    hanging = far[HANGING].name
    others = [taken for name, taken in watched.ended.items() if name != hanging]
    trips = sum(host.trips() for host in far if host.name != hanging)
    ideal = trips * LATENCY / SIDE_BY_SIDE
    print(f"{trips} round trips, ideal {ideal:.1f} s, taken {max(others):.1f} s, {max(others) / ideal:.2f} times")
    print(f"memory after {ENOUGH}: {watched.memory[ENOUGH] / 2**20:.0f} MB, after all {watched.memory[-1] / 2**20:.0f}")

    assert len(snapshot.connectors) == HOSTS - 1
    assert [(one.target, "does not answer" in one.what or "in time" in one.what) for one in snapshot.failures] == [
        (hanging, True)
    ]
    assert max(others) <= 3 * ideal
    assert max(others) < watched.ended[hanging] <= DEADLINE * 1.1
    assert max(watched.memory) - watched.memory[ENOUGH] <= GROWTH


@pytest.mark.parametrize("mode", ["--check", "--approve"])
def test_a_plan_for_all_of_them_is_checked_and_applied_side_by_side(
    far: list[FarHost], tmp_path: Path, mode: str
) -> None:
    """One value on each; `--check` asks for identity, rights and values, and applying it locks and writes besides."""
    file, plan = tmp_path / "plan.json", plan_for(far)
    file.write_bytes(seal(plan))
    more = [mode, digest(plan)] if mode == "--approve" else [mode]
    where = ["--runs", str(tmp_path / "runs"), "--user", ADMIN.down_level]
    started = time.monotonic()
    ended = remediate("apply", str(file), *more, *where, seconds=600)
    taken = time.monotonic() - started
    trips = sum(host.trips() for host in far)
    ideal = trips * LATENCY / SIDE_BY_SIDE
    print(f"{mode}: {trips} round trips, ideal {ideal:.1f} s, taken {taken:.1f} s, {taken / ideal:.2f} times")
    assert ended.code == 0, ended
    assert taken <= 3 * ideal
