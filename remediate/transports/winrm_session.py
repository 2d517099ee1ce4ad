"""One open PowerShell session on a host: what goes over HTTP is encrypted, certificates are verified, all has an end.

pypsrp's own waiting, retries and logging are kept out. Errors of the libraries leave here as they are, but from
`HostSession`, which translates them.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any, Final

from remediate.model.errors import DocumentError, TransportError
from remediate.transports.credentials import Credential
from remediate.transports.failures import NO_WINRM, translate
from remediate.transports.sending import HostRecord, NotKept

HTTP, HTTPS = 5985, 5986
ENDPOINT: Final = "Microsoft.PowerShell"
"""The endpoint that every Windows has; a JEA endpoint has a name of its own."""
_READ_TIMEOUT: Final = 30.0
_OPERATION_TIMEOUT: Final = 20
_POLL: Final = 5
_CLOSING: Final = 3.0
"""Seconds that saying goodbye may take after the deadline."""
_FORGOTTEN: Final = 900
"""Seconds after which the host ends a session that was left to finish its work."""
_IDLE: Final = 60.0
"""Seconds without a call after which a connection is not trusted: Windows drops one after about two minutes."""
_COMMANDS: Final = 500
"""Calls after which a session is replaced: a shell takes 1000 commands (MaxConcurrentCommandsPerShell)."""
_LOADING: Final = threading.Lock()
_NEVER_STARTED: Final = frozenset({"0x80070005", "0x8033805b", "0x803381a5", "0x803381a6", "0x803381e9"})
"""Faults by which WinRM turns a command away: access denied, no such shell, its three quotas (wsmerror.h)."""

Parameters = Mapping[str, object]


class CommandFailed(Exception):
    """A command ended with an error. `identity` is the first part of its FullyQualifiedErrorId, which is never
    translated; `message` is the host's text."""

    def __init__(self, identity: str, message: str) -> None:
        super().__init__(identity)
        self.identity, self.message = identity, message


class AnswerLost(TransportError):
    """A command was sent, and its answer did not come: nobody knows whether it ran, or runs still."""


class BoundedTransport:
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
            # Proxies have been looked up by now; requests would do it again twice for each message.
            self._inner.session.trust_env = False
            self._inner.session.hooks["response"].append(_refuse_plain_answer)
        try:
            return _within(left, lambda: self._inner.send(message, timeout=min(left, _READ_TIMEOUT)))
        except KeyError:  # pypsrp looks for a logon that nobody asked for
            raise TransportError(NO_WINRM.what, why="it asks for no logon", do=NO_WINRM.do) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _within(seconds: float, work: Callable[[], bytes]) -> bytes:
    """What `work` gives, or TimeoutError. A thread of its own, because timeouts of sockets and of requests begin anew
    with every byte and every leg of a logon. One that is late is left alone, and ends with its connection."""
    answers: list[bytes] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError
    return answers[0]


def _refuse_plain_answer(response: Any, *_: object, **__: object) -> None:
    """An encrypted request must not be answered in the clear: pypsrp would take that for the host's answer, or for its
    fault, which comes with status 500."""
    asked = str(response.request.headers.get("Content-Type", ""))
    answered = str(response.headers.get("Content-Type", ""))
    meant = response.ok or (response.status_code == 500 and response.content)
    if asked.startswith("multipart/") and meant and not answered.startswith("multipart/"):
        raise TransportError("an encrypted request was answered in the clear", do="Look for what stands in between.")


