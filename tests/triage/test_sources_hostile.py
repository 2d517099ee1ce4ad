"""What comes as one line: bombs, loops, closed doors, growing files. The rest is read each time, in any order."""

from __future__ import annotations

import io
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediate.triage import sources_pool
from remediate.triage.event_log_chunks import HEADER, header_of
from remediate.triage.event_log_ranges import RangeOfChunks, in_ranges
from remediate.triage.sources import Stream
from tests.triage.sources_evtx import CHUNK, Event, write
from tests.triage.sources_material import RPC, Found, found_in, trace, traces

NOBODY = 65_534
windows = pytest.mark.skipif(os.name == "nt", reason="Windows has neither these links nor these modes")


def zipped(*members: tuple[str, bytes], path: Path | None = None) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    if path:
        path.write_bytes(content.getvalue())
    return content.getvalue()


def beside(folder: Path) -> None:
    """What has to be found, whatever lies beside it."""
    (folder / "zz-good.txt").write_text(f"{RPC}\n")


def only_line(found: Found) -> str:
    assert RPC in found.texts
    (line,) = found.skipped
    return line.what


@windows
def test_loops_of_links(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "back").symlink_to(tmp_path)
    beside(tmp_path)
    assert only_line(found_in(tmp_path)) == "a folder that was read already: a loop of links"


@windows
def test_a_link_to_itself_and_one_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "self").symlink_to(tmp_path / "self")
    beside(tmp_path)
    assert "cannot be opened" in only_line(found_in(tmp_path))
    (tmp_path / "nothing").symlink_to(tmp_path / "nowhere")
    assert len(found_in(tmp_path).skipped) == 2


@windows
def test_a_pipe_and_a_socket_in_a_folder_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    beside(tmp_path)
    assert only_line(found_in(tmp_path)) == "neither a file nor a folder"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert [line.what for line in found_in(tmp_path).skipped] == ["neither a file nor a folder"] * 2


@windows
def test_a_device_that_never_ends_is_not_read(tmp_path: Path) -> None:
    beside(tmp_path)
    assert only_line(found_in(tmp_path, Path("/dev/zero"))) == "neither a file nor a folder"


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    beside(tmp_path)
    found = found_in(tmp_path, tmp_path / "zz-good.txt")
    assert len(found.records) == 1 and only_line(found) == "a file that was read already"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    beside(tmp_path)
    assert "cannot be opened" in only_line(found_in(tmp_path, tmp_path / "no.evtx"))


