"""The three scripts of one target. The same plan gives the same bytes: no clock, path or machine of here enters them.

jinja2 runs in its sandbox, knows no undefined name, and prints nothing but `Code`: text that literal.py or the
library made, or that is checked here to be harmless within a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from remediate.model.plan import Plan, directory_of
from remediate.render.powershell.header import Kind, description
from remediate.render.powershell.library import functions_for
from remediate.render.powershell.literal import data, literal
from remediate.render.powershell.steps import ScriptTarget, plan_data
from remediate.shipped import scripts_folder

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

KINDS: tuple[Kind, ...] = ("change", "verify", "rollback")

_SYNOPSIS = {
    "change": "Carries out an approved change of {}, for the certificates that Intune hands out (PKCS).",
    "verify": "Tells whether an approved change of {} stands. It changes nothing.",
    "rollback": "Undoes what change.ps1 changed on {}, and nothing else, from the values that it recorded.",
}
_MANNER = {
    "change": (
        "It reads every value before it writes one. Where something else stands than was approved, nothing is changed.",
        "It asks before each change. A value that is as wanted already is left as it is. After an interruption, run it",
        "again: it goes on where it stopped. What it does is recorded in result.json beside it; send that file back.",
        "To read it: '#region plan' says what is changed, '#region main', at the end, how; between them are functions.",
    ),
    "verify": (
        "It reads every value and says of each whether it is as wanted. Run it after change.ps1, or at any time.",
        "What it finds is recorded in verify-result.json beside it; send that file back.",
        "To read it: '#region plan' says what is read, '#region main', at the end, how; between them are functions.",
    ),
    "rollback": (
        "It needs the result.json that change.ps1 wrote beside it. Where somebody has changed a value since, nothing",
        "is changed. It asks before each change. After an interruption, run it again: it goes on where it stopped.",
        "What it does is recorded in rollback-result.json beside it; send that file back.",
        "To read it: '#region plan' says what is undone, '#region main', at the end, how; between them are functions.",
    ),
}
_RUN = "powershell.exe -NoProfile -ExecutionPolicy RemoteSigned -File ."
_ASKING = (
    (" -WhatIf", "Shows what it would write, and writes nothing."),
    ("", "Asks before each change."),
)
_WRITING = (
    "0  done, or nothing to do",
    "1  a value could not be read; nothing was changed",
    "2  with -WhatIf: there is something to do",
    "3  refused; nothing was changed",
    "4  stopped part-way, or some of it was declined: the record says where",
)
_READING = (
    "0  as wanted",
    "1  a value could not be read, or the result.json that tells of the restart is not here",
    "2  the problem stands",
    "3  refused: the wrong host, the wrong rights, or a record that cannot be believed",
)
_HARMLESS = re.compile(r"(?:(?!#>|<#)[\x20-\x7e])*")


class Code(str):
    """Text that may stand in a script as it is."""

    __slots__ = ()


# Where the library will be: no value has a NUL, for a literal is printable ASCII.
_LIBRARY = Code("\0library")


def comment(text: str) -> Code:
    """Return a text for a block comment. Raises ValueError for one that is not our own plain words."""
    if not _HARMLESS.fullmatch(text):
        raise ValueError(f"not for a comment: {text!r}")
    return Code(text)


def foreign(text: str) -> Code:
    """Return a line of `plain` text with words from elsewhere, for a block comment. Raises ValueError for another.

    A point at its beginning, which begins a section of comment-based help, is written as its number.
    """
    return comment(text.replace(".", "\\u{2e}", 1) if text.lstrip(" ").startswith(".") else text)


def script(kind: Kind, plan: Plan, digest: str, target: ScriptTarget) -> bytes:
    """Return one script as a file: ASCII, CRLF, no blank at a line's end."""
    context = _context(kind, plan, digest, target if kind == "change" else target.alone())
    main = _environment().get_template(f"{kind}.ps1.j2").render(context | {"library": _LIBRARY})
    text = "\r\n".join(line.rstrip() for line in main.splitlines()) + "\r\n"
    return text.replace(_LIBRARY, functions_for(main).rstrip("\n").replace("\n", "\r\n")).encode("ascii")


def _context(kind: Kind, plan: Plan, digest: str, target: ScriptTarget) -> dict[str, Any]:
    uses_directory = not target.host or bool(target.needs)
    return {
        "file": comment(f"{kind}.ps1"),
        "synopsis": comment(_SYNOPSIS[kind].format("this host" if target.host else "the directory")),
        "description": tuple(map(foreign, description(kind, plan, digest, target))),
        "parameters": tuple(_parameters(kind, uses_directory=uses_directory)),
        "manner": tuple(map(comment, _MANNER[kind])),
        "examples": tuple(_examples(kind)),
        "exit_codes": tuple(map(comment, _READING if kind == "verify" else _WRITING)),
        "plan": Code(data(plan_data(plan, digest, target))),
        "directory_parameters": Code(_directory_parameters(plan) if uses_directory else ""),
        "kinds": tuple(Code(name) for name in target.kinds),
        "written": tuple(Code(name) for name in target.written),
        "writes": kind != "verify",
        "on_host": bool(target.host),
        "on_ca": target.is_ca,
        "in_directory": not target.host,
        "needs": bool(target.needs),
    }


def _examples(kind: Kind) -> Iterator[dict[str, Code]]:
    line = f"{_RUN}\\{kind}.ps1"
    if kind == "verify":
        yield {"line": comment(line), "text": comment("Reads every value again.")}
        return
    for option, text in _ASKING:
        yield {"line": comment(line + option), "text": comment(text)}
    # -File takes no $false in Windows PowerShell 5.1: it hands the script a text. Without 'Stop' a script that did not
    # even start would end with 0.
    command = f"-Command \"$ErrorActionPreference = 'Stop'; & .\\{kind}.ps1 -Confirm:$false; exit $LASTEXITCODE\""
    unasked = f"powershell.exe -NoProfile -ExecutionPolicy RemoteSigned {command}"
    yield {"line": comment(unasked), "text": comment("From cmd or a scheduled task: asks nothing.")}


def _parameters(kind: Kind, *, uses_directory: bool) -> Iterator[dict[str, Code]]:
    told = {"ResultPath": "The record that change.ps1 writes; without it result.json beside this script."}
    told |= {"VerifyPath": "The record that this script writes."} if kind == "verify" else {}
    told |= {"RollbackPath": "The record that rollback.ps1 writes."} if kind != "verify" else {}
    if uses_directory:
        told["Server"] = "The domain controller; one for reading, writing and reading back."
        told["SecureSocketLayer"] = "Connects by LDAPS rather than signed and sealed on port 389."
    for name, text in told.items():
        yield {"name": comment(name), "text": comment(text)}


def _directory_parameters(plan: Plan) -> str:
    directory = directory_of(plan)
    server = directory.name if directory else ""
    return f",\n    [string] $Server = {literal(server)},\n    [switch] $SecureSocketLayer"


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        loader=FileSystemLoader(str(scripts_folder() / "templates")),
        undefined=StrictUndefined,
        finalize=_only_code,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _only_code(value: Any) -> Any:
    if not isinstance(value, Code):
        raise TypeError(f"a template prints {type(value).__name__}, which has not been made a literal")
    return value
