"""How a script begins: where its records go, how it is started unasked, who else is at work, which rights are seen."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from remediate.model.plan import digest, seal
from remediate.render.powershell.handover import README_FILE
from remediate.render.powershell.handover import handover as handed_over
from tests.lab.registry_file import binary
from tests.powershell import handover
from tests.powershell.descriptors import ALLOW, DENY, descriptor, entry
from tests.powershell.engine import Engine
from tests.powershell.handover import CA_KEY, Desk
from tests.powershell.test_handover_cycle import CA, lay_out, written
from tests.powershell.test_script_text import PWSH

PAGE = Path(__file__).parents[2] / "docs" / "for-the-windows-team.md"
LOCKED_BY = "CONTOSO\\erik on PC9"
ADMINISTRATORS, ANNA, EVERYONE = "S-1-5-32-544", "S-1-5-21-1-2-3-1104", "S-1-1-0"
REFUSED_RIGHT = "lacks the right Issue and Manage Certificates on this CA"
UNSEEN = "Whether this account has the right Issue and Manage Certificates on this CA cannot be seen"


def said(text: str) -> str:
    return " ".join(text.split())


def at(minutes: float) -> str:
    return f"{datetime.now(UTC) + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


# --- where the records go


def test_records_go_beside_the_script_from_wherever_it_is_started(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    first = "Push-Location -LiteralPath 'HKLM:\\SOFTWARE'; "
    assert desk.run("change", "-Confirm:$false", first=first).code == 0
    assert list(desk.records()) == ["result.json"]


def test_a_relative_record_from_the_registry_goes_where_powershell_stands_among_files(
    tmp_path: Path, engine: Engine
) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    (tmp_path / "records").mkdir()
    first = f"Push-Location -LiteralPath '{tmp_path}/records'; Push-Location -LiteralPath 'HKLM:\\SOFTWARE'; "
    done = desk.run("change", "-Confirm:$false", "-ResultPath", "../records/my.json", first=first)
    assert done.code == 0, done.text
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["my.json"]
    assert list(desk.records()) == []


@pytest.mark.parametrize("path", ["HKLM:\\SOFTWARE\\my.json", "NoDrive:\\my.json", "Env:\\my.json"])
def test_a_record_that_is_no_file_is_refused(tmp_path: Path, engine: Engine, path: str) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    before = written(desk.host)
    done = desk.change("-ResultPath", f"'{path}'")
    assert done.code == 3 and "Nothing was changed." in done.text, done.text
    assert ("is no path of a file" in done.text) == (not path.startswith("NoDrive"))
    assert (written(desk.host), desk.records()) == (before, {})


# --- started unasked


def unasked_lines() -> list[str]:
    """What README, every header and the page for the Windows team say is to be run where nobody answers."""
    plan = handover.make_plan(handover.exclusions())
    files = handed_over(plan, digest(plan), sealed=seal(plan))
    texts = [PAGE.read_text(), *(content.decode("ascii") for name, content in files.items() if name != "plan.json")]
    names = sum(name == README_FILE or name.endswith(("change.ps1", "rollback.ps1")) for name in files)
    found = [line.strip() for text in texts for line in text.splitlines() if "-Command" in line and "-Confirm" in line]
    assert len(found) == 1 + names == 4
    return found


def test_every_line_for_nobody_to_answer_is_the_same() -> None:
    commands = {re.sub(r"rollback|change", "NAME", line.partition("-Command ")[2]) for line in unasked_lines()}
    wanted = "\"$ErrorActionPreference = 'Stop'; & .\\NAME.ps1 -Confirm:$false; exit $LASTEXITCODE\""
    assert commands == {wanted}


@pytest.mark.parametrize(
    ("content", "code"), [(None, 1), ("if (", 1), ("exit 3", 3), ("exit 4", 4), ("exit 0", 0)],
    ids=["missing", "cut-off", "refused", "part-way", "done"],
)  # fmt: skip
def test_a_script_that_never_ran_is_no_success(tmp_path: Path, content: str | None, code: int) -> None:
    if PWSH is None:
        pytest.skip("there is no pwsh on PATH")
    if content is not None:
        (tmp_path / "change.ps1").write_text(f"[CmdletBinding(SupportsShouldProcess = $true)] param()\n{content}\n")
    for line in {line.partition("-Command ")[2].strip('"') for line in unasked_lines() if "rollback" not in line}:
        command = line.replace(".\\", "./")
        done = subprocess.run(
            [str(PWSH), "-NoProfile", "-Command", command], cwd=tmp_path, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr


# --- the time


@pytest.mark.parametrize(
    ("times", "sentence"),
    [({"not_before": "2098-01-01T00:00:00Z"}, "The window for this change opens at 2098-01-01T00:00:00Z"),
     ({"expires_at": "2026-01-01T00:00:00Z"}, "The plan expired at 2026-01-01T00:00:00Z.")],
)  # fmt: skip
def test_a_rehearsal_has_no_window(tmp_path: Path, engine: Engine, times: dict[str, str], sentence: str) -> None:
    desk = lay_out(tmp_path, engine, *CA, **times)
    before = written(desk.host)
    done = desk.run("change", "-WhatIf")
    assert done.code == 2, done.text
    assert sentence in done.text and "Without -WhatIf this would be the end of it." in said(done.text)
    assert done.text.count("What if: ") == 3
    assert (written(desk.host), desk.records()) == (before, {})
    assert desk.change().code == 3


# --- who else is at work


def lock_file(desk: Desk) -> Path:
    return desk.host.folder / "ProgramData" / "remediate" / "lock.json"


def lock(desk: Desk, until: str, *, content: str = "") -> bytes:
    """A live run's lock on the host."""
    lock_file(desk).parent.mkdir(parents=True, exist_ok=True)
    run = {"run": "2026-11-22T100000Z-0f3c5b0e", "who": LOCKED_BY, "until": until}
    lock_file(desk).write_text(content or json.dumps(run))
    return lock_file(desk).read_bytes()


