"""Starts the lab for a person and says how to reach it: `python -m tests.lab`. It ends with Ctrl-C.

Outside the lab's namespaces it enters them first; a second shell joins with the nsenter line it prints.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from tests.lab import contoso, enter
from tests.lab.addresses import MARK, OUTER_PROCESS
from tests.lab.domain import LabError
from tests.lab.estate import Lab, obstacle, start_lab

ENDINGS = {signal.SIGINT, signal.SIGTERM}


def description(lab: Lab, seconds: float) -> str:
    """What a person needs to know."""
    accounts = (contoso.ADMIN, contoso.READER, contoso.LOCKED, contoso.SERVICE)
    lines = [f"The lab runs, started in {seconds:.1f} s. Ctrl-C ends it.", ""]
    lines += [f"  directory   ldaps://{lab.dc}   (also 389, and Kerberos by KRB5_CONFIG)"]
    lines += [f"  {host.name:<10}  {host.fqdn}  WinRM 5985 and 5986" for host in lab.hosts.values()]
    lines += [f"  account     {one.down_level}  {one.password}" for one in accounts]
    lines += [f"  trust       {lab.trust}", f"  state       {lab.folder}", ""]
    lines += ["A second shell in here, from outside:", f"  {join_command()}"]
    return "\n".join(lines)


def join_command() -> str:
    """How another shell enters these namespaces."""
    kept = " ".join(f"{name}={os.environ[name]}" for name in (MARK, "KRB5_CONFIG"))
    return f"nsenter --target {os.environ[OUTER_PROCESS]} --net --mount env {kept} bash"


def main() -> int:
    """Start, tell, wait."""
    if obstacle():
        return enter.main([sys.executable, "-m", "tests.lab"])
    begun = time.monotonic()
    try:
        with start_lab() as lab:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)  # so that none gets lost before the wait
            print(description(lab, time.monotonic() - begun), flush=True)
            signal.sigwait(ENDINGS)
    except LabError as error:
        return enter.complain(str(error))
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
