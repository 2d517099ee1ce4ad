"""Paragraphs in ASCII for readers: a title beside the first, words whole, lines no wider than a window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

import msgspec

from remediate.render.powershell.literal import plain

WIDTH = 110
TITLE, _HANGING = 11, 3


class Told(msgspec.Struct, frozen=True):
    """A paragraph, and by how many blanks it is moved in. Its text may come from elsewhere."""

    text: str
    indent: int = 0


def titled(title: str, paragraphs: Iterable[Told], *, margin: str = "", column: int = TITLE) -> Iterator[str]:
    """Yield the lines of paragraphs below each other, the title in a column beside the first.

    What is not printable ASCII is written as its number.
    """
    for number, one in enumerate(paragraphs):
        head = f"{margin}{'' if number else title:<{column}}{'':<{one.indent}}"
        text = plain(one.text)
        if len(head) + len(text) <= WIDTH:  # most are so short, and taking one apart takes longer than all the rest
            yield head + text
            continue
        yield from wrap(
            text, WIDTH, initial_indent=head, subsequent_indent=" " * (len(head) + _HANGING),
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
