"""Logs are evidence beside the facts: in findings, for event 128, and for what to run when requests lie unprocessed."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.cli.bundle_logs import log_evidence
from remediate.cli.main import main
from remediate.engine.planning import PlanOptions, make_plan
from remediate.facts.documents import LogEvidence, Snapshot
from remediate.model.finding import Finding
from remediate.transports.bundle import read_bundle, write_bundle
from remediate.transports.bundle_files import LARGEST
from remediate.triage.counting import count
from remediate.triage.evidence import evidence_of
from remediate.triage.signatures import load
from tests.cases.test_cases import facts_of, plan_of
from tests.triage.material import CA, event, line

CASES = Path(__file__).resolve().parents[1] / "cases"
HEALTHY = CASES.parents[1] / "examples" / "contoso-healthy"


def _logged(signature: str, playbook: str, *, code: str = "", host: str = "conn1") -> dict[str, Any]:
    times = {"first": "2026-11-01T00:00:00Z", "last": "2026-11-20T00:00:00Z"}
    return {
        "signature": signature,
        "playbook": playbook,
        "count": 3,
        "code": code,
        "hosts": [host],
        "source": "a.svclog",
        **times,
    }


def _found(case: str, *logs: dict[str, Any]) -> tuple[Finding, ...]:
    return plan_of({**json.loads((CASES / case).read_text(encoding="utf-8")), "logs": list(logs)}).findings


def test_evidence_is_what_a_playbook_knows_and_names_nobody() -> None:
    items = [
        line("0x800706BA for anna@contoso.test", when="2026-11-01T00:00:00Z", source="logs/b.svclog"),
        event(128, provider=CA, record_id="1", when="2026-11-02T00:00:00Z", source=r"logs\a.evtx"),
        line("0x80094811"),
        line("Issuing Pfx certificate for Device ID 1234 failed"),
    ]
    found = evidence_of(count(items, load()))
    assert [(one.signature, one.code, one.hosts, one.source) for one in found] == [
        ("rpc_server_unavailable", "0x800706BA", ("conn1",), "b.svclog"),
        ("event_128", "", ("ca01",), "a.evtx"),
    ]
    assert b"anna" not in msgspec.json.encode(found)


def test_a_finding_is_shown_by_what_logs_say_of_its_problem() -> None:
    pending = _logged("submission_pending", "submission_pending")
    (finding,) = _found("submission_pending/found.json", pending, _logged("event_128", "rpc_server_unavailable"))
    assert [one.shows for one in finding.evidence if "logs of conn1" in one.where] == [
        "submission_pending 3 times, first 2026-11-01T00:00:00Z, last 2026-11-20T00:00:00Z"
    ]


def test_a_finding_with_a_code_is_shown_by_that_code_only() -> None:
    codes = ("rpc_server_unavailable", "0x800706BA"), ("template_not_published", "0x80094800")
    logs = [_logged(signature, "rpc_server_unavailable", code=code) for signature, code in codes]
    findings = _found("rpc_server_unavailable/not_published.json", *logs)
    assert findings
    for finding in findings:
        shown = {one.shows.split()[0] for one in finding.evidence if "logs" in one.where}
        assert shown == {finding.code}


def test_logs_say_what_to_run_next_for_requests_that_lie_unprocessed() -> None:
    before = _found("stuck_pending/failed_files.json")[0].next_playbooks
    denied = _logged("parameter_incorrect", "parameter_incorrect", code="0x80070057")
    elsewhere = _logged("subject_email_required", "subject_email_required", host="conn9")
    (finding,) = _found("stuck_pending/failed_files.json", denied, elsewhere)
    assert set(finding.next_playbooks) == {*before, "parameter_incorrect"}


def test_request_files_among_the_logs_are_counted_by_their_part_and_named_by_their_folder(tmp_path: Path) -> None:
    for folder in ("PfxRequest/Failed", "PfxRequest/Processing", "PfxRequest/Succeed", "copy/PfxRequest/Failed"):
        (tmp_path / "b" / "logs" / folder).mkdir(parents=True)
        for name in ("anna.pfr", "erik.pfr"):
            (tmp_path / "b" / "logs" / folder / name).write_text("0x80094812" if "Failed" in folder else "asked")
    (tmp_path / "b" / "logs" / "PfxRequest" / "Processing" / "anna.pfr").unlink()
    known, failed, processing = log_evidence([tmp_path / "b"])
    assert (known.signature, known.source, known.part) == ("subject_email_required", "PfxRequest/Failed", "")
    assert (failed.part, failed.count, failed.codes, failed.source) == (
        "Failed", 2, ("0x80094812",), "PfxRequest/Failed",
    )  # fmt: skip
    assert (processing.part, processing.count, processing.codes) == ("Processing", 1, ())
    assert failed.first and failed.first <= failed.last
    assert not {b"anna", b"erik"} & set(msgspec.json.encode([known, failed, processing]).split(b'"'))


def test_stuck_sees_request_files_of_a_bundles_logs(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(HEALTHY, tmp_path / "b")
    assert main(["plan", "--all", "--bundle", "b", "--json"]) == 0
    capfdbinary.readouterr()
    (tmp_path / "b" / "logs" / "PfxRequest" / "Failed").mkdir(parents=True)
    (tmp_path / "b" / "logs" / "PfxRequest" / "Failed" / "a.pfr").write_text("0x80094812")
    assert main(["plan", "--all", "--bundle", "b", "--keep-facts", "kept", "--json"]) == 2
    told = capfdbinary.readouterr().out
    (finding,) = msgspec.json.decode(told)["findings"]
    assert (finding["cause"], finding["next_playbooks"]) == ("requests_unprocessed_in_logs", ["subject_email_required"])
    assert finding["evidence"][0]["where"] == "logs, PfxRequest/Failed"
    assert main(["plan", "--all", "--bundle", "kept", "--json"]) == 2
    assert msgspec.json.decode(capfdbinary.readouterr().out) == msgspec.json.decode(told)


def test_what_stands_in_logs_is_no_part_of_the_bundle(tmp_path: Path) -> None:
    write_bundle(facts_of({}), tmp_path / "b")
    read = read_bundle([tmp_path / "b"])
    logs = tmp_path / "b" / "logs"
    logs.mkdir()
    (logs / "device.json").write_text("no document of facts", encoding="utf-8")
    (logs / "old.zip").write_bytes(b"no zip")
    assert read_bundle([tmp_path / "b"]) == read
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (tmp_path / "b").rglob("*.json"):
            archive.write(file, file.relative_to(tmp_path / "b"))
        archive.writestr("logs/large.svclog", b"\0" * (LARGEST + 1))
    assert read_bundle([tmp_path / "b.zip"]) == read


@pytest.mark.parametrize("name", ["kept", "kept.zip"])
def test_evidence_survives_a_bundle_and_gives_the_same_plan(tmp_path: Path, name: str) -> None:
    case = json.loads((CASES / "rpc_server_unavailable" / "event_128_in_logs.json").read_text(encoding="utf-8"))
    snapshot: Snapshot = facts_of(case)
    write_bundle(snapshot, tmp_path / name)
    read = read_bundle([tmp_path / name])
    assert read.logs == snapshot.logs == (msgspec.convert(case["logs"][0], LogEvidence),)
    assert make_plan(read, PlanOptions()) == make_plan(snapshot, PlanOptions())


def test_logs_of_a_bundle_are_read_with_the_playbooks_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own" / "signatures").mkdir(parents=True)
    (tmp_path / "own" / "mine.py").touch()
    (tmp_path / "own" / "signatures" / "mine.toml").write_text(
        'id = "mine"\ntitle = "Mine"\nplaybook = "mine"\nmeaning = "It is mine."\nsources = ["me"]\n'
        'codes = ["0x80094804"]\n'
    )
    (tmp_path / "b" / "logs").mkdir(parents=True)
    (tmp_path / "b" / "logs" / "a.txt").write_text("2026-11-01 08:00:00 0x80094804\n")
    assert log_evidence([tmp_path / "b"]) == ()
    (found,) = log_evidence([tmp_path / "b"], (str(tmp_path / "own"),))
    assert (found.signature, found.playbook, found.count) == ("mine", "mine", 1)
