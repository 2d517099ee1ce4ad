"""What a script refuses, each with its own sentence, before anything is written: wrong host, time, rights, record,
and a value that is another than approved.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.registry_file import lines, number, text
from tests.powershell import handover
from tests.powershell.engine import Engine
from tests.powershell.handover import CA_KEY, CERTSVC, POLICY_KEY, Desk, plant, state
from tests.powershell.test_handover_cycle import ALL, CA, lay_out, written

CRYPTOGRAPHY = r"HKLM:\SOFTWARE\Microsoft\Cryptography"
OTHER_GUID = "ffffffff-5d5e-4a52-9d6a-5b0d2c1f7a11"
ORDINARY = [["CONTOSO\\anna", "Konto", "S-1-5-21-1-2-3-1104", handover.ENABLED]]
FILTERED = [
    ["BUILTIN\\Administrat\u00f6rer", "Alias", "S-1-5-32-544", "Grupp som bara anv\u00e4nds till neka"],
    ["Obligatorisk etikett\\Medel", "Etikett", "S-1-16-8192", ""],
]
Plant = Callable[[Desk], dict[str, str]]


def nothing(_: Desk) -> dict[str, str]:
    return {}


def other_name(_: Desk) -> dict[str, str]:
    return {"COMPUTERNAME": "HOST2"}


def other_machine(desk: Desk) -> dict[str, str]:
    desk.host.registry.set(CRYPTOGRAPHY, "MachineGuid", text(OTHER_GUID))
    return {}


def other_ca(desk: Desk) -> dict[str, str]:
    desk.host.registry.set(CA_KEY, "CACertHash", lines("aa bb", "00 11"))
    return {}


def no_administrator(desk: Desk) -> dict[str, str]:
    plant(desk.host, whoami={"name": "contoso\\anna", "groups": ORDINARY})
    return {}


def not_elevated(desk: Desk) -> dict[str, str]:
    plant(desk.host, whoami={"name": "contoso\\anna", "groups": FILTERED})
    return {}


def of_32_bit(_: Desk) -> dict[str, str]:
    return {"PROCESSOR_ARCHITEW6432": "AMD64"}


def torn(desk: Desk) -> dict[str, str]:
    record = desk.folder / "result.json"
    record.write_bytes(record.read_bytes()[:-40])
    return {}


def edited(desk: Desk) -> dict[str, str]:
    record = desk.folder / "result.json"
    record.write_bytes(record.read_bytes().replace(b'"257"', b'"256"'))
    return {}


def foreign(desk: Desk) -> dict[str, str]:
    desk.edit("change", f"Digest = '{desk.result()['plan_id']}'", "Digest = 'another'")
    desk.edit("verify", f"Digest = '{desk.result()['plan_id']}'", "Digest = 'another'")
    desk.edit("rollback", f"Digest = '{desk.result()['plan_id']}'", "Digest = 'another'")
    return {}


def other_folder(desk: Desk) -> dict[str, str]:
    for name in ("change", "verify", "rollback"):
        desk.edit(name, f"    Target = '{handover.HOST}'", "    Target = 'host2.contoso.test'")
    return {}


EVERY = ("change", "verify", "rollback")
REFUSED = [
    pytest.param(other_name, EVERY, "This script is for HOST1; this is HOST2.", id="wrong-name"),
    pytest.param(other_machine, EVERY, f"another machine called HOST1: MachineGuid {OTHER_GUID}", id="wrong-guid"),
    pytest.param(other_ca, EVERY, "This is another CA: its certificate is 0011, planned for", id="wrong-ca"),
    pytest.param(no_administrator, EVERY, "no local administrator of this host (S-1-5-32-544)", id="no-administrator"),
    pytest.param(not_elevated, EVERY, "This PowerShell is not elevated.", id="not-elevated"),
    pytest.param(of_32_bit, EVERY, "the 32-bit PowerShell of a 64-bit Windows", id="32-bit"),
    pytest.param(torn, EVERY, "result.json is cut off or was edited.", id="torn-record"),
    pytest.param(edited, EVERY, "result.json is cut off or was edited.", id="edited-record"),
    pytest.param(foreign, EVERY, "result.json belongs to another plan or another target.", id="foreign-record"),
    pytest.param(other_folder, EVERY, "result.json belongs to another plan or another target.", id="other-target"),
]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> tuple[Desk, dict[Path, bytes]]:
    """A host whose change is done, and every file of it, to put back."""
    desk = lay_out(tmp_path_factory.mktemp("changed"), engine, *CA)
    assert desk.change().code == 0
    return desk, {path: path.read_bytes() for path in desk.host.folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("planted", "names", "sentence"), REFUSED)
def test_refused_before_anything_is_written(
    changed: tuple[Desk, dict[Path, bytes]], planted: Plant, names: tuple[str, ...], sentence: str
) -> None:
    desk, files = changed
    for path in desk.folder.glob("*.json"):
        path.unlink()
    for path, content in files.items():
        path.write_bytes(content)
    environment = planted(desk)
    before, record = written(desk.host), (desk.folder / "result.json").read_bytes()
    for name in names:
        options = () if name == "verify" else ("-Confirm:$false",)
        done = desk.run(name, *options, **environment)
        assert done.code == 3, done.text
        assert sentence in " ".join(done.text.split())
        assert ("Nothing was changed." in done.text) == (name != "verify" or planted is of_32_bit)
    assert written(desk.host) == before
    assert (desk.folder / "result.json").read_bytes() == record
    told = {path.name for path in desk.folder.glob("*.refused.json")}
    expected = {"result.refused.json", "verify-result.refused.json", "rollback-result.refused.json"}
    assert told == (set() if planted is of_32_bit else expected)
    for name in told:
        assert (desk.result(name)["exit_code"], desk.result(name)["phase"]) == (3, "checking")


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        ({"expires_at": "2026-01-01T00:00:00Z"}, "The plan expired at 2026-01-01T00:00:00Z."),
        ({"not_before": "2098-01-01T00:00:00Z"}, "The window for this change opens at 2098-01-01T00:00:00Z"),
        ({"not_after": "2026-01-01T00:00:00Z"}, "The window for this change closed at 2026-01-01T00:00:00Z"),
    ],
    ids=["expired", "not-open", "closed"],
)
def test_out_of_its_time(tmp_path: Path, engine: Engine, times: dict[str, str], sentence: str) -> None:
    """Only what changes something new: what is there can be read and undone later too."""
    desk = lay_out(tmp_path, engine, handover.exclusions(), **times)
    before = written(desk.host)
    done = desk.change()
    assert done.code == 3
    assert sentence in done.text and "Nothing was changed." in done.text
    assert written(desk.host) == before
    assert list(desk.records()) == ["result.refused.json"]
    assert desk.verify().code == 2


@pytest.mark.parametrize("name", EVERY)
def test_a_constrained_language(tmp_path: Path, engine: Engine, name: str) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    before = written(desk.host)
    first = "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'; "
    done = desk.run_alone(name, first=first)
    assert done.code == 3, done.text
    assert "runs in ConstrainedLanguage, where these scripts cannot work" in " ".join(done.text.split())
    assert (written(desk.host), desk.records()) == (before, {})


def test_a_rollback_without_a_record(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    before = written(desk.host)
    done = desk.rollback()
    assert done.code == 3
    assert "result.json, so it is not known what to undo. Nothing was changed." in " ".join(done.text.split())
    assert written(desk.host) == before


def disposition(desk: Desk) -> None:
    desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(0x102))


def defined(desk: Desk) -> None:
    desk.host.registry.set(CA_KEY, "UseDefinedCACertInRequest", number(2))


def stopped(desk: Desk) -> None:
    handover.service(desk.host, "Stopped")


DRIFT = [
    pytest.param(disposition, 1, "RequestDisposition = 0x101", "RequestDisposition = 0x102",
                 "RequestDisposition = 0x1", id="value"),
    pytest.param(defined, 2, "UseDefinedCACertInRequest absent", "UseDefinedCACertInRequest = 0x2",
                 "UseDefinedCACertInRequest = 0x1", id="absent-value"),
    pytest.param(stopped, 3, "State = Running", "State = Stopped", "State = Running", id="service"),
]  # fmt: skip


@pytest.mark.parametrize(("planted", "step", "approved", "now", "wanted"), DRIFT)
def test_drift_refuses_the_whole_plan(
    tmp_path: Path, engine: Engine, planted: Callable[[Desk], None], step: int, approved: str, now: str, wanted: str
) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    planted(desk)
    before = written(desk.host)
    done = desk.change()
    assert done.code == 3
    said = [line.removeprefix("WARNING: ").strip() for line in done.text.splitlines() if line.startswith("WARNING:")]
    table = [f"approved  {approved}", f"now       {now}", f"wanted    {wanted}"]
    assert said[0].startswith(f"{step}. ") and said[1:4] == table, done.text
    assert said[4].endswith("Nothing was changed.") and len(said) == 5
    assert written(desk.host) == before
    assert list(desk.records()) == ["result.refused.json"]


def test_a_start_that_was_planned_for_a_stopped_service_only(tmp_path: Path, engine: Engine) -> None:
    """One that is starting is neither stopped nor running."""
    desk = lay_out(tmp_path, engine, handover.start())
    handover.service(desk.host, "Start Pending")
    done = desk.change()
    assert done.code == 3 and "now       State = Start Pending" in done.text


UNREADABLE = [
    pytest.param(lambda desk: desk.host.registry.deny(POLICY_KEY), "1. ca_registry_value", id="policy-key"),
    pytest.param(
        lambda desk: plant(desk.host, failures={"certutil -view": "0x80070005"}), "4. pending_request", id="queue"
    ),
    pytest.param(
        lambda desk: desk.host.registry.deny(rf"{CRYPTOGRAPHY}\PolicyServers"), "5. policy_server", id="policy-servers"
    ),
    pytest.param(
        lambda desk: plant(desk.host, mp_preference={"ExclusionPath": ["N/A: Must be an administrator"]}),
        "6. defender_exclusions", id="exclusions",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("planted", "step"), UNREADABLE)
def test_what_cannot_be_read_is_not_written(
    tmp_path: Path, engine: Engine, planted: Callable[[Desk], None], step: str
) -> None:
    desk = lay_out(tmp_path, engine, *ALL)
    planted(desk)
    before = written(desk.host)
    done = desk.change()
    assert done.code == 1, done.text
    assert f"{step} here: it cannot be read." in done.text and "Nothing was changed." in done.text
    assert (written(desk.host), list(desk.records())) == (before, ["result.refused.json"])
    assert desk.verify().code == 1
    assert written(desk.host) == before


def test_a_key_that_is_denied_to_the_active_ca(tmp_path: Path, engine: Engine) -> None:
    """Which CA this is cannot be told: refused."""
    desk = lay_out(tmp_path, engine, *CA)
    desk.host.registry.deny(CERTSVC)
    before = written(desk.host)
    assert desk.change().code == 3
    assert written(desk.host) == before


def test_a_rollback_where_somebody_has_changed_a_value_since(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *ALL)
    assert desk.change().code == 0
    others: dict[str, Callable[[], object]] = {
        "1. undo": lambda: desk.host.registry.set(POLICY_KEY, "RequestDisposition", number(3)),
        "2. undo": lambda: desk.host.registry.set(CA_KEY, "UseDefinedCACertInRequest", number(7)),
    }
    for step, change in others.items():
        with desk.host.registry.restored():
            change()
            before = written(desk.host)
            done = desk.rollback()
            assert done.code == 3
            assert step in done.text and "Nothing was changed." in done.text
            assert written(desk.host) == before
    assert "rollback-result.json" not in desk.records()
    states = state(desk.host)
    assert desk.rollback().code == 0
    assert json.dumps(states) != json.dumps(state(desk.host))
