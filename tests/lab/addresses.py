"""Where every part of the lab listens: names, loopback addresses, realm.

Each machine has an address of its own, so that all of them can use the ports Windows uses.
"""

from __future__ import annotations

from pathlib import Path

REALM = "CONTOSO.TEST"
DNS_DOMAIN = "contoso.test"
NETBIOS_DOMAIN = "CONTOSO"
BASE_DN = "DC=contoso,DC=test"

SAMBA = "127.0.0.1"
"""Samba itself. Tests reach it as `dc1`, through the recording relay."""

MACHINES = {
    "dc1": "127.0.0.10",
    "ca01": "127.0.0.21",
    "ca02": "127.0.0.22",
    "conn1": "127.0.0.31",
    "conn2": "127.0.0.32",
    "broken": "127.0.0.90",
} | {f"host{number:02}": f"127.0.1.{number}" for number in range(1, 41)}
"""`broken` is for listeners that misbehave, `host01` to `host40` for measurements with many hosts."""

MARK = "REMEDIATE_LAB"
"""The environment variable that names the state folder inside the lab's namespaces."""
OUTER_PROCESS = "REMEDIATE_LAB_PROCESS"
"""The environment variable with the process, as seen from outside, whose namespaces a second shell can join."""

NAMES_FROM_FILES = "hosts: files\n"
"""An /etc/nsswitch.conf without DNS."""


def fqdn(machine: str) -> str:
    """`ca01` -> `ca01.contoso.test`."""
    return f"{machine}.{DNS_DOMAIN}"


def hosts_file() -> str:
    """The private /etc/hosts."""
    lines = ["127.0.0.1 localhost samba.contoso.test"]
    lines += [f"{MACHINES['dc1']} {DNS_DOMAIN}"]  # as every domain's name leads to its controllers
    lines += [f"{address} {fqdn(name)} {name}" for name, address in MACHINES.items()]
    return "\n".join(lines) + "\n"


def kerberos_configuration(state: Path) -> str:
    """The private krb5.conf: one realm, one KDC by address, no DNS."""
    return f"""[libdefaults]
    default_realm = {REALM}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    default_ccache_name = FILE:{state}/ccache
[realms]
    {REALM} = {{
        kdc = {SAMBA}:88
    }}
[domain_realm]
    .{DNS_DOMAIN} = {REALM}
    {DNS_DOMAIN} = {REALM}
"""
