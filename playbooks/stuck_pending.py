"""A profile stays pending on devices: requests lie unprocessed, or root profiles carry a wrong certificate."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import ConnectorHost, Estate, Evidence, Found, Meta, TrustedRoot, cause
from remediate.adcs.hresult import HResult
from remediate.model.errors import UnknownFact

META = Meta(
    title="The certificate profile is stuck as pending",
    section="Certificate profile stuck as pending",
    severity="medium",
    impact="Devices wait for certificates; the profile shows as pending in Intune.",
    rights=("read access to the connector's folders", "Intune administrator for profiles"),
    undo="nothing is changed",
    symptoms=(
        "Intune shows the certificate profile as pending",
        "Android: send the OMADM log from the Company Portal; shows which profile arrived",
        "iOS: connect to a Mac, read its Console; shows whether the profile was installed",
        "Windows: Event Viewer, Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin; shows errors "
        "of the enrolment channel by CSP",
    ),
    sources=("Microsoft: Certificate profile stuck as pending", "RFC 5280 6.1: self-issued certificates"),
)
NEXT = {
    "0x800706BA": "rpc_server_unavailable",
    "0x80094015": "enrollment_policy_server_missing",
    "0x80070057": "parameter_incorrect",
    "0x80094012": "denied_by_policy_module",
    "0x80094011": "denied_by_policy_module",
    "0x80094014": "denied_by_policy_module",
    "0x80094809": "denied_by_policy_module",
    "0x80094800": "rpc_server_unavailable",
    "0x80094812": "subject_email_required",
}


@cause("Requests lie unprocessed", reads=("connector: PfxRequest, Failed, Processing and Succeed",))
def requests_unprocessed(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for folders, parts in connector.request_folders():
        codes = sorted(
            {
                code
                for part in parts.values()
                for file in part.files
                for code in file.codes
                if HResult.parse(code).signed < 0
            }
        )
        waiting = [name for name in ("Failed", "Processing") if name in parts and parts[name].total]
        if waiting or codes:
            shown = ", ".join(f"{part.total} in {name}" for name, part in parts.items())
            evidence = Evidence(connector.at(folders.path), f"{shown}; codes in them: {', '.join(codes) or 'none'}")
            after = tuple(sorted({NEXT[code] for code in codes if code in NEXT}))
            advice = (
                "Look into the connector's logs at the time of the files."
                if not after
                else "Run what is named here next."
            )
            yield Found("Requests lie unprocessed.", (evidence,), advice=(advice,), next_playbooks=after)


@cause("Root and subordinate certificates are mixed up", reads=("Intune: trusted-root profiles",))
def trusted_root_mixed_up(estate: Estate) -> Iterator[Found]:
    for root in estate.intune.trusted_roots if estate.intune else ():
        intermediate = "intermediate" in root.store.lower()
        if intermediate is is_root(root):
            holds, belongs = ("a root", "Root") if intermediate else ("a subordinate CA's", "Intermediate")
            evidence = Evidence(
                f"trusted-root profile {root.name}", f"{holds} certificate, for {root.store or 'roots'}"
            )
            advice = f"Give it the certificate for its store ({belongs} for this one)."
            yield Found(f"{root.name} carries {holds} certificate.", (evidence,), advice=(advice,))


def is_root(root: TrustedRoot) -> bool:
    """Whether the certificate is issued by its own subject. Raises UnknownFact when it cannot be read."""
    from cryptography.x509 import load_der_x509_certificate

    try:
        certificate = load_der_x509_certificate(root.der)
    except ValueError as error:
        raise UnknownFact(f"trusted-root profile {root.name}", "its certificate cannot be read") from error
    return certificate.issuer == certificate.subject


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
