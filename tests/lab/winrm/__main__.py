"""Serves the WinRM endpoints of several hosts from one process: `python -m tests.lab.winrm CONFIGURATION.json`.

A process of its own, because acceptors take their users and keys from the environment, where clients would find them
too. Prints `ready` when every port is open; ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.lab.winrm.endpoint import Endpoint
from tests.lab.winrm.engine import Engine, Windows
from tests.lab.winrm.server import Tls, serving
from tests.lab.winrm.service import Service
from tests.lab.winrm.warming import warmed

HTTP, HTTPS = 5985, 5986


def user_file(users: dict[str, str]) -> str:
    r"""The lines pyspnego's acceptor reads: `CONTOSO\admin` and `admin@CONTOSO.TEST` -> password."""
    pairs = [(name.rpartition("\\"), password) for name, password in users.items()]
    return "".join(f"{domain}:{user}:{password}\n" for (domain, _, user), password in pairs)


def serve_host(stack: ExitStack, host: dict[str, Any]) -> None:
    """Open one host's ports; `stack` closes them."""
    windows = Windows(Path(host["configuration"]), host["environment"])

    def new_engine() -> Engine:
        return warmed(Engine(windows)) if host["rest"] else Engine(windows)

    service = Service(
        host["name"], new_engine, frozenset(host["administrators"]),
        received=Path(host["received"]), rest=host["rest"],
    )  # fmt: skip
    stack.callback(service.close)
    endpoint = Endpoint(service, Path(host["records"]), Path(host["failures"]))
    stack.enter_context(serving(endpoint, host["address"], HTTP))
    tls = Tls(Path(host["certificate"]), Path(host["key"]))
    stack.enter_context(serving(endpoint, host["address"], HTTPS, tls))


def main(path: str) -> None:
    """Serve until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches whoever started this, who then ends it
    configuration = json.loads(Path(path).read_text())
    os.environ["KRB5_KTNAME"] = configuration["keytab"]
    with tempfile.NamedTemporaryFile("w", suffix=".ntlm") as users, ExitStack() as stack:
        users.write(user_file(configuration["users"]))
        users.flush()
        os.environ["NTLM_USER_FILE"] = users.name
        for host in configuration["hosts"]:
            serve_host(stack, host)
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
