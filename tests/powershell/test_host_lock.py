"""The lock of a host: one run has it, a dead one is taken over, another's stays, and of many at once one wins."""

from __future__ import annotations

import hashlib
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
FREE = dict.fromkeys(("Run", "Who", "Token", "Until", "Live"))
HOUR = 3600


def at(minutes: float) -> str:
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture(autouse=True)
def program_data(host: WindowsLike, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ProgramData", str(host.folder / "ProgramData"))
    yield host.folder / "ProgramData"


def token(name: str) -> str:
    """A run's own token; the same for the same name."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def lock(run_name: str, *, by: str = "", seconds: int = HOUR, who: str = WHO) -> str:
    """`by` tells runs of one name apart."""
    mine = token(by or run_name)
    return f"Lock-Host -Run '{run_name}' -Who '{who}' -Token '{mine}' -Seconds {seconds} -TimeoutSeconds 60"


def unlock(name: str) -> str:
    return f"Unlock-Host -Token '{token(name)}'"


def outcome(line: str) -> str:
    return f"({line}) | ForEach-Object -Process {{ '{{0}}|{{1}}' -f $_.Outcome, $_.Run }}"


def plant(program_data: Path, **lock: str) -> None:
    """A lock in the file, as it is given."""
    file(program_data).parent.mkdir(parents=True, exist_ok=True)
    file(program_data).write_text(json.dumps(lock))


def file(program_data: Path) -> Path:
    return program_data / "remediate" / "lock.json"


def test_locked_renewed_refused_and_given_back(host: WindowsLike, program_data: Path) -> None:
    said = run_each(
        host, "(Get-HostLock).Run", outcome(lock("a")), outcome(lock("b")), outcome(lock("a")),
        f"({unlock('b')}).Outcome", "(Get-HostLock).Run", f"({unlock('a')}).Outcome",
        f"({unlock('a')}).Outcome", outcome(lock("b")),
    )  # fmt: skip
    assert said == ["", "taken|a", "held|a", "renewed|a", "kept", "a", "removed", "kept", "taken|b"]
    written = json.loads(file(program_data).read_text())
    assert {name: written[name] for name in ("run", "who", "token")} == {"run": "b", "who": WHO, "token": token("b")}
    assert at(58) < written["until"] <= at(60)


def test_two_runs_of_one_name_are_two(host: WindowsLike, program_data: Path) -> None:
    """A run is named after the second in which it began, and its plan: two people can begin in the same one."""
    first, second = lock("20261123T200000Z-0f3c5b0e", by="anna"), lock("20261123T200000Z-0f3c5b0e", by="bertil")
    said = run_each(host, outcome(first), outcome(second), f"({unlock('bertil')}).Outcome", outcome(first))
    assert [one.partition("|")[0] for one in said] == ["taken", "held", "kept", "renewed"]


def test_how_long_it_holds_is_told_and_renewed_by_the_hosts_clock(host: WindowsLike, program_data: Path) -> None:
    first = table(host, lock("a", seconds=60))
    assert (first["Outcome"], at(0.5) < first["Until"] <= at(1)) == ("taken", True)
    again = table(host, lock("a"))
    assert (again["Outcome"], at(58) < again["Until"] <= at(60)) == ("renewed", True)
    found = table(host, "Get-HostLock")
    assert found == {"Run": "a", "Who": WHO, "Token": token("a"), "Until": again["Until"], "Live": "yes"}


def test_a_lock_without_a_token_is_anothers(host: WindowsLike, program_data: Path) -> None:
    """As an older program left it; of the same name even."""
    plant(program_data, run="a", who=WHO, until=at(5))
    assert run_each(host, outcome(lock("a")), f"({unlock('a')}).Outcome") == ["held|a", "kept"]
    plant(program_data, run="a", who=WHO, until=at(-1))
    assert run(host, outcome(lock("a"))) == "taken over|a"


@pytest.mark.parametrize("token", ["", "abc", "G" * 32, "0" * 65])
def test_a_token_that_anybody_could_have_is_refused(host: WindowsLike, program_data: Path, token: str) -> None:
    said = run(host, f"Lock-Host -Run 'a' -Who 'b' -Token '{token}' -Seconds 60")
    assert said.startswith("THREW ParameterArgumentValidationError")
    assert not program_data.exists()


def test_a_dead_lock_is_taken_over_and_said(host: WindowsLike, program_data: Path) -> None:
    dead = at(-1)
    plant(program_data, run="dead", who=WHO, token=token("dead"), until=dead)
    assert table(host, "Get-HostLock")["Live"] is None
    found = table(host, lock("next"))
    assert found == {"Outcome": "taken over", "Run": "dead", "Who": WHO, "Until": dead}
    assert json.loads(file(program_data).read_text())["run"] == "next"


@pytest.mark.parametrize("left", [b"", b"\0\0\0\0"], ids=["empty", "zeros"])
def test_a_lock_that_was_never_written_is_none(host: WindowsLike, program_data: Path, left: bytes) -> None:
    file(program_data).parent.mkdir(parents=True)
    file(program_data).write_bytes(left)
    assert table(host, "Get-HostLock") == FREE
    assert run(host, outcome(lock("a"))) == "taken|a"


@pytest.mark.parametrize("left", [b"somebody's notes", b'{"run": "x"}', b'{"run": "x", "who": "y", "until": "soon"}'])
def test_what_is_no_lock_is_left_alone(host: WindowsLike, program_data: Path, left: bytes) -> None:
    file(program_data).parent.mkdir(parents=True)
    file(program_data).write_bytes(left)
    for line in (lock("a"), "Get-HostLock", unlock("a")):
        said = run(host, line)
        assert said.startswith("THREW RemediateRefused") and "is no lock of ours" in said
    assert file(program_data).read_bytes() == left


def test_nothing_is_done_when_asked_what_would_be(host: WindowsLike, program_data: Path) -> None:
    assert "What if" in run(host, f"{lock('a')} -WhatIf")
    assert not program_data.exists()
    run(host, lock("a"))
    assert "What if" in run(host, f"{unlock('a')} -WhatIf")
    assert file(program_data).exists()


def test_a_place_that_cannot_be_written_to_is_said(host: WindowsLike, program_data: Path) -> None:
    program_data.write_text("a file in place of the folder")
    said = run(host, lock("a").replace(" 60", " 1"))
    assert said.startswith("THREW RemediateFailed")


@dataclass(frozen=True)
class Contender(WindowsLike):
    """A process with files of its own, which locks the folders of all."""

    places: Path = Path()


def contender(host: Contender, name: str, start: float) -> list[dict[str, Any]]:
    """One process that takes a lock in many rounds; each begins at a time that all of them know."""
    line = f"""
    $rows = foreach ($round in 0..{ROUNDS - 1}) {{
        $env:ProgramData = '{host.places}/round' + $round
        $begin = [datetime]::UnixEpoch.AddSeconds({start} + $round * 0.2)
        while ([datetime]::UtcNow -lt $begin) {{ [System.Threading.Thread]::SpinWait(100) }}
        Lock-Host -Run '{name}' -Who '{name}' -Token '{token(name)}' -Seconds {HOUR}
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
        others = {(rows[number]["Outcome"], rows[number]["Run"]) for name, rows in found.items() if name != holder}
        assert others == {("held", holder)}


def together(hosts: list[Contender]) -> dict[str, list[dict[str, Any]]]:
    """What each of several processes saw."""
    start = time.time() + 6
    for one in hosts:
        one.folder.mkdir()
        one.set_state()
    with ThreadPoolExecutor(len(hosts)) as pool:
        calls = {f"run{i}": pool.submit(contender, one, f"run{i}", start) for i, one in enumerate(hosts)}
        return {name: call.result() for name, call in calls.items()}


def test_a_killed_process_leaves_a_lock_that_dies(host: WindowsLike, program_data: Path) -> None:
    killed = "[System.Diagnostics.Process]::GetCurrentProcess().Kill()"
    with pytest.raises((AssertionError, subprocess.SubprocessError)):
        replace(host, functions=None).powershell(f"{lock('killed', seconds=1)}; {killed}")
    time.sleep(2)
    assert run(host, outcome(lock("next"))) == "taken over|killed"


# --- who this host is, and what the account may do ----------------------------------------------------------------


def test_identity_of_a_ca_and_of_another_host(host: WindowsLike) -> None:
    known = {"ComputerName": "HOST1", "MachineGuid": GUID}
    assert table(host, "Get-HostIdentity") == known | {"certificate_thumbprint": THUMBPRINT}
    host.registry.create({CRYPTOGRAPHY: {"MachineGuid": text(GUID)}})
    assert table(host, "Get-HostIdentity") == known | {"certificate_thumbprint": None}


def test_control_of_a_service_is_asked_without_using_it(host: WindowsLike) -> None:
    assert table(host, "Test-ServiceControl -Name 'CertSvc'") == {"Control": "yes"}
    state = json.loads((host.folder / "state.json").read_text())
    host.set_state(**state, failures={"ServiceHandle": "access denied"})
    assert table(host, "Test-ServiceControl -Name 'CertSvc'") == {"Control": None}
    host.set_state(services={})
    assert run(host, "Test-ServiceControl -Name 'CertSvc'").startswith("THREW NoServiceFoundForGivenName")
