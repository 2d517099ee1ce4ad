"""Events: .evtx files, damaged ones too; XML, CSV and pasted text in three languages."""

from __future__ import annotations

import io
import os
import re
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from remediate.triage.needles import Needles
from remediate.triage.records import Record
from remediate.triage.sources import Stream, read
from tests.triage.sources_evtx import CHUNK, Event, write
from tests.triage.sources_material import NEEDLES, Found, found_in

ADMIN = "Microsoft-Intune-CertificateConnectors/Admin"
CA = "Microsoft-Windows-CertificationAuthority"
FAILED = Event(1001, data=(("DeviceId", "d-1"), ("Message", "Denied by Policy Module <1> & more")))
DONE = Event(1000, data=(("DeviceId", "d-2"), ("Message", "uploaded")))


def test_an_event_log_is_read(tmp_path: Path) -> None:
    file = write(tmp_path / "no-extension", [DONE, FAILED, DONE])
    found = found_in(file)
    (record,) = found.records
    assert (record.kind, record.event_id, record.channel) == ("evtx", 1001, ADMIN)
    assert (record.provider, record.host) == ("Microsoft-Intune-CertificateConnectors", "conn1.contoso.test")
    assert record.data == {"DeviceId": "d-1", "Message": "Denied by Policy Module <1> & more"}
    assert record.text == "d-1; Denied by Policy Module <1> & more"
    assert (record.when, record.zone, record.record_id) == ("2026-11-23T09:12:00.000Z", "utc", "2")
    (source,) = found.reads
    assert (source.scanned, source.size) == (3, file.stat().st_size)
    assert (source.first, source.last) == ("2026-11-23T09:12:00.000Z", "2026-11-23T09:12:00.000Z")


@pytest.mark.parametrize(
    ("text", "comes"),
    [
        *((spelling, True) for spelling in ("0x80094015", "0X8ABCDEF0", "-2146877419", "2148089877", "80094015")),
        *((spelling, True) for spelling in ("0x00000400", "Sändningen väntar")),
        *((spelling, False) for spelling in ("2148089878", "0x00000500", "")),
    ],
)
def test_codes_of_any_spelling_in_an_event_log(tmp_path: Path, text: str, comes: bool) -> None:
    file = write(tmp_path / "a.evtx", [Event(53, provider=CA, channel="Application", data=(("Reason", text),))])
    assert bool(found_in(file).records) == comes


def test_an_event_is_wanted_by_channel_provider_or_id_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "a.evtx", [Event(1001), Event(1001, channel="Other"), Event(128, provider=CA, channel="A")])
    assert [record.event_id for record in found_in(file).records] == [1001, 128]
    by_provider = Needles(event_ids=frozenset({(CA.upper(), 128)}))
    assert [record.event_id for record in found_in(file, needles=by_provider).records] == [128]


def test_of_what_is_routine_nothing_comes_and_it_is_counted(tmp_path: Path) -> None:
    routine = Needles(codes=NEEDLES.codes, routine=frozenset({("microsoft-intune-certificateconnectors", 1020)}))
    said = (("Message", "0x80094015"),)
    file = write(tmp_path / "a.evtx", [Event(1020, data=said), Event(1021, data=said), Event(1020, "Other", data=said)])
    found = found_in(file, needles=routine)
    assert [(record.record_id, record.event_id) for record in found.records] == [("2", 1021), ("3", 1020)]
    assert found.scanned == 3
    export = tmp_path / "a.xml"
    export.write_text(xml(1020, "0x80094015").replace(CA, "Microsoft-Intune-CertificateConnectors"))
    assert not found_in(export, needles=routine).records


