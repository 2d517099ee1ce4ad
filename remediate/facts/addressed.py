"""Things with addresses: where a value of theirs stands, for evidence and for facts that could not be read."""

from __future__ import annotations

from enum import IntFlag

from remediate.adcs.flags import names
from remediate.model.finding import Evidence


class Addressed:
    """A part of the estate that can say where each of its values stands."""

    def at(self, what: str) -> str:
        """Return the address of one of its values, for people."""
        raise NotImplementedError

    def evidence(self, what: str, shows: str) -> Evidence:
        """Return what stands at the address of one of its values, as evidence."""
        return Evidence(self.at(what), shows)

    def flags_evidence(self, what: str, flags: IntFlag) -> Evidence:
        """Return flags that stand there as evidence: the number and the name of every one that is set."""
        return self.evidence(what, f"{int(flags):#x} ({names(flags)})")
