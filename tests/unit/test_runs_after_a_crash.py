"""What a killed process or a power cut leaves in a run's folder: a torn line is cut off and kept, a dead lock taken."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from remediate.model.errors import RefusedError
from remediate.runs.folder import RunFolder
from remediate.runs.lock import held
from tests.unit.test_runs import _create, _line

_KILLED = """
import os, signal, sys
from pathlib import Path
from remediate.runs.lock import held
with held(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _run(tmp_path: Path) -> tuple[RunFolder, Path, bytes]:
    run = _create(tmp_path)
    run.append(_line("a"))
    path = run.path / "journal.jsonl"
    return run, path, path.read_bytes()


def test_a_torn_line_is_cut_off_and_kept(tmp_path: Path) -> None:
    run, path, whole = _run(tmp_path)
    path.write_bytes(whole + b'{"at":"2026-11-2')
    assert run.cut_torn_line() == b'{"at":"2026-11-2'
    assert path.read_bytes() == whole
    assert (run.path / "journal.torn").read_bytes() == b'{"at":"2026-11-2\n'
    run.append(_line("b"))
    assert [line.detail for line in run.whole_journal().lines] == ["", "a", "b"]


@pytest.mark.parametrize("left", [1, 40])
def test_a_line_that_the_disk_lost_again_is_one_too(tmp_path: Path, left: int) -> None:
    """The end of the journal knows of the line already."""
    run, path, whole = _run(tmp_path)
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[: first + left])
    assert run.cut_torn_line() == whole[first : first + left]
    assert len(run.whole_journal().lines) == 1


def test_where_nothing_is_torn_nothing_is_done(tmp_path: Path) -> None:
    run, path, whole = _run(tmp_path)
    assert run.cut_torn_line() == b""
    assert path.read_bytes() == whole
    assert not (run.path / "journal.torn").exists()


@pytest.mark.parametrize("deed", ["two lines gone", "edited", "no end"])
def test_a_torn_line_does_not_hide_an_edited_journal(tmp_path: Path, deed: str) -> None:
    run, path, _ = _run(tmp_path)
    run.append(_line("b"))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    torn = {
        "two lines gone": whole[: first + 20],
        "edited": whole.replace(b'"a"', b'"x"') + b'{"a',
        "no end": whole + b'{"a',
    }[deed]
    path.write_bytes(torn)
    if deed == "no end":
        (run.path / "journal.end").unlink()
    with pytest.raises(RefusedError, match="the journal was edited"):
        run.cut_torn_line()
    assert path.read_bytes() == torn
    assert not (run.path / "journal.torn").exists()


def test_the_lock_of_a_killed_process_of_this_machine_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False, timeout=60)
    assert (done.returncode, path.exists()) == (-9, True)
    with held(path, wait=0):
        assert path.read_text().startswith(f"process {os.getpid()} on ")
        with pytest.raises(RefusedError, match="another remediate is at work here"), held(path, wait=0):
            pass
    assert not path.exists()


def test_a_lock_without_a_name_is_taken_over_once_nobody_can_be_making_it(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.touch()
    with pytest.raises(RefusedError), held(path, wait=0):
        pass
    old = time.time() - 60
    os.utime(path, (old, old))
    with held(path, wait=0):
        assert path.read_text()
