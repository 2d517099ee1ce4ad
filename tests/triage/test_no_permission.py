"""Paths on the command line that may not be read: each is told by its name, and what is beside it is read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.cli.main import main

HEALTHY = Path(__file__).resolve().parents[2] / "examples" / "contoso-healthy"
NOBODY = 65534


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Path]:
    """A folder in which some paths are closed, while this process has the rights of nobody in particular."""
    if os.name == "nt":
        pytest.skip("Windows has no such modes")
    for name in [name for name in os.environ if name.startswith("REMEDIATE_")]:
        monkeypatch.delenv(name)
    before = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        monkeypatch.chdir(folder)
        shut = _laid_out(folder)
        _import_everything(capfd)
        if before == 0:
            os.setresuid(NOBODY, NOBODY, before)  # access(2) asks the real user
        try:
            yield folder
        finally:
            os.setresuid(before, before, before)
            for path in shut:
                path.chmod(0o700)


def _import_everything(capfd: pytest.CaptureFixture[str]) -> None:
    """Verbs import as they run, and Python itself may lie where nobody in particular may not read."""
    assert main(["triage", "good.txt", "no-logs"]) == 2
    assert main(["plan", "--all", "--bundle", "bundle", "--intune", "bundle/intune", "--playbooks", "own"]) == 0
    capfd.readouterr()


def _laid_out(folder: Path) -> list[Path]:
    (folder / "good.txt").write_text("CCertRequest::Submit 0x800706BA\n", encoding="utf-8")
    (folder / "x.txt").write_text("0x80094812\n", encoding="utf-8")
    for name in ("playbooks", "own"):
        (folder / name).mkdir()
    for name in ("bundle", "no-bundle", "no-intune", "no-logs"):
        shutil.copytree(HEALTHY, folder / name)
    (folder / "no-logs" / "logs").mkdir()
    shutil.copy(folder / "x.txt", folder / "no-logs" / "logs")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    shut = [folder / name for name in ("x.txt", "playbooks", "no-bundle", "no-intune/intune", "no-logs/logs")]
    for path in shut:
        path.chmod(0)
    return shut


@pytest.mark.parametrize("named", ["x.txt", "no-bundle"])
@pytest.mark.parametrize("option", [(), ("--bundle",)])
@pytest.mark.usefixtures("closed")
def test_what_triage_may_not_read_is_one_line_and_the_rest_is_read(
    named: str, option: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["triage", "good.txt", *option, named]) == 1
    told = capfd.readouterr().out
    assert "PROBLEM  The RPC server is unavailable" in told
    unread = [line for line in told.splitlines() if line.startswith("UNREAD")]
    assert len(unread) == 1 and unread[0].startswith(f"UNREAD   {named}: ") and "ermission denied" in unread[0]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--bundle", "no-bundle"), "no-bundle"),
        (("--bundle", "no-intune"), "no-intune/intune"),
        (("--bundle", "bundle", "--intune", "no-intune/intune"), "no-intune/intune"),
        (("--bundle", "bundle", "--playbooks", "playbooks"), "playbooks"),
    ],
)
@pytest.mark.usefixtures("closed")
def test_facts_and_playbooks_that_may_not_be_read_are_named(
    options: tuple[str, ...], named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--all", *options]) == 1
    told = capfd.readouterr().err.splitlines()
    assert len(told) == 1 and told[0].startswith(f"remediate: {named}: ") and "ermission denied" in told[0]


@pytest.mark.parametrize("arguments", [("triage", "good.txt"), ("list",), ("explain", "0x800706BA")])
@pytest.mark.usefixtures("closed")
def test_a_folder_of_playbooks_that_may_not_be_read_is_no_empty_one(
    arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--playbooks", "playbooks"]) == 1
    told = "remediate: playbooks: the folder of playbooks cannot be read (Permission denied). Check who may read it.\n"
    assert capfd.readouterr().err == told


@pytest.mark.usefixtures("closed")
def test_logs_that_may_not_be_read_stop_no_plan(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--all", "--bundle", "no-logs"]) == 0
    assert "no-logs/logs: cannot be opened: Permission denied" in capfd.readouterr().err
