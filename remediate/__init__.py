"""Finds out why Intune PKCS certificates do not arrive, shows what would change, and seals it in a plan.

A playbook imports from here: `from remediate import Meta, Found, Evidence, cause, ...`. Names are loaded when they are
used, so that the command line starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "remediate.engine.playbook": ("Meta", "Found", "cause"),
    "remediate.model.finding": ("Evidence",),
    "remediate.facts.estate": ("Estate", "Issuance"),
    "remediate.facts.directory": ("Template", "Principal"),
    "remediate.facts.hosts": ("CertificationAuthority", "ConnectorHost"),
    "remediate.facts.intune": ("Profile", "TrustedRoot"),
    "remediate.actions.intents": (
        "AddExclusions",
        "AddPolicyServer",
        "CaValue",
        "Grant",
        "Publish",
        "SetCaRegistryValue",
        "SetNameFlag",
        "StartCertSvc",
    ),
    "remediate.adcs.flags": (
        "CertificateNameFlag",
        "Disposition",
        "EditFlag",
        "EnrollmentFlag",
        "InterfaceFlag",
        "PolicyServersFlag",
        "PrivateKeyFlag",
        "TemplateFlag",
    ),
    "remediate.adcs.rights": ("CaRight",),
    "remediate.adcs.access_check": ("Verdict", "ca_access_check", "may_enroll", "may_read"),
}
_WHERE = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'remediate' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
