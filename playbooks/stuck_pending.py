"""A profile stays pending on devices: requests lie unprocessed or never came, or root profiles are mixed up."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import ConnectorHost, Estate, Found, Meta, cause

META = Meta(
    title="The certificate profile is stuck as pending",
    section="Certificate profile stuck as pending",
    severity="medium",
    impact="Devices wait for certificates; the profile shows as pending in Intune.",
    rights=("read access to the connector's folders", "Intune administrator for profiles"),
    undo="nothing is changed",
    symptoms=("Intune shows the certificate profile as pending", "The connector's log shows no obvious error"),
    sources=("Microsoft: Certificate profile stuck as pending", "RFC 5280 6.1: self-issued certificates"),
)
NEXT = {
    **dict.fromkeys(("0x800706BA", "0x80094800"), "rpc_server_unavailable"),
    "0x80094015": "enrollment_policy_server_missing",
    "0x80070057": "parameter_incorrect",
    **dict.fromkeys(("0x80094011", "0x80094012", "0x80094014"), "denied_by_policy_module"),
    **dict.fromkeys(("0x80094809", "0x8009480A"), "denied_by_policy_module"),
    "0x80094812": "subject_email_required",
}


@cause("Requests lie unprocessed", reads="connector: PfxRequest, Failed, Processing and Succeed")
def requests_unprocessed(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for files in connector.request_files():
        if files.unprocessed or files.failure_codes:
            logs = {one.playbook for one in estate.logs_of(connector.name)}
            after = tuple(sorted({NEXT[code] for code in files.failure_codes if code in NEXT} | logs))
            shows = f"{files}; codes in them: {', '.join(files.failure_codes) or 'none'}"
            advice = "Run what is named here next." if after else "Look into the connector's logs of the files' time."
            seen = connector.evidence(files.path, shows)
            yield Found("Requests lie unprocessed.", seen, advice=advice, next_playbooks=after)


@cause("Requests lie unprocessed in the logs", reads="logs: request files of PfxRequest")
def requests_unprocessed_in_logs(estate: Estate) -> Iterator[Found]:
    files = estate.request_files_of_logs
    if files.has_failed:
        after = tuple(sorted({NEXT[code] for code in files.failure_codes if code in NEXT}))
        weak = "Logs are a copy: the connector's own folders say what lies there now."
        advice = "Run what is named here next." if after else "Look into the connector's logs of the files' time."
        message = "Requests lay unprocessed when the logs were copied."
        yield Found(message, *files.evidence, advice=advice, weak=weak, next_playbooks=after)


@cause("No request came", reads=("connector: PfxRequest, Failed, Processing and Succeed", "Intune: PKCS profiles"))
def no_request_came(estate: Estate) -> Iterator[Found]:
    assigned = [profile for profile in estate.profiles if profile.assigned_groups != ()]
    came = {connector: connector.saw_requests() for connector in estate.connectors if assigned}
    if False in came.values() and True not in came.values():
        seen = [host.evidence("PfxRequest", "no file in any folder") for host, saw in came.items() if saw is False]
        weak = "Before the first device asks, or where a connector keeps its requests elsewhere, it looks the same."
        advice = (
            "Check the profiles: CA, certificate type, and a trusted-root profile with the enterprise CA's own root."
        )
        yield Found("Profiles are assigned, but none of their requests came.", *seen, advice=advice, weak=weak)


@cause("Root and subordinate certificates are mixed up", reads="Intune: trusted-root profiles")
def trusted_root_mixed_up(estate: Estate) -> Iterator[Found]:
    for root in estate.trusted_roots:
        if root.is_for_subordinates is root.is_root:
            holds, belongs = ("a root", "Root") if root.is_root else ("a subordinate CA's", "Intermediate")
            seen = root.evidence("certificate", f"{holds} certificate, for {root.store or 'roots'}")
            advice = f"Give it the certificate for its store ({belongs} for this one)."
            yield Found(f"{root.name} carries {holds} certificate.", seen, advice=advice)


@cause("No profile carries the CA's root", reads=("Intune: trusted-root profiles", "directory: root certificates"))
def wrong_root(estate: Estate) -> Iterator[Found]:
    carried = {root.der for root in estate.trusted_roots}
    known = estate.directory.root_certificates if carried and estate.has_directory else ()
    if known and carried.isdisjoint(known):
        seen = (root.evidence("certificate", "not a root of the directory") for root in estate.trusted_roots)
        advice = "Export the root certificate of the enterprise CA and give it to the trusted-root profiles."
        yield Found("No trusted-root profile carries a root of the directory.", *seen, advice=advice)


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
