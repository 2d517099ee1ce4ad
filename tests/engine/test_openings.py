"""Who can obtain a certificate in which name, and the guard that keeps a plan from opening a hole."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from remediate.actions.intents import CaValue, Grant, Intent, Publish, SetCaRegistryValue, SetNameFlag
from remediate.adcs.flags import CertificateNameFlag
from remediate.adcs.sid import AUTHENTICATED_USERS, Sid
from remediate.engine.detection import Detected
from remediate.engine.guards import ANY_NAME, openings_guard
from remediate.engine.openings import Openings, Pair, Projection, pairs_touched
from remediate.engine.playbook import Found
from remediate.facts.estate import Estate
from remediate.facts.hosts import CertificationAuthority
from remediate.model.finding import Finding, Target
from remediate.model.plan import Obtains
from tests.cases.test_cases import changed, snapshot

FLAGS = "directory.json /public_key_services/value/[CN={}]/attributes/msPKI-Certificate-Name-Flag"
FROM_DIRECTORY = ["-1509949440"]


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


def test_auto_issue_is_refused_where_pending_was_the_only_control() -> None:
    domain_users = "directory.json /public_key_services/value/[CN=IntunePKCS]/attributes/nTSecurityDescriptor"
    found = broken()
    from remediate.adcs.ace import enroll_ace
    from remediate.adcs.dacl_edit import add_aces

    template = found.directory.templates["intunepkcs"]
    assert found.directory.domain.sid is not None
    everybody = Sid.from_string(f"{found.directory.domain.sid}-513")
    open_to_all = add_aces(template.descriptor, [enroll_ace(everybody)]).after.to_bytes()
    import base64

    held = Estate(
        snapshot(
            changed(
                {
                    "set": {
                        domain_users: [{"base64": base64.b64encode(open_to_all).decode()}],
                        "ca-ca01.contoso.test.json /request_disposition": {"value": 0x101},
                    }
                }
            )
        ),
        ["IntunePKCS"],
    )
    ca = held.certification_authorities[0]
    auto_issue = item("pending", SetCaRegistryValue(ca, CaValue.REQUEST_DISPOSITION, 1))
    (refusal,) = openings_guard([auto_issue], Openings(held), ())
    assert refusal.finding == "pending"
    assert "Domain Users" in refusal.reason


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
