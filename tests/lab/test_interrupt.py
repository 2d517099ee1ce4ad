"""Ctrl-C, as a person presses it: in a terminal of its own, while servers are silent. The prompt is back at once."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.lab import broken
from tests.lab.addresses import MACHINES, fqdn
from tests.lab.contoso import ADMIN
from tests.lab.estate import Lab
from tests.lab.ldap_relay import Silent
from tests.lab.program import assert_clean, command, environment

CTRL_C = b"\x03"
AT_ONCE = 3.0
"""Seconds; about one on a machine that has nothing else to do."""
INTERRUPTED = "remediate: interrupted. Nothing was changed."
ASKED = f"Password of {ADMIN.upn} (empty: from the keyring): "
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


class Terminal:
    """The program in the foreground of a pseudo-terminal, from which the kernel sends SIGINT on Ctrl-C."""

    def __init__(self, folder: Path, variables: dict[str, str], *arguments: str) -> None:
        self.keyboard, self.screen = pty.openpty()
        self.before = self.settings()
        self.text = ""
        self.process = subprocess.Popen(
            command(*arguments), cwd=folder, env={**variables, "TERM": "xterm"}, start_new_session=True,
            stdin=self.screen, stdout=self.screen, stderr=self.screen, preexec_fn=self._take_over,
        )  # fmt: skip

    def _take_over(self) -> None:
        fcntl.ioctl(self.screen, termios.TIOCSCTTY, 0)

    def settings(self) -> list[Any]:
        """How the terminal is set: echo, line by line, and so on."""
        return termios.tcgetattr(self.screen)

    def wait_for(self, text: str, seconds: float = 40.0) -> None:
        """Read the screen until the text stands there."""
        end = time.monotonic() + seconds
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} never came:\n{self.text}"
            self._read(0.2)

    def _read(self, seconds: float) -> None:
        if select.select([self.keyboard], [], [], seconds)[0]:
            with suppress(OSError):
                self.text += os.read(self.keyboard, 1 << 16).decode(errors="replace")

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self.keyboard, keys)

    def exit_code(self, seconds: float) -> int:
        """The exit code of a program that ends within so many seconds."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it goes on:\n{self.text}"
            self._read(0.05)
        self._read(0.05)
        return int(self.process.returncode)

    def close(self) -> None:
        """End what still runs."""
        self.process.kill()
        self.process.wait()
        os.close(self.keyboard)
        os.close(self.screen)


@contextmanager
def terminal(folder: Path, *arguments: str, variables: dict[str, str] | None = None) -> Iterator[Terminal]:
    opened = Terminal(folder, variables or environment(), *arguments)
    try:
        yield opened
    finally:
        opened.close()


def assert_left_clean(opened: Terminal, folder: Path) -> None:
    """The cursor is back, the terminal set as before, nothing written, nothing said but the one line."""
    assert_clean(opened.text)
    assert opened.text.count(INTERRUPTED) == 1
    assert opened.settings() == opened.before
    assert opened.text.rfind(SHOW_CURSOR) >= opened.text.rfind(HIDE_CURSOR)
    assert "Exception" not in opened.text
    assert list(folder.iterdir()) == []


def live(lab: Lab, *more: str) -> list[str]:
    return ["plan", "--all", "--dc", lab.dc, "--trust", str(lab.trust), "--user", ADMIN.upn, "--ca", fqdn("host06"),
            "--connector", fqdn("host05"), "--out", "plan.json", "--keep-facts", "facts", *more]  # fmt: skip


@pytest.mark.parametrize("presses", [1, 3], ids=["once", "impatiently"])
def test_while_a_host_is_silent(fresh_lab: Lab, tmp_path: Path, presses: int) -> None:
    with broken.silent(5985, MACHINES["host05"]), terminal(tmp_path, *live(fresh_lab)) as opened:
        opened.wait_for(ASKED)
        opened.press(b"\n")
        opened.wait_for(f"{fqdn('host05')}: reading")
        started = time.monotonic()
        for _ in range(presses):
            opened.press(CTRL_C)
            time.sleep(0.02)
        assert opened.exit_code(AT_ONCE) == 130
        assert time.monotonic() - started < AT_ONCE
        assert_left_clean(opened, tmp_path)


def test_while_the_directory_is_silent(fresh_lab: Lab, tmp_path: Path) -> None:
    fresh_lab.relay.fault = Silent()
    arguments = ["collect", "--out", "facts.zip", *live(fresh_lab)[2:-4]]
    with terminal(tmp_path, *arguments) as opened:
        opened.wait_for(ASKED)
        opened.press(b"\n")
        opened.wait_for(f"{fresh_lab.dc}: reading")
        opened.press(CTRL_C)
        assert opened.exit_code(AT_ONCE) == 130
        assert_left_clean(opened, tmp_path)


def test_while_a_password_is_asked_for(fresh_lab: Lab, tmp_path: Path) -> None:
    without = environment() | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    with terminal(tmp_path, *live(fresh_lab), variables=without) as opened:
        opened.wait_for(ASKED)
        opened.press(b"Lab-Half-Typed" + CTRL_C)
        assert opened.exit_code(AT_ONCE) == 130
        assert_left_clean(opened, tmp_path)
        assert "Half-Typed" not in opened.text
    assert fresh_lab.relay.searches == []


def test_a_typed_password_is_not_shown(fresh_lab: Lab, tmp_path: Path) -> None:
    without = environment() | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    with terminal(tmp_path, *live(fresh_lab, "--connector", fqdn("host07"))[:-6], variables=without) as opened:
        opened.wait_for(ASKED)
        opened.press(b"Lab-Typed-Wrong-1!\n")
        assert opened.exit_code(40.0) == 1
        assert "the user name or password is wrong" in " ".join(opened.text.split())
        assert "Typed-Wrong" not in opened.text
        assert opened.settings() == opened.before


def test_away_from_a_terminal(fresh_lab: Lab, tmp_path: Path) -> None:
    with broken.silent(5985, MACHINES["host05"]):
        process = subprocess.Popen(
            command(*live(fresh_lab)), cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while fresh_lab.relay.counts()["search"] < 4:
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(2)
        out, err = process.communicate(timeout=AT_ONCE)
    assert (process.returncode, out, err.split("\n")) == (130, "", ["", INTERRUPTED, ""])
    assert list(tmp_path.iterdir()) == []
