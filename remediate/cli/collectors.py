"""The collectors' PowerShell: the same text for a live session and for the file the Windows team runs.

A file is ASCII with CRLF line ends, and its bytes depend on nothing but the version and the CA hosts it is to reach.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from remediate import __version__
from remediate.engine.collect import HostRequest, HostRole
from remediate.model.errors import DocumentError, UsageError
from remediate.shipped import scripts_folder

COLLECTOR = f"remediate {__version__}"

# A DNS name or an address, which needs no escaping between single quotes of PowerShell.
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,254}")

_HEADERS = {
    "ca": (
        "Reads the facts of a CA host, for remediate. It changes nothing.",
        "Run it on the CA host, in an elevated Windows PowerShell 5.1 or later:",
        "    powershell.exe -NoProfile -ExecutionPolicy Bypass -File .\\collect-ca.ps1",
        "It writes ca-<HOST>.json beside itself. Read that file, then send it back.",
    ),
    "connector": (
        "Reads the facts of a connector host, for remediate. It changes nothing.",
        "Of the connector's request files it takes names, sizes, times and error codes, never the contents.",
        "Run it on the connector host, in an elevated Windows PowerShell 5.1 or later:",
        "    powershell.exe -NoProfile -ExecutionPolicy Bypass -File .\\collect-connector.ps1",
        "It writes connector-<HOST>.json beside itself. Read that file, then send it back.",
    ),
}


def collector_source(role: HostRole) -> str:
    """Return every function of scripts/lib and the role's own, sorted by file. Raises DocumentError."""
    folder = scripts_folder()
    paths = [*sorted((folder / "lib").glob("*.ps1"), key=lambda path: path.name), folder / "collect" / f"{role}.ps1"]
    return "\n".join(_text(path) for path in paths)


def _text(path: Path) -> str:
    """Return a script with line feeds. Raises DocumentError when it is missing or not ASCII."""
    try:
        return path.read_bytes().decode("ascii").replace("\r\n", "\n").strip("\n") + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(
            "a collector's script cannot be read", where=str(path), do="Install remediate again."
        ) from error


def collector_call(request: HostRequest) -> str:
    """Return the expression that reads the host. Raises UsageError for a CA host that is no host name."""
    if request.role == "ca":
        return f"Get-CertificationAuthorityDocument -Collector '{COLLECTOR}'"
    hosts = _literals(request.certification_authorities)
    return f"Get-ConnectorDocument -Collector '{COLLECTOR}' -CertificationAuthority @({hosts})"


def _literals(hosts: Sequence[str]) -> str:
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise UsageError(f"{host!r} is not the name of a host", do="Give the DNS name of the CA host with --ca.")
    return ", ".join(f"'{host}'" for host in hosts)


def collector_file(role: HostRole, certification_authorities: Sequence[str] = ()) -> bytes:
    """Return the collector of a role as a file for the Windows team. Raises DocumentError and UsageError."""
    comment = "\n".join(f"# {line}" for line in (*_HEADERS[role], f"Made by {COLLECTOR}."))
    body = [comment, "#Requires -Version 5.1", _parameters(role, certification_authorities), _STRICT]
    return "\n".join([*body, collector_source(role), _main(role)]).replace("\n", "\r\n").encode("ascii")


_STRICT = "Set-StrictMode -Version Latest\n$ErrorActionPreference = 'Stop'\n"


def _parameters(role: HostRole, certification_authorities: Sequence[str]) -> str:
    """Return the param block; a connector's collector may be told other CA hosts when it is run."""
    if role == "ca":
        return "[CmdletBinding()]\nparam()\n"
    return f"[CmdletBinding()]\nparam([string[]] $CertificationAuthority = @({_literals(certification_authorities)}))\n"


def _main(role: HostRole) -> str:
    call = {
        "ca": f"Get-CertificationAuthorityDocument -Collector '{COLLECTOR}'",
        "connector": f"Get-ConnectorDocument -Collector '{COLLECTOR}' -CertificationAuthority $CertificationAuthority",
    }[role]
    return "\n".join(
        (
            f"$document = {call}",
            "$name = [System.Net.Dns]::GetHostName().ToLowerInvariant()",
            f'$path = Join-Path -Path $PSScriptRoot -ChildPath "{role}-$name.json"',
            "$encoding = New-Object -TypeName 'System.Text.UTF8Encoding' -ArgumentList $false",
            "[System.IO.File]::WriteAllText($path, $document, $encoding)",
            "Write-Output -InputObject $path",
            "",
        )
    )
