"""What two playbooks know of one target is one problem for people, and stays a finding of each for programs."""

from __future__ import annotations

import msgspec

from remediate.model.finding import Evidence, Finding, NotPlanned, Target
from remediate.model.plan import Plan
from remediate.render.diff import diff
from remediate.render.reading import place, problems, totals
from remediate.render.text import as_text

PROFILE = Target("profile", "Phones")
NAME = Evidence("profile Phones certificationAuthorityName", "Contoso CA 1")


def finding(playbook: str, code: str, *more: Evidence, advice: str = "Set the name.") -> Finding:
    return Finding(
        id=f"{playbook}/cause/Phones", playbook=playbook, cause="cause", target=PROFILE,
        message="No CA has the name in the profile.", code=code, evidence=(NAME, *more), advice=(advice,),
    )  # fmt: skip


def plan(*findings: Finding, not_planned: tuple[NotPlanned, ...] = ()) -> Plan:
    return Plan(
        format_version="1.0", remediate="0.1.0", playbooks={}, options={}, created="2026-11-23T09:12:00Z",
        expires_at="2026-11-30T09:12:00Z", complete=True, findings=findings, not_planned=not_planned,
    )  # fmt: skip


LOGGED = Evidence("logs of conn1", "0x80070057 once")
RPC, PARAMETER = finding("rpc", "0x800706BA"), finding("parameter", "0x80070057", LOGGED)


def test_it_is_told_once_with_both_names_codes_and_all_evidence() -> None:
    made = plan(RPC, PARAMETER)
    [block] = problems(made)
    assert (block.finding.playbook, block.finding.code) == ("rpc, parameter", "0x800706BA, 0x80070057")
    assert block.finding.evidence == (NAME, LOGGED)
    assert totals(made).startswith("1 problem,")
    assert as_text(diff(made)).count("Set the name.") == 1
    assert made.findings == (RPC, PARAMETER)


def test_other_advice_is_another_problem() -> None:
    assert len(problems(plan(RPC, finding("parameter", "0x80070057", advice="Set another name.")))) == 2


def test_other_evidence_is_another_problem() -> None:
    other = msgspec.structs.replace(PARAMETER, evidence=(LOGGED, NAME))
    assert len(problems(plan(RPC, other))) == 2


def test_what_lacks_a_parameter_stays_by_itself() -> None:
    made = plan(RPC, PARAMETER, not_planned=(NotPlanned(finding=PARAMETER.id, why="url"),))
    assert [block.finding.playbook for block in problems(made)] == ["rpc"]
    assert totals(made).startswith("2 problems,")


def test_the_estate_is_named_once() -> None:
    assert place(Target("estate", "the estate")) == "the estate"
    assert place(Target("estate", "dc1")) == "estate dc1"
