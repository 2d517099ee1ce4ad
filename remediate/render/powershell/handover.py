"""The folder for the Windows team: the scripts of every target, one README in the order of the work, checksums.

Everything in it follows from the plan alone, so two people who make it get the same bytes. All of it is ASCII with
CRLF, but the plan, which is there as it was approved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from textwrap import wrap

from remediate.engine.returned import DIRECTORY
from remediate.model.errors import RefusedError
from remediate.model.plan import Action, Plan
from remediate.render.powershell.script import KINDS, script
from remediate.render.powershell.steps import ScriptTarget, plan_data, script_targets

PLAN_FILE, README_FILE, CHECKSUM_FILE = "plan.json", "README.txt", "SHA256SUMS.txt"

# What may stand in a folder's name: of a host's name, what DNS allows there.
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 80
_WIDTH = 110


def handover(plan: Plan, digest: str, *, sealed: bytes) -> dict[str, bytes]:
    """Return the files by their path below the folder, with `/`. `sealed` are the bytes of the plan's own file.

    Raises RefusedError for a target of which the plan does not say what makes it the right one.
    """
    targets = script_targets(plan)
    for target in targets:
        _check_identity(plan, digest, target)
    files = {PLAN_FILE: sealed, README_FILE: _text(_readme(plan, digest, targets))}
    for folder, target in zip(folders(targets), targets, strict=True):
        files |= {f"{folder}/{kind}.ps1": script(kind, plan, digest, target) for kind in KINDS}
    return files | {CHECKSUM_FILE: _text(_checksums(files))}


def folders(targets: tuple[ScriptTarget, ...]) -> tuple[str, ...]:
    """Return the folders' names, numbered in the order of the work."""
    names = (_NO_NAME.sub("_", target.name)[:_LONGEST_NAME].rstrip(".") for target in targets)
    return tuple(f"{number}-{name}" for number, name in enumerate(names, start=1))


def _check_identity(plan: Plan, digest: str, target: ScriptTarget) -> None:
    """Raise RefusedError: a script must be able to refuse the right name on the wrong server."""
    told = plan_data(plan, digest, target)
    for name, what in _identity_of(target):
        if not told.get(name):
            raise RefusedError(
                f"the plan does not know its {what}, so no script could tell it from another of that name",
                where=target.name, do="Let it be read (remediate collect says what is missing), then plan again.",
            )  # fmt: skip


def _identity_of(target: ScriptTarget) -> Iterator[tuple[str, str]]:
    if target.host:
        yield "MachineGuid", "MachineGuid"
    if target.is_ca:
        yield "CertificateThumbprint", "CA certificate's thumbprint"
    if not target.host or target.needs:
        yield "DomainGuid", "domain's objectGUID"


def _text(lines: Iterator[str]) -> bytes:
    return ("\r\n".join(_plain(line).rstrip() for line in lines) + "\r\n").encode("ascii")


def _plain(text: str) -> str:
    """A line in ASCII: names come from elsewhere, and may hold what breaks a line or an old editor."""
    return "".join(one if " " <= one <= "~" else ascii(one)[1:-1] for one in text)


def _checksums(files: dict[str, bytes]) -> Iterator[str]:
    for path in sorted(files):
        yield f"{hashlib.sha256(files[path]).hexdigest()}  {path}"


def _readme(plan: Plan, digest: str, targets: tuple[ScriptTarget, ...]) -> Iterator[str]:
    yield "An approved change, as scripts"
    yield "=============================="
    yield ""
    yield f"Plan      {digest}"
    yield f"Made      from facts of {plan.created}, by remediate {plan.remediate}"
    yield f"Valid     until {plan.expires_at}; later change.ps1 refuses"
    if plan.not_before or plan.not_after:
        yield f"Window    {plan.not_before} to {plan.not_after}; outside it change.ps1 refuses"
    yield ""
    yield from _ORDER
    for folder, target in zip(folders(targets), targets, strict=True):
        yield ""
        yield from _target(folder, target)
    yield ""
    yield from _ENDING


