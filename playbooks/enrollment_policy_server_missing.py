"""An enrollment policy server cannot be located: the connector host has none, or a policy hides the directory's own."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import ConnectorHost, Estate, Found, Meta, cause, intents

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


@cause("No policy server applies to a host outside the domain", reads="connector: domain, PolicyServers", fixes=True)
def no_policy_server(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    url = estate.policy_server_url()
    if connector.is_in_a_domain or connector.policy_servers.servers or connector.policy_servers_by_policy.servers:
        return
    message = "No enrollment policy server applies to this host."
    seen = connector.evidence("PolicyServers", "no row, and no domain whose own policy could stand in")
    if not url:
        yield Found(message, seen, missing="policy_server_url")
    elif connector.shuts_its_own_list_out:
        first = "Take DisableUserServerList out where it was set: by hand, or in a policy."
        why = "DisableUserServerList shuts the host's own list out: a row that is added there would not count."
        yield Found(message, seen, refused=why, first=first)
    else:
        yield Found(message, seen, fix=intents.AddPolicyServer(connector, url))


@cause("A flag shuts a list of policy servers out", reads="connector: Flags of PolicyServers")
def flag_shuts_a_list_out(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for seen in connector.shut_out_lists():
        advice = "Find out who set the flag, and take it out where it was set: by hand, or in Group Policy."
        yield Found("A list of enrollment policy servers is shut out, and no other applies.", seen, advice=advice)


@cause("Group Policy hides the directory's own policy", reads="connector: PolicyServers by Group Policy")
def group_policy_hides_directory(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    policy = connector.policy_servers_by_policy
    if policy.servers and not policy.names_the_directory:
        seen = connector.evidence("Policies PolicyServers", ", ".join(row.url for row in policy.servers))
        advice = "Add Active Directory Enrollment Policy to the Group Policy's list; not to the host alone."
        yield Found("Group Policy gives a list without the directory's own policy.", seen, advice=advice)


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
