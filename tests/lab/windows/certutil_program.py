"""certutil.exe of a lab host: -getreg, -setreg, -delreg, -ping, -view and -resubmit on the lab's registry and state.

It prints what public captures of certutil show, line for line. What it does not know ends with 0x80070057 and a word
on the error stream. An exit code is the low byte of the HRESULT (or 1), for Linux keeps no more.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONFIGURATION = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration"
PENDING = ["-restrict", "Disposition=9", "-out", "RequestID,RequesterName,CommonName,CertificateTemplate,SubmittedWhen"]
COLUMNS = ("RequestID", "RequesterName", "CommonName", "CertificateTemplate", "SubmittedWhen")
DISPOSITION = ["RequestID,Disposition", "csv"]
HEADINGS = ("Request ID", "Requester Name", "Issued Common Name", "Certificate Template", "Request Submission Date")
RESTART = "The CertSvc service may need to be restarted for changes to take effect."

# Names of bits: certsrv.h. Only those that stand in captures, and the dispositions.
FLAGS = {
    "EditFlags": {
        0x2: "EDITF_REQUESTEXTENSIONLIST", 0x4: "EDITF_DISABLEEXTENSIONLIST", 0x8: "EDITF_ADDOLDKEYUSAGE",
        0x40: "EDITF_BASICCONSTRAINTSCRITICAL", 0x100: "EDITF_ENABLEAKIKEYID", 0x10000: "EDITF_ENABLEDEFAULTSMIME",
        0x40000: "EDITF_ATTRIBUTESUBJECTALTNAME2", 0x100000: "EDITF_ENABLECHASECLIENTDC",
    },
    "CRLFlags": {0x2: "CRLF_DELETE_EXPIRED_CRLS", 0x8: "CRLF_REVCHECK_IGNORE_OFFLINE"},
    "RequestDisposition": {0x100: "REQDISP_PENDINGFIRST"},
}  # fmt: skip
DECISIONS = {9: "Under Submission", 20: "Issued", 21: "Revoked", 30: "Failed", 31: "Denied"}
"""Dispositions of a request's row (certsrv.h, DB_DISP_*)."""
DISPOSITIONS = {0: "REQDISP_PENDING", 1: "REQDISP_ISSUE", 2: "REQDISP_DENY", 3: "REQDISP_USEREQUESTATTRIBUTE"}
ERRORS = {
    0x80070002: ("WIN32: 2 ERROR_FILE_NOT_FOUND", "The system cannot find the file specified."),
    0x80070005: ("WIN32: 5 ERROR_ACCESS_DENIED", "Access is denied."),
    0x80070057: ("WIN32: 87 ERROR_INVALID_PARAMETER", "The parameter is incorrect."),
    0x80070103: ("WIN32/HTTP: 259 ERROR_NO_MORE_ITEMS", "No more data is available."),
    0x800704DC: (
        "WIN32: 1244 ERROR_NOT_AUTHENTICATED",
        "The operation being requested was not performed because the user has not been authenticated.",
    ),
    0x80094003: ("CERTSRV_E_BAD_REQUESTSTATUS", "The request's current status does not allow this operation."),
    0x80094004: ("CERTSRV_E_PROPERTY_EMPTY", "The requested property value is empty."),
    0x800706BA: ("WIN32: 1722 RPC_S_SERVER_UNAVAILABLE", "The RPC server is unavailable."),
}

Keys = dict[str, dict[str, Any]]