def test_providers_of_any_length_and_events_of_any_shape_in_one_log(tmp_path: Path) -> None:
    lengths = (1, 300, 20, 120, 38)
    calm = [Event(5, "p" * length, bare=bare, data=(("a", "b"),)) for length in lengths for bare in (True, False)]
    said = [Event(9, "q" * length, data=(("a", "0x80094015"),)) for length in lengths]
    file = write(tmp_path / "a.evtx", (calm + said + [Event(128, CA)]) * 30)
    found = found_in(file)
    assert len(found.records) == 30 * (len(said) + 1) and found.scanned == 30 * (len(calm) + len(said) + 1)
    assert [int(record.record_id) for record in found.records] == sorted(
        int(record.record_id) for record in found.records
    )


def test_more_providers_than_are_remembered(tmp_path: Path) -> None:
    said = (("a", "0x80094015"),)
    file = write(
        tmp_path / "a.evtx", (Event(9, f"p{number}", data=said if number % 2 else ()) for number in range(3000))
    )
    assert [int(record.record_id) for record in found_in(file).records] == list(range(2, 3001, 2))


def test_an_event_is_read_alike_from_any_layout_of_its_xml(tmp_path: Path) -> None:
    """As Windows writes it, in lines, and with blanks and properties that nobody expects."""
    as_written = xml(128, "A &amp; B").replace("<Data/>", "")
    in_lines = as_written.replace("><", ">\n  <").replace("'", '"')
    spread = as_written.replace("<Data>", "<Data >").replace("<EventID", "<Version >0</Version ><EventID")
    (plain,), *others = (
        found_in(Stream("-", io.BytesIO(text.encode()))).records for text in (as_written, in_lines, spread)
    )
    assert (plain.record_id, plain.host, plain.data) == ("77", "ca01.contoso.test", {"RequestId": "16", "2": "A & B"})
    assert others == [[replace(plain, position=0)]] * 2


def test_a_log_that_wraps_around_tells_its_first_and_last_time(tmp_path: Path) -> None:
    began = datetime(2026, 11, 1, tzinfo=UTC)
    order = (*range(500, 900), *range(500))
    file = write(tmp_path / "a.evtx", (Event(1, when=began + timedelta(minutes=minute)) for minute in order))
    (source,) = found_in(file).reads
    assert (source.first, source.last) == ("2026-11-01T00:00:00.000Z", "2026-11-01T14:59:00.000Z")


def test_a_damaged_chunk_costs_its_own_records(tmp_path: Path) -> None:
    file = write(tmp_path / "a.evtx", [FAILED] * 900)
    whole = found_in(file)
    content = bytearray(file.read_bytes())
    content[4096 + CHUNK : 4096 + CHUNK + 600] = b"\xff" * 600
    file.write_bytes(content)
    found = found_in(file)
    assert len(whole.records) == 900
    assert 400 < len(found.records) < 900
    (line,) = found.skipped
    assert line.what == "chunk 2 is damaged: it does not begin as chunks do" and line.lost
    assert max(int(record.record_id) for record in found.records) == 900


def damaged(file: Path, at: int, to: bytes) -> Found:
    """What is found in a log of six chunks once some bytes of it are others, from its path and from a pipe."""
    content = bytearray(write(file, [FAILED] * 900).read_bytes())
    content[at : at + len(to)] = to
    file.write_bytes(content)
    found, piped = found_in(file), found_in(Stream("-", io.BytesIO(content)))
    assert [(line.what, line.lost) for line in piped.skipped] == [(line.what, line.lost) for line in found.skipped]
    numbers = [int(record.record_id) for record in found.records]
    assert numbers == sorted(set(numbers)) == [int(record.record_id) for record in piped.records]
    assert found.scanned == piped.scanned and found.scanned - len(numbers) in (0, 1)  # one may be damaged in part
    return found


