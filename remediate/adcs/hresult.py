"""HRESULTs: one number in many spellings, where they stand in a text, and their names.

Names are those of [MS-ERREF] 2.1.1 and of Win32's com-error-codes-4 page, which knows more of certificate services.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from remediate.adcs.hresult_names import PUBLISHED

NAMES = {
    **PUBLISHED,
    0x80070005: "E_ACCESSDENIED",
    0x80070057: "E_INVALIDARG",
    0x800704DC: "ERROR_NOT_AUTHENTICATED",
    0x800706BA: "RPC_S_SERVER_UNAVAILABLE",
    0x80094011: "CERTSRV_E_ENROLL_DENIED",
    0x80094012: "CERTSRV_E_TEMPLATE_DENIED",
    0x80094014: "CERTSRV_E_ADMIN_DENIED_REQUEST",
    0x80094015: "CERTSRV_E_NO_POLICY_SERVER",
    0x80094800: "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
    0x80094801: "CERTSRV_E_NO_CERT_TYPE",
    0x80094804: "CERTSRV_E_BAD_REQUESTSUBJECT",
    0x80094807: "CERTSRV_E_BAD_TEMPLATE_VERSION",
    0x80094809: "CERTSRV_E_SIGNATURE_POLICY_REQUIRED",
    0x8009480A: "CERTSRV_E_SIGNATURE_COUNT",
    0x8009480D: "CERTSRV_E_SUBJECT_UPN_REQUIRED",
    0x8009480F: "CERTSRV_E_SUBJECT_DNS_REQUIRED",
    0x80094811: "CERTSRV_E_KEY_LENGTH",
    0x80094812: "CERTSRV_E_SUBJECT_EMAIL_REQUIRED",
}

# [MS-ERREF] 2.1: the facilities WIN32, SECURITY and CERT, in which a signed number is taken for an HRESULT, and URT,
# whose codes only wrap the reason: an exception of .NET has one whatever happened.
_SIGNED_FACILITIES = frozenset({0x007, 0x009, 0x00B})
_URT = 0x013

_SPELLING = re.compile(r"(?:0x)?([0-9a-f]{8})|(-?\d{9,10})", re.IGNORECASE)


class HResult(int):
    """An HRESULT as an unsigned 32-bit number."""

    @classmethod
    def parse(cls, text: str) -> HResult:
        """Read `0x80094015`, `80094015`, `-2146877419` or `2148089877`. Raises ValueError for anything else."""
        match = _SPELLING.fullmatch(text.strip().replace("\u2212", "-").replace("\u2013", "-"))
        if match is None:
            raise ValueError(f"{text!r} is not an HRESULT")
        number = int(match[2]) if match[2] and not text.lower().startswith("0x") else int(match[1] or text, 16)
        if not -0x80000000 <= number <= 0xFFFFFFFF:
            raise ValueError(f"{text!r} does not fit into 32 bits")
        return cls(number & 0xFFFFFFFF)

    @property
    def signed(self) -> int:
        """The signed number, as certutil prints it beside the name."""
        return int(self) - 0x100000000 if self & 0x80000000 else int(self)

    @property
    def name(self) -> str:
        """The symbolic name, empty when it is not one of this field's."""
        return NAMES.get(int(self), "")

    @property
    def is_failure(self) -> bool:
        """Whether the severity bit is set and there is a code: 0x80000000 and 0xFFFFFFFF are flags and masks."""
        return bool(self & 0x80000000) and bool(self & 0xFFFF) and self != 0xFFFFFFFF

    @property
    def facility(self) -> int:
        """The facility, [MS-ERREF] 2.1."""
        return (int(self) >> 16) & 0x7FF

    @property
    def only_wraps(self) -> bool:
        """Whether it is one of .NET's own, which says that something was thrown and not why."""
        return self.facility == _URT

    def __str__(self) -> str:
        return f"0x{int(self):08X}"


# Where a code may stand in a text: every spelling has eight hexadecimal digits or more in a row.
_DIGITS = re.compile(r"[0-9A-Fa-f]{8,24}")
# 0x80094812, also with the leading zeros or ones of 64 bits.
_PREFIXED = re.compile(r"(?:0*|[fF]{8})([0-9A-Fa-f]{8})")
_GUID_GOES_ON = re.compile(r"-[0-9A-Fa-f]{4}-")
_MINUS = "-\u2212\u2013"


def found_in(text: str, *, also: Collection[int] = ()) -> tuple[HResult, ...]:
    """Return the HRESULTs of failures that stand in a text, each once however often and however it is spelt.

    Any number is one that is written with 0x; without it, a known one, or a signed one of the facilities WIN32,
    SECURITY and CERT. `also` are numbers that count though they are no failure, written with 0x.
    """
    codes = (_code(text, digits, also) for digits in _DIGITS.finditer(text))
    return tuple(dict.fromkeys(code for code in codes if code is not None))


def _code(text: str, digits: re.Match[str], also: Collection[int]) -> HResult | None:
    """Return the code that these digits are, by what stands before and behind them; None when they are none."""
    start, end, run = digits.start(), digits.end(), digits.group()
    before, behind = text[max(start - 3, 0) : start], text[end : end + 1]
    if behind.isalnum() or behind == "_":
        return None
    if before[-2:] in ("0x", "0X"):
        whole = _PREFIXED.fullmatch(run) if not before[:-2].isalnum() else None
        code = HResult(int(whole[1], 16)) if whole else None
        return code if code is not None and (code.is_failure or code in also) else None
    if run.isdecimal() and before.rstrip()[-1:] in tuple(_MINUS) and len(run) in (9, 10):
        return _signed(int(run), before.rstrip()[:-1])
    if before[-1:].isalnum() or before[-1:] in tuple("_.-{"):
        return None
    return _bare(run, text, end)


def _signed(number: int, before: str) -> HResult | None:
    code = HResult(-number & 0xFFFFFFFF)
    known = code in NAMES or code.facility in _SIGNED_FACILITIES
    return code if known and number <= 0x80000000 and code.is_failure and not before[-1:].isalnum() else None


def _bare(run: str, text: str, end: int) -> HResult | None:
    """Eight digits, but not those with which a GUID begins, or a decimal number without a sign."""
    if len(run) == 10 and run.isdecimal() and not re.match(r"\.\d", text[end : end + 2]):
        code = HResult(int(run))
    elif len(run) == 8 and not _GUID_GOES_ON.match(text, end):
        code = HResult(int(run, 16))
    else:
        return None
    return code if code in NAMES and code.is_failure else None
