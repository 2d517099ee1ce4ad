"""Bundles: all facts of one run as files, in a folder or a .zip, written and read without loss.

`read_bundle([path]) == snapshot` after `write_bundle(snapshot, path)`; the same snapshot gives the same bytes. What is
torn, too large, of another version, or contradicts itself is refused by name with a DocumentError.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from remediate.facts.documents import (
    FORMAT_VERSION,
    CaDocument,
    ConnectorDocument,
    DirectoryDocument,
    Failure,
    IntuneObject,
    LogEvidence,
    Snapshot,
)
from remediate.model.errors import DocumentError
from remediate.model.secret import refuse_to_encode
from remediate.transports.bundle_files import File, files_of

COLLECTOR: Final = "remediate"
_UNSAFE: Final = re.compile(r"[^a-z0-9._-]+")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time a .zip can name: every member has it, so that equal facts are equal bytes."""

_LOGS: Final = "log-evidence.json"
"""What the logs showed that were read with these facts; the logs themselves stand in logs/."""

HostDocument = TypeVar("HostDocument", CaDocument, ConnectorDocument)


class Manifest(msgspec.Struct, frozen=True):
    """bundle.json: the version of the format, when the bundle was made (UTC, ISO 8601), and by what.

    `order` keeps the order of the other files, `intune` that there was an export, if an empty one.
    """

    format_version: str
    created: str = ""
    collector: str = ""
    intune: bool = False
    order: tuple[str, ...] = ()


class _Version(msgspec.Struct, frozen=True):
    format_version: str = ""
    role: str = ""


def read_bundle(paths: Sequence[Path]) -> Snapshot:
    """The snapshot in these bundles together: folders, .zip files, folders of such. Raises DocumentError."""
    files = [file for path in paths for file in files_of(path) if not _is_log(file)]
    if not files:
        raise DocumentError(
            "there is nothing of a bundle in it", where=", ".join(map(str, paths)), do="Name the folder or .zip file."
        )
    for file in files:
        _check_head(file)
    files = _in_order(files)
    directories = [_decode(file, DirectoryDocument) for file in files if _kind(file) == "directory"]
    return Snapshot(
        directory=_only(directories, "directory.json"),
        certification_authorities=_per_host(_decode(file, CaDocument) for file in files if _kind(file) == "ca"),
        connectors=_per_host(_decode(file, ConnectorDocument) for file in files if _kind(file) == "connector"),
        intune=_intune(files),
        failures=_failures(files),
        logs=_logs(files),
    )


