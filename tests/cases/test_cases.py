"""Every case file against its playbook: found, not found, unknown, refused."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.engine.planning import PlanOptions, make_plan
from remediate.facts.documents import (
    CaDocument,
    ConnectorDocument,
    DirectoryDocument,
    IntuneObject,
    LogEvidence,
    Snapshot,
)
from remediate.model.errors import UsageError
from remediate.model.plan import Plan

HERE = Path(__file__).parent
HEALTHY = HERE.parent.parent / "examples" / "contoso-healthy"
CASES = sorted(HERE.rglob("*.json"))


def documents() -> dict[str, Any]:
    files = [path for path in HEALTHY.rglob("*.json") if path.name != "bundle.json"]
    return {str(path.relative_to(HEALTHY)): json.loads(path.read_text(encoding="utf-8")) for path in sorted(files)}


def changed(case: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(documents())
    found |= {file: copy.deepcopy(found[like]) for file, like in case.get("copy", {}).items()}
    for address, value in case.get("set", {}).items():
        parent, last = place(found, address)
        parent[last] = value
    for address in case.get("remove", []):
        if address in found:
            del found[address]
            continue
        parent, last = place(found, address)
        del parent[last]
    return found


def place(found: dict[str, Any], address: str) -> tuple[Any, Any]:
    file, _, path = address.partition(" /")
    node: Any = found[file]
    *parents, last = path.split("/")
    for part in parents:
        node = node[key(node, part)]
    return node, key(node, last)


def key(node: Any, part: str) -> Any:
    if not isinstance(node, list):
        return part
    if part == "-":
        node.append({})
        return len(node) - 1
    if part.startswith("["):
        return next(at for at, entry in enumerate(node) if entry["dn"].lower().startswith(part[1:-1].lower() + ","))
    return int(part)


def snapshot(found: dict[str, Any]) -> Snapshot:
    def typed(prefix: str, kind: Any) -> list[Any]:
        return [msgspec.convert(v, kind) for name, v in found.items() if name.startswith(prefix)]

    exported = {name: json.dumps(value).encode() for name, value in found.items() if name.startswith("intune")}
    intune = tuple(IntuneObject(name, msgspec.Raw(text)) for name, text in exported.items())
    return Snapshot(
        directory=typed("directory", DirectoryDocument)[0],
        certification_authorities=tuple(typed("ca-", CaDocument)),
        connectors=tuple(typed("connector-", ConnectorDocument)),
        intune=intune or None,
    )


def facts_of(case: dict[str, Any]) -> Snapshot:
    logs = msgspec.convert(case.get("logs", []), tuple[LogEvidence, ...])
    return msgspec.structs.replace(snapshot(changed(case)), logs=logs)


def plan_of(case: dict[str, Any]) -> Plan:
    options = PlanOptions(
        playbooks=(case["playbook"],) if case["playbook"] else (),
        templates=tuple(case.get("templates", [])),
        settings=case.get("settings", {}),
        overrides=tuple(case.get("overrides", [])),
    )
    return make_plan(facts_of(case), options)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    if usage := case.get("usage"):
        with pytest.raises(UsageError, match=re.escape(usage)):
            plan_of(case)
        return
    plan = plan_of(case)
    assert sorted({finding.cause for finding in plan.findings}) == sorted(case["found"]), plan.findings
    assert sorted({u.cause for u in plan.unknown if u.needed}) == sorted(case.get("unknown", [])), plan.unknown
    assert sorted(r.guard for r in plan.refused if not r.overridden) == sorted(case.get("refused", [])), plan.refused
    assert [action.kind for action in plan.actions] == case.get("actions", []), plan.actions
    assert len(plan.not_planned) == len(case.get("not_planned", [])), plan.not_planned
    assert plan.complete is not bool(case.get("unknown"))
    assert sorted({u.cause for u in plan.unknown if u.cause and not u.needed}) == case.get("informing", []), (
        plan.unknown
    )
    assert len(plan.findings) == case.get("findings", len(plan.findings)), plan.findings
    assert len(plan.notes) == len(case.get("notes", [])), plan.notes
    told = json.dumps([msgspec.to_builtins(finding) for finding in plan.findings], ensure_ascii=False)
    assert all(json.dumps(words, ensure_ascii=False)[1:-1] in told for words in case.get("shows", [])), told
    assert all(any(words in line for line in plan.not_asked) for words in case.get("not_asked", [])), plan.not_asked
    assert all(words in note for words, note in zip(case.get("notes", []), plan.notes, strict=True)), plan.notes


def test_every_playbook_has_cases() -> None:
    playbooks = {path.stem for path in (HERE.parent.parent / "playbooks").glob("*.py")}
    assert playbooks == {path.parent.name for path in CASES}
