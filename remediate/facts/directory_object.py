"""One object of the directory: its attributes by name, and an UnknownFact for what was not answered."""

from __future__ import annotations

import uuid
from functools import cached_property

from remediate.adcs.security_descriptor import MalformedDescriptor, SecurityDescriptor
from remediate.adcs.sid import Sid
from remediate.facts.documents import Entry
from remediate.model.errors import UnknownFact


class DirectoryObject:
    """One entry with its attributes by name, in any case. Asking for what was not answered raises UnknownFact."""

    def __init__(self, entry: Entry) -> None:
        self.dn, self._entry = entry.dn, entry

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the text values, none when the attribute has none."""
        return self._entry.texts(name)

    def text(self, name: str) -> str:
        """Return the first text value. Raises UnknownFact when there is none."""
        for value in self.texts(name):
            return value
        raise self._missing(name)

    def text_or(self, name: str, default: str = "") -> str:
        """Return the first text value or the default."""
        return next(iter(self.texts(name)), default)

    def number(self, name: str) -> int:
        """Return an integer attribute. Raises UnknownFact when it was not answered or is no number."""
        try:
            return int(self.text(name))
        except ValueError as error:
            raise UnknownFact(f"{self.dn} {name}", "it is not a number") from error

    def number_or(self, name: str, default: int) -> int:
        """Return an integer attribute, the default when there is none. Raises UnknownFact when it is no number."""
        return self.number(name) if self.texts(name) else default

    def octets(self, name: str) -> tuple[bytes, ...]:
        """Return the binary values."""
        return self._entry.octets(name)

    def _missing(self, name: str) -> UnknownFact:
        return UnknownFact(f"{self.dn} {name}", "the directory did not answer it; the account may not read it")

    @property
    def cn(self) -> str:
        """The common name, from the attribute or the DN."""
        return self.text_or("cn") or self.dn.partition(",")[0].partition("=")[2]

    @cached_property
    def descriptor(self) -> SecurityDescriptor:
        """The security descriptor. Raises UnknownFact when it was not answered or cannot be parsed."""
        for value in self.octets("nTSecurityDescriptor"):
            try:
                return SecurityDescriptor.parse(value)
            except MalformedDescriptor as error:
                raise UnknownFact(f"{self.dn} nTSecurityDescriptor", str(error)) from error
        raise self._missing("nTSecurityDescriptor")

    @property
    def object_guid(self) -> str:
        """The objectGUID as text, empty when it was not answered."""
        return next((str(uuid.UUID(bytes_le=value)) for value in self.octets("objectGUID")), "")

    @property
    def sid(self) -> Sid | None:
        """The objectSid, None when the object has none."""
        return next((Sid.from_bytes(value) for value in self.octets("objectSid")), None)
