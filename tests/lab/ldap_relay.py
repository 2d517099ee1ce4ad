"""Stands between clients and Samba, records every LDAP operation, and fails on request.

It has the domain controller's own certificate and key, so LDAPS with verification and channel binding go through it
as through the server itself. On the plain port it can only record what is not sealed.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.lab.addresses import MACHINES, SAMBA
from tests.lab.authority import ServerCertificate
from tests.lab.ldap_messages import SEQUENCE, WRITES, Operation, element_length, message_id, read_operation

CHUNK = 1 << 18
LDAP, LDAPS, GLOBAL_CATALOG, GLOBAL_CATALOG_TLS = 389, 636, 3268, 3269
TLS_PORTS = frozenset({LDAPS, GLOBAL_CATALOG_TLS})


@dataclass(frozen=True)
class DropAtSearch:
    """Close the connection instead of passing on the n-th search since `clear()`, and every later one."""

    number: int


@dataclass(frozen=True)
class Silent:
    """Pass nothing on: connections are accepted and stay without an answer."""


@dataclass(frozen=True)
class Instead:
    """At the n-th operation of a name since `clear()`: `answer` (made from its messageID) in place of the server's.

    `passed` says whether the server gets the request and carries it out; its own answer is kept back then. `pause` is
    the time between two bytes of the answer; afterwards the connection is closed, or stays and is served on.
    """

    answer: Callable[[int], bytes] = lambda _identifier: b""
    operation: str = "modify"
    number: int = 1
    passed: bool = False
    pause: float = 0.0
    close: bool = False


@dataclass(frozen=True)
class Rewrite:
    """Every answer has `new` in place of `old`, which are of one length."""

    old: bytes
    new: bytes


@dataclass
class LdapRelay:
    """A recording relay, running in a thread of its own between `with` and its end.

    `fault` may be set at any time. `clear()` forgets what was recorded.
    """

    certificate: ServerCertificate
    trust: Path
    address: str = MACHINES["dc1"]
    ports: tuple[int, ...] = (LDAP, LDAPS, GLOBAL_CATALOG, GLOBAL_CATALOG_TLS)
    fault: DropAtSearch | Silent | Instead | Rewrite | None = None
    operations: list[Operation] = field(default_factory=list)
    connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _kept_back: dict[int, tuple[Instead, bytes]] = field(default_factory=dict)

    def __enter__(self) -> LdapRelay:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def counts(self) -> Counter[str]:
        """How many of each operation, pages of one search counted once."""
        return Counter(one.name for one in self.operations if not one.next_page)

    @property
    def searches(self) -> list[Operation]:
        """The searches, without those that only fetch a further page."""
        return [one for one in self.operations if one.name == "search" and not one.next_page]

    @property
    def writes(self) -> list[Operation]:
        """Everything that changes the directory."""
        return [one for one in self.operations if one.name in WRITES]

    def clear(self) -> None:
        """Forget what was recorded and how far a fault has counted."""
        self.operations.clear()

    async def _listen(self) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate.certificate, self.certificate.key)
        self._onward = ssl.create_default_context(cafile=self.trust)
        self._servers = [
            await asyncio.start_server(
                lambda reader, writer, port=port: self._serve(reader, writer, port),  # type: ignore[misc]
                self.address, port, ssl=tls if port in TLS_PORTS else None,
            )
            for port in self.ports
        ]  # fmt: skip

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self._open.add(writer)
        self.connections += 1
        number = self.connections
        tls = {"ssl": self._onward, "server_hostname": "samba.contoso.test"} if port in TLS_PORTS else {}
        try:
            samba_reader, samba_writer = await asyncio.open_connection(SAMBA, port, limit=CHUNK, **tls)  # type: ignore[arg-type]
            answers = asyncio.create_task(self._answers(samba_reader, writer, number))
            await self._requests(reader, samba_writer, number, back=writer)
            samba_writer.close()
            await answers
        except (OSError, ValueError):
            pass  # either side broke off; the other one is told by the close
        finally:
            self._open.discard(writer)
            writer.close()

    async def _requests(
        self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, number: int, *, back: asyncio.StreamWriter
    ) -> None:
        """Pass messages on one by one until the client, or a fault, ends it; what SASL sealed goes as it is."""
        waiting = bytearray()
        while data := await reader.read(CHUNK):
            waiting += data
            if waiting[0] != SEQUENCE:
                self.operations.append(Operation("sealed", connection=number))
                onward.write(bytes(waiting))
                waiting.clear()
            while (length := element_length(waiting)) is not None and length <= len(waiting):
                message = bytes(waiting[:length])
                del waiting[:length]
                self.operations.append(read_operation(message, number))
                if self._drops():
                    return
                if fault := self._instead():
                    answer = fault.answer(message_id(message))
                    if not fault.passed:
                        await _give(back, fault, answer)
                        continue
                    self._kept_back[number] = fault, answer
                if not isinstance(self.fault, Silent):
                    onward.write(message)
            await onward.drain()

    def _drops(self) -> bool:
        return isinstance(self.fault, DropAtSearch) and len(self.searches) >= self.fault.number

    def _instead(self) -> Instead | None:
        """The fault, when the operation just recorded is the one it waits for."""
        fault, name = self.fault, self.operations[-1].name
        if not isinstance(fault, Instead) or fault.operation != name or self.counts()[name] != fault.number:
            return None
        return fault

    async def _answers(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, number: int) -> None:
        try:
            while data := await source.read(CHUNK):
                if number in self._kept_back:
                    await _give(target, *self._kept_back.pop(number))
                    continue
                if isinstance(self.fault, Rewrite):
                    data = data.replace(self.fault.old, self.fault.new)
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            target.close()


async def _give(target: asyncio.StreamWriter, fault: Instead, answer: bytes) -> None:
    """Send what is given instead of an answer."""
    pieces = [bytes([one]) for one in answer] if fault.pause else [answer]
    for piece in pieces:
        target.write(piece)
        await target.drain()
        await asyncio.sleep(fault.pause)
    if fault.close:
        target.close()
