"""The race matrix: whole runs against a second writer on the same template, and on the same registry value.

With REMEDIATE_RELIABILITY_RACES=FILE the counts and the measured window are written into a file.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ldap3
import msgspec
import pytest

from remediate.actions.states import before_and_after
from remediate.actions.writing import Drift, Lease
from remediate.engine.applying import Drifted, carry_out, changes_of, read_steps, refuse_drift
from remediate.model.errors import ExitCode
from remediate.model.journal import JournalLine
from remediate.model.plan import Action
from remediate.transports.ldap_write import DirectoryWriter
from tests.lab import contoso
from tests.lab.directory_functions import DESCRIPTOR, FLAG, REVISION, grants, template
from tests.lab.directory_writing import _template_state as template_state
from tests.lab.directory_writing import template_action, writing
from tests.lab.domain import closing_connection, sd_flags
from tests.lab.estate import Lab
from tests.lab.handed_over import MODULES
from tests.lab.registry_file import number as dword
from tests.lab.test_directory_writer_races import At, meant, prepare
from tests.lab.windows_hosts import policy_key
from tests.lab.writing_material import LIBRARY, disposition, writer
from tests.powershell.handover import make_plan
from tests.powershell.test_script_text import PWSH

pytestmark = pytest.mark.matrix

ROUNDS = int(os.environ.get("REMEDIATE_RACE_ROUNDS", "60")) // 2
"""Of each kind: flags, DACL."""
REGISTRY_ROUNDS = 10
MEASURED = 10
LEASE = Lease(run="r", who="CONTOSO\\anna", token="0f" * 16)
NOTICED = "somebody else"


@pytest.fixture
def raced(fresh_lab: Lab) -> Iterator[Lab]:
    with fresh_lab.domain.restored(template(fresh_lab)):
        yield fresh_lab


def read(connection: Any, dn: str, name: str) -> list[bytes]:
    """The raw values of an attribute, over a connection that is open."""
    connection.search(dn, "(objectClass=*)", ldap3.BASE, attributes=[name], controls=sd_flags())
    return list(connection.response[0]["raw_attributes"][name])


def run_once(action: Action, one: DirectoryWriter) -> tuple[str, str]:
    """A whole run of one template action: how it ended, and what it told of it."""
    journal = list[JournalLine]()
    plan = make_plan(action)
    try:
        refuse_drift(read_steps(plan, {"directory": one}))
        _, code = carry_out(
            plan, {"directory": one}, lease=LEASE, record=journal.append,
            clock=lambda: datetime.now(UTC),
        )  # fmt: skip
    except Drifted as error:
        assert journal == []
        return "refused", " ".join(f"{name} {now}" for name, _, now, _ in changes_of(error.steps))
    assert journal[0].event == "begin"
    return ("written" if code is ExitCode.NOTHING_TO_DO else journal[-1].event), journal[-1].detail


@pytest.mark.parametrize("kind", ["flags", "dacl"])
@pytest.mark.timeout(900)
def test_no_update_is_lost_unnoticed(raced: Lab, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    lab = raced
    dice = random.Random(20_261_123)
    monkeypatch.setattr(lab.relay, "operations", [])
    _, start, wanted = grants(lab)
    others = [lab.domain.descriptor(contoso.template_descriptor(who)) for who in ("DU", "DC")]
    ended, action = Counter[str](), template_action(lab, (start, start))
    with writing(lab) as one, ThreadPoolExecutor(1) as pool, closing_connection(lab.domain.connection()) as rival:
        one.identity()
        for number in range(ROUNDS):
            tables = prepare(lab, "flags", rival, start, number)
            if kind == "dacl":
                same = ({DESCRIPTOR: start[DESCRIPTOR]}, {DESCRIPTOR: wanted[DESCRIPTOR]})
                tables = (same[0] | {REVISION: tables[0][REVISION]}, same[1] | {REVISION: tables[1][REVISION]})
            name, value = (FLAG, str(1 << (number % 20 + 4))) if kind == "flags" else (DESCRIPTOR, others[number % 2])
            change = {name: [(ldap3.MODIFY_REPLACE, [value])]}

            def write(change: Any = change) -> None:
                rival.modify(template(lab), change, controls=sd_flags())

            moment = dice.choice(["search", "modify", "modify", "read back"])
            watch = At(moment, write, pool, wait=dice.random() < 0.5)
            lab.relay.operations = watch
            before, after = (template_state(table) for table in tables)
            how, told = run_once(msgspec.structs.replace(action, before=before, after=after), one)
            (watch.ended or pool.submit(write)).result(timeout=10)
            stands = meant(name, read(rival, template(lab), name)) == meant(name, [value])
            assert stands or NOTICED in told, (how, told)
            if how in ("refused", "failed"):
                assert stands
                assert name in told
                assert isinstance(value, bytes) or value in told or f"{int(value):#x}" in told.lower(), told
            ended[how] += 1
    keep(kind, ended)
    assert ended.total() == ROUNDS
    assert ended["refused"] + ended["failed"] > 0
    assert ended["unresolved"] > 0


def test_a_registry_value_changed_before_the_compare_is_always_refused(fresh_lab: Lab) -> None:
    dice, host = random.Random(20_261_123), fresh_lab.ca
    action = disposition(host)
    before, after = before_and_after(action)
    one = writer(fresh_lab, host)
    host.registry.set(policy_key(), "RequestDisposition", dword(257))
    one.read(action)
    for _ in range(REGISTRY_ROUNDS):
        theirs = dice.choice([0, 2, 3, 256, 258, dice.randrange(4, 2**32)])
        host.registry.set(policy_key(), "RequestDisposition", dword(theirs))
        with pytest.raises(Drift) as error:
            one.write(action, before=before, after=after)
        assert error.value.now == {"RequestDisposition": str(theirs)}
        assert host.registry.get(policy_key(), "RequestDisposition") == theirs
    one.close()
    assert host.registry.writes() == []
    keep("registry, changed before the compare", {"refused": REGISTRY_ROUNDS})


TIMED = r"""
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
LIBRARY
$script:compared = 0
$script:windows = @()
$compare = ${function:Test-ChangeNeeded}
$write = ${function:Invoke-WritingProgram}
function Test-ChangeNeeded {
    $answer = & $compare @args
    $script:compared = [System.Diagnostics.Stopwatch]::GetTimestamp()
    $answer
}
function Invoke-WritingProgram {
    $started = [System.Diagnostics.Stopwatch]::GetTimestamp()
    & $write @args
    $ended = [System.Diagnostics.Stopwatch]::GetTimestamp()
    $ticks = [System.Diagnostics.Stopwatch]::Frequency / 1000
    $script:windows += , @((($started - $script:compared) / $ticks), (($ended - $script:compared) / $ticks))
}
$values = '257', '1'
for ($n = 0; $n -lt TIMES; $n++) {
    $from = @{ RequestDisposition = $values[$n % 2] }
    $to = @{ RequestDisposition = $values[($n + 1) % 2] }
    $call = @{ Key = 'KEY'; Name = 'RequestDisposition'; CertutilName = 'policy\RequestDisposition' }
    Set-CaRegistryValue @call -Before $from -After $to -Confirm:$false
}
'ANSWER ' + (ConvertTo-Json -InputObject $script:windows -Compress)
"""


@pytest.mark.skipif(PWSH is None and os.environ.get("CI") != "true", reason="there is no pwsh on PATH")
def test_the_window_between_compare_and_write(fresh_lab: Lab, tmp_path: Path) -> None:
    """The registry has no compare-and-swap; how long the window is, is measured here, with certutil's stand-in."""
    host, script = fresh_lab.ca, tmp_path / "timed.ps1"
    host.registry.set(policy_key(), "RequestDisposition", dword(257))
    text = TIMED.replace("LIBRARY", LIBRARY).replace("TIMES", str(MEASURED)).replace("KEY", policy_key())
    script.write_text(text)
    calls = [*(f"Import-Module '{module}'" for module in MODULES), f"& '{script}'"]
    done = subprocess.run(
        [str(PWSH), "-NoProfile", "-Command", "; ".join(calls)], capture_output=True, text=True, timeout=120,
        stdin=subprocess.DEVNULL, check=False, env=os.environ | host.environment | {"NO_COLOR": "1"},
    )  # fmt: skip
    assert "ANSWER " in done.stdout, done.stdout + done.stderr
    found = json.loads(done.stdout.rpartition("ANSWER ")[2])
    assert len(found) == MEASURED
    assert all(0 < until_start < until_end < 10_000 for until_start, until_end in found)
    starts, ends = (statistics.median(column) for column in zip(*found, strict=True))
    keep("window, milliseconds", {"until certutil is started": round(starts, 1), "until it has ended": round(ends, 1)})


def keep(name: str, counts: Mapping[str, float]) -> None:
    """Keep the counts, where they are wanted."""
    if file := os.environ.get("REMEDIATE_RELIABILITY_RACES"):
        path = Path(file)
        known = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(known | {name: dict(counts)}, indent=1))
