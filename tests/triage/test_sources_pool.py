"""Files in ranges, by several processes: what is said when one of them dies, or the file changes meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.triage import sources_pool
from remediate.triage.event_log_chunks import HEADER
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.sources import Item, read
from tests.triage.sources_evtx import CHUNK, Event, write
from tests.triage.sources_material import NEEDLES, RPC, found_in, traces

GREW = "it grew while it was read; what came later was not read"
SHRANK = "it became shorter while it was read"
REPLACED = "it was replaced while it was read"
windows = pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody move or cut a file that is open")

KILLING = r"""
import multiprocessing
import sys
import time
from pathlib import Path
from remediate.triage import sources_pool
from remediate.triage.records import Record, Skipped
from remediate.triage.sources import read
from tests.triage.sources_material import NEEDLES
sources_pool.RANGE, sources_pool.SHORT_RANGE, sources_pool.SMALLEST_WORK = 1 << 20, 1 << 20, 0
items = read([Path(sys.argv[1])], NEEDLES, jobs=int(sys.argv[2]))
next(items)
children = multiprocessing.active_children()
time.sleep(float(sys.argv[3]))
for child in children:
    child.kill()
rest = list(items)
print(len(children), sum(isinstance(item, Record) for item in rest))
for item in rest:
    if isinstance(item, Skipped):
        print(item.what)
"""


@pytest.mark.parametrize("jobs", [2, 4])
def test_processes_that_are_killed_while_they_hand_over_are_told_of(tmp_path: Path, jobs: int) -> None:
    """Nobody takes what they found for three seconds: each of them is in the midst of a batch larger than its pipe."""
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([RPC] * 1_500) * 12)
    command = [sys.executable, "-c", KILLING, str(file), str(jobs), "3"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    children, records = map(int, told[0].split())
    assert children == jobs - 1
    assert 18_000 - 4_000 * children < records < 18_000
    assert told[1:].count("the process that read it ended: it was not read whole") == 1


def test_processes_that_are_killed_before_they_began_are_not_missed(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([RPC] * 1_500) * 6)
    told = subprocess.run(
        [sys.executable, "-c", KILLING, str(file), "3", "0"], capture_output=True, text=True, timeout=60, check=True
    ).stdout.splitlines()
    assert told == ["2 8999"]


@pytest.fixture
def ranges_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read in ranges, and by this process alone: what is done between two items is done between two reads."""
    monkeypatch.setattr(sources_pool, "RANGE", 1 << 20)
    monkeypatch.setattr(sources_pool, "SHORT_RANGE", 2 * CHUNK)
    monkeypatch.setattr(sources_pool, "SMALLEST_WORK", 0)
    monkeypatch.setattr(sources_pool, "_MOST_OTHERS", 0)


def svclog(file: Path) -> Path:
    file.write_bytes(traces([RPC] * 1_000) * 8)
    return file


def event_log(file: Path) -> Path:
    return write(file, [Event(1001)] * 4_000)


def lines(items: Iterator[Item]) -> list[tuple[str, bool]]:
    return [(item.what, item.lost) for item in items if isinstance(item, Skipped)]


@pytest.mark.usefixtures("ranges_by_one")
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("make", [svclog, event_log])
def test_a_file_that_grows_is_one_line(tmp_path: Path, make: type, jobs: int) -> None:
    file = make(tmp_path / "log")
    size, whole = file.stat().st_size, found_in(file)
    items = read([file], NEEDLES, jobs=jobs)
    came = [next(items)]
    with file.open("ab") as writer:
        writer.write(traces([RPC]) if make is svclog else file.read_bytes()[-CHUNK:])
    came.extend(items)
    assert [(item.what, item.position, item.lost) for item in came if isinstance(item, Skipped)] == [
        (GREW, size, False)
    ]
    assert [item for item in came if isinstance(item, SourceRead)] == whole.reads
    assert sum(isinstance(item, Record) for item in came) == len(whole.records)


@windows
@pytest.mark.usefixtures("ranges_by_one")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_becomes_shorter_is_one_line(tmp_path: Path, jobs: int) -> None:
    file = svclog(tmp_path / "a.svclog")
    items = read([file], NEEDLES, jobs=jobs)
    next(items)
    os.truncate(file, 1_500_000)
    assert [line for line in lines(items) if "cut off" not in line[0]] == [(SHRANK, True)]


@windows
@pytest.mark.usefixtures("ranges_by_one")
@pytest.mark.parametrize("make", [svclog, event_log])
def test_another_file_in_its_place_is_not_read_as_part_of_it(tmp_path: Path, make: type) -> None:
    file, other = make(tmp_path / "log"), make(tmp_path / "other")
    items = read([file], NEEDLES, jobs=2)
    next(items)
    other.replace(file)
    rest = list(items)
    assert [line for line in lines(iter(rest)) if "cut off" not in line[0]] == [(REPLACED, True)]
    (source,) = (item for item in rest if isinstance(item, SourceRead))
    assert 0 < source.size < file.stat().st_size // 2


@windows
@pytest.mark.usefixtures("ranges_by_one")
def test_a_file_that_is_deleted_is_one_line(tmp_path: Path) -> None:
    file = event_log(tmp_path / "a.evtx")
    items = read([file], NEEDLES, jobs=2)
    next(items)
    file.unlink()
    assert lines(items) == [("cannot be read, or not to its end: No such file or directory", True)]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_damage_is_told_alike_by_any_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int
) -> None:
    monkeypatch.setattr(sources_pool, "SHORT_RANGE", 24 * CHUNK)
    monkeypatch.setattr(sources_pool, "SMALLEST_WORK", 0)
    content = bytearray(event_log_of_chunks(tmp_path / "a.evtx", 100).read_bytes())
    for number in range(0, 100, 2):
        at = HEADER + number * CHUNK + 20_000
        content[at : at + 4_000] = bytes(4_000)
    (tmp_path / "a.evtx").write_bytes(content)
    told = [line.what for line in found_in(tmp_path / "a.evtx", jobs=jobs).skipped]
    assert [line.partition(" is damaged")[0] for line in told] == [
        *(f"chunk {number}" for number in range(1, 41, 2)),
        "30 more of its chunks are damaged",
    ]


def event_log_of_chunks(file: Path, count: int) -> Path:
    """Each chunk is the same, which the library does not mind."""
    content = write(file, [Event(1001)] * 400).read_bytes()
    header = content[:42] + count.to_bytes(2, "little") + content[44:HEADER]
    file.write_bytes(header + content[HEADER : HEADER + CHUNK] * count)
    return file


@pytest.mark.usefixtures("ranges_by_one")
@pytest.mark.parametrize("before", [1, 700, 1_200, 1_380])
@pytest.mark.parametrize("length", [6_000_000, 6_500_000])
def test_a_record_of_many_ranges_is_one(tmp_path: Path, before: int, length: int) -> None:
    """It begins and ends anywhere in a range; in those between there is no tag at all."""
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([RPC] * before + ["x " * (length // 2) + " 0x80094015", RPC]))
    whole, shared = found_in(file), found_in(file, jobs=2)
    assert [(source.kind, source.size, source.scanned) for source in shared.reads] == [
        ("svclog", file.stat().st_size, whole.scanned)
    ]
    assert [line.what for line in shared.skipped] == [line.what for line in whole.skipped]
    assert len(shared.skipped) == 1 and sum("0x80094015" in text for text in shared.texts) == 1
    assert sum(text == RPC for text in shared.texts) == before + 1
