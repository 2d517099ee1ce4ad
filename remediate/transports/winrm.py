"""One collector on one host over WinRM: one session, one command, one string back, all within one deadline.

HTTP carries it encrypted message by message (Kerberos or NTLM), HTTPS with a verified certificate. Scripts, parameters
and output never reach a log.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, Final

from remediate.model.errors import TransportError
from remediate.transports.credentials import Credential
from remediate.transports.failures import translate

HTTP, HTTPS = 5985, 5986
_READ_TIMEOUT: Final = 30.0
_OPERATION_TIMEOUT: Final = 20
_POLL: Final = 5
_CLOSING: Final = 3.0
"""Seconds that saying goodbye may take after the deadline."""


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
    _keep_scripts_out_of_logs()
    end = monotonic() + deadline
    try:
        with _pool(host, credential, end=end, trust=trust, tls=tls) as pool:
            shell = _shell(pool, script, call)
            _run(shell, end)
            return _only_string(shell)
    except Exception as error:
        raise translate(error, where=host) from None


def _keep_scripts_out_of_logs() -> None:
    """pypsrp logs scripts at INFO, and whole messages at DEBUG."""
    for name in ("pypsrp", "psrpcore"):
        if logging.getLogger(name).level < logging.WARNING:
            logging.getLogger(name).setLevel(logging.WARNING)


class _BoundedTransport:
    """pypsrp's HTTP transport, with a deadline for everything and without its retries, which take minutes."""

    def __init__(self, inner: Any, end: float) -> None:
        self._inner, self.end = inner, end

    def send(self, message: bytes, *, retries_on_read_timeout: int = 0, timeout: Any = None) -> bytes:
        del retries_on_read_timeout, timeout
        left = self.end - monotonic()
        if left <= 0:
            raise TimeoutError
        if self._inner.session is None:
            self._inner.session = self._inner._build_session()
            self._inner.session.hooks["response"].append(_refuse_plain_answer)
        answer: bytes = self._inner.send(message, timeout=min(left, _READ_TIMEOUT))
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _refuse_plain_answer(response: Any, *_: object, **__: object) -> None:
    """An encrypted request must not be answered in the clear: pypsrp would take that for the host's answer."""
    asked = str(response.request.headers.get("Content-Type", ""))
    answered = str(response.headers.get("Content-Type", ""))
    if asked.startswith("multipart/") and response.ok and not answered.startswith("multipart/"):
        raise TransportError("an encrypted request was answered in the clear", do="Look for what stands in between.")


@contextmanager
def _pool(host: str, credential: Credential, *, end: float, trust: Path | None, tls: bool) -> Iterator[Any]:
    """An open runspace pool. Closing it must not hide why it has to be closed."""
    from pypsrp.powershell import RunspacePool

    wsman = _wsman(host, credential, trust=trust, tls=tls)
    wsman.transport = transport = _BoundedTransport(wsman.transport, end)
    pool = RunspacePool(wsman)
    try:
        pool.open()
        yield pool
    finally:
        transport.end = max(end, monotonic() + _CLOSING)
        with suppress(Exception):
            pool.close()
        with suppress(Exception):
            transport.close()


def _wsman(host: str, credential: Credential, *, trust: Path | None, tls: bool) -> Any:
    from pypsrp.wsman import WSMan

    verification: Any = str(trust) if trust else True
    return WSMan(
        host,
        port=HTTPS if tls else HTTP,
        username=credential.user,
        password=credential.password.reveal() if credential.password else None,
        ssl=tls,
        auth="negotiate" if credential.user or sys.platform == "win32" else "kerberos",
        encryption="auto" if tls else "always",
        cert_validation=verification,
        connection_timeout=15,
        operation_timeout=_OPERATION_TIMEOUT,
        read_timeout=int(_READ_TIMEOUT),
    )


def _shell(pool: Any, script: str, call: str | Mapping[str, object]) -> Any:
    from pypsrp.powershell import PowerShell

    shell = PowerShell(pool)
    if isinstance(call, str):
        shell.add_script(f"{script}\r\n{call}\r\n")
        return shell
    shell.add_script(script)
    for name, value in call.items():
        shell.add_parameter(name, value)
    return shell


def _run(shell: Any, end: float) -> None:
    from pypsrp.complex_objects import PSInvocationState

    shell.begin_invoke()
    while shell.state == PSInvocationState.RUNNING:
        left = end - monotonic()
        if left <= 0:
            raise TransportError("the collector did not finish in time", do="Allow it more time, then run again.")
        shell.poll_invoke(timeout=max(1, min(_POLL, int(left))))
    if shell.state != PSInvocationState.COMPLETED or shell.streams.error:
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
