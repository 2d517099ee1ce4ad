"""Run folders on a real disk: whole or not there, edited and torn ones refused, one writer at a time, no room."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remediate.cli.main import main
from remediate.model.errors import DocumentError, RefusedError, UsageError
from remediate.model.journal import JournalLine, line_hash
from remediate.model.plan import PlanEdited, digest, seal
from remediate.runs.disk import append_whole, overwrite, write_whole
from remediate.runs.folder import RunFolder, alone, runs, state_folder
from remediate.runs.lock import held, owner
from tests.unit.result_material import PLAN

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
SEALED, DIGEST = seal(PLAN), digest(PLAN)
POSIX = pytest.mark.skipif(os.name == "nt", reason="modes, limits and accounts of POSIX")


def _line(detail: str = "") -> JournalLine:
    return JournalLine(at="2026-11-23T10:00:00Z", event="opened", source="import", detail=detail)


def _create(root: Path, now: datetime = NOW) -> RunFolder:
    return RunFolder.create(root, sealed=SEALED, opened=_line(), digest=DIGEST, now=now)


def test_the_state_folder_is_where_the_system_keeps_such_things(tmp_path: Path) -> None:
    def found(windows: bool, **environment: str) -> Path:
        return state_folder(environment, home=tmp_path, windows=windows)

    assert found(False) == tmp_path / ".local" / "state" / "remediate" / "runs"
    assert found(False, XDG_STATE_HOME="/x", LOCALAPPDATA="/y") == Path("/x/remediate/runs")
    assert found(True, XDG_STATE_HOME="/x", LOCALAPPDATA="/y") == Path("/y/remediate/runs")
    assert found(True) == tmp_path / "AppData" / "Local" / "remediate" / "runs"


@pytest.mark.parametrize("windows", [False, True])
def test_an_account_without_a_home_is_told_what_to_set(windows: bool) -> None:
    named = {"LOCALAPPDATA": "/x", "XDG_STATE_HOME": "/x"}
    assert state_folder(named, home=None, windows=windows) == Path("/x/remediate/runs")
    with pytest.raises(UsageError, match=r"HOME|USERPROFILE") as caught:
        state_folder({}, home=None, windows=windows)
    assert "--runs DIR" in str(caught.value)


@POSIX
def test_an_account_without_a_home_gets_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "REMEDIATE_RUNS"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_number: int) -> None:
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", nobody)  # the account of the tests has an entry
    assert main(["runs"]) == 64
    told = capfd.readouterr().err
    assert "the folder of runs cannot be found" in told and "Set HOME, or give --runs DIR." in told


def test_a_run_holds_its_plan_byte_for_byte(tmp_path: Path) -> None:
    run = _create(tmp_path / "state" / "runs")
    assert run.name == f"20261123T100000Z-{DIGEST[:8]}"
    assert (run.path / "plan.json").read_bytes() == run.sealed() == SEALED
    assert run.plan() == (PLAN, DIGEST)
    assert [line.event for line in run.journal().lines] == ["opened"]
    assert [one.path for one in runs(tmp_path / "state" / "runs")] == [run.path]


@POSIX
def test_a_run_is_its_owners_alone(tmp_path: Path) -> None:
    run = _create(tmp_path / "runs")
    for path in (tmp_path / "runs", run.path, run.path / "results"):
        assert path.stat().st_mode & 0o077 == 0


def test_runs_are_listed_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    assert list(runs(tmp_path / "none")) == []
    later, earlier = _create(tmp_path, NOW.replace(hour=11)), _create(tmp_path)
    (tmp_path / "somebody's folder").mkdir()
    (tmp_path / "a file").write_text("")
    (tmp_path / ".half.new").mkdir()
    (tmp_path / ".half.new" / "plan.json").write_bytes(SEALED)
    assert [run.name for run in runs(tmp_path)] == [earlier.name, later.name]


def test_two_runs_of_a_plan_at_one_second_are_refused(tmp_path: Path) -> None:
    run = _create(tmp_path)
    with pytest.raises(RefusedError, match="this very second"):
        _create(tmp_path)
    assert run.journal().lines


def test_what_a_killed_process_left_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / f".20261123T100000Z-{DIGEST[:8]}.new"
    half.mkdir()
    (half / "plan.json").write_text("half")
    assert _create(tmp_path).sealed() == SEALED
    assert not half.exists()


def test_lines_are_appended_to_the_chain(tmp_path: Path) -> None:
    run = _create(tmp_path)
    run.append(_line("a"), _line("b"))
    run.append(_line("c"))
    assert [line.detail for line in run.whole_journal().lines] == ["", "a", "b", "c"]
    rows = (run.path / "journal.jsonl").read_bytes().splitlines()
    assert run.journal().lines[-1].previous == line_hash(rows[-2])
    assert {path.name for path in run.path.iterdir()} == {"plan.json", "journal.jsonl", "journal.end", "results"}


def test_an_edited_plan_is_told(tmp_path: Path) -> None:
    run = _create(tmp_path)
    (run.path / "plan.json").write_bytes(SEALED.replace(b"change 1", b"change 7"))
    with pytest.raises(PlanEdited) as raised:
        run.plan()
    assert raised.value.where == str(run.path / "plan.json")


@pytest.mark.parametrize("deed", ["edit", "first", "last", "all", "end", "no end"])
def test_an_edited_journal_is_read_so_far_and_never_continued(tmp_path: Path, deed: str) -> None:
    run = _create(tmp_path)
    run.append(_line("a"), _line("b"))
    path, end = run.path / "journal.jsonl", run.path / "journal.end"
    rows = path.read_bytes().splitlines(keepends=True)
    changed = {
        "edit": [rows[0], rows[1].replace(b'"a"', b'"z"'), rows[2]],
        "first": rows[1:],
        "last": rows[:-1],
        "all": [],
    }
    path.write_bytes(b"".join(changed.get(deed, rows)))
    if deed == "end":
        end.write_bytes(b"3 " + b"0" * 64 + b"\n")
    if deed == "no end":
        end.unlink()
    before = path.read_bytes()
    assert run.journal().broken
    for do in (run.whole_journal, lambda: run.append(_line("c"))):
        with pytest.raises(RefusedError, match="the journal was edited") as raised:
            do()
        assert raised.value.where == str(path)
        assert raised.value.why
    assert path.read_bytes() == before
    assert not (run.path / "journal.lock").exists()


def test_a_torn_last_line_is_told_and_can_be_cut_off(tmp_path: Path) -> None:
    run = _create(tmp_path)
    run.append(_line("a"))
    path = run.path / "journal.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"at":"2026-11-2')
    assert (run.journal().torn, len(run.journal().lines)) == (True, 2)
    with pytest.raises(RefusedError, match="not written to its end") as raised:
        run.append(_line("b"))
    assert "Cut what stands behind the last line feed off" in str(raised.value)
    path.write_bytes(whole)
    run.append(_line("b"))
    assert len(run.whole_journal().lines) == 3


def test_a_line_whose_end_was_not_written_any_more_is_continued(tmp_path: Path) -> None:
    run = _create(tmp_path)
    end = (run.path / "journal.end").read_bytes()
    run.append(_line("a"))
    (run.path / "journal.end").write_bytes(end)  # a power cut between the two writes
    run.append(_line("b"))
    assert [line.detail for line in run.whole_journal().lines] == ["", "a", "b"]


@pytest.mark.parametrize("name", ["plan.json", "journal.jsonl"])
def test_what_is_missing_is_told(tmp_path: Path, name: str) -> None:
    run = _create(tmp_path)
    (run.path / name).unlink()
    with pytest.raises(DocumentError) as raised:
        run.plan() if name == "plan.json" else run.append(_line())
    assert raised.value.where == str(run.path / name)
    assert "cannot be read" in str(raised.value)


def test_a_result_is_kept_as_it_came_and_twice_is_once(tmp_path: Path) -> None:
    run = _create(tmp_path)
    run.keep_result("a.json", b"\x00\r\n")
    (run.path / "results" / "b.json").write_bytes(b"half")
    for name in ("a.json", "b.json"):
        run.keep_result(name, b"\x00\r\n")
    assert {path.name: path.read_bytes() for path in (run.path / "results").iterdir()} == {
        "a.json": b"\x00\r\n", "b.json": b"\x00\r\n",
    }  # fmt: skip


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(DocumentError) as raised:
            _create(place)
        assert "Name another folder with --runs." in str(raised.value)
        with pytest.raises(DocumentError), alone(place, DIGEST):
            pass


def test_many_writers_lose_no_line(tmp_path: Path) -> None:
    run = _create(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: RunFolder(run.path).append(_line(str(number)), _line(str(number))), range(24)))
    journal = run.whole_journal()
    details = [line.detail for line in journal.lines[1:]]
    assert sorted(details) == sorted(str(number) for number in range(24) for _ in range(2))
    assert details[::2] == details[1::2], "what was appended together stands together"


def test_a_lock_that_is_held_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with held(path), pytest.raises(RefusedError) as raised, held(path, wait=0.1):
        pass
    assert f"process {os.getpid()} on " in str(raised.value)
    assert "another remediate is at work here" in str(raised.value)
    assert not path.exists()
    with held(path, wait=0):
        assert path.exists()


def test_whose_a_lock_is_can_be_asked_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    assert owner(path) == ""
    with held(path):
        assert owner(path).startswith(f"process {os.getpid()} on ")
    assert owner(path) == ""
    path.write_text("process 4711 on ws7 since 2026-11-23T10:00:00Z")
    assert owner(path).startswith("process 4711 on ws7"), "another machine's may live"
    path.write_text(f"process 4711 on {platform.node()} since 2026-11-23T10:00:00Z")
    assert owner(path) == "", "that process has ended"
    with held(path, wait=0):
        assert owner(path).startswith(f"process {os.getpid()} on ")


def test_a_lock_that_was_left_behind_is_said_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("process 4711 on ws7 since 2026-11-23T10:00:00Z")
    old = time.time() - 3600
    os.utime(path, (old, old))
    with pytest.raises(RefusedError) as raised, held(path, wait=0):
        pass
    assert str(raised.value) == (
        f"{path}: a lock was left behind here (process 4711 on ws7 since 2026-11-23T10:00:00Z). "
        "If that process is gone, delete this file and run it again."
    )
    assert path.exists()


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    path.write_text("soon gone")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_end_soon, path)
        with held(path, wait=10):
            assert path.read_text().startswith("process ")


def _end_soon(path: Path) -> None:
    time.sleep(0.2)
    path.unlink()


def test_a_lock_where_nobody_may_write_is_told(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be written"), held(tmp_path / "none" / "x.lock", wait=0):
        pass


def test_a_failing_block_gives_its_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with pytest.raises(KeyboardInterrupt), held(path):
        raise KeyboardInterrupt
    assert not path.exists()


# A limit on the size of files stands in for a full disk: the system writes a part and then says no.
_NO_ROOM = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from remediate.model.errors import DocumentError
from remediate.runs.folder import RunFolder
from tests.unit.test_runs import DIGEST, SEALED, _line
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    if sys.argv[3] == "append":
        RunFolder(Path(sys.argv[1])).append(_line("x" * 300))
    elif sys.argv[3] == "keep":
        RunFolder(Path(sys.argv[1])).keep_result("a.json", b"y" * 9000)
    else:
        now = datetime(2027, 1, 1, tzinfo=UTC)
        RunFolder.create(Path(sys.argv[1]).parent, sealed=SEALED, opened=_line(), digest=DIGEST, now=now)
except DocumentError as error:
    print(error)
"""


