"""A live plan tells which of its rights the present account has, and a write then succeeds or fails as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from remediate.actions.rights import ADMINISTRATOR, service_control
from remediate.actions.states import Table, before_and_after
from remediate.actions.writing import WriteFailed
from remediate.model.plan import RESTART, Plan, unseal
from tests.lab import planted
from tests.lab.change_window import in_process
from tests.lab.contoso import ADMIN, FULL
from tests.lab.directory_functions import FLAG, FROM_DIRECTORY, REVISION
from tests.lab.directory_writing import writing
from tests.lab.estate import Lab
from tests.lab.handed_over import nothing_written
from tests.lab.ldap_relay import DropAtSearch, Rewrite
from tests.lab.planting import Ground, ground
from tests.lab.writing_material import writer

TEMPLATE = ("subject_email_required", "denied_by_policy_module")
EVERYTHING = (*TEMPLATE, "submission_pending")
WRITE_FLAG, WRITE_REVISION, WRITE_DAC = f"write {FLAG}", f"write {REVISION}", "change the permissions (WRITE_DAC)"
CONTROL = service_control("CertSvc")
# Everybody reads; only the domain's first administrator, who is nobody here, writes.
OWNER_ALONE = f"D:PAI(A;;{FULL};;;LA)(A;;LCRPLORC;;;AU)"
# As they are delegated: write one attribute (by its schemaIDGUID, [MS-ADA2]), all of them, the permissions.
DELEGATED = {
    "nothing": ("", {WRITE_FLAG, WRITE_REVISION, WRITE_DAC}),
    "one attribute": ("(OA;;WP;ea1dddc4-60ff-416e-8cc0-17cee534bce7;;{{{0}}})", {WRITE_REVISION, WRITE_DAC}),
    "all attributes": ("(A;;WP;;;{{{0}}})", {WRITE_DAC}),
    "permissions": ("(A;;WD;;;{{{0}}})", {WRITE_FLAG, WRITE_REVISION}),
    "both": ("(A;;WPWD;;;{{{0}}})", set[str]()),
}
BUSY = 10
"""The search that asks for rights: eight, and two for the one connector's account."""


@contextmanager
def planted_everything(lab: Lab, granted: str = "(A;;WPWD;;;{{{0}}})") -> Iterator[Ground]:
    """Something to do on the template, on a CA's registry, and for its service; and an administrator's ticket."""
    with ground(lab) as estate, lab.ticket(ADMIN):
        estate.change_template({FLAG: [FROM_DIRECTORY]})
        estate.set_template_dacl(OWNER_ALONE + granted.format(ADMIN.name))
        planted.waiting_requests(estate)
        lab.reset()
        yield estate


def where(lab: Lab) -> list[str]:
    trust = ["--trust", str(lab.trust)]
    return ["--dc", lab.dc, "--connector", lab.connector.fqdn, "--template", "IntunePKCS", *trust]


def told(lab: Lab, *names: str, code: int = 2) -> tuple[dict[str, dict[str, str]], Plan]:
    """What a plan says of rights, `{target: {right: state}}`, and the plan that is printed around it."""
    ended = in_process("run", *names, "--dry-run", "--json", *where(lab))
    assert ended.code == code, ended
    rights: list[dict[str, Any]] = json.loads(ended.out).get("present_rights", [])
    shown = {one["target"]: {right["right"]: right["state"] for right in one["rights"]} for one in rights}
    return shown, unseal(ended.out.encode(), where="stdout")[0]


def lacking(states: dict[str, str]) -> set[str]:
    return {right for right, state in states.items() if state != "has"}


@pytest.mark.parametrize("delegated", DELEGATED)
def test_what_it_says_of_the_directory_is_what_a_write_meets(fresh_lab: Lab, delegated: str) -> None:
    granted, missing = DELEGATED[delegated]
    with planted_everything(fresh_lab, granted):
        rights, plan = told(fresh_lab, *TEMPLATE)
        assert set(rights) == {"directory"}
        assert set(rights["directory"]) == {WRITE_FLAG, WRITE_REVISION, WRITE_DAC}
        assert lacking(rights["directory"]) == missing
        assert nothing_written(fresh_lab)
        (action,) = plan.actions
        before, after = before_and_after(action)
        with writing(fresh_lab, ADMIN) as directory:
            if missing:
                with pytest.raises(WriteFailed, match="may not write"):
                    directory.write(action, before=before, after=after)
            else:
                assert directory.write(action, before=before, after=after) == ""


