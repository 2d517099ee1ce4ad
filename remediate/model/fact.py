"""One fact as a collector reports it: read, absent, or not readable.

Absent is a value: a registry value that does not exist decides as much as one that does. Unreadable is neither.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from remediate.model.errors import UnknownFact

T = TypeVar("T")


class Unreadable(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a fact could not be read. `code` is an HRESULT such as `0x80070005`, where there was one."""

    why: str
    code: str = ""


class Fact(msgspec.Struct, Generic[T], frozen=True, omit_defaults=True):
    """A fact of type T: `value`, or `absent`, or `unreadable`. Exactly one of the three is set."""

    value: T | None = None
    absent: bool = False
    unreadable: Unreadable | None = None

    def __post_init__(self) -> None:
        if (self.value is not None) + self.absent + (self.unreadable is not None) > 1:
            raise ValueError("a fact is one of value, absent and unreadable")

    @property
    def known(self) -> bool:
        """Whether it was read; absent counts as read."""
        return self.absent or self.value is not None

    def need(self, address: str) -> T | None:
        """Return the value, None when it is absent. Raises UnknownFact(address) when it could not be read."""
        if self.known:
            return self.value
        reason = self.unreadable or Unreadable("the collector did not report it")
        raise UnknownFact(address, reason.why, code=reason.code)

    def need_value(self, address: str) -> T:
        """Return the value. Raises UnknownFact when it is absent or could not be read."""
        value = self.need(address)
        if value is None:
            raise UnknownFact(address, "it is absent, which it never is on a working host")
        return value

    def if_known(self) -> T | None:
        """Return the value or None: for facts that only inform."""
        return self.value
