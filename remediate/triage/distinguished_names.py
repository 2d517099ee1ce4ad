"""Distinguished names in free text: where each value stands, and the common name.

Values are read as RFC 4514 writes them (`CN=Svensson\\, Anna`, hex pairs, several values of one RDN), and as Windows
does (`CN="Svensson, Anna"`, `CN = Anna`, one RDN a line). A sentence around the name ends where a value cannot go on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# RFC 4514 section 3, and those that CertNameToStr and Active Directory write besides.
_LONG = (
    "CN|OU|DC|UID|ST|STREET|GN|GIVENNAME|SN|SURNAME|INITIALS|MAIL|EMAIL|EMAILADDRESS|SERIALNUMBER|DNQ|DNQUALIFIER"
    "|PSEUDONYM|POSTALCODE|UPN|USERPRINCIPALNAME|COMMONNAME"
)
# By themselves these stand in any text (`C=1`); they are names only beside another one.
_SHORT = "C|L|O|S|T|G|I|E"
_OID = r"(?:OID\.)?\d(?:\.\d{1,20}){2,20}"
_EQUALS = r"[ \t]{0,3}=[ \t]{0,8}"
_FIRST = re.compile(rf"(?<![\w.@-])(?P<type>{_LONG}|{_SHORT}|{_OID}){_EQUALS}", re.IGNORECASE)
_NEXT = re.compile(
    rf"[ \t]{{0,3}}(?:[,;+/][ \t]{{0,3}}|,?\r?\n[ \t]{{0,40}}|[ \t](?=(?:{_LONG}){_EQUALS}))"
    rf"(?P<type>[a-z][a-z0-9-]{{0,30}}|{_OID}){_EQUALS}",
    re.IGNORECASE,
)
# As it stands; in JSON; in CSV that is read as text; in XML that is read as text; and as word processors write it.
_QUOTED = re.compile(
    r'\\"(?P<json>(?:(?!\\")[^\r\n]){1,256})\\"|""(?P<csv>[^"\r\n]{1,256})""|&quot;(?P<xml>(?:(?!&quot;)[^\r\n]){1,256})'
    r'&quot;|"(?P<plain>(?:\\[^\r\n]|""|[^"\\\r\n]){1,256})"|[“”„](?P<set>[^“”„\r\n]{1,256})[“”„]'
    r"|'(?P<single>[^'\r\n]{1,256})'(?!\w)"
)
# A period ends a sentence unless an initial or a title stands before it; blanks end a value where a code, a label or
# another RDN follows.
_ABBREVIATED = r"(?<=[\W_][^\W\d_])|(?<=\bdr)|(?<=\bst)|(?<=\bjr)|(?<=\bsr)|(?<=\bmed)|(?<=\bing)|(?<=\bprof)"
_UNQUOTED = re.compile(
    rf"""(?:\\\\[,;+=\#<>](?!\s{{0,3}}(?:{_LONG}|{_SHORT}|{_OID}){_EQUALS})|\\(?!r\\n|")[^\r\n]
    |\([^()\r\n]{{0,64}}\)|\[[^\[\]\r\n]{{0,64}}\]|\{{[^{{}}\r\n]{{0,64}}\}}
    |(?<=\w)['’](?=\w)
    |\.(?!\s|$|["'“”])|(?:{_ABBREVIATED})\.(?=\s\S)
    |[ \u00a0](?!\s{{0,8}}(?:(?:{_LONG}){_EQUALS}|0x[0-9a-f]|[-\u2212]\d|\w{{1,30}}\s?:\s))
    |[+/](?!\s{{0,3}}(?:{_LONG}|{_SHORT}|{_OID}){_EQUALS})
    |:(?!\s)|&(?!quot;)
    |[^\\()\[\]{{}}'’.,;+/:&"“”„<>|\s]
    ){{1,256}}""",
    re.IGNORECASE | re.VERBOSE,
)
# Hex pairs, what JSON escapes once more, any other escape, and a quote within quotes.
_ESCAPED = re.compile(
    r"(?P<hex>(?:\\[0-9a-fA-F]{2})+)|\\\\(?P<twice>[,;+=#<>])|\\(?P<once>.)|(?P<quote>\"\")", re.DOTALL
)


class _Value(NamedTuple):
    start: int
    end: int
    kind: str
    quoted: bool


def common_name(dn_text: str) -> str | None:
    """Return the first common name in a text, without quotes and escapes; None where there is none."""
    first = next((one for one in _values(dn_text) if one.kind in ("CN", "COMMONNAME", "2.5.4.3")), None)
    return _unescaped(dn_text[first.start : first.end]) or None if first else None


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where the value of each RDN in a text starts and ends, and its type in capitals (or its OID), in order.

    Quotes and blanks around a value are no part of it; escapes are.
    """
    for value in _values(text):
        yield value.start, value.end, value.kind


def _values(text: str) -> Iterator[_Value]:
    at = 0
    while found := _FIRST.search(text, at):
        values = tuple(_chain(text, found))
        at = max([found.end(), *(value.end for value in values)])
        if len(values) > 1 or len(found["type"]) > 1:
            yield from values


def _chain(text: str, found: re.Match[str] | None) -> Iterator[_Value]:
    """The values of one name, from its first type on."""
    while found:
        value, after = _value(text, found.end(), _kind(found["type"]))
        if value.end > value.start:
            yield value
        found = _NEXT.match(text, after)


def _value(text: str, at: int, kind: str) -> tuple[_Value, int]:
    """The value at a place, and where it ends with what is around it."""
    quoted = _QUOTED.match(text, at)
    unquoted = None if quoted else _UNQUOTED.match(text, at)
    start, end = quoted.span(str(quoted.lastgroup)) if quoted else unquoted.span() if unquoted else (at, at)
    raw = text[start:end]
    start += len(raw) - len(raw.lstrip())
    end = max(start, end - (len(raw) - len(raw.rstrip())))
    return _Value(start, end, kind, quoted is not None), quoted.end() if quoted else end


def _kind(written: str) -> str:
    return written.upper().removeprefix("OID.")


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(_meant, value).strip()


def _meant(found: re.Match[str]) -> str:
    """What an escape stands for; hex pairs are bytes of UTF-8."""
    if found["hex"]:
        return bytes.fromhex(found["hex"].replace("\\", "")).decode("utf-8", "replace")
    return found["twice"] or found["once"] or '"'
