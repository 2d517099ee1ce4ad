"""Plans of 20 actions sealed and verified in a second of one core: `python -m benchmarks.sealing`.

Counted is the processor's time, so that what else the machine does is no part of the figure. No two plans are equal.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from benchmarks.measuring import Row, show
from remediate.engine.planning import PlanOptions, make_plan
from remediate.model.plan import Plan, seal, unseal
from remediate.transports.bundle import read_bundle

EXAMPLE = Path(__file__).parent.parent / "examples" / "contoso-broken"
ACTIONS = 20
PLANS = 1000


def plans() -> list[Plan]:
    """Return distinct plans: the broken example's, its actions repeated until there are enough."""
    plan = make_plan(read_bundle((EXAMPLE,)), PlanOptions())
    actions = (plan.actions * ACTIONS)[:ACTIONS]
    moments = (f"2026-11-23T09:{number // 60:02d}:{number % 60:02d}Z" for number in range(PLANS))
    return [msgspec.structs.replace(plan, actions=actions, created=moment) for moment in moments]


def main() -> None:
    """Measure and print."""
    made = plans()
    started = time.process_time()
    digests = [unseal(seal(one), where="benchmark")[1] for one in made]
    taken = time.process_time() - started
    if len(set(digests)) != PLANS:
        raise SystemExit("the plans were not distinct")
    show([Row(f"plans of {ACTIONS} actions sealed and verified a second", f"{PLANS / taken:.0f}", "at least 1000")])


if __name__ == "__main__":
    main()