class Failed(Exception):
    """The command failed with an HRESULT."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08x}")
        self.code = code


# --- the registry -------------------------------------------------------------------------------------------------


@contextmanager
def registry() -> Iterator[dict[str, Any]]:
    """The lab's registry under its lock; changes to the document are written at the end."""
    path = Path(os.environ["LAB_REGISTRY"])
    with open(f"{path}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
        before = json.dumps(document)
        yield document
        if json.dumps(document) != before:
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            draft.write_text(json.dumps(document, indent=1))
            draft.replace(path)


def find(names: dict[str, Any], name: str) -> str | None:
    """The name as it is kept; the registry does not mind the case."""
    return next((one for one in names if one.casefold() == name.casefold()), None)


def open_key(keys: Keys, path: str, *, writing: bool = False) -> dict[str, Any]:
    """The values of a key. The nearest `deny` of the key and those above it holds."""
    parts = path.split("\\")
    for length in range(len(parts), 0, -1):
        deny = keys.get(find(keys, "\\".join(parts[:length])) or "", {}).get("deny")
        if deny == "read" or (deny == "write" and writing):
            raise Failed(0x80070005)
        if deny is not None:
            break
    kept = find(keys, path)
    if kept is None:
        raise Failed(0x80070002)
    values: dict[str, Any] = keys[kept].setdefault("values", {})
    return values


def text_value(keys: Keys, path: str, name: str) -> str:
    """A text that the command needs to find its way."""
    values = open_key(keys, path)
    kept = find(values, name)
    if kept is None:
        raise Failed(0x80070002)
    return str(values[kept]["data"])


def locate(keys: Keys, argument: str) -> tuple[str, str]:
    r"""`ca\X` and `policy\X` -> key and value name, by the active CA and the active policy module."""
    prefix, _, name = argument.rpartition("\\")
    root = f"{CONFIGURATION}\\{text_value(keys, CONFIGURATION, 'Active')}"
    if prefix.lower() == "ca" and name:
        return root, name
    if prefix.lower() == "policy" and name:
        return f"{root}\\PolicyModules\\{text_value(keys, root + chr(92) + 'PolicyModules', 'Active')}", name
    raise Failed(0x80070057)


def log(operation: str, key: str, name: str, *, before: Any, after: Any) -> None:
    """One line for each write, as the provider logs its own."""
    if path := os.environ.get("LAB_REGISTRY_LOG"):
        entry = {"op": operation, "key": key, "name": name, "before": before, "after": after}
        with open(path, "a") as file:
            file.write(json.dumps(entry) + "\n")


# --- what it prints -----------------------------------------------------------------------------------------------


def number(value: int) -> str:
    """Hexadecimal, from ten on with the decimal number beside it."""
    return f"{value:x}" if value < 10 else f"{value:x} ({value})"


def show(name: str, value: dict[str, Any]) -> Iterator[str]:
    """A value, and the names of its bits."""
    data = value["data"]
    if value["kind"] == "String":
        yield f"  {name} REG_SZ = {data}"
        return
    if value["kind"] != "DWord":
        raise Failed(0x80070057)
    data &= 0xFFFFFFFF
    yield f"  {name} REG_DWORD = {number(data)}"
    if name == "RequestDisposition" and data & 0xFF in DISPOSITIONS:
        yield f"    {DISPOSITIONS[data & 0xFF]} -- {number(data & 0xFF)}"
    for bit, title in FLAGS.get(name, {}).items():
        if data & bit:
            yield f"    {title} -- {number(bit)}"


def failure(verb: str, code: int) -> Iterator[str]:
    """How it says that it failed."""
    name, sentence = ERRORS[code]
    yield f"CertUtil: {verb} command FAILED: 0x{code:08x} ({name})"
    yield f"CertUtil: {sentence}"


# --- verbs --------------------------------------------------------------------------------------------------------


def getreg(argument: str) -> Iterator[str]:
    with registry() as document:
        key, name = locate(document["keys"], argument)
        values = open_key(document["keys"], key)
    kept = find(values, name)
    yield f"{key}\\{kept or name}:"
    if kept is None:
        raise Failed(0x80070002)
    yield ""
    yield from show(kept, values[kept])


def wanted(old: dict[str, Any] | None, text: str) -> dict[str, Any]:
    """The value after -setreg: a number, `+` or `-` with bits, or text; the type that is there stays."""
    try:
        bits = int(text.lstrip("+-"), 0)
    except ValueError:
        if old is not None and old["kind"] != "String":
            raise Failed(0x80070057) from None
        return {"kind": "String", "data": text}
    if old is not None and old["kind"] != "DWord":
        raise Failed(0x80070057)
    before = old["data"] if old else 0
    data = before | bits if text[0] == "+" else before & ~bits if text[0] == "-" else bits
    return {"kind": "DWord", "data": data & 0xFFFFFFFF}


def setreg(argument: str, text: str) -> Iterator[str]:
    with registry() as document:
        key, name = locate(document["keys"], argument)
        values = open_key(document["keys"], key, writing=True)
        kept = find(values, name) or name
        old = values.get(kept)
        values[kept] = new = wanted(old, text)
    log("SetValue", key, kept, before=old, after=new)
    yield f"{key}\\{kept}:"
    if old is not None:
        yield from ("", "Old Value:", *show(kept, old))
    yield from ("", "New Value:", *show(kept, new))


def delreg(argument: str) -> Iterator[str]:
    with registry() as document:
        key, name = locate(document["keys"], argument)
        values = open_key(document["keys"], key, writing=True)
        kept = find(values, name)
        if kept is None:
            raise Failed(0x80070002)
        old = values.pop(kept)
    log("DeleteValue", key, kept, before=old, after=None)
    yield f"{key}\\{kept}:"
    yield from ("", "Old Value:", *show(kept, old))


def ping() -> Iterator[str]:
    """Milliseconds are those of the state's `ping_ms`, 0 without."""
    state = read_state()
    try:
        with registry() as document:
            keys = document["keys"]
            name = text_value(keys, CONFIGURATION, "Active")
            server = text_value(keys, f"{CONFIGURATION}\\{name}", "CAServerName")
    except Failed:
        yield "CertUtil: No local Certification Authority: use -config option"
        raise Failed(0x80070103) from None
    yield f"Connecting to {server}\\{name} ..."
    elapsed = state.get("ping_ms", 0)
    if state["services"].get("CertSvc", {}).get("State") != "Running":
        sentence = f"0x800706ba ({ERRORS[0x800706BA][0]}) -- ({elapsed}ms)"
        yield f"Server could not be reached: {ERRORS[0x800706BA][1]} {sentence}"
        yield ""
        raise Failed(0x800706BA)
    yield f'Server "{name}" ICertRequest2 interface is alive ({elapsed}ms)'


def view(*arguments: str) -> Iterator[str]:
    """The queue, or one request's disposition, which CertSvc is asked for also on its own host."""
    restriction = re.fullmatch(r"RequestID=(\d+)", arguments[1]) if len(arguments) > 1 else None
    one_request = [*arguments[:1], *arguments[2:]] == ["-restrict", "-out", *DISPOSITION] and restriction
    if list(arguments) != [*PENDING, "csv"] and not one_request:
        raise Failed(0x80070057)
    state = read_state()
    must_run(state)
    rows = [HEADINGS, *([one[name] for name in COLUMNS] for one in state["pending_requests"])]
    if restriction:
        code = disposition(state, int(restriction[1]))
        rows = [
            ("Request ID", "Request Disposition"),
            *([(restriction[1], f"{code} -- {DECISIONS[code]}")] if code else []),
        ]
    for row in rows:
        yield ",".join(f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in row)


def must_run(state: dict[str, Any]) -> None:
    """What goes to CertSvc by RPC needs a CertSvc."""
    if state["services"].get("CertSvc", {"State": "Running"})["State"] != "Running":
        raise Failed(0x800706BA)


def disposition(state: dict[str, Any], request: int) -> int | None:
    """9 while a request waits; afterwards what `decided_requests` says; None for one that the CA does not know."""
    if any(int(one["RequestID"]) == request for one in state["pending_requests"]):
        return 9
    found: int | None = state.get("decided_requests", {}).get(str(request))
    return found


def resubmit(request: str) -> Iterator[str]:
    """A waiting request is decided as the state's `resubmit_decides` says: 20, issued, without.

    The first line stands in public records of an issued request. [MS-CSRA] 3.1.4.1.3: without such a request the
    answer is 0x80094004.
    """
    with changed_state() as state:
        must_run(state)
        code = disposition(state, int(request))
        if code != 9:
            raise Failed(0x80094004 if code is None else 0x80094003)
        decided = state.get("resubmit_decides", 20)
        kept = [one for one in state["pending_requests"] if int(one["RequestID"]) != int(request)]
        if decided != 9:
            state["pending_requests"] = kept
            state.setdefault("decided_requests", {})[request] = decided
    yield "Certificate issued." if decided == 20 else f"Certificate not issued ({DECISIONS[decided]})"


def read_state() -> dict[str, Any]:
    """The host's state."""
    found: dict[str, Any] = json.loads(Path(os.environ["LAB_STATE"]).read_text())
    return found


@contextmanager
def changed_state() -> Iterator[dict[str, Any]]:
    """The host's state under its lock; it is written at the end."""
    path = Path(os.environ["LAB_STATE"])
    with open(f"{path}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = read_state()
        yield state
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(state, indent=1))
        draft.replace(path)


def planted(verb: str) -> str:
    """What the state's `failures` has planted for a verb: an HRESULT such as 0x80070005, `ignored`, or nothing.

    `{"code": ..., "times": 2}` fails twice and then no more.
    """
    failure: Any = read_state().get("failures", {}).get(f"certutil {verb}", "")
    if not isinstance(failure, dict):
        return str(failure)
    with changed_state() as state:
        left = state["failures"][f"certutil {verb}"]
        left["times"] -= 1
    return str(failure["code"]) if failure["times"] > 0 else ""


VERBS = {"-getreg": getreg, "-setreg": setreg, "-delreg": delreg, "-ping": ping, "-view": view, "-resubmit": resubmit}


def run(arguments: list[str], line_end: str = "\r\n") -> tuple[str, int]:
    """What a command prints, and its HRESULT."""
    verb = arguments[0].lower() if arguments else ""
    lines: list[str] = []
    try:
        if verb not in VERBS:
            raise Failed(0x80070057)
        wrong = planted(verb)
        if wrong not in ("", "ignored"):
            raise Failed(int(wrong, 16))
        for line in () if wrong else VERBS[verb](*arguments[1:]):  # type: ignore[operator]
            lines.append(line)
    except (Failed, TypeError, ValueError) as refused:
        code = refused.code if isinstance(refused, Failed) else 0x80070057
        if code == 0x80070057:
            print(f"the stand-in for certutil does not know {arguments}: {refused}", file=sys.stderr)
        return line_end.join([*lines, *failure(verb, code), ""]), code
    lines.append(f"CertUtil: {verb} command completed successfully.")
    if verb in ("-setreg", "-delreg"):
        lines.append(RESTART)
    return line_end.join([*lines, ""]), 0


def main() -> int:
    """Print in UTF-8 with Windows line ends."""
    printed, code = run(sys.argv[1:])
    sys.stdout.buffer.write(printed.encode())
    return code and (code & 0xFF or 1)


if __name__ == "__main__":
    sys.exit(main())
