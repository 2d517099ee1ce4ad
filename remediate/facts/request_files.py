"""The connector's request files: what lies in a PfxRequest folder, what of it waits too long, which codes it bears.

Only names, sizes, times and HRESULTs are known of them. A finished file does not tell how long it took, so slowness
shows only in files that stay in Processing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from remediate.adcs.hresult import HResult
from remediate.facts.documents import LogEvidence, RequestFolder
from remediate.model.errors import UnknownFact
from remediate.model.finding import Evidence
from remediate.model.utc import utc_text

# The article names no time. A connector that works is done with a request in seconds.
PATIENCE_MINUTES = 15


class RequestFiles:
    """One PfxRequest folder and those of its parts that exist, by name. `read_at` is when it was read (ISO 8601, Z)."""

    def __init__(self, path: str, parts: dict[str, RequestFolder], *, read_at: str) -> None:
        self.path, self._parts, self._read_at = path, parts, read_at

    def __str__(self) -> str:
        return ", ".join(f"{part.total} in {name}" for name, part in self._parts.items())

    @property
    def total(self) -> int:
        """How many requests came here and are still to be seen, done or not."""
        return sum(part.total for part in self._parts.values())

    @property
    def failed(self) -> int:
        """How many requests the connector gave up."""
        return self._parts["Failed"].total if "Failed" in self._parts else 0

    @property
    def overdue(self) -> int:
        """How many lie in Processing for longer than PATIENCE_MINUTES. The newest are listed, so the rest is older."""
        if "Processing" not in self._parts:
            return 0
        since = datetime.fromisoformat(self._read_at) - timedelta(minutes=PATIENCE_MINUTES)
        limit, part = utc_text(since), self._parts["Processing"]
        return part.total - sum(file.written > limit for file in part.files)

    @property
    def unprocessed(self) -> str:
        """What stays unprocessed, in words; empty when nothing does."""
        overdue = f"{self.overdue} in Processing for more than {PATIENCE_MINUTES} minutes" if self.overdue else ""
        return ", ".join(filter(None, (f"{self.failed} in Failed" if self.failed else "", overdue)))

    @property
    def failure_codes(self) -> tuple[str, ...]:
        """The HRESULTs of failures that stand in the files, each once, sorted. Raises UnknownFact for what is none."""
        return _failures(
            (code for part in self._parts.values() for file in part.files for code in file.codes), self.path
        )


class LoggedRequestFiles:
    """The request files among the logs, by part. They are a copy: how long one lay in Processing, it does not tell."""

    def __init__(self, parts: Iterable[LogEvidence]) -> None:
        self._parts = tuple(sorted(parts, key=lambda one: (one.part, one.source, one.first)))

    def __str__(self) -> str:
        return ", ".join(f"{one.count} in {one.part}" for one in self._parts)

    @property
    def has_failed(self) -> bool:
        """Whether the connector gave up some of them: they lie in Failed, or bear codes of failures."""
        return any(one.part == "Failed" and one.count for one in self._parts) or bool(self.failure_codes)

    @property
    def failure_codes(self) -> tuple[str, ...]:
        """The HRESULTs of failures that stand in them, each once, sorted. Raises UnknownFact for what is none."""
        return _failures((code for one in self._parts for code in one.codes), "PfxRequest in the logs")

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What each part holds, and from when to when its files are."""
        return tuple(Evidence(f"logs, {one.source}", _shows(one)) for one in self._parts)


def _shows(part: LogEvidence) -> str:
    codes = f"codes in them: {', '.join(part.codes) or 'none'}"
    times = f", first {part.first}, last {part.last}" if part.first else ""
    return f"{part.count} in {part.part}{times}; {codes}"


def _failures(codes: Iterable[str], where: str) -> tuple[str, ...]:
    try:
        return tuple(sorted({code for code in codes if HResult.parse(code).signed < 0}))
    except ValueError as error:
        raise UnknownFact(f"{where} codes in the files", str(error)) from error
