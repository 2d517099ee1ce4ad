"""What no reader knows: archives of other kinds, pictures, databases, and whatever is no text at all.

A file that cannot be read must not pass for one in which nothing was found.
"""

from __future__ import annotations

KIND = "unknown"

# At the beginning, or so many bytes behind it (the formats' own descriptions, as libmagic collects them).
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b", "packed with gzip: unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive of 7-Zip: unpack it first"),
    (0, b"MSCF\0\0\0\0", "a cabinet file: unpack it first"),
    (0, b"Rar!\x1a\x07", "an archive of RAR: unpack it first"),
    (0, b"\xfd7zXZ\0", "packed with xz: unpack it first"),
    (0, b"BZh", "packed with bzip2: unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it first"),
    (257, b"ustar", "a tar archive: unpack it first"),
    (4, b"LfLe", "an event log of Windows XP (.evt)"),
    (0, b"regf", "a registry hive"),
    (0, b"SQLite format 3\0", "a database"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document or installer package"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\x89PNG\r\n", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"MZ\x90\0", "a program"),
    (0, b"MDMP", "a memory dump"),
)
_SAMPLE = 65_536
# Tab, line feed, form feed, carriage return and escape stand in logs; the other controls do not. NUL is left out: a
# file that was laid out ahead is full of it.
_CONTROLS = bytes(sorted({*range(1, 32), 127} - {9, 10, 12, 13, 27}))
_NO_TEXT = "no text, and no log of a kind that is known"


def known_as(beginning: bytes) -> str:
    """Return what the bytes begin, in words, where that is known and cannot be read; else an empty string."""
    return next((name for at, magic, name in _MAGIC if beginning.startswith(magic, at)), "")


def is_no_text(beginning: bytes) -> bool:
    """Whether more than a twentieth of the bytes (NULs aside) are controls, or all of them are NULs."""
    sample = beginning[:_SAMPLE].replace(b"\0", b"")
    if not sample:
        return bool(beginning)
    return (len(sample) - len(sample.translate(None, _CONTROLS))) * 20 > len(sample)


def what_it_is(beginning: bytes) -> str:
    """Return in words what cannot be read."""
    return f"it is {known_as(beginning) or _NO_TEXT}"
