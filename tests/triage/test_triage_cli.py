"""`remediate triage` as a program: what it reads, prints and ends with, and that no log can steer a terminal."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from remediate.cli.main import main
from remediate.cli.triaging import fitting_jobs, machine_key, since_from, zone_from
from remediate.model.errors import UsageError
from remediate.model.plan import Plan
from remediate.render.text import WIDTH, as_text, fitted
from remediate.render.triage_markdown import triage_markdown
from remediate.render.triage_text import triage_text
from remediate.triage.report import Report
from tests.shared import SHARED, needs_shared
from tests.triage.material import DEVICE, line, report, row

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "examples" / "logs"
RPC = "IssuePfx - COMException: COMException (0x800706BA): CCertRequest::Submit"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _away_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("REMEDIATE_")]:
        monkeypatch.delenv(name)


def _json(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str, code: int) -> Report:
    assert main(["triage", *arguments, "--json"]) == code
    told = capfdbinary.readouterr().out
    read = msgspec.json.decode(told, type=Report)
    assert msgspec.json.decode(msgspec.json.encode(read)) == msgspec.json.decode(told)
    return read


def test_the_example_shows_its_problems(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    made = _json(capfdbinary, str(LOGS), code=2)
    assert {(problem.signature, problem.count, problem.devices) for problem in made.problems} == {
        ("rpc_server_unavailable", 10, 4), ("denied_by_policy_module", 5, 3), ("subject_email_required", 3, 0),
        ("submission_pending", 3, 2), ("event_128", 1, 0), ("parameter_incorrect", 1, 1),
        ("certificate_not_issued", 19, 5),
    }  # fmt: skip
    assert "0x80094812" in row(made, "denied_by_policy_module").notes[0]
    assert (made.records, len(made.sources), made.unread) == (42, 2, ())


def test_a_zip_two_copies_and_another_order_count_the_same(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    whole = _json(capfdbinary, str(LOGS), code=2)
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        for file in sorted(LOGS.iterdir()):
            archive.write(file, f"copies/{file.name}")
    files = [str(file) for file in sorted(LOGS.iterdir(), reverse=True)]
    again = _json(capfdbinary, str(tmp_path / "logs.zip"), *files, "--jobs", "2", code=2)
    counts = [{(one.signature, one.code): one.count for one in made.problems} for made in (whole, again)]
    assert counts[0] == counts[1]
    assert again.copies == sum(one.matched for one in whole.sources)


def test_text_on_standard_input(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Sändningen väntar\n0x80094811\n".encode())))
    made = _json(capfdbinary, "-", code=2)
    assert [(one.kind, one.signature, one.code) for one in made.problems] == [
        ("problem", "submission_pending", ""), ("unknown", "", "0x80094811"),
    ]  # fmt: skip
    assert made.problems[0].proof[0].source == "standard input"


def test_nothing_found_is_said_with_what_was_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "quiet.log").write_text("2026-11-20T08:00:00Z all is well\n", encoding="utf-8")
    assert main(["triage", "quiet.log"]) == 0
    told = capsys.readouterr().out
    assert "No known problem stands in what was read." in told
    assert "Read 1 source" in told and "1 record" in told and "quiet.log" in told


def test_what_cannot_be_read_is_one_line_and_the_rest_is_still_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["triage", "/no/such/file", str(LOGS)]) == 1
    told = capsys.readouterr().out
    assert "PROBLEM  The RPC server is unavailable" in told
    assert [line for line in told.splitlines() if line.startswith("UNREAD")] == [
        "UNREAD   /no/such/file: cannot be opened: No such file or directory"
    ]
    assert main(["triage", "/no/such/file"]) == 1
    assert "Nothing was read." in capsys.readouterr().out


def test_the_command_to_run_next_carries_the_bundle(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    bundle = tmp_path / "a bundle"
    shutil.copytree(ROOT / "examples" / "contoso-healthy", bundle)
    shutil.copytree(LOGS, bundle / "logs")
    made = _json(capfdbinary, "--bundle", str(bundle), code=2)
    problem = row(made, "rpc_server_unavailable")
    assert problem.command == f"remediate run rpc_server_unavailable --dry-run --bundle '{bundle}'"


def test_a_bundle_of_the_settings_is_read_only_where_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "examples" / "contoso-healthy", bundle)
    (bundle / "logs").mkdir()
    (bundle / "logs" / "a.log").write_text("0x80094811\n", encoding="utf-8")
    monkeypatch.setenv("REMEDIATE_BUNDLE", str(bundle))
    made = _json(capfdbinary, str(LOGS), code=2)
    assert len(made.sources) == 2 and made.problems[0].command.endswith(f"--bundle {bundle}")
    assert "0x80094811" in {one.code for one in _json(capfdbinary, code=2).problems}
    assert "0x80094811" in {one.code for one in _json(capfdbinary, str(LOGS), "--bundle", str(bundle), code=2).problems}


@pytest.mark.parametrize("zipped", [False, True])
def test_a_plan_sees_the_logs_of_its_bundle(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], zipped: bool
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(ROOT / "examples" / "contoso-broken", bundle)
    shutil.copytree(LOGS, bundle / "logs")
    if zipped:
        shutil.make_archive(str(bundle), "zip", bundle)
        bundle = bundle.with_suffix(".zip")
    assert main(["plan", "--all", "--bundle", str(bundle), "--keep-facts", "kept", "--json"]) == 2
    told = capfdbinary.readouterr().out
    body = msgspec.json.decode(told)
    digest = body.pop("plan_id")
    plan = msgspec.convert(body, Plan)
    shown = {
        finding.playbook: [one for one in finding.evidence if one.where.startswith("logs of")]
        for finding in plan.findings
    }
    assert shown["submission_pending"][0].shows.startswith("submission_pending 3 times")
    event = next(one for one in plan.findings if one.cause == "requests_name_a_ca_certificate")
    assert any("event_128" in one.shows for one in event.evidence)
    assert main(["plan", "--all", "--bundle", "kept", "--json"]) == 2
    assert msgspec.json.decode(capfdbinary.readouterr().out)["plan_id"] == digest


def test_a_redacted_report_of_the_example_names_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    for format in ("text", "md", "json"):
        assert main(["triage", str(LOGS), "--redact", "--format", format]) == 2
        told = capsys.readouterr().out
        assert "@contoso.test" not in told
        for log in LOGS.iterdir():
            assert not [word for word in log.read_text(encoding="ascii").split() if len(word) == 36 and word in told]
        assert "conn1" in told and "ca01" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--zone", "anna.ek@contoso.test"), ("--playbooks", "/srv/anna.ek@contoso.test"),
        ("--since", "CONTOSO\\anna.ek"), ("--jobs", "anna.ek@contoso.test"), ("--anna.ek@contoso.test",),
        ("--format", "anna.ek@contoso.test"),
        ("--bundle", "/home/anna.ek/bundle"), ("--ca", "anna.ek@contoso.test"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("format", ["--json", "--format=text"])
def test_what_fails_names_nobody_either(
    arguments: tuple[str, ...], format: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    empty = tmp_path / "empty.log"
    empty.write_text("")
    assert main(["triage", str(empty), format, "--redact", *arguments]) in (0, 1, 64)
    told = capfd.readouterr()
    assert "anna.ek" not in told.out + told.err
    assert told.out + told.err


def test_control_characters_of_a_log_reach_no_terminal() -> None:
    evil = "0x800706BA \x1b[2J\x07\u202e\u2028 | <b>`x`</b> [a](http://x)"
    made = report([line(evil, source="a\x1b]0;x\x07.log", when="2026-11-20T08:00:00Z", host="h\x1b[1m")])
    for told in (as_text(triage_text(made, bars=True)), triage_markdown(made)):
        assert all(letter.isprintable() or letter == "\n" for letter in told)
        assert "\\u001b" in told
    assert "<b>" not in triage_markdown(made).replace("`` ", "").partition("proof:")[0]


def test_every_line_fits_the_screen() -> None:
    long = [line(f"{'word ' * 90}0x800706BA {'x' * 900}", source=f"{'deep/' * 40}{'n' * 90}.log", position=10**9)]
    told = as_text(triage_text(report(long), bars=True)).splitlines()
    assert max(map(len, told)) <= WIDTH
    assert any("0x800706BA" in text for text in told if text.startswith("  proof"))


def test_many_unknown_codes_are_a_short_list() -> None:
    made = report([line(f"0x800948{number:02X}", position=number) for number in range(0x20, 0x32)])
    told = as_text(triage_text(made)).splitlines()
    assert sum(text.startswith("  proof") for text in told) == 3
    assert "  and 7 more, all in --json" in told
    assert told[-1] == "0 problems, 18 codes without a playbook."


def test_bars_stand_where_there_is_more_than_one_step_of_time() -> None:
    items = [line(RPC, when=f"2026-11-20T{hour:02}:00:00Z", position=hour) for hour in (8, 8, 9, 15)]
    items[1] = line(f"{RPC} again", when="2026-11-20T08:00:01Z")
    told = [text for text in as_text(triage_text(report(items), bars=True)).splitlines() if "█" in text]
    (bars,) = told
    assert bars.strip().startswith("11-20 08:00 █") and bars.endswith("▄ 11-20 15:00")
    assert "█" not in as_text(triage_text(report(items)))
    assert "█" not in as_text(triage_text(report(items[:1]), bars=True))


def test_recovered_requests_are_told_from_those_that_fail() -> None:
    told = as_text(triage_text(report([line(f"0x80094012 Device ID {DEVICE}1", when="2026-11-20T08:00:00Z")])))
    assert "1 device · on conn1" in told and "issued later" not in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("2026-11-20", "2026-11-20T00:00:00Z"),
        ("2026-11-20T08:00+01:00", "2026-11-20T07:00:00Z"),
        ("7d", "2026-11-16T12:00:00Z"),
        ("12h", "2026-11-23T00:00:00Z"),
        ("30 M", "2026-11-23T11:30:00Z"),
    ],
)
def test_since(text: str, expected: str) -> None:
    assert since_from(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-11-20T08:00", "2026-13-01", "-1d", "99999d999"])
def test_what_is_no_time_is_a_wrong_use(text: str) -> None:
    with pytest.raises(UsageError):
        since_from(text, now=NOW)


def test_zones() -> None:
    winter = datetime(2026, 1, 1, tzinfo=UTC)
    assert winter.astimezone(zone_from("+01:00")).hour == 1
    assert winter.astimezone(zone_from("-0130")).hour == 22
    assert winter.astimezone(zone_from("Europe/Stockholm")).hour == 1
    assert zone_from("utc") is UTC
    for wrong in ("Nowhere/Land", "+99:00", "../../etc/passwd", ""):
        with pytest.raises(UsageError):
            zone_from(wrong)


@pytest.mark.parametrize(
    "arguments",
    [(), ("--since", "soon", "x"), ("--zone", "Mars", "x"), ("--playbooks", "/no/such", "x"), ("--jobs", "-1", "x")],
)
def test_wrong_use_ends_with_64(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["triage", *arguments]) == 64
    assert capsys.readouterr().err


def test_since_and_zone_apply(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    made = _json(capfdbinary, str(LOGS), "--since", "2026-11-20T14:00Z", code=2)
    assert {one.signature for one in made.problems} == {"submission_pending", "certificate_not_issued"}
    (tmp_path / "local.log").write_text("2026-11-20 08:00:00 0x800706BA\n", encoding="utf-8")
    made = _json(capfdbinary, "local.log", "--zone", "+01:00", code=2)
    assert made.problems[0].first.startswith("2026-11-20T07:00:00")
    assert made.assumed_zone == "+01:00"


def test_processes_are_started_only_where_there_is_much_to_read(tmp_path: Path) -> None:
    assert fitting_jobs((LOGS, tmp_path / "missing")) == 1
    with (tmp_path / "large.svclog").open("wb") as file:
        file.truncate(65 << 20)
    assert fitting_jobs((tmp_path,)) == (os.cpu_count() or 1)


def test_the_key_of_pseudonyms_stays_on_a_machine() -> None:
    assert machine_key() == machine_key() and len(machine_key()) == 32


def test_it_ends_quietly_when_a_pipe_closes() -> None:
    command = f"{sys.executable} -m remediate triage {LOGS} | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout, done.stderr) == ("Read 2 sou", "")


@needs_shared
def test_the_material_is_read_without_a_fault(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert SHARED
    made = _json(capfdbinary, str(SHARED / "material" / "logs"), "--redact", code=2)
    assert row(made, "event_128").count == 2
    assert sum(source.kind == "svclog" for source in made.sources) == 3


def test_lines_fit_the_terminal_and_a_command_stays_in_one_piece() -> None:
    long = "CCertRequest::Submit: the server said that it could not be reached, and more of the same. 0x800706ba"
    items = [line(long, when=f"2026-11-20T{hour:02}:00:00Z") for hour in range(8, 20)]
    with fitted(80):
        told = as_text(triage_text(report(items), bars=True)).splitlines()
    commands = [one for one in told if one.startswith("  next ")]
    assert commands == ["  next    remediate run rpc_server_unavailable --dry-run --bundle B"]
    assert max(len(one) for one in told if one not in commands) <= 80
    assert any("0x800706ba" in one for one in told if one.startswith("  proof "))


def test_several_problems_begin_with_a_line_for_each() -> None:
    codes = ("0x80094812", "0x80094812", "0x800706ba")
    items = [line(f"{number} {code}", when="2026-11-20T08:00:00Z") for number, code in enumerate(codes)]
    told = as_text(triage_text(report(items))).splitlines()
    head = told.index("   times  first        last         devices")
    assert [one.split()[0] for one in told[head + 1 : head + 3]] == ["2", "1"]
    assert all("11-20 08:00  11-20 08:00" in one for one in told[head + 1 : head + 3])
    assert "   times" not in as_text(triage_text(report(items[:1])))
