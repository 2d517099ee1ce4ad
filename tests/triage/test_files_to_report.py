"""From files to a report: every signature in every format and language, files cut anywhere, in any order, redacted."""

from __future__ import annotations

import io
import itertools
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediate.render.text import as_text
from remediate.render.triage_text import triage_text
from remediate.triage.counting import count
from remediate.triage.report import Report
from remediate.triage.signatures import Signature, load
from remediate.triage.sources import Stream, read
from remediate.triage.summary import make_report
from tests.triage.material import DEVICE
from tests.triage.sources_evtx import Event, write
from tests.triage.sources_material import trace

BEGAN = datetime(2026, 11, 20, 8, tzinfo=UTC)
QUIET = "Polling for requests, 0 < 1 & nothing to do"


def read_report(*inputs: Path | Stream, key: bytes = b"") -> Report:
    signatures = load()
    return make_report(count(read(inputs, signatures.needles), signatures), where="--bundle B", key=key)


def counted(made: Report) -> dict[tuple[str, str], int]:
    return {(problem.signature, problem.code): problem.count for problem in made.problems}


def said() -> list[tuple[str, str]]:
    """(signature, what a log says) for each text in each language, and for each code in four spellings."""
    shown = [(one.id, text) for one in load().all for text in one.every_text]
    for one in load().all:
        for code in filter(lambda code: code.is_failure, one.hresults):
            spelt = (f"{code}", f"{int(code):08x}", f"{code.signed}", f"0x{int(code):08x} ({code.signed} {code.name})")
            shown += [(one.id, f"IssuePfx - failed: {text}.") for text in spelt]
    return shown


def when(number: int) -> datetime:
    return BEGAN + timedelta(minutes=number, microseconds=125_000)


