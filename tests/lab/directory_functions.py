"""The functions of `scripts/lib` that change the directory, run by PowerShell against the lab's domain controller.

The connection is a simple bind over TLS, which the relay can record; what binds in the field is not under test here.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3
import pytest

from remediate.adcs.ace import enroll_ace, read_ace
from remediate.adcs.dacl_edit import DaclEdit, add_aces
from remediate.adcs.security_descriptor import SecurityDescriptor
from remediate.adcs.sid import Sid
from tests.lab import contoso
from tests.lab.contoso import ADMIN, Account
from tests.lab.domain import closing_connection
from tests.lab.estate import Lab
from tests.lab.ldap_messages import Operation
from tests.powershell.test_script_text import PWSH, SCRIPTS

needs_pwsh = pytest.mark.skipif(PWSH is None and os.environ.get("CI") != "true", reason="there is no pwsh on PATH")

FLAG, REVISION, DESCRIPTOR = "msPKI-Certificate-Name-Flag", "msPKI-Template-Minor-Revision", "nTSecurityDescriptor"
CHANGING = {REVISION, "whenChanged", "uSNChanged"}
FROM_DIRECTORY = "-1509949440"
LIBRARY = ("Fact", "State", "DirectoryConnection", "DirectoryTarget", "Template", "TemplateWrite", "PublishedTemplate")

HEAD = r"""
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName 'System.DirectoryServices.Protocols'
function ConvertTo-Table { param([object] $From)
    $table = @{}
    foreach ($one in $From.PSObject.Properties) { $table[$one.Name] = $one.Value }
    $table
}
$call = ConvertFrom-Json -InputObject $env:LAB_CALL
$place = [System.DirectoryServices.Protocols.LdapDirectoryIdentifier]::new('dc1.contoso.test', 636, $true, $false)
$connection = [System.DirectoryServices.Protocols.LdapConnection]::new($place)
$connection.SessionOptions.ProtocolVersion = 3
$connection.SessionOptions.SecureSocketLayer = $true
$connection.AuthType = 'Basic'
$connection.Credential = [System.Net.NetworkCredential]::new($env:LAB_USER, $env:LAB_PASSWORD)
$connection.Bind()
$c = @{ Connection = $connection; DistinguishedName = $call.dn }
try {
    $value = & { LINE }
    $answer = @{ value = $(if ($null -ne $value) { , $value } else { $null }) }
}
catch {
    $answer = @{ error = $_.Exception.Message; id = $_.FullyQualifiedErrorId; code = '' }
    $answer.code = [string] $_.Exception.Data['Code']
}
'ANSWER ' + (ConvertTo-Json -InputObject $answer -Compress -Depth 6)
"""
CHANGE = (
    "Set-TemplateState @c -Before (ConvertTo-Table -From $call.before) -After (ConvertTo-Table -From $call.after)"
    " -Confirm:$false"
)


@dataclass(frozen=True)
class Answer:
    """What a line returned or threw, and everything it showed."""

    value: Any = None
    error: str = ""
    id: str = ""
    code: str = ""
    shown: str = ""


@dataclass(frozen=True)
class Functions:
    """The functions of `scripts/lib` on one domain controller."""

    lab: Lab
    folder: Path

    def run(self, line: str, account: Account = ADMIN, **call: Any) -> Answer:
        """The answer to one line, in which @c holds connection and DN and $call what is given by name."""
        files = [(SCRIPTS / "lib" / f"{name}.ps1").read_text("ascii") for name in LIBRARY]
        script = self.folder / "run.ps1"
        script.write_text("\n".join([*files, HEAD.replace("LINE", line)]))
        environment = os.environ | {
            "LAB_CALL": json.dumps({"dn": template(self.lab)} | call), "LAB_USER": account.upn, "NO_COLOR": "1",
            "LAB_PASSWORD": account.password, "LDAPTLS_CACERT": str(self.lab.trust),
        }  # fmt: skip
        done = subprocess.run(
            [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(script)],
            capture_output=True, text=True, timeout=60, check=False, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        shown, found, answer = done.stdout.rpartition("ANSWER ")
        assert found, done.stdout + done.stderr
        return Answer(**json.loads(answer), shown=shown + done.stderr)

    def value(self, line: str, account: Account = ADMIN, **call: Any) -> Any:
        """What a line returned; it must not throw."""
        answer = self.run(line, account, **call)
        assert not answer.error, answer.error
        return answer.value

    def change(self, before: dict[str, Any], after: dict[str, Any], account: Account = ADMIN) -> Answer:
        """Set-TemplateState on the template."""
        return self.run(CHANGE, account, before=before, after=after)


def template(lab: Lab) -> str:
    """The template that the tests change."""
    return lab.domain.template_dn(contoso.INTUNE_TEMPLATE)


def fixed(lab: Lab) -> dict[str, list[bytes]]:
    """The template without what every write changes."""
    found = lab.domain.read(template(lab))
    return {name: sorted(values) for name, values in found.items() if name not in CHANGING}


def revision(lab: Lab) -> int:
    """Its minor revision."""
    return int(lab.domain.read(template(lab), REVISION)[REVISION][0])


def flags_from_directory(lab: Lab) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after of "Supply in the request", planted."""
    lab.domain.replace(template(lab), {FLAG: [FROM_DIRECTORY]})
    now = revision(lab)
    return {FLAG: FROM_DIRECTORY, REVISION: str(now)}, {FLAG: "1", REVISION: str(now + 1)}


def whole_descriptor(lab: Lab, sd_flags: int = 15) -> bytes:
    """The descriptor as Samba answers it for the parts asked for."""
    from ldap3.protocol.microsoft import security_descriptor_control

    with closing_connection(lab.domain.connection()) as connection:
        connection.search(
            template(lab), "(objectClass=*)", ldap3.BASE, attributes=[DESCRIPTOR],
            controls=security_descriptor_control(sdflags=sd_flags),
        )  # fmt: skip
        [found] = connection.response[0]["raw_attributes"][DESCRIPTOR]
    return bytes(found)


def grants(lab: Lab) -> tuple[DaclEdit, dict[str, Any], dict[str, Any]]:
    """What the product plans to let CONN2$ enrol: from what a reader reads, with owner and group."""
    edit = add_aces(
        SecurityDescriptor.parse(whole_descriptor(lab, 7)),
        [of(Sid.from_string(lab.domain.sids["CONN2$"])) for of in (enroll_ace, read_ace)],
    )
    now = revision(lab)
    before = {DESCRIPTOR: encoded(edit.before), REVISION: str(now)}
    return edit, before, {DESCRIPTOR: encoded(edit.after), REVISION: str(now + 1)}


def encoded(descriptor: SecurityDescriptor) -> str:
    """The DACL part as a plan holds it."""
    return base64.b64encode(descriptor.dacl_part()).decode()


class Watched(list[Operation]):
    """A record that calls `then` before the relay passes on the operation that `when` names."""

    def __init__(self, when: str, then: Callable[[], None]) -> None:
        super().__init__()
        self.when, self.then = when, then

    def append(self, operation: Operation) -> None:
        super().append(operation)
        if operation.name == self.when or (self.when == "read back" and self._reads_back(operation)):
            self.when = ""
            self.then()

    def _reads_back(self, operation: Operation) -> bool:
        return operation.name == "search" and any(one.name == "modify" for one in self)


def interrupt(monkeypatch: pytest.MonkeyPatch, lab: Lab, when: str, then: Callable[[], None]) -> None:
    """Have `then` called once, before the relay passes on a modify or the search that reads back."""
    monkeypatch.setattr(lab.relay, "operations", Watched(when, then))
