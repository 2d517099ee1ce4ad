"""Bundles: what is written is read back equal, the same bytes each time, and what is wrong is refused by name."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import msgspec
import pytest

from remediate.facts.documents import (
    CaDocument,
    ConnectorDocument,
    DirectoryDocument,
    Entry,
    Failure,
    IntuneObject,
    Machine,
    Octets,
    Snapshot,
)
from remediate.model.errors import DocumentError
from remediate.model.fact import Fact, Unreadable
from remediate.transports import bundle_files
from remediate.transports.bundle import read_bundle, read_intune, write_bundle

READ = {
    "format_version": "1.0",
    "collector": "test",
    "read_from": "x",
    "read_at": "2026-03-01T12:00:00Z",
    "read_as": "me",
}


def ca(name: str = "CA01", **facts: object) -> CaDocument:
    machine = Machine(computer_name=name, dns_host_name=Fact(value=f"{name.lower()}.contoso.test"))
    return CaDocument(role="ca", machine=machine, **READ, **facts)  # type: ignore[arg-type]


def connector(name: str = "CONN1") -> ConnectorDocument:
    return ConnectorDocument(role="connector", machine=Machine(computer_name=name), **READ)  # type: ignore[arg-type]


def directory(host: str = "dc1") -> DirectoryDocument:
    root = Entry("", {"dnsHostName": [host], "objectGUID": [Octets(b"\x00\xff")]})
    return DirectoryDocument(role="directory", root_dse=root, **READ)  # type: ignore[arg-type]


FULL = Snapshot(
    directory=directory(),
    certification_authorities=(
        ca("ZCA", security=Fact(value=b"\x01\x00"), edit_flags=Fact(absent=True)),
        ca("CA01", request_disposition=Fact(unreadable=Unreadable("denied", "0x80070005"))),
    ),
    connectors=(connector("B"), connector("A å/..")),
    intune=(
        IntuneObject("z.json", msgspec.Raw(b'{"a":  1.50}')),
        IntuneObject("sub/intune/ca-1.json", msgspec.Raw(b"[]")),
    ),
    failures=(Failure(role="connector", target="conn2", what="access is denied", code="0x80070005"),),
)


@pytest.mark.parametrize("name", ["b.zip", "b"])
@pytest.mark.parametrize("snapshot", [FULL, Snapshot(), Snapshot(intune=())], ids=["full", "empty", "no export"])
def test_round_trip(tmp_path: Path, name: str, snapshot: Snapshot) -> None:
    write_bundle(snapshot, tmp_path / name)
    assert read_bundle([tmp_path / name]) == snapshot
    write_bundle(snapshot, tmp_path / name)  # in the place of the former
    assert read_bundle([tmp_path / name]) == snapshot
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_equal_facts_are_equal_bytes(tmp_path: Path) -> None:
    write_bundle(FULL, tmp_path / "a.zip")
    write_bundle(FULL, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_folder_of_returned_files(tmp_path: Path) -> None:
    write_bundle(Snapshot(certification_authorities=(ca(),)), tmp_path / "one.zip")
    write_bundle(Snapshot(connectors=(connector(),)), tmp_path / "two")
    (tmp_path / "ca-CA02.json").write_bytes(b"\xef\xbb\xbf" + msgspec.json.encode(ca("CA02")))
    (tmp_path / "connector-C.json").write_bytes(msgspec.json.encode(connector("C")).decode().encode("utf-16"))
    found = read_bundle([tmp_path])
    assert {one.machine.computer_name for one in found.certification_authorities} == {"CA01", "CA02"}
    assert {one.machine.computer_name for one in found.connectors} == {"CONN1", "C"}
    assert found.intune is None


def test_the_same_document_twice_is_one(tmp_path: Path) -> None:
    write_bundle(FULL, tmp_path / "a.zip")
    write_bundle(FULL, tmp_path / "b")
    assert read_bundle([tmp_path / "a.zip", tmp_path / "b"]) == FULL


def test_two_documents_of_one_host_that_differ(tmp_path: Path) -> None:
    write_bundle(Snapshot(certification_authorities=(ca(),)), tmp_path / "a.zip")
    write_bundle(Snapshot(certification_authorities=(ca(ca_type=Fact(value=1)),)), tmp_path / "b.zip")
    with pytest.raises(DocumentError, match="differ") as error:
        read_bundle([tmp_path / "a.zip", tmp_path / "b.zip"])
    assert error.value.where == "ca01.contoso.test"


def unnamed(domain: Fact[str]) -> Machine:
    """CA01 of a domain, that could not say its DNS name."""
    return Machine(computer_name="CA01", dns_host_name=Fact(unreadable=Unreadable("it timed out")), domain=domain)


@pytest.mark.parametrize("domain", [Fact[str](absent=True), Fact(value="Contoso.Test")])
def test_a_host_that_could_not_say_its_dns_name_is_known_by_its_own(tmp_path: Path, domain: Fact[str]) -> None:
    named = msgspec.structs.replace(ca().machine, domain=Fact(value="contoso.test"))
    (tmp_path / "ca-1.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(ca(), machine=named)))
    other = msgspec.structs.replace(ca(ca_type=Fact(value=1)), machine=unnamed(domain))
    (tmp_path / "ca-2.json").write_bytes(msgspec.json.encode(other))
    with pytest.raises(DocumentError, match="two documents of this host differ"):
        read_bundle([tmp_path])


def test_hosts_of_one_name_in_two_domains_are_two(tmp_path: Path) -> None:
    named = msgspec.structs.replace(ca().machine, domain=Fact(value="contoso.test"))
    (tmp_path / "ca-1.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(ca(), machine=named)))
    other = msgspec.structs.replace(ca(), machine=unnamed(Fact(value="fabrikam.test")))
    (tmp_path / "ca-2.json").write_bytes(msgspec.json.encode(other))
    assert len(read_bundle([tmp_path]).certification_authorities) == 2


def test_two_directories_that_differ(tmp_path: Path) -> None:
    write_bundle(Snapshot(directory=directory("dc1")), tmp_path / "a.zip")
    write_bundle(Snapshot(directory=directory("dc2")), tmp_path / "b.zip")
    with pytest.raises(DocumentError, match="differ"):
        read_bundle([tmp_path])


def refusal(folder: Path, name: str, content: bytes) -> DocumentError:
    (folder / name).write_bytes(content)
    with pytest.raises(DocumentError) as error:
        read_bundle([folder])
    return error.value


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ca-x.json", b"", "it is empty"),
        ("ca-x.json", msgspec.json.encode(ca())[:-5], "not the document"),
        ("ca-x.json", b"{}", "format_version is missing"),
        ("ca-x.json", msgspec.json.encode(ca()).replace(b'"1.0"', b'"2.0"'), "format_version is 2.0"),
        ("ca-x.json", msgspec.json.encode(connector()), "its role is connector"),
        ("directory.json", msgspec.json.encode(ca()), "its role is ca"),
        ("bundle.json", b'{"format_version":"9.1"}', "format_version is 9.1"),
        ("failures.json", b'[{"role":"ca"}]', "not the document"),
        ("Copy of ca.json", msgspec.json.encode(ca()), "its name is none"),
        ("a.zip", b"PK\x03\x04 torn", "torn"),
    ],
)
def test_refusals_name_the_file(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    error = refusal(tmp_path, name, content)
    assert said in str(error)
    assert error.where == str(tmp_path / name)


def test_a_later_minor_version_is_read(tmp_path: Path) -> None:
    text = json.loads(msgspec.json.encode(ca())) | {"format_version": "1.9", "new": True}
    (tmp_path / "ca-x.json").write_text(json.dumps(text))
    assert read_bundle([tmp_path]).certification_authorities[0].format_version == "1.9"


@pytest.mark.parametrize("name", ["../ca-x.json", "/ca-x.json", "a/../../ca-x.json", "C:/ca-x.json", "..\\ca-x.json"])
def test_a_way_out_of_the_zip(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, msgspec.json.encode(ca()))
    with pytest.raises(DocumentError, match="leads out"):
        read_bundle([tmp_path / "a.zip"])


def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_bytes(msgspec.json.encode(ca()))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ca-x.json").symlink_to(tmp_path / "out.json")
    with pytest.raises(DocumentError, match="leads out"):
        read_bundle([tmp_path / "in"])


def test_a_zip_whose_content_was_altered(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ca-x.json", msgspec.json.encode(ca()))
    path.write_bytes(path.read_bytes().replace(b"CA01", b"CA02", 1))
    with pytest.raises(DocumentError, match="torn"):
        read_bundle([path])


@pytest.mark.parametrize(("each", "together"), [(100, 10_000), (10_000, 700)])
def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: int, together: int) -> None:
    monkeypatch.setattr(bundle_files, "LARGEST", each)
    monkeypatch.setattr(bundle_files, "LARGEST_TOGETHER", together)
    write_bundle(FULL, tmp_path / "a.zip")
    write_bundle(FULL, tmp_path / "b")
    for path in tmp_path.iterdir():
        with pytest.raises(DocumentError, match="too large"):
            read_bundle([path])


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="does not exist"):
        read_bundle([tmp_path / "missing"])
    with pytest.raises(DocumentError, match="nothing of a bundle"):
        read_bundle([tmp_path])
    with pytest.raises(DocumentError, match=r"no \.json file"):
        read_intune(tmp_path)


def test_logs_are_left_alone(tmp_path: Path) -> None:
    write_bundle(FULL, tmp_path / "b")
    (tmp_path / "b" / "logs").mkdir()
    (tmp_path / "b" / "logs" / "anything.json").write_text("{torn")
    assert read_bundle([tmp_path / "b"]) == FULL


def test_what_stands_in_the_way_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    with pytest.raises(DocumentError, match="stands there"):
        write_bundle(FULL, tmp_path / "mine")
    with pytest.raises(DocumentError, match="cannot stand"):
        write_bundle(Snapshot(intune=(IntuneObject("../x.json", msgspec.Raw(b"1")),)), tmp_path / "b")
    assert [one.name for one in tmp_path.rglob("*")] == ["mine", "letter.txt"]


def test_intune_objects_as_they_came(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "a.json").write_text('{ "value": [] }')
    (tmp_path / "b.json").write_text("1.50")
    (tmp_path / "notes.txt").write_text("x")
    found = read_intune(tmp_path)
    assert [(one.file, bytes(one.content)) for one in found] == [
        ("b.json", b"1.50"),
        ("profiles/a.json", b'{ "value": [] }'),
    ]
    (tmp_path / "torn.json").write_text("{")
    with pytest.raises(DocumentError, match=r"torn\.json"):
        read_intune(tmp_path)
