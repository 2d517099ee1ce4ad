"""Opens what writes to the targets of a plan: one domain controller, and each host that an action names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remediate.cli.options import DIRECTORY_PATIENCE, trusted
from remediate.engine.side_by_side import by_target
from remediate.model.errors import RefusedError
from remediate.model.plan import DIRECTORY, Plan, directory_of, target_of
from remediate.transports.credentials import Credential, Logon

if TYPE_CHECKING:
    from remediate.actions.writing import Writer
    from remediate.cli.sending import Sending


@contextmanager
def writers_of(
    plan: Plan, connection: dict[str, Any], *, logon: Logon, sending: Sending | None = None
) -> Iterator[dict[str, Writer]]:
    """Yield a writer for every target that the plan's actions name, and close all of them in the end.

    `sending` keeps what they send. Raises UsageError for a connection option that does not fit.
    """
    trust = trusted(connection["trust"])  # first: a path that is wrong is told before a password is asked for
    credential = logon.credential
    writers = {
        target: _open(target, plan, connection, credential=credential, trust=trust, sending=sending)
        for target in dict.fromkeys(target_of(action) for action in plan.actions)
    }
    try:
        yield writers
    finally:
        by_target(writers, str, lambda name: writers[name].close())


def _open(
    target: str,
    plan: Plan,
    connection: dict[str, Any],
    *,
    credential: Credential,
    trust: Path | None,
    sending: Sending | None,
) -> Writer:
    if target == DIRECTORY:
        from remediate.transports.ldap_write import DirectoryWriter

        kept = sending.to_directory() if sending else None
        return DirectoryWriter(_controller(plan), credential, trust=trust, timeout=DIRECTORY_PATIENCE, sent=kept)
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
        sent=sending.to_host(target) if sending else None,
    )


def _controller(plan: Plan) -> str:
    if directory := directory_of(plan):
        return directory.name
    raise RefusedError("the plan names no domain controller", where="the plan", do="Plan again with the directory.")
