"""Plans over the shipped estates: complete, repeatable, independent of the order in which facts came."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediate.engine.planning import PlanOptions, make_plan
from remediate.engine.registry import every
from remediate.facts.documents import Failure, Snapshot
from remediate.model.errors import ExitCode, UsageError
from remediate.model.plan import digest
from remediate.transports.bundle import read_bundle

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture(scope="module")
def broken() -> Snapshot:
    return read_bundle((EXAMPLES / "contoso-broken",))


@pytest.fixture(scope="module")
def healthy() -> Snapshot:
    return read_bundle((EXAMPLES / "contoso-healthy",))


def test_the_healthy_estate_has_nothing_to_do(healthy: Snapshot) -> None:
    plan = make_plan(healthy, PlanOptions())
    assert plan.findings == () and plan.actions == () and plan.unknown == ()
    assert plan.exit_code is ExitCode.NOTHING_TO_DO


def test_the_broken_estate_has_a_problem_of_every_section(broken: Snapshot) -> None:
    plan = make_plan(broken, PlanOptions())
    assert {finding.playbook for finding in plan.findings} == {playbook.name for playbook in every()}
    assert plan.complete and plan.unknown == ()
    assert plan.exit_code is ExitCode.FINDINGS


def test_writes_are_merged_and_ordered(broken: Snapshot) -> None:
    actions = make_plan(broken, PlanOptions()).actions
    kinds = [action.kind for action in actions]
    assert kinds.count("restart_service") == kinds.count("template") == kinds.count("publish_template") == 1
    assert kinds[-1] == "restart_service"
    assert all(needed < action.id for action in actions for needed in action.depends_on)
    restart = actions[-1]
    directory = {action.id for action in actions if action.kind in ("template", "publish_template")}
    assert {action.id for action in actions if action.restarts == "CertSvc"} == set(restart.depends_on) - directory
    assert set(restart.depends_on) & directory
    publish = next(action for action in actions if action.kind == "publish_template")
    assert [actions[needed - 1].kind for needed in publish.depends_on] == ["template"]


def test_the_same_facts_give_the_same_digest(broken: Snapshot) -> None:
    assert digest(make_plan(broken, PlanOptions())) == digest(make_plan(broken, PlanOptions()))


def test_another_option_gives_another_digest(broken: Snapshot) -> None:
    with_override = PlanOptions(overrides=("cluster",))
    assert digest(make_plan(broken, with_override)) != digest(make_plan(broken, PlanOptions()))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_facts_does_not_matter(broken: Snapshot, data: st.DataObject) -> None:
    assert broken.directory is not None and broken.intune is not None
    entries = broken.directory.public_key_services.need_value("entries")
    shuffled = msgspec.structs.replace(
        broken,
        directory=msgspec.structs.replace(
            broken.directory,
            public_key_services=msgspec.structs.replace(
                broken.directory.public_key_services, value=data.draw(st.permutations(entries))
            ),
        ),
    )
    assert digest(make_plan(shuffled, PlanOptions())) == digest(make_plan(broken, PlanOptions()))


def test_a_host_that_could_not_be_read_makes_the_plan_incomplete(broken: Snapshot) -> None:
    failure = Failure(role="connector", target="conn2.contoso.test", what="access is denied", code="0x80070005")
    plan = make_plan(msgspec.structs.replace(broken, failures=(failure,)), PlanOptions())
    assert not plan.complete
    assert plan.exit_code is ExitCode.ERROR
    assert {unknown.target.name for unknown in plan.unknown if unknown.needed} >= {"conn2.contoso.test"}
    assert plan.findings


@pytest.mark.parametrize("role", ["directory", "ca", "connector"])
def test_nothing_but_a_failure_is_never_fine(role: str) -> None:
    failure = Failure(role=role, target="host.contoso.test", what="it is silent")  # type: ignore[arg-type]
    plan = make_plan(Snapshot(failures=(failure,)), PlanOptions())
    assert plan.exit_code is ExitCode.ERROR
    assert [u.target.name for u in plan.unknown if u.needed and not u.playbook] == ["host.contoso.test"]


def test_without_a_directory_what_needs_it_is_unknown(broken: Snapshot) -> None:
    plan = make_plan(
        msgspec.structs.replace(
            broken, directory=None, failures=(Failure(role="directory", target="dc1", what="it is silent"),)
        ),
        PlanOptions(),
    )
    assert not plan.complete
    assert any("it is silent" in unknown.why for unknown in plan.unknown)


def test_what_nobody_gave_is_said_and_blocks_nothing(healthy: Snapshot) -> None:
    plan = make_plan(msgspec.structs.replace(healthy, intune=None), PlanOptions())
    assert plan.complete
    assert any("--intune" in text for text in plan.not_asked)
    assert any("--template" in text for text in plan.not_asked)


@pytest.mark.parametrize(
    "options",
    [
        PlanOptions(overrides=("everything",)),
        PlanOptions(settings={"colour": "green"}),
        PlanOptions(playbooks=("0x80070002",)),
        PlanOptions(playbooks=("no_such_playbook",)),
    ],
)
def test_what_does_not_exist_is_a_usage_error(broken: Snapshot, options: PlanOptions) -> None:
    with pytest.raises(UsageError) as caught:
        make_plan(broken, options)
    assert caught.value.exit_code is ExitCode.USAGE
