"""Listeners that misbehave, for any port: at `broken.contoso.test` unless told otherwise. A port nobody opened refuses.

TLS ones finish the handshake (when the client lets them) and then close.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.addresses import MACHINES, fqdn
from tests.lab.authority import CertificationAuthority, ServerCertificate

if TYPE_CHECKING:
    from tests.lab.estate import Lab

NAME = fqdn("broken")
ADDRESS = MACHINES["broken"]
RESET = struct.pack("ii", 1, 0)

Behaviour = Callable[[socket.socket], None]


def reset(connection: socket.socket) -> None:
    """Break the connection off at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def plain_http(connection: socket.socket) -> None:
    """Answer whatever comes as a web server answers what it does not understand."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.close()


def tls(certificate: ServerCertificate) -> Behaviour:
    """Present this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)

    def behave(connection: socket.socket) -> None:
        with suppress(OSError):
            context.wrap_socket(connection, server_side=True).close()

    return behave


def expired(root: CertificationAuthority, folder: Path, name: str = NAME) -> Behaviour:
    """TLS with a certificate of the trusted root that ended three days ago."""
    return tls(root.server(folder / "expired", name, days=-3))


def foreign(folder: Path, name: str = NAME) -> Behaviour:
    """TLS with a certificate of a root that nobody trusts."""
    return tls(CertificationAuthority.root("Foreign Root CA").server(folder / "foreign", name))


def misnamed(root: CertificationAuthority, folder: Path) -> Behaviour:
    """TLS with a trusted certificate of another machine."""
    return tls(root.server(folder / "misnamed", fqdn("elsewhere")))


@contextmanager
def silent(port: int, address: str = ADDRESS) -> Iterator[None]:
    """Accept connections and never say anything."""
    with socket.create_server((address, port)):
        yield  # the kernel accepts into the backlog


@contextmanager
def listening(behave: Behaviour, port: int, address: str = ADDRESS) -> Iterator[None]:
    """Let every connection meet the behaviour."""
    with socket.create_server((address, port)) as listener:
        threading.Thread(target=_accept, args=(listener, behave), daemon=True).start()
        try:
            yield
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, behave: Behaviour) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with suppress(OSError):
            behave(connection)


EACH: dict[str, tuple[Callable[[Lab], Behaviour], str]] = {
    "expired": (lambda lab: expired(lab.root, lab.folder / "broken"), "has expired"),
    "foreign": (lambda lab: foreign(lab.folder / "broken"), "not trusted"),
    "misnamed": (lambda lab: misnamed(lab.root, lab.folder / "broken"), "another name"),
    "plain": (lambda _lab: plain_http, "does not speak TLS"),
    "reset": (lambda _lab: reset, "lost"),
}
"""Servers in a controller's place, and what is said of each."""
