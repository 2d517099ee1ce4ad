"""What makes a target the right one, by the facts: names that Windows cuts, and CAs that are known by an alias."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from remediate.engine.planning import PlanOptions, make_plan
from remediate.facts.documents import Entry, Snapshot
from remediate.model.fact import Fact
from remediate.model.plan import Plan, digest, seal, target_of
from remediate.render.powershell.handover import handover
from remediate.transports.bundle import read_bundle

EXAMPLES = Path(__file__).parents[2] / "examples"
ALIAS, CA, CONNECTOR = "pki.contoso.test", "ca01.contoso.test", "conn1.contoso.test"
LONG, CUT = "intunecertconnector01.contoso.test", "INTUNECERTCONNE"


@pytest.fixture
def broken() -> Snapshot:
    return read_bundle((EXAMPLES / "contoso-broken",))


def _identity(plan: Plan, kind: str) -> dict[str, str]:
    (found,) = (item.identity for item in plan.targets if item.kind == kind)
    return found


def _known_by_alias(snapshot: Snapshot) -> Snapshot:
    """The directory's enrollment service has a CNAME of the CA's host."""
    assert snapshot.directory is not None
    entries = snapshot.directory.public_key_services.need_value("test")
    told = [_renamed(entry) if "pKIEnrollmentService" in entry.texts("objectClass") else entry for entry in entries]
    directory = msgspec.structs.replace(snapshot.directory, public_key_services=Fact(value=told))
    return msgspec.structs.replace(snapshot, directory=directory)


def _renamed(entry: Entry) -> Entry:
    attributes = entry.attributes | {"dNSHostName": type(entry.attributes["dNSHostName"])([ALIAS])}
    return msgspec.structs.replace(entry, attributes=attributes)


def test_a_host_bears_its_own_computer_name(broken: Snapshot) -> None:
    (connector,) = broken.connectors
    machine = msgspec.structs.replace(connector.machine, computer_name=CUT, dns_host_name=Fact(value=LONG))
    longer = msgspec.structs.replace(connector, machine=machine)
    plan = make_plan(
        msgspec.structs.replace(broken, connectors=(longer,)), PlanOptions(playbooks=("antivirus_exclusions",))
    )
    assert _identity(plan, "connector")["ComputerName"] == CUT
    text = handover(plan, digest(plan), sealed=seal(plan))[f"1-{LONG}/change.ps1"].decode("ascii")
    assert f"    ComputerName = '{CUT}'\r\n" in text


def test_the_directory_bears_its_domain_s_name(broken: Snapshot) -> None:
    told = _identity(make_plan(broken, PlanOptions()), "directory")
    assert told["domain"] == "contoso.test"
    assert set(told) == {"domain", "domain_objectGUID"}


def test_a_ca_that_the_directory_knows_by_an_alias_is_one_ca_on_its_own_host(broken: Snapshot) -> None:
    plain = make_plan(broken, PlanOptions(playbooks=("submission_pending", "denied_by_policy_module")))
    aliased = make_plan(
        _known_by_alias(broken), PlanOptions(playbooks=("submission_pending", "denied_by_policy_module"))
    )
    assert aliased.complete
    assert [action.label for action in aliased.actions] == [action.label for action in plain.actions]
    assert {target_of(action) for action in aliased.actions} == {"directory", CA}
    assert _identity(aliased, "ca") == _identity(plain, "ca")
    assert "CA Contoso Issuing CA on pki, which is ca01" in aliased.heading
    files = handover(aliased, digest(aliased), sealed=seal(aliased))
    assert b"    ComputerName = 'CA01'\r\n" in files[f"2-{CA}/change.ps1"]


def test_another_ca_s_host_is_not_taken_for_that_of_an_alias(broken: Snapshot) -> None:
    (document,) = broken.certification_authorities
    other = msgspec.structs.replace(document, ca_cert_hash=Fact(value=["00" * 20]))
    renamed = msgspec.structs.replace(_known_by_alias(broken), certification_authorities=(other,))
    plan = make_plan(renamed, PlanOptions(playbooks=("submission_pending",)))
    assert any("its host was not read" in line for line in plan.heading)


def test_the_label_of_a_dacl_change_names_who_gets_what(broken: Snapshot) -> None:
    plan = make_plan(broken, PlanOptions(playbooks=("denied_by_policy_module",)))
    labels = [action.label for action in plan.actions if action.kind == "template"]
    assert labels == [r"template IntunePKCS: CONTOSO\CONN1$ gets Enroll"]


def test_publishing_takes_the_object_and_not_the_ca(broken: Snapshot) -> None:
    rights = {action.rights for action in make_plan(broken, PlanOptions()).actions if action.kind == "publish_template"}
    assert rights == {"write access to the enrollment service object: Enterprise Admins, or delegated on this object"}
