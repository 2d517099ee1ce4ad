"""The rights beside a plan: has, lacks or unknown, never in its digest; and what they are told as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.actions.rights import ADMINISTRATOR, EFFECTIVE, held, right_to_write, service_control
from remediate.actions.states import DESCRIPTOR, REVISION
from remediate.cli.facts import Facts, read_facts
from remediate.cli.options import FactOptions
from remediate.engine.planning import PlanOptions, make_plan
from remediate.engine.rights import AskDirectory, TargetRights, present_rights
from remediate.facts.documents import CaDocument, Entry, Snapshot
from remediate.model.errors import TransportError, UnknownFact
from remediate.model.fact import Fact, Unreadable
from remediate.model.plan import BESIDE, Plan, PlanEdited, digest, seal, unseal
from remediate.render.rights import rights_lines, rights_markdown, verdict, with_rights
from remediate.render.text import WIDTH, as_text
from remediate.transports.credentials import Logon

ROOT = Path(__file__).resolve().parents[2]
WRITE_DAC, CONTROL = right_to_write(DESCRIPTOR), service_control("CertSvc")
WRITE_REVISION = right_to_write(REVISION)
HOST = "ca01.contoso.test"
DENIED = Fact[bool](unreadable=Unreadable("access is denied", "0x80070005"))


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return read_facts(FactOptions(bundle=(str(ROOT / "examples" / "contoso-broken"),)), Logon("", terminal=False))


@pytest.fixture(scope="module")
def plan(snapshot: Snapshot) -> Plan:
    return planned(snapshot)


def planned(snapshot: Snapshot, *playbooks: str) -> Plan:
    chosen = playbooks or ("submission_pending", "denied_by_policy_module")
    return make_plan(snapshot, PlanOptions(playbooks=chosen, templates=("IntunePKCS",)))


def told(snapshot: Snapshot, **facts: Fact[bool] | str) -> Snapshot:
    """The snapshot with other facts of the CA's host."""
    (ca,) = snapshot.certification_authorities
    return msgspec.structs.replace(snapshot, certification_authorities=(msgspec.structs.replace(ca, **facts),))


def answering(*attributes: str, parts: str = "0") -> AskDirectory:
    """A directory that lets the account write these attributes, and these parts of the descriptor."""
    values: dict[str, list[Any]] = {"sDRightsEffective": [parts]} if parts else {}
    values |= {"allowedAttributesEffective": list(attributes)} if attributes else {}
    return lambda guids: {guid: Entry(f"CN={guid}", values) for guid in guids}


def silent(_guids: Sequence[str]) -> Mapping[str, Entry]:
    raise TransportError("the connection was lost", where="dc1", why="WSAECONNRESET")


def states(rights: Sequence[TargetRights]) -> dict[str, dict[str, str]]:
    return {one.target: {right.right: right.state for right in one.rights} for one in rights}


ALL = answering(REVISION, "MSPKI-Certificate-Name-Flag", parts="15")


def test_an_administrator_of_everything_has_all_of_it(plan: Plan, snapshot: Snapshot) -> None:
    found = present_rights(plan, told(snapshot, read_as="CONTOSO\\admin"), ALL)
    assert states(found) == {
        "directory": {WRITE_DAC: "has", WRITE_REVISION: "has"},
        HOST: {ADMINISTRATOR: "has", CONTROL: "has"},
    }
    numbers = {right.right: right.actions for one in found for right in one.rights}
    assert (numbers[WRITE_DAC], numbers[ADMINISTRATOR], numbers[CONTROL]) == ((1,), (2, 3), (3,))
    assert [one.account for one in found] == ["CONTOSO\\reader", "CONTOSO\\admin"]
    assert verdict(found).startswith("The present account has all of them.")


@pytest.mark.parametrize(
    ("ask", "dac", "revision"),
    [
        (answering(), "lacks", "lacks"),
        (answering(REVISION.upper()), "lacks", "has"),
        (answering(parts="4"), "has", "lacks"),
        (answering(parts="11"), "lacks", "lacks"),
        (answering(REVISION, parts=""), "unknown", "unknown"),
        (silent, "unknown", "unknown"),
        (lambda _guids: {}, "unknown", "unknown"),
    ],
    ids=["nothing", "the attribute", "the DACL", "all but the DACL", "not told", "lost", "not shown"],
)
def test_of_the_directory(plan: Plan, snapshot: Snapshot, ask: AskDirectory, dac: str, revision: str) -> None:
    found = present_rights(plan, snapshot, ask)
    assert states(found)["directory"] == {WRITE_DAC: dac, WRITE_REVISION: revision}
    assert all(bool(right.why) == (right.state == "unknown") for one in found for right in one.rights)
    assert states(found)[HOST] == {ADMINISTRATOR: "has", CONTROL: "has"}


