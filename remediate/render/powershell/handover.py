"""The folder for the Windows team: the scripts of every target, one README in the order of the work, checksums.

Everything in it follows from the plan alone, so two people who make it get the same bytes. All of it is ASCII with
CRLF, but the plan, which is there as it was approved.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from remediate.model.errors import RefusedError
from remediate.model.plan import Plan
from remediate.render.powershell.readme import readme
from remediate.render.powershell.script import KINDS, script
from remediate.render.powershell.steps import ScriptTarget, plan_data, script_targets

PLAN_FILE, README_FILE, CHECKSUM_FILE = "plan.json", "README.txt", "SHA256SUMS.txt"

# What may stand in a folder's name: of a host's name, what DNS allows there.
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME = 80


def handover(plan: Plan, digest: str, *, sealed: bytes) -> dict[str, bytes]:
    """Return the files by their path below the folder, with `/`. `sealed` are the bytes of the plan's own file.

    Raises RefusedError for a target of which the plan does not say what makes it the right one.
    """
    targets = script_targets(plan)
    for target in targets:
        _check_identity(plan, digest, target)
    named = tuple(zip(folders(targets), targets, strict=True))
    files = {PLAN_FILE: sealed, README_FILE: _text(readme(plan, digest, named))}
    for folder, target in named:
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
    return ("\r\n".join(line.rstrip() for line in lines) + "\r\n").encode("ascii")


def _checksums(files: dict[str, bytes]) -> Iterator[str]:
    for path in sorted(files):
        yield f"{hashlib.sha256(files[path]).hexdigest()}  {path}"