def keep_scripts_out_of_logs() -> None:
    """pypsrp logs scripts at INFO, whole messages at DEBUG, and tracebacks of what is said here in a sentence."""
    for name in ("pypsrp", "psrpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def load_pypsrp() -> None:
    """Load it once, for all sessions that begin side by side.

    The garbage collector leaves alone from then on what is there by now, all of which stays as long as the process: to
    look through it again and again, and at the end once more, is a tenth of the time that twenty hosts take.
    """
    with _LOADING:
        if "pypsrp" not in sys.modules:
            import pypsrp.powershell
            import pypsrp.wsman  # noqa: F401

            gc.freeze()


def new_pool(
    host: str, credential: Credential, *, end: float, trust: Path | None, tls: bool, endpoint: str = ENDPOINT
) -> Any:
    """A runspace pool that is not open yet. `end` is the time by `monotonic` when everything on it must be over."""
    load_pypsrp()
    from pypsrp.powershell import RunspacePool

    wsman = _wsman(host, credential, trust=trust, tls=tls)
    wsman.transport = BoundedTransport(wsman.transport, end)
    return RunspacePool(wsman, configuration_name=endpoint, idle_timeout=_FORGOTTEN)


def close_pool(pool: Any, *, end: float | None = None) -> None:
    """Close it within a few seconds, or by `end`; what goes wrong then must not hide why it has to be closed."""
    pool.connection.transport.end = monotonic() + _CLOSING if end is None else min(end, monotonic() + _CLOSING)
    with suppress(Exception):
        pool.close()
    drop_pool(pool)


def drop_pool(pool: Any) -> None:
    """Break the connection off and say nothing: what runs there comes to its own end."""
    with suppress(Exception):
        pool.connection.transport.close()


@contextmanager
def opened(pool: Any) -> Iterator[Any]:
    """Open it for a block."""
    try:
        pool.open()
        yield pool
    finally:
        close_pool(pool)


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


@lru_cache(maxsize=4)
def written_out(script: str) -> Any:
    """A script as the element of PSRP that carries it, for `add_script` in place of the text: pypsrp escapes each line
    end by a call of its own, and many hosts are sent the same."""
    from pypsrp.serializer import Serializer

    return Serializer().serialize(script)


def poll(shell: Any, end: float) -> bool:
    """Wait until a shell that was begun has ended; false when it had not by `end`."""
    from pypsrp.complex_objects import PSInvocationState

    while shell.state == PSInvocationState.RUNNING:
        left = end - monotonic()
        if left <= 0:
            return False
        shell.poll_invoke(timeout=max(1, min(_POLL, int(left))))
    return True


def completed(shell: Any) -> bool:
    """Whether a shell that has ended did so without any error."""
    from pypsrp.complex_objects import PSInvocationState

    return bool(shell.state == PSInvocationState.COMPLETED and not shell.streams.error)


class HostSession:
    """One session for many calls, opened by the first one and again after it was lost. Not for several threads.

    `sent` is told everything before it is sent.
    """

    def __init__(
        self,
        host: str,
        credential: Credential,
        *,
        library: str,
        trust: Path | None,
        tls: bool,
        endpoint: str,
        sent: HostRecord | None = None,
    ) -> None:
        self._host, self._credential, self._library = host, credential, library
        self._sent = sent or NotKept()
        self._trust, self._tls, self._endpoint = trust, tls, endpoint
        self._pool: Any = None
        self._used, self._commands = 0.0, 0

    def call(self, command: str, parameters: Parameters, *, deadline: float, harmless: bool = False) -> list[Any]:
        """Return what a command gives within `deadline` seconds, opening the session included.

        Raises CommandFailed, AnswerLost, and TransportError when the command was certainly not run; DocumentError when
        it could not be kept, and so was not sent. One that is `harmless` is sent all the same.
        """
        end = monotonic() + deadline
        pool = self._ready(end)
        self._keep(command, parameters, harmless=harmless)
        shell = self._shell(pool, command, parameters)
        self._begin(shell)
        self._finish(shell, end)
        self._used, self._commands = monotonic(), self._commands + 1
        if not completed(shell):
            raise _failure(shell.streams.error)
        return list(shell.output)

    def _keep(self, command: str, parameters: Parameters, *, harmless: bool) -> None:
        try:
            self._sent.call(command, parameters)
        except DocumentError:
            if not harmless:
                raise

    def close(self) -> None:
        """End the session. A later call opens a new one."""
        pool, self._pool = self._pool, None
        if pool is not None:
            close_pool(pool)

    def _ready(self, end: float) -> Any:
        if self._pool is not None and (monotonic() - self._used > _IDLE or self._commands >= _COMMANDS):
            self.close()
        if self._pool is None:
            self._pool, self._commands = self._open(end), 0
        self._pool.connection.transport.end = end
        return self._pool

    def _open(self, end: float) -> Any:
        keep_scripts_out_of_logs()
        pool = None
        try:
            pool = new_pool(
                self._host, self._credential, end=end, trust=self._trust, tls=self._tls, endpoint=self._endpoint
            )
            pool.open()
            self._define(pool, end)
        except Exception as error:
            if pool is not None:
                close_pool(pool, end=end)
            if isinstance(error, DocumentError):
                raise
            raise translate(error, where=self._host) from None
        return pool

    def _define(self, pool: Any, end: float) -> None:
        """Bring our functions along, where the endpoint does not have them itself."""
        from pypsrp.powershell import PowerShell

        if not self._library:
            return
        text = f"Set-StrictMode -Version Latest\r\n$ErrorActionPreference = 'Stop'\r\n{self._library}"
        self._sent.script(text)
        shell = PowerShell(pool)
        shell.add_script(written_out(text))
        shell.begin_invoke()
        if not poll(shell, end):
            raise TimeoutError
        if not completed(shell):
            identity = _failure(shell.streams.error).identity
            raise TransportError(
                "the host does not take our functions", why=f"PowerShell: {identity}",
                do="Check that its endpoint is no restricted one, or name that one.",
            )  # fmt: skip

    def _shell(self, pool: Any, command: str, parameters: Parameters) -> Any:
        from pypsrp.powershell import PowerShell

        shell = PowerShell(pool)
        shell.add_cmdlet(command)
        for name, value in parameters.items():
            shell.add_parameter(name, value)
        return shell

    def _begin(self, shell: Any) -> None:
        try:
            with self._dropped_when_broken():
                shell.begin_invoke()
        except Exception as error:
            found = translate(error, where=self._host)
            raise (found if found.code in _NEVER_STARTED else _lost(found)) from None

    def _finish(self, shell: Any, end: float) -> None:
        try:
            with self._dropped_when_broken():
                if not poll(shell, end):
                    raise TimeoutError
        except Exception as error:
            raise _lost(translate(error, where=self._host)) from None

    @contextmanager
    def _dropped_when_broken(self) -> Iterator[None]:
        """A session that was left in the middle of something, by an interrupt too, is not used again. It is not closed
        either: that would end on the host, half way, what may still be at work there."""
        try:
            yield
        except BaseException:
            pool, self._pool = self._pool, None
            drop_pool(pool)
            raise


def _lost(error: TransportError) -> AnswerLost:
    return AnswerLost(error.what, where=error.where, why=error.why, do=error.do, code=error.code)


def _failure(errors: list[Any]) -> CommandFailed:
    """The error that ended a command is the last one; without a record the state alone says that it failed."""
    if not errors:
        return CommandFailed("no error record", "")
    identity = str(getattr(errors[-1], "fq_error", "") or "").partition(",")[0]
    return CommandFailed(identity or "no identity", str(errors[-1]))
