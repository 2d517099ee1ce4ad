"""Writing that a power cut, a full disk or a second process finds whole: the old content or the new, never a part.

Every function raises OSError and leaves what stood there before.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

# What file systems without an fsync of folders answer (fsync(2): EINVAL; CIFS and FUSE answer the others).
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there, on the disk when this returns."""
    new = path.with_name(f"{path.name}.new")
    try:
        with new.open("wb", buffering=0) as file:
            _write_out(file, content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def overwrite(path: Path, content: bytes) -> None:
    """Write over a file that has this size, at most a sector (512 bytes), without waiting for the disk: a power cut
    leaves what it had or the new content, for no part of a sector is written alone. Any other file as `write_whole`."""
    with suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
        if os.fstat(file.fileno()).st_size == len(content):
            file.write(content)
            return
    write_whole(path, content)


def append_whole(path: Path, content: bytes) -> None:
    """Write behind the end of a file, on the disk when this returns; a part that found no room is taken off again."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            _write_out(file, content)
        except OSError:
            file.truncate(size)
            raise


def _write_out(file: BinaryIO, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
    os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Put a folder's entries on the disk. Windows cannot and need not: NTFS journals its own folders."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)
