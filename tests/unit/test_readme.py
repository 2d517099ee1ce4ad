"""The README shows what the program really prints, and names only verbs, options and files that exist."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
import pytest

from remediate.actions.states import Table
from remediate.actions.writing import Lease
from remediate.cli.main import main
from remediate.engine.applying import carry_out
from remediate.engine.checking import check_all, with_locks
from remediate.engine.registry import every
from remediate.engine.schedule import controllers_clock, schedule, use
from remediate.engine.verifying import Verification, stands_now
from remediate.model.plan import Action, Plan, target_of, unseal
from remediate.model.utc import utc_text
from remediate.render.applied import Run, applied, applied_lines
from remediate.render.applied_check import check_document, check_lines
from remediate.render.documents import ApprovalDescription
from remediate.render.powershell.handover import handover
from remediate.render.schema import DOCUMENTS
from remediate.render.text import as_text
from tests.engine.memory_writer import Memory
from tests.unit.result_material import put, record, step

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("section", ["Run it", "Test it"])
def test_a_section_is_one_command_from_a_fresh_clone(section: str) -> None:
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    (command,) = block.splitlines()
    assert (ROOT / command.removeprefix("bash ")).is_file()


def test_the_diff_it_shows_is_the_diff_that_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = re.search(r"^`remediate (run .* --dry-run .*)`:$", README, flags=re.MULTILINE)
    assert arguments is not None
    assert main(arguments[1].split()) == 2
    printed = capsys.readouterr().out
    (shown,) = (text for _, text in BLOCKS if text.startswith("Dry run"))
    above, _, below = shown.partition("  ...\n")
    assert printed.startswith(above), "copy what the command prints"
    assert printed.endswith(below), "copy what the command prints"


def test_the_triage_it_shows_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = re.search(r"^`remediate (triage .*)`:$", README, flags=re.MULTILINE)
    assert arguments is not None
    assert main(arguments[1].split()) == 2
    printed = capsys.readouterr().out
    (shown,) = (text for _, text in BLOCKS if text.startswith("Read "))
    above, _, below = shown.partition("  ...\n")
    assert printed.startswith(above), "copy what the command prints"
    assert printed.endswith(below), "copy what the command prints"


def test_its_table_has_every_playbook_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", README, flags=re.MULTILINE)
    assert [name for name in rows if "." not in name and name not in _VERBS] == [playbook.name for playbook in every()]


_VERBS = (
    "triage", "run", "plan", "show", "apply", "script", "import", "verify", "rollback", "runs", "list", "explain",
    "collect",
)  # fmt: skip


def test_its_commands_and_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    named = {line.split()[1] for _, text in BLOCKS for line in text.splitlines() if line.startswith("remediate ")}
    assert named <= set(_VERBS)
    helps = ""
    for verb in _VERBS:
        assert main([verb, "--help"]) == 0
        helps += capsys.readouterr().out
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert options <= set(re.findall(r"--[a-z][a-z-]+", helps)), options


def test_the_hand_over_it_shows_is_what_is_made_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown_readme, told = (
        next(text for _, text in BLOCKS if text.startswith(start)) for start in ("1-directory\n", "change.ps1 on ")
    )
    bundle = str(ROOT / "examples" / "contoso-broken")
    monkeypatch.chdir(tmp_path)
    assert (
        main(["plan", "submission_pending", "denied_by_policy_module", "--bundle", bundle, "--out", "plan.json"]) == 2
    )
    sealed = Path("plan.json").read_bytes()
    plan, digest = unseal(sealed, where="plan.json")
    files = handover(plan, digest, sealed=sealed)
    assert shown_readme in files["README.txt"].decode("ascii").replace("\r\n", "\n"), "copy what is made"
    put(tmp_path, "handover/plan.json", sealed)
    template, value, restart = plan.actions
    times = {"started": "2026-11-24T20:02:11Z", "finished": "2026-11-24T20:02:15Z"}
    put(tmp_path, "handover/1/result.json", record(plan, step(template, "changed"), target="directory", **times))
    killed = {"started": "2026-11-24T20:31:40Z", "finished": "", "exit_code": 4, "message": ""}
    steps = step(value, "changed"), step(restart, "begun")
    more = {"target": "ca01.contoso.test", "account": "CONTOSO\\bertil"} | killed
    put(tmp_path, "handover/2/result.json", record(plan, *steps, **more))
    capsys.readouterr()
    assert main(["import", "handover", "--runs", "runs"]) == 2
    printed = capsys.readouterr().out.rpartition("Kept in")[0]
    assert re.sub("Plan [0-9a-f]{12}", "Plan", printed) == re.sub("Plan [0-9a-f]{12}", "Plan", told), "copy it"


class _Answering(Memory):
    """A host in memory, whose CertSvc comes back as the lab's does."""

    def write(self, action: Action, *, before: Table, after: Table) -> str:
        super().write(action, before=before, after=after)
        return "Running after 0.8 s; it answers certutil -ping" if action.kind == "restart_service" else ""


def _identity(plan: Plan, target: str) -> dict[str, str]:
    return next(one.identity for one in plan.targets if target in (one.kind, one.name.lower()))


def _shown(start: str) -> str:
    return str(next(text for _, text in BLOCKS if text.startswith(start)))


def test_the_check_and_the_run_it_shows_are_told_so(tmp_path: Path) -> None:
    names = ["submission_pending", "denied_by_policy_module"]
    out = tmp_path / "plan.json"
    assert main(["plan", *names, "--bundle", "examples/contoso-broken", "--out", str(out)]) == 2
    plan, digest = unseal(out.read_bytes(), where="plan.json")
    writers = {name: _Answering.before(name, plan.actions) for name in dict.fromkeys(map(target_of, plan.actions))}
    for name, writer in writers.items():
        writer.who_is_it = _identity(plan, name)
    now = datetime(2026, 11, 24, 19, 40, tzinfo=UTC)
    conditions = (*schedule(plan, now=utc_text(now)), use((), run=""), controllers_clock(plan, now=now, there=now))
    found = with_locks(msgspec.structs.replace(check_all(plan, writers), schedule=conditions), writers, ())
    check = check_document(found, plan_id=digest)
    assert as_text(check_lines(check)) == _shown("  holds  "), "copy what is told"

    lease = Lease(run="run", who="anna", token="0f" * 16)
    clock = partial(datetime.now, UTC)
    steps, code = carry_out(plan, writers, lease=lease, record=lambda _line: None, clock=clock)
    told = _shown("Plan ")
    shown_id, name = told.split()[1].rstrip(":"), told.split()[-1].rpartition("/")[2]
    assert digest.startswith(shown_id), "copy the digest"
    run = Run(name=name, folder=told.split()[-1], plan_id=digest)
    approval = ApprovalDescription(digest=shown_id, ticket="CHG0012345", approved_by="anna")
    verification = Verification(standing=stands_now(plan, writers))
    document = applied(run, steps, approval=approval, exit_code=int(code), verification=verification)
    assert as_text(applied_lines(document)) == told, "copy what is told"
    assert f"--approve {shown_id} --ticket CHG0012345 --approved-by anna" in README


def test_its_links_and_schemas_are_there() -> None:
    assert all((ROOT / target).is_file() for target in re.findall(r"\]\(([^)#:]+)\)", README))
    named = set(re.findall(r"`(\w+)\.schema\.json`", README))
    assert named == set(DOCUMENTS)
