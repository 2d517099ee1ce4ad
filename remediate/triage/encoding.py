"""Which encoding a log is in, and its bytes as UTF-8, chunk by chunk.

UTF-16 is turned into UTF-8, with or without a byte order mark. Everything else stays as it is, since needles begin with
ASCII; only what is shown is decoded: as UTF-8, and where it is none, as Windows-1252.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Literal

Encoding = Literal["bytes", "utf-16-le", "utf-16-be"]

_SAMPLE = 4096
_MARKS: tuple[tuple[bytes, Encoding], ...] = (
    (codecs.BOM_UTF8, "bytes"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def encoding_of(beginning: bytes) -> tuple[Encoding, int]:
    """Return the encoding and the length of the byte order mark."""
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding, len(mark)
    return _unmarked(beginning[:_SAMPLE]), 0


def _unmarked(sample: bytes) -> Encoding:
    """UTF-16 of western text has a NUL in nearly every second byte, and in nearly no other."""
    pairs = len(sample) // 2
    if pairs < 2:
        return "bytes"
    high_first, low_first = sample[0::2].count(0), sample[1::2].count(0)
    if low_first * 10 >= pairs * 7 and high_first * 10 <= pairs:
        return "utf-16-le"
    return "utf-16-be" if high_first * 10 >= pairs * 7 and low_first * 10 <= pairs else "bytes"


def as_utf8(chunks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """Yield the chunks, those of UTF-16 as UTF-8. What is no character becomes U+FFFD."""
    if encoding == "bytes":
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def shown(data: bytes) -> str:
    """Return the bytes of one line or record as text, without NULs."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = _cut_or_western(data)
    return text.replace("\0", "") if "\0" in text else text


def _cut_or_western(data: bytes) -> str:
    """A window into UTF-8 may begin or end within a character: at most three bytes on either side."""
    start = next((at for at in range(min(4, len(data))) if data[at] & 0xC0 != 0x80), 0)
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        return decoder.decode(data[start:])
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
