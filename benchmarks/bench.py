"""Ratios within one run, printed as a table: start-up, offline planning over many templates, sealing.

Run with `python benchmarks/bench.py`. Nothing is contacted.
"""

from __future__ import annotations

import copy
import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec

from remediate.engine.planning import PlanOptions, make_plan
from remediate.facts.documents import DirectoryDocument, Snapshot
from remediate.model.plan import Plan, seal, unseal
from remediate.transports.bundle import read_bundle

EXAMPLES = Path(__file__).parent.parent / "examples"
TEMPLATES = 5000
ENTRIES = 50


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def start_up() -> float:
    """Return `remediate --version` over `import click`, median of pairs."""
    ours, theirs = ["-m", "remediate", "--version"], ["-c", "import click"]

    def run(arguments: list[str]) -> float:
        return seconds(lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True))

    run(ours)
    return statistics.median(run(ours) / run(theirs) for _ in range(15))


def many_templates() -> Snapshot:
    """Return the broken example with many published templates of real-sized DACLs."""
    from remediate.adcs.ace import enroll_ace, read_ace
    from remediate.adcs.dacl_edit import add_aces
    from remediate.adcs.security_descriptor import SecurityDescriptor
    from remediate.adcs.sid import Sid

    document = json.loads((EXAMPLES / "contoso-broken" / "directory.json").read_text(encoding="utf-8"))
    entries = document["public_key_services"]["value"]
    model = next(entry for entry in entries if entry["dn"].startswith("CN=IntunePKCS"))
    plain = SecurityDescriptor.parse(
        msgspec.json.decode(json.dumps(model["attributes"]["nTSecurityDescriptor"][0]["base64"]).encode(), type=bytes)
    )
    sids = [Sid.from_string(f"S-1-5-21-1-2-3-{rid}") for rid in range(1200, 1200 + ENTRIES // 2)]
    wide = add_aces(plain, [ace for sid in sids for ace in (enroll_ace(sid), read_ace(sid))]).after.to_bytes()
    encoded = json.loads(msgspec.json.encode(wide))
    for number in range(TEMPLATES):
        entry = copy.deepcopy(model)
        entry["dn"] = entry["dn"].replace("CN=IntunePKCS", f"CN=Template{number:05d}")
        entry["attributes"]["cn"] = [f"Template{number:05d}"]
        entry["attributes"]["nTSecurityDescriptor"] = [{"base64": encoded}]
        entries.append(entry)
    for entry in entries:
        if "certificateTemplates" in entry["attributes"]:
            entry["attributes"]["certificateTemplates"] += [f"Template{number:05d}" for number in range(TEMPLATES)]
    whole = read_bundle((EXAMPLES / "contoso-broken",))
    return msgspec.structs.replace(whole, directory=msgspec.convert(document, DirectoryDocument))


def sealing() -> float:
    """Return how many plans of 20 actions are sealed and verified in a second."""
    plan = make_plan(read_bundle((EXAMPLES / "contoso-broken",)), PlanOptions())
    twenty = (plan.actions * 20)[:20]
    made = [
        msgspec.structs.replace(plan, actions=twenty, created=f"2026-11-23T09:{number // 60:02d}:{number % 60:02d}Z")
        for number in range(500)
    ]

    def work() -> list[tuple[Plan, str]]:
        return [unseal(seal(one), where="bench") for one in made]

    return len(made) / seconds(work)


def main() -> None:
    rows = [("remediate --version / import click", f"{start_up():.2f}", "at most 2.5")]
    snapshot = many_templates()
    plan = seconds(lambda: make_plan(snapshot, PlanOptions()))
    tracemalloc.start()
    make_plan(snapshot, PlanOptions())
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    rows.append((f"plan of everything over {TEMPLATES} templates, {ENTRIES} entries each", f"{plan:.2f} s", ""))
    rows.append(("  memory above the facts", f"{peak:.0f} MB", "under 250 MB in all"))
    rows.append(("plans of 20 actions sealed and verified a second", f"{sealing():.0f}", "at least 1000"))
    for name, figure, wanted in rows:
        print(f"{name:<66}{figure:>10}   {wanted}")


if __name__ == "__main__":
    main()
