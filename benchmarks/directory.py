"""An offline plan over 5,000 templates against the bare search that reads the same entries from Samba.

`python -m tests.lab.enter python -m benchmarks.directory`. The templates are read once into a bundle, as
`plan --keep-facts` does; then the search and the plan over that bundle are measured in turn.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import many_templates
from benchmarks.measuring import Row, seconds, show
from remediate.transports.ldap import _SERVICES
from remediate.transports.ldap_connection import PAGE, SD_FLAGS
from tests.lab import contoso
from tests.lab.domain import closing_connection
from tests.lab.estate import Lab, start_lab
from tests.lab.registry_file import number
from tests.lab.windows_hosts import policy_key

TEMPLATES = 5000
PUBLISHED = (40, TEMPLATES)
PAIRS = 5


def bare_search(lab: Lab) -> int:
    """Read what the product reads of the templates, straight from Samba; how many entries came."""
    from ldap3.protocol.microsoft import security_descriptor_control

    found, cookie = 0, None
    with closing_connection(lab.domain.connection()) as connection:
        while True:
            connection.search(
                contoso.SERVICES_DN, "(objectClass=*)", attributes=list(_SERVICES),
                controls=security_descriptor_control(sdflags=SD_FLAGS), paged_size=PAGE, paged_cookie=cookie,
            )  # fmt: skip
            found += len(connection.response)
            cookie = connection.result["controls"]["1.2.840.113556.1.4.319"]["value"]["cookie"]
            if not cookie:
                return found


def remediate(lab: Lab, *arguments: str) -> None:
    """Run the program live, with the administrator's ticket."""
    where = ["--dc", lab.dc, "--trust", str(lab.trust), "--connector", lab.connector.fqdn]
    with lab.ticket():
        subprocess.run([sys.executable, "-m", "remediate", *arguments, *where], check=False, capture_output=True)


def offline(bundle: Path) -> dict[str, Any]:
    """Plan everything over the bundle in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.offline_plan", str(bundle), contoso.INTUNE_TEMPLATE]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def measure(lab: Lab, published: int) -> list[Row]:
    """Return the table's part for so many published templates, all waiting for approval before the plan."""
    many_templates.publish(lab, published)
    bundle = lab.folder / f"facts-{published}"
    remediate(lab, "collect", "--out", str(bundle))
    offline(bundle)
    pairs = [(seconds(lambda: bare_search(lab)), offline(bundle)) for _ in range(PAIRS)]
    search = statistics.median(pair[0] for pair in pairs)
    parts = {name: statistics.median(run[name] for _, run in pairs) for name in pairs[0][1]}
    inner = statistics.median((run["plan"] + run["seal"]) / taken for taken, run in pairs)
    whole = statistics.median((run["read"] + run["plan"] + run["seal"]) / taken for taken, run in pairs)
    return [
        Row(f"{TEMPLATES} templates of {many_templates.ENTRIES} entries, {published} published"),
        Row("  bare ldap3 search", f"{search:.2f} s"),
        *(Row(f"  {name}", f"{parts[name]:.2f} s") for name in ("read", "plan", "seal")),
        Row("  plan and seal / search", f"{inner:.2f}", "at most 1.5"),
        Row("  read, plan and seal / search", f"{whole:.2f}", "at most 1.5"),
        Row("  most memory of the process", f"{max(run['megabytes'] for _, run in pairs):.0f} MB", "under 250 MB"),
        Row("  findings", f"{parts['findings']:.0f}"),
        Row("  changes of who can obtain what", f"{parts['changes']:.0f}"),
        Row("  size of the plan", f"{parts['size'] / 2**20:.1f} MB"),
    ]


def main() -> None:
    """Start the lab, fill it, measure, print."""
    with start_lab() as lab:
        lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101))
        filling = seconds(lambda: many_templates.load(lab, TEMPLATES))
        print(f"filled in {filling:.0f} s; {bare_search(lab)} entries below Public Key Services", flush=True)
        for published in PUBLISHED:
            show(measure(lab, published))


if __name__ == "__main__":
    main()