@pytest.mark.parametrize(
    ("at", "to", "said"),
    [
        (600, b"\xff" * 300, r"chunk 2 is damaged: \d+ of its \d+ records were read: Failed to parse .+"),
        (20_000, b"\0" * 4000, r"chunk 2 is damaged: \d+ of its \d+ records were read"),
        (0, b"\0" * CHUNK, r"chunk 2 is damaged: it holds nothing but zeros"),
        (0, b"\0" * 8, r"chunk 2 is damaged: it does not begin as chunks do"),
        (16, b"\xff" * 4, r"chunk 2 is damaged: its header is damaged, and \d+ records were read"),
    ],
)
def test_of_a_damaged_chunk_is_said_what_is_missing_and_all_others_are_read(
    tmp_path: Path, at: int, to: bytes, said: str
) -> None:
    found = damaged(tmp_path / "a.evtx", 4096 + CHUNK + at, to)
    assert [line.what for line in found.skipped if not re.fullmatch(said, line.what)] == []
    assert all(line.lost for line in found.skipped) and len(found.skipped) == 1
    read = {int(record.record_id) for record in found.records}
    in_a_chunk = 155
    assert set(range(1, 901)) - read <= set(range(in_a_chunk + 1, 2 * in_a_chunk + 2))


@pytest.mark.parametrize(("at", "to"), [(0, b"\0" * 4096), (0, b"\0" * 8), (32, b"\xff" * 12)])
def test_an_event_log_without_its_header_is_read_by_its_chunks(tmp_path: Path, at: int, to: bytes) -> None:
    found = damaged(tmp_path / "a.evtx", at, to)
    (line,) = found.skipped
    assert line.what.startswith("its header is damaged; its chunks were read by themselves, ") and not line.lost
    assert len(found.records) == 900 and {read.kind for read in found.reads} == {"evtx"}


def test_an_event_log_that_names_chunks_and_holds_zeros_is_not_fine(tmp_path: Path) -> None:
    content = write(tmp_path / "a.evtx", [FAILED]).read_bytes()
    for data in (content[:4096] + bytes(CHUNK), content[:42] + bytes(2) + content[44:4096], b"ElfFile\0" + bytes(5000)):
        found = found_in(Stream("-", io.BytesIO(data)))
        assert len(found.skipped) == 1 and found.skipped[0].lost and not found.records


def test_chunks_of_zeros_behind_the_last_one_are_room(tmp_path: Path) -> None:
    file = write(tmp_path / "a.evtx", [FAILED])
    with file.open("ab") as log:
        log.write(bytes(3 * CHUNK))
    found = found_in(file)
    assert len(found.records) == 1 and not found.skipped


def test_an_event_log_of_rubbish_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.evtx"
    file.write_bytes(b"ElfFile\0" + b"\xff" * 300_000)
    found = found_in(file)
    assert not found.records and 0 < len(found.skipped) <= 20


@pytest.mark.parametrize("size", [0, 8, 100, 4096, 5000])
def test_an_event_log_cut_short(tmp_path: Path, size: int) -> None:
    file = write(tmp_path / "a.evtx", [FAILED])
    file.write_bytes(file.read_bytes()[:size])
    found = found_in(file)
    assert found.records == []
    assert bool(found.skipped) == (size > 0)


def test_what_is_missing_of_an_event_log_is_said_and_the_rest_is_read(tmp_path: Path) -> None:
    file = write(tmp_path / "a.evtx", [FAILED] * 900)
    size = file.stat().st_size
    os.truncate(file, size - CHUNK - 20_000)
    found = found_in(file, Stream("-", io.BytesIO(file.read_bytes())))
    chunks = (size - 4096) // CHUNK
    assert [line.what for line in found.skipped] == [
        f"it is cut off: {chunks - 2} of its {chunks} chunks are there whole, and were read"
    ] * 2
    assert 0 < len(found.records) < 1800


def test_an_event_log_from_a_pipe_and_in_a_zip(tmp_path: Path) -> None:
    content = write(tmp_path / "a.evtx", [FAILED]).read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logs/b.evtx", content)
    piped, zipped = Stream("standard input", io.BytesIO(content)), Stream("c", io.BytesIO(packed.getvalue()))
    assert [record.source for record in found_in(piped, zipped).records] == ["standard input", "c/logs/b.evtx"]


