"""Each kind of change on a host, by its scripts: changed, verified, undone, back as it was, changed again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from remediate.model.plan import Action
from tests.lab.registry_file import number
from tests.powershell import handover
from tests.powershell.engine import Engine
from tests.powershell.handover import Desk, everything, make_plan, restarts
from tests.powershell.windows_like import WindowsLike, make

CA = (handover.disposition(), handover.defined_ca_cert(), handover.restart())
ALL = (
    *CA, handover.request(4, depends_on=(3,)), handover.policy_server(5), handover.exclusions(6),
)  # fmt: skip


def lay_out(folder: Path, engine: Engine, *actions: Action, **plan: Any) -> Desk:
    return Desk.lay_out(handover.ready(make(folder)), make_plan(*actions, **plan), engine)


def written(host: WindowsLike) -> tuple[Any, int, list[Any]]:
    """What must not change while nothing is done."""
    return everything(host), restarts(host), host.registry.writes()


@pytest.mark.parametrize(
    ("actions", "stops"),
    [
        pytest.param(CA, (1, 1), id="value-there-and-value-absent"),
        pytest.param((handover.start(),), (0, 1), id="start-service"),
        pytest.param((handover.policy_server(),), (0, 0), id="policy-server"),
        pytest.param((handover.exclusions(),), (0, 0), id="defender-exclusions"),
    ],
)
def test_there_and_back_and_there_again(
    tmp_path: Path, engine: Engine, actions: tuple[Action, ...], stops: tuple[int, int]
) -> None:
    desk = lay_out(tmp_path, engine, *actions)
    host = desk.host
    if actions[0].kind == "start_service":
        handover.service(host, "Stopped")
    start = everything(host)
    assert desk.verify().code == 2
    done = desk.change()
    assert (done.code, desk.outcomes()) == (0, ["changed"] * len(actions)), done.text
    assert "All of it is done." in done.text
    assert desk.verify().code == 0
    assert restarts(host) == stops[0]
    after, first = written(host), desk.result()
    again = desk.change()
    assert again.code == 0 and "There was nothing to do." in again.text
    assert written(host) == after
    assert desk.result()["steps"] == first["steps"]
    undone = desk.rollback()
    assert undone.code == 0, undone.text
    assert desk.verify().code == 2
    assert (everything(host), restarts(host)) == (start, sum(stops))
    assert (desk.change().code, desk.outcomes()) == (0, ["changed"] * len(actions))
    assert desk.verify().code == 0
    assert desk.rollback().code == desk.rollback().code == 0
    assert (everything(host), restarts(host)) == (start, 2 * sum(stops))


def test_without_the_record_nobody_can_see_a_restart(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == 0
    record = desk.folder / "result.json"
    kept = record.read_bytes()
    record.unlink()
    told = desk.verify()
    assert (told.code, desk.outcomes("verify-result.json")) == (1, ["as wanted", "as wanted", "not reached"]), told.text
    assert "3. unknown: " in told.text
    assert "The restart cannot be seen: result.json of change.ps1 is not here." in told.text
    record.write_bytes(kept)
    assert desk.verify().code == 0


def test_all_kinds_together(tmp_path: Path, engine: Engine) -> None:
    """A decided request stays decided: the rollback says so, and undoes the rest."""
    desk = lay_out(tmp_path, engine, *ALL)
    start, states = everything(desk.host)
    done = desk.change()
    assert (done.code, desk.outcomes()) == (0, ["changed"] * 6), done.text
    assert desk.verify().code == 0
    undone = desk.rollback()
    assert undone.code == 0, undone.text
    assert "4. pending_request here stays: a certificate that was issued can only be revoked" in undone.text
    assert [step["id"] for step in desk.result("rollback-result.json")["steps"]] == [6, 5, 2, 1, 3]
    now, found = everything(desk.host)
    assert now == start
    assert {name for name in found if found[name] != states.get(name)} == {"pending_requests", "decided_requests"}
    again = desk.change()
    assert (again.code, desk.outcomes()) == (0, [*["changed"] * 3, "changed", "changed", "changed"]), again.text
    assert "4. done before: pending_request here" in again.text


def test_a_request_alone_has_no_way_back(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.request())
    assert desk.change().code == 0
    decided = everything(desk.host)
    undone = desk.rollback()
    assert undone.code == 0
    assert "There was nothing to do." in undone.text
    assert desk.verify().code == 0
    assert everything(desk.host) == decided


def test_the_record_of_a_change(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    assert desk.change().code == 0
    found = desk.result()
    assert (found["kind"], found["target"], found["computer"]) == ("change", handover.HOST, "HOST1")
    assert (found["account"], found["exit_code"], found["undoes"]) == ("contoso\\anna", 0, "")
    values = [(step["before"], step["after"]) for step in found["steps"]]
    assert values == [
        ({"RequestDisposition": "257"}, {"RequestDisposition": "1"}),
        ({"UseDefinedCACertInRequest": None}, {"UseDefinedCACertInRequest": "1"}),
        ({"State": "Running"}, {"State": "Running"}),
    ]
    assert desk.change().code == 0
    times = [found["started"], found["finished"]]
    for step in desk.result()["steps"]:
        times += [step["started"], step["finished"]]
    assert len(times) == 8
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one) for one in times), times


def test_what_was_as_wanted_before_stays_after_a_rollback(tmp_path: Path, engine: Engine) -> None:
    """Nor does it cancel the restart that the plan approved."""
    desk = lay_out(tmp_path, engine, *CA)
    desk.host.registry.set(handover.POLICY_KEY, "RequestDisposition", number(1))
    start = everything(desk.host)
    assert desk.change().code == 0
    assert desk.outcomes() == ["as wanted", "changed", "changed"]
    undone = desk.rollback()
    assert undone.code == 0
    assert [step["id"] for step in desk.result("rollback-result.json")["steps"]] == [2, 3]
    assert everything(desk.host) == start


def test_the_restart_is_done_where_all_values_are_as_wanted(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    desk.host.registry.set(handover.POLICY_KEY, "RequestDisposition", number(1))
    desk.host.registry.set(handover.CA_KEY, "UseDefinedCACertInRequest", number(1))
    assert desk.change().code == 0
    assert desk.outcomes() == ["as wanted", "as wanted", "changed"]
    assert restarts(desk.host) == 1
    assert desk.change().code == 0
    assert restarts(desk.host) == 1
    assert desk.rollback().code == 0
    assert restarts(desk.host) == 1


def test_records_of_an_undone_change_are_kept(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    desk.change()
    first = desk.result()
    desk.rollback()
    back = desk.result("rollback-result.json")
    assert back["undoes"] == first["sha256"]
    desk.change()
    mark = first["sha256"][:8]
    assert desk.result(f"result.{mark}.json") == first
    assert desk.result(f"rollback-result.{mark}.json") == back
    assert desk.result()["follows"] == back["sha256"]


def test_records_by_a_relative_path_and_no_file_too_many(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    (tmp_path / "records").mkdir()
    first = f"Push-Location -LiteralPath '{tmp_path}/records'; "
    assert desk.change("-ResultPath", "my.json", first=first).code == 0
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["my.json"]
    assert list(desk.records()) == []
