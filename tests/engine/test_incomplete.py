"""Whatever cannot be read: a plan that does not know a fact it needs can be read, never applied."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediate.engine.admission import check_plan
from remediate.engine.planning import PlanOptions, make_plan
from remediate.facts.documents import CaDocument, ConnectorDocument, DirectoryDocument, Snapshot
from remediate.model.errors import ExitCode, RefusedError
from remediate.model.fact import Fact, Unreadable
from remediate.model.plan import digest
from remediate.transports.bundle import read_bundle

BROKEN = read_bundle((Path(__file__).parents[2] / "examples" / "contoso-broken",))
NOW = datetime(2026, 11, 24, tzinfo=UTC)
WHY = Unreadable("access is denied", "0x80070005")


def facts_of(kind: type[CaDocument] | type[ConnectorDocument] | type[DirectoryDocument]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind) if "Fact" in str(field.type)]


def without(document: Any, names: set[str]) -> Any:
    lost: Fact[Any] = Fact(unreadable=WHY)
    return msgspec.structs.replace(document, **dict.fromkeys(names, lost))


def unread(ca: set[str], connector: set[str], directory: set[str]) -> Snapshot:
    return msgspec.structs.replace(
        BROKEN,
        certification_authorities=tuple(without(one, ca) for one in BROKEN.certification_authorities),
        connectors=tuple(without(one, connector) for one in BROKEN.connectors),
        directory=without(BROKEN.directory, directory),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ca=st.sets(st.sampled_from(facts_of(CaDocument))),
    connector=st.sets(st.sampled_from(facts_of(ConnectorDocument))),
    directory=st.sets(st.sampled_from(facts_of(DirectoryDocument))),
)
def test_no_incomplete_plan_can_be_applied(ca: set[str], connector: set[str], directory: set[str]) -> None:
    plan = make_plan(unread(ca, connector, directory), PlanOptions())
    needed = [item for item in plan.unknown if item.needed]
    assert plan.complete is (not needed)
    if plan.complete:
        return
    assert plan.exit_code is ExitCode.ERROR
    with pytest.raises(RefusedError, match="incomplete"):
        check_plan(plan, digest(plan), approved=digest(plan), now=NOW, where="plan.json")


@pytest.mark.parametrize("name", ["request_disposition", "security", "service", "policy_module", "interface_flags"])
def test_a_fact_that_a_decision_needs_makes_it_incomplete(name: str) -> None:
    assert make_plan(unread({name}, set(), set()), PlanOptions()).complete is False
