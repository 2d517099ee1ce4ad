"""Golden files of generated scripts, to be read as the Windows team reads them. All but the library stands in them.

Write them anew, and read what changed: `python -m tests.powershell.test_golden_scripts`
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from remediate.model.plan import Plan, digest, seal
from remediate.render.powershell.handover import README_FILE, handover
from remediate.render.powershell.header import Kind
from remediate.render.powershell.library import library
from remediate.render.powershell.script import KINDS, script
from remediate.render.powershell.steps import ScriptTarget, script_targets
from tests.powershell.every_kind import CA, KINDS_OF_CHANGE, PLAN, alone

GOLDEN = Path(__file__).parents[1] / "golden" / "handover"
BEGIN, END = b"#region library: the same text in every script\r\n", b"\r\n#endregion\r\n\r\n#region main"
MARKER = b"# (the functions of scripts/lib that this script calls)"


def without_library(content: bytes) -> bytes:
    """The script with a line where the library's text is."""
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end
    return before + begin + MARKER + end + after


def library_of(content: bytes) -> str:
    return content.partition(BEGIN)[2].partition(END)[0].decode("ascii").replace("\r\n", "\n") + "\n"


def generated(kind: Kind, plan: Plan, target: ScriptTarget) -> bytes:
    return script(kind, plan, digest(plan), target)


def scripts() -> Iterator[tuple[str, bytes]]:
    """Each kind of change alone, and all three scripts of the directory and of a host that waits for it."""
    for name in KINDS_OF_CHANGE:
        plan = alone(name)
        yield f"change-{name}.ps1", generated("change", plan, script_targets(plan)[0])
    for target in script_targets(PLAN):
        if target.host in ("", CA):
            for kind in KINDS:
                yield f"{kind}-all-of-{target.name}.ps1", generated(kind, PLAN, target)


def golden_files() -> dict[str, bytes]:
    files = {name: without_library(content) for name, content in scripts()}
    return files | {README_FILE: handover(PLAN, digest(PLAN), sealed=seal(PLAN))[README_FILE]}


@pytest.mark.parametrize(("name", "content"), golden_files().items(), ids=list(golden_files()))
def test_every_byte_is_as_it_was_read(name: str, content: bytes) -> None:
    assert content == (GOLDEN / name).read_bytes(), f"read it, then: python -m {__name__}"


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(golden_files())


def test_what_is_left_out_is_the_library_as_it_stands() -> None:
    shipped = library()
    for name, content in scripts():
        functions = library_of(content).split("\n\nfunction ")
        texts = {text.strip("\n") if at == 0 else f"function {text}".strip("\n") for at, text in enumerate(functions)}
        assert texts <= {text.strip("\n") for text in shipped.values()}, name
        assert len(texts) > 20


def write() -> None:
    """Write the golden files anew."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for path in GOLDEN.iterdir():
        path.unlink()
    for name, content in golden_files().items():
        (GOLDEN / name).write_bytes(content)


if __name__ == "__main__":
    write()
