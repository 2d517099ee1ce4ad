"""Sockets in front of an endpoint, a thread a connection, HTTP or HTTPS."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from cryptography import x509

from tests.lab.winrm.authentication import bindings_for
from tests.lab.winrm.endpoint import Endpoint, Exchange, Reply

HANDSHAKE_TIMEOUT = 10


@dataclass(frozen=True)
class Tls:
    """The files of a server certificate."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For the server's side."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Server(ThreadingHTTPServer):
    """A thread for each connection."""

    request_queue_size = 1024
    daemon_threads = True
    block_on_close = False

    def server_bind(self) -> None:
        """Bind, without asking what the address is called: that may take seconds, and nobody wants to know."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off or fails its handshake is nothing to report; our own mistakes are."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def handler(endpoint: Endpoint, tls: Tls | None) -> type[BaseHTTPRequestHandler]:
    """What serves the connections to an endpoint."""
    context = tls.context() if tls else None
    bindings = bindings_for(x509.load_pem_x509_certificate(tls.certificate.read_bytes())) if tls else None

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        rbufsize = 1 << 16

        def setup(self) -> None:
            if context is not None:  # here and not in accept(): a slow handshake must not stop the others
                self.request.settimeout(HANDSHAKE_TIMEOUT)
                self.request = context.wrap_socket(self.request, server_side=True)
                self.request.settimeout(None)
            super().setup()
            self.exchange = Exchange(endpoint, tls=context is not None, bindings=bindings)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            endpoint.arrived()
            _write(self, self.exchange.handle(self.path, self.headers, body))

        def finish(self) -> None:
            super().finish()
            self.request.close()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the endpoint keeps its own record."""

    return Handler


def _write(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    packed = reply.pack()
    if not reply.drop:
        handler.wfile.write(packed)
        return
    if reply.drop == "midway":
        handler.wfile.write(packed[: len(packed) // 2])
    reset = struct.pack("ii", int(reply.drop == "now"), 0)
    handler.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    handler.close_connection = True


@contextmanager
def serving(endpoint: Endpoint, address: str, port: int, tls: Tls | None = None) -> Iterator[int]:
    """Serve on address and port (0: any free one, which is given back) until the end of the block."""
    with Server((address, port), handler(endpoint, tls)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
