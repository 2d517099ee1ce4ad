"""The JSON schema of a plan file, for programs that read plans. `docs/plan.schema.json` is this, checked in."""

from __future__ import annotations

from typing import Any

import msgspec

from remediate.model.plan import Plan


def plan_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) of what `remediate plan --out` writes: a Plan with its `plan_id`."""
    schema = msgspec.json.schema(Plan)
    definition = schema["$defs"]["Plan"]
    definition["properties"]["plan_id"] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    definition["required"] = [*definition["required"], "plan_id"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "remediate plan", **schema}


def schema_text() -> bytes:
    """Return the schema as the text of a file: sorted keys, indented, one line end at its end."""
    return msgspec.json.format(msgspec.json.encode(plan_schema(), order="sorted"), indent=2) + b"\n"
