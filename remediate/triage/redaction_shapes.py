"""Users, devices and addresses in free text, told by their shape, by the label before them, or by their place in a DN.

Where a shape cannot be sure, it says that it is one. Every search is gated by a character that it needs, and looks no
further than a name is long, so the cost grows with the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from remediate.triage.distinguished_names import spans
from remediate.triage.redaction_values import labelled, words_from
from remediate.triage.redaction_words import NOBODY, ORDINARY, REGISTRY_PLACES, REGISTRY_VALUES, SYSTEM_DOMAINS


class Found(NamedTuple):
    """Where a name stands: a user's, a device's, or an ID that may be either's."""

    start: int
    end: int
    kind: str


_DASH = r"(?:[-_\u2010-\u2015\u2212]|%2D)"
# A GUID in any spelling. Of hex digits alone, 40 are a thumbprint.
_ID = re.compile(
    rf"[0-9a-f]{{8}}{_DASH}(?:[0-9a-f]{{4}}{_DASH}){{3}}[0-9a-f]{{12}}"
    r"|(?<![0-9a-f])(?:[0-9a-f]{32,39}|[0-9a-f]{41,})(?![0-9a-f])"
    r"|\{\s?0x[0-9a-f]{1,8}(?:,\s?0x[0-9a-f]{1,4}){2},\s?\{(?:\s?0x[0-9a-f]{1,2},?){8}\s?\}\s?\}",
    re.IGNORECASE,
)
_SID = re.compile(r"S-1-(?:5-21|12-1)(?:-\d{1,10}){1,8}", re.IGNORECASE)
_AT = re.compile(
    r"(?:@|＠|%40|&#64;|&#x40;|&commat;|\\u0040|\(at\))(?=[^\W_]|\[)[\w\[-]+(?:(?:\.|%2E|&#46;)[\w-]+)*\]?",
    re.IGNORECASE,
)
_OUTSIDE_LOCAL = frozenset(' \t\r\n\f\v<>()[]"“”„,;:|=@\\/\u00a0{}')
_ENTITY = re.compile(r"&#?\w{1,8};\Z")
_LONGEST_LOCAL = 128

