"""One offline plan in a process of its own: `python -m benchmarks.offline_plan BUNDLE TEMPLATE`; JSON on stdout.

Seconds of reading the bundle, of planning and of sealing, and the most memory the process ever held.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from remediate.engine.planning import PlanOptions, make_plan
from remediate.model.plan import seal
from remediate.transports.bundle import read_bundle


def main(bundle: str, template: str) -> None:
    """Measure one plan of everything."""
    started = time.perf_counter()
    snapshot = read_bundle((Path(bundle),))
    read = time.perf_counter()
    plan = make_plan(snapshot, PlanOptions(templates=(template,)))
    planned = time.perf_counter()
    sealed = seal(plan)
    done = time.perf_counter()
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    measured = {
        "read": read - started,
        "plan": planned - read,
        "seal": done - planned,
        "megabytes": kilobytes / 1024,
        "size": len(sealed),
        "findings": len(plan.findings),
        "changes": len(plan.gained) + len(plan.lost),
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
