"""Fills the lab's domain controller with many templates, each with a DACL of its own and of real size.

A duplicate of User has 9 entries as Windows makes it; three groups that may read and enroll make it 15.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.lab import contoso
from tests.lab.domain import samba_python
from tests.lab.estate import Lab
from tests.lab.material import Attributes

GROUPS = 3
ENTRIES = 9 + 2 * GROUPS
GROUPS_IN_ALL = 300
FIRST_RID = 20_000


def names(number: int) -> list[str]:
    """Return the names of the templates."""
    return [f"Template{one:05d}" for one in range(number)]


def load(lab: Lab, number: int) -> None:
    """Add the templates to the running directory, all in one transaction of its own database."""
    objects = [
        contoso.template_object(name, template(name, place), descriptor(place, lab.domain.domain_sid))
        for place, name in enumerate(names(number))
    ]
    script = Path(__file__).with_name("samba_objects.py")
    command = [samba_python(), str(script), str(lab.domain.configuration)]
    subprocess.run(command, input=json.dumps(objects), text=True, check=True, capture_output=True)


def publish(lab: Lab, number: int) -> None:
    """Let the CA offer so many of the templates beside its own."""
    offered = [contoso.INTUNE_TEMPLATE, "WebServer", *names(number)]
    lab.domain.replace(lab.domain.enrollment_service_dn(), {"certificateTemplates": offered})


def template(name: str, place: int) -> Attributes:
    """Return a duplicate of User whose subject is built from the directory."""
    named: Attributes = {
        "displayName": [name],
        "msPKI-Cert-Template-OID": [f"1.3.6.1.4.1.311.21.8.1.2.3.4.5.6.8000.{place}"],
        "msPKI-Certificate-Name-Flag": ["-1509949440"],
    }
    return contoso.intune_template() | named


def descriptor(place: int, domain_sid: str) -> str:
    """Return the SDDL of a duplicate of User that three groups besides may read and enroll from."""
    groups = [f"{domain_sid}-{FIRST_RID + (place * GROUPS + one) % GROUPS_IN_ALL}" for one in range(GROUPS)]
    # Which groups meet on one template changes with every round, so that the DACLs differ as real ones do.
    groups[-1] = f"{domain_sid}-{FIRST_RID + GROUPS_IN_ALL + place // 100}"
    enroll = "".join(f"(OA;;CR;{contoso.ENROLL};;{group})" for group in groups)
    read = "".join(f"(A;;LCRPRC;;;{group})" for group in groups)
    return contoso.DUPLICATED_DESCRIPTOR.replace("(A;;LCRPLORC;;;AU)", f"{read}(A;;LCRPLORC;;;AU)").replace(
        "D:PAI", f"D:PAI{enroll}"
    )
