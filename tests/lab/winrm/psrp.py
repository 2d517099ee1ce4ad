"""PowerShell's remoting messages: given to a session and taken from it, and what a client asks for in them
([MS-PSRP] 2.2.2.10)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import psrpcore

from tests.lab.winrm.engine import SESSION

FRAGMENT_HEADER = 21
Pool = psrpcore.ClientRunspacePool | psrpcore.ServerRunspacePool


class Asked(NamedTuple):
    """A script's text, or the name of a command, and the parameters that come with it."""

    text: str
    is_script: bool
    parameters: dict[str, Any]


def take(pool: Pool, guid: str, fragment: bytes) -> Iterator[psrpcore.PSRPEvent[Any, Any]]:
    """Give a fragment to the session, or to one of its pipelines, and yield what is complete with it."""
    pipeline = None if guid == SESSION else uuid.UUID(guid)
    if pipeline and isinstance(pool, psrpcore.ServerRunspacePool) and pipeline not in pool.pipeline_table:
        psrpcore.ServerPipeline(pool, pipeline)
    pool.receive_data(psrpcore.PSRPPayload(fragment, psrpcore.StreamType.default, pipeline))
    while event := pool.next_event():
        yield event


def outgoing(pool: Pool, size: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Yield what the session has to say: (PSGuid, fragment), of at most `size` bytes where that is given."""
    while payload := pool.data_to_send(size):
        guid = str(payload.pipeline_id) if payload.pipeline_id else SESSION
        for fragment in separate(payload.data):
            yield guid, fragment


def asked(event: psrpcore.CreatePipelineEvent) -> list[Asked]:
    """The commands of a pipeline that a client creates."""
    commands = event.pipeline.commands
    return [
        Asked(str(one.command_text), one.is_script, {str(name): _plain(value) for name, value in one.parameters})
        for one in commands
    ]


def _plain(value: Any) -> Any:
    """A value as the client had it: psrpcore gives types of its own, and every name in a table as one of them."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else str(value)


def separate(fragments: bytes) -> Iterator[bytes]:
    """Fragments one by one ([MS-PSRP] 2.2.4: bytes 17 to 20 are the length of what follows the header)."""
    while fragments:
        size = FRAGMENT_HEADER + int.from_bytes(fragments[17:FRAGMENT_HEADER], "big")
        yield fragments[:size]
        fragments = fragments[size:]


def received(fragments: Iterator[tuple[str, bytes]]) -> Iterator[Asked]:
    """What a whole session was asked for, from all fragments that were sent to it: (PSGuid, fragment)."""
    pool = psrpcore.ServerRunspacePool()
    for guid, fragment in fragments:
        for event in take(pool, guid, fragment):
            if isinstance(event, psrpcore.CreatePipelineEvent):
                yield from asked(event)
