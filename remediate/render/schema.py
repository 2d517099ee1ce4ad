"""The JSON schemas of what `--json` prints, for programs that read it. `docs/*.schema.json` are these, checked in.

`python -m remediate.render.schema FOLDER` writes them, also from an installed package.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from remediate.engine.rights import TargetRights
from remediate.model.plan import BESIDE, Plan
from remediate.render.documents import (
    AppliedDocument,
    BundleDocument,
    CheckDocument,
    CollectorsDocument,
    ErrorDocument,
    HandoverDocument,
    ImportDocument,
    PlaybooksDocument,
    RunsDocument,
    VerifyDocument,
)
from remediate.triage.report import Report

DOCUMENTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "plan": Plan,
    "playbooks": PlaybooksDocument,
    "triage": Report,
    "bundle": BundleDocument,
    "collectors": CollectorsDocument,
    "handover": HandoverDocument,
    "import": ImportDocument,
    "applied": AppliedDocument,
    "check": CheckDocument,
    "verify": VerifyDocument,
    "runs": RunsDocument,
    "error": ErrorDocument,
}
"""The documents by name; the schema of each stands in NAME.schema.json."""


def schema(name: str) -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) of a document of DOCUMENTS."""
    made = msgspec.json.schema(DOCUMENTS[name])
    if name == "plan":
        _add_digest(made["$defs"]["Plan"])
        _add_rights(made["$defs"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"remediate {name}", **made}


def _add_digest(definition: dict[str, Any]) -> None:
    """A plan file is a Plan and the sha256 of its canonical body."""
    definition["properties"]["plan_id"] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    definition["required"] = [*definition["required"], "plan_id"]


def _add_rights(definitions: dict[str, Any]) -> None:
    """What is printed of a live estate has the rights of the present account beside the plan; a saved file has not."""
    (found,), needed = msgspec.json.schema_components([tuple[TargetRights, ...]], ref_template="#/$defs/{name}")
    definitions["Plan"]["properties"][BESIDE] = found
    definitions.update(needed)


def schema_text(name: str = "plan") -> bytes:
    """Return the schema as the text of a file: sorted keys, indented, one line end at its end."""
    return msgspec.json.format(msgspec.json.encode(schema(name), order="sorted"), indent=2) + b"\n"


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write every schema into the folder and return the files. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {folder / f"{name}.schema.json": schema_text(name) for name in DOCUMENTS}
    for file, text in files.items():
        file.write_bytes(text)
    return tuple(files)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m remediate.render.schema FOLDER")
    sys.stdout.writelines(f"{file}\n" for file in write_schemas(Path(sys.argv[1])))
