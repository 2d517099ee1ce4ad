"""The dry run, live: the command line against the real domain controller and the hosts behind WinRM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab.contoso import ADMIN
from tests.lab.estate import Lab
from tests.lab.registry_file import number
from tests.lab.windows_hosts import policy_key

# What a domain controller writes by itself on an account that logs on.
LOGON = {"lastLogon", "lastLogonTimestamp", "logonCount", "badPwdCount"}


def remediate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "remediate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ}, check=False)


def live(lab: Lab, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = ["--dc", lab.dc, "--trust", str(lab.trust), "--connector", lab.connector.fqdn, "--template", "IntunePKCS"]
    with lab.ticket(ADMIN):
        return remediate(*arguments, *where)


def plan(lab: Lab, folder: Path) -> dict[str, Any]:
    done = live(lab, "plan", "--all", "--out", str(folder / "plan.json"), "--keep-facts", str(folder / "facts"))
    assert (folder / "plan.json").exists(), done.stderr
    return dict(json.loads((folder / "plan.json").read_text()))


def test_the_healthy_estate_has_no_findings(fresh_lab: Lab, tmp_path: Path) -> None:
    found = plan(fresh_lab, tmp_path)
    assert found.get("findings", []) == []
    assert [u for u in found.get("unknown", []) if u.get("needed", True)] == []
    assert found["complete"] is True


def test_the_kept_facts_give_the_same_digest(fresh_lab: Lab, tmp_path: Path) -> None:
    fresh_lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101))
    found = plan(fresh_lab, tmp_path)
    again = remediate(
        "plan",
        "--all",
        "--template",
        "IntunePKCS",
        "--bundle",
        str(tmp_path / "facts"),
        "--out",
        str(tmp_path / "b.json"),
    )
    assert json.loads((tmp_path / "b.json").read_text())["plan_id"] == found["plan_id"], again.stderr


def test_a_dry_run_writes_nothing_and_reads_little(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101))
    writes, changes = len(lab.ca.registry.writes()), len(lab.domain.changes())
    plan(lab, tmp_path)
    assert lab.relay.writes == []
    assert {name for change in lab.domain.changes()[changes:] for name in change["attributes"]} <= LOGON
    assert len(lab.ca.registry.writes()) == writes
    assert lab.relay.counts()["search"] <= 10
    assert lab.ca.commands() == 1
    assert lab.connector.commands() == 1


PLANTED = {
    "submission_pending": lambda lab: lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101)),
    "subject_email_required": lambda lab: lab.domain.replace(
        lab.domain.template_dn("IntunePKCS"), {"msPKI-Certificate-Name-Flag": ["-1509949440"]}
    ),
    "denied_by_policy_module": lambda lab: lab.domain.set_dacl(
        lab.domain.template_dn("IntunePKCS"), "D:PAI(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;;LCRPLORC;;;AU)"
    ),
    "rpc_server_unavailable": lambda lab: lab.domain.replace(
        lab.domain.enrollment_service_dn(), {"certificateTemplates": ["WebServer"]}
    ),
}


@pytest.mark.parametrize("playbook", PLANTED)
def test_a_cause_is_found_by_its_playbook_and_by_no_other(fresh_lab: Lab, tmp_path: Path, playbook: str) -> None:
    lab = fresh_lab
    with ExitStack() as stack:
        stack.enter_context(
            lab.domain.restored(lab.domain.template_dn("IntunePKCS"), lab.domain.enrollment_service_dn())
        )
        PLANTED[playbook](lab)
        found = plan(lab, tmp_path)
    assert {finding["playbook"] for finding in found["findings"]} == {playbook}
    assert found["complete"] is True
    assert found["actions"]
