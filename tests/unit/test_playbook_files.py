"""Every shipped playbook loads, says everything of itself, stays short, and is found by all spellings of its code."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediate.adcs.hresult import HResult
from remediate.engine.registry import find, load

FILES = sorted((Path(__file__).parents[2] / "playbooks").glob("[!_]*.py"))
# Six causes: the article's two and the neighbours that look like them. What is stuck shows in hosts and logs alike.
LONGER = {"rpc_server_unavailable": 96, "setup_requirements": 85, "stuck_pending": 88}
OWNERS = {
    "0x800706BA": "rpc_server_unavailable",
    "0x80094015": "enrollment_policy_server_missing",
    "0x80070057": "parameter_incorrect",
    "0x80094012": "denied_by_policy_module",
    "0x80094812": "subject_email_required",
}


def test_all_nine_are_there() -> None:
    others = {"antivirus_exclusions", "setup_requirements", "stuck_pending", "submission_pending"}
    assert {path.stem for path in FILES} == others | set(OWNERS.values())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_loads_and_says_everything(path: Path) -> None:
    playbook = load(path)
    meta = playbook.meta
    said = (meta.title, meta.section, meta.impact, meta.rights, meta.disruption, meta.undo, meta.symptoms, meta.sources)
    assert all(said)
    assert meta.severity in {"high", "medium", "low"}
    assert all(isinstance(cause.reads, tuple) and cause.reads and cause.title for cause in playbook.causes)
    for texts in (meta.codes, meta.rights, meta.symptoms, meta.sources):
        assert isinstance(texts, tuple)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_stays_short(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGER.get(path.stem, 80)
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(("code", "name"), OWNERS.items())
def test_every_spelling_finds_the_owner(code: str, name: str) -> None:
    number = HResult.parse(code)
    for text in (code, code.lower(), code[2:], str(number.signed), str(int(number))):
        assert [playbook.name for playbook in find([text])] == [name], text


@pytest.mark.parametrize("code", ["0x80094809", "0x8009480A", "0x80094011", "0x80094014"])
def test_codes_of_denials_find_the_playbook_of_denials(code: str) -> None:
    assert [playbook.name for playbook in find([code])] == ["denied_by_policy_module"]


def test_the_codes_of_the_article_find_theirs() -> None:
    found = {text: find([text])[0].name for text in ("0x80094015", "-2146875374", "2148089877")}
    assert found == {
        "0x80094015": "enrollment_policy_server_missing",
        "-2146875374": "subject_email_required",
        "2148089877": "enrollment_policy_server_missing",
    }
