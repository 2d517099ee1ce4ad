"""A shell of WS-Management whose server is an engine: fragments in, fragments out, nothing here reads a message.

The one exception is the end of a pipeline, which WS-Management must know: a PipelineState message that says stopped,
completed or failed ([MS-PSRP] 2.2.2.21).
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.winrm.engine import SESSION, AnyEngine
from tests.lab.winrm.faults import terminated, timed_out, unknown

PIPELINE_STATE = 0x00041006
FRAGMENT_HEADER = 21
START, END = 1, 2
"""Bits of the fragment header's flags ([MS-PSRP] 2.2.4)."""
ENDED = re.compile(rb'N="PipelineState">[345]<')


@dataclass
class Channel:
    """Output that waits for a Receive: of the session itself, or of one pipeline."""

    fragments: deque[bytes] = field(default_factory=deque)
    ending: bool = False
    done: bool = False
    told: bool = False
    last_message: str = ""
    last_answer: list[bytes] = field(default_factory=list)

    def add(self, fragment: bytes) -> None:
        """Take a fragment from the engine."""
        self.fragments.append(fragment)
        flags, message = fragment[16], fragment[FRAGMENT_HEADER:]
        if flags & START and int.from_bytes(message[4:8], "little") == PIPELINE_STATE:
            self.ending = ENDED.search(message) is not None
        self.done = self.done or (self.ending and bool(flags & END))

    def take(self, limit: int) -> list[bytes]:
        """As many fragments as fit, at least one when there is one."""
        taken: list[bytes] = []
        while self.fragments and (not taken or sum(map(len, taken)) + len(self.fragments[0]) <= limit):
            taken.append(self.fragments.popleft())
        self.told = self.done and not self.fragments
        return taken


class Session:
    """One shell of one user."""

    def __init__(
        self, identifier: str, user: str, resource_uri: str, engine: AnyEngine, *, received: Path | None = None
    ) -> None:
        self.identifier, self.user, self.resource_uri = identifier, user, resource_uri
        self._received = received
        self.used = time.monotonic()
        self._engine = engine
        self._changed = threading.Condition()
        self._channels: dict[str, Channel] = {SESSION: Channel()}
        self._gone = False
        engine.attach(self._fragment)

    def send(self, command_id: str | None, stream: str, fragment: bytes) -> None:
        """A fragment from the client; stream `pr` answers a prompt of the host."""
        guid = self._guid(command_id)
        self._keep(guid, fragment)
        self._engine.data(guid, fragment, "PromptResponse" if stream == "pr" else "Default")

    def command(self, command_id: str, fragment: bytes) -> None:
        """Start a pipeline; its first fragment comes with it."""
        guid = command_id.lower()
        with self._changed:
            self._channels[guid] = Channel()
        self._keep(guid, fragment)
        self._engine.tell("Command", guid)
        self._engine.data(guid, fragment)

    def receive(self, command_id: str | None, message_id: str, limit: int, timeout: float) -> tuple[list[bytes], bool]:
        """(fragments, whether the pipeline has ended), waiting up to `timeout` seconds for the first fragment.

        A repeated message id is the client's retry: it gets the same answer. Raises WSManFault.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                channel = self._channel(command_id)
                if channel.last_message == message_id:
                    return channel.last_answer, channel.told
                if channel.fragments:
                    break
                self._wait(channel, deadline)
            channel.last_message, channel.last_answer = message_id, channel.take(limit)
            return channel.last_answer, channel.told

    def signal(self, command_id: str, *, terminate: bool) -> None:
        """Stop a pipeline that runs; `terminate` frees it as well."""
        guid = self._guid(command_id)
        if not self._channels[guid].done:
            self._engine.tell("Signal", guid)
        if terminate:
            self._engine.tell("Close", guid)
            with self._changed:
                self._channels.pop(guid, None)
                self._changed.notify_all()

    def _keep(self, guid: str, fragment: bytes) -> None:
        """Append what arrived to the record, where somebody has asked for one by making the file."""
        if self._received is not None and self._received.exists():
            line = {"session": self.identifier, "guid": guid, "fragment": base64.b64encode(fragment).decode()}
            with self._received.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        """End the engine; whoever waits in a Receive is told."""
        self._fragment("", b"")
        self._engine.close()

    def _guid(self, command_id: str | None) -> str:
        with self._changed:
            self._channel(command_id)
        return command_id.lower() if command_id else SESSION

    def _channel(self, command_id: str | None) -> Channel:
        self.used = time.monotonic()
        try:
            return self._channels[command_id.lower() if command_id else SESSION]
        except KeyError:
            raise unknown("command") from None

    def _wait(self, channel: Channel, deadline: float) -> None:
        """Wait for a change, or raise the fault that says why there is nothing to wait for."""
        if channel.told:
            raise unknown("command")
        if self._gone:
            raise terminated()
        left = deadline - time.monotonic()
        if left <= 0:
            raise timed_out()
        self._changed.wait(left)

    def _fragment(self, guid: str, fragment: bytes) -> None:
        with self._changed:
            if not guid:
                self._gone = True
            elif guid in self._channels:
                self._channels[guid].add(fragment)
            self._changed.notify_all()
