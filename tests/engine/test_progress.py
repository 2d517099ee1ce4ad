"""Hosts are read side by side, and a terminal shows all of them while they are; a pipe gets nothing of that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("127.0.0.2", "127.0.0.3")
REFUSED = ("run", "--dry-run", "--dc", "127.0.0.1", "--ca", HOSTS[0], "--connector", HOSTS[1])

# Each host answers only when the other is being read as well, and long enough after that for a frame to be drawn.
SIDE_BY_SIDE = """
import threading, time
from remediate.cli.facts import progress
from remediate.engine.collect import Wanted, collect
from remediate.model.errors import TransportError

both = threading.Barrier(2, timeout=20)

def read(request):
    both.wait()
    time.sleep(0.5)
    raise TransportError("access is denied")

with progress() as told:
    collect(None, read, wanted=Wanted(certification_authorities=("ca01",), connectors=("conn1",)), progress=told)
"""


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATE_")}
    return {**own, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100", "LINES": "25"}


def _on_a_terminal(*command: str, folder: Path) -> str:
    """Return what the program writes to stderr when that is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs
    ) as program:
        os.close(theirs)
        told = b"".join(iter(lambda: _some(ours), b""))
        program.wait(timeout=60)
    os.close(ours)
    return told.decode()


def _some(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # EIO: nobody holds the other end any more
        return b""


def _without_controls(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_hosts_are_read_side_by_side_and_shown_together(tmp_path: Path) -> None:
    told = _without_controls(_on_a_terminal(sys.executable, "-c", SIDE_BY_SIDE, folder=tmp_path))
    assert re.search(r"ca01: reading\s+\S+ conn1: reading", told), told
    assert "conn1: access is denied" in told


def test_the_program_shows_the_hosts_by_name_and_takes_the_display_away(tmp_path: Path) -> None:
    told = _on_a_terminal(sys.executable, "-m", "remediate", *REFUSED, folder=tmp_path)
    assert all(f"{host}: " in _without_controls(told) for host in HOSTS)
    assert "\x1b[?25l" in told, "the cursor is hidden while the display is drawn"
    assert "\x1b[?25h" in told, "and comes back"
    assert "\x1b[2K" in told, "what was drawn is erased"


def test_a_pipe_gets_no_display(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "remediate", *REFUSED)
    done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=_environment(), timeout=60, check=False)
    assert done.returncode == 1
    told = done.stderr.decode()
    assert "\x1b" not in told
    assert all(line.startswith("remediate: ") for line in told.splitlines()), told
    assert [line for line in told.splitlines() if HOSTS[0] in line], "its failure is still told"
    assert "reading" not in told


def test_nothing_is_shown_for_facts_that_are_on_the_disk(tmp_path: Path) -> None:
    bundle = str(ROOT / "examples" / "contoso-healthy")
    command = (sys.executable, "-m", "remediate", "run", "--dry-run", "--bundle", bundle)
    assert _on_a_terminal(*command, folder=tmp_path) == ""
