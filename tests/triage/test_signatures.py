"""Signatures are data: each is read whole, belongs to a playbook, and claims nothing that another claims."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from remediate.adcs.hresult import NAMES, HResult, found_in
from remediate.engine.registry import every
from remediate.model.errors import DocumentError, UsageError
from remediate.triage.signatures import FOLDER, Signatures, load

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "playbooks" / FOLDER).glob("*.toml"))

GOOD = """
id = "mine"
title = "Mine"
playbook = "mine"
meaning = "It is mine."
sources = ["me"]
codes = ["0x80094804"]
"""


def _own(folder: Path, text: str = GOOD, *, name: str = "mine") -> str:
    (folder / FOLDER).mkdir(exist_ok=True)
    (folder / "mine.py").touch()
    (folder / FOLDER / f"{name}.toml").write_text(text, encoding="utf-8")
    return str(folder)


def test_every_file_is_a_signature_of_a_playbook_that_loads() -> None:
    playbooks = {playbook.name for playbook in every()}
    assert {one.id for one in load().all} == {file.stem for file in FILES}
    for one in load().all:
        assert one.title and one.meaning.endswith(".") and one.sources
        assert one.playbook in playbooks if one.kind not in ("success", "routine") else not one.playbook


def test_every_code_of_a_playbook_has_a_signature() -> None:
    known = set(load().by_code)
    assert {HResult.parse(code) for playbook in every() for code in playbook.meta.codes} <= known


@pytest.mark.parametrize("signature", load().all, ids=lambda one: one.id)
def test_the_playbook_knows_the_codes_of_its_signature(signature: object) -> None:
    one = load()[signature.id]  # type: ignore[attr-defined]
    told = {code for playbook in every() if playbook.name == one.playbook for code in playbook.meta.codes}
    later = {"0x8009480A", "0x8009480D", "0x8009480F"}  # a neighbour of a code that the playbook names
    later |= {code for code in one.codes if not HResult.parse(code).is_failure}  # the older connector's own
    assert set(one.codes) - later <= told


def test_the_needles_hold_every_code_text_and_event() -> None:
    needles = load().needles
    for one in load().all:
        assert set(one.hresults) <= needles.codes
        assert set(one.every_text) <= needles.texts
        for events in one.events:
            named = {(events.channel or events.provider, number) for number in events.ids}
            assert named <= (needles.routine if one.kind == "routine" else needles.event_ids)
    assert needles.routine.isdisjoint(needles.event_ids)


def test_a_folder_of_ones_own_adds_to_what_is_shipped(tmp_path: Path) -> None:
    both: Signatures = load((_own(tmp_path),))
    assert len(both.all) == len(load().all) + 1
    assert both.by_code[0x80094804].playbook == "mine"


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        (GOOD, "other", "not the name of its file"),
        (GOOD.replace('playbook = "mine"', 'playbook = "none"'), "mine", "no playbook 'none'"),
        (GOOD.replace("0x80094804", "0x800706BA"), "mine", "0x800706BA"),
        (GOOD.replace("0x80094804", "nonsense"), "mine", "not an HRESULT"),
        (GOOD.replace("0x80094804", "0x00000401"), "mine", "no failed HRESULT"),
        (GOOD.replace('codes = ["0x80094804"]', ""), "mine", "neither a code nor a text nor an event"),
        (GOOD + "[texts]\nen = ['']", "mine", "empty"),
        (GOOD + "[texts]\nsv = ['nekad av PRINCIPMODULEN']", "mine", "nekad av principmodulen"),
        (GOOD + "colour = 'red'", "mine", "colour"),
        (GOOD + "codes = 3", "mine", "mine.toml"),
        ("\x00", "mine", "mine.toml"),
    ],
)
def test_a_signature_that_cannot_be_used_is_refused_by_name(tmp_path: Path, text: str, name: str, why: str) -> None:
    with pytest.raises(DocumentError) as refused:
        load((_own(tmp_path, text, name=name),))
    assert why in str(refused.value)


def test_two_signatures_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rpc_server_unavailable.py").touch()
    text = GOOD.replace("mine", "rpc_server_unavailable")
    with pytest.raises(DocumentError, match="two signatures have this id"):
        load((_own(tmp_path, text, name="rpc_server_unavailable"),))


def test_a_folder_that_is_not_there_is_a_wrong_use() -> None:
    with pytest.raises(UsageError):
        load(("/no/such/folder",))


def test_the_signatures_travel_with_the_playbooks() -> None:
    """The wheel takes the playbooks' folder whole; nothing there may be left out by its ending."""
    told = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'playbooks = "remediate/_shipped/playbooks"' in told
    tracked = subprocess.run(["git", "check-ignore", *map(str, FILES)], cwd=ROOT, capture_output=True, text=True)
    assert tracked.stdout == ""


@pytest.mark.parametrize(
    "spelling",
    [
        "0x80094812",
        "0X80094812",
        "80094812",
        "-2146875374",
        "\u22122146875374",
        "\u2013 2146875374",
        "2148091922",
        "(0x80094812)",
        "0x80094812 (-2146875374 CERTSRV_E_SUBJECT_EMAIL_REQUIRED)",
        "0xFFFFFFFF80094812",
        "0x0000000080094812",
        "code=80094812;",
    ],
)
def test_one_code_in_every_spelling(spelling: str) -> None:
    assert found_in(f"it failed: {spelling} and so on") == (0x80094812,)


@pytest.mark.parametrize(
    "text",
    [
        "80094812-1111-2222-3333-444455556666",
        "{80094812-1111-2222-3333-444455556666}",
        "0x8009481",
        "0x800948120",
        "x80094812y",
        "0x80000000 0xFFFFFFFF 0xC0000000",
        "Keywords 0x8080000000000000",
        "2148091922.5 and 12148091922",
        "thumbprint 80094812aabbccddeeff00112233445566778899",
        "call 0049-2146875374",
        "0x00000400",
        "",
    ],
)
def test_what_is_no_code(text: str) -> None:
    assert found_in(text) == ()


def test_a_code_that_is_no_failure_counts_only_when_it_is_asked_for() -> None:
    assert found_in("code 0x00000400", also={0x400}) == (0x400,)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x80094811, "CERTSRV_E_KEY_LENGTH"),
        (0x80090016, "NTE_BAD_KEYSET"),
        (0x80092013, "CRYPT_E_REVOCATION_OFFLINE"),
        (0x800B0109, "CERT_E_UNTRUSTEDROOT"),
        (0x80090322, "SEC_E_WRONG_PRINCIPAL"),
        (0x800706D9, "EPT_S_NOT_REGISTERED"),
        (0x80094015, "CERTSRV_E_NO_POLICY_SERVER"),
        (0x8007054B, "ERROR_NO_SUCH_DOMAIN"),
        (0x80094C12, ""),
    ],
)
def test_names_are_the_published_ones(code: int, name: str) -> None:
    assert HResult(code).name == name


def test_the_table_of_names_holds_the_facilities_of_a_pki_whole() -> None:
    by_facility = {facility: sum(code >> 16 == facility for code in NAMES) for facility in (0x8009, 0x800B)}
    assert by_facility == {0x8009: 316, 0x800B: 32}
    assert all(HResult(code).is_failure and name.isidentifier() for code, name in NAMES.items())


def test_the_table_costs_little_to_start_with() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import remediate.adcs.hresult_names"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr.splitlines()
    assert int(told[-1].split("|")[0].split(":")[1]) < 20_000  # microseconds
