"""Where runs are kept, which of them belongs to a plan or bears a name, and what one leaves of another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from remediate.model.errors import DocumentError, RefusedError, UsageError

if TYPE_CHECKING:
    from remediate.model.journal import Journal
    from remediate.model.plan import Plan
    from remediate.runs.folder import RunFolder


def runs_root(given: str | None) -> Path:
    """Return the folder of all runs: as given, else the user's state folder. Raises UsageError where there is none."""
    from remediate.runs.folder import state_folder

    return Path(given) if given else state_folder(os.environ, home=_home(), windows=os.name == "nt")


def _home() -> Path | None:
    """The home folder of the account, None where neither the environment nor the system names one."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def run_of_plan(root: Path, digest: str, *, source: str) -> RunFolder | None:
    """Return the last run of a plan that `source` (`apply` or `import`) began; its last line may be torn.

    Raises RefusedError when its journal was edited.
    """
    from remediate.runs.folder import runs

    found = None
    for run in runs(root):
        if run.name.endswith(digest[:8]) and run.plan()[1] == digest:
            journal = run.journal()
            lines = journal.lines if journal.torn and journal.lines else run.whole_journal().lines
            if lines and lines[0].event == "opened" and lines[0].source == source:
                found = run
    return found


def rolled_back_by(root: Path, name: str) -> str:
    """Return the name of the last run that has begun to take that one back; empty where none has."""
    found = [run.name for run, plan, journal in _believed(root) if takes_back(plan, journal, name)]
    return found[-1] if found else ""


def takes_back(plan: Plan, journal: Journal, name: str) -> bool:
    """Whether a run with this plan and journal is a rollback of the run of that name, and has begun to be one."""
    begun = any(line.event in ("begin", "closed") for line in journal.lines)
    return begun and plan.options.get("rollback_of") == name


def restarted_elsewhere(root: Path, *, but: str) -> dict[str, str]:
    """Return `restarted_by` of all runs in a folder but one: what one run owes, another may have made up for."""
    return restarted_by((plan, journal) for run, plan, journal in _believed(root) if run.name != but)


def restarted_by(runs: Iterable[tuple[Plan, Journal]]) -> dict[str, str]:
    """Return for each host when the last restart began there that a run has carried out (UTC).

    A journal that was edited tells nothing.
    """
    from remediate.engine.returned import restarted

    found: dict[str, str] = {}
    for plan, journal in runs:
        if not journal.broken:
            found |= {host: max(at, found.get(host, "")) for host, at in restarted(plan, journal.lines).items()}
    return found


def _believed(root: Path) -> Iterator[tuple[RunFolder, Plan, Journal]]:
    """Every run with its plan and journal, oldest first; what cannot be read or believed is left out."""
    from remediate.runs.folder import runs

    for run in runs(root):
        with suppress(DocumentError, RefusedError):
            yield run, run.plan()[0], run.journal()


def run_named(root: Path, name: str) -> RunFolder:
    """Return the run of that name, or the one whose name begins or ends so. Raises UsageError for none or several."""
    from remediate.runs.folder import runs

    found = [run for run in runs(root) if run.name == name or run.name.startswith(name) or run.name.endswith(name)]
    if len(found) != 1:
        what = f"{len(found)} runs are called {name}" if found else f"there is no run {name}"
        raise UsageError(what, where=str(root), do="See `remediate runs`.")
    return found[0]
