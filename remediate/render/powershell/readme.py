"""The README of a hand-over, for whoever has never heard of this program: what for, in which order, what each folder
interrupts, how to take it back, what to send back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediate.model.plan import DIRECTORY, RESTART, Plan, directory_of
from remediate.render.powershell.header import needed, rights, where
from remediate.render.powershell.paragraphs import Told, titled
from remediate.render.powershell.reasons import reasons
from remediate.render.powershell.steps import ScriptTarget, entries

Folder = tuple[str, ScriptTarget]
"""The name of a target's folder, and the target."""

_MARGIN = "    "
_ESCAPED = "\\u{"


def readme(plan: Plan, digest: str, folders: tuple[Folder, ...]) -> Iterator[str]:
    """Yield its lines, in ASCII; `folders` are in the order in which they are run."""
    lines = [*_about(plan, digest), "", *_BEFORE, "", *_ORDER]
    for folder, target in folders:
        lines += ["", folder, *_folder(plan, target)]
    lines += ["", *_RUNNING, "", *_interrupted(folders), "", *_taking_back(folders), "", *_ENDING]
    if any(_ESCAPED in line for line in lines):
        lines += ["", *_ESCAPES]
    yield from lines


def _about(plan: Plan, digest: str) -> Iterator[str]:
    yield "An approved change, as scripts"
    yield "=============================="
    yield ""
    yield "Plain Windows PowerShell 5.1 (or 7, on Windows), to be read before it is run. No module is needed that"
    yield "the server does not have, nor the program that made them. Get-Help .\\change.ps1 -Full tells the rest."
    yield ""
    yield from titled("Plan", (Told(digest),))
    yield from titled("Made", (Told(f"from facts of {plan.created}, by remediate {plan.remediate}"),))
    directory = directory_of(plan)
    if directory:
        domain = directory.identity.get("domain", "")
        read = f"read from {directory.name}"
        yield from titled("Domain", (Told(f"{domain}, {read}" if domain else read),))
    yield from titled("Valid", (Told(f"until {plan.expires_at} (UTC); later change.ps1 refuses"),))
    if plan.not_before or plan.not_after:
        told = f"{plan.not_before} to {plan.not_after} (UTC); outside it change.ps1 refuses"
        yield from titled("Window", (Told(told),))
    yield from titled("For", reasons(plan, plan.actions, evidence=False))


def _folder(plan: Plan, target: ScriptTarget) -> Iterator[str]:
    told = {
        "run it": list(_place(plan, target)),
        "needs": [Told(right) for right in rights(target)],
        "after": [Told(needed(plan, target))] if target.needs else [],
        "changes": list(_changes(target)),
        "interrupts": [Told(text) for text in _interruptions(target)],
    }
    for title, paragraphs in told.items():
        yield from titled(title, paragraphs, margin=_MARGIN)


def _place(plan: Plan, target: ScriptTarget) -> Iterator[Told]:
    first, *others = where(plan, target)
    yield Told(f"on {first}")
    yield from map(Told, others)
    if target.name == DIRECTORY:
        yield Told("as an account that may write these objects; it need not be elevated")
    else:
        yield Told("in an elevated PowerShell, 64 bits")


def _changes(target: ScriptTarget) -> Iterator[Told]:
    for action in target.actions:
        yield Told(f"{action.id}. {action.label}")
        yield from (Told(line, 3) for line in entries(action))
        if action.takes_effect:
            yield Told(f"takes effect: {action.takes_effect}", 3)
        if action.undo_missing:
            yield Told(f"rollback.ps1 cannot undo it: {action.undo_missing}", 3)


def _interruptions(target: ScriptTarget) -> Iterable[str]:
    return [f"{one.id}. {one.disruption}" for one in target.actions if one.disruption] or ["nothing"]


def _interrupted(folders: Iterable[Folder]) -> Iterator[str]:
    yield from _AGAIN
    if any(action.kind == RESTART for _, target in folders for action in target.actions):
        yield from _OWED


def _taking_back(folders: tuple[Folder, ...]) -> Iterator[str]:
    yield from _BACK
    for number, (folder, target) in enumerate(reversed(folders), start=1):
        interrupted = "; ".join(_interruptions_of_undoing(target))
        told = [Told(folder), Told(f"interrupts: {interrupted or 'nothing'}", 3)]
        stays = [one for one in target.actions if one.undo_missing]
        told += [Told(f"stays: {one.id}. {one.label}: {one.undo_missing}", 3) for one in stays]
        yield from titled(f"{number}.", told, margin=_MARGIN, column=4)


