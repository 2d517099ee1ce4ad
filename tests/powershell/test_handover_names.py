"""Hosts whose names are not what they seem: cut by NetBIOS, an alias, foreign letters. Each is still known."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from remediate.model.places import ExclusionPlace
from remediate.model.plan import Plan, TargetIdentity
from tests.powershell import handover
from tests.powershell.engine import Engine
from tests.powershell.handover import GUID, Desk, make_plan
from tests.powershell.windows_like import make

LONG, CUT = "intunecertconnector01.contoso.test", "INTUNECERTCONNE"


def _plan(host: str, **told: str) -> Plan:
    one = msgspec.structs.replace(handover.exclusions(), place=ExclusionPlace(host))
    target = TargetIdentity(kind="connector", name=host, identity={"MachineGuid": GUID} | told)
    return make_plan(one, targets=(target,))


@pytest.mark.parametrize(
    ("host", "told", "computer"),
    [
        (LONG, {"ComputerName": CUT}, CUT),
        (LONG, {}, CUT),
        ("pki.contoso.test", {"ComputerName": "CONN1"}, "CONN1"),
        ("h\u00f6st1.contoso.test", {"ComputerName": "H\u00d6ST1"}, "H\u00d6ST1"),
        ("o'brien.contoso.test", {}, "O'BRIEN"),
    ],
)
def test_the_right_host_is_known_by_what_windows_calls_it(
    tmp_path: Path, engine: Engine, host: str, told: dict[str, str], computer: str
) -> None:
    desk = Desk.lay_out(handover.ready(make(tmp_path)), _plan(host, **told), engine)
    done = desk.change(COMPUTERNAME=computer)
    assert (done.code, desk.outcomes()) == (0, ["changed"]), done.text
    refused = desk.change(COMPUTERNAME="HOST1")
    assert (refused.code, "This script is for" in refused.text) == (3, True), refused.text
