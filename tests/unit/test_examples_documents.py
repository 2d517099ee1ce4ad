"""The example bundles: they are documents that this program reads, every fact is there, and they can be made again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.facts.documents import (
    FORMAT_VERSION,
    CaDocument,
    ConnectorDocument,
    DirectoryDocument,
    Octets,
    Reading,
    RequestFile,
)
from remediate.model.fact import Fact

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("contoso-healthy", "contoso-broken")
DOCUMENTS: dict[str, type[Reading]] = {
    "directory.json": DirectoryDocument,
    "ca-ca01.contoso.test.json": CaDocument,
    "connector-conn1.contoso.test.json": ConnectorDocument,
}

each_bundle = pytest.mark.parametrize("name", NAMES)
each_document = pytest.mark.parametrize("file", DOCUMENTS)


def decoded(name: str, file: str) -> Reading:
    return msgspec.json.decode((EXAMPLES / name / file).read_bytes(), type=DOCUMENTS[file])


def parts_of(value: Any) -> Iterator[Any]:
    """Yield a value and everything in it."""
    yield value
    if isinstance(value, msgspec.Struct):
        inner: Any = [getattr(value, field) for field in value.__struct_fields__]
    elif isinstance(value, dict):
        inner = list(value.values())
    else:
        inner = value if isinstance(value, list | tuple) else []
    for part in inner:
        yield from parts_of(part)


@each_bundle
@each_document
def test_every_fact_was_read(name: str, file: str) -> None:
    facts = [part for part in parts_of(decoded(name, file)) if isinstance(part, Fact)]
    assert len(facts) > 5
    assert [fact for fact in facts if not fact.known] == []


@each_bundle
@each_document
def test_no_field_is_left_to_its_default(name: str, file: str) -> None:
    content = json.loads((EXAMPLES / name / file).read_text("ascii"))
    assert set(content) == set(DOCUMENTS[file].__struct_fields__)


@each_bundle
def test_every_request_file_was_read(name: str) -> None:
    document = decoded(name, "connector-conn1.contoso.test.json")
    files = [part for part in parts_of(document) if isinstance(part, RequestFile)]
    assert files
    assert [file.name for file in files if file.unreadable] == []


@each_bundle
def test_every_security_descriptor_parses(name: str) -> None:
    directory = decoded(name, "directory.json")
    assert isinstance(directory, DirectoryDocument)
    entries = directory.public_key_services.need_value("public key services")
    found = [value for entry in entries for value in entry.attributes.get("nTSecurityDescriptor", [])]
    binaries = [value.base64 for value in found if isinstance(value, Octets)]
    assert len(binaries) == 6
    assert all(SecurityDescriptor.parse(binary).to_bytes() == binary for binary in binaries)


@each_bundle
def test_the_bundle_says_that_it_is_made(name: str) -> None:
    said = json.loads((EXAMPLES / name / "bundle.json").read_text("ascii"))
    assert said == {
        "format_version": FORMAT_VERSION,
        "created": "2026-11-23T09:12:00Z",
        "collector": "made example data",
    }


@each_bundle
def test_every_intune_file_is_json(name: str) -> None:
    files = sorted((EXAMPLES / name / "intune").glob("*.json"))
    kinds = [json.loads(file.read_text("ascii")).get("@odata.type") for file in files]
    assert kinds.count("#microsoft.graph.windows10PkcsCertificateProfile") == 2
    assert "#microsoft.graph.iosPkcsCertificateProfile" in kinds
    assert "#microsoft.graph.windows81TrustedRootCertificate" in kinds


def test_building_again_gives_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(EXAMPLES / "build.py"), str(tmp_path)], check=True, cwd=tmp_path)
    for name in NAMES:
        assert _bytes_below(tmp_path / name) == _bytes_below(EXAMPLES / name)


def _bytes_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
