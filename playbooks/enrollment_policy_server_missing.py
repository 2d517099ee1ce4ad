"""An enrollment policy server cannot be located: the connector host has none, or a policy hides the directory's own."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import AddPolicyServer, ConnectorHost, Estate, Evidence, Found, Meta, PolicyServersFlag, cause
from remediate.adcs.flags import DIRECTORY_POLICY_ID, names
from remediate.facts.documents import PolicyServers

META = Meta(
    title="An enrollment policy server cannot be located",
    section="An enrollment policy server cannot be located 0x80094015",
    severity="high",
    impact="The connector cannot submit requests: it finds no enrollment policy.",
    codes=("0x80094015",),
    rights=("local administrator on the connector host", "whoever owns the Group Policy object"),
    undo="the policy server that was added is removed again",
    symptoms=("Connector log: IssuePfx, COMException 0x80094015",),
    sources=("Microsoft: Add-CertificateEnrollmentPolicyServer", "Win32 com-error-codes-4: CERTSRV_E_NO_POLICY_SERVER"),
    parameters={"policy_server_url": "https address of the enrollment policy web service; nothing can discover it"},
)


@cause("No policy server applies to a host outside the domain", reads=("connector: domain, PolicyServers",), fixes=True)
def no_policy_server(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    domain = connector.document.machine.domain.need(connector.at("domain"))
    if domain is None and not local(connector).servers and not by_policy(connector).servers:
        evidence = Evidence(connector.at("PolicyServers"), "no row, and no domain whose own policy could stand in")
        url = estate.settings.get("policy_server_url", "")
        scheme = url.partition(":")[0].lower()
        missing = "policy_server_url" if not url else f"policy_server_url must be an https address, not {url}"
        right = scheme in ("https", "http") and "://" in url
        weak = (
            "The address given is http: passwords and policies would travel in the clear." if scheme == "http" else ""
        )
        fix = (AddPolicyServer(connector, url),) if right else ()
        message = "No enrollment policy server applies to this host."
        yield Found(message, (evidence,), fix=fix, weak=weak, missing="" if right else missing)


@cause("A flag shuts a list of policy servers out", reads=("connector: Flags of PolicyServers",))
def flag_shuts_a_list_out(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for name, key in (("PolicyServers", local(connector)), ("Policies PolicyServers", by_policy(connector))):
        known = PolicyServersFlag.DISABLE_GROUP_POLICY_LIST | PolicyServersFlag.DISABLE_USER_SERVER_LIST
        if flags := PolicyServersFlag(key.flags) & known:
            evidence = Evidence(connector.at(f"{name} Flags"), f"{key.flags:#x} ({names(flags)})")
            advice = "Find out who set the flag, and take it out where it was set: by hand, or in Group Policy."
            yield Found("A list of enrollment policy servers is shut out.", (evidence,), advice=(advice,))


@cause("Group Policy hides the directory's own policy", reads=("connector: PolicyServers by Group Policy",))
def group_policy_hides_directory(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    rows = by_policy(connector).servers
    own = any(row.id.lower() == DIRECTORY_POLICY_ID or row.url.lower().startswith("ldap:") for row in rows)
    if rows and not own:
        evidence = Evidence(connector.at("Policies PolicyServers"), ", ".join(row.url for row in rows))
        advice = "Add Active Directory Enrollment Policy to the Group Policy's list; not to the host alone."
        yield Found("Group Policy gives a list without the directory's own policy.", (evidence,), advice=(advice,))


def local(connector: ConnectorHost) -> PolicyServers:
    """The host's own list; an absent key is an empty one."""
    return connector.document.policy_servers.need(connector.at("PolicyServers")) or PolicyServers()


def by_policy(connector: ConnectorHost) -> PolicyServers:
    """The list that Group Policy gives; an absent key is an empty one."""
    return connector.document.policy_servers_by_policy.need(connector.at("Policies PolicyServers")) or PolicyServers()


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
