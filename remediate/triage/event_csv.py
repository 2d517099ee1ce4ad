"""Events as CSV: saved by Event Viewer in any of three languages, or by Export-Csv; commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from remediate.triage.encoding import shown
from remediate.triage.event_columns import PROPERTY, event_from
from remediate.triage.event_xml import wanted
from remediate.triage.needles import Search
from remediate.triage.records import Record, SourceRead
from remediate.triage.sources_lines import lines
from remediate.triage.sources_origin import Item, Origin, Span

KIND = "event-csv"
_DELIMITERS = ",;\t"
# A row in which a quote is never closed fails once; a file full of them is not worth more lines than these.
_MOST_FAILURES = 20


def delimiter_of(beginning: str) -> str:
    """Return the delimiter when the text begins with the header of such a table, else an empty string."""
    header = next((line for line in beginning.splitlines() if line.strip() and not line.startswith("#TYPE")), "")
    for delimiter in _DELIMITERS:
        found = set(_columns(_row(header, delimiter)))
        if "event_id" in found and len(found & {"when", "provider", "text"}) >= 2:
            return delimiter
    return ""


def scan(chunks: Iterable[bytes], origin: Origin, *, delimiter: str) -> Iterator[Item]:
    """Yield the events that hold a needle or are looked for, and what was read. `position` is the line it ends on."""
    scanned, span = 0, Span()
    for item in _events(chunks, origin, delimiter):
        if not isinstance(item, Record):
            yield item
            continue
        scanned, span = scanned + 1, span.with_time(item.when)
        if origin.search.everything or wanted(item, origin.search):
            yield item
    yield SourceRead(source=origin.source, kind=KIND, scanned=scanned, first=span.first, last=span.last)


def _events(chunks: Iterable[bytes], origin: Origin, delimiter: str) -> Iterator[Item]:
    texts = (shown(line) + "\n" for _, line in lines(chunks))
    columns: Sequence[str] = ()
    read = failures = 0
    while failures < _MOST_FAILURES:
        rows = csv.reader(texts, delimiter=delimiter)
        try:
            for row in rows:
                if columns and row:
                    values = _values(row, columns, delimiter, origin.search)
                    yield event_from(values, origin, kind=KIND, position=read + rows.line_num)
                elif len(row) > 1:
                    columns = _with_text(_columns(row))
            return
        except csv.Error as error:
            failures, read = failures + 1, read + rows.line_num
            yield origin.skipped(f"a row that is no CSV: {error}; the rest was read", position=read)


def _values(row: Sequence[str], columns: Sequence[str], delimiter: str, search: Search) -> dict[str, str]:
    """The properties by the keys of PROPERTY. The text is whatever no column names, so that no code gets lost.

    Beside a message that is only what is looked for: `Level` and the like say nothing, and copies have one text. A row
    without an event's ID is none that the columns fit, such as the rest of a message without quotes, and text itself.
    """
    named: dict[str, str] = {}
    texts, others = [], []
    for key, cell in zip(columns, _fitted(row, columns, delimiter), strict=False):
        if key == "text" and cell.strip():
            texts.append(cell)
        elif not key or named.get(key):
            others.append(cell)
        else:
            named[key] = cell
    if not named.get("event_id", "").strip().isdecimal():
        return {**named, "text": delimiter.join(row)}
    others = [cell for cell in others if cell.strip() and (not texts or search.holds(cell))]
    return {**named, "text": "; ".join((*texts, *others))}


def _fitted(row: Sequence[str], columns: Sequence[str], delimiter: str) -> Sequence[str]:
    """As many cells as there are columns: where there are more, the message has delimiters in it and no quotes."""
    filled = max((number for number, cell in enumerate(row, 1) if cell.strip()), default=0)
    at, surplus = columns.index("text"), filled - len(columns)
    return (*row[:at], delimiter.join(row[at : at + surplus + 1]), *row[at + surplus + 1 :]) if surplus > 0 else row


def _with_text(columns: Sequence[str]) -> Sequence[str]:
    """With a column for the message: Event Viewer gives it no heading, so it is the one after the last that has one."""
    return columns if "text" in columns else (*columns, "text")


def _columns(header: Sequence[str]) -> tuple[str, ...]:
    return tuple(PROPERTY.get(name.strip().lower(), "") for name in header)


def _row(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
