"""Who acts, and under which approval: what the journal says of each attempt, and the hosts' locks of whose they are."""

from __future__ import annotations

import getpass
import os
import socket

import msgspec

from remediate.model.journal import JournalLine


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """Who approved what, as it was given; kept with the run."""

    digest: str
    ticket: str = ""
    approved_by: str = ""
    given_at: str = ""


def approved_line(approval: Approval, *, at: str, by: str) -> JournalLine:
    """Return the line with which an attempt begins. `at` is UTC."""
    return JournalLine(at=at, event="approved", source="apply", by=by, approval=as_kept(approval))


def as_kept(approval: Approval) -> dict[str, str]:
    """Return an approval as the journal has it."""
    return {name: str(getattr(approval, name)) for name in approval.__struct_fields__}


def account(user: str) -> str:
    """Return the account that acts: the `user` that was given, else that of this process, as its system names it."""
    if user:
        return user
    domain = os.environ.get("USERDOMAIN", "") if os.name == "nt" else ""
    return f"{domain}\\{_own()}" if domain else _own()


def _own() -> str:
    """The name of this process's account; of one without a name, its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        number = getattr(os, "getuid", None)
        return f"uid {number()}" if number else "an account without a name"


def on_this_machine(who: str) -> str:
    """Return an account with the machine that it acts from, for whoever finds its lock."""
    return f"{who} on {socket.gethostname()}"
