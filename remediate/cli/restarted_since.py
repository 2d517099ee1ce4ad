"""When the runs of a folder have restarted services: what one run owes, another may have made up for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from remediate.model.errors import DocumentError, RefusedError

if TYPE_CHECKING:
    from remediate.model.journal import Journal
    from remediate.model.plan import Plan


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


def restarted_elsewhere(root: Path, *, but: str) -> dict[str, str]:
    """Return the same of all runs in a folder but one; what cannot be read or believed is left out."""
    from remediate.runs.folder import runs

    found: list[tuple[Plan, Journal]] = []
    for run in runs(root):
        try:
            if run.name != but:
                found.append((run.plan()[0], run.journal()))
        except (DocumentError, RefusedError):
            continue
    return restarted_by(found)
