"""Thumbprints: what Windows calls a certificate, the SHA-1 of its DER in upper-case hexadecimal digits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def thumbprints(certificates: Iterable[bytes]) -> frozenset[str]:
    """Return the thumbprints of certificates that are given as DER."""
    return frozenset(hashlib.sha1(der, usedforsecurity=False).hexdigest().upper() for der in certificates)


def as_thumbprint(text: str) -> str:
    """Return a thumbprint as registry and consoles write it, with blanks or in lower case, without these."""
    return "".join(text.split()).upper()
