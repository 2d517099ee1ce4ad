"""CA names and their sanitised forms ([MS-WCCE] 3.1.1.4.1.1).

The registry key and the config string bear the sanitised name, the directory object the sanitised short name.
"""

from __future__ import annotations

# [MS-WCCE] 3.1.1.4.1.1.2: besides these, everything below 0x20 and from 0x7F on.
_DISALLOWED = frozenset("!\"#%&'()*+,/:;<=>?[\\]^`{|}")
# [MS-WCCE] 3.1.1.4.1.1.2: a short name keeps 51 characters and adds "-" and five digits.
_SHORT_LENGTH = 51


def _sanitised_character(character: str) -> str:
    if character in _DISALLOWED or not 0x20 <= ord(character) < 0x7F:
        units = character.encode("utf-16-be")
        return "".join(f"!{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return character


def sanitised(name: str) -> str:
    """Return the sanitised name: `A(B)` becomes `A!0028B!0029`."""
    return "".join(map(_sanitised_character, name))


def sanitised_short(name: str) -> str:
    """Return the sanitised short name: the cn of the enrollment service."""
    full = sanitised(name)
    if len(full) <= _SHORT_LENGTH:
        return full
    kept = _without_torn_escape(full[:_SHORT_LENGTH])
    return f"{kept}-{_excess_hash(full[len(kept) :]):05d}"


def _without_torn_escape(text: str) -> str:
    mark = text.rfind("!")
    return text[:mark] if mark != -1 and len(text) - mark < 5 else text


def _excess_hash(excess: str) -> int:
    value = 0
    for character in excess:
        carry = 1 if value & 0x8000 else 0
        value = (((value << 1) | carry) + ord(character)) & 0xFFFF
    return value


def original(sanitised_name: str) -> str:
    """Return the name as the CA console shows it, from a sanitised name that was not shortened."""
    out, at = bytearray(), 0
    while at < len(sanitised_name):
        if sanitised_name[at] == "!" and len(sanitised_name) - at >= 5:
            out += bytes.fromhex(sanitised_name[at + 1 : at + 5])
            at += 5
        else:
            out += sanitised_name[at].encode("utf-16-be")
            at += 1
    return out.decode("utf-16-be", "replace")
