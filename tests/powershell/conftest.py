"""One PowerShell for all runs of generated scripts, and one for all calls of functions, that need none of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.powershell.engine import Engine, FunctionEngine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    found = Engine()
    yield found
    found.close()


@pytest.fixture(scope="session")
def functions() -> Iterator[FunctionEngine]:
    found = FunctionEngine()
    yield found
    found.close()
