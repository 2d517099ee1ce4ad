"""Scripts for 200 actions on 20 hosts against jinja2 alone: `python -m benchmarks.scripts_generation`.

jinja2 alone renders the same text from ready-made values: first through the templates that the product ships, in an
environment without a sandbox; then through one flat template a file, with a hole for each literal of its data block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, Template

from benchmarks.measuring import Pairs, in_turn, show
from remediate.model.finding import Target
from remediate.model.places import ExclusionPlace
from remediate.model.plan import Action, ExclusionState, Plan, TargetIdentity, digest
from remediate.render.powershell.library import functions_for
from remediate.render.powershell.script import KINDS, _context, script
from remediate.render.powershell.steps import script_targets
from remediate.shipped import scripts_folder

HOSTS, ACTIONS, PAIRS = 20, 200, 15
_TEXT = re.compile(r"'[^'\n]*'")


def plan() -> Plan:
    """Return a plan of 200 actions, ten to a host."""
    hosts = [f"conn{number:02d}.contoso.test" for number in range(HOSTS)]
    identities = tuple(TargetIdentity(kind="connector", name=host, identity={"MachineGuid": host}) for host in hosts)
    actions = tuple(_action(number, hosts[number % HOSTS]) for number in range(ACTIONS))
    return Plan(
        format_version="1.0", remediate="0.1.0", created="2026-11-23T09:12:00Z", expires_at="2026-11-30T09:12:00Z",
        playbooks={}, options={}, complete=True, targets=identities, actions=actions,
    )  # fmt: skip


def _action(number: int, host: str) -> Action:
    folder = rf"C:\Program Files\Microsoft Intune\PfxRequest{number}"
    return Action(
        id=number + 1, kind="defender_exclusions", target=Target("connector", host), place=ExclusionPlace(host),
        address=folder, label=f"Defender exclusion {number} on {host}", before=ExclusionState(()),
        after=ExclusionState((folder,)), diff=(folder,), because=(),
        rights="local administrator on the connector host",
    )  # fmt: skip


def generate(made: Plan) -> list[bytes]:
    """Return the three scripts of every host."""
    name = digest(made)
    return [script(kind, made, name, target) for target in script_targets(made) for kind in KINDS]


def templates(files: list[bytes]) -> list[tuple[str, dict[str, str]]]:
    """Return a template for each file, and the values that make it that file."""
    return [_template(content.decode("ascii")) for content in files]


def _template(text: str) -> tuple[str, dict[str, str]]:
    start = text.index("\r\n#region plan")
    end = text.index("\r\n#endregion", start)
    values = {f"value{number}": found for number, found in enumerate(dict.fromkeys(_TEXT.findall(text[start:end])))}
    names = {found: f"{{{{ {name} }}}}" for name, found in values.items()}
    data = _TEXT.sub(lambda match: names[match[0]], text[start:end])
    raw = "{{% raw %}}{}{{% endraw %}}".format
    return raw(text[:start]) + data + raw(text[end:]), values


def ready_made(made: Plan) -> list[tuple[Template, dict[str, Any]]]:
    """Return the shipped templates, in a bare environment, and everything that they print as text."""
    folder = FileSystemLoader(str(scripts_folder() / "templates"))
    bare = Environment(
        loader=folder, trim_blocks=True, lstrip_blocks=True, newline_sequence="\r\n", keep_trailing_newline=True,
        auto_reload=False,
    )  # fmt: skip
    name, found = digest(made), []
    for target in script_targets(made):
        for kind in KINDS:
            values = _context(kind, made, name, target if kind == "change" else target.alone())
            library = functions_for(bare.get_template(f"{kind}.ps1.j2").render(values | {"library": ""}))
            texts = values | {"library": library.rstrip("\n").replace("\n", "\r\n")}
            found.append((bare.get_template(f"{kind}.ps1.j2"), texts))
    return found


def flat(files: list[bytes]) -> list[tuple[Template, dict[str, Any]]]:
    """Return a template for each file, and the values that make it that file."""
    bare = Environment(newline_sequence="\r\n", keep_trailing_newline=True)
    return [(bare.from_string(source), values) for source, values in templates(files)]


def rendered(ready: list[tuple[Template, dict[str, Any]]]) -> list[str]:
    return [template.render(values) for template, values in ready]


def plans(made: Plan) -> Iterator[Plan]:
    """Yield a plan of its own each time: nothing that was worked out for one may serve the next."""
    for second in count():
        yield msgspec.structs.replace(made, created=f"2026-11-23T09:{second // 60:02d}:{second % 60:02d}Z")


def measured(made: Plan, ready: list[tuple[Template, dict[str, Any]]]) -> Pairs:
    """Measure both."""
    others = plans(made)
    return in_turn(lambda: generate(next(others)), lambda: rendered(ready), times=PAIRS)


def main() -> None:
    """Measure and print, once it is sure that all make the same text."""
    made = plan()
    files = generate(made)
    shipped, holes = ready_made(made), flat(files)
    if [text.split() for text in rendered(shipped)] != [content.decode("ascii").split() for content in files]:
        raise SystemExit("the shipped templates make another text")
    if [text.encode("ascii") for text in rendered(holes)] != files:
        raise SystemExit("the flat templates make another text")
    ours = f"scripts for {ACTIONS} actions on {HOSTS} hosts"
    rows = measured(made, shipped).rows("ratio", ours=ours, theirs="jinja2 alone, shipped templates", goal="under 10")
    show(rows)
    show(measured(made, holes).rows("ratio", ours=ours, theirs="jinja2 alone, a flat template a file", goal=""))


if __name__ == "__main__":
    main()
