"""Finds out why Intune PKCS certificates do not arrive, shows what would change, and seals it in a plan.

A playbook imports from here: `from remediate import Meta, Found, Evidence, cause, ...`. Names are loaded when they are
used, so that the command line starts quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from remediate.actions import intents as intents
    from remediate.actions.intents import AddExclusions as AddExclusions
    from remediate.actions.intents import AddPolicyServer as AddPolicyServer
    from remediate.actions.intents import CaValue as CaValue
    from remediate.actions.intents import Grant as Grant
    from remediate.actions.intents import Publish as Publish
    from remediate.actions.intents import SetCaRegistryValue as SetCaRegistryValue
    from remediate.actions.intents import SetNameFlag as SetNameFlag
    from remediate.actions.intents import StartCertSvc as StartCertSvc
    from remediate.adcs.access_check import Verdict as Verdict
    from remediate.adcs.access_check import ca_access_check as ca_access_check
    from remediate.adcs.access_check import may_enroll as may_enroll
    from remediate.adcs.access_check import may_read as may_read
    from remediate.adcs.flags import CertificateNameFlag as CertificateNameFlag
    from remediate.adcs.flags import Disposition as Disposition
    from remediate.adcs.flags import EditFlag as EditFlag
    from remediate.adcs.flags import EnrollmentFlag as EnrollmentFlag
    from remediate.adcs.flags import InterfaceFlag as InterfaceFlag
    from remediate.adcs.flags import PolicyServersFlag as PolicyServersFlag
    from remediate.adcs.flags import PrivateKeyFlag as PrivateKeyFlag
    from remediate.adcs.flags import TemplateFlag as TemplateFlag
    from remediate.adcs.rights import CaRight as CaRight
    from remediate.engine.playbook import Found as Found
    from remediate.engine.playbook import Meta as Meta
    from remediate.engine.playbook import cause as cause
    from remediate.facts.directory import Principal as Principal
    from remediate.facts.directory import Template as Template
    from remediate.facts.documents import PolicyServers as PolicyServers
    from remediate.facts.estate import Estate as Estate
    from remediate.facts.estate import Issuance as Issuance
    from remediate.facts.hosts import CertificationAuthority as CertificationAuthority
    from remediate.facts.hosts import ConnectorHost as ConnectorHost
    from remediate.facts.intune import Profile as Profile
    from remediate.facts.intune import TrustedRoot as TrustedRoot
    from remediate.model.errors import UnknownFact as UnknownFact
    from remediate.model.finding import Evidence as Evidence

__version__ = "0.1.0"

_HOME = {
    "remediate.engine.playbook": ("Meta", "Found", "cause"),
    "remediate.model.finding": ("Evidence",),
    "remediate.model.errors": ("UnknownFact",),
    "remediate.facts.documents": ("PolicyServers",),
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
_MODULES = {"intents": "remediate.actions.intents"}

__all__ = ["__version__", *_WHERE, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _WHERE:
        raise AttributeError(f"module 'remediate' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
