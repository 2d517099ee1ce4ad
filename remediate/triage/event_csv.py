"""Events as CSV: saved by Event Viewer in any of three languages, or by Export-Csv; commas, semicolons or tabs."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from remediate.triage.encoding import shown
from remediate.triage.event_columns import PROPERTY, event_from
from remediate.triage.event_xml import wanted
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
                    yield _event(row, columns, origin, position=read + rows.line_num)
                elif len(row) > 1:
                    columns = _columns(row)
            return
        except csv.Error as error:
            failures, read = failures + 1, read + rows.line_num
            yield origin.skipped(f"a row that is no CSV: {error}; the rest was read", position=read)


def _event(row: Sequence[str], columns: Sequence[str], origin: Origin, *, position: int) -> Record:
    """Event Viewer gives the message no heading: it is the cell after the last one that has one."""
    values = {key: cell for key, cell in zip(columns, row, strict=False) if key}
    if "text" not in values and len(row) > len(columns):
        values["text"] = row[len(columns)]
    return event_from(values, origin, kind=KIND, position=position)


def _columns(header: Sequence[str]) -> tuple[str, ...]:
    return tuple(PROPERTY.get(name.strip().lower(), "") for name in header)


def _row(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