def as_svclog(texts: list[str]) -> bytes:
    return "".join(trace(text, minute=number % 60, second=number // 60) for number, text in enumerate(texts)).encode()


def as_lines(texts: list[str]) -> bytes:
    return "".join(f"{when(number):%Y-%m-%dT%H:%M:%S.%fZ} {text}\n" for number, text in enumerate(texts)).encode()


def as_xml(texts: list[str]) -> bytes:
    return "".join(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Contoso'/>"
        f"<EventID>7</EventID><TimeCreated SystemTime='{when(number):%Y-%m-%dT%H:%M:%S.%fZ}'/>"
        f"<EventRecordID>{number}</EventRecordID><Channel>Application</Channel><Computer>conn1</Computer></System>"
        f"<EventData><Data>{escape(text)}</Data></EventData></Event>\n"
        for number, text in enumerate(texts)
    ).encode()


def as_csv(texts: list[str]) -> bytes:
    quoted = (text.replace('"', '""') for text in texts)
    rows = (f'Error,{when(number):%Y-%m-%d %H:%M:%S},Contoso,7,None,"{text}"' for number, text in enumerate(quoted))
    return "\n".join(("Level,Date and Time,Source,Event ID,Task Category", *rows)).encode()


def as_event_log(texts: list[str], folder: Path) -> bytes:
    events = (
        Event(7, "Contoso", "Application", when=when(number), data=(("Device", DEVICE), ("Message", text)))
        for number, text in enumerate(texts)
    )
    return write(folder / "made.evtx", events).read_bytes()


FORMATS: dict[str, Callable[[list[str]], bytes]] = {
    "svclog": as_svclog,
    "lines": as_lines,
    "event-xml": as_xml,
    "event-csv": as_csv,
}


@pytest.mark.parametrize("kind", [*FORMATS, "evtx"])
def test_every_signature_is_found_in_every_format_in_every_language_and_spelling(tmp_path: Path, kind: str) -> None:
    expected = Counter(signature for signature, _ in said())
    texts = [each for _, text in said() for each in (text, QUIET)]
    content = as_event_log(texts, tmp_path) if kind == "evtx" else FORMATS[kind](texts)
    made = read_report(Stream("x", io.BytesIO(content)))
    assert sum(expected.values()) > 60 and made.records == len(texts)
    found = Counter[str]()
    for (signature, _), number in counted(made).items():
        found[signature] += number
    assert found == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("kind", FORMATS)
def test_every_signature_is_found_in_every_encoding(kind: str, encoding: str) -> None:
    texts = [text for _, text in said()]
    plain = read_report(Stream("x", io.BytesIO(FORMATS[kind](texts))))
    encoded = FORMATS[kind](texts).decode().encode(encoding)
    assert counted(read_report(Stream("x", io.BytesIO(encoded)))) == counted(plain)


def _event_of(one: Signature) -> list[tuple[str, Event]]:
    return [
        (one.id, Event(number, events.provider or "Contoso", events.channel or "Application"))
        for events in one.events
        if events.decides
        for number in events.ids
    ]


def test_every_event_of_every_signature_is_found_in_an_event_log(tmp_path: Path) -> None:
    wanted = [pair for one in load().all if one.kind not in ("success", "routine") for pair in _event_of(one)]
    events = (replace(event, when=when(number)) for number, (_, event) in enumerate(wanted))
    made = read_report(write(tmp_path / "a.evtx", events))
    found = Counter[str]()
    for (signature, _), number in counted(made).items():
        found[signature] += number
    assert found == Counter(signature for signature, _ in wanted) and len(found) >= 5


TEXTS = (
    "0x800706BA", "Denied by Policy Module", f"0x80094012 Device ID {DEVICE}1", QUIET, "0x80094811 0x80094812",
    f"Issuing Pfx certificate for Device ID {DEVICE}2 failed", "Sändningen väntar", "",
)  # fmt: skip
logs = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=12)


@pytest.mark.parametrize(("made", "names"), [(as_svclog, ("a1.svclog", "a2.svclog")), (as_lines, ("a.001", "a.002"))])
@settings(max_examples=40, deadline=None)
@given(texts=logs, data=st.data())
def test_a_file_cut_anywhere_counts_as_it_does_whole(
    tmp_path_factory: pytest.TempPathFactory,
    made: Callable[[list[str]], bytes],
    names: tuple[str, str],
    texts: list[str],
    data: st.DataObject,
) -> None:
    folder, whole = tmp_path_factory.mktemp("cut"), made(texts)
    cut = data.draw(st.integers(0, len(whole)))
    for name, half in zip(names, (whole[:cut], whole[cut:]), strict=True):
        (folder / name).write_bytes(half)
    one, two = read_report(Stream("a", io.BytesIO(whole))), read_report(folder)
    assert [(p.signature, p.code, p.count, p.first, p.last, p.histogram) for p in one.problems] == [
        (p.signature, p.code, p.count, p.first, p.last, p.histogram) for p in two.problems
    ]


def _estate(folder: Path) -> list[Path]:
    """Logs of one connector that tell the same and other things, one of them twice and one in a zip."""
    texts = list(TEXTS)
    (folder / "a.svclog").write_bytes(as_svclog(texts))
    (folder / "a (copy).svclog").write_bytes(as_svclog(texts))
    (folder / "lines.txt").write_bytes(as_lines(texts))
    (folder / "export.xml").write_bytes(as_xml(texts))
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.writestr("in.svclog", as_svclog(texts[::-1]))
    return sorted(folder.iterdir())


def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    files = _estate(tmp_path)
    first = msgspec.json.encode(read_report(*files))
    for order in random.Random(3).sample(list(itertools.permutations(files)), 30):
        assert msgspec.json.encode(read_report(*order)) == first


def test_a_redacted_report_of_files_counts_the_same_and_names_nobody(tmp_path: Path) -> None:
    whole = f"0x800706BA for anna.ek@contoso.test, Device ID {DEVICE}1, user CONTOSO\\anna.ek, S-1-5-21-1-2-3-1107"
    file = tmp_path / "a.svclog"
    file.write_bytes(as_svclog([whole, *TEXTS]))
    plain, redacted = read_report(file), read_report(file, key=b"key")
    assert counted(redacted) == counted(plain)
    told = msgspec.json.encode(redacted).decode() + as_text(triage_text(redacted, bars=True))
    assert not [one for one in ("anna", DEVICE, "S-1-5-21", "@contoso") if one in told]
