"""HRESULTs: one number in many spellings, and the names that this field knows.

Names are those of [MS-ERREF] 2.1.1 and of Win32's com-error-codes-4 page.
"""

from __future__ import annotations

import re

NAMES = {
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

    def __str__(self) -> str:
        return f"0x{int(self):08X}"
