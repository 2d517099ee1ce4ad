"""Stands between clients and Samba, records every LDAP operation, and fails on request.

It has the domain controller's own certificate and key, so LDAPS with verification and channel binding go through it
as through the server itself. On the plain port it can only record what is not sealed.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.lab.addresses import MACHINES, SAMBA
from tests.lab.authority import ServerCertificate
from tests.lab.ldap_messages import SEQUENCE, WRITES, Operation, element_length, read_operation

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


@dataclass
class LdapRelay:
    """A recording relay, running in a thread of its own between `with` and its end.

    `fault` may be set at any time. `clear()` forgets what was recorded.
    """

    certificate: ServerCertificate
    trust: Path
    address: str = MACHINES["dc1"]
    ports: tuple[int, ...] = (LDAP, LDAPS, GLOBAL_CATALOG, GLOBAL_CATALOG_TLS)
    fault: DropAtSearch | Silent | None = None
    operations: list[Operation] = field(default_factory=list)
    connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

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
            answers = asyncio.create_task(_pump(samba_reader, writer))
            await self._requests(reader, samba_writer, number)
            samba_writer.close()
            await answers
        except (OSError, ValueError):
            pass  # either side broke off; the other one is told by the close
        finally:
            self._open.discard(writer)
            writer.close()

    async def _requests(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, number: int) -> None:
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
                if not isinstance(self.fault, Silent):
                    onward.write(message)
            await onward.drain()

    def _drops(self) -> bool:
        return isinstance(self.fault, DropAtSearch) and len(self.searches) >= self.fault.number


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()
