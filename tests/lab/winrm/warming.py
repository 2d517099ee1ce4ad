"""A session that an engine serves before the one that is measured, so that its code is loaded and compiled."""

from __future__ import annotations

import queue

import psrpcore
from psrpcore.types import PSInvocationState, RunspacePoolState

from tests.lab.winrm.engine import SESSION, Engine
from tests.lab.winrm.psrp import outgoing, take

TIMES = 2
"""Sessions; a third and fourth of them make the next one no shorter."""
DEADLINE = 30.0
"""Seconds for one message."""


def warmed(engine: Engine) -> Engine:
    """Let it serve a few short sessions; it is then as it was, and ready for one more."""
    arrived = queue.Queue[tuple[str, bytes]]()
    engine.attach(lambda guid, fragment: arrived.put((guid, fragment)))
    for _ in range(TIMES):
        Client(engine, arrived).session("@('warm').Replace('w', $env:COMPUTERNAME)")
    return engine


class Client:
    """PowerShell's remoting over an engine's own packets, without WS-Management."""

    def __init__(self, engine: Engine, arrived: queue.Queue[tuple[str, bytes]]) -> None:
        self._engine, self._arrived = engine, arrived
        self._pool = psrpcore.ClientRunspacePool()

    def session(self, script: str) -> None:
        """Open a session, run the script and close it. Raises queue.Empty when the engine says nothing."""
        self._pool.open()
        self._send()
        while self._pool.state != RunspacePoolState.Opened:
            self._receive()
        pipeline = psrpcore.ClientPowerShell(self._pool)
        pipeline.add_script(script)
        pipeline.start()
        self._engine.tell("Command", str(pipeline.pipeline_id))
        self._send()
        while pipeline.state in (PSInvocationState.NotStarted, PSInvocationState.Running):
            self._receive()
        for guid in (str(pipeline.pipeline_id), SESSION):
            self._engine.tell("Close", guid)

    def _send(self) -> None:
        for guid, fragment in outgoing(self._pool):
            self._engine.data(guid, fragment)

    def _receive(self) -> None:
        for _event in take(self._pool, *self._arrived.get(timeout=DEADLINE)):
            pass  # the states of session and pipeline are what is waited for
