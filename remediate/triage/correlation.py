"""Whose request a record speaks of: device, user, CA, template, thumbprint, and the CA's number of the request.

Names of event data and labels in texts are read without regard to case, blanks and punctuation: the products do not
agree on them, and the current connector's are not published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from remediate.triage.distinguished_names import common_name
from remediate.triage.records import Record


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a record says of a request; empty where it says nothing. `request` is the CA's number of it."""

    device: str = ""
    user: str = ""
    ca: str = ""
    template: str = ""
    thumbprint: str = ""
    request: str = ""


# Names of event data (gradenegger.eu for the CA; event 20102 of the older connector lists what it holds) and labels.
_FIELDS: Mapping[str, str] = {
    "deviceid": "device",
    "intunedeviceid": "device",
    "aaddeviceid": "device",
    "manageddeviceid": "device",
    "enhetsid": "device",
    "userid": "user",
    "username": "user",
    "user": "user",
    "upn": "user",
    "userprincipalname": "user",
    "caname": "ca",
    "certificationauthority": "ca",
    "certificationauthorityname": "ca",
    "certificateauthority": "ca",
    "certificateauthorityname": "ca",
    "template": "template",
    "templatename": "template",
    "certificatetemplate": "template",
    "certificatetemplatename": "template",
    "thumbprint": "thumbprint",
    "certificatethumbprint": "thumbprint",
    "requestid": "request",
    "requestcommonname": "user",
    "subjectname": "subject",
}

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_LABELLED = re.compile(r"(?<![\w-])([a-z][a-z ]{1,30}?)\s?[:=]\s*['\"“”<]?([^\r\n;,'\"“”<>]{1,256})", re.IGNORECASE)
# It ends every value, and events of one kind share what stands between two of them.
_PART, _MOST_REMEMBERED = ";", 256
_DEVICE = re.compile(rf"\bdevice\s?id[\s:='\"]+({GUID}|(?=\w*\d)[\w.-]{{4,64}})", re.IGNORECASE)
# The name of a request's file may begin with an address: an underscore and the file's own suffix end it.
_LABEL = r"[^\W_](?:[^\W_]|-){0,62}"
_MAIL = re.compile(
    rf"[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}}@{_LABEL}(?:\.(?!(?:pfr|svclog|evtx|txt|log|csv|xml|json)\b){_LABEL})+",
    re.IGNORECASE,
)
_THUMBPRINT = re.compile(r"\bthumbprint\W{1,4}([0-9a-f]{40})\b", re.IGNORECASE)
_REQUEST_WORDS = (
    "certificate request ", "zertifikatanforderung ", "denied request ", "left request ", "for request ",
    "die anforderung ",
)  # fmt: skip
_REQUEST = re.compile(rf"\b(?:{'|'.join(_REQUEST_WORDS)})(\w{{1,32}})\b", re.IGNORECASE)
_WORDS = ("user", "upn", "ca name", "caname", "authority", "template", "request", "subject", "device", "thumbprint")
_PATTERNS = (
    ("device", _DEVICE, ("device",)),
    ("user", _MAIL, ("@",)),
    ("thumbprint", _THUMBPRINT, ("thumbprint",)),
    ("request", _REQUEST, _REQUEST_WORDS),
)
# Accounts of services, which write events and ask for nothing themselves; in Swedish it is NT INSTANS\\SYSTEM.
_SERVICE = re.compile(
    r"(?:[^\\]{1,40}\\)?(?:system|local service|network service)|s-1-5-(?:18|19|20)|n/a|-|.*\$", re.IGNORECASE
)
_SID = re.compile(r"s-1-\d", re.IGNORECASE)
# The provider of a device's own channel: its events bear the device's name as host.
_DEVICE_CHANNEL = "microsoft-windows-devicemanagement"


def subject_of(record: Record) -> Subject:
    """Return what the record says of its request: what event data name, else what its text says."""
    whole = {**_told(record, record.text.lower()), **_named(record.data.items())}
    subject = whole.pop("subject", "") or record.text
    named = common_name(subject) if "cn" in subject.lower() else None
    if named and re.fullmatch(GUID, named, re.IGNORECASE):
        whole.setdefault("device", named)
    elif named:
        whole.setdefault("user", named)
    if record.host and _is_a_devices_own(record):
        whole.setdefault("device", record.host)
    return Subject(**whole)


def key_of(subject: Subject, host: str) -> str:
    """Return what tells this request from another, empty where nothing does: device, else user, else the CA's number.

    Requests from several templates or CAs are different ones, and where only one of two entries names them, nothing
    says that both speak of one request. So are numbers of several hosts.
    """
    what = f":{subject.template}:{subject.ca}".lower().rstrip(":")
    if subject.device:
        return f"device:{subject.device.lower()}{what}"
    if subject.user:
        return f"user:{subject.user.lower()}{what}"
    return f"request:{host.partition('.')[0].lower()}:{subject.request.lower()}" if subject.request else ""


def _is_a_devices_own(record: Record) -> bool:
    return any(name.lower().startswith(_DEVICE_CHANNEL) for name in (record.channel, record.provider))


def _told(record: Record, lowered: str) -> dict[str, str]:
    """What a text says. A pattern is tried only where its word stands: most entries have none of them."""
    text, labelled = record.text, any(word in lowered for word in _WORDS)
    parts = text.split(_PART) if labelled else ()
    pairs = (pair for part in parts for pair in _labelled(part))
    seen = _named(pair for pair in pairs if not (record.event_id and _is_of_the_header(*pair)))
    for field, pattern, words in _PATTERNS:
        if any(word in lowered for word in words):
            seen[field] = _first(pattern, text) or seen.get(field, "")
    return {field: value for field, value in seen.items() if value}


@lru_cache(maxsize=_MOST_REMEMBERED)
def _labelled(part: str) -> tuple[tuple[str, str], ...]:
    return tuple(_LABELLED.findall(part))


@lru_cache(maxsize=_MOST_REMEMBERED)
def _field_of(name: str) -> str:
    return _FIELDS.get(re.sub(r"[^a-z]", "", name.lower()), "")


def _is_of_the_header(name: str, value: str) -> bool:
    """Whether it is what an event's header says of who wrote it: `User`, or PowerShell's `UserId`, which is a SID."""
    label = "".join(name.lower().split())
    return label == "user" or (label == "userid" and _SID.match(value.strip()) is not None)


def _named(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        field = _field_of(name)
        if field and value.strip() and not (field == "user" and _SERVICE.fullmatch(value.strip())):
            found.setdefault(field, value.strip())
    return found


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[pattern.groups].strip() if found else ""
