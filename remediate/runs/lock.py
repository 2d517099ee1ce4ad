"""One process at a time: a lock is a file that only one can create, on every system and on network shares.

Its owner also holds the open file locked by the system, which lets go of it when the process ends, however it ends. So
a lock that a killed process of this machine left behind is taken over; one of another machine is never taken away by
guessing: it is said whose it was.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from remediate.model.errors import DocumentError, RefusedError
from remediate.model.utc import utc_now

# Seconds. What is done under a lock takes far less than either.
_WAIT = 5.0
_LEFT_BEHIND = 600.0
_PAUSE = 0.05
# Seconds after which a file without an owner's name was left by a process that was killed while it made it.
_MAKING = 3.0
# Windows locks bytes, and nobody else reads them then: one far behind the owner's name.
_BEHIND = 1 << 20
# What flock(2) and Windows' _locking answer where another process holds it.
_TAKEN = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}


@contextmanager
def held(path: Path, *, wait: float = _WAIT, do: str = "Name another folder with --runs.") -> Iterator[None]:
    """Hold the lock for a block. Raises RefusedError when another holds it for longer than `wait` seconds, and
    DocumentError, with what to `do`, when it cannot be made."""
    handle = _take(path, wait, do)
    try:
        yield
    finally:
        _give_back(path, handle)


def owner(path: Path) -> str:
    """Return whose the lock is, empty when nobody holds it. One that was left behind here is nobody's; of another
    machine's process nobody can tell whether it lives."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        is_free = _left_here(handle, path) and _hold(handle) is True
        return "" if is_free else _owner(path) or "a process that begins"
    finally:
        os.close(handle)


def _take(path: Path, wait: float, do: str) -> int:
    deadline = time.monotonic() + wait
    while True:
        try:
            handle = _create(path)
            handle = _take_over(path) if handle is None else handle
        except OSError as error:
            # Windows answers "access denied" for a file that is being deleted at this moment.
            if not isinstance(error, PermissionError) or os.name != "nt" or time.monotonic() >= deadline:
                why = error.strerror or ""
                raise DocumentError("cannot be written", where=str(path), why=why, do=do) from error
            handle = None
        if handle is not None:
            return handle
        if time.monotonic() >= deadline:
            raise _taken(path)
        time.sleep(_PAUSE)


def _create(path: Path) -> int | None:
    """The open file of a new lock; None when there is one, or another was faster to hold this one."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return None
    if _hold(handle) is False:
        os.close(handle)
        return None
    try:
        _sign(handle)
    except OSError:
        os.close(handle)
        path.unlink(missing_ok=True)
        raise
    return handle


def _take_over(path: Path) -> int | None:
    """The open file of a lock whose owner, a process of this machine, has ended; None when it may live."""
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if _left_here(handle, path) and _hold(handle) is True and _left_here(handle, path):
            _sign(handle)
            return handle
    except OSError:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _left_here(handle: int, path: Path) -> bool:
    """Whether the open file is still the one at the path, and of this machine."""
    try:
        known, now = os.fstat(handle), path.stat()
    except OSError:
        return False
    if (known.st_ino, known.st_dev) != (now.st_ino, now.st_dev):
        return False
    os.lseek(handle, 0, os.SEEK_SET)
    whose = os.read(handle, 200).decode("utf-8", "replace")
    return f" on {platform.node()} since " in whose if whose else time.time() - now.st_mtime > _MAKING


def _hold(handle: int) -> bool | None:
    """Lock an open file until this process ends. False where another holds it, None where a file system cannot."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _BEHIND, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _TAKEN else None
    return True


def _sign(handle: int) -> None:
    whose = f"process {os.getpid()} on {platform.node()} since {utc_now()}"
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, whose.encode("utf-8", "replace"))


def _give_back(path: Path, handle: int) -> None:
    with suppress(OSError):
        if os.name == "nt":  # where an open file cannot be deleted
            os.close(handle)
            path.unlink()
        else:
            path.unlink()
            os.close(handle)


def _taken(path: Path) -> RefusedError:
    """The error that says whose lock it is, and whether it looks left behind."""
    whose, age = _owner(path), 0.0
    with suppress(OSError):
        age = time.time() - path.stat().st_mtime
    if age > _LEFT_BEHIND:
        do = "If that process is gone, delete this file and run it again."
        return RefusedError("a lock was left behind here", where=str(path), why=whose, do=do)
    do = "Run it again when that one has ended."
    return RefusedError("another remediate is at work here", where=str(path), why=whose, do=do)


def _owner(path: Path) -> str:
    with suppress(OSError):
        return path.read_bytes()[:200].decode("utf-8", "replace")
    return ""