def _target(folder: str, target: ScriptTarget) -> Iterator[str]:
    yield folder
    yield from _wrapped("run it", _place(target))
    for number, right in enumerate(dict.fromkeys(action.rights for action in target.actions if action.rights)):
        yield from _wrapped("" if number else "needs", right)
    if target.needs:
        needed = ", ".join(f"{action.id}. {action.label}" for action in target.needs)
        yield from _wrapped("after", f"{needed}, and its replication; change.ps1 looks for it first")
    for number, action in enumerate(target.actions):
        yield from _wrapped("" if number else "changes", f"{action.id}. {action.label}")
        yield from _remarks(action)
    if not any(action.disruption for action in target.actions):
        yield from _wrapped("interrupts", "nothing")


def _place(target: ScriptTarget) -> str:
    if target.name == DIRECTORY:
        return "on any domain member, as an account that may write these objects; it need not be elevated"
    return f"on {target.host}, in an elevated PowerShell"


def _remarks(action: Action) -> Iterator[str]:
    if action.disruption:
        yield from _wrapped("", f"interrupts: {action.disruption}", indent=3)
    if action.takes_effect:
        yield from _wrapped("", f"takes effect: {action.takes_effect}", indent=3)
    if action.undo_missing:
        yield from _wrapped("", f"rollback.ps1 cannot undo it: {action.undo_missing}", indent=3)


def _wrapped(title: str, text: str, *, indent: int = 0) -> list[str]:
    """Lines of at most 110 signs, words whole."""
    head = f"    {title:<10} {'':<{indent}}"
    return wrap(
        _plain(text), _WIDTH, initial_indent=head, subsequent_indent=" " * (len(head) + 3), break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


_ORDER = (
    "Run the folders in this order, each to its end. In each of them:",
    "",
    "    1. change.ps1 -WhatIf   shows what would be written, and writes nothing",
    "    2. change.ps1           reads everything, asks before each change, writes it and reads it back",
    "    3. verify.ps1           reads it again; it changes nothing",
    "    -  rollback.ps1         only where something went wrong: undoes what change.ps1 did, from result.json",
)
_ENDING = (
    "Before the first",
    "    Copy this folder to a local disk. If it came by mail or a browser, in PowerShell:",
    "        Get-ChildItem -Recurse -File | Unblock-File",
    "    To compare the files with SHA256SUMS.txt, before anybody signs them; silence is good:",
    "        foreach ($line in Get-Content -Path .\\SHA256SUMS.txt) {",
    "            $sum, $path = $line -split '  ', 2",
    '            if ((Get-FileHash -LiteralPath $path).Hash -ne $sum) { "DIFFERS: $path" }',
    "        }",
    "    Where AllSigned is in force, sign them; a signature changes nothing in what they do.",
    "",
    "To run one, in its own folder, in PowerShell",
    "    .\\change.ps1 -WhatIf",
    "    .\\change.ps1",
    "    .\\verify.ps1",
    "or in cmd.exe",
    "    powershell -NoProfile -ExecutionPolicy RemoteSigned -File .\\change.ps1 -WhatIf",
    "    powershell -NoProfile -ExecutionPolicy RemoteSigned -File .\\change.ps1",
    "    powershell -NoProfile -ExecutionPolicy RemoteSigned -File .\\verify.ps1",
    "Where nobody can answer, -Confirm:$false answers every question with yes. In cmd.exe or a scheduled task it must",
    "be written so, for Windows PowerShell passes no $false on to a file that it was given by -File:",
    "    powershell -NoProfile -ExecutionPolicy RemoteSigned"
    ' -Command "& .\\change.ps1 -Confirm:$false; exit $LASTEXITCODE"',
    "",
    "Exit codes",
    "    0  done, or nothing to do; verify.ps1: as wanted",
    "    1  something could not be read; nothing was changed",
    "    2  verify.ps1: the problem stands; with -WhatIf: there is something to do",
    "    3  refused, and the reason is said; nothing was changed",
    "    4  stopped part-way; result.json says where. Run change.ps1 again: it goes on from there.",
    "",
    "Send back",
    "    every *.json that a script wrote, also after a failure: result.json, verify-result.json,",
    "    rollback-result.json, and what is called *.refused.json. Do not edit them: they carry a checksum.",
)
