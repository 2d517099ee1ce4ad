"""Text, OMADM logs, request files and documents of facts."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediate.adcs.hresult import found_in as hresults_in
from remediate.triage.encoding import encoding_of, shown
from remediate.triage.needles import Needles
from remediate.triage.records import LONGEST_TEXT
from remediate.triage.sources import Stream
from remediate.triage.sources_times import leading_moment, moment
from tests.shared import SHARED, needs_shared
from tests.triage.sources_material import RPC, found_in

CERTREQ = (
    "Certificate Request Processor: The RPC server is unavailable. 0x800706ba (WIN32: 1722 RPC_S_SERVER_UNAVAILABLE)"
)
OMADM = (
    "2026-08-11T13:04:05.1230000\tINFO\tcom.microsoft.omadm.platforms.android.certmgr.Manager\t18\t10\tall is well\n"
    "2026-08-11T13:04:06.1230000\tVERB\tcom.microsoft.omadm.platforms.android.certmgr.Manager\t18\t10\tgot 0x80094812\n"
)
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def piped(text: str | bytes) -> Stream:
    return Stream("standard input", io.BytesIO(text.encode() if isinstance(text, str) else text))


def test_pasted_lines() -> None:
    found = found_in(piped(f"nothing\r\n  {CERTREQ}\r\n\r\n{RPC}\r\nTaken Under Submission"))
    assert [(record.position, record.text) for record in found.records] == [
        (2, CERTREQ), (4, RPC), (5, "Taken Under Submission"),
    ]  # fmt: skip
    assert {record.kind for record in found.records} == {"text"}
    assert [(source.scanned, source.size > 0) for source in found.reads] == [(5, True)]


def test_an_android_log() -> None:
    found = found_in(piped(OMADM))
    (record,) = found.records
    assert (record.kind, record.when, record.zone) == ("omadm", "2026-08-11T13:04:06.123Z", "local")
    (source,) = found.reads
    assert (source.kind, source.first, source.last) == ("omadm", "2026-08-11T13:04:05.123Z", "2026-08-11T13:04:06.123Z")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_any_encoding(encoding: str) -> None:
    text = "Händelse åäö\r\n" * 30 + "Sändningen väntar – 0x80094015\r\n" + "slut\r\n" * 30
    (record,) = found_in(piped(text.encode(encoding))).records
    assert record.text == "Sändningen väntar – 0x80094015"
    assert record.position == 31


SIGNS, BLANKS = ("-", "\u2212", "\u2013"), ("", " ", "  ", "\t", "\u00a0", "\u202f")


@pytest.mark.parametrize(
    ("apart", "encoding"),
    [
        *((sign + blank, "utf-8") for sign in SIGNS for blank in BLANKS),
        *((sign + blank, "cp1252") for sign in ("-", "\u2013") for blank in BLANKS[:-1]),
    ],
)
def test_a_signed_code_may_stand_apart_from_its_sign(apart: str, encoding: str) -> None:
    data = f"Händelse 1: lugn\nFel {apart}2146875374\nFel {apart}21468753741\n".encode(encoding)
    (record,) = found_in(piped(data), needles=Needles()).records
    assert record.position == 2
    assert [str(code) for code in hresults_in(record.text)] == ["0x80094812"]
    (in_event,) = found_in(
        piped(f"Log Name: x\nEvent ID: 5\nDetails:\nFel {apart}2146875374"), needles=Needles()
    ).records
    assert (in_event.event_id, in_event.text) == (5, f"Fel {apart}2146875374")


def test_a_number_after_a_blank_is_no_signed_code() -> None:
    assert not found_in(piped("2146875374 bytes, 2140000000 left, 1- 2, x 2146875374"), needles=Needles()).records


def test_nul_bytes_and_nothing_at_all() -> None:
    found = found_in(piped(b"\0" * 100_000 + b"\n0x80094015 \0 here\n" + b"\0" * 300_000), piped(b""), piped(b"\0"))
    assert [record.text for record in found.records] == ["0x80094015  here"]
    assert len(found.reads) == 3


def test_a_line_without_end() -> None:
    long = b"x" * 5_000_000 + b" 0x80094015 " + b"y" * 5_000_000 + b"0x80070057"
    found = found_in(piped(b"one 0x80094800\n" + long + b"\ntwo 0x80094812"))
    texts = [record.text for record in found.records]
    assert [record.position for record in found.records] == [1, 2, 2, 3]
    assert "0x80094015" in texts[1] and "0x80070057" in texts[2] and texts[3] == "two 0x80094812"
    assert max(map(len, texts)) <= LONGEST_TEXT
    assert [line.what for line in found.skipped] == ["a line of more than 1 MB: read, but not kept whole"]
    assert found.scanned == 3


def test_everything_lets_every_line_through() -> None:
    found = found_in(piped("a\n\nb\nc"), needles=Needles(everything=True))
    assert [record.text for record in found.records] == ["a", "", "b", "c"]


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(st.sampled_from(["calm", RPC, "0x80094015 0x80070057", "", "Denied by Policy Module", "å"])),
    data=st.data(),
)
def test_pieces_of_a_split_file_are_one(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    whole = "\n".join(lines).encode()
    cut = data.draw(st.integers(0, len(whole)))
    folder = tmp_path_factory.mktemp("pieces")
    (folder / "log.txt.001").write_bytes(whole[:cut])
    (folder / "log.txt.002").write_bytes(whole[cut:])
    one, two = found_in(piped(whole)), found_in(folder)
    assert [(record.position, record.text) for record in two.records] == [
        (record.position, record.text) for record in one.records
    ]
    assert two.scanned == one.scanned


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.sampled_from(["calm", RPC, "Denied by Policy Module", "å"]), min_size=1), data=st.data())
def test_halves_cut_at_a_line_give_the_counts_of_the_whole(lines: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(lines)))
    halves = [piped("".join(f"{line}\n" for line in part)) for part in (lines[:cut], lines[cut:])]
    assert found_in(*halves).texts == found_in(piped("".join(f"{line}\n" for line in lines))).texts


def test_request_files_are_named_and_never_shown(tmp_path: Path) -> None:
    secret = b"MIIEvQIBADANBgkq secret"
    for part, name, content in (
        ("Failed", "a.pfr", secret + b" (0x80094812) -2146875374 0x80094800"),
        ("Processing", "b.pfr", secret),
        ("Succeed", "c.pfr", secret),
    ):
        (tmp_path / "PfxRequest" / part).mkdir(parents=True)
        (tmp_path / "PfxRequest" / part / name).write_bytes(content)
        os.utime(tmp_path / "PfxRequest" / part / name, (1_700_000_000, 1_700_000_000))
    found = found_in(tmp_path)
    assert [(record.kind, record.text) for record in found.records] == [
        ("request-file", "Failed: a.pfr 0x80094812 0x80094800"), ("request-file", "Processing: b.pfr"),
    ]  # fmt: skip
    assert found.records[0].data == {"folder": "Failed", "name": "a.pfr", "codes": "0x80094812 0x80094800"}
    assert found.records[0].when == "2023-11-14T22:13:20.000Z"
    assert found.scanned == 3
    assert "secret" not in str(found)


SECRET = "SECRETCONTENT 0x80094812 anna@contoso.test\n"


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("PfxRequest", "."), ("PfxRequest", "Failed"), ("PfxRequest/Failed", "x.pfr"), ("PfxRequest/Failed", "."),
        ("PfxRequest/Processing", "../Failed"), (".", "PfxRequest"), (".", "pfxrequest.zip"), (".", "copied.zip"),
        (".", "copied"), (".", "link"),
    ],
)  # fmt: skip
def test_request_files_are_told_however_their_folder_is_named(
    where: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("PfxRequest/Failed", "PfxRequest/Processing", "copied/FAILED"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("PfxRequest/Failed/x.pfr", "copied/FAILED/x.txt"):
        (tmp_path / file).write_text(SECRET)
    (tmp_path / "link").symlink_to(tmp_path / "PfxRequest" / "Failed")
    for name, member in (("pfxrequest.zip", "Failed/x.bin"), ("copied.zip", "a\\Failed\\x")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, SECRET)
    monkeypatch.chdir(tmp_path / where)
    found = found_in(Path(named))
    assert {(record.kind, record.data["folder"], record.data["codes"]) for record in found.records} == {
        ("request-file", "Failed", "0x80094812")
    }
    assert "SECRET" not in str(found)


def test_a_zip_of_the_failed_folder_itself_has_request_files_in_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Failed.zip", "w") as archive:
        archive.writestr("x.txt", SECRET)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("y.PFR", SECRET)
    found = found_in(tmp_path)
    assert [record.text for record in found.records] == ["Failed: x.txt 0x80094812", "PfxRequest: y.PFR 0x80094812"]


def test_a_log_in_a_folder_called_failed_is_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Failed").mkdir()
    (tmp_path / "Failed" / "omadm.log").write_text(OMADM)
    assert [record.kind for record in found_in(tmp_path).records] == ["omadm"]
    monkeypatch.chdir(tmp_path / "Failed")
    assert [record.kind for record in found_in(piped(CERTREQ)).records] == ["text"]


@pytest.mark.parametrize("content", ['{"description": "0x80094812 anna@contoso.test"}', '[{"id": "0x80094812"}]'])
def test_exports_of_intune_in_a_bundle_are_no_logs(content: str, tmp_path: Path) -> None:
    (tmp_path / "intune").mkdir()
    (tmp_path / "intune" / "profile.json").write_text(content)
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("intune/profile.json", content)
    found = found_in(tmp_path)
    assert (found.texts, {source.kind for source in found.reads}) == ([], {"facts"})


def test_a_bundle_of_ours() -> None:
    found = found_in(EXAMPLES / "contoso-broken")
    (event,) = [record for record in found.records if record.event_id]
    assert (event.event_id, event.kind, event.data["count"], event.when) == (
        128,
        "facts",
        "7",
        "2026-11-23T06:02:55.000Z",
    )
    assert any("0x80094812" in record.data.get("codes", "") for record in found.records)
    assert not found.skipped
    assert not found_in(EXAMPLES / "contoso-healthy").skipped


@pytest.mark.parametrize(
    "text", ['{"format_version": "1.0", "role": "ca"}', '{"format_version": "1.0"', '{"format_version": 7}']
)
def test_a_document_that_is_none(text: str) -> None:
    found = found_in(piped(text))
    assert len(found.skipped) == 1 and not found.records


@needs_shared
def test_the_material_of_others() -> None:
    assert SHARED
    found = found_in(SHARED / "material" / "logs" / "ca_event_128_lab_records.txt", needles=Needles(everything=True))
    assert any("certificate request 16" in text for text in found.texts)
    assert found_in(SHARED / "material").scanned > 1000


@pytest.mark.parametrize(
    ("text", "when", "zone"),
    [
        ("2007-04-19T12:18:30.6250000Z", "2007-04-19T12:18:30.625Z", "utc"),
        ("2007-04-19T12:18:30+0200 x", "2007-04-19T10:18:30.000Z", "+02:00"),
        ("2026-05-31 15:17:54,5", "2026-05-31T15:17:54.500Z", "local"),
        ("5/31/2026 12:17:54 AM", "2026-05-31T00:17:54.000Z", "local"),
        ("5/6/2026 3:17:54 PM", "2026-05-06T15:17:54.000Z", "local"),
        ("31/5/2026 15:17:54", "2026-05-31T15:17:54.000Z", "local"),
        ("31.05.2026, 15:17:54", "2026-05-31T15:17:54.000Z", "local"),
        ("2026-13-31 15:17:54", "", ""),
        ("0001-01-01T00:00:00+14:00", "", ""),
        ("nothing", "", ""),
    ],
)
def test_times(text: str, when: str, zone: str) -> None:
    assert tuple(moment(text)) == (when, zone)


def test_only_a_time_at_the_beginning_is_the_time_of_a_line() -> None:
    assert leading_moment("[2026-05-31 15:17:54] x").when
    assert not leading_moment("the request of yesterday, 2026-05-31 15:17:54").when


@given(st.binary(max_size=200))
def test_any_bytes_can_be_shown(data: bytes) -> None:
    assert "\0" not in shown(data)
    assert encoding_of(data)[1] <= 3


def test_a_window_into_utf8_stays_utf8() -> None:
    data = "å" * 20
    for start in range(3):
        for stop in range(3):
            assert set(shown(data.encode()[start : len(data.encode()) - stop])) == {"å"}
