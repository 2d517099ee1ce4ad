"""A sealed plan as its file holds it."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import msgspec

from remediate.cli.output import contents
from remediate.model.errors import DocumentError
from remediate.model.plan import Plan, unseal


class Sealed(msgspec.Struct, frozen=True):
    """A plan with its file's bytes (but for a byte order mark), its digest and where it came from."""

    plan: Plan
    text: bytes
    digest: str
    where: str


def read_sealed(path: Path) -> Sealed:
    """Return the plan of a file. Raises DocumentError, and PlanEdited when somebody changed it."""
    try:
        text = contents(path)
    except OSError as error:
        why = error.strerror or ""
        raise DocumentError("cannot be read", where=str(path), why=why, do="Check the path.") from error
    return unsealed(text, where=str(path))


def unsealed(text: bytes, *, where: str) -> Sealed:
    """Return the plan of a file's bytes. Raises as `read_sealed`."""
    plan, digest = unseal(text, where=where)
    return Sealed(plan, text.removeprefix(BOM_UTF8), digest, where)
