"""What goes to stdout, and nothing else goes there; colour on a terminal only. Files are written whole."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from remediate.model.errors import DocumentError
from remediate.model.plan import Plan, digest, seal
from remediate.render.text import Line, as_terminal_text, as_text


def chosen(format: str, *, as_json: bool) -> str:
    """Return text, md or json."""
    return "json" if as_json else format


def write_plan(plan: Plan, *, format: str, saved: str = "") -> None:
    """Write a plan to stdout."""
    if format == "json":
        click.echo(seal(plan), nl=False)
    elif format == "md":
        from remediate.render.markdown import markdown

        click.echo(markdown(plan, digest=digest(plan)), nl=False)
    else:
        from remediate.render.diff import diff

        write_lines(diff(plan, digest=digest(plan), saved=saved))


def write_lines(lines: Iterable[Line]) -> None:
    """Write lines to stdout, in colour on a terminal unless NO_COLOR is set."""
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(as_terminal_text(lines) if colour else as_text(lines), nl=False)


def write_json(document: Any) -> None:
    """Write one JSON document to stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2))


def save(path: Path, content: bytes) -> None:
    """Write a file whole: a reader sees the old one or the new one. Raises DocumentError."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DocumentError("cannot be written", where=str(path), why=error.strerror or "") from error
