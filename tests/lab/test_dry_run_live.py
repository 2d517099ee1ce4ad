"""The dry run, live: the command line against the real domain controller and the hosts behind WinRM."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.lab.contoso import ADMIN
from tests.lab.estate import Lab
from tests.lab.program import Ended, remediate
from tests.lab.registry_file import number
from tests.lab.windows_hosts import policy_key

# What a domain controller writes by itself on an account that logs on.
LOGON = {"lastLogon", "lastLogonTimestamp", "logonCount", "badPwdCount"}


def live(lab: Lab, *arguments: str) -> Ended:
    where = ["--dc", lab.dc, "--trust", str(lab.trust), "--connector", lab.connector.fqdn, "--template", "IntunePKCS"]
    with lab.ticket(ADMIN):
        return remediate(*arguments, *where)


def plan(lab: Lab, folder: Path) -> dict[str, Any]:
    done = live(lab, "plan", "--all", "--out", str(folder / "plan.json"), "--keep-facts", str(folder / "facts"))
    assert (folder / "plan.json").exists(), done.err
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
    assert json.loads((tmp_path / "b.json").read_text())["plan_id"] == found["plan_id"], again.err


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