@pytest.mark.parametrize("refused", [False, True])
def test_what_it_says_of_a_service_is_what_a_restart_meets(fresh_lab: Lab, refused: bool) -> None:
    lab = fresh_lab
    with planted_everything(lab):
        if refused:
            lab.ca.change_state(failures={"ServiceHandle": "access denied", "Restart-Service": "access denied"})
        rights, plan = told(lab, "submission_pending")
        assert rights == {lab.ca.fqdn: {ADMINISTRATOR: "has", CONTROL: "lacks" if refused else "has"}}
        (action,) = [one for one in plan.actions if one.kind == RESTART]
        running: Table = {"State": "Running"}
        host = writer(lab, lab.ca)
        try:
            if refused:
                with pytest.raises(WriteFailed):
                    host.write(action, before=running, after=running)
            else:
                assert "Running" in host.write(action, before=running, after=running)
        finally:
            host.close()


def test_who_is_not_elevated_is_told_so_and_refused_when_it_applies(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with planted_everything(lab):
        lab.ca.change_state(whoami=lab.ca.state()["whoami"] | {"elevated": False})
        ended = in_process("plan", *EVERYTHING, *where(lab), "--out", str(tmp_path / "plan.json"))
        assert ended.code == 2, ended
        shown = ended.out[ended.out.index("Rights: ") :]
        assert f"\n    lacks    {ADMINISTRATOR}   (for 2, 3)\n" in shown
        assert "A right is missing for 2, 3: " in shown
        approved = json.loads((tmp_path / "plan.json").read_text())["plan_id"]
        runs = ["--runs", str(tmp_path / "runs"), "--trust", str(lab.trust)]
        refused = in_process("apply", str(tmp_path / "plan.json"), "--approve", approved, *runs)
        assert (refused.code, "a right is missing" in refused.err) == (3, True)
        assert nothing_written(lab)


def test_it_is_asked_within_the_searches_that_a_plan_may_take(fresh_lab: Lab) -> None:
    lab = fresh_lab
    with planted_everything(lab):
        rights, _ = told(lab, *EVERYTHING)
        assert set(rights) == {"directory", lab.ca.fqdn}
        assert lab.relay.counts()["search"] == BUSY <= 8 + 2 * 1
        assert (lab.ca.commands(), lab.connector.commands()) == (1, 1)
        lab.reset()
        rights, _ = told(lab, "submission_pending")
        assert set(rights) == {lab.ca.fqdn}
        assert lab.relay.counts()["search"] == BUSY - 1
        assert nothing_written(lab)


@pytest.mark.parametrize("fault", [DropAtSearch(BUSY), Rewrite(b"sDRightsEffective", b"notRightsEffectiv")], ids=str)
def test_what_could_not_be_asked_is_unknown_and_the_plan_is_the_same(fresh_lab: Lab, fault: Any) -> None:
    lab = fresh_lab
    with planted_everything(lab):
        lab.relay.fault = fault
        rights, plan = told(lab, *EVERYTHING)
        assert set(rights["directory"].values()) == {"unknown"}
        assert set(rights[lab.ca.fqdn].values()) == {"has"}
        assert (plan.complete, len(plan.actions)) == (True, 3)
        lab.relay.clear()
        out = in_process("run", *EVERYTHING, "--dry-run", *where(lab)).out
        assert "    unknown  " in out and "What is unknown for 1 may be missing too." in out
        assert "has all of them" not in out


def test_a_plan_from_a_bundle_says_nothing_of_rights_and_is_the_same(fresh_lab: Lab, tmp_path: Path) -> None:
    facts, live = str(tmp_path / "facts"), str(tmp_path / "live.json")
    with planted_everything(fresh_lab):
        made = in_process("plan", *EVERYTHING, *where(fresh_lab), "--keep-facts", facts, "--out", live)
        assert "Rights: " in made.out
    again = in_process("plan", *EVERYTHING, "--bundle", facts, "--template", "IntunePKCS", "--json")
    assert "present_rights" not in json.loads(again.out)
    assert again.out.encode() == Path(live).read_bytes()
