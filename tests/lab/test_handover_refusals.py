"""What a directory's scripts refuse, what they leave when they are stopped, and others who write at the same time."""

from __future__ import annotations

import base64
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3
import pytest

from tests.lab import broken, contoso, planted
from tests.lab.contoso import READER
from tests.lab.directory_functions import DESCRIPTOR, FLAG, FROM_DIRECTORY, REVISION, interrupt, needs_pwsh
from tests.lab.domain import ObjectState, closing_connection, sd_flags
from tests.lab.estate import Lab
from tests.lab.handed_over import DIRECTORY, NEVER_ASK, HandedOver, Ran, directory_state, edited, objects, revision
from tests.lab.ldap_messages import Operation
from tests.lab.ldap_relay import DropAtSearch, Rewrite
from tests.lab.planting import ground

pytestmark = needs_pwsh

CHANGE, ROLLBACK = f"change {NEVER_ASK}", f"rollback {NEVER_ASK}"


@dataclass(frozen=True)
class Planted:
    """A folder that was made of a plan with both kinds of step, and the directory that it was made for."""

    folder: Path
    states: list[ObjectState]


@pytest.fixture(scope="module")
def made(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("handover")
    with ground(lab) as estate:
        estate.change_template({FLAG: [FROM_DIRECTORY]})
        estate.set_template_dacl(planted.ADMINISTRATORS + planted.MAY_READ)
        estate.publish("WebServer")
        states = lab.domain.snapshot(*objects(lab))
        return Planted(HandedOver.of(estate, folder).folder, states)


@pytest.fixture
def handed(fresh_lab: Lab, made: Planted, tmp_path: Path) -> Iterator[HandedOver]:
    """The folder, and the directory as it was when it was made."""
    with fresh_lab.domain.restored(*objects(fresh_lab)):
        fresh_lab.domain.restore(made.states)
        fresh_lab.reset()
        yield HandedOver(fresh_lab, Path(shutil.copytree(made.folder, tmp_path / "handover")))


def assert_refused(handed: HandedOver, ran: Ran, *said: str, code: int = 3) -> None:
    """Nothing was written, and it says why."""
    assert ran.code == code, ran.shown
    for one in (*said, "Nothing was changed."):
        assert one in ran.shown, ran.shown
    assert handed.lab.relay.writes == []
    assert not (handed.folder / DIRECTORY / "result.json").exists()
    assert handed.result(name="result.refused.json")["exit_code"] == code


# --- refusals --------------------------------------------------------------------------------------------------------


def test_who_may_not_write_writes_nothing(handed: HandedOver) -> None:
    [ran] = handed.on_directory(CHANGE, account=READER)
    assert_refused(handed, ran, "lacks the right", FLAG, "WRITE_DAC", objects(handed.lab)[0])


def test_only_the_planned_domain_and_a_server_that_answers(handed: HandedOver) -> None:
    start = directory_state(handed.lab)
    nobody = f"change {NEVER_ASK} -Server {broken.NAME}"
    [ran] = handed.on_directory(nobody)
    assert_refused(handed, ran, f"{broken.NAME}: there is no connection by LDAPS, LDAP 81")
    planned = handed.plan["targets"][0]["identity"]["domain_objectGUID"]
    other = str(uuid.UUID(int=uuid.UUID(planned).int ^ 1))
    for name in ("change", "rollback", "verify"):
        edited(handed.folder / DIRECTORY / f"{name}.ps1", lambda text: text.replace(planned, other))
    change, rollback, verify = handed.on_directory(CHANGE, ROLLBACK, "verify")
    assert_refused(handed, change, "another domain", planned, other)
    assert (rollback.code, verify.code) == (3, 3)
    assert directory_state(handed.lab) == start


@pytest.mark.parametrize(("search", "code"), [(2, 3), (5, 1), (7, 3)], ids=["identity", "values", "rights"])
def test_a_server_that_goes_away_before_the_first_write(handed: HandedOver, search: int, code: int) -> None:
    handed.lab.relay.fault = DropAtSearch(search)
    [ran] = handed.on_directory(CHANGE)
    assert_refused(handed, ran, handed.lab.dc, code=code)


def test_a_read_only_domain_controller(handed: HandedOver) -> None:
    """A read-only Samba cannot run beside this one: the relay lets the real one say what a read-only one says."""
    handed.lab.relay.fault = Rewrite(b"1.2.840.113556.1.4.1935", b"1.2.840.113556.1.4.1920")
    [ran] = handed.on_directory(CHANGE)
    assert_refused(handed, ran, "read-only")


DRIFTS = {
    "flag": (FLAG, ["33554432"], "0x2000000"),
    "DACL": (DESCRIPTOR, [], "DACL of 6 entries"),
    "minor revision": (REVISION, ["77"], "77"),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_drift_in_the_template_refuses_all_of_it(handed: HandedOver, drift: tuple[str, list[str], str]) -> None:
    lab, (attribute, values, shown) = handed.lab, drift
    dacl = [lab.domain.descriptor(contoso.INTUNE_DESCRIPTOR)]
    lab.domain.replace(objects(lab)[0], {attribute: dacl if attribute == DESCRIPTOR else values})
    [ran] = handed.on_directory(CHANGE)
    assert_refused(handed, ran)
    table = [line.split(maxsplit=2) for line in ran.shown.splitlines() if attribute in line]
    assert [row[1] for row in table] == ["approved", "now", "wanted"]
    assert shown in table[1][2]
    assert len({row[2] for row in table}) == 3


class At(list[Operation]):
    """A record that calls `then` before the relay passes on the `number`-th operation of a name, on one object."""

    def __init__(self, name: str, target: str, then: Callable[[], None], *, number: int) -> None:
        super().__init__()
        self.name, self.target, self.then, self.number = name, target, then, number

    def append(self, operation: Operation) -> None:
        super().append(operation)
        same = [(one.name, one.target) for one in self].count((self.name, self.target))
        if (operation.name, operation.target) == (self.name, self.target) and same == self.number:
            self.then()


@pytest.mark.parametrize("number", [1, 3], ids=["before", "meanwhile"])
def test_what_somebody_else_published_is_left_alone(
    handed: HandedOver, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A published value cannot drift: it is as approved or as wanted, and then it is not this script's to undo."""
    lab, (template, service) = handed.lab, objects(handed.lab)
    theirs: dict[str, list[str]] = {"certificateTemplates": ["WebServer", "intunepkcs"]}
    record = At("search", service, lambda: lab.domain.replace(service, theirs), number=number)
    monkeypatch.setattr(lab.relay, "operations", record)
    changed, undone = handed.on_directory(CHANGE, ROLLBACK)
    assert (changed.code, undone.code) == (0, 0)
    assert handed.outcomes() == ["changed", "as wanted"]
    found = lab.domain.read(service, "certificateTemplates")["certificateTemplates"]
    assert sorted(found) == [b"WebServer", b"intunepkcs"]
    assert {one.target for one in lab.relay.writes} == {template}


def test_a_rollback_refuses_what_somebody_has_changed_since(handed: HandedOver) -> None:
    lab, (template, _) = handed.lab, objects(handed.lab)
    [changed] = handed.on_directory(CHANGE)
    assert changed.code == 0
    lab.domain.replace(template, {FLAG: ["33554432"], REVISION: ["77"]})
    theirs, writes = directory_state(lab), len(lab.relay.writes)
    [ran] = handed.on_directory(ROLLBACK)
    assert ran.code == 3
    assert "0x2000000" in ran.shown
    assert "77" in ran.shown
    assert (directory_state(lab), len(lab.relay.writes)) == (theirs, writes)


# --- stopped part-way ------------------------------------------------------------------------------------------------


def test_the_directory_says_no_to_the_second_write(handed: HandedOver, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = handed.lab
    template, service = objects(lab)
    with lab.domain.restored(service):
        closed = f"D:PAI(A;;LCRPLORC;;;AU)(A;;{contoso.FULL};;;LA)"
        record = At("modify", service, lambda: lab.domain.set_dacl(service, closed), number=1)
        monkeypatch.setattr(lab.relay, "operations", record)
        [ran] = handed.on_directory(CHANGE)
        assert ran.code == 4, ran.shown
        assert "LDAP 50" in ran.shown
        assert handed.outcomes() == ["changed", "begun"]
        assert handed.result()["exit_code"] == 4
        assert lab.domain.read(template, FLAG)[FLAG] == [b"1"]
        ended, standing = handed.imported(handed.folder, runs=handed.folder.parent / "runs")
        assert (ended.code, standing) == (2, ["done", "unresolved"]), ended.err
    finished, verified, undone = handed.on_directory(CHANGE, "verify", ROLLBACK)
    assert [finished.code, verified.code, undone.code] == [0, 0, 0]
    assert handed.outcomes() == ["changed", "changed"]


# --- others who write ------------------------------------------------------------------------------------------------


def thousand(lab: Lab, last: Any) -> None:
    """A thousand writes of a template's flag and DACL, the last of which is told."""
    dacls = [lab.domain.descriptor(contoso.template_descriptor(one)) for one in ("DU", "DC")]
    with closing_connection(lab.domain.connection()) as connection:
        for number in range(999):
            name, value = (FLAG, str(1 << number % 20)) if number % 2 else (DESCRIPTOR, dacls[number // 2 % 2])
            connection.modify(objects(lab)[0], {name: [(ldap3.MODIFY_REPLACE, [value])]}, controls=sd_flags())
    lab.domain.replace(objects(lab)[0], last)


def test_a_thousand_writes_by_somebody_else(handed: HandedOver, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = handed.lab
    interrupt(monkeypatch, lab, "modify", lambda: thousand(lab, {FLAG: ["33554432"]}))
    [ran] = handed.on_directory(CHANGE)
    theirs = directory_state(lab)
    assert ran.code == 3
    assert "nothing was written here" in ran.shown
    assert "Nothing was changed." in ran.shown
    assert [one for one in ran.shown.splitlines() if "now " in one and FLAG in one and "0x2000000" in one], ran.shown
    assert (handed.result()["exit_code"], handed.result()["phase"]) == (3, "asking")
    assert theirs[0][FLAG] == [b"33554432"]
    assert revision(lab) == int(made_revision(handed))
    assert handed.outcomes() == ["not reached", "not reached"]
    again, undone = handed.on_directory(CHANGE, ROLLBACK)
    assert (again.code, undone.code, directory_state(lab)) == (3, 0, theirs)
    assert len(lab.relay.writes) == 1


def test_a_race_that_is_lost_after_a_write_stops_part_way(handed: HandedOver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory refuses to publish what somebody else publishes between the last comparison and the write."""
    lab, (_, service) = handed.lab, objects(handed.lab)
    theirs: dict[str, list[str]] = {"certificateTemplates": ["WebServer", contoso.INTUNE_TEMPLATE]}
    record = At("modify", service, lambda: lab.domain.replace(service, theirs), number=1)
    monkeypatch.setattr(lab.relay, "operations", record)
    changed, undone = handed.on_directory(CHANGE, ROLLBACK)
    assert changed.code == 4, changed.shown
    assert "nothing was written here" in changed.shown
    assert "Nothing was changed." not in changed.shown
    assert handed.outcomes() == ["changed", "not reached"]
    assert undone.code == 0, undone.shown
    found = lab.domain.read(service, "certificateTemplates")["certificateTemplates"]
    assert sorted(found) == [contoso.INTUNE_TEMPLATE.encode(), b"WebServer"]


def test_a_dacl_that_was_overwritten_is_told(handed: HandedOver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory cannot compare a DACL: with flag and revision put back, only the count of writes tells."""
    lab = handed.lab
    interrupt(monkeypatch, lab, "modify", lambda: thousand(lab, {FLAG: [FROM_DIRECTORY]}))
    [ran] = handed.on_directory(CHANGE)
    assert ran.code == 4
    assert "was overwritten by this script" in ran.shown
    assert handed.outcomes() == ["begun", "not reached"]
    assert "overwritten" in handed.result()["steps"][0]["detail"]


def made_revision(handed: HandedOver) -> str:
    """The minor revision that the plan was made for."""
    return str(handed.plan["actions"][0]["before"]["attributes"][REVISION])


def test_a_busy_neighbour_loses_nothing(handed: HandedOver) -> None:
    """Somebody publishes and takes back another template all the time: a value of its own, and no drift."""
    lab, stop, turns = handed.lab, threading.Event(), 0
    service = objects(lab)[1]

    def publish() -> None:
        nonlocal turns
        with closing_connection(lab.domain.connection()) as connection:
            while not stop.is_set() and turns < 1000:
                for step in (ldap3.MODIFY_ADD, ldap3.MODIFY_DELETE):
                    connection.modify(service, {"certificateTemplates": [(step, ["User"])]})
                turns += 1
            connection.modify(service, {"certificateTemplates": [(ldap3.MODIFY_ADD, ["User"])]})

    writer = threading.Thread(target=publish)
    writer.start()
    try:
        ran = handed.on_directory(CHANGE, "verify", ROLLBACK, CHANGE)
    finally:
        stop.set()
        writer.join()
    assert [one.code for one in ran] == [0, 0, 0, 0]
    assert turns > 1
    found = lab.domain.read(service, "certificateTemplates")["certificateTemplates"]
    assert sorted(found) == [b"IntunePKCS", b"User", b"WebServer"]


@pytest.mark.parametrize("together", [True, False], ids=["in one folder", "in two folders"])
def test_two_copies_at_once(handed: HandedOver, tmp_path: Path, together: bool) -> None:
    """One of them writes. Whatever the other one finds, nothing is written twice and no record is lost."""
    lab, first = handed.lab, revision(handed.lab)
    other = handed.folder if together else Path(shutil.copytree(handed.folder, tmp_path / "other"))
    with handed.started(CHANGE, handed.folder, other) as engines:
        said = [engine.communicate(timeout=60)[0] for engine in engines]
    codes = [int(one.rpartition("ENDED ")[2]) for one in said]
    assert 0 in codes, said
    assert set(codes) <= {0, 3}, said
    assert revision(lab) == first + 1
    assert [one["nTSecurityDescriptor"] for one in directory_state(lab)[:1]] == [[wanted_dacl(handed, lab)]]
    verified, again = handed.on_directory("verify", CHANGE)
    assert (verified.code, again.code) == (0, 0), again.shown
    if not together:
        ours, theirs = (HandedOver(lab, one).outcomes() for one in (handed.folder, other))
        assert sorted([ours[0] == "changed", theirs[0] == "changed"]) == [False, True], said


def wanted_dacl(handed: HandedOver, lab: Lab) -> bytes:
    """The planned DACL, in a descriptor as Samba answers it."""
    return base64.b64decode(handed.plan["actions"][0]["after"]["dacl"])
