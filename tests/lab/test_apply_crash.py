"""The crash matrix: the program killed between every two things that matter, then gone on with.

Nothing is lost, nothing is written twice, nothing stays unexplained, no restart is forgotten. With
REMEDIATE_RELIABILITY=FILE the counts are written into a file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.engine.returned import standings
from remediate.engine.verifying import Verification
from tests.lab.change_window import DONE, ChangeWindow, Stands, change_window
from tests.lab.estate import Lab
from tests.lab.program import environment

pytestmark = pytest.mark.timeout(900)
RESTART, CLOSED, AFTER_2_DONE = 3, "0 closed", "2 done: after the line"
# Every fourth point, from the first to the last; with REMEDIATE_EVERY_POINT each of them, which takes minutes.
SAMPLE = 4


@pytest.fixture(scope="module")
def window(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChangeWindow]:
    with change_window(lab, tmp_path_factory.mktemp("window")) as planned:
        yield planned


def killed(window: ChangeWindow, number: int, *more: str) -> tuple[int, list[str]]:
    """Run it in a process that dies at a point: its exit code and the names of the points that it passed."""
    points = window.folder / "points"
    points.unlink(missing_ok=True)
    arguments = [sys.executable, "-m", "tests.lab.killing", str(points), str(number), *window.arguments(*more)]
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
        env=environment() | {"KRB5CCNAME": os.environ["KRB5CCNAME"]},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, points.read_text().splitlines()


def assert_settled(window: ChangeWindow) -> Stands:
    """What was approved stands, each written once, each action told as done, and the run ended."""
    found, run = window.stands(), window.run()
    assert found._replace(restarts=1) == DONE
    assert found.restarts in (1, 2)
    lines = run.whole_journal().lines
    assert [one.state for one in standings(window.plan, lines)] == ["done"] * 3
    assert (lines[-1].event, lines[-1].detail) == ("closed", "0")
    return found


@pytest.mark.matrix
def test_killed_at_every_point(window: ChangeWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    code, points = killed(window.again("whole"), 0)
    assert code == 0
    twice: list[str] = []
    monkeypatch.setattr("remediate.cli.detecting_again.verified", lambda *_, **__: Verification(standing=()))
    chosen = list(enumerate(points, start=1))[:: 1 if os.environ.get("REMEDIATE_EVERY_POINT") else SAMPLE]
    for number, name in chosen:
        one = window.again(f"killed at {number}")
        code, passed = killed(one, number)
        assert (code, passed[-1]) == (-9, name)
        ended = one.apply("--go-on")
        if name.startswith(CLOSED):
            assert (ended.code, "applied already" in ended.err) == (3, True)
        else:
            assert ended.code == 0, (name, ended)
        if assert_settled(one).restarts == 2:
            twice.append(name)
    assert set(twice) <= {name for name in points if name.startswith((f"{RESTART} ", f"{RESTART}:"))}
    tell(points, twice)


def test_a_torn_line_after_a_power_cut(window: ChangeWindow) -> None:
    """The disk has lost a part of the last line: it is cut off and kept, and its action is settled by reading."""
    points = killed(window.again("whole, for its points"), 0)[1]
    one = window.again("torn")
    assert killed(one, points.index(AFTER_2_DONE) + 1)[1][-1] == AFTER_2_DONE
    path = one.run().path / "journal.jsonl"
    whole = path.read_bytes()
    begins = whole.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(whole[: begins + 24])
    refused = one.apply()
    assert (refused.code, "not written to its end" in refused.err) == (3, True)
    assert path.read_bytes() == whole[: begins + 24]
    ended = one.apply("--go-on")
    assert ended.code == 0, ended
    assert "was cut off and is kept in journal.torn" in ended.err
    assert (path.parent / "journal.torn").read_bytes() == whole[begins : begins + 24] + b"\n"
    assert_settled(one)


def tell(points: list[str], twice: list[str]) -> None:
    """Keep the counts, where they are wanted."""
    if file := os.environ.get("REMEDIATE_RELIABILITY"):
        Path(file).write_text(json.dumps({"points": points, "restarted twice": twice}, indent=1))
