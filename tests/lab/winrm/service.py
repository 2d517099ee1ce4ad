"""The verbs of WS-Management on one host: one request in, one answer out. Knows nothing of HTTP or authentication."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from tests.lab.winrm import soap
from tests.lab.winrm.engine import AnyEngine
from tests.lab.winrm.faults import WSManFault, access_denied, too_many_shells, unknown, unsupported
from tests.lab.winrm.session import Session
from tests.lab.winrm.soap import NAMES, Request

MAX_ENVELOPE = 500 * 1024
"""Bytes; Windows' MaxEnvelopeSizekb."""
MAX_SHELLS = 30
"""Windows' MaxShellsPerUser."""
ABANDONED = 60
"""Seconds after which a session that nobody asked for anything is closed when a new one is made."""


class Service:
    """One host's WinRM service. `allowed` are the accounts in its Administrators; `received` is the file that keeps
    what arrives for the engines, while there is one.

    An engine stands by for the next session; so many seconds of `rest` after one was taken the next is started, so that
    a measurement has no starting engines beside it.
    """

    def __init__(
        self,
        machine: str,
        new_engine: Callable[[], AnyEngine],
        allowed: frozenset[str],
        *,
        received: Path | None = None,
        rest: float = 0.0,
    ) -> None:
        self.machine, self._new_engine, self._allowed = machine, new_engine, allowed
        self._received = received
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._spare: AnyEngine | None = new_engine()
        self._rest, self._closed = rest, False
        self._verbs: dict[str, Callable[[Request, str], str]] = {
            "Create": self._create, "Command": self._command, "Send": self._send, "Receive": self._receive,
            "Signal": self._signal, "Delete": self._delete, "Get": self._get,
        }  # fmt: skip

    def handle(self, request: Request, user: str) -> tuple[int, bytes]:
        """(HTTP status, SOAP answer)."""
        if request.verb == "Identify":
            return 200, soap.envelope("", "", IDENTIFY)
        try:
            verb = self._verbs.get(request.verb)
            if verb is None:
                raise unsupported(request.action)
            if user not in self._allowed:
                raise access_denied()
            return 200, soap.envelope(f"{request.action}Response", request.message_id, verb(request, user))
        except WSManFault as fault:
            return 500, self.fault(fault, request)

    def fault(self, fault: WSManFault, request: Request) -> bytes:
        """The answer that carries a fault."""
        return soap.fault_envelope(fault, request.message_id, self.machine)

    def close(self) -> None:
        """End every engine."""
        with self._lock:
            self._closed = True
            for session in self._sessions.values():
                session.close()
            if self._spare:
                self._spare.close()

    def _session(self, request: Request) -> Session:
        try:
            return self._sessions[request.shell_id]
        except KeyError:
            raise unknown("shell") from None

    def _create(self, request: Request, user: str) -> str:
        shell = request.find("rsp:Shell")
        identifier = (shell.get("ShellId") or str(uuid.uuid4())).upper()
        with self._lock:
            self._close_abandoned()
            if sum(one.user == user for one in self._sessions.values()) >= MAX_SHELLS:
                raise too_many_shells(MAX_SHELLS)
            engine = self._take_engine()
            session = self._sessions[identifier] = Session(
                identifier, user, request.resource_uri, engine, received=self._received
            )
        session.send(None, "stdin", base64.b64decode(shell.findtext("pwsh:creationXml", "", NAMES)))
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{identifier}</w:Selector></w:SelectorSet>'
        uri = f"<w:ResourceURI>{escape(request.resource_uri)}</w:ResourceURI>"
        reference = f"<a:ReferenceParameters>{uri}{selector}</a:ReferenceParameters>"
        created = f"<x:ResourceCreated><a:Address>http://localhost/wsman</a:Address>{reference}</x:ResourceCreated>"
        return created + describe(session)

    def _take_engine(self) -> AnyEngine:
        engine, self._spare = self._spare or self._new_engine(), None
        if self._rest:
            timer = threading.Timer(self._rest, self._stand_by)
            timer.daemon = True
            timer.start()
        else:
            self._spare = self._new_engine()
        return engine

    def _stand_by(self) -> None:
        with self._lock:
            if self._spare is None and not self._closed:
                self._spare = self._new_engine()

    def _close_abandoned(self) -> None:
        limit = time.monotonic() - ABANDONED
        for identifier in [one.identifier for one in self._sessions.values() if one.used < limit]:
            self._sessions.pop(identifier).close()

    def _command(self, request: Request, user: str) -> str:
        line = request.find("rsp:CommandLine")
        identifier = (line.get("CommandId") or str(uuid.uuid4())).upper()
        fragment = base64.b64decode(line.findtext("rsp:Arguments", "", NAMES))
        self._session(request).command(identifier, fragment)
        return f"<rsp:CommandResponse><rsp:CommandId>{identifier}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, request: Request, user: str) -> str:
        session = self._session(request)
        for stream in request.body.iterfind("rsp:Send/rsp:Stream", NAMES):
            session.send(stream.get("CommandId"), stream.get("Name", ""), base64.b64decode(stream.text or ""))
        return "<rsp:SendResponse/>"

    def _receive(self, request: Request, user: str) -> str:
        command_id = request.find("rsp:Receive/rsp:DesiredStream").get("CommandId")
        limit = (min(request.max_envelope, MAX_ENVELOPE) - 4096) * 3 // 4
        session = self._session(request)
        fragments, ended = session.receive(command_id, request.message_id, limit, request.timeout)
        tag = f' CommandId="{command_id}"' if command_id else ""
        streams = "".join(
            f'<rsp:Stream Name="stdout"{tag}>{base64.b64encode(one).decode()}</rsp:Stream>' for one in fragments
        )
        state = f'<rsp:CommandState{tag} State="{soap.COMMAND_STATE}/{"Done" if ended else "Running"}"/>'
        return f"<rsp:ReceiveResponse>{streams}{state if command_id else ''}</rsp:ReceiveResponse>"

    def _signal(self, request: Request, user: str) -> str:
        signal = request.find("rsp:Signal")
        code = signal.findtext("rsp:Code", "", NAMES)
        self._session(request).signal(signal.get("CommandId", ""), terminate=code.lower().endswith("terminate"))
        return "<rsp:SignalResponse/>"

    def _delete(self, request: Request, user: str) -> str:
        session = self._session(request)
        with self._lock:
            self._sessions.pop(session.identifier, None)
        session.close()
        return ""

    def _get(self, request: Request, user: str) -> str:
        if not request.resource_uri.endswith("/config"):
            return describe(self._session(request))
        space = "http://schemas.microsoft.com/wbem/wsman/1/config"
        size = f"<cfg:MaxEnvelopeSizekb>{MAX_ENVELOPE // 1024}</cfg:MaxEnvelopeSizekb>"
        return f'<cfg:Config xmlns:cfg="{space}">{size}</cfg:Config>'


def describe(session: Session) -> str:
    """The rsp:Shell element of a session."""
    return (
        f"<rsp:Shell><rsp:ShellId>{session.identifier}</rsp:ShellId>"
        f"<rsp:ResourceUri>{escape(session.resource_uri)}</rsp:ResourceUri><rsp:Owner>{escape(session.user)}</rsp:Owner>"
        "<rsp:ClientIP>127.0.0.1</rsp:ClientIP><rsp:IdleTimeOut>PT7200.000S</rsp:IdleTimeOut>"
        "<rsp:InputStreams>stdin pr</rsp:InputStreams><rsp:OutputStreams>stdout</rsp:OutputStreams>"
        "<rsp:State>Connected</rsp:State></rsp:Shell>"
    )


IDENTIFY = (
    f'<wsmid:IdentifyResponse xmlns:wsmid="{soap.IDENTITY}">'
    "<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
    "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
    "<wsmid:ProductVersion>OS: 10.0.20348 SP: 0.0 Stack: 3.0</wsmid:ProductVersion></wsmid:IdentifyResponse>"
)
