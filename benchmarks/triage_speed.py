"""Triage's readers against ripgrep and the evtx library: `python -m benchmarks.triage_speed`. Nothing is contacted.

It writes some gigabytes of logs into a temporary folder. Caches are warm, except where a row says otherwise.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measuring import Row, in_turn, show
from remediate.triage.needles import Needles
from remediate.triage.signatures import load
from remediate.triage.sources import read
from tests.triage.sources_evtx import Event, write
from tests.triage.sources_material import trace

PAIRS = 5
MEGABYTE = 1_000_000
# One record in a hundred shows a failure: a connector that fails all day and polls every few seconds.
FAILURES = 100
FAILED = (
    "IssuePfx - COMException: System.Runtime.InteropServices.COMException (0x800706BA): "
    "CCertRequest::Submit: 0x800706ba (WIN32: 1722 RPC_S_SERVER_UNAVAILABLE)"
)


def messages(count: int) -> Iterable[str]:
    """What a connector writes, nearly all of it without meaning for us."""
    chance = random.Random(7)
    for number in range(count):
        if number % FAILURES == 0:
            yield FAILED
        else:
            yield f"Polling for requests: {number % 7} in the queue, correlation {chance.getrandbits(128):032x}"


def service_trace(path: Path, size: int) -> Path:
    """A svclog of at least so many bytes."""
    block = "\n".join(trace(text, minute=minute) for minute, text in enumerate(messages(10_000))).encode() + b"\n"
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block)
    return path


def event_log(path: Path, count: int) -> Path:
    """An .evtx with so many events of the connector's channel; one in a hundred is a failure."""
    began = datetime(2026, 11, 1, tzinfo=UTC)
    return write(
        path,
        (
            Event(
                1052 if number % FAILURES == 0 else 1002,
                when=began + timedelta(seconds=number),
                data=(("DeviceId", f"{number:032x}"), ("CaName", "Contoso Issuing CA"), ("Message", text)),
            )
            for number, text in enumerate(messages(count))
        ),
    )


def everything_of(paths: Iterable[Path], needles: Needles, *, jobs: int = 1) -> Callable[[], int]:
    """Read and count, as triage does before it judges."""
    named = tuple(paths)
    return lambda: sum(1 for _ in read(named, needles, jobs=jobs))


def ripgrep(path: Path, needles: Needles) -> Callable[[], object]:
    """`rg -c` with the same codes on the same file."""
    pattern = "|".join(f"0x{code:08x}" for code in sorted(needles.codes))
    return lambda: subprocess.run(["rg", "-c", "-i", pattern, str(path)], check=True, capture_output=True)


def library(path: Path) -> Callable[[], int]:
    """The evtx library's own iteration, with as many threads as it likes, and nothing done with a record."""
    from evtx import PyEvtxParser

    return lambda: sum(1 for _ in PyEvtxParser(str(path)).records())


def against_ripgrep(folder: Path, needles: Needles, cores: int) -> Iterable[Row]:
    """1 GB of svclog: codes alone, as ripgrep looks for them, and everything that the signatures name."""
    file = service_trace(folder / "1000.svclog", 1000 * MEGABYTE)
    if shutil.which("rg"):
        for name, wanted in (("codes", Needles(codes=needles.codes)), ("all signatures", needles)):
            pairs = in_turn(everything_of([file], wanted, jobs=cores), ripgrep(file, needles), times=PAIRS)
            goal = "at most 3.0" if name == "codes" else ""
            yield from pairs.rows("ratio, warm cache", ours=f"svclog of 1 GB, {name}", theirs="rg -c", goal=goal)
        yield from against_ripgrep_cold(file, needles, cores)
    else:
        yield Row("ripgrep is not installed: nothing to compare with")


def against_ripgrep_cold(file: Path, needles: Needles, cores: int) -> Iterable[Row]:
    """The same after the system was told to forget what it holds of the file."""
    ours, theirs = everything_of([file], Needles(codes=needles.codes), jobs=cores), ripgrep(file, needles)
    pairs = in_turn(forgotten(file, ours), forgotten(file, theirs), times=PAIRS)
    yield from pairs.rows("ratio, cold cache", ours="svclog of 1 GB, codes", theirs="rg -c", goal="at most 3.0")


def forgotten(file: Path, work: Callable[[], object]) -> Callable[[], object]:
    """The work, with the file not in the cache."""

    def run() -> object:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return work()

    return run


def processor_seconds(work: Callable[[], object]) -> float:
    """What one call costs this process, whatever else the machine does meanwhile."""
    started = time.process_time()
    work()
    return time.process_time() - started


def linear(folder: Path, needles: Needles) -> Iterable[Row]:
    """Processor time for a gigabyte, from 10 MB to 2 GB, in one process."""
    for size in (10, 100, 1000, 2000):
        file = folder / f"{size}.svclog"
        file = file if file.exists() else service_trace(file, size * MEGABYTE)
        took = min(processor_seconds(everything_of([file], needles)) for _ in range(3))
        yield Row(f"svclog of {size} MB, one process, processor time per GB", f"{took / size * 1000:.2f} s", "the same")


def side_by_side(folder: Path, needles: Needles, cores: int) -> Iterable[Row]:
    """Eight files of 125 MB, read by one process and by one for each core."""
    files = [service_trace(folder / f"side{number}.svclog", 125 * MEGABYTE) for number in range(8)]
    pairs = in_turn(everything_of(files, needles), everything_of(files, needles, jobs=cores), times=PAIRS)
    yield from pairs.rows(
        "times faster", ours="8 files of 125 MB, one process", theirs=f"{cores} processes", goal="at least 1.7"
    )


def against_the_library(folder: Path, needles: Needles) -> Iterable[Row]:
    """100 MB of .evtx."""
    file = event_log(folder / "100.evtx", 205_000)
    pairs = in_turn(everything_of([file], needles), library(file), times=PAIRS)
    size = file.stat().st_size // MEGABYTE
    yield from pairs.rows("ratio", ours=f".evtx of {size} MB", theirs="the library's own iteration", goal="at most 1.2")


def main() -> None:
    """Measure and print."""
    needles, cores = load().needles, os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show(tuple(against_the_library(folder, needles)))
        show(tuple(against_ripgrep(folder, needles, cores)))
        show(tuple(linear(folder, needles)))
        show(tuple(side_by_side(folder, needles, cores)))


if __name__ == "__main__":
    main()
