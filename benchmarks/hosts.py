"""Live collection of hosts against bare pypsrp sessions that run the same scripts, in process and after import.

`python -m tests.lab.enter python -m benchmarks.hosts [HOSTS]`. Both sides use NTLM over HTTP with encrypted messages,
the same account and the same number of threads, and are measured in turn; one host is measured over HTTPS as well.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.measuring import Pairs, Row, in_turn, show
from remediate.cli.collectors import collector_call, collector_source
from remediate.engine.collect import HostRequest, Wanted, collect
from remediate.engine.side_by_side import SIDE_BY_SIDE
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.winrm import run_collector
from tests.lab import clients
from tests.lab.contoso import ADMIN
from tests.lab.estate import Lab, start_lab
from tests.lab.hosts import LabHost

MANY = 20
PAIRS_OF_ONE, PAIRS_OF_MANY = 9, 3
DEADLINE = 600.0
CREDENTIAL = Credential(ADMIN.down_level, Secret(ADMIN.password))

Transport = dict[str, Any]

# As the product waits: with 20 engines on few cores the lab's own short timeouts would be too short for either side.
PATIENT: Transport = {"connection_timeout": 15, "operation_timeout": 20, "read_timeout": 30}


def request(host: LabHost) -> HostRequest:
    """Return what is asked of a connector."""
    return HostRequest(role="connector", host=host.fqdn, certification_authorities=("ca01.contoso.test",))


def ours(hosts: Sequence[LabHost], how: Callable[..., str]) -> Callable[[], object]:
    """Return the product's collection of these hosts, without a directory."""
    wanted = Wanted(connectors=tuple(host.fqdn for host in hosts), certification_authorities=())
    source = collector_source("connector")

    def read(asked: HostRequest) -> str:
        return how(asked.host, CREDENTIAL, script=source, call=collector_call(request_of[asked.host]))

    request_of = {host.fqdn: request(host) for host in hosts}

    def work() -> None:
        snapshot = collect(None, read, wanted=wanted)
        if len(snapshot.connectors) != len(hosts):
            raise SystemExit(f"not every host was read: {snapshot.failures[:1]}")

    return work


def theirs(hosts: Sequence[LabHost], how: Transport) -> Callable[[], object]:
    """Return the same scripts in bare sessions, in as many threads."""
    source = collector_source("connector")

    def session(host: LabHost) -> int:
        script = f"{source}\r\n{collector_call(request(host))}\r\n"
        return len(clients.run(host, script, ADMIN, **how)[0])

    def work() -> None:
        with ThreadPoolExecutor(max_workers=min(SIDE_BY_SIDE, len(hosts))) as threads:
            if not all(threads.map(session, hosts)):
                raise SystemExit("a host gave nothing")

    return work


def over_http(*arguments: Any, **keywords: Any) -> str:
    """Run a collector as the product does by default."""
    return run_collector(*arguments, deadline=DEADLINE, **keywords)


def over_https(lab: Lab) -> Callable[..., str]:
    """Run a collector as the product does with --tls."""

    def run(*arguments: Any, **keywords: Any) -> str:
        return run_collector(*arguments, deadline=DEADLINE, trust=lab.trust, tls=True, **keywords)

    return run


def rows(name: str, pairs: Pairs, *, goal: str) -> tuple[Row, ...]:
    """Return the lines of one comparison."""
    return pairs.rows(f"{name}, ratio", ours=f"{name}, remediate", theirs=f"{name}, bare pypsrp", goal=goal)


def main(many: int) -> None:
    """Start the lab, measure, print."""
    with start_lab(("ca01", "conn1")) as lab:
        http = {"ssl": False, "auth": "negotiate", "encryption": "always", **PATIENT}
        one = [lab.connector]
        pairs = in_turn(ours(one, over_http), theirs(one, http), times=PAIRS_OF_ONE)
        show(rows("1 host over HTTP", pairs, goal="at most 1.3"))
        https = clients.https(lab, "negotiate") | PATIENT
        pairs = in_turn(ours(one, over_https(lab)), theirs(one, https), times=PAIRS_OF_ONE)
        show(rows("1 host over HTTPS", pairs, goal="at most 1.3"))
        with lab.more_hosts(many) as hosts:
            pairs = in_turn(ours(hosts, over_http), theirs(hosts, http), times=PAIRS_OF_MANY)
            show(rows(f"{many} hosts over HTTP", pairs, goal="at most 1.5"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MANY)
