"""One file, or a range of one, from its opening to its items: all that a process needs which reads beside another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from remediate.triage.records import Skipped
from remediate.triage.sources_formats import Place, items
from remediate.triage.sources_open import Replaced, Span, opened
from remediate.triage.sources_origin import Found, Origin
from remediate.triage.sources_zip import FAILURES


def read_span(span: Span, origin: Origin, *, threads: int = 0) -> Iterator[Found]:
    """Yield what comes of a file or a range of one."""

    def found() -> Iterator[Found]:
        with ExitStack() as stack:
            reading, modified = opened(span, stack)
            path = span.paths[0] if len(span.paths) == 1 else None
            kind = span.cut.kind if span.cut else ""
            place = Place(path, modified, start=span.start, stop=span.stop, threads=threads, kind=kind)
            yield from items(reading, origin._replace(source=span.name), place)

    yield from guarded(span.name, found)


def guarded(name: str, found: Callable[[], Iterator[Found]]) -> Iterator[Found]:
    """Yield what is found. A source that cannot be read, or no further, becomes a line."""
    try:
        yield from found()
    except Replaced as error:
        yield Skipped(source=name, what=str(error))
    except FAILURES as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        yield Skipped(source=name, what=f"cannot be read, or not to its end: {said}")