def xml(event_id: int, text: str, *, message: str = "") -> str:
    rendered = f"<RenderingInfo Culture='sv-SE'><Message>{message}</Message></RenderingInfo>" if message else ""
    return (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name='{CA}' Guid='{{6a71d062-9afe-4f35-ad08-52134f85dfb9}}'/>"
        f"<EventID Qualifiers='4'>{event_id}</EventID><Keywords>0x8080000000000000</Keywords>"
        "<TimeCreated SystemTime='2026-05-31T15:17:54.1234567Z'/><EventRecordID>77</EventRecordID>"
        "<Channel>Application</Channel><Computer>ca01.contoso.test</Computer></System>"
        f"<EventData Name='X'><Data Name='RequestId'>16</Data><Data>{text}</Data><Data/></EventData>{rendered}</Event>"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_exported_xml(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "export"
    body = xml(4, "calm") + xml(128, "x", message="Nyckel &lt;16&gt; &amp; slut") + xml(7, "0x80094812")
    file.write_bytes(f"<?xml version='1.0'?>\r\n<Events>{body}</Events>".encode(encoding))
    found = found_in(file)
    one, two = found.records
    assert (one.event_id, one.provider, one.channel, one.record_id) == (128, CA, "Application", "77")
    assert (one.text, one.when) == ("Nyckel <16> & slut", "2026-05-31T15:17:54.123Z")
    assert two.data == {"RequestId": "16", "2": "0x80094812", "3": ""}
    assert found.scanned == 3 and one.kind == "event-xml" and not found.skipped


def test_user_data_and_a_cut_off_event(tmp_path: Path) -> None:
    user = xml(53, "").replace("EventData", "UserData").replace(" Name='X'", "")
    user = (
        user[: user.index("<UserData>")]
        + "<UserData><F xmlns='y'><Code>0x80094015</Code><Who>A&amp;B</Who></F></UserData></Event>"
    )
    file = tmp_path / "export"
    file.write_text(user + xml(128, "")[:-40])
    found = found_in(file)
    assert found.records[0].data == {"Code": "0x80094015", "Who": "A&B"}
    assert found.records[1].event_id == 128
    assert [line.what for line in found.skipped] == ["an event is cut off; what stands of it was read"]


def test_an_entity_bomb_stays_text(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    file = tmp_path / "export.xml"
    file.write_text(
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><Events>{xml(128, "&l29;")}</Events>'
    )
    (record,) = found_in(file).records
    assert record.data["2"] == "&l29;"


def test_markup_without_end_is_no_trap(tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    hostile = xml(128, "<Data>" * 20_000 + "<Message>" * 20_000 + "<a " * 20_000)
    file.write_text(hostile)
    assert [record.event_id for record in found_in(file).records] == [128]


CSV = {
    "en": ("Level,Date and Time,Source,Event ID,Task Category", "Warning,5/31/2026 3:17:54 PM,"),
    "sv": ("Nivå,Datum och tid,Källa,Händelse-ID,Aktivitetskategori", "Varning,2026-05-31 15:17:54,"),
    "de": ("Ebene;Datum und Uhrzeit;Quelle;Ereignis-ID;Aufgabenkategorie", "Warnung;31.05.2026 15:17:54;"),
}


@pytest.mark.parametrize("language", CSV)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_csv_of_event_viewer(tmp_path: Path, language: str, encoding: str) -> None:
    header, begun = CSV[language]
    mark = ";" if ";" in header else ","
    calm = mark.join((begun + "Other", "9", "", '"nothing, at all"'))
    row = mark.join((begun + CA, "53", "", '"denied ""request"" 7\r\nbecause of 0x80094812"'))
    file = tmp_path / "export"
    file.write_bytes(f"{header}\r\n{calm}\r\n{row}\r\n".encode(encoding))
    found = found_in(file)
    (record,) = found.records
    assert (record.kind, record.event_id, record.provider) == ("event-csv", 53, CA)
    assert (record.when, record.zone) == ("2026-05-31T15:17:54.000Z", "local")
    assert record.text == 'denied "request" 7\nbecause of 0x80094812'
    assert found.scanned == 2


def test_csv_of_powershell(tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_text(
        '#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\n"Message","Id","ProviderName","LogName","RecordId",'
        f'"MachineName","TimeCreated"\n"calm","128","{CA}","Application","5","CA01","2026-05-31 15:17:54"\n'
    )
    (record,) = found_in(file).records
    assert (record.record_id, record.host, record.channel, record.text) == ("5", "CA01", "Application", "calm")


def test_csv_with_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    header, begun = CSV["en"]
    rows = [f"{begun}{CA},128,None,fine {number}" for number in range(20_000)]
    rows[10] = f'{begun}{CA},128,None,"open'
    file = tmp_path / "export"
    file.write_text("\n".join((header, *rows)))
    found = found_in(file)
    assert len(found.skipped) == 1 and "CSV" in found.skipped[0].what
    assert found.texts.count("fine 19999") == 1 and len(found.records) > 15_000


def test_a_local_time_is_in_the_zone_that_was_assumed(tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_text(f"{CSV['sv'][0]}\n{CSV['sv'][1]}{CA},128,Ingen,x\n")
    items = read([file], NEEDLES, assumed_zone=timezone(timedelta(hours=2)))
    assert [item.when for item in items if isinstance(item, Record)] == ["2026-05-31T13:17:54.000Z"]


PASTED = {
    "en": ("Log Name", "Source", "Date", "Event ID", "User", "Computer", "Description", "5/31/2026 3:17:54 PM"),
    "sv": ("Loggnamn", "Källa", "Datum", "Händelse-ID", "Användare", "Dator", "Beskrivning", "2026-05-31 15:17:54"),
    "de": (
        "Protokollname",
        "Quelle",
        "Datum",
        "Ereignis-ID",
        "Benutzer",
        "Computer",
        "Beschreibung",
        "31.05.2026 15:17:54",
    ),
}


@pytest.mark.parametrize("language", PASTED)
def test_events_pasted_from_event_viewer(language: str) -> None:
    log, source, date, event_id, user, computer, description, when = PASTED[language]
    event = (
        f"{log}:      Application\r\n{source}:        {CA}\r\n{date}:          {when}\r\n{event_id}:      128\r\n"
        f"{user}:          SYSTEM\r\n{computer}:      CA01\r\n{description}:\r\nAn identifier: of request 16.\r\n\r\n"
        f"Event Xml:\r\n{xml(128, 'x')}\r\n"
    )
    found = found_in(Stream("-", io.BytesIO(f"first line 0x80094015\r\n{event}{event.replace('128', '129')}".encode())))
    line, record = found.records
    assert line.text == "first line 0x80094015"
    assert (record.event_id, record.provider, record.channel, record.host) == (128, CA, "Application", "CA01")
    assert record.text.startswith("An identifier: of request 16.") and record.data == {"LoggedAs": "SYSTEM"}
    assert (record.when, record.position) == ("2026-05-31T15:17:54.000Z", 2)


def test_events_printed_as_a_list() -> None:
    printed = (
        f"\nTimeCreated  : 2026-05-31 15:17:54\nProviderName : {CA}\nId           : 128\n"
        "Message      : request 16\n               goes on\n\n"
    )
    (record,) = found_in(Stream("-", io.BytesIO(printed.encode()))).records
    assert (record.event_id, record.provider, record.text) == (128, CA, "request 16\ngoes on")


def pasted(text: str) -> list[tuple[int, int, str]]:
    """The position, the ID and the text of what is read of a pasted text."""
    return [
        (record.position, record.event_id, record.text)
        for record in found_in(Stream("-", io.BytesIO(text.encode()))).records
    ]


AMONG = f"""The connector says 0x80094015 at night.

```
Log Name: Application:
Source: {CA}
Event ID: 128
Level: Warning
Details:
A key identifier came with request 16.
It was not used.
```

## Next
Denied by Policy Module
Log Name: see above, and 0x80070057 too

Taken Under Submission
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_event_among_other_text_swallows_nothing(end: str) -> None:
    assert pasted(AMONG.replace("\n", end)) == [
        (1, 0, "The connector says 0x80094015 at night."),
        (4, 128, "A key identifier came with request 16.\nIt was not used."),
        (14, 0, "Denied by Policy Module"),
        (17, 0, "Taken Under Submission"),
    ]


HEAD = f"Log Name: Application\nSource: {CA}\nEvent ID: 128\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEAD}Details: one\n\n0x80094015", ["one", "0x80094015"]),
        (f"{HEAD}Detaljer:\n\none\n \n0x80094015", ["one", "0x80094015"]),
        (f"{HEAD}\n0x80094015", ["", "0x80094015"]),
        (f"{HEAD}0x80094015\n\n0x80070057", ["0x80094015", "0x80070057"]),
        (f"{HEAD}Exception: 0x80094015\nLevel: Error\nDescription: x", ["Exception: 0x80094015\nx"]),
        (HEAD.replace("\n", "\n\n") + "Level: Error\n\nDescription:\n\none\n\n0x80094015", ["one", "0x80094015"]),
        (f"{HEAD}Message  : one\n\n           two\n\ntwo 0x80094015", ["one\ntwo", "two 0x80094015"]),
        (f"{HEAD}Details: {'x ' * 9000}0x80094015\n0x80070057", ["", None, "0x80070057"]),
        (f"{HEAD}Details: one\n" + "calm line\n" * 3000 + "0x80094015", [None, "0x80094015"]),
        (f"{HEAD}Details: one\n{HEAD}Details: two", ["one", "two"]),
    ],
)
def test_where_a_pasted_event_ends(text: str, expected: list[str | None]) -> None:
    found = [told for _, _, told in pasted(text)]
    assert len(found) == len(expected)
    assert all(wanted in (None, told) for wanted, told in zip(expected, found, strict=True))
    assert ("0x80094015" in text) == any("0x80094015" in told for told in found)


@pytest.mark.parametrize("heading", ["Event Xml:", "Händelse-XML:", "Ereignis-XML:"])
def test_the_xml_below_a_pasted_event_is_no_second_one(heading: str) -> None:
    copy = xml(128, "0x80094015").replace("><", ">\n  <")
    text = f"{HEAD}Details: one\n\nThe reason was 0x80094015\n\n{heading}\n{copy}\n0x80070057"
    assert [told for _, _, told in pasted(text)] == ["one", "The reason was 0x80094015", "0x80070057"]
    cut_off = f"{HEAD}Details: one\n{heading}\n{copy[:-60]}\n\n0x80070057"
    assert [told for _, _, told in pasted(cut_off)] == ["one", "0x80070057"]


LINES = ("", " ", "```", "Log Name: A", "Event ID: 128", "Level: x", "Details:", "Event Xml:", "calm", "          calm")
SAYING = ("0x80094015 {}", "Exception: 0x80094015 {}", "          0x80094015 {}", "Details: 0x80094015 {}")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from((*LINES, *SAYING)), max_size=25))
def test_no_line_that_is_looked_for_is_lost_beside_events(lines: list[str]) -> None:
    text = "\n".join(f"{line.format(f'[{number}]')}" for number, line in enumerate(lines))
    told = "\n".join(told for _, _, told in pasted(f"Log Name: A\nEvent ID: 128\n{text}"))
    assert all(told.count(f"[{number}]") == 1 for number, line in enumerate(lines) if line in SAYING)
