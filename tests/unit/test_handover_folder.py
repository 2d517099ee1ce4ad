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

import msgspec
import pytest

from remediate.cli.main import main
from remediate.model.errors import RefusedError
from remediate.model.finding import Evidence, Finding, Target
from remediate.model.places import ExclusionPlace, ServicePlace
from remediate.model.plan import Action, ExclusionState, Plan, ServiceState, TargetIdentity, digest, seal
from remediate.render.powershell.handover import folders, handover
from remediate.render.powershell.steps import script_targets
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
RUNNING = ServiceState("Running")
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
    assert max(len(line) for line in lines if not line.startswith("    powershell ")) <= 120, "a command stays whole"


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
    told = files["README.txt"].decode("ascii")
    assert "    needs      a\\u{d}\\u{a}Run this: \\u{201c}x\\u{201d}\\u{1b}[2J\r\n" in told
    assert "Letters beyond ASCII stand in these texts as their number" in told
    assert "Letters beyond ASCII" not in _readme()


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
    assert "interrupts 5. no certificates meanwhile" in host
    assert f"run it     on {HOST}, which Windows calls CA01; every other host is refused\n" in host
    assert "               in an elevated PowerShell" in host


def test_the_readme_tells_how_to_take_it_back_in_the_opposite_order() -> None:
    back = _readme().partition("\nTo take it back\n")[2].partition("\nExit codes\n")[0]
    rows = [line.strip() for line in back.splitlines() if re.match(r"    [1-9]\.", line)]
    assert rows == [f"1.  3-{OTHER_HOST}", f"2.  2-{HOST}", "3.  1-directory"]
    assert back.count("interrupts: one restart of CertSvc, no certificates meanwhile") == 2
    assert back.rstrip().endswith("3.  1-directory\n           interrupts: nothing")
    final = disposition(1)
    stays = action(1, final.kind, final.place, final.before, final.after, undo_missing="it was issued")
    assert "stays: 1. change 1: it was issued" in _readme(make_plan(stays))
    began = make_plan(action(1, "start_service", ServicePlace(HOST, "CertSvc"), ServiceState("Stopped"), RUNNING))
    assert "interrupts: CertSvc, which is stopped again" in _readme(began)


def test_a_restart_that_may_be_owed_is_told_where_there_is_one() -> None:
    assert "        Restart-Service -Name CertSvc\n" in _readme()
    assert "Restart-Service" not in _readme(make_plan(template(1)))


def test_the_directory_goes_first_then_cas_then_the_others() -> None:
    connector = action(
        1, "defender_exclusions", ExclusionPlace("aconn.test"), ExclusionState(()), ExclusionState(("x",))
    )
    hosts = make_plan(connector, disposition(2, "zca.test"), restart(3, "zca.test"), disposition(4, "bca.test"))
    assert folders(script_targets(hosts)) == ("1-bca.test", "2-zca.test", "3-aconn.test")
    with_directory = msgspec.structs.replace(hosts, actions=(*hosts.actions, template(5)))
    assert folders(script_targets(with_directory)) == ("1-directory", "2-bca.test", "3-zca.test", "4-aconn.test")


FOUND = Finding(
    id="submission_pending/pending/CA", playbook="submission_pending", cause="pending",
    target=Target("ca", "M\u00fcller's CA"), message="The policy module sets every request to pending.",
    code="0x80094012", evidence=(Evidence("ca01 RequestDisposition", "0x101"),), weak="Only seen once.",
)  # fmt: skip


def _reasoned(*actions: Action, **more: Any) -> Plan:
    told = (msgspec.structs.replace(one, because=(FOUND.id,)) for one in actions)
    return make_plan(*told, **({"findings": (FOUND,)} | more))


@pytest.mark.parametrize("kind", sorted(SCRIPTS))
def test_each_script_says_what_it_is_for(kind: str) -> None:
    plan = _reasoned(disposition(1), restart(2), template(3))
    text = _files(plan)[f"2-{HOST}/{kind}"].decode("ascii")
    header = text.partition("#>")[0]
    assert "The policy module sets every request to pending. Mended by changes 1, 2.\r\n" in header
    assert "0x80094012, CA M\\u{fc}ller's CA; remediate calls it submission_pending\r\n" in header
    assert "seen at ca01 RequestDisposition: 0x101\r\n" in header
    assert "not certain: Only seen once.\r\n" in header
    assert "Mended by change 3.\r\n" in _files(plan)[f"1-directory/{kind}"].decode("ascii").partition("#>")[0]
    assert "Mended by changes 1, 2, 3.\n" in _readme(plan)


