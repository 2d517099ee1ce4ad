"""The same bytes count once, and what no reader knows is never fine."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
from pathlib import Path

import pytest

from remediate.triage.sources import Stream
from tests.triage.sources_material import RPC, found_in, traces
from tests.triage.test_sources_hostile import zipped


@pytest.mark.parametrize(
    "content", [f"{RPC}\n" * 3, "2026-11-23 09:00:00 x 0x80094015\n" * 3, "Denied by Policy Module"]
)
def test_a_copy_is_read_once_and_said(tmp_path: Path, content: str) -> None:
    for name in ("a.txt", "b.txt", "c.log"):
        (tmp_path / name).write_text(content)
    found = found_in(tmp_path)
    assert len(found.records) == len(content.splitlines()) and len(found.reads) == 1
    assert [(line.source, line.what, line.lost) for line in found.skipped] == [
        (str(tmp_path / name), f"the same content as {tmp_path / 'a.txt'}, read once", False)
        for name in ("b.txt", "c.log")
    ]


def test_what_differs_in_one_byte_is_no_copy(tmp_path: Path) -> None:
    content = traces(["calm " * 100] * 300) + traces([RPC])
    other = bytearray(content)
    other[other.index(b"calm", 30_000)] = ord("b")
    for name, data in (
        ("a", content),
        ("b", bytes(other)),
        ("c", content),
        ("d", bytes(other)),
        ("e", b""),
        ("f", b""),
    ):
        (tmp_path / name).write_bytes(data)
    found = found_in(tmp_path)
    assert len(found.records) == 2 and [Path(line.source).name for line in found.skipped] == ["c", "d"]


def test_two_requests_with_one_content_are_two(tmp_path: Path) -> None:
    failed = tmp_path / "PfxRequest" / "Failed"
    failed.mkdir(parents=True)
    for name in ("a.pfr", "b.pfr"):
        (failed / name).write_text("0x80094812")
    found = found_in(tmp_path)
    assert len(found.records) == 2 and not found.skipped


def _tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        entry = tarfile.TarInfo("x.txt")
        entry.size = len(RPC)
        archive.addfile(entry, io.BytesIO(RPC.encode()))
    return content.getvalue()


UNREAD = {
    "gzip": gzip.compress(RPC.encode()),
    "bzip2": bz2.compress(RPC.encode()),
    "xz": lzma.compress(RPC.encode()),
    "tar": _tar(),
    "7-Zip": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(50),
    "cabinet": b"MSCF\0\0\0\0" + bytes(50),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "no text": random.Random(4).randbytes(5000),
    "no text, ": bytes(5000),
    "(.evt)": b"\x30\0\0\0LfLe" + bytes(50),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_cannot_be_read_is_lost(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.log").write_bytes(UNREAD[name])
    for found in (found_in(tmp_path), found_in(Stream("-", io.BytesIO(UNREAD[name])))):
        (line,) = found.skipped
        assert name.strip() in line.what and line.lost and not found.records
    zipped(("a", UNREAD[name]), path=tmp_path / "a.log")
    assert [line.lost for line in found_in(tmp_path).skipped] == [True]


def test_what_stands_among_rubbish_is_found_all_the_same() -> None:
    rubbish = random.Random(4).randbytes(3000)
    found = found_in(Stream("-", io.BytesIO(rubbish + b"\n0x80094015\n" + rubbish)))
    assert len(found.records) == 1 and [line.lost for line in found.skipped] == [True]


def test_a_zip_behind_something_else_is_a_zip(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"first this" + zipped(("a.txt", RPC.encode())))
    assert found_in(tmp_path).texts == [RPC] and not found_in(tmp_path).skipped


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "cp850"])
def test_text_is_text_in_any_encoding(encoding: str) -> None:
    text = f"\x1b[31mÅäö\x1b[0m\t{RPC}\r\n\f größer – «x»\r\n".replace("–", "-") + "\0" * 10
    found = found_in(Stream("-", io.BytesIO(text.encode(encoding))))
    assert len(found.records) == 1 and not found.skipped