@pytest.fixture
def without_rights() -> Iterator[Path]:
    """A folder that everybody can enter, while this process has the rights of nobody in particular."""
    if os.name == "nt":
        pytest.skip("Windows has no such modes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        beside(folder)
        (folder / "closed.svclog").write_bytes(traces([RPC]))
        (folder / "closed.svclog").chmod(0)
        (folder / "shut").mkdir(mode=0)
        before = os.geteuid()
        if before == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(before)
            (folder / "shut").chmod(0o700)


def test_no_permission(without_rights: Path) -> None:
    found = found_in(without_rights)
    assert found.texts == [RPC]
    assert [Path(line.source).name for line in found.skipped] == ["shut", "closed.svclog"] or [
        Path(line.source).name for line in found.skipped
    ] == ["closed.svclog", "shut"]
    assert all("ermission denied" in line.what for line in found.skipped)


class _Growing(io.FileIO):
    """A log whose writer adds to it after each read."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size if size is not None else -1)
        with Path(str(self.name)).open("ab") as writer:
            writer.write(traces([RPC]))
        return data


def test_a_file_that_grows_ends_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([RPC] * 1000))
    # Nothing else can be made to write between two reads for certain.
    ordinary = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", **_: _Growing(path) if mode == "rb" else ordinary(path, mode)
    )
    found = found_in(file)
    assert len(found.records) == 1000
    assert [(line.what, line.lost) for line in found.skipped] == [
        ("it grew while it was read; what came later was not read", False)
    ]


class _Failing(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 400_000:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_a_disk_that_fails_half_way(tmp_path: Path) -> None:
    beside(tmp_path)
    found = found_in(Stream("disk", cast(BinaryIO, _Failing(traces([RPC] * 2000)))), tmp_path)
    assert len(found.records) > 500
    assert "Input/output error" in only_line(found)


def test_members_of_a_zip_are_read_by_what_they_are(tmp_path: Path) -> None:
    inner = zipped(("deep.txt", RPC.encode()))
    log = write(tmp_path / "x", [Event(1001)]).read_bytes()
    zipped(("a/b.bin", traces([RPC])), ("event", log), ("more.zip", inner), ("calm", b"calm"), path=tmp_path / "logs")
    found = found_in(tmp_path / "logs")
    assert [Path(record.source).name for record in found.records] == ["event", "deep.txt", "b.bin"] or {
        Path(record.source).name for record in found.records
    } == {"event", "deep.txt", "b.bin"}
    assert len(found.reads) == 4 and not found.skipped


def test_a_zip_bomb(tmp_path: Path) -> None:
    zipped(("bomb.txt", b"0" * 100_000_000), ("good.txt", RPC.encode()), path=tmp_path / "bomb.zip")
    found = found_in(tmp_path)
    (line,) = [line for line in found.skipped if line.lost]
    assert "like a zip bomb" in line.what and RPC in found.texts


def test_a_bomb_in_zips_in_zips(tmp_path: Path) -> None:
    content = zipped(("bomb.txt", b"0" * 1000))
    for _ in range(6):
        content = zipped(("next.zip", content))
    (tmp_path / "bomb.zip").write_bytes(content)
    beside(tmp_path)
    assert only_line(found_in(tmp_path)) == "a zip in more than 2 zips"


def test_members_that_overlap(tmp_path: Path) -> None:
    content = bytearray(zipped(("a.txt", random.Random(1).randbytes(50_000))))
    directory = content.rindex(b"PK\x01\x02")
    entry = bytes(content[directory : content.rindex(b"PK\x05\x06")])
    content = (
        content[:directory]
        + entry * 30
        + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 30, 30, len(entry) * 30, directory, 0)
    )
    (tmp_path / "overlap.zip").write_bytes(content)
    beside(tmp_path)
    assert "overlap" in only_line(found_in(tmp_path))


def test_a_list_of_members_that_is_no_list_of_logs(tmp_path: Path) -> None:
    with (tmp_path / "many.zip").open("wb") as file:
        file.write(b"PK\x03\x04" + b"\0" * 100)
        file.truncate(40 << 20)
        file.seek(0, 2)
        file.write(struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 9, 9, 39 << 20, 200, 0))
    beside(tmp_path)
    assert "list of members" in only_line(found_in(tmp_path))


def test_an_encrypted_member(tmp_path: Path) -> None:
    content = bytearray(zipped(("secret.txt", b"0x80094015"), ("open.txt", RPC.encode())))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    (tmp_path / "half.zip").write_bytes(content)
    found = found_in(tmp_path)
    assert only_line(found) == "it is encrypted" and len(found.records) == 1


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_zip_raises_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(zipped(("a.txt", RPC.encode() * 50), ("b", traces([RPC] * 5))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("zip")
    (folder / "a.zip").write_bytes(content[: data.draw(st.integers(4, len(content)))])
    beside(folder)
    assert RPC in found_in(folder).texts


@settings(max_examples=100, deadline=None)
@given(
    beginning=st.sampled_from(
        [b"", b"ElfFile\0", b"PK\3\4", b"<E2ETraceEvent", b"{", b"Log Name:\nEvent ID: 1\n", b"\xff\xfe"]
    ),
    rest=st.binary(max_size=600),
)
def test_any_bytes_raise_nothing(beginning: bytes, rest: bytes) -> None:
    found = found_in(Stream("x", io.BytesIO(beginning + rest)))
    assert len(found.reads) + len(found.skipped) >= 1


def estate(folder: Path) -> list[Path]:
    """Files of many kinds that together are worth more than one process."""
    write(folder / "a.evtx", [Event(1001)] * 50)
    (folder / "big.svclog").write_bytes(traces(["calm " * 50, RPC, "calm " * 300]) * 2_000)
    (folder / "b.svclog").write_bytes(traces([RPC] * 20) + trace(RPC)[:-10].encode())
    (folder / "c.txt").write_text(f"{RPC}\n" * 30)
    zipped(("d.txt", RPC.encode()), path=folder / "d.zip")
    (folder / "bad.zip").write_bytes(b"PK\x03\x04 no")
    return sorted(folder.iterdir())


@pytest.fixture
def many_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little work is shared out too, and in many ranges."""
    monkeypatch.setattr(sources_pool, "RANGE", 100_000)
    monkeypatch.setattr(sources_pool, "SHORT_RANGE", 2 * CHUNK)
    monkeypatch.setattr(sources_pool, "SMALLEST_WORK", 0)


@pytest.mark.usefixtures("many_ranges")
def test_side_by_side_and_in_any_order_the_same(tmp_path: Path) -> None:
    files = estate(tmp_path)
    one, two, three = found_in(*files), found_in(*reversed(files)), found_in(*files, jobs=3)
    for other in (two, three):
        assert sorted(map(repr, other.records)) == sorted(map(repr, one.records))
        assert sorted(map(repr, other.skipped)) == sorted(map(repr, one.skipped))
        assert sorted(map(repr, other.reads)) == sorted(map(repr, one.reads))
    assert len(one.records) == 50 + 2_000 + 21 + 30 + 1


def log_of_seven_chunks(file: Path, **others: bytes) -> Path:
    """Events in the order of time, each with a number; `others` are bytes to be found at `at_N` of the file instead."""
    began = datetime(2026, 11, 1, tzinfo=UTC)
    write(file, (Event(1001 + number % 2, when=began + timedelta(minutes=number)) for number in range(1_200)))
    content = bytearray(file.read_bytes())
    for name, data in others.items():
        at = int(name.removeprefix("at_"))
        content[at : at + len(data)] = data
    file.write_bytes(content)
    return file


@pytest.mark.usefixtures("many_ranges")
@pytest.mark.parametrize(
    ("damage", "ranges", "lines"),
    [
        ({}, 4, 0),
        ({f"at_{HEADER + 4 * CHUNK + 20_000}": b"\0" * 4000}, 4, 1),
        ({f"at_{HEADER + 4 * CHUNK}": b"\0" * 8}, 1, 1),
        ({f"at_{HEADER + 6 * CHUNK}": bytes(CHUNK)}, 1, 1),
        ({"at_0": bytes(HEADER)}, 1, 1),
        ({"at_42": b"\x09\0"}, 1, 1),
        ({f"at_{HEADER + 7 * CHUNK}": b"\0" * 100}, 1, 0),
    ],
    ids=["whole", "records", "a chunk", "an empty chunk", "no header", "two chunks are missing", "more than chunks"],
)
def test_an_event_log_in_ranges_is_the_same_as_whole(
    tmp_path: Path, damage: dict[str, bytes], ranges: int, lines: int
) -> None:
    file = log_of_seven_chunks(tmp_path / "a.evtx", **damage)
    with file.open("rb") as content:
        assert len(in_ranges(content, file.stat().st_size, 2 * CHUNK)) == ranges
    whole, shared = found_in(file), found_in(file, jobs=2)
    assert sorted(map(repr, shared.records)) == sorted(map(repr, whole.records)) and len(whole.records) > 400
    assert (shared.skipped, shared.reads) == (whole.skipped, whole.reads)
    assert len(shared.skipped) == lines


@settings(max_examples=60, deadline=None)
@given(
    edges=st.lists(st.integers(0, 6), min_size=2, max_size=2, unique=True).map(sorted),
    reads=st.lists(st.tuples(st.integers(0, 8 * CHUNK), st.integers(0, 3 * CHUNK)), max_size=6),
)
def test_a_range_of_chunks_reads_as_a_log_of_its_own(edges: list[int], reads: list[tuple[int, int]]) -> None:
    content = random.Random(7).randbytes(HEADER + 6 * CHUNK)
    first, last = edges
    start, stop = (HEADER + number * CHUNK for number in edges)
    part = RangeOfChunks(io.BytesIO(content), start if first else 0, stop)
    expected = header_of(last - first) + content[start:stop]
    assert part.before == first
    assert part.seek(0, io.SEEK_END) == len(expected)
    buffered = io.BufferedReader(part)
    for at, count in reads:
        assert buffered.seek(at) == at
        assert buffered.read(count) == expected[at : at + count]


@pytest.mark.usefixtures("many_ranges")
def test_a_consumer_that_stops_early_leaves_no_process(tmp_path: Path) -> None:
    import multiprocessing

    from remediate.triage.sources import read
    from tests.triage.sources_material import NEEDLES

    estate(tmp_path)
    items = read([tmp_path], NEEDLES, jobs=2)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


@windows
def test_an_interrupt_is_one_line_whatever_processes_say(tmp_path: Path) -> None:
    for number in range(2):
        with (tmp_path / f"{number}.log").open("wb") as file:
            file.write(b"0x8009401%d " % number * 1000)
            file.truncate(1 << 34)
    command = [sys.executable, "-m", "remediate", "triage", str(tmp_path), "--jobs", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while len(_members(process.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        members = _members(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert len(members) >= 3, "the program, multiprocessing's tracker and one more that reads"
    assert told.strip() == "remediate: interrupted. Nothing was changed."


def _members(session: int) -> list[int]:
    """The processes of a session, by Linux's own account of them."""
    stats = [folder / "stat" for folder in Path("/proc").glob("[0-9]*")]
    fields = [stat.read_text().rpartition(")")[2].split() for stat in stats if stat.exists()]
    return [int(one[3]) for one in fields if int(one[3]) == session]


MEASURE = r"""
import re
import sys
from pathlib import Path
from tests.triage.sources_material import NEEDLES
from remediate.triage.sources import read
count = sum(1 for _ in read([Path(sys.argv[1])], NEEDLES))
peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
print(count, int(peak[1]) // 1024)
"""


def measured(path: Path) -> tuple[int, int]:
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    count, megabytes = map(int, done.stdout.split())
    return count, megabytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory that a process had")
@pytest.mark.parametrize("kind", ["line", "svclog", "nul", "evtx", "zip"])
def test_memory_stays_flat(tmp_path: Path, kind: str) -> None:
    """A line of 5 GB and one of NULs are sparse files; logs of 200 to 300 MB are one part of a log many times."""
    file = LARGE[kind](tmp_path / "large")
    count, megabytes = measured(file)
    assert count >= 3 if kind in ("line", "nul") else count > 40_000
    assert megabytes < 80


def _sparse(file: Path, size: int, start: bytes, end: bytes) -> Path:
    with file.open("wb") as target:
        target.write(start)
        target.truncate(size)
        target.seek(0, 2)
        target.write(end)
    return file


def _traces(file: Path) -> Path:
    block = traces(["calm " * 50, RPC]) * 4000
    with file.open("wb") as target:
        for _ in range(28):
            target.write(block)
    return file


def _event_log(file: Path) -> Path:
    """Record numbers repeat, of which the library takes no notice."""
    calm = (Event(2, data=(("Message", "calm " * 50),)) if number % 8 else Event(1001) for number in range(1700))
    content = write(file, calm).read_bytes()
    chunks, times = (len(content) - 4096) // CHUNK, 200
    with file.open("wb") as target:
        target.write(content[:42] + struct.pack("<H", chunks * times) + content[44:4096])
        for _ in range(times):
            target.write(content[4096:])
    return file


def _zip(file: Path) -> Path:
    log = _traces(file.with_name("log"))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(log, "log")
    log.unlink()
    return file


LARGE = {
    "line": lambda file: _sparse(file, 5 << 30, RPC.encode(), b" 0x80094015\n"),
    "nul": lambda file: _sparse(file, 300 << 20, traces([RPC]), traces([RPC])),
    "svclog": _traces,
    "evtx": _event_log,
    "zip": _zip,
}
