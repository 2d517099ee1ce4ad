"""Bad input, offline, through the real program: one clear line, the right exit code, nothing half-written.

What each refusal says is tested where it is made (bundles, plans, failures); here it is that it reaches a person whole.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from remediate.cli.main import main
from remediate.transports.failure_codes import LOGON_REFUSED

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BROKEN = EXAMPLES / "contoso-broken"
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.is_char_device(), reason="this system has no /dev/full")


class Ended(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on stderr."""
        [line] = self.err.splitlines()
        assert line.startswith("remediate: ")
        assert line.endswith(".")
        return line


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATE_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def remediate(folder: Path, *arguments: str | Path, redirect: str = "") -> Ended:
    """Run it in `folder`, through a shell where something is to be done to its streams."""
    command = [sys.executable, "-m", "remediate", *map(str, arguments)]
    shell = ["/bin/sh", "-c", f'"$@" {redirect}', "sh"] if redirect else []
    done = subprocess.run(
        [*shell, *command], capture_output=True, cwd=folder, env=environment(), timeout=60, check=False
    )
    ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in ended.err
    return ended


def plan(folder: Path, bundle: str | Path, *more: str | Path) -> Ended:
    return remediate(folder, "plan", "--all", "--bundle", bundle, *more)


# --- bundles -----------------------------------------------------------------------------------------------------


