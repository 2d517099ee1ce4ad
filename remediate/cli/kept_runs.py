"""Where runs are kept, and which of them belongs to a plan or bears a name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from remediate.model.errors import DocumentError, RefusedError, UsageError

if TYPE_CHECKING:
    from remediate.runs.folder import RunFolder


def runs_root(given: str | None) -> Path:
    """Return the folder of all runs: as given, else the user's state folder."""
    from remediate.runs.folder import state_folder

    return Path(given) if given else state_folder(os.environ, home=Path.home(), windows=os.name == "nt")


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
    """Return the name of the last run that has begun to take that one back; empty where none has.

    A run that cannot be read or believed is passed over.
    """
    from remediate.runs.folder import runs

    found = ""
    for run in runs(root):
        try:
            of = run.plan()[0].options.get("rollback_of")
            if of == name and any(line.event in ("begin", "closed") for line in run.journal().lines):
                found = run.name
        except (DocumentError, RefusedError):
            continue
    return found


def run_named(root: Path, name: str) -> RunFolder:
    """Return the run of that name, or the one whose name begins or ends so. Raises UsageError for none or several."""
    from remediate.runs.folder import runs

    found = [run for run in runs(root) if run.name == name or run.name.startswith(name) or run.name.endswith(name)]
    if len(found) != 1:
        what = f"{len(found)} runs are called {name}" if found else f"there is no run {name}"
        raise UsageError(what, where=str(root), do="See `remediate runs`.")
    return found[0]
