"""One process at a time: a lock is a file that only one can create, on every system and on network shares.

A process that was killed leaves its lock behind. Nothing takes it away by guessing; it is said whose it was.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from remediate.model.errors import DocumentError, RefusedError

# Seconds. What is done under a lock takes far less than either.
_WAIT = 5.0
_LEFT_BEHIND = 600.0
_PAUSE = 0.05


@contextmanager
def held(path: Path, *, wait: float = _WAIT) -> Iterator[None]:
    """Hold the lock for a block. Raises RefusedError when another holds it for longer than `wait` seconds, and
    DocumentError when it cannot be made."""
    _take(path, wait)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def _take(path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            _create(path)
            return
        except FileExistsError:
            if time.monotonic() >= deadline:
                raise _taken(path) from None
        except OSError as error:
            # Windows answers "access denied" for a file that is being deleted at this moment.
            if not isinstance(error, PermissionError) or os.name != "nt" or time.monotonic() >= deadline:
                why = error.strerror or ""
                raise DocumentError(
                    "cannot be written", where=str(path), why=why, do="Name another folder with --runs."
                ) from error
        time.sleep(_PAUSE)


def _create(path: Path) -> None:
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    owner = f"process {os.getpid()} on {platform.node()} since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    try:
        os.write(handle, owner.encode("utf-8", "replace"))
    except OSError:
        os.close(handle)
        path.unlink(missing_ok=True)
        raise
    os.close(handle)


def _taken(path: Path) -> RefusedError:
    """The error that says whose lock it is, and whether it looks left behind."""
    owner, age = "", 0.0
    with suppress(OSError):
        owner = path.read_bytes()[:200].decode("utf-8", "replace")
        age = time.time() - path.stat().st_mtime
    if age > _LEFT_BEHIND:
        do = "If that process is gone, delete this file and run it again."
        return RefusedError("a lock was left behind here", where=str(path), why=owner, do=do)
    do = "Run it again when that one has ended."
    return RefusedError("another remediate is at work here", where=str(path), why=owner, do=do)
