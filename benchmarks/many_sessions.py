"""The product's own way to many hosts at once: `python -m benchmarks.many_sessions SCRIPT HOST...`.

Runs the script on every host, as many at a time as the product does, and ends with an error when one fails. The account
is the lab's, given on standard input.
"""

from __future__ import annotations

import sys
from pathlib import Path

from remediate.engine.collect import HostRequest, Wanted, collect
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.winrm import run_collector

DEADLINE = 600.0


def main(script: str, hosts: tuple[str, ...]) -> None:
    """Collect from all of them."""
    user, password = sys.stdin.read().splitlines()
    credential, text = Credential(user, Secret(password)), Path(script).read_bytes().decode()

    def read(asked: HostRequest) -> str:
        return run_collector(asked.host, credential, script=text, call="", deadline=DEADLINE)

    found = collect(None, read, wanted=Wanted(connectors=hosts))
    if len(found.connectors) != len(hosts):
        raise SystemExit(f"not every host was read: {found.failures[:1]}")


if __name__ == "__main__":
    main(sys.argv[1], tuple(sys.argv[2:]))
