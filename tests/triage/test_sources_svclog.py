"""Service trace files: what is found in them, in any encoding, cut at every byte, in halves and in ranges."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediate.triage.needles import Needles, Search
from remediate.triage.records import LONGEST_TEXT
from remediate.triage.sources_origin import Ends, Origin
from remediate.triage.svclog import scan
from tests.shared import SHARED, needs_shared
from tests.triage.sources_material import NEEDLES, RPC, found_in, trace, traces

QUIET = "Polling for requests, 0 < 1 & nothing to do"


def test_a_record_is_parsed(tmp_path: Path) -> None:
    file = tmp_path / "NDESConnector_2026.svclog"
    file.write_bytes(traces([QUIET, RPC, QUIET]))
    found = found_in(file)
    (record,) = found.records
    assert (record.text, record.kind, record.host, record.provider) == (RPC, "svclog", "CONN1", "NDESConnector")
    assert (record.when, record.zone, record.event_id) == ("2026-11-23T09:01:30.625Z", "utc", 7)
    assert record.position == len(trace(QUIET, minute=0))
    (read,) = found.reads
    assert (read.scanned, read.size) == (3, file.stat().st_size)
    assert (read.first, read.last) == ("2026-11-23T09:00:30.625Z", "2026-11-23T09:02:30.625Z")
    assert not found.skipped


def test_a_zone_is_said_and_turned_into_utc(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    file.write_text(trace(RPC, zone="+02:00"))
    (record,) = found_in(file).records
    assert (record.when, record.zone) == ("2026-11-23T07:00:30.625Z", "+02:00")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_any_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "log"
    file.write_bytes((trace(QUIET) + "\r\n" + trace("Sändningen väntar: åäö") + trace(RPC)).encode(encoding))
    found = found_in(file)
    assert found.texts == [RPC, "Sändningen väntar: åäö"]
    assert found.scanned == 3


@pytest.mark.parametrize(
    "spelling",
    [
        "0x800706BA",
        "0X800706ba",
        "800706BA",
        "800706ba",
        "-2147023174",
        "2147944122",
        "0x8ABCDEF0",
        "0xffffffff80094812",
        "0xFFFFFFFF8ABCDEF0",
        "0x0000000080094812",
        "-2146875374",
        "−2146875374",
        "0x00000400",
        "0x400",
        "Taken_Under_Submission",
        "Denied_by_Policy_Module",
    ],
)
def test_every_spelling_comes_through(tmp_path: Path, spelling: str) -> None:
    spelling = spelling.replace("_", " ")
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([QUIET, f"failed ({spelling})", QUIET]))
    assert found_in(file).texts == [f"failed ({spelling})"]


@pytest.mark.parametrize(
    "text",
    [
        "0x8009401",
        "0x8080000000000000",
        "0xfffffff80094815",
        "0xffffffff080094815",
        "2147944123",
        "3-2147",
        "80094016",
        "x800706BAx1",
    ],
)
def test_what_is_no_code_stays_behind(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([QUIET, text]))
    assert found_in(file).texts == []


def test_codes_of_other_facilities_are_found_only_when_named(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces(["diagnostic 0x00000400", "diagnostic 0x00000401"]))
    assert found_in(file).texts == ["diagnostic 0x00000400"]


def test_everything_lets_all_through(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([QUIET, RPC, QUIET], between="\n"))
    assert found_in(file, needles=Needles(everything=True)).texts == [RPC, QUIET, QUIET]


def test_the_same_message_twice_is_two_records(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([RPC, QUIET, RPC]))
    assert [record.when[14:16] for record in found_in(file).records] == ["00", "02"]


def test_a_nested_trace_record_is_text(tmp_path: Path) -> None:
    inner = (
        '<TraceData><DataItem><TraceRecord xmlns="x" Severity="Error">0x80094015</TraceRecord></DataItem></TraceData>'
    )
    file = tmp_path / "a.svclog"
    file.write_text(trace("@").replace("@", inner) + trace(QUIET))
    found = found_in(file)
    assert found.texts == ["0x80094015"]
    assert found.scanned == 2


def test_the_writer_died_in_a_record_and_began_anew(tmp_path: Path) -> None:
    cut = trace(RPC)[:-60]
    file = tmp_path / "a.svclog"
    file.write_text(trace(QUIET) + cut + trace(QUIET) + trace(RPC, minute=9))
    found = found_in(file)
    assert [record.when[14:16] for record in found.records] == ["00", "09"]


def test_cut_at_every_byte_of_its_last_record(tmp_path: Path) -> None:
    whole, last = traces([RPC, QUIET, RPC]), trace(RPC, minute=3)
    file = tmp_path / "a.svclog"
    for cut in range(len(last)):
        file.write_bytes(whole + last.encode()[:cut])
        found = found_in(file)
        assert len(found.records) == 2 + ("0x800706ba" in last[:cut].lower()), cut
        assert found.scanned == 3
        assert len(found.skipped) == (cut > 0), cut
        assert all("cut off" in line.what for line in found.skipped)


def test_a_long_record_shows_what_stands_around_the_code(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([QUIET, "a" * 100_000 + " 0x80094015 " + "b" * 100_000, QUIET]))
    (record,) = found_in(file).records
    assert "0x80094015" in record.text
    assert len(record.text) <= LONGEST_TEXT
    assert record.host == "CONN1"


def test_a_record_of_many_megabytes_is_read_in_pieces(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    long = "x" * 3_000_000 + " 0x80094015 " + "y" * 3_000_000 + " 0x80070057"
    file.write_bytes(traces([RPC, long, RPC]))
    found = found_in(file)
    assert sum("0x80094015" in text for text in found.texts) == 1
    assert sum("0x80070057" in text for text in found.texts) == 1
    assert sum(text == RPC for text in found.texts) == 2
    assert [line.what for line in found.skipped] == ["a record of more than 1 MB: read, but not kept whole"]
    assert found.scanned == 3


def test_an_area_of_nul_bytes_hides_no_record(tmp_path: Path) -> None:
    file = tmp_path / "a.svclog"
    file.write_bytes(traces([RPC]) + b"\0" * 3_000_000 + traces([RPC]) + b"\0" * 500)
    assert found_in(file).texts == [RPC, RPC]


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    file = tmp_path / "a.svclog"
    file.write_text(bomb + trace("@").replace("@", "&b;&b; 0x80094015 &lt;&#x41;&#0;"))
    assert found_in(file).texts == ["&b;&b; 0x80094015 <A\ufffd"]


@needs_shared
def test_real_fragments() -> None:
    assert SHARED
    folder = SHARED / "material" / "logs"
    found = found_in(folder / "svclog_concatenated_no_root.svclog", needles=Needles(everything=True))
    assert [(record.event_id, record.host) for record in found.records] == [(2, "PC"), (3, "PC")]
    (mbam,) = found_in(folder / "svclog_mbam_real_fragment.svclog", needles=Needles(everything=True)).records
    assert (mbam.provider, mbam.event_id) == ("Microsoft.Mbam.CoreService", 15183)
    assert mbam.text.startswith("AddUpdateVolume") and mbam.when == "2013-07-05T14:48:06.282Z"
    cut = found_in(folder / "svclog_wcf_doc_fragment.svclog", needles=Needles(everything=True))
    assert [line.what for line in cut.skipped] == ["the last record is cut off; what stands of it was read"]
    assert not found_in(folder / "svclog_mbam_real_fragment.svclog").records


MESSAGES = st.lists(st.sampled_from([QUIET, RPC, "0x80094015", "Taken Under Submission", "a\nb", ""]), min_size=1)


@settings(max_examples=60, deadline=None)
@given(messages=MESSAGES, data=st.data())
def test_halves_give_the_counts_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, messages: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("halves")
    whole = traces(messages)
    cut = data.draw(st.integers(0, len(whole)))
    (folder / "whole").mkdir()
    (folder / "whole" / "a.svclog").write_bytes(whole)
    (folder / "halves").mkdir()
    (folder / "halves" / "a1.svclog").write_bytes(whole[:cut])
    (folder / "halves" / "a2.svclog").write_bytes(whole[cut:])
    one, two = found_in(folder / "whole"), found_in(folder / "halves")
    assert two.texts == one.texts
    assert [record.when for record in sorted(two.records, key=lambda record: record.when)] == [
        record.when for record in sorted(one.records, key=lambda record: record.when)
    ]


@settings(max_examples=60, deadline=None)
@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 400), max_size=200))
def test_chunks_of_any_length_give_the_same(messages: list[str], cuts: list[int]) -> None:
    whole = traces(messages, between="\r\n")
    chunks, at = [], 0
    for cut in cuts:
        chunks.append(whole[at : at + cut])
        at += cut
    chunks.append(whole[at:])
    origin = Origin("a", Search(NEEDLES), UTC)
    assert [item for item in scan(chunks, origin) if not isinstance(item, Ends)] == [
        item for item in scan([whole], origin) if not isinstance(item, Ends)
    ]
