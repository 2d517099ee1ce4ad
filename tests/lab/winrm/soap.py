"""WS-Management envelopes: reading requests, writing answers and faults ([MS-WSMV] 2.2)."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from tests.lab.winrm.faults import WSManFault

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
POWERSHELL = "http://schemas.microsoft.com/powershell"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identify/1/wsmanidentity.xsd"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
COMMAND_STATE = f"{SHELL}/CommandState"

NAMES = {"s": SOAP, "a": ADDRESSING, "w": WSMAN, "rsp": SHELL, "pwsh": POWERSHELL, "id": IDENTITY}
CONTENT_TYPE = "application/soap+xml;charset=UTF-8"
DEFAULT_ENVELOPE = 153600
"""Bytes; what a request without MaxEnvelopeSize may be answered with."""


@dataclass(frozen=True)
class Request:
    """One parsed request. Raises ElementTree.ParseError for what is no SOAP envelope."""

    body: ET.Element
    action: str
    message_id: str
    resource_uri: str
    shell_id: str
    max_envelope: int
    timeout: float

    @classmethod
    def parse(cls, content: bytes) -> Request:
        """Read an envelope."""
        root = ET.fromstring(content)
        header, body = root.find("s:Header", NAMES), root.find("s:Body", NAMES)
        if body is None:
            raise ET.ParseError("no SOAP body")

        def text(path: str, missing: str = "") -> str:
            found = header.findtext(path, None, NAMES) if header is not None else None
            return (found or missing).strip()

        return cls(
            body=body,
            action=text("a:Action"),
            message_id=text("a:MessageID"),
            resource_uri=text("w:ResourceURI"),
            shell_id=text("w:SelectorSet/w:Selector[@Name='ShellId']").upper(),
            max_envelope=int(text("w:MaxEnvelopeSize", str(DEFAULT_ENVELOPE))),
            timeout=_seconds(text("w:OperationTimeout", "PT60S")),
        )

    @property
    def verb(self) -> str:
        """The last word of the action; Identify has none."""
        identify = self.body.find("id:Identify", NAMES) is not None
        return "Identify" if identify else self.action.rpartition("/")[2]

    def find(self, path: str) -> ET.Element:
        """An element of the body that must be there."""
        found = self.body.find(path, NAMES)
        if found is None:
            raise ET.ParseError(f"{self.verb} without {path}")
        return found


def _seconds(duration: str) -> float:
    found = re.fullmatch(r"PT([\d.]+)S", duration)
    if found is None:
        raise ET.ParseError("OperationTimeout")
    return float(found[1])


def envelope(action: str, relates_to: str, body: str) -> bytes:
    """An answer."""
    spaces = f'xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}"'
    header = (
        f"<a:Action>{escape(action)}</a:Action><a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
        f"<a:To>{ADDRESSING}/role/anonymous</a:To><a:RelatesTo>{escape(relates_to)}</a:RelatesTo>"
    )
    text = f'<s:Envelope xml:lang="en-US" {spaces}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    return text.encode()


def fault_envelope(fault: WSManFault, relates_to: str, machine: str) -> bytes:
    """A fault with its WSManFault element, which carries the code ([MS-WSMV] 2.2.4.43)."""
    reason = escape(fault.reason)
    detail = f"<w:FaultDetail>{escape(fault.detail)}</w:FaultDetail>" if fault.detail else ""
    code = (
        f"<s:Code><s:Value>s:{'Sender' if fault.sender else 'Receiver'}</s:Value>"
        f"<s:Subcode><s:Value>{escape(fault.subcode)}</s:Value></s:Subcode></s:Code>"
    )
    wsman = (
        f'<f:WSManFault xmlns:f="{FAULT}" Code="{fault.code}" Machine={quoteattr(machine)}>'
        f"<f:Message>{reason}</f:Message></f:WSManFault>"
    )
    text = f'<s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason>'
    body = f"<s:Fault>{code}{text}<s:Detail>{detail}{wsman}</s:Detail></s:Fault>"
    return envelope(FAULT_ACTION, relates_to, body)
