"""As much of LDAP's encoding ([RFC 4511] 4.1.1, BER) as a recorder needs: where a message ends and what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OPERATIONS = {
    0x60: "bind", 0x42: "unbind", 0x63: "search", 0x66: "modify", 0x68: "add", 0x4A: "delete", 0x6C: "rename",
    0x6E: "compare", 0x50: "abandon", 0x77: "extended",
}  # fmt: skip
"""The tags of protocolOp that a client sends ([RFC 4511] 4.2 to 4.12)."""
WRITES = frozenset({"modify", "add", "delete", "rename"})
PAGED_RESULTS = b"1.2.840.113556.1.4.319"
"""The control of [RFC 2696]."""
SEQUENCE = 0x30
MODIFY_RESPONSE, SEARCH_DONE = 0x67, 0x65
CONTROLS = 0xA0


@dataclass(frozen=True)
class Operation:
    """One request. `target` is its DN; `next_page` says that a search only fetches more of an earlier one; `request`
    is the content of a modify."""

    name: str
    target: str = ""
    next_page: bool = False
    connection: int = 0
    request: bytes = b""


def element_length(data: bytes | bytearray) -> int | None:
    """The length of the BER element that `data` begins with, header included; None while the header is incomplete."""
    if len(data) < 2:
        return None
    if data[1] < 0x80:
        return 2 + data[1]
    size = data[1] & 0x7F
    return 2 + size + int.from_bytes(data[2 : 2 + size], "big") if len(data) >= 2 + size else None


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of the BER elements that stand one after the other."""
    while data:
        length = element_length(data)
        if length is None or length > len(data):
            raise ValueError("cut off BER element")
        header = 2 if data[1] < 0x80 else 2 + (data[1] & 0x7F)
        yield data[0], data[header:length]
        data = data[length:]


def read_operation(message: bytes, connection: int) -> Operation:
    """What one whole LDAPMessage asks for."""
    [(_, content)] = elements(message)
    _identifier, (tag, request), *rest = elements(content)
    name = OPERATIONS.get(tag, f"0x{tag:02x}")
    if name not in WRITES | {"search"}:
        return Operation(name, connection=connection)
    target = request if name == "delete" else next(elements(request))[1]
    kept = request if name == "modify" else b""
    return Operation(name, target.decode("utf-8", "replace"), _continues(rest), connection, kept)


def changes_of(modify: Operation) -> dict[str, list[tuple[str, list[str | bytes]]]]:
    """What a modify does to each attribute, as ldap3 is told it ([RFC 4511] 4.6)."""
    words = ("MODIFY_ADD", "MODIFY_DELETE", "MODIFY_REPLACE")
    _dn, (_, changes) = elements(modify.request)
    found: dict[str, list[tuple[str, list[str | bytes]]]] = {}
    for _, change in elements(changes):
        (_, operation), (_, attribute) = elements(change)
        (_, name), (_, values) = elements(attribute)
        texts: list[str | bytes] = [value for _, value in elements(values)]
        part = (words[operation[0]], texts)
        found.setdefault(name.decode(), []).append(part)
    return found


def _continues(rest: list[tuple[int, bytes]]) -> bool:
    """Whether the controls carry a paging cookie."""
    for _, control in (one for tag, content in rest if tag == CONTROLS for one in elements(content)):
        oid, *_criticality, value = (part for _, part in elements(control))
        if oid == PAGED_RESULTS:
            [(_, sequence)] = elements(value)
            _size, (_, cookie) = elements(sequence)
            return bool(cookie)
    return False


def message_id(message: bytes) -> int:
    """The messageID of one whole LDAPMessage."""
    [(_, content)] = elements(message)
    _, identifier = next(elements(content))
    return int.from_bytes(identifier, "big")


def element(tag: int, content: bytes) -> bytes:
    """One BER element of less than 64 KiB."""
    size = len(content)
    header = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + header + content


def result(identifier: int, code: int, *, text: str = "", tag: int = MODIFY_RESPONSE, referral: str = "") -> bytes:
    """An LDAPMessage that ends an operation with a result code ([RFC 4511] 4.1.9)."""
    fields = element(0x0A, bytes([code])) + element(0x04, b"") + element(0x04, text.encode())
    if referral:
        fields += element(0xA3, element(0x04, referral.encode()))
    return element(SEQUENCE, element(0x02, identifier.to_bytes(4, "big")) + element(tag, fields))


def notice_of_disconnection() -> bytes:
    """What a server says before it ends a connection by itself ([RFC 4511] 4.4.1): unavailable."""
    fields = element(0x0A, b"\x34") + element(0x04, b"") + element(0x04, b"")
    name = element(0x8A, b"1.3.6.1.4.1.1466.20036")
    return element(SEQUENCE, element(0x02, b"\x00") + element(0x78, fields + name))
