"""SOAP faults as Windows words them, and what a test can make an endpoint do wrong.

A failure is data: it travels to the endpoint's process as JSON. `verb` is the last word of the WS-Management action
(Create, Command, Send, Receive, Signal, Delete, Get); `at` counts matching requests from the moment the failures
were set, 0 means every one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

ACCESS_DENIED = 5
"""ERROR_ACCESS_DENIED."""
TIMED_OUT = 2150858793
"""ERROR_WSMAN_OPERATION_TIMEDOUT (wsmerror.h, as all below)."""
UNKNOWN_COMMAND = 2150858843
"""ERROR_WSMAN_INVALID_SELECTORS: the shell or command does not exist."""
UNSUPPORTED_ACTION = 2150858759
"""ERROR_WSMAN_ACTION_NOT_SUPPORTED."""
TOO_MANY_SHELLS = 2150859173
"""ERROR_WSMAN_QUOTA_MAX_SHELLS_PPQ."""
TERMINATED = 995
"""ERROR_OPERATION_ABORTED: the process behind the shell is gone."""


class WSManFault(Exception):
    """A fault to be answered: `code` is the one clients decide on."""

    def __init__(self, code: int, subcode: str, reason: str, *, detail: str = "") -> None:
        super().__init__(reason)
        self.code, self.subcode, self.reason, self.detail = code, subcode, reason, detail

    @property
    def sender(self) -> bool:
        """Whether the fault blames the request."""
        return self.code not in {TIMED_OUT, TOO_MANY_SHELLS, TERMINATED}


def access_denied() -> WSManFault:
    """What an account outside Administrators and Remote Management Users gets."""
    return WSManFault(ACCESS_DENIED, "w:AccessDenied", "Access is denied. ")


def timed_out() -> WSManFault:
    """A Receive whose OperationTimeout passed without output; clients ask again."""
    return WSManFault(TIMED_OUT, "w:TimedOut", "The operation did not complete within the OperationTimeout. ")


def unknown(what: str) -> WSManFault:
    """A shell or command that does not exist (any more)."""
    detail = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/UnexpectedSelectors"
    return WSManFault(UNKNOWN_COMMAND, "w:InvalidSelectors", f"There is no such {what}. ", detail=detail)


def unsupported(action: str) -> WSManFault:
    """A verb this endpoint does not have."""
    return WSManFault(UNSUPPORTED_ACTION, "a:ActionNotSupported", f"The action {action} is not supported. ")


def too_many_shells(allowed: int) -> WSManFault:
    """The quota MaxShellsPerUser."""
    return WSManFault(TOO_MANY_SHELLS, "w:QuotaLimit", f"This user is allowed {allowed} concurrent shells. ")


def terminated() -> WSManFault:
    """The engine ended under the session."""
    return WSManFault(TERMINATED, "w:InternalError", "The I/O operation has been aborted. ")


@dataclass(frozen=True)
class Drop:
    """Break the TCP connection: `before` the work is done, `after` it, or `midway` through the answer."""

    verb: str
    at: int = 1
    when: str = "before"


@dataclass(frozen=True)
class Sleep:
    """Wait, then do the work."""

    verb: str
    seconds: float
    at: int = 1


@dataclass(frozen=True)
class Answer:
    """Answer with a SOAP fault instead of doing the work."""

    verb: str
    code: int
    subcode: str = "w:InternalError"
    reason: str = "The lab was told to fail. "
    at: int = 1

    @property
    def fault(self) -> WSManFault:
        """The fault itself."""
        return WSManFault(self.code, self.subcode, self.reason)


@dataclass(frozen=True)
class Status:
    """Answer with an HTTP status and no body."""

    verb: str
    status: int
    at: int = 1


@dataclass(frozen=True)
class Rewrite:
    """Do the work, then replace `pattern` (a regular expression) in the answer's XML, and encrypt that."""

    verb: str
    pattern: str
    replacement: str
    at: int = 1


@dataclass(frozen=True)
class Clear:
    """Do the work, then answer without encryption, as something in between would that ends it."""

    verb: str
    at: int = 1


Failure = Drop | Sleep | Answer | Status | Rewrite | Clear
KINDS: dict[str, type[Failure]] = {kind.__name__: kind for kind in (Drop, Sleep, Answer, Status, Rewrite, Clear)}


def to_data(failures: Iterable[Failure]) -> list[dict[str, object]]:
    """Failures as JSON data."""
    return [{"kind": type(one).__name__, **asdict(one)} for one in failures]


def from_data(data: Iterable[dict[str, object]]) -> list[Failure]:
    """The reverse of `to_data`."""
    return [KINDS[str(one["kind"])](**{key: value for key, value in one.items() if key != "kind"}) for one in data]  # type: ignore[arg-type]
