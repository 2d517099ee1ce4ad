"""The program as a person runs it: a process of its own, its streams and exit code, with passwords in a keyring.

What every ending has to promise is asked here in one place: no traceback, no secret, one line for each trouble.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keyring.backend import KeyringBackend

from tests.lab import contoso

ROOT = Path(__file__).resolve().parents[2]
WRONG = "Lab-Wrong-1!"
"""A password that nobody has."""
SECRETS = (WRONG, *(account.password for account in (contoso.ADMINISTRATOR, *contoso.ACCOUNTS)))
RIGHT = {name: one.password for one in contoso.ACCOUNTS for name in (one.upn, one.down_level)}


class LabKeyring(KeyringBackend):
    """A keyring with the passwords of the lab's accounts; the machine's own belongs to whoever runs the tests."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        """The account's password."""
        return RIGHT.get(username) if service == "remediate" else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Never: a password is only ever read."""
        raise NotImplementedError


class WrongKeyring(LabKeyring):
    """A keyring in which every password is out of date."""

    def get_password(self, service: str, username: str) -> str | None:
        """The wrong password, for whomever."""
        return WRONG if service == "remediate" and username else None


class Ended(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()


def environment(*, wrong: bool = False, **more: str) -> dict[str, str]:
    """The variables of a run: none of the program's own, and a keyring of the lab."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATE_")}
    backend = f"tests.lab.program.{'WrongKeyring' if wrong else 'LabKeyring'}"
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHON_KEYRING_BACKEND": backend, **more}


def command(*arguments: str) -> list[str]:
    """The program with these arguments."""
    return [sys.executable, "-m", "remediate", *arguments]


def remediate(
    *arguments: str, with_environment: Mapping[str, str] | None = None, folder: Path = ROOT, seconds: float = 60
) -> Ended:
    """Run it to its end, which comes within so many seconds, away from any terminal."""
    done = subprocess.run(
        command(*arguments), capture_output=True, stdin=subprocess.DEVNULL, cwd=folder, timeout=seconds, check=False,
        env=dict(with_environment or environment()),
    )  # fmt: skip
    ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert_clean(ended.out, ended.err)
    return ended


def assert_clean(*texts: str, secrets: Sequence[str] = SECRETS) -> None:
    """Neither a traceback nor a secret stands in what was printed."""
    for text in texts:
        assert "Traceback" not in text, text
        assert not [secret for secret in secrets if secret in text], "a password was printed"
