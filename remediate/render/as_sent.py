"""What is sent to a target as text that people and programs read: commands as PowerShell, modifications as LDIF."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from remediate.render.powershell.literal import StateTable, data, plain

# [RFC 2849] SAFE-STRING: what need not be Base64.
_SAFE: Final = re.compile(rb"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )")
_WORDS: Final = {"MODIFY_ADD": "add", "MODIFY_DELETE": "delete", "MODIFY_REPLACE": "replace"}
# [MS-ADTS] 3.1.1.3.4.1.11 LDAP_SERVER_SD_FLAGS_OID; its value is SEQUENCE { INTEGER 4 }, DACL_SECURITY_INFORMATION.
_DACL_ONLY: Final = "control: 1.2.840.113556.1.4.801 true:: MAMCAQQ="


def session_text(host: str, functions: str, at: str) -> str:
    """Return what stands for the opening of a session that is given the functions in the file of that name."""
    return _lines(f"# {at}: a session on {plain(host)}", f'. "$PSScriptRoot/{functions}"')


def call_text(command: str, parameters: Mapping[str, object], at: str) -> str:
    """Return a call as a line of PowerShell that means the same. `at` is when it is sent, UTC."""
    return _lines(f"# {at}", " ".join([command, *(_argument(name, value) for name, value in parameters.items())]))


def _argument(name: str, value: Any) -> str:
    text = data(StateTable(value, above={}, beside={}) if isinstance(value, Mapping) else value)
    return f"-{name}:{text}" if isinstance(value, bool) else f"-{name} {text}"


def modify_text(
    dn: str,
    changes: Mapping[str, Sequence[tuple[str, Sequence[str | bytes]]]],
    *,
    controller: str,
    dacl_only: bool,
    at: str,
) -> str:
    """Return a modify as an LDIF change record ([RFC 2849]), with a remark about when and where it is sent."""
    head = [f"# {at}: {plain(controller)}", _line("dn", dn), *([_DACL_ONLY] if dacl_only else ()), "changetype: modify"]
    return "\n".join([*head, *(line for name, parts in changes.items() for line in _parts(name, parts)), "", ""])


def _parts(name: str, parts: Sequence[tuple[str, Sequence[str | bytes]]]) -> Iterator[str]:
    for operation, values in parts:
        yield f"{_WORDS[operation]}: {name}"
        yield from (_line(name, value) for value in values)
        yield "-"


def _line(name: str, value: str | bytes) -> str:
    binary = value.encode("utf-8") if isinstance(value, str) else value
    if _SAFE.fullmatch(binary):
        return f"{name}: {binary.decode('ascii')}"
    return f"{name}:: {base64.b64encode(binary).decode('ascii')}"


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines).replace("\n", "\r\n")
