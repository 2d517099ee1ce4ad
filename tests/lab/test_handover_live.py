"""From a live plan to scripts that are run on the lab's hosts and its directory, back again, and once more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remediate.adcs.ca_name import sanitised
from tests.lab import contoso, planted
from tests.lab.contoso import intune_template
from tests.lab.directory_functions import DESCRIPTOR, FLAG, FROM_DIRECTORY, needs_pwsh
from tests.lab.estate import Lab
from tests.lab.handed_over import (
    DIRECTORY,
    NEVER_ASK,
    HandedOver,
    Ran,
    directory_state,
    host_state,
    nothing_written,
    revision,
    started_ca,
    whole,
)
from tests.lab.hosts import LabHost
from tests.lab.planting import Ground, causes, ground
from tests.lab.registry_file import number, replace, text
from tests.lab.windows_hosts import ca_key, policy_key

pytestmark = needs_pwsh

CHANGE, ROLLBACK = f"change {NEVER_ASK}", f"rollback {NEVER_ASK}"
NOTHING_TO_DO = "There was nothing to do."


def from_directory(estate: Ground) -> None:
    estate.change_template({FLAG: [FROM_DIRECTORY]})


def no_rights(estate: Ground) -> None:
    estate.set_template_dacl(planted.ADMINISTRATORS)


def not_published(estate: Ground) -> None:
    estate.publish("WebServer")


def plant_all(estate: Ground) -> None:
    """What every kind of change but two mends."""
    from_directory(estate)
    no_rights(estate)
    not_published(estate)
    planted.waiting_requests(estate)
    planted.event_128_and_value_off(estate)
    estate.leave_request("Failed")
    estate.change_defender(exclude=[r"C:\Data"])


def everywhere(done: HandedOver, lab: Lab, *lines: str) -> list[Ran]:
    """Run scripts in the order of the hand-over: the directory, the CA, the connector."""
    return [
        *done.on_directory(*lines),
        *done.on(lab.ca, *(f"{line} -SecureSocketLayer" if line.startswith("change") else line for line in lines)),
        *done.on(lab.connector, *lines),
    ]


def look(done: HandedOver, lab: Lab) -> None:
    """-WhatIf where it needs nothing before it: every write is named, and none is done."""
    looked = [*done.on_directory("change -WhatIf"), *done.on(lab.connector, "change -WhatIf")]
    assert [ran.code for ran in looked] == [2, 2]
    assert all("Nothing was changed." in ran.shown for ran in looked)
    shown = [line for ran in looked for line in ran.shown.splitlines() if line.startswith("What if: ")]
    for kind, value in (
        ("template", "0xA6000000 -> 0x1"),
        ("publish_template", "published"),
        ("defender", "PfxRequest"),
    ):
        [label] = [action["label"] for action in done.plan["actions"] if action["kind"].startswith(kind)][:1]
        assert any(label in line and value in line for line in shown), shown


def undo_everywhere(done: HandedOver, lab: Lab) -> None:
    """Roll back in the opposite order."""
    back = [
        *done.on(lab.connector, ROLLBACK, "verify"),
        *done.on(lab.ca, "rollback -WhatIf", ROLLBACK, "verify"),
        *done.on_directory("rollback -WhatIf", ROLLBACK, "verify"),
    ]
    assert [one.code for one in back] == [0, 2, 2, 0, 2, 2, 0, 2], back


def state(lab: Lab) -> list[Any]:
    return [directory_state(lab), host_state(lab.ca), host_state(lab.connector)]


def test_the_whole_way_and_back_and_once_more(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant_all(estate)
        start, first, runs = state(lab), revision(lab), tmp_path / "runs"
        done = HandedOver.of(estate, tmp_path)
        lab.reset()

        look(done, lab)
        assert (nothing_written(lab), state(lab)) == (True, start)
        assert not list(done.folder.rglob("*result*.json"))

        ran = everywhere(done, lab, CHANGE, "verify", CHANGE)
        assert [one.code for one in ran] == [0] * 9, ran
        assert [NOTHING_TO_DO in one.shown for one in ran] == [False, False, True] * 3
        assert [one.name for one in lab.relay.writes] == ["modify", "modify"]
        assert (revision(lab), started_ca(lab.ca)) == (first + 1, 1)
        changed = state(lab)

        (tmp_path / "again").mkdir()
        again, _ = estate.plan(tmp_path / "again")
        # Who waited before the change waits still: only people decide that, and the diff says so.
        left = {*planted.UNPROCESSED, *planted.RESUBMIT}
        assert (causes(again), again.get("actions", [])) == (left, [])

        ended, standing = done.imported(done.folder, runs=runs)
        assert (ended.code, set(standing)) == (0, {"done"}), ended.err

        undo_everywhere(done, lab)
        assert state(lab) == start
        assert (revision(lab), started_ca(lab.ca)) == (first + 2, 2)
        ended, standing = done.imported(*done.folder.rglob("rollback-result.json"), runs=runs)
        assert (ended.code, set(standing)) == (2, {"undone", "done"}), ended.err  # the restart cannot be undone

        ran = everywhere(done, lab, CHANGE, "verify")
        assert [one.code for one in ran] == [0] * 6, ran
        assert state(lab) == changed
        assert revision(lab) == first + 3
        ended, standing = done.imported(done.folder, runs=tmp_path / "all at once")
        assert (ended.code, set(standing)) == (0, {"done"}), ended.err
        assert done.imported(done.folder, runs=tmp_path / "all at once")[0].code == 3


KINDS = [
    pytest.param([from_directory], {FLAG}, id="flag"),
    pytest.param([no_rights], {DESCRIPTOR}, id="DACL"),
    pytest.param([not_published], {"certificateTemplates"}, id="publish"),
]


@pytest.mark.parametrize(("plants", "changed"), KINDS)
def test_each_kind_of_directory_change_alone(
    fresh_lab: Lab, tmp_path: Path, plants: list[Callable[[Ground], None]], changed: set[str]
) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        for plant in plants:
            plant(estate)
        start = directory_state(lab)
        done = HandedOver.of(estate, tmp_path)
        lab.reset()
        ran = done.on_directory("change -WhatIf", CHANGE, "verify", CHANGE)
        assert [one.code for one in ran] == [2, 0, 0, 0], ran
        assert NOTHING_TO_DO in ran[-1].shown
        written = directory_state(lab)
        assert different(start, written) == changed
        assert [one.name for one in lab.relay.writes] == ["modify"]
        back = done.on_directory(ROLLBACK, "verify", ROLLBACK, CHANGE)
        assert [one.code for one in back] == [0, 2, 0, 0], back
        assert len(lab.relay.writes) == 3
        assert directory_state(lab) == written
        assert done.on_directory("verify", ROLLBACK)[1].code == 0
        assert directory_state(lab) == start
        assert done.outcomes(DIRECTORY, "rollback-result.json") == ["changed"]


def different(one: list[dict[str, list[bytes]]], other: list[dict[str, list[bytes]]]) -> set[str]:
    """The attributes that differ."""
    pairs = zip(one, other, strict=True)
    return {name for old, new in pairs for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def test_a_ca_waits_for_the_directory(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant_all(estate)
        done = HandedOver.of(estate, tmp_path)
        start = host_state(lab.ca)
        lab.reset()
        [refused] = done.on(lab.ca, f"{CHANGE} -SecureSocketLayer")
        assert refused.code == 3
        assert "Run the directory's change.ps1 first" in refused.shown
        assert "publish IntunePKCS on Contoso Issuing CA is not there yet" in refused.shown
        assert "Nothing was changed." in refused.shown
        assert (nothing_written(lab), host_state(lab.ca)) == (True, start)
        done.on_directory(CHANGE)
        looked, changed = done.on(lab.ca, "change -WhatIf -SecureSocketLayer", f"{CHANGE} -SecureSocketLayer")
        assert (looked.code, changed.code) == (2, 0)
        assert set(done.outcomes(done.of_host(lab.ca))) == {"changed"}


def test_names_of_all_kinds(fresh_lab: Lab, tmp_path: Path) -> None:
    """Quotes and letters beyond ASCII in a template's name and a CA's, which stands there in its sanitised form."""
    lab, template, name = fresh_lab, "O'Brien vå", 'Contoso "Blå" CA\'s'
    dn, ca = lab.domain.template_dn(template), lab.hosts["ca02"]
    with ground(lab) as estate, lab.domain.restored(dn), lab.second_ca("WebServer", name=sanitised(name)) as service:
        lab.domain.add(dn, {"objectClass": ["pKICertificateTemplate"], **intune_template(), FLAG: [FROM_DIRECTORY]})
        lab.domain.set_dacl(dn, planted.ADMINISTRATORS + "(A;;LCRPLORC;;;AU)")
        lab.domain.replace(service, {"displayName": [name]})
        rename_ca(ca, name)
        ca.registry.set(policy_key(sanitised(name)), "RequestDisposition", number(0x101))
        named = {"certificateTemplateName": template, "certificationAuthorityName": name}
        estate.add_profile("Phones", certificationAuthority=ca.fqdn, **named)
        start, state_of_ca = [lab.domain.read(one) for one in (dn, service)], host_state(ca)
        done = HandedOver.of(estate, tmp_path)
        assert {action["kind"] for action in done.plan["actions"]} == {
            "template", "publish_template", "ca_registry_value", "restart_service"
        }  # fmt: skip
        ran = [*done.on_directory(CHANGE, "verify"), *done.on(ca, f"{CHANGE} -SecureSocketLayer", "verify")]
        assert [one.code for one in ran] == [0, 0, 0, 0], ran
        assert template.encode() in lab.domain.read(service, "certificateTemplates")["certificateTemplates"]
        assert ca.registry.get(policy_key(sanitised(name)), "RequestDisposition") == 1
        ended, standing = done.imported(done.folder, runs=tmp_path / "runs")
        assert (ended.code, set(standing)) == (0, {"done"}), ended.err
        back = [*done.on(ca, ROLLBACK), *done.on_directory(ROLLBACK)]
        assert [one.code for one in back] == [0, 0], back
        assert host_state(ca) == state_of_ca
        end = [lab.domain.read(one) for one in (dn, service)]
        assert different(list(map(whole, start)), list(map(whole, end))) == set()


def rename_ca(ca: LabHost, name: str) -> None:
    """Give the CA of a host another name: its key has the sanitised one."""
    text_of = ca.registry.path.read_text()
    replace(ca.registry.path, text_of.replace(contoso.SECOND_CA, json.dumps(sanitised(name))[1:-1]))
    ca.registry.set(ca_key(sanitised(name)), "CommonName", text(name))
