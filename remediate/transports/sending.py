"""Who is told what is about to be sent to a target, before it is sent.

A record that raises DocumentError could not keep it, and then it is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

Modifications = Mapping[str, Sequence[tuple[str, Sequence[str | bytes]]]]
"""The parts of one LDAP modify: attribute, and what is done (`MODIFY_ADD` and so on) with which values, in order."""


class HostRecord(Protocol):
    """Keeps what is sent to one host."""

    def script(self, text: str) -> None:
        """Keep the text that a session is given."""

    def call(self, command: str, parameters: Mapping[str, object]) -> None:
        """Keep a command with its parameters."""


class DirectoryRecord(Protocol):
    """Keeps what is sent to the directory and changes it."""

    def modify(self, dn: str, changes: Modifications, *, controller: str, dacl_only: bool) -> None:
        """Keep one modify; with `dacl_only` it carries LDAP_SERVER_SD_FLAGS_OID with DACL_SECURITY_INFORMATION."""


class NotKept:
    """A record for who only reads: nothing is kept."""

    def script(self, text: str) -> None:
        """Nothing."""

    def call(self, command: str, parameters: Mapping[str, object]) -> None:
        """Nothing."""

    def modify(self, dn: str, changes: Modifications, *, controller: str, dacl_only: bool) -> None:
        """Nothing."""
