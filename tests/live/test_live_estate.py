"""A dry run of a real estate and its logs, where the environment names one. This reads; it never writes.

REMEDIATE_LIVE_DC, REMEDIATE_LIVE_CONNECTOR, REMEDIATE_LIVE_TEMPLATE and REMEDIATE_LIVE_TRUST name the estate; the
credential is the logon or Kerberos ticket at hand. Inside the lab's namespaces the lab is the estate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.addresses import MARK


@pytest.fixture
def estate(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if "REMEDIATE_LIVE_DC" in os.environ:
        yield {name: value for name, value in os.environ.items() if name.startswith("REMEDIATE_LIVE_")}
    elif MARK in os.environ:
        lab = request.getfixturevalue("fresh_lab")
        with lab.ticket():
            yield lab.environment()
    else:
        pytest.skip("no estate is named: set REMEDIATE_LIVE_DC")


def options(estate: dict[str, str], *names: str) -> list[str]:
    """Return the options of the command line for what the estate names of these."""
    values = {name: estate.get(f"REMEDIATE_LIVE_{name}") for name in names}
    return [part for name, value in values.items() if value for part in (f"--{name.lower()}", value)]


def remediate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "remediate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def test_a_dry_run_reads_everything(estate: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    done = remediate("plan", "--all", "--out", str(out), *options(estate, "DC", "CONNECTOR", "TEMPLATE", "TRUST"))
    assert done.returncode in (0, 2), done.stderr
    plan = json.loads(out.read_text(encoding="utf-8"))
    assert plan["complete"] is True
    assert {target["kind"] for target in plan["targets"]} >= {"directory", "ca"}


def test_the_logs_of_every_host_are_read(estate: dict[str, str]) -> None:
    done = remediate("triage", "--json", *options(estate, "DC", "CONNECTOR", "TRUST"))
    assert done.returncode in (0, 2), done.stderr
    report = json.loads(done.stdout)
    assert report["unread"] == []
    assert report["sources"]
