"""Files with the same bytes are read once. Only files of one size that look alike are read to compare them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from remediate.triage import request_files
from remediate.triage.records import Skipped
from remediate.triage.sources_formats import kind_of
from remediate.triage.sources_open import Span

# So many bytes are looked at in so many steps from the beginning of a file to its end.
_SAMPLE, _SAMPLES = 4096, 8

_Looks = tuple[int, bytes]


def without_copies(spans: Iterable[Span]) -> Iterator[Span | Skipped]:
    """Yield the spans, and for each whose content came before a line instead.

    A request file tells of a request by its name, so two of them are two whatever they hold.
    """
    sized = [(span, _size(span)) for span in spans]
    often = Counter(size for _, size in sized)
    alike: dict[_Looks, list[Span]] = {}
    contents: dict[tuple[_Looks, bytes], Span] = {}
    for span, size in sized:
        looks = _looks(span, size) if size and often[size] > 1 else None
        first = _first_of(alike, contents, looks, span=span) if looks else span
        if first is span:
            yield span
        else:
            yield Skipped(source=span.name, what=f"the same content as {first.name}, read once", lost=False)


def _first_of(
    alike: dict[_Looks, list[Span]], contents: dict[tuple[_Looks, bytes], Span], looks: _Looks, *, span: Span
) -> Span:
    """Return the span that had the content of this one first. Without others that look like it nothing is read."""
    others = alike.setdefault(looks, [])
    others.append(span)
    if len(others) == 1:
        return span
    if len(others) == 2:
        contents[looks, _digest(others[0])] = others[0]
    return contents.setdefault((looks, _digest(span)), span)


def _size(span: Span) -> int:
    """0 for what is never taken for a copy, or cannot be looked at."""
    try:
        return span.paths[0].stat().st_size if len(span.paths) == 1 else 0
    except OSError:
        return 0


def _looks(span: Span, size: int) -> _Looks | None:
    """Size and samples; None for a request file, and for what cannot be opened."""
    try:
        with span.paths[0].open("rb") as file:
            beginning, samples = file.read(_SAMPLE), hashlib.blake2b(digest_size=16)
            for number in range(_SAMPLES + 1):
                file.seek(max(0, size - _SAMPLE) * number // _SAMPLES)
                samples.update(file.read(_SAMPLE))
    except OSError:
        return None
    return None if kind_of(beginning, span.name) == request_files.KIND else (size, samples.digest())


def _digest(span: Span) -> bytes:
    """A file that can no longer be read is a copy of none."""
    try:
        with span.paths[0].open("rb") as file:
            return hashlib.file_digest(file, hashlib.blake2b).digest()
    except OSError:
        return span.name.encode("utf-8", "surrogateescape")
