"""Triage's readers against ripgrep and the evtx library: `python -m benchmarks.triage_speed`. Nothing is contacted.

It writes some gigabytes of logs into a temporary folder. Caches are warm, except where a row says otherwise.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from benchmarks.measuring import Row, in_turn, show
from remediate.triage import event_log
from remediate.triage.needles import Needles
from remediate.triage.signatures import load
from remediate.triage.sources import read
from tests.triage.sources_evtx import CHUNK, Event, write
from tests.triage.sources_material import trace

PAIRS = 5
MEGABYTE = 1_000_000
SIZES = (10, 100, 1000, 2000)
# One record in a hundred shows a failure: a connector that fails all day and polls every few seconds.
FAILURES = 100
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
CONNECTOR, OTHER = "Microsoft-Intune-CertificateConnectors", "Contoso-Certificate-Portal"
FAILED = (
    "IssuePfx - COMException: System.Runtime.InteropServices.COMException (0x800706BA): "
    "CCertRequest::Submit: 0x800706ba (WIN32: 1722 RPC_S_SERVER_UNAVAILABLE)"
)
STACK = "".join(
    f"\r\n   at Contoso.Certificates.Services.Step{number}.Submit(Request request, String container, String& answer)"
    for number in range(8)
)


def messages(count: int) -> Iterable[str]:
    """What a connector writes, nearly all of it without meaning for us."""
    chance = random.Random(7)
    for number in range(count):
        if number % FAILURES == 0:
            yield FAILED
        else:
            yield f"Polling for requests: {number % 7} in the queue, correlation {chance.getrandbits(128):032x}"


def service_trace(path: Path, size: int, *, first: int = 0) -> Path:
    """A svclog of at least so many bytes, from its first minute on."""
    lines = (trace(text, minute=minute) for minute, text in enumerate(messages(10_000), first))
    block = "\n".join(lines).encode() + b"\n"
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block)
    return path


def plain_text(path: Path, size: int) -> Path:
    """Lines with a time, at least so many bytes."""
    lines = (
        f"{BEGAN + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ} {text}" for number, text in enumerate(messages(10_000))
    )
    block = "\n".join(lines).encode() + b"\n"
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(block)
    return path


def long_event_log(path: Path, size: int) -> Path:
    """An .evtx of about so many bytes: the chunks of one of 9 MB again and again, under a header that counts them."""
    content = connector_log(path, 13_000).read_bytes()
    times = max(1, size // len(content))
    chunks = (len(content) - 4096) // CHUNK * times
    with path.open("wb") as file:
        file.write(content[:42] + struct.pack("<H", chunks) + content[44:4096])
        for _ in range(times):
            file.write(content[4096:])
    return path


def zipped(path: Path, size: int) -> Path:
    """A zip of a svclog of so many bytes."""
    log = service_trace(path.with_suffix(".packed"), size)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(log, "NDESConnector.svclog")
    log.unlink()
    return path


def connector_log(path: Path, count: int, *, ends: int = FAILURES, provider: str = CONNECTOR) -> Path:
    """An .evtx of a connector's operational channel with so many events, every `ends`-th the end of a request."""
    return write(path, map(partial(operational, ends=ends, provider=provider), range(count)))


def operational(number: int, *, ends: int, provider: str) -> Event:
    """A poll, a request that comes or goes, or its end, with values of the length that they have in a real log."""
    chance = random.Random(number)
    ids = [str(UUID(int=chance.getrandbits(128))) for _ in range(3)]
    polled = f"The service was asked for requests: {number % 7} wait in its queue. The next time is in 30 seconds."
    asked = "The request of the device was taken over and stands in the queue of the authority that it names."
    request = (
        ("RequestId", ids[0]), ("DeviceId", ids[1]), ("UserId", ids[2]), ("CaHost", "ca01.contoso.test"),
        ("CaName", "Contoso Issuing CA"), ("TemplateName", "IntunePKCS"),
    )  # fmt: skip
    event_id: int = 1002
    data: tuple[tuple[str, str], ...] = (("CorrelationId", ids[0]), ("Count", str(number % 7)), ("Message", polled))
    if number % ends == 0:
        event_id, data = 1052, (*request, ("Message", FAILED + STACK))
    elif number % 3 == 0:
        event_id, data = (1020 if number % 2 else 1102), (*request, ("Message", asked))
    return Event(
        event_id, provider=provider, channel=f"{provider}/Operational", when=BEGAN + timedelta(seconds=number),
        data=data,
    )  # fmt: skip


