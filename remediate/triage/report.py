"""What triage says: which problems the logs show, how often, when and whom they hit, and what was read to know it.

It is what `remediate triage --json` prints. Times are UTC, ISO 8601 with Z.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from remediate.model.errors import ExitCode


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of a log: where it stands, when it was written, and its text on one line, cut where it is long."""

    source: str
    position: int
    text: str
    when: str = ""


class Bucket(msgspec.Struct, frozen=True):
    """How often a problem was seen in a step of time that starts then."""

    start: str
    count: int


class Requests(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that a problem hit, as far as entries name a device, a user or the CA's number of the request.

    `recovered` were issued later; of the others (`failing`) nothing better is known. `failing_last` are some of those,
    the latest first. With `at_least` there are more than were told apart.
    """

    recovered: int = 0
    failing: int = 0
    failing_last: tuple[str, ...] = ()
    at_least: bool = False


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a signature, with the HRESULT where one was seen (0xXXXXXXXX) and its symbolic name.

    `kind` is `problem`; `warning` for what is weak by itself; `unknown` for a code that no playbook knows;
    `consequence` for entries that say that a request failed and not why. `first` and `last` are empty where no entry
    has a time. `step_minutes` is the length of a bucket of the histogram; what has no time is in none.
    """

    kind: Literal["problem", "warning", "unknown", "consequence"]
    signature: str
    code: str
    name: str
    title: str
    meaning: str
    playbook: str
    command: str
    count: int
    first: str
    last: str
    devices: int
    users: int
    hosts: tuple[str, ...]
    certification_authorities: tuple[str, ...]
    templates: tuple[str, ...]
    thumbprints: tuple[str, ...]
    requests: Requests
    proof: tuple[Proof, ...]
    histogram: tuple[Bucket, ...]
    step_minutes: int
    notes: tuple[str, ...] = ()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A source that was read: its format, bytes, records and span of time; `matched` of its records show something.

    `zones` are those in which it gives its times: `utc`, `local` (not known which; see `assumed_zone`) or an offset.
    """

    source: str
    kind: str
    size: int
    scanned: int
    matched: int
    first: str
    last: str
    zones: tuple[str, ...]


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """What was not read, or not as it should be: a line for people. `lost` is false where it was read all the same."""

    source: str
    what: str
    position: int
    lost: bool


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`remediate triage --json`. `records` were read between `first` and `last`; `copies` were seen before.

    With `redacted`, users, devices and e-mail addresses are pseudonyms.
    """

    problems: tuple[Problem, ...]
    issued: int
    sources: tuple[Source, ...]
    unread: tuple[Unread, ...]
    records: int
    size: int
    first: str
    last: str
    copies: int
    since: str
    assumed_zone: str
    redacted: bool
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """1 when something could not be read, else 2 for any problem, else 0."""
        if any(one.lost for one in self.unread):
            return ExitCode.ERROR
        return ExitCode.FINDINGS if self.problems else ExitCode.NOTHING_TO_DO
