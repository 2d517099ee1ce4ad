"""The command line as a program: its verbs, exit codes and streams."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from remediate import __version__
from remediate.cli.main import cli, main
from remediate.model.errors import RemediateError, UsageError
from remediate.model.plan import Plan, seal
from tests.unit.plan_material import BROKEN, HEALTHY

ROOT = Path(__file__).resolve().parents[2]
VERBS = [
    "triage", "list", "explain", "run", "plan", "show", "apply", "script", "import", "verify", "rollback", "runs",
    "collect",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _away_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("REMEDIATE_") or name == "USERDNSDOMAIN"]:
        monkeypatch.delenv(name)


def _program(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "remediate.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, env=environment, timeout=60, check=False)


def _plan_file(folder: Path, plan: Plan) -> Path:
    path = folder / "plan.json"
    path.write_bytes(seal(plan))
    return path


def test_version_is_printed() -> None:
    done = _program("--version")
    assert (done.returncode, done.stdout.strip().decode()) == (0, f"remediate {__version__}")


def test_version_imports_click_and_nothing_heavy() -> None:
    heavy = "{'msgspec','rich','ldap3','pypsrp','cryptography','requests','jinja2','keyring','tomllib'}"
    probe = (
        "import sys; from remediate.cli.main import main; main(['--version'])\n"
        + f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    assert done.stdout.decode().splitlines()[-1] == "[]"


def test_help_names_the_verbs_that_exist_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "] == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"remediate {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["apply", "plan.json"],
        ["plan"],
        ["plan", "--all", "submission_pending", "--bundle", "b"],
        ["plan", "--all", "--no-such-option"],
        ["plan", "--all", "--expires", "0"],
        ["plan", "--all"],
        ["plan", "--all", "--bundle", "b", "--dc", "dc1"],
        ["plan", "--all", "--bundle", "b", "--set", "novalue"],
        ["plan", "--all", "--bundle", "b", "--window", "tonight"],
        ["plan", "--all", "--bundle", "b", "--window", "2026-11-23T20:00/2026-11-23T23:00"],
        ["plan", "--all", "--bundle", "b", "--window", "2026-11-24T20:00Z/2026-11-23T23:00Z"],
        ["plan", "0xDEADBEEF", "--bundle", "b"],
        ["run", "submission_pending", "--bundle", "b"],
        ["run", "--dry-run", "--connector", "conn1"],
        ["run", "--dry-run", "--dc", "dc1", "--trust", "missing.pem"],
        ["show"],
        ["explain", "no_such_playbook"],
        ["collect"],
        ["collect", "--out", "b", "--scripts", "d"],
        ["collect", "--scripts", "d", "--ca", "x'; Remove-Item"],
    ],
)
def test_usage_errors_end_with_64_and_leave_stdout_empty(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 64
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err


def test_run_without_dry_run_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--bundle", "b"]) == 64
    assert "a bundle cannot be changed. Give --dry-run" in capsys.readouterr().err
    assert main(["run", "--dc", "dc1.contoso.test"]) == 3
    assert "nobody can be asked here, so nothing is applied" in capsys.readouterr().err


def test_a_bundle_that_is_not_there_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--all", "--bundle", "missing"]) == 1
    assert "missing" in capsys.readouterr().err


def test_show_prints_the_plan_and_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(_plan_file(tmp_path, BROKEN))]) == 1
    assert "PROBLEM  denied_by_policy_module" in capsys.readouterr().out
    assert main(["show", str(_plan_file(tmp_path, HEALTHY))]) == 0
    complete = msgspec.structs.replace(BROKEN, complete=True, unknown=())
    assert main(["show", str(_plan_file(tmp_path, complete))]) == 2


def test_show_json_is_the_file_itself(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = _plan_file(tmp_path, BROKEN)
    main(["show", str(path), "--json"])
    assert capfdbinary.readouterr().out == path.read_bytes()


def test_show_md_is_for_a_ticket(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", str(_plan_file(tmp_path, BROKEN)), "--format", "md"])
    assert capsys.readouterr().out.startswith("# remediate plan\n")


def test_show_of_an_expired_plan_warns_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = msgspec.structs.replace(HEALTHY, created="2020-01-01T00:00:00Z", expires_at="2020-01-08T00:00:00Z")
    assert main(["show", str(_plan_file(tmp_path, old))]) == 0
    assert "expired at 2020-01-08" in capsys.readouterr().err


def test_a_plan_from_facts_that_are_too_old_is_nothing_to_approve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "facts"
    shutil.copytree(ROOT / "examples" / "contoso-broken", bundle)
    for file in bundle.glob("*.json"):
        text = re.sub(r'"read_at": "[^"]*"', '"read_at": "2020-01-01T00:00:00Z"', file.read_text(encoding="utf-8"))
        file.write_text(text, encoding="utf-8")
    assert main(["plan", "submission_pending", "--bundle", str(bundle), "--out", str(tmp_path / "plan.json")]) == 2
    told = capsys.readouterr()
    assert "it expired at 2020-01-08T00:00:00Z. Its digest:" in " ".join(told.out.split())
    assert "change control" not in told.out
    assert "expired at 2020-01-08" in told.err


@pytest.mark.parametrize(
    "edit", [lambda text: text.replace(b"0x101", b"0x102"), lambda text: text[:-40], lambda _: b"[]"]
)
def test_show_of_a_plan_that_was_edited_or_torn_is_an_error(
    edit: Callable[[bytes], bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _plan_file(tmp_path, BROKEN)
    path.write_bytes(edit(path.read_bytes()))
    assert main(["show", str(path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert str(path) in told.err


def test_list_and_explain_tell_the_same_playbooks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["playbooks"]
    assert listed, "no playbook is shipped"
    name = listed[0]["name"]
    assert main(["explain", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["playbooks"] == listed[:1]
    assert main(["explain", name]) == 0
    assert listed[0]["title"].split()[0] in capsys.readouterr().out
    assert main(["list"]) == 0
    assert all(playbook["name"] in capsys.readouterr().out for playbook in listed[:1])


def test_collectors_are_ascii_with_crlf_and_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", "--scripts", str(tmp_path / "a"), "--ca", "ca01.contoso.test"]) == 0
    assert main(["collect", "--scripts", str(tmp_path / "b"), "--ca", "ca01.contoso.test"]) == 0
    for name in ("collect-ca.ps1", "collect-connector.ps1"):
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        assert content.isascii()
        assert content.count(b"\n") == content.count(b"\r\n")
    assert b"@('ca01.contoso.test')" in content
    assert str(tmp_path / "a" / "collect-ca.ps1") in capsys.readouterr().out


def test_flag_wins_over_environment_over_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _plan_file(tmp_path, HEALTHY)
    (tmp_path / "remediate.toml").write_text('format = "json"\n')
    main(["show", str(path)])
    assert capsys.readouterr().out.startswith("{")
    monkeypatch.setenv("REMEDIATE_FORMAT", "md")
    main(["show", str(path)])
    assert capsys.readouterr().out.startswith("# ")
    main(["show", str(path), "--format", "text"])
    assert capsys.readouterr().out.startswith("Dry run")


@pytest.mark.parametrize("content", ["nonsense = 1", "format = [", 'set = "x"', "user = []"])
def test_a_setting_that_does_not_fit_is_a_usage_error(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "remediate.toml").write_text(content)
    assert main(["list"]) == 64
    assert "remediate.toml" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(**_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)  # a real Ctrl-C would hit the test run
    assert main([]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("error", [RemediateError("it broke", where="ca01"), UsageError("no such thing")])
def test_errors_are_one_line_and_their_exit_code(
    error: RemediateError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(**_more: object) -> None:
        raise error

    monkeypatch.setattr(cli, "main", failing)  # any verb may raise; which one does not matter here
    assert main([]) == error.exit_code
    assert capsys.readouterr().err == f"remediate: {error}\n"


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    path = _plan_file(tmp_path, BROKEN)
    shell = f"{sys.executable} -m remediate.cli.main show {path} | head -c 1"
    done = subprocess.run(
        ["/bin/sh", "-c", shell], capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert b"Traceback" not in done.stderr
    assert done.stdout == b"D"
