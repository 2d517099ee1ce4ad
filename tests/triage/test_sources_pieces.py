"""Files that were one are read as one, whatever names they bear that count on; a log that was moved away is another."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.triage.sources_evtx import CHUNK, Event, write
from tests.triage.sources_material import RPC, Found, found_in, trace
from tests.triage.test_sources_hostile import zipped

TEXTS = ("0x80094015 first", "Denied by Policy Module", "åäö 0x80070057", "nothing here", RPC, "0x80094812")
NAMES = (("log.001", "log.002"), ("half-1.log", "half-2.log"), ("log9.txt", "log10.txt"), ("xaa", "xab"))


def as_traces() -> str:
    return "".join(trace(text, minute=minute) for minute, text in enumerate(TEXTS))


def as_xml() -> str:
    """As wevtutil writes it."""
    space, provider = "http://schemas.microsoft.com/win/2004/08/events/event", "Microsoft-Intune-CertificateConnectors"
    events = (
        f"<Event xmlns='{space}'><System><Provider Name='{provider}'/><EventID>1051</EventID>"
        f"<TimeCreated SystemTime='2026-11-23T09:{minute:02}:30.625Z'/><EventRecordID>{minute}</EventRecordID>"
        f"<Channel>{provider}/Operational</Channel><Computer>conn1</Computer></System>"
        f"<EventData><Data Name='Error'>{text}</Data></EventData></Event>\r\n"
        for minute, text in enumerate(TEXTS)
    )
    return f"<Events>{''.join(events)}</Events>"


def as_csv() -> str:
    """As Export-Csv writes it, with messages of several lines."""
    table = io.StringIO()
    rows = csv.writer(table, quoting=csv.QUOTE_ALL)
    rows.writerow(("TimeCreated", "Id", "ProviderName", "LogName", "Message"))
    for minute, text in enumerate(TEXTS):
        rows.writerow((f"2026-11-23 09:{minute:02}:30", 1051, "Microsoft-X", "X", f"{text}\nof two lines"))
    return table.getvalue()


def as_lines() -> str:
    return "\r\n".join(f"2026-11-23 09:{minute:02}:30.625 {text}" for minute, text in enumerate(TEXTS))


def told(found: Found) -> list[tuple[str, str]]:
    return sorted((record.when, record.text) for record in found.records)


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16"])
@pytest.mark.parametrize("made", [as_traces, as_xml, as_csv, as_lines])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_file_cut_anywhere_reads_as_it_does_whole(
    tmp_path_factory: pytest.TempPathFactory,
    names: tuple[str, str],
    encoding: str,
    made: Callable[[], str],
    data: st.DataObject,
) -> None:
    folder, whole = tmp_path_factory.mktemp("cut"), made().encode(encoding)
    cut = data.draw(st.integers(0, len(whole)))
    (folder / "whole").write_bytes(whole)
    halves = folder / "halves"
    halves.mkdir()
    for name, half in zip(names, (whole[:cut], whole[cut:]), strict=True):
        (halves / name).write_bytes(half)
    expected = told(found_in(folder / "whole"))
    assert len(expected) == 5
    one, two = (halves / name for name in names)
    assert told(found_in(halves)) == told(found_in(two, one)) == expected


@pytest.mark.parametrize("made", [as_traces, as_xml, as_csv, as_lines])
def test_a_file_in_many_pieces(tmp_path: Path, made: Callable[[], str]) -> None:
    whole = made().encode()
    size = len(whole) // 12 + 1
    for number in range(12):
        (tmp_path / f"x.{number + 1:03}").write_bytes(whole[number * size : (number + 1) * size])
    assert len(found_in(tmp_path).records) == 5


def test_event_logs_and_zips_in_pieces(tmp_path: Path) -> None:
    log = write(tmp_path / "log", [Event(1001)] * 900).read_bytes()
    packed = zipped(("a.txt", RPC.encode()), ("b", log))
    for name, content, cut in (("log", log, 5000), ("chunk", log, 4096 + CHUNK), ("zip", packed, 300)):
        folder = tmp_path / f"{name}.d"
        folder.mkdir()
        (folder / "x1").write_bytes(content[:cut])
        (folder / "x2").write_bytes(content[cut:])
        found = found_in(folder)
        assert len(found.records) == 900 + (name == "zip") and not found.skipped, name


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-11-23 09:00:00 failed: 0x80094015", "2026-11-24 09:00:00 failed: 0x80094015"),
        ("failed: 0x80094015", "0x80094015 again"),
        (trace("0x80094015"), trace("0x80094015", minute=1)),
        (as_csv()[:150], as_csv()),
    ],
)
def test_logs_that_were_moved_away_stay_apart(tmp_path: Path, names: tuple[str, str], first: str, second: str) -> None:
    for name, text in zip(names, (first, second), strict=True):
        (tmp_path / name).write_text(text)
    apart = found_in(*(tmp_path / name for name in names))
    alone = [found_in(tmp_path / name) for name in names]
    assert told(apart) == sorted(told(alone[0]) + told(alone[1]))
    assert len(apart.reads) == 2


def test_a_whole_event_log_takes_nothing_on(tmp_path: Path) -> None:
    write(tmp_path / "log1.evtx", [Event(1001)] * 10)
    (tmp_path / "log2.evtx").write_text(f"{RPC}\n")
    (tmp_path / "log3.zip").write_bytes(zipped(("a", b"0x80094015")))
    (tmp_path / "log4.zip").write_text("0x80070057\n")
    found = found_in(tmp_path)
    assert len(found.records) == 13 and len(found.reads) == 4 and not found.skipped
