"""`remediate script`: the folder for the Windows team, its bytes, its order, and the plans that get none."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from remediate.cli.main import main
from remediate.model.errors import RefusedError
from remediate.model.plan import Plan, TargetIdentity, digest, seal
from remediate.render.powershell.handover import handover
from tests.unit.result_material import (
    HOST,
    OTHER_HOST,
    SERVER,
    action,
    disposition,
    make_plan,
    restart,
    template,
)

ROOT = Path(__file__).resolve().parents[2]
PWSH = os.environ.get("REMEDIATE_PWSH") or shutil.which("pwsh")
PLAN = make_plan(disposition(2, OTHER_HOST), restart(3, OTHER_HOST), template(1), disposition(4), restart(5))
SCRIPTS = {"change.ps1", "verify.ps1", "rollback.ps1"}


@pytest.fixture(autouse=True)
def _away_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("REMEDIATE_")]:
        monkeypatch.delenv(name)


def _files(plan: Plan = PLAN) -> dict[str, bytes]:
    return handover(plan, digest(plan), sealed=seal(plan))


def _readme(plan: Plan = PLAN) -> str:
    return _files(plan)["README.txt"].decode("ascii").replace("\r\n", "\n")


def _written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _plan_file(plan: Plan = PLAN, name: str = "plan.json") -> str:
    Path(name).write_bytes(seal(plan))
    return name


def test_each_target_has_a_folder_in_the_order_of_the_work() -> None:
    scripts = {name for name in _files() if name.endswith(".ps1")}
    folders = [f"1-directory/{name}" for name in SCRIPTS]
    folders += [f"2-{HOST}/{name}" for name in SCRIPTS] + [f"3-{OTHER_HOST}/{name}" for name in SCRIPTS]
    assert scripts == set(folders)
    assert set(_files()) - scripts == {"plan.json", "README.txt", "SHA256SUMS.txt"}


def test_the_plan_is_there_as_it_was_approved() -> None:
    assert _files()["plan.json"] == seal(PLAN)
    assert digest(PLAN) in _readme()


@pytest.mark.parametrize("name", sorted(set(_files()) - {"plan.json"}))
def test_every_file_is_ascii_with_crlf_and_nothing_behind_a_line(name: str) -> None:
    text = _files()[name]
    text.decode("ascii")
    assert text.endswith(b"\r\n")
    assert not text.endswith(b"\r\n\r\n")
    lines = text.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line or line != line.rstrip() for line in lines)


def test_no_line_of_the_readme_is_wider_than_a_window() -> None:
    plan = make_plan(action_with_long_words())
    lines = [*_readme().splitlines(), *_readme(plan).splitlines()]
    assert max(map(len, lines)) <= 120


def action_with_long_words() -> Any:
    one = disposition(1)
    return action(1, one.kind, one.place, one.before, one.after, rights="word " * 60, disruption="w" * 50 + " x" * 90)


def test_names_that_could_break_a_line_or_a_path_do_not() -> None:
    host = "..\\..\\c\u00e5\nevil/.."
    one = disposition(1, host)
    evil = action(1, one.kind, one.place, one.before, one.after, rights="a\r\nRun this: \u201cx\u201d\x1b[2J")
    files = _files(make_plan(evil))
    names = {Path(name).parts for name in files if name.endswith(".ps1")}
    assert {len(parts) for parts in names} == {2}
    assert {re.fullmatch(r"1-[A-Za-z0-9._-]+[^.]", folder) is not None for folder, _ in names} == {True}
    assert "    needs      a\\r\\nRun this: \\u201cx\\u201d\\x1b[2J\r\n" in files["README.txt"].decode("ascii")


def test_the_checksums_are_those_of_all_other_files() -> None:
    files = _files()
    rows = files["SHA256SUMS.txt"].decode("ascii").split("\r\n")[:-1]
    assert {row.partition("  ")[2]: row.partition("  ")[0] for row in rows} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "SHA256SUMS.txt"
    }


@pytest.mark.skipif(PWSH is None, reason="there is no pwsh on PATH")
def test_the_readme_s_own_line_finds_a_file_that_differs(tmp_path: Path) -> None:
    assert main(["script", _plan_file(), "--out", "out"]) == 0
    text = _readme().partition("silence is good:\n")[2].partition("    Where AllSigned")[0]
    assert "Get-FileHash" in text

    def differing() -> list[str]:
        done = subprocess.run([str(PWSH), "-NoProfile", "-Command", text], cwd="out", capture_output=True, check=True)
        return done.stdout.decode().split()

    assert differing() == []
    changed = Path("out") / "1-directory" / "change.ps1"
    changed.write_bytes(changed.read_bytes() + b"# signed\r\n")
    assert differing() == ["DIFFERS:", "1-directory/change.ps1"]


def test_the_readme_tells_the_order_and_what_each_step_interrupts() -> None:
    text = _readme()
    assert text.index("\n1-directory\n") < text.index(f"\n2-{HOST}\n") < text.index(f"\n3-{OTHER_HOST}\n")
    directory, host = text.partition(f"\n2-{HOST}\n")[0], text.partition(f"\n2-{HOST}\n")[2]
    assert "interrupts nothing" in directory
    assert "takes effect: after replication" in directory
    assert "need not be elevated" in directory
    assert "interrupts: no certificates meanwhile" in host
    assert f"run it     on {HOST}, in an elevated PowerShell" in host


def test_the_readme_shows_a_form_that_windows_powershell_takes() -> None:
    """-File passes every argument as text, so `-Confirm:$false` does not reach a switch there."""
    lines = _readme().splitlines()
    assert not any(re.search(r"-File .*-Confirm", line) for line in lines)
    assert any(line.endswith('-Command "& .\\change.ps1 -Confirm:$false; exit $LASTEXITCODE"') for line in lines)


def test_a_window_and_what_cannot_be_undone_are_told() -> None:
    one = disposition(1)
    final = action(1, one.kind, one.place, one.before, one.after, undo_missing="a certificate was issued")
    plan = make_plan(final, not_before="2026-11-24T20:00:00Z", not_after="9999-11-24T22:00:00Z")
    assert "Window    2026-11-24T20:00:00Z to 9999-11-24T22:00:00Z" in _readme(plan)
    assert "rollback.ps1 cannot undo it: a certificate was issued" in _readme(plan)
    assert "\nWindow  " not in _readme()


_MAKE = """
import hashlib, sys
from tests.unit.test_handover_folder import _files
for name, content in _files().items():
    print(name, hashlib.sha256(content).hexdigest())
