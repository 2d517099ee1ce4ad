"""As whom to connect: the Kerberos ticket or Windows logon at hand, or an account whose password is asked for.

A password comes from a prompt, else from the keyring, never from an argument, the environment or a file.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from remediate.model.errors import UsageError
from remediate.model.secret import Secret

SERVICE: Final = "remediate"
"""The service name below which the keyring keeps passwords."""


@dataclass(frozen=True)
class Credential:
    """An account and its password; both None for the ticket or logon that is at hand."""

    user: str | None = None
    password: Secret | None = None


class Logon:
    """As whom one run of the program connects, wherever it does: asked for when first needed, and never again."""

    def __init__(self, user: str, *, terminal: bool) -> None:
        self._user, self._terminal = user, terminal

    @cached_property
    def credential(self) -> Credential:
        """The credential of `resolve`; an empty user stands for the ticket or logon at hand. Raises UsageError."""
        return resolve(self._user or None, terminal=self._terminal)


def resolve(user: str | None, *, terminal: bool) -> Credential:
    """The credential for `user` (`NAME@REALM` or `DOMAIN\\NAME`); None stands for the ticket or logon at hand.

    On a `terminal` the person is asked; the keyring where nobody can be, or where the answer is empty: what is typed
    wins over what was once stored. Raises UsageError when neither has it.
    """
    if user is None:
        return Credential()
    if not user.strip():
        raise UsageError("--user names nobody", do="Give NAME@REALM or DOMAIN\\NAME, or leave it out.")
    password = (_asked(user) if terminal else None) or _from_keyring(user)
    if password is None:
        raise UsageError(
            f"there is no password for {user}",
            do=f"Run in a terminal to be asked for it, keep it in the keyring (`keyring set {SERVICE} {user}`),"
            " or leave --user out to use the ticket or logon at hand.",
        )
    return Credential(user, password)


def _asked(user: str) -> Secret | None:
    try:
        typed = getpass.getpass(f"Password of {user} (empty: from the keyring): ")
    except EOFError:  # Ctrl-D
        return None
    return Secret(typed) if typed else None


def _from_keyring(user: str) -> Secret | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        found = keyring.get_password(SERVICE, user)
    except (KeyringError, RuntimeError, OSError):  # no keyring on this machine, or it stays locked
        return None
    return Secret(found) if found else None
