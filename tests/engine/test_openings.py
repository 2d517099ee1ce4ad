"""Who can obtain a certificate in which name, and the guard that keeps a plan from opening a hole."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator

import msgspec
import pytest

from remediate.actions.intents import CaValue, Grant, Intent, Publish, SetCaRegistryValue, SetNameFlag
from remediate.adcs.ace import Ace, enroll_ace
from remediate.adcs.dacl_edit import add_aces
from remediate.adcs.flags import CertificateNameFlag
from remediate.adcs.rights import DirectoryRight
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import AUTHENTICATED_USERS, Sid
from remediate.engine.detection import Detected
from remediate.engine.guards import ANY_NAME, openings_guard
from remediate.engine.openings import Openings, Pair, Projection, pairs_touched
from remediate.engine.planning import PlanOptions, make_plan
from remediate.engine.playbook import Found
from remediate.facts.estate import Estate
from remediate.facts.hosts import CertificationAuthority
from remediate.model.errors import UnknownFact
from remediate.model.finding import Finding, Target
from remediate.model.plan import Obtains
from tests.cases.test_cases import changed, snapshot

FLAGS = "directory.json /public_key_services/value/[CN={}]/attributes/msPKI-Certificate-Name-Flag"
FROM_DIRECTORY = ["-1509949440"]
TEMPLATE = "directory.json /public_key_services/value/[CN=IntunePKCS]/attributes/"
CA = "ca-ca01.contoso.test.json "


def estate(**set_: object) -> Estate:
    addresses = {address.replace("__", " /"): value for address, value in set_.items()}
    return Estate(snapshot(changed({"set": addresses})), ["IntunePKCS", "IntuneVPN"])


def broken(template: str = "IntunePKCS") -> Estate:
    return Estate(snapshot(changed({"set": {FLAGS.format(template): FROM_DIRECTORY}})), [template])


def item(name: str, *intents: Intent) -> Detected:
    finding = Finding(id=name, playbook=name, cause="c", target=Target("estate", "e"), message="m")
    return Detected(finding, Found("m", fix=intents))


def supply(found: Estate, template: str = "IntunePKCS") -> SetNameFlag:
    return SetNameFlag(found.directory.templates[template.lower()], CertificateNameFlag.ENROLLEE_SUPPLIES_SUBJECT)


def grant_everybody(found: Estate) -> Grant:
    return Grant(found.directory.templates["intunepkcs"], AUTHENTICATED_USERS, "Authenticated Users", True, True)


def test_supply_in_the_request_for_the_connector_alone_opens_no_hole() -> None:
    found = broken()
    gained = Openings(found).change([supply(found)]).gained
    assert [(o.principal, o.name, o.broad) for o in gained if o.principal.endswith("CONN1$")] == [
        ("CONTOSO\\CONN1$", "any", False)
    ]
    assert not Openings(found).new_holes([supply(found)])


def test_each_harmless_alone_and_a_hole_together() -> None:
    found = broken()
    alone: list[list[Intent]] = [[supply(found)], [grant_everybody(found)]]
    assert not any(Openings(found).new_holes(intents) for intents in alone)
    holes = Openings(found).new_holes(itertools.chain(*alone))
    assert {(hole.principal, hole.template) for hole in holes} == {("NT AUTHORITY\\Authenticated Users", "IntunePKCS")}


def test_the_flag_is_refused_before_anything_ca_wide() -> None:
    found = broken()
    ca = found.certification_authorities[0]
    items = [
        item("a_pending", SetCaRegistryValue(ca, CaValue.REQUEST_DISPOSITION, 1)),
        item("b_grant", grant_everybody(found)),
        item("c_flag", supply(found)),
    ]
    refused = openings_guard(items, Openings(found), ())
    assert [(refusal.finding, refusal.guard) for refusal in refused] == [("c_flag", ANY_NAME)]
    assert "Authenticated Users" in refused[0].reason
    assert "take Enroll" in refused[0].first


def test_an_override_is_said_and_does_not_stop_the_fix() -> None:
    found = broken()
    items = [item("grant", grant_everybody(found)), item("flag", supply(found))]
    refused = openings_guard(items, Openings(found), (ANY_NAME,))
    assert [refusal.overridden for refusal in refused] == [True]


def auto_issue(found: Estate) -> SetCaRegistryValue:
    return SetCaRegistryValue(found.certification_authorities[0], CaValue.REQUEST_DISPOSITION, 1)


def waiting(set_: dict[str, object]) -> Estate:
    """Every request waits for approval."""
    held = {f"{CA}/request_disposition": {"value": 0x101}}
    return Estate(snapshot(changed({"set": held | set_})), ["IntunePKCS"])


def open_to_domain_users() -> list[dict[str, str]]:
    found = broken()
    assert found.directory.domain.sid is not None
    domain_users = Sid.from_string(f"{found.directory.domain.sid}-513")
    return encoded(add_aces(found.directory.templates["intunepkcs"].descriptor, [enroll_ace(domain_users)]).after)


def rewritten_by_authenticated_users() -> list[dict[str, str]]:
    """Authenticated Users may write the DACL and hold no Enroll."""
    write_dac = Ace.allow(AUTHENTICATED_USERS, int(DirectoryRight.WRITE_DAC))
    return encoded(add_aces(broken().directory.templates["intunepkcs"].descriptor, [write_dac]).after)


def encoded(descriptor: SecurityDescriptor) -> list[dict[str, str]]:
    return [{"base64": base64.b64encode(descriptor.to_bytes()).decode()}]


def test_auto_issue_is_refused_where_pending_was_the_only_control() -> None:
    held = waiting({TEMPLATE + "nTSecurityDescriptor": open_to_domain_users()})
    (refusal,) = openings_guard([item("pending", auto_issue(held))], Openings(held), ())
    assert refusal.finding == "pending"
    assert "Domain Users" in refusal.reason


NEIGHBOURS: dict[str, dict[str, object]] = {
    "a request agent": {"pKIExtendedKeyUsage": ["1.3.6.1.4.1.311.20.2.1"]},
    "any purpose": {"pKIExtendedKeyUsage": ["2.5.29.37.0"]},
    "no usage": {"pKIExtendedKeyUsage": []},
}


@pytest.mark.parametrize("usage", NEIGHBOURS)
def test_auto_issue_is_refused_where_anybody_could_request_for_others(usage: str) -> None:
    named = {"msPKI-Certificate-Name-Flag": FROM_DIRECTORY, "msPKI-Certificate-Application-Policy": []}
    values = {"nTSecurityDescriptor": open_to_domain_users(), **named, **NEIGHBOURS[usage]}
    held = waiting({TEMPLATE + name: value for name, value in values.items()})
    (refusal,) = openings_guard([item("pending", auto_issue(held))], Openings(held), ())
    assert "Domain Users" in refusal.reason


HARMLESS: dict[str, object] = {"pKIExtendedKeyUsage": ["1.3.6.1.5.5.7.3.1"], "msPKI-Certificate-Application-Policy": []}
REWRITTEN: dict[str, dict[str, object]] = {
    "with a usage that does not log on": HARMLESS,
    "with signatures required": {"msPKI-RA-Signature": ["1"]},
    "with its own approval": {"msPKI-Enrollment-Flag": ["2"]},
}


@pytest.mark.parametrize("kept_by", REWRITTEN)
def test_auto_issue_is_refused_where_everybody_may_rewrite_a_template(kept_by: str) -> None:
    values = {"nTSecurityDescriptor": rewritten_by_authenticated_users(), **REWRITTEN[kept_by]}
    held = waiting({TEMPLATE + name: value for name, value in values.items()})
    (refusal,) = openings_guard([item("pending", auto_issue(held))], Openings(held), ())
    assert "Authenticated Users" in refusal.reason and "rewriting" in refusal.reason


def test_a_usage_that_does_not_log_on_is_no_hole_for_who_only_enrolls() -> None:
    values = {"nTSecurityDescriptor": open_to_domain_users(), **HARMLESS}
    held = waiting({TEMPLATE + name: value for name, value in values.items()})
    assert not openings_guard([item("pending", auto_issue(held))], Openings(held), ())


def test_a_policy_module_that_is_not_microsofts_is_no_control() -> None:
    foreign = {f"{CA}/policy_module": {"value": "TameMyCerts.Policy"}, f"{CA}/request_disposition": {"absent": True}}
    names = {"nTSecurityDescriptor": open_to_domain_users(), "msPKI-Certificate-Name-Flag": FROM_DIRECTORY}
    found = waiting({TEMPLATE + name: value for name, value in names.items()} | foreign)
    (refusal,) = openings_guard([item("flag", supply(found))], Openings(found), ())
    assert "Domain Users" in refusal.reason
    plan = make_plan(found.snapshot, PlanOptions(playbooks=("subject_email_required",)))
    assert [refused.guard for refused in plan.refused] == [ANY_NAME]


def test_a_ca_whose_host_was_not_read_is_not_taken_to_be_harmless() -> None:
    read = broken()
    nobody_read = msgspec.structs.replace(read.snapshot, certification_authorities=())
    found = Estate(nobody_read, ["IntunePKCS"])
    with pytest.raises(UnknownFact, match="not read"):
        Openings(found).new_holes([supply(found)])
    plan = make_plan(nobody_read, PlanOptions(playbooks=("subject_email_required",)))
    assert plan.findings and not plan.complete and not plan.actions


def test_what_nobody_can_judge_leaves_the_rest_planned() -> None:
    """The template is offered by a CA that was not read as well; CertSvc of the other has nothing to do with that."""
    found = changed({"set": {FLAGS.format("IntunePKCS"): FROM_DIRECTORY, f"{CA}/service/value/state": "Stopped"}})
    entries = found["directory.json"]["public_key_services"]["value"]
    service = next(entry for entry in entries if entry["dn"].startswith("CN=Contoso Issuing CA,CN=Enrollment"))
    twin = {name: list(value) for name, value in service["attributes"].items()}
    twin |= {"cn": ["Other CA"], "displayName": ["Other CA"], "dNSHostName": ["ca09.contoso.test"]}
    entries.append({"dn": service["dn"].replace("Contoso Issuing CA", "Other CA"), "attributes": twin})
    plan = make_plan(snapshot(found), PlanOptions(playbooks=("subject_email_required", "rpc_server_unavailable")))
    assert [action.kind for action in plan.actions] == ["start_service"]
    assert not plan.complete


@pytest.mark.parametrize("rid", [513, 514, 515])
def test_domain_wide_groups_are_broad_in_every_domain(rid: int) -> None:
    assert broken().directory.is_broad(Sid.from_string(f"S-1-5-21-1-2-3-{rid}"))


def test_publishing_touches_only_its_own_pair() -> None:
    found = broken()
    template, ca = found.directory.templates["intunepkcs"], found.certification_authorities[0]
    change = Openings(found).change([Publish(template, ca)])
    assert not change.gained | change.lost  # it is published already


class Counting(Openings):
    """Openings that count how often a pair is worked out."""

    def __init__(self, estate: Estate) -> None:
        super().__init__(estate)
        self.worked_out: list[tuple[str, str]] = []

    def _obtained(self, pair: Pair, projection: Projection) -> Iterator[Obtains]:
        self.worked_out.append((pair[0].name, pair[1].name))
        return super()._obtained(pair, projection)


def holding() -> Estate:
    """Both templates published, every request waiting."""
    services = "directory.json /public_key_services/value/[CN=Contoso Issuing CA]/attributes/certificateTemplates"
    held = {"ca-ca01.contoso.test.json /request_disposition": {"value": 0x101}}
    return Estate(snapshot(changed({"set": held | {services: ["IntunePKCS", "IntuneVPN"]}})), ["IntunePKCS"])


def test_a_pair_is_worked_out_once_for_the_same_intents() -> None:
    found = holding()
    openings = Counting(found)
    release = SetCaRegistryValue(found.certification_authorities[0], CaValue.REQUEST_DISPOSITION, 1)
    first = openings.change([release])
    once = len(openings.worked_out)
    assert once == 2 * 2  # now and then, for each template
    assert openings.change([release]) == first
    assert len(openings.worked_out) == once


def test_one_more_intent_works_out_its_own_pair_alone() -> None:
    found = holding()
    openings = Counting(found)
    release = SetCaRegistryValue(found.certification_authorities[0], CaValue.REQUEST_DISPOSITION, 1)
    openings.change([release])
    openings.worked_out.clear()
    openings.change([release, grant_everybody(found)])
    assert {template for template, _ in openings.worked_out} == {"IntunePKCS"}
    assert len(openings.worked_out) == 1


@pytest.mark.parametrize("left_out", range(3))
def test_what_was_worked_out_before_changes_no_answer(left_out: int) -> None:
    found = broken()
    ca = found.certification_authorities[0]
    issue = SetCaRegistryValue(ca, CaValue.REQUEST_DISPOSITION, 1)
    intents: list[Intent] = [supply(found), grant_everybody(found), issue]
    rest = intents[:left_out] + intents[left_out + 1 :]
    used = Openings(found)
    used.change(intents)
    assert used.change(rest) == Openings(found).change(rest)
    assert used.new_holes(intents) == Openings(found).new_holes(intents) != frozenset()


def test_two_cas_of_one_name_are_both_judged() -> None:
    found = broken()
    ca = found.certification_authorities[0]
    twin = CertificationAuthority(ca.service, ca.document, None)
    template = found.directory.templates["intunepkcs"]
    touched = pairs_touched([Publish(template, ca), Publish(template, twin)], found)
    assert [pair[1] for pair in touched] == [ca, twin]
