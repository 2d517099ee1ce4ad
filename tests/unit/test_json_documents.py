"""What `--json` prints is one document with a shipped schema, for every verb and for every failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from remediate.cli.failures import json_is_asked_for, write_failure
from remediate.cli.main import cli, main
from remediate.model.errors import RemediateError, TransportError
from remediate.model.plan import Plan, seal, unseal
from remediate.render.documents import (
    BundleDocument,
    CollectorsDocument,
    ErrorDocument,
    HandoverDocument,
    PlaybooksDocument,
)
from remediate.render.schema import DOCUMENTS, schema, schema_text, write_schemas

ROOT = Path(__file__).resolve().parents[2]
HEALTHY, BROKEN = (str(ROOT / "examples" / name) for name in ("contoso-healthy", "contoso-broken"))


@pytest.fixture(autouse=True)
def _away_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("REMEDIATE_") or name == "USERDNSDOMAIN"]:
        monkeypatch.delenv(name)


def _is_exactly(document: type[msgspec.Struct], text: bytes) -> None:
    """The text is the document, whole: read by its type and written again, no property is lost or added."""
    read = msgspec.json.decode(text, type=document)
    assert msgspec.json.decode(msgspec.json.encode(read)) == msgspec.json.decode(text)


@pytest.mark.parametrize(
    ("arguments", "document", "code"),
    [
        (("list",), PlaybooksDocument, 0),
        (("explain", "0x80094812"), PlaybooksDocument, 0),
        (("explain", "stuck_pending"), PlaybooksDocument, 0),
        (("collect", "--out", "copy", "--bundle", HEALTHY), BundleDocument, 0),
        (("collect", "--out", "none", "--dc", "127.0.0.1", "--connector", "127.0.0.2"), BundleDocument, 1),
        (("collect", "--scripts", "scripts"), CollectorsDocument, 0),
    ],
)
def test_a_verb_prints_its_document(
    arguments: tuple[str, ...], document: type[msgspec.Struct], code: int, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main([*arguments, "--json"]) == code
    _is_exactly(document, capfdbinary.readouterr().out)


@pytest.mark.parametrize(("bundle", "code"), [(HEALTHY, 0), (BROKEN, 2)])
def test_what_plans_prints_a_plan(bundle: str, code: int, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["run", "--dry-run", "--bundle", bundle, "--json"]) == code
    dry_run = capfdbinary.readouterr().out
    assert main(["plan", "--all", "--bundle", bundle, "--out", "plan.json", "--json"]) == code
    planned = capfdbinary.readouterr().out
    assert main(["show", "plan.json", "--format", "json"]) == code
    assert capfdbinary.readouterr().out == planned == Path("plan.json").read_bytes() == dry_run
    body = msgspec.json.decode(planned)
    assert body.pop("plan_id") == unseal(planned, where="plan.json")[1]
    _is_exactly(Plan, msgspec.json.encode(body))


def test_script_prints_its_document(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["plan", "submission_pending", "--bundle", BROKEN, "--out", "plan.json"]) == 2
    plan, _ = unseal(Path("plan.json").read_bytes(), where="plan.json")
    Path("plan.json").write_bytes(seal(msgspec.structs.replace(plan, expires_at="9999-12-31T00:00:00Z")))
    capfdbinary.readouterr()
    assert main(["script", "plan.json", "--out", "scripts", "--json"]) == 0
    told = capfdbinary.readouterr().out
    _is_exactly(HandoverDocument, told)
    written = {str(path.relative_to("scripts")) for path in Path("scripts").rglob("*") if path.is_file()}
    assert set(msgspec.json.decode(told, type=HandoverDocument).files) == written


def test_explain_tells_how_a_device_is_asked(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    main(["explain", "stuck_pending", "--json"])
    logs = msgspec.json.decode(capfdbinary.readouterr().out, type=PlaybooksDocument).device_logs
    assert {log.platform for log in logs} == {"Android", "iOS and iPadOS", "Windows"}
    assert all(log.collect and log.shows and log.limits and log.source for log in logs)
    main(["explain", "stuck_pending"])
    text = " ".join(capfdbinary.readouterr().out.decode().split())
    assert all(" ".join((log.platform + ":", log.log)) in text for log in logs)
    assert all(step in text for log in logs for step in (*log.collect, log.shows))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_checked_in_schema_is_that_of_the_document(name: str) -> None:
    text = (ROOT / "docs" / f"{name}.schema.json").read_bytes().replace(b"\r\n", b"\n")
    assert text == schema_text(name), "python -m remediate.render.schema docs"


def test_no_schema_is_left_over() -> None:
    assert {path.name.partition(".")[0] for path in (ROOT / "docs").glob("*.schema.json")} == set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_refers_to_what_it_defines_and_to_nothing_else(name: str) -> None:
    made = schema(name)
    used = {part.partition('"')[0] for part in schema_text(name).decode().split('"#/$defs/')[1:]}
    assert used == set(made["$defs"])
    assert made["title"] == f"remediate {name}"


def test_the_schemas_are_written_by_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "remediate.render.schema", "schemas"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    written = {path.name: path.read_bytes() for path in (tmp_path / "schemas").iterdir()}
    assert written == {f"{name}.schema.json": schema_text(name) for name in DOCUMENTS}
    assert done.stdout.decode().split() == [str(path) for path in write_schemas(Path("schemas"))]


@pytest.mark.parametrize(
    ("arguments", "environment", "asked"),
    [
        (["list", "--json"], {}, True),
        (["nonsense", "--json"], {}, True),
        (["show", "--format", "json"], {}, True),
        (["triage", "--format", "json", "x.svclog"], {}, True),
        (["show", "--format=json", "p"], {}, True),
        (["show", "p"], {"REMEDIATE_FORMAT": "json"}, True),
        (["show", "p", "--format", "md"], {"REMEDIATE_FORMAT": "json"}, False),
        (["list"], {"REMEDIATE_FORMAT": "json"}, False),
        (["show", "p"], {}, False),
        (["--config", "json.toml", "show", "p"], {}, True),
        (["--config=json.toml", "show", "p"], {}, True),
        (["--config", "missing.toml", "show", "p"], {}, False),
        ([], {}, False),
    ],
)
def test_who_asks_for_json(arguments: list[str], environment: dict[str, str], asked: bool) -> None:
    Path("json.toml").write_text('format = "json"\n', encoding="utf-8")
    assert json_is_asked_for(arguments, environment) is asked


def test_a_failure_is_a_document_in_its_parts(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    refused = TransportError("access is denied", where="conn1", why="WinRM", do="Ask for it.", code="5")
    write_failure(refused, ["run", "--json"], exit_code=1)
    told = capfdbinary.readouterr().out
    _is_exactly(ErrorDocument, told)
    parts = {"what": "access is denied", "where": "conn1", "why": "WinRM", "do": "Ask for it.", "code": "5"}
    assert msgspec.json.decode(told) == {"error": {**parts, "exit_code": 1}}
    write_failure(RemediateError("it broke"), ["run"], exit_code=1)
    assert capfdbinary.readouterr().out == b""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("explain", "no_such_playbook", "--json"), 64),
        (("plan", "--all", "--json"), 64),
        (("plan", "--all", "--json", "--no-such-option"), 64),
        (("nonsense", "--json"), 64),
        (("collect", "--json"), 64),
        (("plan", "--all", "--bundle", "missing", "--json"), 1),
        (("show", "missing.json", "--format", "json"), 1),
    ],
)
def test_a_failing_verb_prints_the_error_document(
    arguments: tuple[str, ...], code: int, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(arguments) == code
    told = capfdbinary.readouterr()
    _is_exactly(ErrorDocument, told.out)
    error = msgspec.json.decode(told.out, type=ErrorDocument).error
    assert error.exit_code == code
    assert error.what in told.err.decode()


def test_ctrl_c_is_an_error_document_too(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def interrupted(**_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)  # a real Ctrl-C would hit the test run
    assert main(["run", "--dry-run", "--json"]) == 130
    error = msgspec.json.decode(capfdbinary.readouterr().out, type=ErrorDocument).error
    assert (error.what, error.do, error.exit_code) == ("interrupted", "Nothing was changed.", 130)
