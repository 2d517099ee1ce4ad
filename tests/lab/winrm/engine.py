"""One PowerShell process that serves one remoting session, reached over PowerShell's out-of-process protocol.

Packets are lines: `<Data Stream='Default' PSGuid='...'>base64</Data>`, `<Command PSGuid='...' />`, and so on, each
acknowledged by its own `...Ack`. The engine handles packets side by side, so their order is kept here: the next one
goes out when the last one is acknowledged.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.lab.winrm.faults import terminated

SCRIPT = Path(__file__).with_name("session.ps1")
SESSION = "00000000-0000-0000-0000-000000000000"
"""The PSGuid of packets that belong to the session and not to a pipeline."""
PACKET = re.compile(rb"<(\w+)(?: Stream='\w+')? PSGuid='([^']+)'(?: />|>([^<]*)</\w+>)")
WITH_NAMES = 'mount --bind "$LAB_HOSTS" /etc/hosts && mount --bind "$LAB_NAME_SOURCES" /etc/nsswitch.conf && exec "$@"'
WITH_OWN_NAMES = ["unshare", "--mount", "sh", "-c", WITH_NAMES, "sh"]
"""Runs a program that sees the host's own files of names in place of the machine's."""
ACKNOWLEDGEMENT_TIMEOUT = 30
QUIET = {"POWERSHELL_TELEMETRY_OPTOUT": "1", "NO_COLOR": "1"}
SHORT_LIVED = {"DOTNET_TieredPGO": "0", "DOTNET_TC_CallCounting": "0"}
"""Spares .NET compiling anew, beside the session, what was called often: that takes a second of processor time and is
ready when the session has ended."""
PROGRAMS = (os.environ.get("REMEDIATE_PWSH", ""), "pwsh", "/opt/pwsh-lab/pwsh")

Deliver = Callable[[str, bytes], None]
"""Called with (PSGuid, fragment); with ("", b"") when the engine is gone."""


def pwsh() -> str | None:
    """The PowerShell to use: the one $REMEDIATE_PWSH names, else the one on PATH, else the lab's own."""
    return next((found for name in PROGRAMS if name and (found := shutil.which(name))), None)


@dataclass(frozen=True)
class Windows:
    """What the engines of one host start with: a session configuration file and environment variables."""

    configuration: Path
    environment: dict[str, str]


class AnyEngine(Protocol):
    """What a session needs of an engine."""

    def attach(self, deliver: Deliver) -> None:
        """Begin to give answers."""

    def data(self, guid: str, fragment: bytes, stream: str = "Default") -> None:
        """Take a PSRP fragment."""

    def tell(self, what: str, guid: str) -> None:
        """Command, Signal or Close for one pipeline."""

    def close(self) -> None:
        """End it."""


class Engine:
    """A running process. `deliver` is set once a session has taken it."""

    def __init__(self, windows: Windows) -> None:
        program = pwsh()
        if program is None:
            raise FileNotFoundError("no pwsh on PATH")
        ours, theirs = socket.socketpair()
        arguments = ["-Descriptor", str(theirs.fileno()), "-ConfigurationFile", str(windows.configuration)]
        self._process = subprocess.Popen(
            [*WITH_OWN_NAMES, program, "-NoProfile", "-NonInteractive", "-File", str(SCRIPT), *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **QUIET, **SHORT_LIVED, **windows.environment},
        )
        theirs.close()
        self._socket, self._stream = ours, ours.makefile("rwb")
        self._turn = threading.Lock()
        self._acknowledged = threading.Event()
        self._awaited = ""
        self._alive = True
        self._deliver: Deliver = lambda guid, fragment: None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def attach(self, deliver: Deliver) -> None:
        """Begin to read, or go on with another who is given what arrives."""
        self._deliver = deliver
        if self._reader.ident is None:
            self._reader.start()

    def data(self, guid: str, fragment: bytes, stream: str = "Default") -> None:
        """Pass a PSRP fragment on."""
        encoded = base64.b64encode(fragment).decode()
        self._send(f"<Data Stream='{stream}' PSGuid='{guid}'>{encoded}</Data>", f"DataAck {guid}")

    def tell(self, what: str, guid: str) -> None:
        """Command, Signal or Close for one pipeline."""
        self._send(f"<{what} PSGuid='{guid}' />", f"{what}Ack {guid}")

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._process.kill()
        self._process.wait()
        self._socket.close()

    def _send(self, packet: str, acknowledgement: str) -> None:
        with self._turn:
            self._acknowledged.clear()
            self._awaited = acknowledgement
            try:
                self._stream.write(packet.encode() + b"\n")
                self._stream.flush()
            except OSError:
                raise terminated() from None
            if not self._acknowledged.wait(ACKNOWLEDGEMENT_TIMEOUT) or not self._alive:
                raise terminated()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            for line in self._stream:
                if (found := PACKET.match(line)) is not None:
                    self._arrived(found[1].decode(), found[2].decode(), found[3] or b"")
        self._alive = False
        self._acknowledged.set()
        self._deliver("", b"")

    def _arrived(self, tag: str, guid: str, payload: bytes) -> None:
        if tag == "Data":
            self._deliver(guid, base64.b64decode(payload))
        elif f"{tag} {guid}" == self._awaited:
            self._acknowledged.set()
