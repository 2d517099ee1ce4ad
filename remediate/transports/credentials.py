"""As whom to connect: the Kerberos ticket or Windows logon at hand, or an account whose password is asked for.

A password comes from the keyring or a prompt, never from an argument, the environment or a file.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
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


def resolve(user: str | None, *, terminal: bool) -> Credential:
    """The credential for `user` (`NAME@REALM` or `DOMAIN\\NAME`); None stands for the ticket or logon at hand.

    The keyring is asked first, then, where there is a `terminal`, the person. Raises UsageError when neither has it.
    """
    if user is None:
        return Credential()
    if not user.strip():
        raise UsageError("--user names nobody", do="Give NAME@REALM or DOMAIN\\NAME, or leave it out.")
    password = _from_keyring(user) or (_asked(user) if terminal else None)
    if password is None:
        raise UsageError(
            f"there is no password for {user}",
            do=f"Keep it in the keyring (`keyring set {SERVICE} {user}`), run in a terminal to be asked for it,"
            " or leave --user out to use the ticket or logon at hand.",
        )
    return Credential(user, password)


def _from_keyring(user: str) -> Secret | None:
    import keyring
    from keyring.errors import KeyringError

    try:
        found = keyring.get_password(SERVICE, user)
    except (KeyringError, RuntimeError, OSError):  # no keyring on this machine, or it stays locked
        return None
    return Secret(found) if found else None


def _asked(user: str) -> Secret | None:
    typed = getpass.getpass(f"Password of {user}: ")
    return Secret(typed) if typed else None
