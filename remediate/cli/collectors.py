"""The collectors' PowerShell: the same text for a live session and for the files the Windows team runs.

A file is ASCII with CRLF line ends, holds the functions it uses and no other, and its bytes depend on nothing but the
version and the CA hosts it is to reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from remediate import __version__
from remediate.engine.collect import HostRequest
from remediate.facts.documents import Role
from remediate.model.errors import UsageError
from remediate.render.powershell.library import functions_for, script_text
from remediate.render.powershell.literal import literal
from remediate.shipped import scripts_folder

COLLECTOR = f"remediate {__version__}"

# A DNS name or an address.
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,254}")

# Comment-based help: the synopsis, the description, and what an example is followed by.
_HELP: dict[Role, tuple[str, str, str]] = {
    "ca": (
        "Reads the facts of a CA host, for remediate. It changes nothing.",
        """\
Run it on the CA host, in an elevated Windows PowerShell 5.1 or later. It writes ca-<HOST>.json beside itself.
Read that file, then send it back.""",
        "Writes ca-<HOST>.json beside the script.",
    ),
    "connector": (
        "Reads the facts of a connector host, for remediate. It changes nothing.",
        """\
Run it on the connector host, in an elevated Windows PowerShell 5.1 or later. It writes connector-<HOST>.json beside
itself. Read that file, then send it back.
Of the connector's request files it takes names, sizes, times and error codes, never the contents.""",
        "Writes connector-<HOST>.json beside the script.",
    ),
    "directory": (
        "Reads Active Directory from one domain controller, for remediate. It changes nothing.",
        """\
Run it last, on any member of the domain, with ca-*.json and connector-*.json of all hosts beside it: they say whose
accounts and computers to look up. Windows PowerShell 5.1 or later, not elevated, no modules.
It logs on as whoever runs it; any account that may read the directory will do.
It writes directory.json beside them. Read that file, then send all of them back.""",
        "Writes directory.json beside the script.",
    ),
}
_PARAMETERS: dict[Role, dict[str, str]] = {
    "ca": {},
    "connector": {"CertificationAuthority": "The DNS names of the CA hosts to reach: A,B. Without any, none is tried."},
    "directory": {
        "Server": "The domain controller, not one that Windows finds.",
        "Account": "Further accounts to look up, such as CONTOSO\\svc-intune: A,B.",
        "Computer": "Further computers to look up, by DNS name: A,B.",
        "OutputFolder": "Where those files are, not beside the script.",
        "SecureSocketLayer": "Connects by LDAPS (636), not by LDAP that the logon signs and seals (389).",
    },
}

_README = f"""\
The collectors of {COLLECTOR}. They read, they change nothing. In this order:

1. collect-ca.ps1         on every CA host, elevated         writes ca-<HOST>.json
2. collect-connector.ps1  on every connector host, elevated  writes connector-<HOST>.json
   With -CertificationAuthority A,B it also tries to reach these CA hosts, by name and on TCP 135. Where none is named,
   neither there nor by --ca when these files were made, that stays unchecked.
3. Put all of these .json files into one folder, with collect-directory.ps1.
4. collect-directory.ps1  there, on any domain member        writes directory.json
   Without the other files beside it, it does not know whose accounts and computers to look up.
5. Read the .json files, then send that folder back.

Each is one file that needs nothing besides Windows PowerShell 5.1:
    powershell.exe -NoProfile -ExecutionPolicy Bypass -File .\\collect-ca.ps1

Whoever gets the folder runs:
    remediate plan --all --bundle FOLDER --out plan.json
"""


def collector_source(role: Role) -> str:
    """Return the functions of a role and those of scripts/lib that they use. Raises DocumentError."""
    own = _OWN_HELP.sub("", script_text(scripts_folder() / "collect" / f"{role}.ps1"))
    return "\n".join((functions_for(own), own))


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
    return ", ".join(map(literal, hosts))


def collector_files(certification_authorities: Sequence[str] = ()) -> dict[str, bytes]:
    """Return what the Windows team gets, by file name. Raises DocumentError and UsageError."""
    scripts = {f"collect-{role}.ps1": _file(role, certification_authorities) for role in _HELP}
    return {"README.txt": _encoded(_README), **scripts}


