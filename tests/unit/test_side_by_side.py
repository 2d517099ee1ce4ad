"""Targets side by side: the first ahead and alone, the others together, one target's own work in its order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from remediate.engine.side_by_side import SIDE_BY_SIDE, by_target, until_refused
from remediate.model.errors import TransportError

PATIENCE = 10.0


def _target(item: str) -> str:
    return item.partition(".")[0]


def _refusing(*names: str) -> tuple[list[str], Callable[[str], str]]:
    tried: list[str] = []

    def work(item: str) -> str:
        tried.append(item)
        if item in names:
            raise TransportError(f"{item} refuses")
        return item.upper()

    return tried, work


def test_what_comes_back_is_in_the_order_of_what_was_given() -> None:
    items = [f"{host}.{number}" for number in range(3) for host in "abcd"]
    assert by_target(items, _target, str.upper) == tuple(item.upper() for item in items)
    assert by_target([], _target, str.upper) == ()


def test_the_first_target_goes_ahead_and_what_it_refuses_is_tried_nowhere_else() -> None:
    tried, work = _refusing("a.1")
    with pytest.raises(TransportError, match=r"a\.1 refuses"):
        by_target(["a.1", "b.1", "c.1"], _target, work)
    assert tried == ["a.1"]


def test_of_the_others_all_end_and_the_first_error_is_raised() -> None:
    tried, work = _refusing("c.1", "b.2")
    with pytest.raises(TransportError, match=r"b\.2 refuses"):
        by_target(["a.1", "b.1", "c.1", "b.2", "d.1"], _target, work)
    assert sorted(tried) == ["a.1", "b.1", "b.2", "c.1", "d.1"]


def test_targets_are_side_by_side_and_a_target_is_never_beside_itself() -> None:
    meeting, busy, lock = threading.Barrier(SIDE_BY_SIDE), set[str](), threading.Lock()

    def work(item: str) -> str:
        with lock:
            assert _target(item) not in busy
            busy.add(_target(item))
        if item.endswith(".1") and not item.startswith("first"):
            meeting.wait(PATIENCE)  # passes only when so many are here at one time
        time.sleep(0.001)
        with lock:
            busy.remove(_target(item))
        return item

    items = ["first.1", *(f"{host}.{number}" for host in range(SIDE_BY_SIDE) for number in (1, 2))]
    assert by_target(items, _target, work) == tuple(items)


VERDICTS = {"took": True, "refused": False, "away": None}


def _logons(*items: str, careful: bool) -> tuple[dict[int, str | None], int]:
    """Return what came of items that are named by what becomes of them, and how many were under way at once."""
    lock, busy, most = threading.Lock(), [0], [0]

    def work(item: str) -> str:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.02)
        with lock:
            busy[0] -= 1
        return item

    ended = until_refused(items, work, took=VERDICTS.__getitem__, careful=careful)
    return dict(ended), most[0]


def test_an_unproven_password_is_tried_on_one_after_the_other_until_one_took_it() -> None:
    found, most = _logons("away", "away", "away", careful=True)
    assert (found, most) == ({0: "away", 1: "away", 2: "away"}, 1)
    found, most = _logons("away", "refused", "took", "took", careful=True)
    assert (found, most) == ({0: "away", 1: "refused", 2: None, 3: None}, 1)
    found, most = _logons("took", "away", "took", "took", careful=True)
    assert (found, most) == ({0: "took", 1: "away", 2: "took", 3: "took"}, 3)


def test_a_logon_that_is_proven_is_used_on_all_at_once() -> None:
    found, most = _logons("refused", "took", "took", careful=False)
    assert (found, most) == ({0: "refused", 1: "took", 2: "took"}, 3)
    assert _logons(careful=True) == ({}, 0)
