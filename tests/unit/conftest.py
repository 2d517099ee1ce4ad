"""A folder of its own for what runs the command line: no settings of whoever runs the tests reach it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def away_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with runs kept in `runs` below it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("REMEDIATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REMEDIATE_RUNS", "runs")
