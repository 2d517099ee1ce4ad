"""An approved plan, applied live: on the real domain controller and on hosts behind WinRM, verified, and undone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.contoso import ADMIN
from tests.lab.estate import Lab
from tests.lab.handed_over import directory_state, host_state, nothing_written, revision, started_ca
from tests.lab.planting import ground
from tests.lab.registry_file import number
from tests.lab.test_handover_live import plant_all
from tests.lab.windows_hosts import policy_key


class Estate:
    """The program against the lab, with its plans and runs in a folder of their own."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder

    def run(self, *arguments: str, expected: int) -> str:
        with self.lab.ticket(ADMIN):
            done = subprocess.run(
                [sys.executable, "-m", "remediate", *arguments], capture_output=True, text=True, timeout=180,
                env=os.environ | {"REMEDIATE_RUNS": str(self.folder / "runs"), "REMEDIATE_TRUST": str(self.lab.trust)},
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        assert done.returncode == expected, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def plan(self, name: str = "plan.json", *, expected: int = 2) -> str:
        where = ["--dc", self.lab.dc, "--connector", self.lab.connector.fqdn, "--template", "IntunePKCS"]
        self.run("plan", "--all", *where, "--out", str(self.folder / name), expected=expected)
        return str(json.loads((self.folder / name).read_text())["plan_id"])

    def apply(self, name: str, digest: str, *arguments: str, expected: int = 0) -> str:
        return self.run("apply", str(self.folder / name), "--approve", digest, *arguments, expected=expected)


def state(lab: Lab) -> list[Any]:
    return [directory_state(lab), host_state(lab.ca), host_state(lab.connector)]


def test_apply_verify_rollback_and_apply_again(fresh_lab: Lab, tmp_path: Path) -> None:
    lab, estate = fresh_lab, Estate(fresh_lab, tmp_path)
    with ground(lab) as planted:
        plant_all(planted)
        start, first = state(lab), revision(lab)
        approved = estate.plan()
        lab.reset()

        estate.run("apply", str(tmp_path / "plan.json"), "--check", expected=0)
        assert (nothing_written(lab), state(lab)) == (True, start)

        told = estate.apply("plan.json", approved, "--ticket", "CHG1", expected=0)
        assert told.count("\n  done ") == len(json.loads((tmp_path / "plan.json").read_text())["actions"]), told
        assert (revision(lab), started_ca(lab.ca)) == (first + 1, 1)
        changed = state(lab)
        assert "applied already" in estate.apply("plan.json", approved, expected=3)
        estate.run("verify", str(tmp_path / "plan.json"), expected=0)
        (run,) = [path.name for path in (tmp_path / "runs").iterdir() if not path.name.startswith(".")]
        assert "CHG1" in estate.run("runs", run, expected=0)

        back = str(tmp_path / "back.json")
        estate.run("rollback", run, "--out", back, expected=2)
        estate.apply("back.json", json.loads(Path(back).read_text())["plan_id"], expected=0)
        assert state(lab) == start
        assert (revision(lab), started_ca(lab.ca)) == (first + 2, 2)
        estate.run("verify", str(tmp_path / "plan.json"), expected=2)

        again = estate.plan("again.json")
        estate.apply("again.json", again, expected=0)
        assert state(lab) == changed


def test_drift_a_wrong_digest_and_an_edited_plan_are_refused(fresh_lab: Lab, tmp_path: Path) -> None:
    lab, estate = fresh_lab, Estate(fresh_lab, tmp_path)
    with ground(lab) as planted:
        plant_all(planted)
        approved = estate.plan()
        lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x2))
        lab.reset()
        start = state(lab)
        told = estate.apply("plan.json", approved, expected=3)
        assert "no longer as approved" in told and "now       2\n" in told
        assert "not the plan that was approved" in estate.apply("plan.json", "0" * 64, expected=3)
        edited = (tmp_path / "plan.json").read_text().replace("IntunePKCS", "IntuneVPN")
        (tmp_path / "edited.json").write_text(edited)
        assert "changed after it was sealed" in estate.apply("edited.json", approved, expected=3)
        assert (nothing_written(lab), state(lab)) == (True, start)
