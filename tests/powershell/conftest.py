"""One PowerShell for all runs of generated scripts that need none of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.powershell.handover import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    found = Engine()
    yield found
    found.close()
