"""The rights of the present account beside a plan: after its diff, at the end of its Markdown, and in its JSON.

They are no part of the plan: whoever applies it may be somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from remediate.engine.rights import Right, TargetRights
from remediate.model.plan import BESIDE
from remediate.render.markdown import escape, table
from remediate.render.text import Line, wrap

Rights = tuple[TargetRights, ...]
_TITLE = "Rights: what the plan takes, and what the present account has"
_STYLES = {"has": "plain", "lacks": "refused", "unknown": "unknown"}
_BODY = " " * 13


class _Row(msgspec.Struct, frozen=True):
    """Rights that are alike but for their names."""

    state: str
    rights: str
    on: str
    why: str
    actions: str


def rights_lines(found: Rights) -> Iterator[Line]:
    """Yield what is there, lacking or unknown on each target, and what that means; nothing for no rights."""
    if not found:
        return
    yield Line("")
    yield Line(_TITLE, "title")
    for target in found:
        yield from wrap(f"{target.target}{_as_whom(target)}", first="  ", rest="    ")
        for row in _rows(target):
            yield from _row_lines(row)
    yield from wrap(verdict(found), style=_style(found))


def _row_lines(row: _Row) -> Iterator[Line]:
    yield from wrap(f"{row.rights}   (for {row.actions})", first=f"    {row.state:<9}", style=_STYLES[row.state])
    yield from wrap(row.on, first=f"{_BODY}on ") if row.on else ()
    yield from wrap(row.why, first=f"{_BODY}because: ") if row.why else ()


def rights_markdown(found: Rights) -> str:
    """Return the same as a section of Markdown, empty for no rights."""
    if not found:
        return ""
    rows = (
        (
            escape(f"{target.target}{_as_whom(target)}"),
            f"**{row.state}**" if row.state == "lacks" else row.state,
            escape(_cell(row)),
            row.actions,
        )
        for target in found
        for row in _rows(target)
    )
    shown = table(("Where", "", "Right", "For"), rows)
    return f"\n## {_TITLE}\n\n{shown}\n\n{escape(verdict(found))}\n"


def _cell(row: _Row) -> str:
    parts = row.rights, f"on {row.on}" if row.on else "", f"({row.why})" if row.why else ""
    return " ".join(filter(None, parts))


def with_rights(sealed: bytes, found: Rights) -> bytes:
    """Return the text of a plan file with the rights beside the plan, outside its digest; as it was for no rights."""
    if not found:
        return sealed
    body = {**msgspec.json.decode(sealed), BESIDE: found}
    return msgspec.json.format(msgspec.json.encode(body), indent=2) + b"\n"


def verdict(found: Rights) -> str:
    """Return what the rights mean for the change window. It refuses nothing: another account may apply."""
    lacking, unknown = _actions(found, "lacks"), _actions(found, "unknown")
    told = [f"A right is missing for {lacking}: have it applied by somebody who has it." if lacking else ""]
    told += [f"What is unknown for {unknown} may be missing too." if unknown else ""]
    told += ["The present account has all of them." if not lacking and not unknown else ""]
    told += ["Asked of the servers; nothing was written."]
    return " ".join(filter(None, told))


def _style(found: Rights) -> str:
    states = {right.state for target in found for right in target.rights}
    return next((_STYLES[state] for state in ("lacks", "unknown") if state in states), "plain")


def _as_whom(target: TargetRights) -> str:
    return f", as {target.account}" if target.account else ""


def _rows(target: TargetRights) -> Iterator[_Row]:
    for (state, on, why, actions), alike in groupby(target.rights, key=_alike):
        yield _Row(state, ", ".join(one.right for one in alike), on, why, ", ".join(map(str, actions)))


def _alike(right: Right) -> tuple[str, str, str, tuple[int, ...]]:
    return right.state, right.on, right.why, right.actions


def _actions(found: Iterable[TargetRights], state: str) -> str:
    numbers = {number for target in found for one in target.rights if one.state == state for number in one.actions}
    return ", ".join(map(str, sorted(numbers)))
