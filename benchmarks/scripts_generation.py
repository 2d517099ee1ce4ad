"""Scripts for 200 actions on 20 hosts against jinja2 alone: `python -m benchmarks.scripts_generation`.

jinja2 alone renders a template that yields the same bytes: the text of every file, with each of its literals put in
from a context of ready-made texts.
"""

from __future__ import annotations

import re

import msgspec
from jinja2.sandbox import SandboxedEnvironment

from benchmarks.measuring import Pairs, in_turn, show
from remediate.model.finding import Target
from remediate.model.places import ExclusionPlace
from remediate.model.plan import Action, ExclusionState, Plan, TargetIdentity, digest
from remediate.render.powershell.script import KINDS, script
from remediate.render.powershell.steps import script_targets

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
    start, end = text.index("#region plan"), text.index("#endregion")
    values = {f"value{number}": found for number, found in enumerate(dict.fromkeys(_TEXT.findall(text[start:end])))}
    names = {found: f"{{{{ {name} }}}}" for name, found in values.items()}
    data = _TEXT.sub(lambda match: names[match[0]], text[start:end])
    raw = "{{% raw %}}{}{{% endraw %}}".format
    return raw(text[:start]) + data + raw(text[end:]), values


def measured() -> Pairs:
    """Measure both, once it is sure that they make the same bytes."""
    made = plan()
    files = generate(made)
    environment = SandboxedEnvironment(newline_sequence="\r\n", keep_trailing_newline=True)
    ready = [(environment.from_string(source), values) for source, values in templates(files)]
    if [template.render(values).encode("ascii") for template, values in ready] != files:
        raise SystemExit("jinja2 alone makes other bytes")
    # A plan of its own each time: nothing that was worked out for one plan may serve the next.
    plans = iter([msgspec.structs.replace(made, created=f"2026-11-23T09:13:{n:02d}Z") for n in range(PAIRS + 1)])
    return in_turn(
        lambda: generate(next(plans)),
        lambda: [template.render(values).encode("ascii") for template, values in ready],
        times=PAIRS,
    )


def main() -> None:
    """Measure and print."""
    ours, theirs = f"scripts for {ACTIONS} actions on {HOSTS} hosts", "jinja2 alone, the same bytes"
    show(measured().rows("ratio", ours=ours, theirs=theirs, goal="under 10"))


if __name__ == "__main__":
    main()
