"""Live, through the command line: each cause planted alone is found by its playbook and by no other; then all of them.

A fact that cannot be read is never found to be fine, and never found to be wrong.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from remediate.engine.registry import every
from tests.lab.contoso import READER
from tests.lab.estate import Lab
from tests.lab.planted import (
    ADMINISTRATORS,
    CAUSES,
    MAY_ENROLL,
    NO_CA,
    NO_REQUEST,
    NOTES,
    WRONG_HOST,
    Planted,
    deny_on_second_ca,
    nothing_wrong,
)
from tests.lab.planting import Plan, causes, ground
from tests.lab.unread import UNREAD, unreadable_template

# What only the logs of a bundle show, and no live estate has: tests/triage/test_evidence.py plants it.
OF_LOGS = {"stuck_pending/requests_unprocessed_in_logs"}
FINDING = {
    f"{playbook.name}/{cause.name}" for playbook in every() for cause in playbook.causes if not cause.informs
} - OF_LOGS
INFORMING = {f"{playbook.name}/{cause.name}" for playbook in every() for cause in playbook.causes if cause.informs}


def outcome(plan: Plan) -> str:
    """What became of the findings."""
    if plan.get("refused"):
        return "refused and planned" if plan.get("actions") else "refused"
    if plan.get("not_planned"):
        return "missing"
    return "planned" if plan.get("actions") else "advised"


def unknown(plan: Plan) -> list[str]:
    """Where the needed facts are that could not be read."""
    return [one["fact"] for one in plan.get("unknown", []) if one.get("needed", True)]


def test_every_cause_is_planted() -> None:
    assert {cause for planted in CAUSES for cause in planted.found} == FINDING
    assert {cause for planted in NOTES for cause in planted.found} == INFORMING


def test_the_healthy_estate_has_no_findings(lab: Lab, tmp_path: Path) -> None:
    with ground(lab) as estate:
        plan, code = estate.plan(tmp_path)
    assert (causes(plan), unknown(plan), plan.get("notes", []), code) == (set(), [], [], 0)


def test_what_is_no_cause_is_not_found(lab: Lab, tmp_path: Path) -> None:
    with ground(lab) as estate:
        nothing_wrong(estate)
        plan, code = estate.plan(tmp_path)
    assert (causes(plan), unknown(plan), code) == (set(), [], 0)


EVERY_VARIANT = bool(os.environ.get("REMEDIATE_EVERY_VARIANT"))
# One planting of each cause and outcome; with REMEDIATE_EVERY_VARIANT all of them, which takes minutes more.
ALONE = CAUSES if EVERY_VARIANT else tuple({(one.found, one.outcome): one for one in reversed(CAUSES)}.values())


@pytest.mark.parametrize("planted", ALONE, ids=lambda planted: planted.name)
def test_a_cause_is_found_by_its_playbook_and_by_no_other(lab: Lab, tmp_path: Path, planted: Planted) -> None:
    with ground(lab) as estate:
        planted.plant(estate)
        plan, code = estate.plan(tmp_path)
    assert causes(plan) == set(planted.found)
    assert planted.shows in json.dumps(plan["findings"])
    assert outcome(plan) == planted.outcome
    assert (plan["complete"], code) == ((True, 2) if planted.complete else (False, 1)), plan["unknown"]


@pytest.mark.parametrize("planted", NOTES, ids=lambda planted: planted.name)
def test_what_only_informs_is_a_note_and_no_finding(lab: Lab, tmp_path: Path, planted: Planted) -> None:
    with ground(lab) as estate:
        planted.plant(estate)
        plan, code = estate.plan(tmp_path)
    assert (causes(plan), code) == (set(), 0)
    [note] = plan["notes"]
    assert note.startswith(*planted.playbooks)
    assert planted.shows in note


def test_all_causes_together_are_found(lab: Lab, tmp_path: Path) -> None:
    with ground(lab) as estate:
        deny_on_second_ca(estate)
        for planted in CAUSES:
            if planted.together:
                planted.plant(estate)
        plan, code = estate.plan(tmp_path)
    assert causes(plan) == FINDING - {*NO_REQUEST, *NO_CA} | set(WRONG_HOST)  # for requests did come, and CAs are there
    assert (code, unknown(plan)) == (2, [])


@pytest.mark.parametrize("name", UNREAD)
def test_what_cannot_be_read_is_unknown_and_nothing_else(lab: Lab, tmp_path: Path, name: str) -> None:
    plant, fact = UNREAD[name]
    with ground(lab) as estate:
        plant(estate)
        plan, code = estate.plan(tmp_path)
    assert causes(plan) == set()
    assert (plan["complete"], code) == (False, 1)
    assert any(fact in one for one in unknown(plan)), unknown(plan)


def test_a_template_without_a_readable_attribute_is_not_a_missing_one(lab: Lab, tmp_path: Path) -> None:
    with ground(lab) as estate:
        unreadable_template("LCLORC")(estate)
        plan, code = estate.plan(tmp_path)
    assert causes(plan) == {"denied_by_policy_module/caller_lacks_template_rights"}  # its descriptor can be read
    assert (plan["complete"], code) == (False, 1)


def test_a_reader_without_rights_knows_that_he_does_not_know(lab: Lab, tmp_path: Path) -> None:
    with ground(lab) as estate:
        estate.set_template_dacl(f"{ADMINISTRATORS}(A;;LCRPLO;;;AU){MAY_ENROLL}")
        plan, code = estate.plan(tmp_path, account=READER)
    assert causes(plan) == set()
    assert (plan["complete"], code) == (False, 1)
    unread = {one["target"]["name"]: one["code"] for one in plan["unknown"] if one["fact"] == "all of it"}
    assert unread == dict.fromkeys((lab.ca.fqdn, lab.connector.fqdn), "0x80070005")