def sparse(path: Path, size: int = 2 << 30) -> Path:
    """A file of 2 GB of zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


def empty_folder(folder: Path) -> Path:
    (folder / "b").mkdir()
    return folder / "b"


def large_member(folder: Path) -> Path:
    (folder / "b").mkdir()
    sparse(folder / "b" / "ca-ca01.json")
    return folder / "b"


def many_files(folder: Path) -> Path:
    (folder / "b").mkdir()
    for number in range(10_001):
        (folder / "b" / f"{number}.txt").touch()
    return folder / "b"


def many_members(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        for number in range(10_001):
            archive.writestr(f"{number}.txt", b"")
    return folder / "b.zip"


def deflated_zeros(folder: Path) -> Path:
    """A small .zip whose one member is 300 MB when unpacked."""
    with (
        zipfile.ZipFile(folder / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("ca-ca01.json", "w") as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    return folder / "b.zip"


def escaping(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        archive.writestr("../directory.json", b"{}")
    return folder / "b.zip"


def torn(folder: Path) -> Path:
    packed = shutil.make_archive(str(folder / "whole"), "zip", BROKEN)
    (folder / "b.zip").write_bytes(Path(packed).read_bytes()[:-200])
    return folder / "b.zip"


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(BROKEN, folder / "b"))


def of_the_future(folder: Path) -> Path:
    manifest = copied(folder) / "bundle.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format_version": "9.0"}))
    return folder / "b"


def twice(folder: Path) -> Path:
    [document] = copied(folder).glob("ca-*.json")
    again = json.loads(document.read_text()) | {"read_at": "2031-01-01T00:00:00Z"}
    (folder / "b" / "ca-again.json").write_text(json.dumps(again))
    return folder / "b"


BUNDLES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing there": (lambda folder: folder / "b", "it does not exist"),
    "empty folder": (empty_folder, "there is nothing of a bundle in it"),
    "2 GB named as a bundle": (lambda folder: sparse(folder / "b.json"), "it is too large to be part of a bundle"),
    "2 GB named as a zip": (lambda folder: sparse(folder / "b.zip"), "the .zip file is torn"),
    "2 GB in a folder": (large_member, "it is too large to be part of a bundle"),
    "a zip that unpacks to far more": (deflated_zeros, "it is too large to be part of a bundle"),
    "many files": (many_files, "there are too many files in it"),
    "a zip of many files": (many_members, "there are too many files in it"),
    "a device": (lambda _: Path("/dev/zero"), "it is neither a file nor a folder"),
    "a way out": (escaping, "a name in it leads out of it"),
    "torn": (torn, "the .zip file is torn"),
    "of the future": (of_the_future, "its format_version is 9.0"),
    "one host twice": (twice, "two documents of this host differ"),
}


@pytest.mark.parametrize("kind", BUNDLES)
def test_a_bundle_that_is_none_is_one_line(tmp_path: Path, kind: str) -> None:
    make, said = BUNDLES[kind]
    bundle = make(tmp_path)
    ended = plan(tmp_path, bundle, "--out", tmp_path / "plan.json", "--keep-facts", tmp_path / "kept")
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.line
    assert str(bundle) in ended.line or "ca01.contoso.test" in ended.line
    assert not (tmp_path / "plan.json").exists()
    assert not (tmp_path / "kept").exists()


def test_a_fix_without_its_parameter_is_not_planned_and_says_what_to_give(tmp_path: Path) -> None:
    [document] = Path(shutil.copytree(EXAMPLES / "contoso-healthy", tmp_path / "b")).glob("connector-*.json")
    facts = json.loads(document.read_text())
    facts["machine"]["domain"] = {"absent": True}
    document.write_text(json.dumps(facts))
    ended = remediate(tmp_path, "plan", "enrollment_policy_server_missing", "--bundle", "b")
    assert (ended.code, ended.err) == (2, "")
    assert "NOT PLANNED" in ended.out
    assert "policy_server_url" in ended.out


# --- plans and settings ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("sealed")
    assert plan(folder, BROKEN, "--out", "plan.json").code == 2
    return (folder / "plan.json").read_bytes()


PLANS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "torn": (lambda text: text[: len(text) // 2], "this is not a plan"),
    "edited": (lambda text: text.replace(b"0x101", b"0x103"), "the plan was changed after it was sealed"),
    "of the future": (lambda text: text.replace(b'"format_version": "1.', b'"format_version": "7.'), "plan format 7."),
    "empty": (lambda _: b"", "this is not a plan"),
    "another document": (lambda _: b"{}", "this is not a plan. Name the file"),
    "a list": (lambda _: b"[1]", "this is not a plan. Name the file"),
    "not text": (lambda _: b"\xff\xfe\x00", "this is not a plan"),
}


@pytest.mark.parametrize("kind", PLANS)
def test_a_plan_that_is_none_is_one_line(tmp_path: Path, sealed: bytes, kind: str) -> None:
    spoil, said = PLANS[kind]
    (tmp_path / "plan.json").write_bytes(spoil(sealed))
    assert spoil(sealed) != sealed
    ended = remediate(tmp_path, "show", "plan.json")
    assert (ended.code, ended.out) == (1, "")
    assert ended.line.startswith("remediate: plan.json: ")
    assert said in ended.line


def test_no_plan_has_no_end(tmp_path: Path) -> None:
    assert "/dev/zero: it is too large" in remediate(tmp_path, "show", "/dev/zero").line
    assert "it is too large" in remediate(tmp_path, "show", sparse(tmp_path / "plan.json")).line


HOSTS = ["http://ca01.contoso.test", "ca01.contoso.test:5985", "ca01..test", "x" * 64, "ca 01", "ca01\nca02", "ca01/x"]


@pytest.mark.parametrize("option", ["--dc", "--domain", "--ca", "--connector"])
def test_what_cannot_be_the_name_of_a_host_is_a_usage_error(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    for host in HOSTS:
        assert main(["plan", "--all", "--dc", "dc1.contoso.test", option, host]) == 64
        [line] = capsys.readouterr().err.splitlines()
        assert f"{option} {host!r} is not the name of a host" in line


def test_a_name_from_elsewhere_neither_breaks_the_line_nor_steers_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "\x1b[31mred\nline.json").write_text("{}")
    assert "\\x1b[31mred\\nline.json: its name is none" in plan(tmp_path, "b").line
    failure = {"role": "ca", "target": "ca01\n\x1b]0;x\x07", "what": "it does not answer"}
    shutil.copytree(EXAMPLES / "contoso-healthy", tmp_path / "c")
    (tmp_path / "c" / "failures.json").write_text(json.dumps([failure]))
    assert "remediate: ca01\\n\\x1b]0;x\\x07: it does not answer" in plan(tmp_path, "c").line


# --- where to write ----------------------------------------------------------------------------------------------


def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for option, place in [("--out", "file/plan.json"), ("--out", "missing/p.json"), ("--keep-facts", "file/facts"),
                          ("--keep-facts", "file"), ("--keep-facts", "file/facts.zip")]:  # fmt: skip
        ended = plan(tmp_path, "no such bundle", option, place)
        assert (ended.code, ended.out) == (1, "")
        assert ended.line.startswith(f"remediate: {place}: ")
    assert [path.name for path in tmp_path.rglob("*")] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


@needs_full
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    ended = plan(tmp_path, BROKEN, "--out", FULL)
    assert (ended.code, ended.out) == (1, "")
    assert "/dev/full: cannot be written (No space left on device)." in ended.line
    assert FULL.is_char_device()


def test_what_is_no_file_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    assert plan(tmp_path, BROKEN, "--out", "link.json").code == 2
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["plan_id"]
    os.mkfifo(tmp_path / "pipe")
    shell = 'cat pipe > copy.json & "$@" > said; wait'
    command = [sys.executable, "-m", "remediate", "plan", "--all", "--bundle", str(BROKEN), "--out", "pipe"]
    subprocess.run(["/bin/sh", "-c", shell, "sh", *command], cwd=tmp_path, env=environment(), timeout=60, check=True)
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "copy.json").read_bytes() == (tmp_path / "real.json").read_bytes()


# --- streams -----------------------------------------------------------------------------------------------------


@needs_full
@pytest.mark.parametrize("arguments", [["list"], ["--version"], ["plan", "--all", "--bundle", str(BROKEN)]])
def test_a_result_that_cannot_be_written_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    ended = remediate(tmp_path, *arguments, redirect="> /dev/full")
    assert ended.code == 1
    assert "could not be written (No space left on device)" in ended.line


@pytest.mark.parametrize(("redirect", "code"), [(">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), ("2> /dev/full", 0)])
def test_streams_that_are_not_there(tmp_path: Path, redirect: str, code: int) -> None:
    ended = remediate(tmp_path, "list", redirect=redirect)
    assert (ended.code, ended.err) == (code, "")


def test_an_error_that_nobody_can_be_told_keeps_its_exit_code(tmp_path: Path) -> None:
    assert remediate(tmp_path, "plan", "--all", "--bundle", "none", redirect="2> /dev/full").code == 1
    assert remediate(tmp_path, "plan", "--all", redirect="2>&-").code == 64


def test_a_reader_that_went_away_is_no_error_to_speak_of(tmp_path: Path) -> None:
    ended = remediate(tmp_path, "list", redirect="| head -1")
    assert (ended.out, ended.err) == ("setup_requirements\n", "")
    assert remediate(tmp_path, "plan", "--all", "--bundle", "none", redirect="2>&1 | true").err == ""


# --- what nobody foresaw -----------------------------------------------------------------------------------------


def test_a_fault_of_the_program_is_one_line_without_the_text_of_the_error(tmp_path: Path) -> None:
    code = (
        "import remediate.cli.facts as facts\n"
        "def fail(*_, **__): raise KeyError('hemligt')\n"
        "facts.opened_facts = fail\n"  # a fault, by definition, cannot be had otherwise
        "from remediate.cli.main import program\n"
        f"program(['plan', '--all', '--bundle', {str(BROKEN)!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=tmp_path, env=environment(), timeout=60, check=False
    )
    line = Ended(done.returncode, done.stdout.decode(), done.stderr.decode()).line
    assert done.returncode == 1
    assert "something failed that should not (KeyError in __main__, line 2)" in line
    assert "hemligt" not in line


def test_what_refuses_an_account_is_told_from_what_refuses_a_connection() -> None:
    refused = {"KRB5 -1765328360", "KRB5 -1765328366", "KRB5 -1765328243", "LDAP 49/52e", "LDAP 49/775", "0x8009030c"}
    assert refused <= LOGON_REFUSED
    assert LOGON_REFUSED.isdisjoint({"", "KRB5 -1765328228", "KRB5 -1765328347", "LDAP 50", "LDAP 51", "X509 10"})
