"""The functions of scripts/lib, and which of them a script needs: what a file holds is what it uses.

Every function stands at the left margin and ends with a brace there; a test holds the library to it with
PowerShell's own parser.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

from remediate.model.errors import DocumentError
from remediate.shipped import scripts_folder

_FUNCTION = re.compile(r"^function (?P<name>[A-Za-z]+-[A-Za-z]+) \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\b[A-Z][a-z]+[A-Za-z]*-[A-Z][A-Za-z]+\b")
_COMMENT = re.compile(r"<#.*?#>", re.DOTALL)
# The data block of a script: names of functions in it are somebody's text and call nothing.
_DATA = re.compile(r"^#region plan.*?^#endregion\r?$", re.MULTILINE | re.DOTALL)


def script_text(path: Path) -> str:
    """Return a script with line feeds. Raises DocumentError when it is missing or not ASCII."""
    try:
        return path.read_bytes().decode("ascii").replace("\r\n", "\n").strip("\n") + "\n"
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError("a script cannot be read", where=str(path), do="Install remediate again.") from error


@cache
def library() -> dict[str, str]:
    """Return every function of scripts/lib: its name and its text, in the order of the files and in each file."""
    paths = sorted((scripts_folder() / "lib").glob("*.ps1"), key=lambda path: path.name)
    return {match["name"]: match[0] for path in paths for match in _FUNCTION.finditer(script_text(path))}


def functions_for(text: str) -> str:
    """Return the functions that a script's text calls, and those that they call, in the order of the library."""
    return _functions(closure(text))


@cache
def _functions(names: frozenset[str]) -> str:
    return "\n".join(body for name, body in library().items() if name in names)


def closure(text: str) -> frozenset[str]:
    """Return the names of the library's functions that the text needs."""
    return _reached(_called(_code(_DATA.sub("", text))))


@cache
def _reached(names: frozenset[str]) -> frozenset[str]:
    calls, found, waiting = _calls(), set[str](), set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= calls[name] - found
    return frozenset(found)


@cache
def _calls() -> dict[str, frozenset[str]]:
    """Which functions of the library each of them calls."""
    return {name: _called(_code(body)) for name, body in library().items()}


def _code(text: str) -> str:
    return _COMMENT.sub("", text)


@lru_cache(maxsize=256)
def _called(code: str) -> frozenset[str]:
    """The same for every script of the same kinds: what else differs stands in comments and in the data."""
    return frozenset(library().keys() & _COMMAND.findall(code))
