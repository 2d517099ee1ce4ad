"""Records are not signed: one that says what nobody approved is refused. One of an unfinished run is told of."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.lab.registry_file import number
from tests.powershell.engine import Engine
from tests.powershell.handover import POLICY_KEY, Desk, plant, restarts
from tests.powershell.test_handover_cycle import ALL, CA, lay_out, written
from tests.powershell.test_handover_failures import DENIED, KILL, SERVICE, certutil

NOT_BELIEVED = (
    "The record says that at 1. ca_registry_value here stood RequestDisposition = 0x1234; the plan was approved for "
    "RequestDisposition = 0x101. The record was edited, and is not believed. Nothing was changed."
)
EXPIRES = "ExpiresAt = '2099-11-30T09:12:00Z'"
WINDOW = "NotAfter = ''\r\n"
EXPIRED = "ExpiresAt = '2026-01-01T00:00:00Z'"
OVER = (
    pytest.param(EXPIRES, EXPIRED, "The plan expired at 2026-01-01T00:00:00Z.", id="expired"),
    pytest.param(WINDOW, "NotAfter = '2026-01-01T00:00:00Z'\r\n", "The window for this change closed at", id="closed"),
)
OWED = "A restart of CertSvc is still owed"


def said(text: str) -> str:
    return " ".join(text.split())


def edited(desk: Desk, name: str, *, step: int = 0, **members: Any) -> None:
    """Edit a step of a record as somebody does who knows how its checksum is made."""
    path = desk.folder / name
    record = json.loads(path.read_text("utf-8"))
    record["steps"][step] |= members
    del record["sha256"]
    head = json.dumps(record, separators=(",", ":"))[:-1]
    path.write_text(f'{head},"sha256":"{hashlib.sha256(head.encode()).hexdigest()}"}}\r\n')
    desk.result(name)


@pytest.mark.parametrize("state", [{"RequestDisposition": "4660"}, {"RequestDisposition": "4660", "More": "1"}])
def test_a_value_that_nobody_approved_is_not_put_back(tmp_path: Path, engine: Engine, state: dict[str, str]) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == 0
    edited(desk, "result.json", before=state)
    before = written(desk.host)
    done = desk.rollback()
    assert done.code == 3
    assert "stood" in done.text and "The record was edited, and is not believed." in said(done.text)
    assert (NOT_BELIEVED in said(done.text)) == (len(state) == 1)
    assert written(desk.host) == before
    assert desk.result("rollback-result.refused.json")["phase"] == "checking"


def test_a_second_run_does_not_believe_it_either(tmp_path: Path, engine: Engine) -> None:
    """It would be kept as the value to go back to."""
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == 0
    edited(desk, "result.json", before={"RequestDisposition": "4660"})
    before = written(desk.host)
    done = desk.change()
    assert (done.code, NOT_BELIEVED in said(done.text)) == (3, True), done.text
    assert written(desk.host) == before


def test_nor_a_rollback_that_left_something_else(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == desk.rollback().code == 0
    edited(desk, "rollback-result.json", step=1, after={"RequestDisposition": "4660"})
    desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(4660))
    before = written(desk.host)
    done = desk.change()
    assert (done.code, NOT_BELIEVED in said(done.text)) == (3, True), done.text
    assert written(desk.host) == before


def unfinished(tmp_path: Path, engine: Engine) -> Desk:
    """A run that was killed between its second value and the restart."""
    desk = lay_out(tmp_path, engine, *ALL)
    path = certutil(desk, after=f'[ "$1 $2" != "-setreg ca\\UseDefinedCACertInRequest" ] || {KILL}')
    assert desk.run_alone("change", "-Confirm:$false", PATH=path).code == -9
    return desk


@pytest.mark.parametrize(("old", "new", "sentence"), OVER)
def test_too_late_to_finish_says_what_is_owed(
    tmp_path: Path, engine: Engine, old: str, new: str, sentence: str
) -> None:
    desk = unfinished(tmp_path, engine)
    desk.edit("change", old, new)
    before, record = written(desk.host), desk.records()["result.json"]
    done = desk.change()
    told = said(done.text)
    assert done.code == 3
    assert "An earlier run of this plan is unfinished. It wrote: 1. ca_registry_value here; 2." in told, told
    assert "It did not come to: 4. pending_request here; 5." in told
    assert OWED in told and "Restart-Service -Name CertSvc." in told
    assert "rollback.ps1 has no window and no expiry, and takes back what was written." in told
    assert f"This run is refused: {sentence}" in told
    assert (written(desk.host), desk.records()["result.json"]) == (before, record)
    assert desk.rollback().code == 0
    again = said(desk.change().text)
    assert sentence in again and "unfinished" not in again


def test_too_late_with_the_service_stopped_by_a_restart_that_failed(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    plant(desk.host, failures={SERVICE: "stays stopped"})
    assert desk.change().code == 4
    desk.edit("change", EXPIRES, EXPIRED)
    assert OWED in said(desk.change().text)


def test_nothing_is_owed_after_what_was_done_or_not_begun(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == 0
    desk.edit("change", EXPIRES, EXPIRED)
    done = desk.change()
    assert (done.code, "unfinished" in done.text, restarts(desk.host)) == (3, False, 1)


def test_what_was_only_begun_is_told_as_that(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    plant(desk.host, failures=DENIED)
    assert desk.change().code == 4
    desk.edit("change", EXPIRES, EXPIRED)
    assert re.search(r"It wrote: 1\. ca_registry_value here \(begun: whether it was written", said(desk.change().text))
