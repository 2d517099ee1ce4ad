"""The change that a CI service makes on its own Windows machine: there and back, on a stand-in for that machine."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.powershell import handover, this_host
from tests.powershell.engine import Engine
from tests.powershell.handover import Desk, everything, state
from tests.powershell.windows_like import make

WORKFLOW = Path(__file__).parents[2] / ".github" / "workflows" / "windows.yml"
# In the order of the workflow: the script with its options, and how it ends.
RUNS = (
    ("verify", 2), ("change -WhatIf", 2), ("change -Confirm:$false", 0), ("verify", 0), ("change -Confirm:$false", 0),
    ("rollback -Confirm:$false", 0), ("verify", 2),
)  # fmt: skip


def test_the_change_of_this_host_goes_there_and_back(tmp_path: Path, engine: Engine) -> None:
    plan = this_host.plan_for("host1", handover.GUID, now=datetime.now(UTC))
    desk = Desk.lay_out(handover.ready(make(tmp_path)), plan, engine)
    start = everything(desk.host)
    for number, (line, code) in enumerate(RUNS):
        name, *options = line.split()
        done = desk.run(name, *options)
        assert done.code == code, (line, done.text)
        excluded = state(desk.host)["mp_preference"]["ExclusionPath"] or []
        assert (this_host.EXCLUDED in excluded) == (2 <= number <= 4), line
    assert everything(desk.host) == start


def test_the_workflow_runs_what_is_run_here() -> None:
    text = WORKFLOW.read_text()
    assert "python -m tests.powershell.this_host here" in text
    rows = [line.strip() for line in text.splitlines() if line.strip().startswith("Assert-Ended '")]
    assert rows == [f"Assert-Ended '{line}' {code}" for line, code in RUNS]
    assert this_host.EXCLUDED.replace("'", "''") in text
