"""The journal: what is edited, taken out, put in, cut off or torn is seen, wherever it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.model.journal import Journal, JournalLine, continued, end_of, line_hash, read_journal
from remediate.model.secret import Secret, SecretNotSerialisable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TABLES = st.none() | st.dictionaries(TEXTS, st.none() | TEXTS, max_size=2)
LINES = st.builds(
    JournalLine,
    at=st.just("2026-11-23T09:12:00Z"),
    event=st.sampled_from(["begin", "done", "as wanted", "refused"]),
    source=TEXTS,
    target=TEXTS,
    action=st.integers(0, 99),
    before=TABLES,
    after=TABLES,
    detail=TEXTS,
    undo=st.booleans(),
)
JOURNALS = st.lists(LINES, min_size=1, max_size=6)


def _text(lines: list[JournalLine]) -> bytes:
    return continued(b"", *lines)


def _rows(text: bytes) -> list[bytes]:
    return text.splitlines(keepends=True)


def _is_seen(text: bytes, end: bytes) -> bool:
    journal = read_journal(text, end=end)
    return bool(journal.broken or journal.torn)


@given(JOURNALS)
def test_what_was_written_is_read(lines: list[JournalLine]) -> None:
    text = _text(lines)
    journal = read_journal(text, end=end_of(text))
    assert (journal.broken, journal.torn) == ("", False)
    assert [(one.source, one.before, one.detail) for one in journal.lines] == [
        (one.source, one.before, one.detail) for one in lines
    ]
    assert [one.previous for one in journal.lines] == ["", *(line_hash(row) for row in _rows(text)[:-1])]


@given(JOURNALS, st.lists(LINES, min_size=1, max_size=3))
def test_a_journal_is_continued_as_if_it_had_been_written_at_once(
    lines: list[JournalLine], more: list[JournalLine]
) -> None:
    text = _text(lines)
    assert text + continued(text, *more) == _text([*lines, *more])


@given(JOURNALS, st.data())
def test_any_byte_that_is_changed_is_seen(lines: list[JournalLine], data: st.DataObject) -> None:
    text = _text(lines)
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != text[at]))
    assert _is_seen(text[:at] + bytes([byte]) + text[at + 1 :], end_of(text))


@given(JOURNALS, st.data())
def test_any_part_that_is_cut_out_is_seen(lines: list[JournalLine], data: st.DataObject) -> None:
    text = _text(lines)
    start = data.draw(st.integers(0, len(text) - 1))
    stop = data.draw(st.integers(start + 1, len(text)))
    assert _is_seen(text[:start] + text[stop:], end_of(text))


@given(JOURNALS, st.data())
def test_any_line_that_is_taken_out_is_seen(lines: list[JournalLine], data: st.DataObject) -> None:
    rows = _rows(_text(lines))
    at = data.draw(st.integers(0, len(rows) - 1))
    assert _is_seen(b"".join(rows[:at] + rows[at + 1 :]), end_of(b"".join(rows)))


@given(JOURNALS, LINES, st.data())
def test_any_line_that_is_put_in_is_seen(lines: list[JournalLine], line: JournalLine, data: st.DataObject) -> None:
    rows = _rows(_text(lines))
    at = data.draw(st.integers(0, len(rows)))
    repeated = data.draw(st.sampled_from([*rows, continued(b"", line), b"\n", b" \n"]))
    assert _is_seen(b"".join([*rows[:at], repeated, *rows[at:]]), end_of(b"".join(rows)))


@given(JOURNALS, st.data())
def test_two_lines_that_changed_places_are_seen(lines: list[JournalLine], data: st.DataObject) -> None:
    rows = _rows(_text([*lines, *lines]))
    first = data.draw(st.integers(0, len(rows) - 2))
    changed = [*rows[:first], rows[first + 1], rows[first], *rows[first + 2 :]]
    assert _is_seen(b"".join(changed), end_of(b"".join(rows)))


@given(JOURNALS, LINES, st.data())
def test_a_torn_last_line_is_told_and_the_lines_before_it_are_read(
    lines: list[JournalLine], line: JournalLine, data: st.DataObject
) -> None:
    text = _text(lines)
    added = continued(text, line)
    torn = text + added[: data.draw(st.integers(1, len(added) - 1))]
    journal = read_journal(torn, end=end_of(text))
    assert (journal.torn, journal.broken, len(journal.lines)) == (True, "", len(lines))


@given(JOURNALS, LINES)
def test_a_line_whose_end_was_not_written_any_more_is_believed(lines: list[JournalLine], line: JournalLine) -> None:
    text = _text(lines)
    journal = read_journal(text + continued(text, line), end=end_of(text))
    assert (journal.broken, journal.torn, len(journal.lines)) == ("", False, len(lines) + 1)


@pytest.mark.parametrize("end", [b"", b"x", b"2", b"-1 " + b"0" * 64 + b"\n", b"1 " + b"0" * 63 + b"\n"])
def test_an_end_that_is_none_is_told(end: bytes) -> None:
    text = _text([JournalLine(at="2026-11-23T09:12:00Z", event="opened", source="import")])
    assert read_journal(text, end=end).broken == "its end is not recorded, or not as it should be"


def test_it_is_said_where_it_was_broken() -> None:
    line = JournalLine(at="2026-11-23T09:12:00Z", event="opened", source="import")
    rows = _rows(_text([line] * 4))
    end = end_of(b"".join(rows))

    def broken(*kept: bytes) -> str:
        return read_journal(b"".join(kept), end=end).broken

    assert broken(rows[0], *rows[2:]) == "line 2 does not follow line 1"
    assert broken(*rows[1:]) == "its first line is missing"
    assert broken(*rows[:2]) == "it had 4 lines and has 2"
    assert broken(rows[0], b"nonsense\n", *rows[2:]) == "line 2 is no line of a journal"
    assert broken(*rows[:3], rows[3].replace(b"import", b"impart")) == "line 4 was changed"


def test_what_stands_behind_a_break_is_not_believed() -> None:
    line = JournalLine(at="2026-11-23T09:12:00Z", event="opened", source="import")
    rows = _rows(_text([line] * 4))
    changed = [rows[0], rows[1].replace(b"import", b"impart"), *rows[2:]]
    journal = read_journal(b"".join(changed), end=end_of(b"".join(rows)))
    assert journal == Journal(journal.lines[:2], broken="line 3 does not follow line 2")


def test_a_secret_is_not_written() -> None:
    before: Any = {"x": Secret("hush")}
    line = JournalLine(at="2026-11-23T09:12:00Z", event="begin", source="apply", before=before)
    with pytest.raises(SecretNotSerialisable) as raised:
        continued(b"", line)
    assert "hush" not in str(raised.value)
