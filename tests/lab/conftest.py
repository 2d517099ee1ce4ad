"""Fixtures of the tests that apply a plan. A module with `CONNECTOR = True` has changes of the connector host too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.change_window import ChangeWindow, change_window
from tests.lab.estate import Lab


@pytest.fixture(scope="module")
def planned(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[ChangeWindow]:
    """One plan for all tests of a module."""
    with change_window(lab, tmp_path_factory.mktemp("window"), connector=_has_connector(request)) as window:
        yield window


@pytest.fixture
def window(planned: ChangeWindow, request: pytest.FixtureRequest) -> ChangeWindow:
    """The same plan in an estate as it was approved for, with runs of this test alone."""
    if _has_connector(request):
        planned.estate.change_defender(exclude=[r"C:\Data"])
    return planned.again(request.node.name)


def _has_connector(request: pytest.FixtureRequest) -> bool:
    return bool(getattr(request.module, "CONNECTOR", False))
