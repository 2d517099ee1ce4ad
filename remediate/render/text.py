"""Lines of text for terminals and tickets: wrapped, styled by name, and free of control characters.

A foreign string (a template's name, an event's text) can neither move the cursor nor turn the reading direction.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

# Columns of what goes into a ticket or a file; of a terminal no more are used, and where it has fewer, those.
WIDTH = 120
_NARROWEST = 60
_columns: ContextVar[int] = ContextVar("columns", default=WIDTH)

# SGR parameters of ECMA-48 8.3.117, only the eight colours that every terminal has.
_SGR = {
    "title": "1",
    "problem": "1;33",
    "refused": "1;31",
    "unknown": "1;35",
    "add": "32",
    "remove": "31",
    "muted": "2",
}


class Line(msgspec.Struct, frozen=True):
    """One line without its line end. `style`: plain, title, problem, refused, unknown, add, remove or muted."""

    text: str
    style: str = "plain"


@contextmanager
def fitted(columns: int) -> Iterator[None]:
    """Make lines that are laid out within this block fit a terminal of so many columns."""
    token = _columns.set(max(_NARROWEST, min(columns, WIDTH)))
    try:
        yield
    finally:
        _columns.reset(token)


def width() -> int:
    """Return how many columns a line has at most."""
    return _columns.get()


def visible(text: str) -> str:
    """Return the text with controls, line separators and direction marks written as `\\uXXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible_character(character) for character in text)


def _visible_character(character: str) -> str:
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else f"\\u{ord(character):04x}"


def wrap(text: str, *, first: str = "", rest: str | None = None, style: str = "plain") -> Iterator[Line]:
    """Yield the text in lines of at most `width`, the first behind `first`, the others behind `rest` (blanks).

    A word that is longer than a line (a path, a SID, a digest) stays whole and goes beyond it: it is to be copied.
    """
    behind = " " * len(first) if rest is None else rest
    label, words = _beginning(first, behind), visible(text)
    lines = textwrap.wrap(
        first[len(label) :] + words,
        width(),
        initial_indent=label,
        subsequent_indent=behind,
        break_on_hyphens=False,
        break_long_words=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )
    for line in lines or [first.rstrip()]:
        yield Line(line, style)


def _beginning(first: str, behind: str) -> str:
    """What no line ends behind: `first`; where there is more room behind the others, its blanks alone."""
    return first if len(behind) >= len(first) else first[: len(first) - len(first.lstrip())]


def beside(left: str, right: str, *, column: int = 74, style: str = "plain") -> Iterator[Line]:
    """Yield one line with `right` at the column, or two lines where one has no room."""
    left, right = visible(left), visible(right)
    start = max(column, len(left) + 2)
    if not right:
        yield Line(left, style)
    elif start + len(right) <= width():
        yield Line(left.ljust(start) + right, style)
    elif len(left) + 2 + len(right) <= width():
        yield Line(left + right.rjust(width() - len(left)), style)
    else:
        yield from wrap(left, rest="         ", style=style)
        yield from wrap(right, first="         ")


def as_text(lines: Iterable[Line]) -> str:
    """Return the lines as plain text, without blanks at line ends."""
    return "".join(line.text.rstrip() + "\n" for line in lines)


def as_terminal_text(lines: Iterable[Line]) -> str:
    """Return the lines with ANSI colours, for a terminal only."""
    return "".join(_coloured(line) + "\n" for line in lines)


def _coloured(line: Line) -> str:
    code = _SGR.get(line.style)
    return f"\x1b[{code}m{line.text.rstrip()}\x1b[0m" if code else line.text.rstrip()