def _file(role: Role, certification_authorities: Sequence[str]) -> bytes:
    # A blank line: right behind another comment PowerShell sees no help.
    head = ["#Requires -Version 5.1", "", *_help(role), _parameters(role, certification_authorities), _STRICT]
    return _encoded("\n".join([*head, collector_source(role), _main(role)]))


def _help(role: Role) -> Iterator[str]:
    """The lines of the comment that Get-Help shows."""
    synopsis, description, after = _HELP[role]
    yield from ("<#", ".SYNOPSIS", f"    {synopsis}", ".DESCRIPTION")
    yield from (f"    {line}" for line in description.splitlines())
    for name, text in _PARAMETERS[role].items():
        yield from (f".PARAMETER {name}", f"    {text}")
    yield from (".EXAMPLE", f"    {_RUN}collect-{role}.ps1", f"    {after}")
    yield from (".NOTES", f"    Made by {COLLECTOR}.", "#>")


def _encoded(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("ascii")


_RUN = "powershell.exe -NoProfile -ExecutionPolicy Bypass -File .\\"
# What Get-Help shows of a file of scripts/collect itself.
_OWN_HELP = re.compile(r"\A<#.*?#>\n+", re.DOTALL)
_STRICT = "Set-StrictMode -Version Latest\n$ErrorActionPreference = 'Stop'\n"
# Of the folder the script is in, Windows PowerShell knows nothing yet where parameters get their defaults.
_DIRECTORY_PARAMETERS = """\
[CmdletBinding()]
param(
    [string] $Server = '',
    [string[]] $Account = @(),
    [string[]] $Computer = @(),
    [string] $OutputFolder = '',
    [switch] $SecureSocketLayer
)
"""


def _parameters(role: Role, certification_authorities: Sequence[str]) -> str:
    """Return the param block; a connector's collector may be told other CA hosts when it is run."""
    if role == "ca":
        return "[CmdletBinding()]\nparam()\n"
    if role == "directory":
        return _DIRECTORY_PARAMETERS
    return f"[CmdletBinding()]\nparam([string[]] $CertificationAuthority = @({_literals(certification_authorities)}))\n"


_HOST_FILE = """\
$name = [System.Net.Dns]::GetHostName().ToLowerInvariant()
$path = Join-Path -Path $PSScriptRoot -ChildPath "{role}-$name.json"
"""
_SAVE = """\
$encoding = New-Object -TypeName 'System.Text.UTF8Encoding' -ArgumentList $false
[System.IO.File]::WriteAllText($path, $document, $encoding)
Write-Output -InputObject $path
"""
# With -File, PowerShell takes `A,B` for one text.
_DIRECTORY_MAIN = """\
if ($OutputFolder -eq '') { $OutputFolder = $PSScriptRoot }
$folder = (Get-Item -LiteralPath $OutputFolder -Force).FullName
$request = @{
    Collector         = '{collector} directory.ps1'
    Folder            = $folder
    Server            = $Server
    Account           = @($Account | ForEach-Object -Process { $_.Split(',') })
    Computer          = @($Computer | ForEach-Object -Process { $_.Split(',') })
    SecureSocketLayer = $SecureSocketLayer
}
$document = Get-DirectoryDocument @request
$path = Join-Path -Path $folder -ChildPath 'directory.json'
"""


def _main(role: Role) -> str:
    if role == "directory":
        return _DIRECTORY_MAIN.replace("{collector}", COLLECTOR) + _SAVE
    call = {
        "ca": f"$document = Get-CertificationAuthorityDocument -Collector '{COLLECTOR}'\n",
        "connector": "$hosts = @($CertificationAuthority | ForEach-Object -Process { $_.Split(',') })\n"
        f"$document = Get-ConnectorDocument -Collector '{COLLECTOR}' -CertificationAuthority $hosts\n",
    }[role]
    return call + _HOST_FILE.replace("{role}", role) + _SAVE
