"""The lab as fixtures: `lab` is started once for the whole run, `fresh_lab` is the same one with empty records."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.estate import Lab, obstacle, start_lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab; outside its namespaces the test is skipped, and fails where CI says that nothing may be."""
    if problem := obstacle():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(problem)
    with start_lab() as running:
        yield running


@pytest.fixture
def fresh_lab(lab: Lab) -> Iterator[Lab]:
    """The lab with nothing recorded and nothing planned to fail; registries and states are put back afterwards."""
    lab.reset()
    with lab.restored():
        yield lab
    lab.reset()