def test_a_live_run_keeps_the_scripts_out(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    until = at(9)
    held, before = lock(desk, until), written(desk.host)
    done = desk.change()
    assert done.code == 3
    assert f"Another run is at work on this host: 2026-11-22T100000Z-0f3c5b0e, by {LOCKED_BY}, until {until}" in said(
        done.text
    )
    assert "Nothing was changed." in done.text
    assert (written(desk.host), lock_file(desk).read_bytes()) == (before, held)
    assert desk.run("change", "-WhatIf").code == 2
    assert desk.verify().code == 2
    lock_file(desk).unlink()
    assert desk.change().code == 0
    held, before = lock(desk, until), written(desk.host)
    done = desk.rollback()
    assert (done.code, LOCKED_BY in done.text, written(desk.host)) == (3, True, before)
    assert lock_file(desk).read_bytes() == held


@pytest.mark.parametrize("left", ["dead", "never written", "none"])
def test_a_dead_lock_keeps_nobody_out(tmp_path: Path, engine: Engine, left: str) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    if left != "none":
        lock(desk, at(-1), content="\n" if left == "never written" else "")
    assert desk.change().code == 0
    assert lock_file(desk).exists() == (left != "none")


def test_what_is_no_lock_is_a_refusal(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, handover.exclusions())
    before = written(desk.host)
    lock(desk, "", content="somebody's notes")
    done = desk.change()
    assert (done.code, "is no lock of ours" in done.text, written(desk.host)) == (3, True, before)


# --- the right to decide on requests


def token(desk: Desk, *groups: str) -> None:
    rows = [[f"CONTOSO\\{sid}", "Alias", sid, handover.ENABLED] for sid in groups]
    handover.plant(desk.host, whoami={"name": "contoso\\anna", "groups": [*handover.ADMINISTRATOR, *rows]})


READER, OFFICER = 0x100, 0x2
SEEN = [
    pytest.param([entry(ALLOW, ADMINISTRATORS, OFFICER | 1)], True, id="administrators"),
    pytest.param([entry(ALLOW, ANNA, OFFICER)], True, id="a-group-of-theirs"),
    pytest.param([entry(ALLOW, ADMINISTRATORS, 1), entry(ALLOW, EVERYONE, READER)], False, id="nobody"),
    pytest.param([entry(DENY, ANNA, OFFICER), entry(ALLOW, ADMINISTRATORS, OFFICER)], False, id="denied"),
    pytest.param([entry(DENY, "S-1-5-21-1-2-3-9", OFFICER), entry(ALLOW, ADMINISTRATORS, OFFICER)], True,
                 id="somebody-else-denied"),
    pytest.param([entry(ALLOW, ADMINISTRATORS, OFFICER, flags=8)], False, id="for-what-is-below"),
    pytest.param([entry(9, ADMINISTRATORS, OFFICER)], None, id="under-a-condition"),
    pytest.param([], False, id="empty"),
    pytest.param(None, None, id="absent"),
]  # fmt: skip


@pytest.mark.parametrize(("entries", "may"), SEEN)
def test_the_right_to_decide_on_requests(
    tmp_path: Path, engine: Engine, entries: list[bytes] | None, may: bool | None
) -> None:
    """Where it is known to be missing, nothing is written and CertSvc is not restarted for nothing."""
    desk = lay_out(tmp_path, engine, *CA, handover.request(4, depends_on=(3,)))
    if entries is not None:
        desk.host.registry.set(CA_KEY, "Security", binary(descriptor(*entries)))
    token(desk, ANNA)
    before = written(desk.host)
    done = desk.change()
    assert done.code == (3 if may is False else 0), done.text
    assert (REFUSED_RIGHT in said(done.text)) == (may is False)
    assert (UNSEEN in said(done.text)) == (may is None)
    assert (written(desk.host) == before) == (may is False)


def test_a_right_that_is_not_needed_is_not_asked_for(tmp_path: Path, engine: Engine) -> None:
    desk = lay_out(tmp_path, engine, *CA)
    desk.host.registry.set(CA_KEY, "Security", binary(descriptor()))
    assert desk.change().code == 0
