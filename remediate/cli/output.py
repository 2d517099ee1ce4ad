"""What goes to stdout, and nothing else goes there; colour on a terminal only. Files are written whole."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from remediate.model.errors import DocumentError
from remediate.model.plan import Plan, digest, seal
from remediate.model.utc import utc_now
from remediate.render.text import Line, as_terminal_text, as_text, fitted

if TYPE_CHECKING:
    from remediate.render.rights import Rights


def chosen(format: str, *, as_json: bool) -> str:
    """Return text, md or json."""
    return "json" if as_json else format


def write_plan(plan: Plan, *, format: str, saved: str = "", rights: Rights = ()) -> None:
    """Write a plan to stdout, and beside it the rights of whoever made it."""
    from remediate.render.rights import rights_lines, rights_markdown, with_rights

    if format == "json":
        click.echo(with_rights(seal(plan), rights), nl=False)
    elif format == "md":
        from remediate.render.markdown import markdown

        click.echo(markdown(plan, digest=digest(plan)) + rights_markdown(rights), nl=False)
    else:
        from remediate.render.diff import diff

        expired = plan.expires_at < utc_now()
        write_lines(chain(diff(plan, digest=digest(plan), saved=saved, expired=expired), rights_lines(rights)))


def write_lines(lines: Iterable[Line]) -> None:
    """Write lines to stdout; on a terminal they fit its columns, in colour unless NO_COLOR is set."""
    terminal = sys.stdout.isatty()
    colour = terminal and not os.environ.get("NO_COLOR")
    with fitted(shutil.get_terminal_size().columns) if terminal else nullcontext():
        text = as_terminal_text(lines) if colour else as_text(lines)
    click.echo(text, nl=False)


def one_line(text: object) -> str:
    """Return the text with what would break the line or steer a terminal written out: names come from elsewhere."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(text))


def write_json(document: Any) -> None:
    """Write one JSON document to stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2))


def save(path: Path, content: bytes) -> None:
    """Write a file whole: a reader sees the old one or the new one. Raises DocumentError.

    What is no file, such as /dev/stdout or a named pipe, is written to and stays what it is; a link is followed.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except OSError as error:
        raise _unwritable(path, error.strerror or "") from error


def _replace(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_place(path: str | None) -> None:
    """Raise DocumentError when a file's folder is not there: best asked before reading, which may take long."""
    if path and not Path(path).parent.is_dir():
        raise _unwritable(Path(path), f"{Path(path).parent} is not a folder")


def _unwritable(path: Path, why: str) -> DocumentError:
    return DocumentError("cannot be written", where=str(path), why=why, do="Name a place with room that you may write.")


# No plan and no settings are larger; what is larger is something else.
_LARGEST = 64 << 20


def contents(path: Path) -> bytes:
    """Return a file's bytes. Raises DocumentError when it is larger than 64 MB, also for a device without an end."""
    with path.open("rb") as file:
        found = file.read(_LARGEST + 1)
    if len(found) > _LARGEST:
        raise DocumentError(
            "it is too large for what it should be", where=str(path), why=f"more than {_LARGEST >> 20} MB",
            do="Check the path.",
        )  # fmt: skip
    return found
