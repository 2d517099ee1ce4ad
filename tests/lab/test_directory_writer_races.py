"""Others write to the same template at the same time: whatever is lost is told, whatever is refused names their value.

REMEDIATE_RACE_ROUNDS sets the number of rounds, 60 by default.
"""

from __future__ import annotations

import base64
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import ldap3
import pytest

from remediate.actions.states import Table
from remediate.actions.writing import Drift, WriteFailed
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.model.errors import RemediateError
from remediate.transports.ldap_write import DirectoryWriter
from tests.lab import contoso
from tests.lab.directory_functions import DESCRIPTOR, FLAG, REVISION, Watched, grants, revision, template
from tests.lab.directory_writing import Tables, template_action, writing
from tests.lab.domain import closing_connection, sd_flags
from tests.lab.estate import Lab

pytestmark = pytest.mark.matrix

ROUNDS = int(os.environ.get("REMEDIATE_RACE_ROUNDS", "60"))


@pytest.fixture
def lab(fresh_lab: Lab) -> Iterator[Lab]:
    with fresh_lab.domain.restored(template(fresh_lab)):
        yield fresh_lab


class At(Watched):
    """Starts somebody else's write in a thread of its own when an operation comes by: a race, not an order."""

    def __init__(self, moment: str, then: Callable[[], None], pool: ThreadPoolExecutor, *, wait: bool) -> None:
        super().__init__(moment, self._start)
        self._then, self._pool, self._wait = then, pool, wait
        self.ended: Future[None] | None = None

    def _start(self) -> None:
        self.ended = self._pool.submit(self._then)
        if self._wait:
            self.ended.result(timeout=10)


@dataclass
class Round:
    """One round: what we want, what they write at which moment, and what came of it."""

    before: Table
    after: Table
    theirs: dict[str, list[str | bytes]]
    error: RemediateError | None = None


def play(lab: Lab, writer: DirectoryWriter, tables: Tables, *, theirs: dict[str, Any], moment: str, wait: bool,
         pool: ThreadPoolExecutor, rival: Any) -> Round:  # fmt: skip
    """Our write and theirs at the same time; theirs ends in any case."""
    played = Round(*tables, theirs)

    def write() -> None:
        rival.modify(template(lab), {k: [(ldap3.MODIFY_REPLACE, v)] for k, v in theirs.items()}, controls=sd_flags())

    watch = At(moment, write, pool, wait=wait)
    lab.relay.operations = watch
    try:
        writer.write(template_action(lab, tables), before=tables[0], after=tables[1])
    except RemediateError as error:
        played.error = error
    if watch.ended is None:
        watch.ended = pool.submit(write)
    watch.ended.result(timeout=10)
    return played


def assert_nothing_lost_unnoticed(lab: Lab, played: Round) -> str:
    """Either their value stands in the end, or the error tells that it does not; a refusal names it."""
    stands = lab.domain.read(template(lab), *played.theirs)
    theirs_stand = all(meant(name, stands[name]) == meant(name, values) for name, values in played.theirs.items())
    error = played.error
    if error is None:
        assert theirs_stand, "a write was lost and nobody was told"
        return "written, theirs after it"
    if isinstance(error, Drift):
        assert theirs_stand
        assert "nothing was written" in str(error)
        changed = [name for name in played.theirs if error.now[name] != played.before[name]]
        assert changed
        assert all(name in str(error) for name in changed)
        return "refused"
    assert isinstance(error, WriteFailed)
    assert error.unresolved
    assert "somebody else" in str(error)
    return "written, and told"


def meant(name: str, values: Sequence[str | bytes]) -> list[bytes]:
    """Values as bytes; of a descriptor the DACL alone."""
    raw = [value.encode() if isinstance(value, str) else value for value in values]
    return [SecurityDescriptor.parse(one).dacl_part() for one in raw] if name == DESCRIPTOR else raw


@pytest.mark.parametrize("kind", ["flags", "dacl"])
@pytest.mark.timeout(600)
def test_no_write_is_lost_unnoticed_in_many_races(lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    dice = random.Random(20_261_123)
    monkeypatch.setattr(lab.relay, "operations", [])
    start, others = grants(lab)[1], [lab.domain.descriptor(contoso.template_descriptor(who)) for who in ("DU", "DC")]
    seen: dict[str, int] = {}
    with (
        writing(lab) as writer,
        ThreadPoolExecutor(1) as pool,
        closing_connection(lab.domain.connection()) as rival,
    ):
        writer.identity()
        for number in range(ROUNDS // 2):
            tables = prepare(lab, kind, rival, start, number)
            theirs: dict[str, Any] = (
                {FLAG: [str(1 << (number % 20 + 4))]} if kind == "flags" else {DESCRIPTOR: [others[number % 2]]}
            )
            moment = dice.choice(["search", "modify", "modify", "read back"])
            played = play(
                lab, writer, tables, theirs=theirs, moment=moment, wait=dice.random() < 0.5, pool=pool, rival=rival
            )
            came = assert_nothing_lost_unnoticed(lab, played)
            seen[came] = seen.get(came, 0) + 1
    print(kind, seen)
    assert sum(seen.values()) == ROUNDS // 2
    assert seen.get("refused", 0) > 0
    assert seen.get("written, and told", 0) > 0


def prepare(lab: Lab, kind: str, rival: Any, start: Table, number: int) -> Tables:
    """The template as it was, and what is wanted of it."""
    now = str(10 * number + 1000)
    binary = base64.b64decode(start[DESCRIPTOR] or "")
    fresh: dict[str, Any] = {FLAG: ["-1509949440"], REVISION: [now], DESCRIPTOR: [binary]}
    rival.modify(template(lab), {k: [(ldap3.MODIFY_REPLACE, v)] for k, v in fresh.items()}, controls=sd_flags())
    later = str(int(now) + 1)
    if kind == "flags":
        return {FLAG: "-1509949440", REVISION: now}, {FLAG: "1", REVISION: later}
    _, before, after = grants(lab)
    return before, after


def test_two_writers_of_ours_lose_no_update(lab: Lab) -> None:
    """Two runs on two machines: one of two writes of the same values wins, and the sum is right."""
    start, won = revision(lab), [0, 0]

    def raise_revision(who: int) -> None:
        with writing(lab) as writer:
            for _ in range(15):
                now = str(revision(lab))
                tables: Tables = {REVISION: now}, {REVISION: str(int(now) + 1)}
                action = template_action(lab, tables)
                try:
                    writer.write(action, before=tables[0], after=tables[1])
                    won[who] += 1
                except Drift:
                    continue
                except WriteFailed as error:  # the other one has raised it again before we read back
                    assert "overwritten this write" in str(error)
                    won[who] += 1

    threads = [threading.Thread(target=raise_revision, args=(who,)) for who in (0, 1)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(won)
    assert revision(lab) == start + sum(won)
