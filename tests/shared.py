"""Where data that others produced is found: beside the checkout, or where REMEDIATE_SHARED says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _found() -> Path | None:
    named = os.environ.get("REMEDIATE_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if (folder / "material").is_dir() else None


SHARED: Path | None = _found()

needs_shared = pytest.mark.skipif(SHARED is None, reason="the shared material is not beside the checkout")
