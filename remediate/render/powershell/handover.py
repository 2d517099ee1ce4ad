"""The folder for the Windows team: the scripts of every target, one README in the order of the work, checksums.

Everything in it follows from the plan alone, so two people who make it get the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from remediate.model.plan import Plan
from remediate.render.powershell.script import KINDS, script
from remediate.render.powershell.steps import DIRECTORY, ScriptTarget, script_targets

PLAN_FILE, README_FILE, CHECKSUM_FILE = "plan.json", "README.txt", "SHA256SUMS.txt"


def handover(plan: Plan, digest: str, *, sealed: bytes) -> dict[str, bytes]:
    """Return the files by their path below the folder, with `/`. `sealed` are the bytes of the plan's own file."""
    targets = script_targets(plan)
    files = {PLAN_FILE: sealed, README_FILE: _text(_readme(plan, digest, targets))}
    for folder, target in zip(folders(targets), targets, strict=True):
        files |= {f"{folder}/{kind}.ps1": script(kind, plan, digest, target) for kind in KINDS}
    return files | {CHECKSUM_FILE: _text(_checksums(files))}


def folders(targets: tuple[ScriptTarget, ...]) -> tuple[str, ...]:
    """Return the folders' names, numbered in the order of the work."""
    return tuple(f"{number}-{target.name}" for number, target in enumerate(targets, start=1))


def _text(lines: Iterator[str]) -> bytes:
    return ("\r\n".join(line.rstrip() for line in lines) + "\r\n").encode("ascii", "backslashreplace")


def _checksums(files: dict[str, bytes]) -> Iterator[str]:
    for path in sorted(files):
        yield f"{hashlib.sha256(files[path]).hexdigest()}  {path}"


def _readme(plan: Plan, digest: str, targets: tuple[ScriptTarget, ...]) -> Iterator[str]:
    yield "An approved change, as scripts"
    yield "=============================="
    yield ""
    yield f"Plan      {digest}"
    yield f"Made      from facts of {plan.created}, by remediate {plan.remediate}"
    yield f"Valid     until {plan.expires_at}; later the scripts refuse"
    if plan.not_before or plan.not_after:
        yield f"Window    {plan.not_before} to {plan.not_after}"
    yield ""
    yield "Run these in this order. In each folder: change.ps1 -WhatIf shows what would be written, change.ps1 asks"
    yield "before each change and writes it, verify.ps1 reads it again, rollback.ps1 undoes what change.ps1 did."
    for folder, target in zip(folders(targets), targets, strict=True):
        yield ""
        yield from _target(folder, target)
    yield ""
    yield from _ENDING


def _target(folder: str, target: ScriptTarget) -> Iterator[str]:
    where = (
        "on any member of the domain, as somebody who may write these objects"
        if target.name == DIRECTORY
        else f"on {target.host}, in an elevated PowerShell"
    )
    yield folder
    yield f"    run it    {where}"
    for right in dict.fromkeys(action.rights for action in target.actions if action.rights):
        yield f"    needs     {right}"
    if target.needs:
        yield f"    after     {', '.join(action.label for action in target.needs)}; it looks for that first"
    for number, action in enumerate(target.actions):
        yield f"    {'' if number else 'changes':<9} {action.id}. {action.label}"
        if action.disruption:
            yield f"                 {action.disruption}"


_ENDING = (
    "How to run one, from its folder:",
    "",
    "    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\\change.ps1 -WhatIf",
    "    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\\change.ps1",
    "    powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File .\\verify.ps1",
    "",
    "Where nobody sits at a console, -Confirm:$false answers every question with yes.",
    "If the files came by mail or a browser: Get-ChildItem -Recurse | Unblock-File.",
    "Where AllSigned is in force, sign them; a signature changes nothing in what they do.",
    "SHA256SUMS.txt holds the checksums of the files as they were made: compare with Get-FileHash before signing.",
    "",
    "Send back every result.json, rollback-result.json and verify-result.json, also after a failure.",
)
