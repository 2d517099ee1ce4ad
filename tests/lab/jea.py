"""A host whose only endpoint is the one of docs/jea, as near as the engine allows: no language, listed functions.

The module is laid out as docs/jea/README.md says. RestrictedRemoteServer and virtual accounts are Windows' own; the
rest of such a session is here, with the parameters that the role capability allows.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.addresses import fqdn
from tests.lab.estate import Lab
from tests.lab.hosts import MODULE, SESSION_START, LabHost, serving
from tests.lab.windows_hosts import CA_DESCRIPTOR, ca_registry, ca_state

PROJECT = Path(__file__).parents[2]
DOCUMENTS = PROJECT / "docs" / "jea"
NAME = "host40"
SESSION = """@{{
    SchemaVersion = '2.0.0.0'
    GUID = '2f1d1c52-6a0e-4a0f-9d43-90c6f0a7b6f1'
    SessionType = 'Default'
    LanguageMode = 'NoLanguage'
    ModulesToImport = @('LabRegistry', '{stand_in}', '{module}')
    VisibleCmdlets = @('Out-Default')
    VisibleFunctions = @({functions})
}}
"""


def visible_functions(role: str = "Remediate") -> str:
    """The list of a role capability, as its file has it."""
    text = (DOCUMENTS / f"{role}.psrc").read_text("ascii")
    found = re.search(r"VisibleFunctions = @\((.*)\n    \)", text, re.DOTALL)
    assert found is not None
    return found[1]


def install(folder: Path) -> Path:
    """The module's folder, as an admin copies it, but that it begins with what every lab session begins with."""
    module = folder / "Modules" / "Remediate"
    shutil.copytree(PROJECT / "scripts" / "lib", module / "lib")
    start = SESSION_START.read_text("ascii").replace("$global:", "$script:")
    (module / "Remediate.psm1").write_text(start + (DOCUMENTS / "Remediate.psm1").read_text("ascii"))
    return module / "Remediate.psm1"


@contextmanager
def jea_host(lab: Lab, role: str = "Remediate") -> Iterator[LabHost]:
    """A CA with this endpoint and this role alone, served by a process of its own; NTLM only."""
    home = lab.folder / "jea"
    certificate = lab.root.server(home, fqdn(NAME), NAME)
    registry = ca_registry(NAME, lab.issuing, lab.domain.descriptor(CA_DESCRIPTOR))
    host = LabHost.create(NAME, home, certificate, registry=registry, state=ca_state(NAME))
    parts = {"stand_in": MODULE, "module": install(home), "functions": visible_functions(role)}
    host.configuration.write_text(SESSION.format(**parts))
    try:
        with serving([host], lab.folder / "jea.json", lab.folder / "keytab"):
            yield host
    finally:
        shutil.rmtree(home)
