"""How plans read: text, Markdown and the schema."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.model.finding import Refusal
from remediate.model.plan import Obtains, Plan, digest, seal
from remediate.render import reading
from remediate.render.diff import diff
from remediate.render.markdown import code, escape, markdown
from remediate.render.schema import schema_text
from remediate.render.text import WIDTH, as_terminal_text, as_text, beside, fitted, visible, wrap
from tests.unit.plan_material import BROKEN, DENIED, GRANT, HEALTHY, PENDING

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
DIGEST = "5e" * 32


def _text(plan: Plan, *, digest: str = "", saved: str = "") -> str:
    return as_text(diff(plan, digest=digest, saved=saved))


def test_broken_estate_reads_as_its_golden_text() -> None:
    assert _text(BROKEN, digest=DIGEST, saved="plan.json") == (GOLDEN / "broken.txt").read_text(encoding="utf-8")


def test_broken_estate_reads_as_its_golden_markdown() -> None:
    assert markdown(BROKEN, digest=DIGEST) == (GOLDEN / "broken.md").read_text(encoding="utf-8")


def test_healthy_estate_says_that_there_is_nothing_to_do() -> None:
    text = _text(HEALTHY)
    assert "PROBLEM" not in text
    assert text.endswith("0 problems, 0 changes. Nothing to do.\n")


def test_blocks_come_in_the_order_of_their_weight() -> None:
    text = _text(BROKEN)
    words = [
        "PROBLEM",
        "REFUSED",
        "NOT PLANNED",
        "UNKNOWN",
        "Unknown too",
        "Not asked",
        "After this plan",
        "5 problems",
    ]
    places = [text.index(word) for word in words]
    assert places == sorted(places)


def test_no_line_is_wider_than_the_ticket() -> None:
    long = msgspec.structs.replace(DENIED, message="x" * 100 + " " + "word " * 60)
    text = _text(msgspec.structs.replace(BROKEN, findings=(long, *BROKEN.findings[1:])))
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("word", [
    "/home/anna/.local/state/remediate/runs/20261124T200211Z-7890821f",
    "(OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;S-1-5-21-2811840127-1904662735-3096214481-1104)",
    "7890821ffee8" * 8,
])  # fmt: skip
def test_what_is_to_be_copied_stays_whole_on_a_narrow_terminal(word: str) -> None:
    with fitted(60):
        below = as_text(wrap(f"{word} ends", first="Run 20261124T200211Z-7890821f is kept in ", rest="  "))
        beside_it = as_text(wrap(f"allow CONN1$ Enroll {word}", first="  because    "))
    assert below.splitlines() == ["Run 20261124T200211Z-7890821f is kept in", f"  {word}", "  ends"]
    assert beside_it.splitlines() == ["  because    allow CONN1$ Enroll", f"             {word}"]


def test_plain_text_has_no_escape_and_terminal_text_has() -> None:
    assert "\x1b" not in _text(BROKEN)
    assert "\x1b[32m" in as_terminal_text(diff(BROKEN))


@pytest.mark.parametrize("foreign", ["\x1b[2J", "a\nPROBLEM fake", "\u202egnp.exe", "\x07", "\u2028x"])
def test_foreign_strings_cannot_steer_the_terminal(foreign: str) -> None:
    finding = msgspec.structs.replace(DENIED, message=foreign)
    plan = msgspec.structs.replace(BROKEN, findings=(finding,))
    for text in (_text(plan), markdown(plan)):
        assert foreign not in text
        assert f"\\u{ord(next(c for c in foreign if not c.isprintable())):04x}" in text.replace("\\\\", "\\")


def test_a_shared_change_is_printed_once_and_named_again() -> None:
    shared = msgspec.structs.replace(GRANT, because=(DENIED.id, PENDING.id))
    text = _text(msgspec.structs.replace(BROKEN, actions=(shared,)))
    assert text.count("1 change ") == 1
    assert "see        change 1" in text


def test_a_change_that_no_finding_names_is_still_printed() -> None:
    text = _text(msgspec.structs.replace(BROKEN, actions=(msgspec.structs.replace(GRANT, because=("other",)),)))
    assert "1 change" in text


def test_an_override_stands_with_the_problem_and_is_no_refusal() -> None:
    refusal = Refusal(finding=DENIED.id, guard="esc1", reason="it opens", overridden=True)
    plan = msgspec.structs.replace(BROKEN, refused=(refusal,))
    assert "override   esc1: it opens" in _text(plan)
    assert "REFUSED" not in _text(plan)
    assert "**override esc1**" in markdown(plan)


def test_a_refusal_without_its_finding_is_told_by_name() -> None:
    plan = msgspec.structs.replace(HEALTHY, refused=(Refusal(finding="a/b/c", guard="g", reason="why"),))
    assert "REFUSED  a/b/c" in _text(plan)
    assert "a/b/c" in markdown(plan)


def test_every_action_and_finding_is_told_in_both_forms() -> None:
    for text in (_text(BROKEN), markdown(BROKEN).replace("\\", "")):
        assert all(finding.message.replace("\\", "") in text.replace("\\", "") for finding in BROKEN.findings)
        assert all(action.label in text for action in BROKEN.actions)


def test_a_certificate_that_is_no_longer_held_is_one_line() -> None:
    changes = [change for change in reading.delta(BROKEN) if change.obtains.template == "User"]
    assert [(change.gained, change.was_held) for change in changes] == [(True, True)]


def test_a_loss_is_told() -> None:
    plan = msgspec.structs.replace(HEALTHY, lost=(Obtains("CONTOSO\\Anna", "User", "CA", "any"),))
    assert "  - CONTOSO\\Anna   any name, from User at CA" in _text(plan)


def test_an_incomplete_plan_does_not_ask_for_approval() -> None:
    assert "approves" not in _text(BROKEN, digest=DIGEST, saved="p")
    assert "approves" in _text(HEALTHY, digest=DIGEST, saved="p")


@given(st.text(max_size=300), st.text(max_size=300))
def test_lines_of_any_text_fit_and_lose_no_word(left: str, right: str) -> None:
    lines = [*wrap(left, first="  because    "), *beside(left[:100], right)]
    longest = max(map(len, f"{visible(left)} {visible(right)}".split(" ")))
    assert all(len(line.text) <= max(WIDTH, 13 + longest) for line in lines)
    words = "".join(as_text(wrap(left, first="  because    ")).split())
    assert words == "because" + "".join(visible(left).split())
    assert all(line.text.isprintable() for line in lines)


@given(st.text(max_size=60))
def test_code_spans_and_cells_stay_on_one_line(text: str) -> None:
    for shown in (code(text), escape(text)):
        assert "\n" not in shown
        assert "|" not in shown.replace("\\|", "")


def test_the_schema_names_every_property_of_a_plan_file() -> None:
    schema = msgspec.json.decode(schema_text())["$defs"]["Plan"]
    plan = msgspec.json.decode(seal(BROKEN))
    assert set(plan) <= set(schema["properties"])
    assert plan["plan_id"] == digest(BROKEN)
    assert "plan_id" in schema["required"]
