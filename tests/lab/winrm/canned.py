"""Many hosts that answer at once from a script of answers, with a latency as of a far network: clients are measured.

`python -m tests.lab.winrm.canned CONFIGURATION.json`. Everything is as in front of a real engine (HTTP, logon,
encryption, WS-Management, PSRP); only the engine is not there. Each HTTP request is a round trip: it is counted, and
answered after the latency. Prints `ready` when every port is open; ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psrpcore

from tests.lab.winrm.__main__ import HTTP, user_file
from tests.lab.winrm.endpoint import Endpoint
from tests.lab.winrm.engine import Deliver
from tests.lab.winrm.psrp import Asked, asked, outgoing, take
from tests.lab.winrm.server import Server, handler
from tests.lab.winrm.service import Service

Answer = Callable[[Asked], list[Any]]
FRAGMENT = 32768
"""Bytes of one fragment, as PowerShell makes them."""


class Hangs(Exception):
    """A command that never ends."""


class CannedHost:
    """What one host answers: a document to a script that collects, tables to our functions. It keeps what is written.

    A script that only defines functions is answered by nothing. On a host that `hangs`, what reads never ends.
    """

    def __init__(self, name: str, document: str, *, values: dict[str, str | None], hangs: bool) -> None:
        self._name, self._document, self._hangs = name, document, hangs
        self._values = dict(values)

    def __call__(self, one: Asked) -> list[Any]:
        if self._hangs:
            raise Hangs
        if one.is_script:
            return [] if one.text.startswith("Set-StrictMode") else [self._document]
        return getattr(self, "_" + one.text.lower().replace("-", "_"), self._nothing)(one.parameters)

    def _nothing(self, parameters: dict[str, Any]) -> list[Any]:
        return []

    def _get_hostidentity(self, parameters: dict[str, Any]) -> list[Any]:
        return [{"ComputerName": self._name, "MachineGuid": self._name, "certificate_thumbprint": None}]

    def _test_servicecontrol(self, parameters: dict[str, Any]) -> list[Any]:
        return [{"Control": "yes"}]

    def _get_hostlock(self, parameters: dict[str, Any]) -> list[Any]:
        return [dict.fromkeys(("Run", "Who", "Token", "Until", "Live"))]

    def _lock_host(self, parameters: dict[str, Any]) -> list[Any]:
        return [
            {"Outcome": "taken", "Run": parameters["Run"], "Who": parameters["Who"], "Until": "2100-01-01T00:00:00Z"}
        ]

    def _get_caregistryvalue(self, parameters: dict[str, Any]) -> list[Any]:
        return [{parameters["Name"]: self._values.get(parameters["Name"])}]

    def _set_caregistryvalue(self, parameters: dict[str, Any]) -> list[Any]:
        self._values.update(parameters["After"])
        return []


class CannedEngine:
    """Stands where a session expects an engine, and is one more PSRP server, without PowerShell."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._pool = psrpcore.ServerRunspacePool()
        self._turn = threading.Lock()
        self._deliver: Deliver = lambda guid, fragment: None

    def attach(self, deliver: Deliver) -> None:
        """Tell where answers go."""
        self._deliver = deliver

    def data(self, guid: str, fragment: bytes, stream: str = "Default") -> None:
        """Take a fragment, and answer what is complete with it."""
        with self._turn:
            for event in take(self._pool, guid, fragment):
                if isinstance(event, psrpcore.CreatePipelineEvent):
                    self._run(event)
            self._flush()

    def tell(self, what: str, guid: str) -> None:
        """Command, Signal or Close: all of it has been done."""

    def close(self) -> None:
        """Nothing is running."""

    def _run(self, event: psrpcore.CreatePipelineEvent) -> None:
        pipeline = self._pool.pipeline_table[event.pipeline_id]
        pipeline.start()
        try:
            for value in self._answer(asked(event)[0]):
                pipeline.write_output(value)
        except Hangs:
            return
        pipeline.complete()

    def _flush(self) -> None:
        for guid, fragment in outgoing(self._pool, FRAGMENT):
            self._deliver(guid, fragment)


class FarEndpoint(Endpoint):
    """An endpoint at a distance: `trips` gets one byte for each request that arrives."""

    def __init__(self, service: Service, records: Path, failures: Path, *, trips: Path, latency: float) -> None:
        super().__init__(service, records, failures)
        self._trips, self._latency = trips, latency

    def arrived(self) -> None:
        """Count, and wait as long as request and answer travel."""
        with self._trips.open("ab", buffering=0) as file:
            file.write(b".")
        if self._latency:
            time.sleep(self._latency)


def endpoint(host: dict[str, Any], configuration: dict[str, Any]) -> Endpoint:
    """One host."""
    folder = Path(host["folder"])
    (folder / "failures.json").write_text("[]")
    answer = CannedHost(host["name"], host["document"], values=host["values"], hangs=host["hangs"])
    service = Service(host["name"], lambda: CannedEngine(answer), frozenset(configuration["administrators"]))
    return FarEndpoint(
        service, folder / "requests.jsonl", folder / "failures.json",
        trips=folder / "round-trips", latency=configuration["latency"],
    )  # fmt: skip


def accept_for(servers: list[Server]) -> None:
    """Accept for all of them in one thread: two hundred that each look for clients would be work."""
    with selectors.DefaultSelector() as selector:
        for server in servers:
            selector.register(server, selectors.EVENT_READ, server)
        while True:
            for key, _ in selector.select():
                key.data.handle_request()


def main(path: str) -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configuration = json.loads(Path(path).read_text())
    with tempfile.NamedTemporaryFile("w", suffix=".ntlm") as users, ExitStack() as stack:
        users.write(user_file(configuration["users"]))
        users.flush()
        os.environ["NTLM_USER_FILE"] = users.name
        servers = [
            stack.enter_context(Server((host["address"], HTTP), handler(endpoint(host, configuration), None)))
            for host in configuration["hosts"]
        ]
        threading.Thread(target=accept_for, args=(servers,), daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