@pytest.mark.parametrize(
    ("fact", "state"),
    [(Fact(value=True), "has"), (Fact(value=False), "lacks"), (DENIED, "unknown"), (Fact(absent=True), "unknown")],
)
def test_of_a_host(plan: Plan, snapshot: Snapshot, fact: Fact[bool], state: str) -> None:
    administrator = present_rights(plan, told(snapshot, administrator=fact), ALL)
    assert states(administrator)[HOST] == {ADMINISTRATOR: state, CONTROL: "has"}
    control = present_rights(plan, told(snapshot, service_control=fact), ALL)
    assert states(control)[HOST] == {ADMINISTRATOR: "has", CONTROL: state}


def test_of_a_host_that_was_not_read_and_of_an_older_collector(plan: Plan, snapshot: Snapshot) -> None:
    without = msgspec.structs.replace(snapshot, certification_authorities=())
    assert set(states(present_rights(plan, without, ALL))[HOST].values()) == {"unknown"}
    old = json.loads(msgspec.json.encode(snapshot.certification_authorities[0]))
    del old["administrator"], old["service_control"]
    older = msgspec.structs.replace(snapshot, certification_authorities=(msgspec.convert(old, CaDocument),))
    assert set(states(present_rights(plan, older, ALL))[HOST].values()) == {"unknown"}


def test_a_directory_that_is_not_changed_is_not_asked(snapshot: Snapshot) -> None:
    def never(guids: Sequence[str]) -> Mapping[str, Entry]:
        pytest.fail(f"asked for {guids}")

    assert set(states(present_rights(planned(snapshot, "submission_pending"), snapshot, never))) == {HOST}
    assert present_rights(planned(snapshot, "stuck_pending"), snapshot, never) == ()
    assert Facts(snapshot).rights(planned(snapshot)) == ()


def test_an_answer_without_the_descriptors_part_is_no_answer() -> None:
    with pytest.raises(UnknownFact, match="could not be read"):
        held([REVISION], Entry("CN=x", {"allowedAttributesEffective": [REVISION]}))
    assert held([REVISION], Entry("CN=x", {name: ["0"] for name in EFFECTIVE})) == {WRITE_REVISION: False}


# --- beside the plan, and not in it ----------------------------------------------------------------------------------


def test_whoever_reads_the_plan_is_the_same(plan: Plan, snapshot: Snapshot) -> None:
    nobody = told(snapshot, administrator=Fact(value=False), service_control=DENIED)
    assert digest(planned(nobody)) == digest(plan)


def test_the_json_of_a_plan_with_rights_is_a_plan_all_the_same(plan: Plan, snapshot: Snapshot) -> None:
    found = present_rights(plan, snapshot, answering())
    printed = with_rights(seal(plan), found)
    assert msgspec.convert(json.loads(printed)[BESIDE], tuple[TargetRights, ...]) == found
    assert unseal(printed, where="x") == (plan, digest(plan))
    assert with_rights(seal(plan), ()) == seal(plan)
    edited = {**json.loads(printed), "complete": False}
    with pytest.raises(PlanEdited):
        unseal(json.dumps(edited).encode(), where="x")


def test_what_lacks_and_what_is_unknown_is_said_plainly(plan: Plan, snapshot: Snapshot) -> None:
    found = present_rights(plan, told(snapshot, administrator=Fact(value=False), service_control=DENIED), silent)
    lines = tuple(rights_lines(found))
    text = as_text(lines)
    assert f"    lacks    {ADMINISTRATOR}   (for 2, 3)\n" in text
    assert f"    unknown  {CONTROL}   (for 3)\n             because: access is denied\n" in text
    assert "because: the connection was lost (WSAECONNRESET)" in text
    assert "A right is missing for 2, 3: " in text and "unknown for 1, 3 " in text
    assert "has all of them" not in text
    assert {line.style for line in lines} >= {"refused", "unknown"}
    assert all(len(line.text) <= WIDTH for line in lines)


def test_a_ticket_has_them_in_a_table(plan: Plan, snapshot: Snapshot) -> None:
    hostile = told(snapshot, administrator=Fact(unreadable=Unreadable("a | b <c>")))
    shown = rights_markdown(present_rights(plan, hostile, answering()))
    assert "| directory, as " in shown and "| **lacks** | " in shown
    assert r"a \| b \<c\>" in shown
    assert rights_markdown(()) == "" and tuple(rights_lines(())) == ()
