"""Any value as a PowerShell literal, in ASCII: what a template prints has been through here and through nothing else.

A text becomes a single-quoted string. What must not stand in one is taken out of the quotes and joined as `[char]`
of its UTF-16 unit: control characters, everything beyond ASCII, and with it the four other characters that PowerShell
reads as a single quote (U+2018 to U+201B, about_Quoting_Rules and the language's own tokenizer).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

Value: TypeAlias = "str | int | bool | Sequence[Value] | Mapping[str, Value] | None"

# Printable ASCII stands as it is, save what would end the quotes or a block comment around them.
_PLAIN = re.compile(r"(?:[\x20-\x7e](?<!#>)(?<!<#))+", re.ASCII)
_UNPLAIN = re.compile(r"[^\x20-\x7e]")
_LONGEST = 160
# Terms of one sum: the parser and the engine go as deep as a sum is long.
_MOST_TERMS = 64
_INDENT = "    "
_NEXT_LINE = " +\n" + _INDENT * 4


class StateTable(dict[str, "Value"]):
    """A table whose names come from elsewhere: they are quoted, as values are. Remarks on a name are for readers.

    Those `above` it stand on lines of their own, that `beside` it at the end of its line.
    """

    def __init__(
        self, table: Mapping[str, Value], *, above: Mapping[str, Sequence[str]], beside: Mapping[str, str]
    ) -> None:
        super().__init__(table)
        self.above, self.beside = above, beside


def plain(text: str) -> str:
    """Return a text for a comment of either kind: what is not printable ASCII is written as its number."""
    printable = _UNPLAIN.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)
    return printable.replace("#>", "# >").replace("<#", "< #")


def literal(text: str) -> str:
    """Return a PowerShell expression of string constants, `[char]` casts and `+` whose value is the text."""
    plain = text.isascii() and text.isprintable() and "#>" not in text and "<#" not in text
    return _quoted(text) if plain and len(text) <= _LONGEST else _sum(list(_parts(text)))


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _sum(terms: list[str]) -> str:
    """Add up, in sums of sums where there are many. Text comes first in each, or `+` would add numbers."""
    while len(terms) > _MOST_TERMS:
        terms = [_sum(terms[at : at + _MOST_TERMS]) for at in range(0, len(terms), _MOST_TERMS)]
    if terms[0].startswith("["):
        terms = ["''", *terms]
    if len(terms) == 1:
        return terms[0]
    glue = _NEXT_LINE if sum(map(len, terms)) > _LONGEST else " + "
    return f"({glue.join(terms)})"


def _parts(text: str) -> Iterator[str]:
    start = 0
    for match in _PLAIN.finditer(text):
        yield from _units(text[start : match.start()])
        for at in range(match.start(), match.end(), _LONGEST):
            yield _quoted(text[at : min(at + _LONGEST, match.end())])
        start = match.end()
    yield from _units(text[start:])


def _units(text: str) -> Iterator[str]:
    """UTF-16 units, lone surrogates included: a .NET string is made of nothing else."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    for at in range(0, len(encoded), 2):
        yield f"[char]{int.from_bytes(encoded[at : at + 2], 'little')}"


def data(value: Value, *, depth: int = 0) -> str:
    """Return a value as PowerShell data: a literal, a number, `$true`, `$null`, `@(...)` or `@{...}` over lines."""
    if isinstance(value, str):
        return literal(value)
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return "$true" if value else "$false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return _table(value, depth)
    return _list(value, depth)


def _table(value: Mapping[str, Value], depth: int) -> str:
    if not value:
        return "@{}"
    margin = _INDENT * (depth + 1)
    if isinstance(value, StateTable):
        lines = [margin + line for line in _state_lines(value, depth + 1)]
    else:
        lines = [f"{margin}{name} = {data(one, depth=depth + 1)}" for name, one in value.items()]
    return "\n".join(["@{", *lines, f"{_INDENT * depth}}}"])


def _state_lines(table: StateTable, depth: int) -> Iterator[str]:
    for name, one in table.items():
        yield from (f"# {plain(line)}" for line in table.above.get(name, ()))
        beside = f"  # {plain(table.beside[name])}" if name in table.beside else ""
        yield f"{literal(name)} = {data(one, depth=depth)}{beside}"


def _list(value: Sequence[Value], depth: int) -> str:
    if not any(isinstance(one, Mapping | list | tuple) for one in value):
        return f"@({', '.join(data(one) for one in value)})"
    margin = _INDENT * (depth + 1)
    return "\n".join(["@(", *(margin + data(one, depth=depth + 1) for one in value), f"{_INDENT * depth})"])