_BACKSLASH = r"(?:\\{1,4}|%5C|&#92;|&#x5C;)"
_ACCOUNT = re.compile(
    rf"(?P<separator>{_BACKSLASH})(?!(?:r|n|t)(?:\\|\b))(?P<name>\w[\w.$’'~-]{{0,63}})(?P<on>{_BACKSLASH})?",
    re.IGNORECASE,
)
_DOMAIN = re.compile(r"(?:[\w][\w.-]{0,62}|(?<![\w.])\.)\Z")
_SPACED = (
    r"Program Files(?: \(x86\))?|Microsoft Intune(?: Connector)?|Microsoft Shared|Common Files|Windows NT|All Users"
    r"|Documents and Settings|Default User|Certificate Connectors?|Intune Certificate Connector|Active Directory"
)
# A folder below Users whose name has blanks, as the user's has; `_HOME` finds it.
_OWNERS = r"(?:(?<=sers\\)|(?<=sers\\\\))[\w.-]+(?: (?-i:[^\W\d_a-zåäöüß])[\w.-]*){1,2}(?=\\)"
_ROOTS = (
    rf"[A-Za-z]:|%\w+(?:\(x86\))?%|\$env:\w+|(?<![\w\\.-])\\\\[\w.?$-]+|HK(?:LM|CU|CR|U|CC|EY_\w+):?|\.\.|{_SPACED}"
    r"|PfxRequest|ProgramData|System32|AppData|Users|(?:SOFTWARE|SYSTEM|Microsoft|Windows)(?=\\{1,4}[\w .()-]{1,60}\\)"
)
_PATH = re.compile(
    rf"(?<![\w.])(?:{_ROOTS})(?:\\{{1,4}}(?:{_SPACED}|{_OWNERS}|[^\s\\/:*?\"'<>|,;=(){{}}]+))+\\?", re.IGNORECASE
)
_FILE = re.compile(
    r"\.(?:svclog|evtx?|xml|csv|txt|log|zip|json|pfr|etl|cab|config|exe|dll|sys|ps[md]?1|toml|py|md|gz)\Z",
    re.IGNORECASE,
)
_AUTHORITY = re.compile(r"[^\W\d_][\w.-]*(?: [\w.-]+){0,4}?[ -](?:CA|PKI)\d{0,2}\b|[\w-]+-CA\d{0,2}\b")
_SLASHED = re.compile(r"(?<![\w/\\.:%&-])(?P<domain>[A-Z][A-Z0-9-]{1,14})/(?P<name>[^\W\d_][\w.$-]{2,63})(?![\w/])")
# Protocols, and the classes of service principal names: what follows them is no user.
_NO_DOMAIN = frozenset(
    ("HTTP", "HTTPS", "HOST", "LDAP", "LDAPS", "TCP", "UDP", "CA", "PKCS", "SCEP", "SSL", "TLS", "AD", "RPC", "RPCSS",
     "CIFS", "WSMAN", "TERMSRV", "GC", "DNS", "UTC", "WINRM", "RESTRICTEDKRBHOST", "AND", "PKI"),
)  # fmt: skip
_IN_FILE_NAME = re.compile(r"(?<![^\W_])(?P<domain>[A-Z][A-Z0-9-]{2,14})_(?P<name>[^\W\d_][\w.-]{2,63})")
_HOME = re.compile(
    r"(?:users|homes?|profiles|hem|benutzer|documents and settings|dokumente und einstellungen)\$?"
    r"(?:[\\/]{1,4}|%5C|%2F)(?P<name>[^\\/\r\n:*?\"<>|%]{1,64}?)(?=[\\/\r\n:*?\"<>|]|%5C|%2F|\s[-/\\(]|$)"
    r"|(?:users?|devices)\(\s?'(?P<key>[^'\r\n]{1,128})'",
    re.IGNORECASE,
)
_USER_WORD = re.compile(
    r"\b(?:user|användare|användaren|(?:be)?nutzers?|anwenders?)[\s(\[]{1,3}(?P<quote>[\"'“”„]?)(?P<name>[^\W_][\w.$’'-]{1,63})(?!\w|\s?[:=])",
    re.IGNORECASE,
)
_FIELD_WORD = re.compile(
    r"(?:user[ _-]?(?:name|id)|principal[ _-]?name|\bupn|användarnamn(?:et)?|användar-?id|benutzername|benutzer-?id"
    r"|device[ _-]?name|enhetsnamn(?:et)?|gerätename)(?:\s{1,3}(?:is|was|är|var|ist|war))?"
    r"(?:[\s(\[]|->){1,4}[\"'“”„]?(?P<name>[^\W_][\w.$-]{1,63})(?!\w|\s?[:=])",
    re.IGNORECASE,
)
_OPTION = re.compile(r"(?<!\w)--user(?:name)?[ =](?:'(?P<quoted>[^']{1,128})'|(?P<plain>[^\s'\"]{1,128}))")
_ID_WORD = re.compile(
    r"\b(?:device ?(?:id|name)|serial ?(?:number|no)|imei|meid|udid|enhets-?id|geräte-?id)\s{1,3}"
    r"(?P<name>(?=[\w.-]*\d)[\w.-]{4,64})",
    re.IGNORECASE,
)
_DEVICE_WORD = re.compile(
    r"\b(?i:device|enhet|enheten|gerät)\s{1,3}[\"'“”„]?(?P<name>(?=[\w.-]*[\d-])[A-Za-z][\w.-]{3,63}|[A-Z][A-Z0-9-]{3,63})"
)
# Names that Windows, Autopilot and owners give to devices.
_DEVICE_NAME = re.compile(
    r"(?<![^\W_])(?:(?:DESKTOP|LAPTOP)-[A-Z0-9]{4,15}|[^\W_][\w-]{1,40}-(?:LAPTOP|PC|MBP|MACBOOK|IPHONE|IPAD|DESKTOP)\d{0,4}"
    r"|[^\W_]{2,30}['’]?s (?:iPhone|iPad|MacBook(?: Pro| Air)?|Galaxy))(?![^\W_])",
    re.IGNORECASE,
)
# RDNs that are a person's or a device's; those of organisations and places stay.
_IMPERSONAL = frozenset(("DC", "OU", "O", "C", "L", "ST", "S", "STREET", "POSTALCODE"))
_CONTAINERS = (
    "Configuration|Services|Public Key Services|Certificate Templates|Enrollment Services|Certification Authorities"
    "|AIA|CDP|KRA|OID|NTAuthCertificates"
)
_CONTAINER = re.compile(_CONTAINERS + "|Users|Computers|Builtin|System|Schema", re.IGNORECASE)
_BELOW_CONTAINER = re.compile(rf"\"?(?:,\s?CN=[^,\r\n]{{1,64}})?,\s?CN=(?:{_CONTAINERS})\b", re.IGNORECASE)


def found_in(text: str, *, is_path: bool = False) -> Iterator[Found]:
    """Yield every name that a shape tells, in no order; they may overlap. The name of a file may be DOMAIN_name."""
    yield from (Found(*one.span(), "id") for one in _ID.finditer(text))
    yield from (Found(*one.span(), "user") for one in _SID.finditer(text))
    yield from _addresses(text)
    yield from _accounts(text)
    yield from _slashed(text)
    yield from _named(_HOME, text, "user")
    if is_path:
        yield from _in_file_names(text)
    yield from _by_words(text)
    yield from _in_distinguished_names(text)
    yield from (Found(*one) for one in labelled(text))


