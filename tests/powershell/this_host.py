"""A plan for the very Windows machine that this runs on, for a CI service: one folder that Defender leaves alone.

`python -m tests.powershell.this_host FOLDER` writes the folder for the Windows team.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from remediate import __version__
from remediate.model.finding import Target
from remediate.model.places import ExclusionPlace
from remediate.model.plan import Action, ExclusionState, Plan, TargetIdentity, digest, seal
from remediate.render.powershell.handover import handover

EXCLUDED = r"C:\remediate's test of a change"
_FORM = "%Y-%m-%dT%H:%M:%SZ"


def plan_for(host: str, machine_guid: str, *, now: datetime) -> Plan:
    """Return a plan that excludes one folder, which need not exist, from Defender on one host, for a day."""
    action = Action(
        id=1, kind="defender_exclusions", target=Target("connector", host), place=ExclusionPlace(host), address=host,
        label=f"Defender exclusions on {host}", before=ExclusionState(()), after=ExclusionState((EXCLUDED,)), diff=(),
        because=(), rights="local administrator", takes_effect="at once",
    )  # fmt: skip
    identity = TargetIdentity(kind="connector", name=host, identity={"MachineGuid": machine_guid})
    return Plan(
        format_version="1.0", remediate=__version__, created=f"{now:{_FORM}}",
        expires_at=f"{now + timedelta(days=1):{_FORM}}", playbooks={}, options={}, complete=True, targets=(identity,),
        actions=(action,),
    )  # fmt: skip


def write(plan: Plan, folder: Path) -> None:
    """Write the folder for the Windows team."""
    for name, content in handover(plan, digest(plan), sealed=seal(plan)).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def machine_guid() -> str:
    """Return this machine's MachineGuid. Raises OSError where it is no Windows."""
    if sys.platform != "win32":
        raise OSError("this is no Windows")
    import winreg

    access = winreg.KEY_READ | winreg.KEY_WOW64_64KEY
    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography", 0, access) as key:
        return str(winreg.QueryValueEx(key, "MachineGuid")[0])


if __name__ == "__main__":
    write(plan_for(os.environ["COMPUTERNAME"].lower(), machine_guid(), now=datetime.now(UTC)), Path(sys.argv[1]))
