"""Users, devices and e-mail addresses as pseudonyms, so that a report can be posted.

The same name is the same pseudonym wherever it stands, and in the next report from the same key; without the key nobody
finds out whether a name he guesses is behind one. Names of servers, CAs and templates stay.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator

from remediate.triage.correlation import GUID, Subject

# A user's name is also the part of his address before the @, where that is long enough to be told from a word.
_SHORTEST_NAME = 3

_MAIL = r"(?P<user_mail>[^\s<>()\[\]\"',;:|=@\\/]{1,128}@[\w-]+(?:\.[\w-]+)*)"
_GUID = rf"(?P<id_guid>(?<![0-9a-f-]){GUID}(?![0-9a-f-]))"
_SID = r"(?P<user_sid>\bS-1-(?:5-21|12-1)(?:-\d{1,10}){1,8}\b)"
# DOMAIN\name, but neither a path nor a place in certutil's own notation.
_ACCOUNT = (
    r"(?<![\w\\:/.%-])(?!(?:ca|policy|exit|restore|template|enroll|chain)\\)[\w][\w.-]{0,62}\\"
    r"(?P<user_account>[^\W_][\w.$-]{0,63})(?![\w\\])"
)
_COMMON_NAME = r"\bCN=\s*[\"'“”]?\s*(?P<user_cn>[^,;\"'“”\r\n+]{1,128}?)(?=\s*(?:[,;\"'“”\r\n+]|\.\s|\.?$))"
_LABELLED = (
    r"\b(?:user ?(?:principal ?)?(?:name|id)?|upn|owner|requester(?: ?name)?|caller)\s?[:=]\s*[\"'“”]?"
    r"(?P<user_labelled>[^\r\n;,\"'“”<>]{1,128}?)(?=\s*(?:[\r\n;,\"'“”<>]|\.\s|\.?$|\s\w+\s?[:=]))"
)
_DEVICE = (
    r"\b(?:device ?(?:id|name)|serial ?(?:number|no)|imei|meid|udid)[\s:='\"]+"
    r"(?P<device_labelled>(?=[\w.-]*\d)[\w.-]{4,64})"
)


def _pattern() -> re.Pattern[str]:
    home = r"(?:(?<=\\users\\)|(?<=/users/)|(?<=/home/))(?P<user_home>[^\\/\r\n:*?\"<>|]{1,64})"
    parts = (_MAIL, _GUID, _SID, _DEVICE, _LABELLED, _COMMON_NAME, home, _ACCOUNT)
    return re.compile("|".join(parts), re.IGNORECASE)


_PERSONAL = _pattern()


class Redactor:
    """Makes pseudonyms with a key. `known` names are replaced wherever they stand, others where their shape tells."""

    def __init__(self, key: bytes, known: Iterable[Subject] = ()) -> None:
        self._key = key
        names = {name.lower(): kind for subject in known for name, kind in _names(subject)}
        self._known = names
        by_length = sorted(names, key=len, reverse=True)
        alternatives = "|".join(map(re.escape, by_length))
        self._names = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE) if names else None

    def pseudonym(self, name: str, kind: str) -> str:
        """Return the pseudonym of a name, `kind-xxxxxxxx`; upper and lower case are one. GUIDs are of the kind `id`."""
        if not name:
            return ""
        shown = "id" if re.fullmatch(GUID, name, re.IGNORECASE) else kind
        digest = hmac.new(self._key, name.lower().encode("utf-8", "surrogatepass"), "sha256")
        return f"{shown}-{digest.hexdigest()[:8]}"

    def text(self, text: str) -> str:
        """Return the text with every name in it replaced."""
        known = self._names.sub(self._replace_known, text) if self._names else text
        return _PERSONAL.sub(self._replace, known)

    def request(self, key: str) -> str:
        """Return the key of a request (`correlation.key_of`) with its name replaced."""
        kind, _, name = key.partition(":")
        if kind == "request":
            return key
        user, _, template = name.partition(":") if kind == "user" else (name, "", "")
        return ":".join(filter(None, (kind, self.pseudonym(user, kind), template)))

    def _replace_known(self, found: re.Match[str]) -> str:
        return self.pseudonym(found.group(), self._known[found.group().lower()])

    def _replace(self, found: re.Match[str]) -> str:
        group = str(found.lastgroup)
        name, whole = found.group(group), found.group()
        if _is_pseudonym(name):
            return whole
        start = found.start(group) - found.start()
        made = self.pseudonym(name, group.partition("_")[0])
        return whole[:start] + made + whole[start + len(name) :]


def _is_pseudonym(name: str) -> bool:
    return re.fullmatch(r"(?:user|device|id)-[0-9a-f]{8}(?:@.*)?", name) is not None


def _names(subject: Subject) -> Iterator[tuple[str, str]]:
    if subject.device:
        yield subject.device, "device"
    if subject.user:
        yield subject.user, "user"
        local = subject.user.partition("@")[0].rpartition("\\")[2]
        if len(local) >= _SHORTEST_NAME:
            yield local, "user"
