"""Logs of the broken estate: what the connector wrote in its svclog, and the CA's events, exported as XML.

The messages are those that the products write; times, devices and requests are made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from .estate import CA_HOST, DOMAIN, guid

_START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
_TRACE = "http://schemas.microsoft.com/2004/06"
_EVENTS = "http://schemas.microsoft.com/win/2004/08/events/event"
_SUBMIT = "CCertRequest::Submit:"

_RPC = (
    "IssuePfx - COMException: System.Runtime.InteropServices.COMException (0x800706BA): "
    f"{_SUBMIT} The RPC server is unavailable. 0x800706ba (WIN32: 1722 RPC_S_SERVER_UNAVAILABLE)"
)
_PARAMETER = (
    "IssuePfx -Generic Exception: System.ArgumentException: "
    f"{_SUBMIT} The parameter is incorrect. 0x80070057 (WIN32: 87 ERROR_INVALID_PARAMETER)"
)
_DENIED = "IssuePfx - The submission failed: Denied by Policy Module"
_PENDING = "IssuePfx - The submission is pending: Taken Under Submission"
_NO_MAIL = (
    "The Email name is unavailable and cannot be added to the Subject or Subject Alternate name. "
    "0x80094812 (-2146875374 CERTSRV_E_SUBJECT_EMAIL_REQUIRED)"
)

# (minutes after the start, what failed, which device)
_FAILURES = (
    *((minutes, _RPC, minutes % 4) for minutes in range(0, 150, 15)),
    *((190 + minutes, _DENIED, minutes % 3) for minutes in range(0, 40, 8)),
    (260, _PARAMETER, 5),
    *((400 + minutes, _PENDING, minutes % 4) for minutes in range(0, 90, 30)),
)


def files() -> dict[str, str]:
    """Return the logs by name."""
    return {
        "NDESConnector_2026-11-20_080000.svclog": "".join(_trace()),
        "ca01-application.xml": f"<Events>\n{''.join(_events())}</Events>\n",
    }


def _trace() -> Iterator[str]:
    for minutes, failure, device in _FAILURES:
        when = _START + timedelta(minutes=minutes, milliseconds=minutes * 7 % 1000)
        yield _entry(failure, when)
        yield _entry(
            f"Issuing Pfx certificate for Device ID {guid(f'device {device}')} failed", when + timedelta(seconds=1)
        )


def _entry(text: str, when: datetime) -> str:
    return (
        f'<E2ETraceEvent xmlns="{_TRACE}/E2ETraceEvent"><System xmlns="{_TRACE}/windows/eventlog/system">'
        '<EventID>0</EventID><Type>3</Type><SubType Name="Error">0</SubType><Level>2</Level>'
        f'<TimeCreated SystemTime="{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond:06}0Z" /><Source Name="NDESConnector" />'
        '<Correlation ActivityID="{00000000-0000-0000-0000-000000000000}" />'
        '<Execution ProcessName="NDESConnector" ProcessID="4112" ThreadID="9" /><Channel /><Computer>CONN1</Computer>'
        f"</System><ApplicationData>{escape(text)}</ApplicationData></E2ETraceEvent>\n"
    )


def _events() -> Iterator[str]:
    denial = "Denied by Policy Module"
    yield _event(128, 4711, 185, RequestId="40")
    for number in range(3):
        data = {"RequestId": str(41 + number), "Reason": _NO_MAIL, "SubjectName": f"CN=user{number + 1}@{DOMAIN}"}
        yield _event(53, 4712 + number, 190 + number * 8, **data, AdditionalInformation=denial)


def _event(number: int, record: int, minutes: int, **data: str) -> str:
    when = _START + timedelta(minutes=minutes)
    values = "".join(f'<Data Name="{name}">{escape(value)}</Data>' for name, value in data.items())
    return (
        f'<Event xmlns="{_EVENTS}"><System><Provider Name="Microsoft-Windows-CertificationAuthority" />'
        f"<EventID>{number}</EventID><Level>3</Level>"
        f'<TimeCreated SystemTime="{when:%Y-%m-%dT%H:%M:%S}.0000000Z" /><EventRecordID>{record}</EventRecordID>'
        f"<Channel>Application</Channel><Computer>{CA_HOST}</Computer></System>"
        f"<EventData>{values}</EventData></Event>\n"
    )
