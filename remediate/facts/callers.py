"""As whom a Windows service calls other hosts: as its account, as the computer it runs on, or as nobody.

One rule for whoever looks accounts up and for whoever judges their rights, so that the two mean the same account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remediate.facts.documents import DirectoryDocument

# Built-in accounts that reach the network as the computer does (Service User Accounts, Win32; [MS-SCMR] 2.2.8).
AS_COMPUTER = frozenset(
    {
        "localsystem",
        ".\\localsystem",
        "nt authority\\system",
        "nt authority\\networkservice",
        "nt authority\\network service",
    }
)
# So do virtual accounts, `NT SERVICE\name` (Microsoft: Service accounts, virtual accounts).
_VIRTUAL = "nt service\\"
# LocalService shows no credentials at all (Microsoft: LocalService Account).
_ANONYMOUS = frozenset({"nt authority\\localservice", "nt authority\\local service"})


def account_of(start_name: str, computer: str, *, domain: str) -> str | None:
    """Return `DOMAIN\\NAME` or the UPN as which a service calls other hosts, None where it has no account there.

    `start_name` is Win32_Service's StartName, `computer` the host's own name, `domain` the NetBIOS name of the domain
    it is a member of, empty in a workgroup, whose computers no domain knows.
    """
    key = start_name.lower()
    if key in AS_COMPUTER or key.startswith(_VIRTUAL):
        return f"{domain}\\{computer.upper()}$" if domain else None
    is_local = key.startswith((".\\", f"{computer.lower()}\\"))
    return None if not start_name or is_local or key in _ANONYMOUS else start_name


def netbios_name_of(domain: str, document: DirectoryDocument) -> str:
    """Return the nETBIOSName of the crossRef whose dnsRoot is the domain, else the domain as it is."""
    for entry in document.partitions.if_known() or []:
        names = entry.texts("nETBIOSName")
        if names and domain.lower() in map(str.lower, entry.texts("dnsRoot")):
            return names[0]
    return domain
