"""Facts that are kept from the reader in the healthy lab, and what the plan is to say was not known."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab.contoso import FULL
from tests.lab.planted import MAY_ENROLL, POLICY_SERVERS, STATUS
from tests.lab.planting import Ground
from tests.lab.windows_hosts import CERTSVC, CONNECTOR, ROOT_STORE, UNINSTALL, ca_key, policy_key


def deny_on_ca(key: str) -> Callable[[Ground], object]:
    """A registry key of the CA's host that may not be read."""
    return lambda ground: ground.lab.ca.registry.deny(key)


def deny_on_connector(key: str) -> Callable[[Ground], object]:
    """A registry key of the connector's host that may not be read."""
    return lambda ground: ground.lab.connector.registry.deny(key)


def unreadable_template(rights: str) -> Callable[[Ground], object]:
    """A template on which everybody but its owner has these rights alone, domain administrators too."""
    return lambda ground: ground.set_template_dacl(f"D:PAI(A;;{FULL};;;LA)(A;;{rights};;;AU){MAY_ENROLL}")


UNREAD = {
    "the policy module's key": (deny_on_ca(policy_key()), "RequestDisposition"),
    "the CA's key": (deny_on_ca(ca_key()), "Security"),
    "the configuration of every CA": (deny_on_ca(CERTSVC), "PolicyModules"),
    "the connector's key": (deny_on_connector(CONNECTOR), "EnableSidSecurityExtension"),
    "ConnectionStatus": (deny_on_connector(STATUS), "ConnectionStatus"),
    "the list of policy servers": (deny_on_connector(POLICY_SERVERS), "PolicyServers"),
    "the list of installed programs": (deny_on_connector(UNINSTALL), "connector version"),
    "the root store": (deny_on_connector(ROOT_STORE), "trusted roots"),
    "the template's descriptor": (unreadable_template("LCRPLO"), "nTSecurityDescriptor"),
}
"""Facts that are kept from the reader, and what the plan says was not known."""