def _addresses(text: str) -> Iterator[Found]:
    for one in _AT.finditer(text):
        start = _local_start(text, one.start())
        if start < one.start():
            yield Found(start, one.end(), "user")


def _local_start(text: str, at: int) -> int:
    """Where the part of an address before the @ begins, quotes and entities of XML included."""
    if text[at - 1 : at] == '"':
        quote = text.rfind('"', max(0, at - _LONGEST_LOCAL), at - 1)
        return quote if quote >= 0 else at
    start, first = at, max(0, at - _LONGEST_LOCAL)
    while start > first:
        before = text[start - 1]
        entity = _ENTITY.search(text, max(0, start - 11), start) if before == ";" else None
        if entity:
            start = entity.start()
        elif before in _OUTSIDE_LOCAL or (before in "'’" and not text[max(0, start - 2) : start - 1].isalnum()):
            break
        else:
            start -= 1
    return start


def _accounts(text: str) -> Iterator[Found]:
    if "\\" not in text and "%5" not in text and "&#" not in text:
        return
    paths = [one.span() for one in reversed(tuple(_PATH.finditer(text)))]
    at = 0
    while one := _ACCOUNT.search(text, at):
        at = one.end("name")
        while paths and paths[-1][1] <= one.start():
            paths.pop()
        if not paths or one.start() < paths[-1][0]:
            yield from _account(text, one)


def _account(text: str, one: re.Match[str]) -> Iterator[Found]:
    domain = _DOMAIN.search(text, max(0, one.start() - 64), one.start())
    name = one["name"].rstrip(".'’-~") or one["name"]
    if not domain or _FILE.search(name):
        return
    left = domain[0].lower().removeprefix("nt-")
    if left in SYSTEM_DOMAINS or (left in REGISTRY_PLACES and name.lower() in REGISTRY_VALUES):
        return
    start = one.start("name")
    is_config = ("." in left.strip(".") or re.match(r"ca\d", left)) and _AUTHORITY.match(text, start)
    if not is_config:
        yield Found(start, words_from(text, start, start + len(name)), "device" if name.endswith("$") else "user")


def _slashed(text: str) -> Iterator[Found]:
    if "/" not in text:
        return
    for one in _SLASHED.finditer(text):
        name = one["name"].rstrip(".-")
        short = name.isupper() and len(name) <= 4
        if one["domain"] not in _NO_DOMAIN and not short and not _FILE.search(name):
            yield Found(one.start("name"), one.start("name") + len(name), "user")


def _in_file_names(text: str) -> Iterator[Found]:
    """DOMAIN_name, as a name of a file is made of an account."""
    for one in _IN_FILE_NAME.finditer(text):
        name = _FILE.sub("", one["name"])
        if name.lower() not in ORDINARY:
            yield Found(one.start("name"), one.start("name") + len(name), "user")


def _by_words(text: str) -> Iterator[Found]:
    for one in _USER_WORD.finditer(text):
        start, name = one.start("name"), one["name"].rstrip(".'’-")
        if one["quote"] or not _is_ordinary(name):
            closing = text.find(one["quote"], start) if one["quote"] else -1
            end = closing if 0 < closing - start <= 128 else words_from(text, start, start + len(name))
            if text[end : end + 1] not in ("\\", "@"):
                yield Found(start, end, "user")
    for one in _FIELD_WORD.finditer(text):
        if not _is_ordinary(one["name"].rstrip(".-")):
            yield Found(one.start("name"), words_from(text, *one.span("name")), "user")
    yield from _named(_OPTION, text, "user")
    yield from _named(_ID_WORD, text, "device")
    yield from (one for one in _named(_DEVICE_WORD, text, "device") if not _is_ordinary(text[one.start : one.end]))
    yield from (Found(*one.span(), "device") for one in _DEVICE_NAME.finditer(text))


def _is_ordinary(name: str) -> bool:
    lowered = name.lower()
    return lowered in ORDINARY or lowered in NOBODY or re.match(r"0x[0-9a-f]", lowered) is not None


def _named(pattern: re.Pattern[str], text: str, kind: str) -> Iterator[Found]:
    for one in pattern.finditer(text):
        if one.lastgroup:
            start, end = one.span(one.lastgroup)
            trimmed = text[start:end].rstrip(" .")
            yield Found(start, start + len(trimmed), kind)


def _in_distinguished_names(text: str) -> Iterator[Found]:
    if "=" not in text:
        return
    for start, end, kind in spans(text):
        structural = _CONTAINER.fullmatch(text, start, end) or _BELOW_CONTAINER.match(text, end)
        if kind not in _IMPERSONAL and not structural:
            yield Found(start, end, "device" if kind == "SERIALNUMBER" else "user")
