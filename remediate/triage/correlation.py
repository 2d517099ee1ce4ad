"""Whose request a record speaks of: device, user, CA, template, thumbprint, and the CA's number of the request.

Names of event data and labels in texts are read without regard to case, blanks and punctuation: the products do not
agree on them, and the current connector's are not published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

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
    "subjectname": "subject",
}

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_LABELLED = re.compile(r"(?<![\w-])([a-z][a-z ]{1,30}?)\s?[:=]\s*['\"“”<]?([^\r\n;,'\"“”<>]{1,256})", re.IGNORECASE)
_DEVICE = re.compile(rf"\bdevice\s?id[\s:='\"]+({GUID}|(?=\w*\d)[\w.-]{{4,64}})", re.IGNORECASE)
_MAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_THUMBPRINT = re.compile(r"\bthumbprint\W{1,4}([0-9a-f]{40})\b", re.IGNORECASE)
_REQUEST = re.compile(
    r"\b(?:certificate request|zertifikatanforderung|(?:denied|left|for) request|die anforderung) (\w{1,32})\b",
    re.IGNORECASE,
)
_WORDS = ("user", "upn", "ca name", "caname", "authority", "template", "request", "subject", "device", "thumbprint")
_PATTERNS = (
    ("device", _DEVICE, ("device",)),
    ("user", _MAIL, ("@",)),
    ("thumbprint", _THUMBPRINT, ("thumbprint",)),
    ("request", _REQUEST, ("request", "anforderung")),
)
_NAME = r"[^,;'\"“”\r\n+.]"
_COMMON_NAME = re.compile(rf"\bCN=\s*['\"“”]?\s*({_NAME}{{1,64}}(?:\.(?!\s){_NAME}{{1,64}})*)")


def subject_of(record: Record) -> Subject:
    """Return what the record says of its request: what event data name, else what its text says."""
    whole = {**_told(record.text, record.text.lower()), **_named(record.data.items())}
    subject = whole.pop("subject", "") or record.text
    common_name = _first(_COMMON_NAME, subject) if "CN=" in subject else ""
    if re.fullmatch(GUID, common_name, re.IGNORECASE):
        whole.setdefault("device", common_name)
    elif common_name:
        whole.setdefault("user", common_name)
    return Subject(**whole)


def key_of(subject: Subject, host: str) -> str:
    """Return what tells this request from another, empty where nothing does: device, else user, else the CA's number.

    A user's requests from several templates, and numbers of several hosts, are different ones.
    """
    if subject.device:
        return f"device:{subject.device.lower()}"
    if subject.user:
        return f"user:{subject.user.lower()}:{subject.template.lower()}"
    return f"request:{host.partition('.')[0].lower()}:{subject.request.lower()}" if subject.request else ""


def _told(text: str, lowered: str) -> dict[str, str]:
    """What a text says. A pattern is tried only where its word stands: most entries have none of them."""
    labelled = any(word in lowered for word in _WORDS)
    seen = _named(_LABELLED.findall(text)) if labelled else {}
    for field, pattern, words in _PATTERNS:
        if any(word in lowered for word in words):
            seen[field] = _first(pattern, text) or seen.get(field, "")
    return {field: value for field, value in seen.items() if value}


def _named(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        field = _FIELDS.get(re.sub(r"[^a-z]", "", name.lower()))
        if field and value.strip():
            found.setdefault(field, value.strip())
    return found


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[pattern.groups].strip() if found else ""
