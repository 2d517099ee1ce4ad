"""Opens what writes to the targets of a plan: one domain controller, and each host that an action names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remediate.cli.options import DIRECTORY_PATIENCE, trusted
from remediate.engine.returned import DIRECTORY, target_of
from remediate.model.errors import RefusedError
from remediate.model.plan import Plan
from remediate.transports.credentials import Credential, resolve

if TYPE_CHECKING:
    from remediate.actions.writing import Writer


@contextmanager
def writers_of(plan: Plan, connection: dict[str, Any]) -> Iterator[dict[str, Writer]]:
    """Yield a writer for every target that the plan's actions name, and close all of them in the end.

    Raises UsageError for a connection option that does not fit.
    """
    credential = resolve(connection["user"] or None, terminal=sys.stdin.isatty())
    trust = trusted(connection["trust"])
    with ExitStack() as stack:
        writers: dict[str, Writer] = {}
        for target in dict.fromkeys(target_of(action) for action in plan.actions):
            writers[target] = _open(target, plan, connection, credential=credential, trust=trust)
            stack.callback(writers[target].close)
        yield writers


def _open(target: str, plan: Plan, connection: dict[str, Any], *, credential: Credential, trust: Path | None) -> Writer:
    if target == DIRECTORY:
        from remediate.transports.ldap_write import DirectoryWriter

        return DirectoryWriter(_controller(plan), credential, trust=trust, timeout=DIRECTORY_PATIENCE)
    from remediate.render.powershell.library import functions_for
    from remediate.transports.winrm_write import FUNCTIONS, HostWriter

    return HostWriter(
        target,
        credential,
        library=functions_for("\n".join(FUNCTIONS)),
        configuration_name=connection.get("endpoint", ""),
        trust=trust,
        tls=connection["tls"],
        deadline=float(connection["timeout"]),
    )


def _controller(plan: Plan) -> str:
    for item in plan.targets:
        if item.kind == DIRECTORY:
            return item.name
    raise RefusedError("the plan names no domain controller", where="the plan", do="Plan again with the directory.")