def _without_room(run: RunFolder, room: int, deed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _NO_ROOM, str(run.path), str(room), deed],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


@POSIX
@pytest.mark.parametrize("deed", ["append", "keep", "create"])
def test_without_room_nothing_is_half_written(tmp_path: Path, deed: str) -> None:
    run = _create(tmp_path)
    run.keep_result("a.json", b"x")
    run.append(_line("a"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    size = len((run.path / "journal.jsonl").read_bytes())
    told = _without_room(run, size + 100, deed)
    do = "Name another folder with --runs." if deed == "create" else "Make room there, or see who may write there; "
    assert f"(File too large). {do}" in told
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    run.append(_line("b"))
    assert len(run.whole_journal().lines) == 3


def test_only_a_file_of_the_same_size_is_written_over(tmp_path: Path) -> None:
    """What is longer or shorter could be left as a part of both; it is put in its place whole."""
    path = tmp_path / "a"
    overwrite(path, b"one")
    first = path.stat().st_ino
    overwrite(path, b"two")
    assert (path.read_bytes(), path.stat().st_ino) == (b"two", first)
    overwrite(path, b"three")
    assert path.read_bytes() == b"three"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_the_end_of_a_journal_is_of_one_length(tmp_path: Path) -> None:
    run, sizes = _create(tmp_path), set[int]()
    for _ in range(12):
        run.append(_line())
        sizes.add((run.path / "journal.end").stat().st_size)
    assert len(sizes) == 1
    assert len(run.whole_journal().lines) == 13


def test_what_another_process_appends_is_continued_and_what_it_edits_is_not(tmp_path: Path) -> None:
    run = _create(tmp_path)
    run.append(_line("a"))
    RunFolder(run.path).append(_line("b"))
    run.append(_line("c"))
    assert [line.detail for line in run.whole_journal().lines] == ["", "a", "b", "c"]
    path = run.path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"b"', b'"x"'))
    with pytest.raises(RefusedError, match="the journal was edited"):
        run.append(_line("d"))


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, b"one")
    write_whole(path, b"two")
    append_whole(path, b" three")
    assert path.read_bytes() == b"two three"
    (tmp_path / "b").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "b", b"x")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "b"]
