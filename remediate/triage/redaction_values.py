"""Values of labelled fields in free text: `Benutzer: X`, `"userName": "X"`, `<UserName>X</UserName>`, `UPN=X`.

A value in quotes or in an element is taken whole; any other until a code, another label, a sentence's end or a word
that is no name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from remediate.triage.redaction_words import DEVICE_LABELS, ID_LABELS, NOBODY, ORDINARY, PARTICLES, USER_LABELS

_SEPARATOR = re.compile(r"(?:=&gt;|=>|[:=]=|[:=：]|&gt;|>|%3[AD]|\seq(?=\s))[ \t\u00a0]{0,8}", re.IGNORECASE)
_LABEL = re.compile(r"(?P<before>[^\w]?)(?P<label>[^\W\d_][\w '’-]{0,48})(?:\([^()]{0,20}\))?\s{0,4}"
                    r"(?:\\{0,3}[\"'”’]|&quot;|&apos;|&#39;)?\s{0,3}\Z")  # fmt: skip
_TAG = re.compile(r"(?:<|&lt;)(?:[\w.-]{1,40}:)?(?P<label>[\w.-]{1,60})(?:\s[^<>]{0,200})?\Z")
# `name='upn' value=`, `"key": "UserName", "value":`, `<upn value=`.
_PAIR = re.compile(
    r"[\"'<](?P<label>[^\W\d_][\w .-]{1,40})\\{0,3}[\"']?[\s,]{1,8}[\"'\\]{0,4}value[\"'\\]{0,4}\s{0,3}\Z",
    re.IGNORECASE,
)
_LONGEST_LABEL, _LONGEST_TAG = 60, 260
_VALUE = re.compile(
    r"""\\+"(?P<escaped>(?:(?!\\+")[^\r\n]){1,256})
    |"(?P<double>(?:\\.|""|[^"\\\r\n]){1,256})
    |[“”„](?P<set>[^“”„\r\n]{1,256})
    |'(?P<single>(?:[^'\r\n]|(?<=\w)'(?=\w)){1,256})
    |&quot;(?P<entity>(?:(?!&quot;)[^\r\n]){1,256})
    |\[(?P<list>[^\]]{1,512})
    |(?P<plain>[^\s"'“”„<>;,|{}\[\]][^\r\n\t;,|<>"“”{}\]]{0,127})""",
    re.VERBOSE,
)
_ELEMENT = re.compile(r"(?P<element>(?:(?!&lt;)[^<\r\n]){1,256})")
_WORDS = "|".join(sorted(map(re.escape, ORDINARY - PARTICLES), key=len, reverse=True))
_END = re.compile(
    rf"\s*(?:&lt;|&quot;|(?<=\w\w)(?<!\bDr)(?<!\bSt)(?<!\bJr)\.(?=\s|$)|\s{{2,}}|\s\(|\s-?0x[0-9a-f]|\s[-−]\d{{6}}"
    rf"|\s[^\W\d][\w-]{{0,30}}\s?[:=]|\s(?:{_WORDS})(?!\w)|$)",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(r"[\w.:+-]+")
_BEHIND_COMMA = re.compile(r",[ ](?P<name>[^\W\d_][\w’'-]*(?:[ ][^\W\d_][\w’'-]*)?)(?!\w|[ ]?[:=\\])")
_ACCOUNT = re.compile(r"[\w.-]{1,63}(?:\\{1,4}|%5C)(?=\w)", re.IGNORECASE)
_IS_RDN = re.compile(r"(?:[A-Za-z]{1,20}|(?:OID\.)?\d+(?:\.\d+)+)\s{0,3}=")
_NEXT_WORD = re.compile(r"[ ](?P<word>[^\W\d_][\w’'-]*)(?![\w\\@]|[ ]?[:=])")
_MOST_WORDS = 4


def labelled(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kind (`user`, `device`) of each value behind the label of a user or of a device."""
    for separator in _SEPARATOR.finditer(text):
        kind = _kind_before(text, separator)
        if kind:
            yield from _value(text, separator, kind)


def words_from(text: str, start: int, end: int) -> int:
    """Return where a name ends that begins with the word from `start` to `end`: words in capitals go on with it."""
    if not text[start].isupper():
        return end
    for _ in range(_MOST_WORDS):
        following = _NEXT_WORD.match(text, end)
        if not following or not _goes_on(following["word"]):
            break
        end = following.end("word")
    return end


def _goes_on(word: str) -> bool:
    return word.lower() in PARTICLES or (word[0].isupper() and word.lower() not in ORDINARY)


def _kind_before(text: str, separator: re.Match[str]) -> str:
    at = separator.start()
    found = _LABEL.search(text, max(0, at - _LONGEST_LABEL), at)
    kind = _kind(found["label"]) if found and found["before"] != "/" else ""
    if found and found["label"].lower().endswith("value"):
        pair = _PAIR.search(text, max(0, at - 2 * _LONGEST_LABEL), at)
        kind = _kind(pair["label"]) if pair else kind
    if kind or separator[0][0] not in ">&":
        return kind
    tag = _TAG.search(text, max(0, at - _LONGEST_TAG), at)
    return _kind(tag["label"]) if tag else ""


def _kind(label: str) -> str:
    """What a label is of; `id` where its value is one word, empty for any other label."""
    letters = "".join(filter(str.isalpha, label.lower()))
    for kind, ends in (("id", ID_LABELS), ("device", DEVICE_LABELS), ("user", USER_LABELS)):
        if letters.endswith(ends):
            return kind
    return ""


def _value(text: str, separator: re.Match[str], kind: str) -> Iterator[tuple[int, int, str]]:
    element = separator[0].rstrip().lower() in (">", "&gt;")
    found = (_ELEMENT if element else _VALUE).match(text, separator.end())
    if not found or not found.lastgroup:
        return
    start, end = found.span(found.lastgroup)
    if found.lastgroup == "plain":
        end = _plain_end(text, start, end, kind)
    start, end = _trimmed(text, start, end)
    value = text[start:end]
    if value.lower() not in NOBODY and not (_IS_RDN.match(value) or value.startswith("{{") or _is_code(value)):
        yield start, end, "user" if kind == "user" else "device"


def _is_code(value: str) -> bool:
    return re.match(r"-?0x[0-9a-f]{1,8}\b", value, re.IGNORECASE) is not None


def _plain_end(text: str, start: int, end: int, kind: str) -> int:
    word = _FIRST_WORD.match(text, start, end)
    if kind == "id" and word:
        return word.end()
    found = _END.search(text, start + 1, end)
    stop = found.start() if found else end
    if stop == end and text[start].isupper() and not re.search(r"[\s\\@\d]", text[start:stop]):
        behind = _BEHIND_COMMA.match(text, stop)
        if behind and behind["name"][0].isupper() and behind["name"].split()[0].lower() not in ORDINARY:
            stop = behind.end("name")
    return stop


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without the blanks around it, the backslash before a closing quote, and the domain of an account."""
    while end > start and text[end - 1] in " \t\u00a0\\.,)":
        end -= 1
    while start < end and text[start] in " \t\u00a0(":
        start += 1
    domain = _ACCOUNT.match(text, start, end)
    return (domain.end() if domain else start), end