def tiny_log(path: Path, count: int) -> Path:
    """An .evtx of events that are as small as can be, with seven properties and three values."""
    return write(
        path,
        (
            Event(
                1052 if number % FAILURES == 0 else 1002,
                when=BEGAN + timedelta(seconds=number),
                data=(("DeviceId", f"{number:032x}"), ("CaName", "Contoso Issuing CA"), ("Message", text)),
                bare=True,
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
    """The evtx library's own iteration, with the settings with which triage reads, and nothing done with a record."""
    return lambda: sum(1 for _ in event_log.records_of(path))


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
    for size in SIZES:
        file = service_trace(folder / f"{size}.svclog", size * MEGABYTE)
        took = min(processor_seconds(everything_of([file], needles)) for _ in range(3))
        yield Row(f"svclog of {size} MB, one process, processor time per GB", f"{took / size * 1000:.2f} s", "the same")


class Whole(NamedTuple):
    """One run of `remediate triage`: seconds on the wall, of processors, and the most its processes held at a time."""

    wall: float
    processor: float
    megabytes: int


def whole(paths: Iterable[Path], *options: str) -> Whole:
    """Run the program with everything that belongs to it. Memory is asked for 50 times a second (Linux)."""
    command = [sys.executable, "-m", "remediate", "triage", *map(str, paths), *options]
    before, started, most = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, resident(process.pid))
            time.sleep(0.02)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Whole(wall, used, most // MEGABYTE)


def resident(process: int) -> int:
    """Bytes of a process and of those that it started; what they share is counted for each."""
    try:
        own = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        tasks = list(Path(f"/proc/{process}/task").glob("*/children"))
        return own + sum(resident(int(child)) for task in tasks for child in task.read_text().split())
    except (OSError, IndexError):
        return 0


def memory(folder: Path) -> Iterable[Row]:
    """The whole program with logs of 10 MB to 2 GB: what all its processes hold together at most."""
    for kind, made in (("svclog", service_trace), ("text", plain_text), ("evtx", long_event_log), ("zip", zipped)):
        for size in SIZES:
            file = made(folder / f"{size}.{kind}", size * MEGABYTE)
            yield Row(
                f"{kind} of {size} MB, most memory of all processes", f"{whole([file]).megabytes} MB", "under 150"
            )
            file.unlink()


def side_by_side(folder: Path, cores: int) -> Iterable[Row]:
    """Eight files of 250 MB through the whole program, with one process and with one for each core.

    On a machine that has other work the wall says nothing: processor time then says that no work is done twice.
    """
    # No two of them alike: the same content is read once.
    files = [service_trace(folder / f"side{number}.svclog", 250 * MEGABYTE, first=number) for number in range(8)]
    whole(files, "--jobs", "1")
    runs = [(whole(files, "--jobs", "1"), whole(files, "--jobs", str(cores))) for _ in range(PAIRS)]
    faster = statistics.median(one.wall / many.wall for one, many in runs)
    dearer = statistics.median(many.processor / one.processor for one, many in runs)
    yield Row("8 svclogs of 250 MB, one process", f"{statistics.median(one.wall for one, _ in runs):.2f} s")
    yield Row(f"the same, {cores} processes", f"{statistics.median(many.wall for _, many in runs):.2f} s")
    yield Row("times faster", f"{faster:.2f}", "at least 1.7")
    yield Row("processor time, to that of one process", f"{dearer:.2f}", "about 1")


def against_the_library(folder: Path, needles: Needles, cores: int) -> Iterable[Row]:
    """100 MB of .evtx of several kinds; where there is no goal, the row says what makes the difference."""
    usual, unknown = connector_log(folder / "100.evtx", 141_000), "the same of a provider of whom nothing is known"
    kinds = (
        ("a connector's log", usual, cores, "at most 1.2"),
        ("the same, one process", usual, 1, ""),
        (unknown, connector_log(folder / "other.evtx", 141_000, provider=OTHER), cores, ""),
        ("each fourth event the end of a request", connector_log(folder / "ends.evtx", 80_000, ends=4), cores, ""),
        ("tiny events", tiny_log(folder / "tiny.evtx", 205_000), cores, ""),
    )
    for name, file, jobs, goal in kinds:
        pairs = in_turn(everything_of([file], needles, jobs=jobs), library(file), times=PAIRS)
        size = file.stat().st_size // MEGABYTE
        yield from pairs.rows(
            "ratio", ours=f".evtx of {size} MB, {name}", theirs="the library's own iteration", goal=goal
        )


def main() -> None:
    """Measure and print."""
    needles, cores = load().needles, os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        show(tuple(against_the_library(folder, needles, cores)))
        show(tuple(against_ripgrep(folder, needles, cores)))
        show(tuple(linear(folder, needles)))
        show(tuple(side_by_side(folder, cores)))
        show(tuple(memory(folder)))


if __name__ == "__main__":
    main()