def _interruptions_of_undoing(target: ScriptTarget) -> Iterator[str]:
    restarted = any(action.restarts for action in target.actions)
    for action in target.actions:
        if action.kind == RESTART and restarted:
            yield f"one restart of CertSvc, {action.disruption}"
        if action.kind == "start_service":
            yield "CertSvc, which is stopped again: no certificates and no revocation lists from then on"


_BEFORE = (
    "Before you begin",
    "    Each folder is for people who have the rights that it needs. They copy it to a local disk of the machine that",
    "    it is run on: the record of what was done is written beside the script. No other folder is needed there.",
    "    If it came by mail or a browser, in PowerShell, in this folder:",
    "        Get-ChildItem -Recurse -File | Unblock-File",
    "    To compare the files with SHA256SUMS.txt, in this folder, before anybody signs them; silence is good:",
    "        foreach ($line in Get-Content -Path .\\SHA256SUMS.txt) {",
    "            $sum, $path = $line -split '  ', 2",
    '            if ((Get-FileHash -LiteralPath $path).Hash -ne $sum) { "DIFFERS: $path" }',
    "        }",
    "    Where AllSigned is in force, sign them with your certificate; a signature changes nothing in what they do:",
    "        $certificate = Get-ChildItem -Path Cert:\\CurrentUser\\My -CodeSigningCert | Select-Object -First 1",
    "        Get-ChildItem -Recurse -Filter *.ps1 |",
    "            Set-AuthenticodeSignature -Certificate $certificate -HashAlgorithm SHA256",
)
_ORDER = (
    "The order",
    "    Run the folders in this order, each to its end. In each of them:",
    "",
    "    1. change.ps1 -WhatIf   shows what would be written, and writes nothing",
    "    2. change.ps1           reads everything, asks before each change, writes it and reads it back",
    "    3. verify.ps1           reads it again; it changes nothing",
    "    -  rollback.ps1         only to take it back: undoes what change.ps1 did, from result.json",
    "",
    "    The numbers of the changes are those of the plan that was approved.",
)
_RUNNING = (
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
    " -Command \"$ErrorActionPreference = 'Stop'; & .\\change.ps1 -Confirm:$false; exit $LASTEXITCODE\"",
)
_AGAIN = (
    "If it was interrupted (a kill, a power cut, exit code 4)",
    "    Run change.ps1 again, in the same folder, with result.json beside it: it reads everything first, leaves alone",
    "    what is done, and finishes what is missing.",
)
_OWED = (
    "    A restart of CertSvc that is still owed is part of that. A new plan does not make up for it: it finds the",
    "    values as wanted, and cannot see that the service has not read them yet. Where change.ps1 no longer runs (the",
    "    plan has expired), restart the service by hand, elevated, and say so when you send the records back:",
    "        Restart-Service -Name CertSvc",
)
_BACK = (
    "To take it back",
    "    In the opposite order, where change.ps1 was run: rollback.ps1 -WhatIf, then rollback.ps1, in the folder with",
    "    the result.json that change.ps1 wrote. It undoes what that run changed, and nothing else. It does not expire.",
    "    It takes the same rights as change.ps1.",
)
_ENDING = (
    "Exit codes",
    "    0  done, or nothing to do; verify.ps1: as wanted",
    "    1  something could not be read; nothing was changed. verify.ps1: or result.json is not there to tell of the",
    "       restart",
    "    2  verify.ps1: the problem stands; with -WhatIf: there is something to do",
    "    3  refused, and the reason is said; nothing was changed",
    "    4  stopped part-way; result.json says where. Run change.ps1 again: it goes on from there.",
    "",
    "Send back",
    "    every *.json that a script wrote, also after a failure: result.json, verify-result.json,",
    "    rollback-result.json, and what is called *.refused.json. Do not edit them: they carry a checksum.",
    "    Best is the whole folder as a .zip file; it holds no passwords.",
)
_ESCAPES = (
    "Letters beyond ASCII stand in these texts as their number: \\u{e4} is U+00E4. What the scripts write is whole.",
)
