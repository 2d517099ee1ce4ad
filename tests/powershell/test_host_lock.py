"""The lock of a host: one run has it, a dead one is taken over, another's stays, and of many at once one wins."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lab.registry_file import text
from tests.powershell.test_change_functions import CATCH, CRYPTOGRAPHY, GUID, THUMBPRINT, host, run, run_each, table
from tests.powershell.windows_like import WindowsLike

__all__ = ["host"]
WHO = "CONTOSO\\anna on PC7"
AT_ONCE = 6
ROUNDS = 15
FREE = {"Run": None, "Who": None, "Until": None}


def at(minutes: float) -> str:
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(autouse=True)
def program_data(host: WindowsLike, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ProgramData", str(host.folder / "ProgramData"))
    yield host.folder / "ProgramData"


def lock(run_name: str, until: str, *, who: str = WHO) -> str:
    return f"Lock-Host -Run '{run_name}' -Who '{who}' -Until '{until}' -TimeoutSeconds 60"


def outcome(line: str) -> str:
    return f"({line}) | ForEach-Object -Process {{ '{{0}}|{{1}}|{{2}}' -f $_.Outcome, $_.Run, $_.Until }}"


def file(program_data: Path) -> Path:
    return program_data / "remediate" / "lock.json"


def test_locked_renewed_refused_and_given_back(host: WindowsLike, program_data: Path) -> None:
    first, second = at(5), at(9)
    said = run_each(
        host, "(Get-HostLock).Run", outcome(lock("a", first)), outcome(lock("b", second)), outcome(lock("a", second)),
        "(Unlock-Host -Run 'b').Outcome", "(Get-HostLock).Run", "(Unlock-Host -Run 'a').Outcome",
        "(Unlock-Host -Run 'a').Outcome", outcome(lock("b", second)),
    )  # fmt: skip
    assert said == [
        "", "taken||", f"held|a|{first}", f"renewed|a|{first}", "kept", "a", "removed", "kept", "taken||",
    ]  # fmt: skip
    assert json.loads(file(program_data).read_text()) == {"run": "b", "who": WHO, "until": second}


def test_a_dead_lock_is_taken_over_and_said(host: WindowsLike, program_data: Path) -> None:
    dead = at(-1)
    run(host, lock("dead", dead))
    found = table(host, lock("next", at(5)))
    assert found == {"Outcome": "taken over", "Run": "dead", "Who": WHO, "Until": dead}
    assert json.loads(file(program_data).read_text())["run"] == "next"


@pytest.mark.parametrize("left", [b"", b"\0\0\0\0"], ids=["empty", "zeros"])
def test_a_lock_that_was_never_written_is_none(host: WindowsLike, program_data: Path, left: bytes) -> None:
    file(program_data).parent.mkdir(parents=True)
    file(program_data).write_bytes(left)
    assert table(host, "Get-HostLock") == FREE
    assert run(host, outcome(lock("a", at(5)))) == "taken||"


@pytest.mark.parametrize("left", [b"somebody's notes", b'{"run": "x"}', b'{"run": "x", "who": "y", "until": "soon"}'])
def test_what_is_no_lock_is_left_alone(host: WindowsLike, program_data: Path, left: bytes) -> None:
    file(program_data).parent.mkdir(parents=True)
    file(program_data).write_bytes(left)
    assert run(host, lock("a", at(5))).startswith("THREW RemediateRefused")
    assert file(program_data).read_bytes() == left


def test_nothing_is_done_when_asked_what_would_be(host: WindowsLike, program_data: Path) -> None:
    assert "What if" in run(host, f"{lock('a', at(5))} -WhatIf")
    assert not program_data.exists()
    run(host, lock("a", at(5)))
    assert "What if" in run(host, "Unlock-Host -Run 'a' -WhatIf")
    assert file(program_data).exists()


def test_a_time_in_another_form_is_refused(host: WindowsLike, program_data: Path) -> None:
    assert run(host, lock("a", "in an hour")).startswith("THREW RemediateRefused")
    assert not program_data.exists()


def test_a_place_that_cannot_be_written_to_is_said(host: WindowsLike, program_data: Path) -> None:
    program_data.write_text("a file in place of the folder")
    said = run(host, lock("a", at(5)).replace("60", "1"))
    assert said.startswith("THREW RemediateFailed")


@dataclass(frozen=True)
class Contender(WindowsLike):
    """A process with files of its own, which locks the folders of all."""

    places: Path = Path()


def contender(host: Contender, name: str, start: float, until: str) -> list[dict[str, Any]]:
    """One process that takes a lock in many rounds; each begins at a time that all of them know."""
    line = f"""
    $rows = foreach ($round in 0..{ROUNDS - 1}) {{
        $env:ProgramData = '{host.places}/round' + $round
        $begin = [datetime]::UnixEpoch.AddSeconds({start} + $round * 0.2)
        while ([datetime]::UtcNow -lt $begin) {{ [System.Threading.Thread]::SpinWait(100) }}
        Lock-Host -Run '{name}' -Who '{name}' -Until '{until}'
    }}
    ConvertTo-Json -Compress -InputObject @($rows)"""
    rows: list[dict[str, Any]] = json.loads(host.powershell(f"try {{ {line} }} {CATCH}"))
    return rows


@pytest.mark.parametrize("dead", [False, True], ids=["free", "dead"])
def test_of_many_at_once_exactly_one_has_it(host: WindowsLike, dead: bool) -> None:
    if dead:
        for number in range(ROUNDS):
            place = host.folder / f"round{number}" / "remediate" / "lock.json"
            place.parent.mkdir(parents=True)
            place.write_text(json.dumps({"run": "dead", "who": "x", "until": at(-1)}))
    found = together([Contender(host.folder / f"process{number}", places=host.folder) for number in range(AT_ONCE)])
    for number in range(ROUNDS):
        holder = json.loads((host.folder / f"round{number}" / "remediate" / "lock.json").read_text())["run"]
        won = [name for name, rows in found.items() if rows[number]["Outcome"] in ("taken", "taken over")]
        assert won == [holder]
        others = {rows[number]["Run"] for name, rows in found.items() if name != holder}
        assert others == {holder}


def together(hosts: list[Contender]) -> dict[str, list[dict[str, Any]]]:
    """What each of several processes saw."""
    start, until = time.time() + 6, at(60)
    for one in hosts:
        one.folder.mkdir()
        one.set_state()
    with ThreadPoolExecutor(len(hosts)) as pool:
        calls = {f"run{i}": pool.submit(contender, one, f"run{i}", start, until) for i, one in enumerate(hosts)}
        return {name: call.result() for name, call in calls.items()}


def test_a_killed_process_leaves_a_lock_that_dies(host: WindowsLike, program_data: Path) -> None:
    killed = "[System.Diagnostics.Process]::GetCurrentProcess().Kill()"
    with pytest.raises((AssertionError, subprocess.SubprocessError)):
        replace(host, functions=None).powershell(f"{lock('killed', at(0.02))}; {killed}")
    time.sleep(2)
    assert run(host, outcome(lock("next", at(5)))).startswith("taken over|killed|")


# --- who this host is, and what the account may do ----------------------------------------------------------------


def test_identity_of_a_ca_and_of_another_host(host: WindowsLike) -> None:
    assert table(host, "Get-HostIdentity") == {"MachineGuid": GUID, "certificate_thumbprint": THUMBPRINT}
    host.registry.create({CRYPTOGRAPHY: {"MachineGuid": text(GUID)}})
    assert table(host, "Get-HostIdentity") == {"MachineGuid": GUID, "certificate_thumbprint": None}


def test_control_of_a_service_is_asked_without_using_it(host: WindowsLike) -> None:
    assert table(host, "Test-ServiceControl -Name 'CertSvc'") == {"Control": "yes"}
    state = json.loads((host.folder / "state.json").read_text())
    host.set_state(**state, failures={"ServiceHandle": "access denied"})
    assert table(host, "Test-ServiceControl -Name 'CertSvc'") == {"Control": None}
    host.set_state(services={})
    assert run(host, "Test-ServiceControl -Name 'CertSvc'").startswith("THREW NoServiceFoundForGivenName")
