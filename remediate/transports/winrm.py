"""One collector on one host over WinRM: one session, one command, one string back, all within one deadline.

HTTP carries it encrypted message by message (Kerberos or NTLM), HTTPS with a verified certificate. Scripts, parameters
and output never reach a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from remediate.model.errors import TransportError
from remediate.transports.credentials import Credential
from remediate.transports.failures import translate
from remediate.transports.winrm_session import (
    completed,
    keep_scripts_out_of_logs,
    new_pool,
    opened,
    poll,
    written_out,
)


def run_collector(
    host: str,
    credential: Credential,
    *,
    script: str,
    call: str | Mapping[str, object],
    deadline: float,
    trust: Path | None = None,
    tls: bool = False,
) -> str:
    """Run `script` on `host` and return the one string it gives.

    `call` is what follows the script as a line of its own, or the parameters it is given. `deadline` is in seconds for
    everything together. `tls` is HTTPS on 5986 instead of HTTP on 5985; `trust` a PEM file for it.
    Raises TransportError.
    """
    keep_scripts_out_of_logs()
    end = monotonic() + deadline
    try:
        with opened(new_pool(host, credential, end=end, trust=trust, tls=tls)) as pool:
            shell = _shell(pool, script, call)
            _run(shell, end)
            return _only_string(shell)
    except Exception as error:
        raise translate(error, where=host) from None


def _shell(pool: Any, script: str, call: str | Mapping[str, object]) -> Any:
    from pypsrp.powershell import PowerShell

    shell = PowerShell(pool)
    if isinstance(call, str):
        shell.add_script(written_out(f"{script}\r\n{call}\r\n"))
        return shell
    shell.add_script(written_out(script))
    for name, value in call.items():
        shell.add_parameter(name, value)
    return shell


def _run(shell: Any, end: float) -> None:
    shell.begin_invoke()
    if not poll(shell, end):
        raise TransportError("the collector did not finish in time", do="Allow it more time, then run again.")
    if not completed(shell):
        raise _failed(shell.streams.error)


def _failed(errors: list[Any]) -> TransportError:
    """The first error by its identifier; its text is the host's own and in its language."""
    name = str(getattr(errors[0], "fq_error", "") or "") if errors else ""
    more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
    return TransportError(
        "the collector failed there",
        why=f"PowerShell: {name or 'no error record'}{more}",
        do="Run the collector script on the host itself to see the whole error.",
    )


def _only_string(shell: Any) -> str:
    found = list(shell.output)
    if len(found) != 1 or not isinstance(found[0], str):
        raise TransportError(
            f"the collector gave {len(found)} values in place of one text",
            do="Look for a profile or module on the host that writes output.",
        )
    return str(found[0])