def write_bundle(snapshot: Snapshot, path: Path) -> None:
    """Write the snapshot as a .zip when `path` ends in that, else as a folder; nobody ever sees half of one.

    Raises DocumentError when something stands there already that is not a bundle, or it cannot be written.
    """
    contents = _contents(snapshot)
    try:
        check_bundle_place(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        (_write_zip if _is_zip(path) else _write_folder)(contents, path)
    except OSError as error:
        raise DocumentError(
            "the bundle could not be written", where=str(path), why=error.strerror or type(error).__name__,
            do="Name a place with room that you may write.",
        ) from None  # fmt: skip


def check_bundle_place(path: Path) -> None:
    """Raise DocumentError when something stands there already that is not a bundle: best asked before reading."""
    if _is_zip(path):
        if path.exists() and not path.is_file():
            raise DocumentError("a folder or device stands there", where=str(path), do="Give another name.")
    elif path.exists() and not (path.is_dir() and (not any(path.iterdir()) or (path / "bundle.json").is_file())):
        raise DocumentError("something else stands there", where=str(path), do="Give the name of a new folder.")
    above = next(one for one in (*path.parents, Path("/")) if one.exists())
    if not above.is_dir():
        raise DocumentError(
            "the bundle could not be written", where=str(path), why=f"{above} is not a folder", do="Give another name."
        )


def _is_zip(path: Path) -> bool:
    return path.suffix.lower() == ".zip"


def read_intune(folder: Path) -> tuple[IntuneObject, ...]:
    """Every JSON file below a folder (or in a .zip) of exported Intune objects. Raises DocumentError."""
    found = tuple(
        IntuneObject(file.name, _raw(file)) for file in files_of(folder) if file.name.lower().endswith(".json")
    )
    if not found:
        raise DocumentError("there is no .json file in it", where=str(folder), do="Name the folder of the export.")
    return tuple(sorted(found, key=lambda one: one.file))


def _is_log(file: File) -> bool:
    return "logs" in file.name.lower().split("/")[:-1]


def _in_order(files: Sequence[File]) -> list[File]:
    """As the manifests say, and by name where none says anything."""
    manifests = [_decode(file, Manifest) for file in files if _kind(file) == "manifest"]
    places = {name: place for manifest in manifests for place, name in enumerate(manifest.order)}
    known = {file: place for file in files for name, place in places.items() if f"/{file.name}".endswith(f"/{name}")}
    return sorted(files, key=lambda file: (known.get(file, len(places)), file.name))


def _kind(file: File) -> str:
    """What a file of a bundle is, by its name: manifest, directory, ca, connector, intune, failures; else nothing."""
    *folders, name = file.name.lower().split("/")
    if "intune" in folders:
        return "intune"
    fixed = {
        "bundle.json": "manifest", "directory.json": "directory", "failures.json": "failures", _LOGS: "logs",
    }  # fmt: skip
    prefixes = {"ca-": "ca", "connector-": "connector"}
    return fixed.get(name) or next((kind for start, kind in prefixes.items() if name.startswith(start)), "")


def _check_head(file: File) -> None:
    """Version and role, before anything else of the document is believed."""
    kind = _kind(file)
    if not kind:
        raise DocumentError(
            "its name is none that a bundle has", where=file.place, do="Give it back the name the collector gave it."
        )
    if kind in {"intune", "failures", "logs"}:
        return
    head = _decode(file, _Version)
    if head.format_version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise DocumentError(
            f"its format_version is {head.format_version or 'missing'}, and {FORMAT_VERSION} is what can be read here",
            where=file.place, do="Collect again with the collectors of this version.",
        )  # fmt: skip
    if kind != "manifest" and head.role != kind:
        raise DocumentError(
            f"its role is {head.role or 'missing'}, and its name says {kind}",
            where=file.place, do="Put it back under the name that the collector gave it.",
        )  # fmt: skip


S = TypeVar("S")


def _decode(file: File, shape: type[S]) -> S:
    try:
        return msgspec.json.decode(file.text, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        why = "it is empty" if not file.text.strip() else str(error)
        raise DocumentError(
            "it is not the document that its name says",
            where=file.place,
            why=why,
            do="Copy it again, or collect again.",
        ) from None


def _raw(file: File) -> msgspec.Raw:
    _decode(file, object)
    return msgspec.Raw(file.text)


def _only(documents: Sequence[DirectoryDocument], name: str) -> DirectoryDocument | None:
    different = [one for one in documents if one != documents[0]]
    if different:
        raise DocumentError(
            f"two documents of the directory differ, read from {documents[0].read_from} and {different[0].read_from}",
            where=name, do="Leave one of them out.",
        )  # fmt: skip
    return documents[0] if documents else None


def _host(document: CaDocument | ConnectorDocument) -> str:
    return document.machine.name.lower()


def _per_host(documents: Iterable[HostDocument]) -> tuple[HostDocument, ...]:
    found: list[HostDocument] = []
    for one in documents:
        before = next((other for other in found if _is_same_host(other, one)), None)
        if before is None:
            found.append(one)
        elif before != one:
            raise DocumentError(
                f"two documents of this host differ, read at {before.read_at} and {one.read_at}",
                where=_host(one), do="Leave the older one out.",
            )  # fmt: skip
    return tuple(found)


def _is_same_host(one: HostDocument, other: HostDocument) -> bool:
    """By DNS names; where one of them could not be read, by the computer names, unless their domains differ."""
    names = [document.machine.dns_host_name.if_known() for document in (one, other)]
    if all(names):
        return _host(one) == _host(other)
    domains = {document.machine.domain.if_known() or "" for document in (one, other)} - {""}
    alike = one.machine.computer_name.lower() == other.machine.computer_name.lower()
    return alike and len(set(map(str.lower, domains))) < 2


def _intune(files: Sequence[File]) -> tuple[IntuneObject, ...] | None:
    """The Intune objects; None where no bundle holds any and none says that it looked."""
    found: dict[str, IntuneObject] = {}
    for file in files:
        if _kind(file) == "intune":
            name = re.split(r"(?:^|/)intune/", file.name, maxsplit=1, flags=re.IGNORECASE)[-1]
            one = IntuneObject(name, _raw(file))
            if bytes(found.setdefault(name, one).content) != bytes(one.content):
                raise DocumentError("two files of this name differ", where=f"intune/{name}", do="Rename one of them.")
    asked = any(_decode(file, Manifest).intune for file in files if _kind(file) == "manifest")
    return tuple(found.values()) if found or asked else None


def _failures(files: Sequence[File]) -> tuple[Failure, ...]:
    found = [one for file in files if _kind(file) == "failures" for one in _decode(file, list[Failure])]
    return tuple(dict.fromkeys(found))


def _logs(files: Sequence[File]) -> tuple[LogEvidence, ...]:
    found = [one for file in files if _kind(file) == "logs" for one in _decode(file, list[LogEvidence])]
    return tuple(dict.fromkeys(found))


def _contents(snapshot: Snapshot) -> dict[str, bytes]:
    """Name in the bundle -> bytes, in the order they are written."""
    hosts: list[CaDocument | ConnectorDocument] = [*snapshot.certification_authorities, *snapshot.connectors]
    contents: dict[str, bytes] = {}
    if snapshot.directory:
        contents["directory.json"] = _encode(snapshot.directory)
    for one in hosts:
        contents[_free(f"{one.role}-{_UNSAFE.sub('_', _host(one))}", contents)] = _encode(one)
    for each in snapshot.intune or ():
        contents[f"intune/{_safe(each.file)}"] = bytes(each.content)
    if snapshot.failures:
        contents["failures.json"] = _encode(snapshot.failures)
    if snapshot.logs:
        contents[_LOGS] = _encode(snapshot.logs)
    return {"bundle.json": _encode(_manifest(snapshot, tuple(contents))), **contents}


def _manifest(snapshot: Snapshot, order: tuple[str, ...]) -> Manifest:
    read = [one.read_at for one in snapshot.certification_authorities]
    read += [one.read_at for one in snapshot.connectors]
    read += [one.read_at for one in snapshot.failures]
    read += [snapshot.directory.read_at] if snapshot.directory else []
    return Manifest(FORMAT_VERSION, max(read, default=""), COLLECTOR, intune=snapshot.intune is not None, order=order)


def _free(stem: str, taken: Iterable[str]) -> str:
    names = [f"{stem}.json", *(f"{stem}-{number}.json" for number in range(2, 1000))]
    return next(name for name in names if name not in taken)


def _safe(name: str) -> str:
    parts = name.replace("\\", "/").split("/")
    if name.startswith("/") or ":" in name or any(part in {"", ".", ".."} for part in parts):
        raise DocumentError("this name cannot stand in a bundle", where=name, do="Rename that file of the export.")
    return "/".join(parts)


def _encode(document: Any) -> bytes:
    encoded = msgspec.json.encode(document, enc_hook=refuse_to_encode, order="deterministic")
    return msgspec.json.format(encoded, indent=1) + b"\n"


def _write_zip(contents: dict[str, bytes], path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as out:
        unfinished = Path(out.name)
        try:
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in contents.items():
                    archive.writestr(_member(name), data, zipfile.ZIP_DEFLATED)
            out.close()
            unfinished.replace(path)
        finally:
            with suppress(OSError):
                out.close()  # Windows deletes no open file
            unfinished.unlink(missing_ok=True)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system, member.external_attr = 3, 0o600 << 16  # as Unix makes it, on every machine
    return member


def _write_folder(contents: dict[str, bytes], path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as scratch:
        unfinished, former = Path(scratch) / "new", Path(scratch) / "former"
        unfinished.mkdir(mode=0o700)
        for name, data in contents.items():
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            (unfinished / name).write_bytes(data)
        try:
            if path.exists():
                path.rename(former)
            unfinished.rename(path)
        except BaseException:  # Ctrl-C as well
            if former.exists() and not path.exists():
                former.rename(path)
            raise
