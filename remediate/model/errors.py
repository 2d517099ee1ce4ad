"""The errors that reach a person: what happened, where, why, and what to do next.

Every error carries the exit code that the command line ends with.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `remediate` ends with; scripts and change tools decide on these."""

    NOTHING_TO_DO = 0
    ERROR = 1
    FINDINGS = 2
    REFUSED = 3
    STOPPED_PART_WAY = 4
    STILL_BROKEN = 5
    USAGE = 64
    INTERRUPTED = 130


class RemediateError(Exception):
    """One clear sentence: `where: what happened (why). What to do next.`"""

    exit_code: ExitCode = ExitCode.ERROR

    def __init__(self, what: str, *, where: str = "", why: str = "", do: str = "") -> None:
        self.what, self.where, self.why, self.do = what, where, why, do
        super().__init__(what)

    @property
    def in_short(self) -> str:
        """What happened and why, where the place is told already."""
        return f"{self.what} ({self.why})" if self.why else self.what

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.do}" if self.do else ""
        return f"{place}{self.in_short}.{advice}"


class UsageError(RemediateError):
    """The command line or the configuration asks for something that does not exist or does not fit."""

    exit_code = ExitCode.USAGE


class RefusedError(RemediateError):
    """Something that must not be done: an expired plan, an incomplete one, a digest that is not the approved one."""

    exit_code = ExitCode.REFUSED


class Interrupted(RemediateError):
    """Whoever was to go on did not want to, or pressed Ctrl-C, where more is to be said than that nothing changed."""

    exit_code = ExitCode.INTERRUPTED


class DocumentError(RemediateError):
    """A bundle, a collector's output or a plan is not what it should be; `where` names the file and place."""


class TransportError(RemediateError):
    """A target could not be reached, refused the credential, or stopped answering."""

    def __init__(self, what: str, *, where: str = "", why: str = "", do: str = "", code: str = "") -> None:
        super().__init__(what, where=where, why=why, do=do)
        self.code = code


class UnknownFact(RemediateError):
    """A fact is used that could not be read. `where` is its address; it is never a pass and never a finding."""

    def __init__(self, where: str, why: str, *, code: str = "") -> None:
        super().__init__("could not be read", where=where, why=why)
        self.code = code
