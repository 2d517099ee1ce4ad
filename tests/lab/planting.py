"""Ground to plant causes in: the healthy lab with an Intune export. What is planted is gone when the block ends.

Planting adds to what stands there (bits are set, folders are taken from a list), so that causes can stand side by side.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import contoso, intune_export, program
from tests.lab.contoso import ADMIN, INTUNE_TEMPLATE
from tests.lab.domain import Change
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.intune_export import Export, Json

Plan = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """The healthy estate. `export` is what Intune exports, `connectors` are the hosts that are asked.

    `arguments` are those of the command line beside the ones that say where the estate is.
    """

    lab: Lab
    stack: ExitStack
    export: Export
    connectors: list[LabHost]
    arguments: list[str]

    # --- the directory ---------------------------------------------------------------------------------------------

    def change(self, dn: str, change: Change) -> None:
        """Replace attributes of an object of the directory."""
        self.stack.enter_context(self.lab.domain.restored(dn))
        self.lab.domain.replace(dn, change)

    def change_template(self, change: Change) -> None:
        """Replace attributes of the template that the profile names."""
        self.change(self.lab.domain.template_dn(INTUNE_TEMPLATE), change)

    def set_template_bits(self, attribute: str, bits: int, *, clear: int = 0) -> None:
        """Set and clear bits of one of its integers."""
        [old] = self.lab.domain.read(self.lab.domain.template_dn(INTUNE_TEMPLATE), attribute)[attribute]
        self.change_template({attribute: [str(int(old) & ~clear | bits)]})

    def set_template_dacl(self, sddl: str) -> None:
        """Replace the template's DACL."""
        self.change_template({"nTSecurityDescriptor": [self.lab.domain.descriptor(sddl)]})

    def publish(self, *templates: str, ca: str = contoso.ISSUING_CA) -> None:
        """Let a CA offer these templates and no other."""
        self.change(self.lab.domain.enrollment_service_dn(ca), {"certificateTemplates": list(templates)})

    # --- the hosts -------------------------------------------------------------------------------------------------

    def change_service(self, host: LabHost, name: str, **members: str) -> None:
        """Change what Windows says of a service: State, StartMode, StartName."""
        services = host.state()["services"]
        host.change_state(services=services | {name: services[name] | members})

    def change_defender(self, *, exclude: list[str] | None = None, **status: Any) -> None:
        """Give Defender's exclusions and status on the connector."""
        state = self.lab.connector.state()
        preference = state["mp_preference"] | ({} if exclude is None else {"ExclusionPath": exclude})
        self.lab.connector.change_state(mp_preference=preference, mp_status=state["mp_status"] | status)

    @property
    def requests(self) -> Path:
        """The connector's folder of request files."""
        return self.lab.connector.program_files / "Microsoft Intune" / "PfxRequest"

    def leave_request(self, part: str, text: str = "PFR 1\nresult: \n", *, minutes: int = 0) -> None:
        """Leave one more request file in a part of PfxRequest, written that many minutes ago."""
        folder = self.requests / part
        file = folder / f"8d41{len(list(folder.iterdir()))}.pfr"
        file.write_text(text)
        written = time.time() - 60 * minutes
        os.utime(file, (written, written))

    # --- Intune ----------------------------------------------------------------------------------------------------

    def add_profile(self, name: str, **changes: Any) -> None:
        """Export one more PKCS profile: the healthy one but for these changes."""
        self.export[f"{name.lower().replace(' ', '-')}.json"] = intune_export.pkcs_profile(name) | changes

    def change_export(self, file: str, **changes: Any) -> None:
        """Change members of an exported object."""
        self.export[file] = self.export[file] | changes

    def add_user(self, **user: Any) -> None:
        """One more member of the profiles' group."""
        members: list[Json] = self.export[intune_export.MEMBERS]["value"]
        self.export[intune_export.MEMBERS] = {"value": [*members, user]}

    # --- looking at it ---------------------------------------------------------------------------------------------

    def plan(self, folder: Path, *more: str, account: contoso.Account = ADMIN) -> tuple[Plan, int]:
        """The plan that the command line makes of all of it, live, and its exit code."""
        export = intune_export.write(self.export, folder / "intune")
        hosts = [part for host in self.connectors for part in ("--connector", host.fqdn)]
        where = ["--dc", self.lab.dc, "--trust", str(self.lab.trust), "--intune", str(export), *hosts]
        out = folder / "plan.json"
        with self.lab.ticket(account):
            ended = program.remediate("plan", "--all", "--out", str(out), *where, *self.arguments, *more)
        assert out.exists(), ended.err
        return dict(json.loads(out.read_text())), ended.code


@contextmanager
def ground(lab: Lab) -> Iterator[Ground]:
    """Healthy ground; afterwards the lab is as before."""
    with ExitStack() as stack:
        stack.enter_context(lab.restored())
        yield Ground(lab, stack, intune_export.healthy(lab.root, lab.issuing), [lab.connector], [])


def causes(plan: Mapping[str, Any]) -> set[str]:
    """`playbook/cause` of everything that was found."""
    return {f"{finding['playbook']}/{finding['cause']}" for finding in plan.get("findings", [])}