def test_a_rollback_s_scripts_say_whose_run_they_take_back() -> None:
    plan = make_plan(disposition(1), options={"rollback_of": "20261123T100000Z-94e69eaa"})
    text = _files(plan)[f"1-{HOST}/change.ps1"].decode("ascii")
    assert "    For        It takes back what run 20261123T100000Z-94e69eaa changed.\r\n" in text


def test_a_finding_cannot_begin_a_section_of_the_help() -> None:
    message = "word " * 19 + ".EXTERNALHELP evil #> x"
    plan = _reasoned(disposition(1), findings=(msgspec.structs.replace(FOUND, message=message),))
    header = _files(plan)[f"1-{HOST}/change.ps1"].decode("ascii").partition("[CmdletBinding")[0]
    assert header.count("#>") == 1
    assert re.search(r"^ *\\u\{2e\}EXTERNALHELP evil # >", header, flags=re.MULTILINE)


def test_the_directory_s_scripts_name_the_domain_and_the_controller() -> None:
    domain = {"domain": "contoso.test", "domain_objectGUID": "d0d0"}
    server = TargetIdentity(kind="directory", name="dc1.contoso.test", identity=domain)
    for plan, words in (
        (make_plan(template(1), targets=(server,)), "any member of the domain contoso.test; every other domain"),
        (make_plan(template(1)), "any member of the domain of dc1.contoso.test; every other domain"),
    ):
        header = _files(plan)["1-directory/change.ps1"].decode("ascii").partition("#>")[0]
        assert f"    Where      {words} is refused\r\n" in header
        assert "               reads and writes at dc1.contoso.test, where the plan's facts were read\r\n" in header
        assert words in _readme(plan)


def test_who_gets_which_right_is_told_with_the_sid() -> None:
    entry = r"  + allow  CONTOSO\CONN1$  Enroll   (OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;S-1-5-21-1-2-3-1105)"
    granted = msgspec.structs.replace(template(1), diff=("DACL", entry, "    5 entries of others stay byte for byte"))
    files = _files(make_plan(granted))
    added = r"entry added: allow CONTOSO\CONN1$ Enroll (S-1-5-21-1-2-3-1105)"
    assert added in files["README.txt"].decode("ascii")
    assert added in files["1-directory/change.ps1"].decode("ascii").partition("#>")[0]
    assert added.replace("added", "taken out") in files["1-directory/rollback.ps1"].decode("ascii").partition("#>")[0]


LONG = "intunecertconnector01.contoso.test"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, "INTUNECERTCONNE"),
        ({"ComputerName": "INTUNECERTCONNE"}, "INTUNECERTCONNE"),
        ({"ComputerName": "CONN01"}, "CONN01"),
    ],
)
def test_a_host_is_known_by_what_windows_calls_it(told: dict[str, str], expected: str) -> None:
    one = action(1, "defender_exclusions", ExclusionPlace(LONG), ExclusionState(()), ExclusionState(("x",)))
    host = TargetIdentity(kind="connector", name=LONG, identity={"MachineGuid": "0f3c"} | told)
    plan = make_plan(one, targets=(host,))
    text = _files(plan)[f"1-{LONG}/change.ps1"].decode("ascii")
    assert f"    ComputerName = '{expected}'\r\n" in text
    assert f"Host {LONG}, which Windows calls {expected}; every other host is refused" in " ".join(text.split())


def test_the_readme_shows_a_form_that_windows_powershell_takes() -> None:
    """-File passes every argument as text, so `-Confirm:$false` does not reach a switch there."""
    lines = _readme().splitlines()
    assert not any(re.search(r"-File .*-Confirm", line) for line in lines)
    unasked = "-Command \"$ErrorActionPreference = 'Stop'; & .\\change.ps1 -Confirm:$false; exit $LASTEXITCODE\""
    assert any(line.endswith(unasked) for line in lines)


def test_a_window_and_what_cannot_be_undone_are_told() -> None:
    one = disposition(1)
    final = action(1, one.kind, one.place, one.before, one.after, undo_missing="a certificate was issued")
    plan = make_plan(final, not_before="2026-11-24T20:00:00Z", not_after="9999-11-24T22:00:00Z")
    assert "Window     2026-11-24T20:00:00Z to 9999-11-24T22:00:00Z (UTC)" in _readme(plan)
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