"""


@pytest.mark.parametrize("seed", ["1", "4711"])
def test_the_same_plan_gives_the_same_bytes_in_every_process(seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", _MAKE], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} {hashlib.sha256(text).hexdigest()}" for name, text in _files().items()]


def test_what_is_written_is_what_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["script", _plan_file(), "--out", "a/b/out"]) == 0
    assert _written(Path("a/b/out")) == _files()
    assert capsys.readouterr().out == f"{len(_files())} files in a/b/out. Begin with {Path('a/b/out/README.txt')}.\n"


def test_an_empty_folder_is_filled() -> None:
    Path("out").mkdir()
    assert main(["script", _plan_file(), "--out", "out"]) == 0
    assert _written(Path("out")) == _files()


def _without(name: str) -> Plan:
    plan = make_plan(disposition(1))
    (_, host) = plan.targets
    left = {key: value for key, value in host.identity.items() if key != name}
    return make_plan(disposition(1), targets=(SERVER, TargetIdentity(kind="ca", name=HOST, identity=left)))


_EXPIRED = "2026-01-01T00:00:00Z"
_AGAIN = "Let it be read (remediate collect says what is missing), then plan again."
_REFUSED: Mapping[str, tuple[Plan, str]] = {
    "incomplete": (make_plan(disposition(1), complete=False), "plan.json: the plan is incomplete"),
    "expired": (make_plan(disposition(1), expires_at=_EXPIRED), f"plan.json: the plan expired at {_EXPIRED}"),
    "closed": (make_plan(disposition(1), not_after=_EXPIRED), f"plan.json: the plan's window closed at {_EXPIRED}"),
    "empty": (make_plan(), "plan.json: the plan changes nothing"),
    "no MachineGuid": (_without("MachineGuid"), f"{HOST}: the plan does not know its MachineGuid"),
    "no thumbprint": (
        _without("certificate_thumbprint"), f"{HOST}: the plan does not know its CA certificate's thumbprint",
    ),
    "no host": (make_plan(disposition(1), targets=(SERVER,)), f"{HOST}: the plan does not know its MachineGuid"),
    "no domain": (
        make_plan(template(1), targets=(TargetIdentity(kind="directory", name="dc1", identity={}),)),
        "directory: the plan does not know its domain's objectGUID",
    ),
    "no directory": (make_plan(template(1), targets=()), "directory: the plan does not know its domain's objectGUID"),
}  # fmt: skip


@pytest.mark.parametrize("name", _REFUSED)
def test_a_plan_that_no_script_may_carry_out_gets_none(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    plan, words = _REFUSED[name]
    assert main(["script", _plan_file(plan), "--out", "out"]) == 3
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith(f"remediate: {words}")
    assert told.out == ""
    assert not Path("out").exists()


def test_an_identity_that_is_missing_says_what_to_do() -> None:
    with pytest.raises(RefusedError) as raised:
        _files(_without("MachineGuid"))
    assert str(raised.value).endswith(_AGAIN)


def test_an_edited_plan_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plan.json").write_bytes(seal(PLAN).replace(b"change 1", b"change 7"))
    assert main(["script", "plan.json", "--out", "out"]) == 3
    assert "plan.json: the plan was changed after it was sealed" in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", b"{"])
def test_what_is_no_plan_is_told(text: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    Path("plan.json").write_bytes(text)
    assert main(["script", "plan.json", "--out", "out"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["script", "missing.json", "--out", "out"]) == 1
    assert "missing.json: cannot be read" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    Path("out/mine").write_text("mine")
    assert main(["script", _plan_file(), "--out", "out"]) == 64
    assert capsys.readouterr().err == "remediate: out: it is not empty. Name a new folder with --out.\n"
    assert _written(Path("out")) == {"mine": b"mine"}


def test_a_place_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main(["script", _plan_file(), "--out", "file/out"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written" in line
    assert "Name another folder with --out." in line


_NO_ROOM = """
import resource, signal, sys
from remediate.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
sys.exit(main(["script", "plan.json", "--out", sys.argv[1]]))
"""


@pytest.mark.skipif(os.name == "nt", reason="a limit of POSIX stands in for a full disk")
@pytest.mark.parametrize("there", [True, False])
def test_without_room_nothing_is_left(there: bool) -> None:
    _plan_file()
    if there:
        Path("a/out").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", _NO_ROOM, "a/out"], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert done.returncode == 1
    assert b"cannot be written (File too large)" in done.stderr
    assert Path("a/out").exists() is there
    assert _written(Path()) == {"plan.json": seal(PLAN)}
