"""Requests stay pending: the CA takes them under submission and waits for an administrator."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import (
    CaValue,
    CertificationAuthority,
    Disposition,
    EnrollmentFlag,
    Estate,
    Evidence,
    Found,
    Issuance,
    Meta,
    SetCaRegistryValue,
    cause,
)

META = Meta(
    title="The submission is pending",
    section="The submission is pending",
    severity="high",
    impact="No request is issued until an administrator issues it by hand.",
    rights=("local administrator on the CA host",),
    disruption="CertSvc restarts once: no certificates and no revocation lists meanwhile",
    undo="RequestDisposition as it was (deleted where it was absent) and a restart; what was issued stays issued",
    symptoms=('Connector log: "IssuePfx - The submission is pending: Taken Under Submission"',),
    sources=(
        "certsrv.h REQDISP_*",
        "[MS-CSRA] RequestDisposition",
        "[MS-CRTD] 2.26",
        "Microsoft: The submission is pending",
    ),
)


@cause(
    "The policy module sets every request to pending",
    reads=("CA: RequestDisposition of the active policy module",),
    fixes=True,
)
def policy_module_holds_requests(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if not ca.has_microsoft_policy_module:
        advice = "Its settings are its maker's; ask there how it decides. Nothing is written below its key."
        yield Found(f"The active policy module is {ca.policy_module}, not Microsoft's.", advice=(advice,))
    elif ca.request_disposition.leaves_it_to_the_request:
        evidence = Evidence(ca.policy_at("RequestDisposition"), ca.request_disposition.describe())
        yield Found(
            "The request itself decides whether it waits.", (evidence,), advice=("Set it on purpose, by hand.",)
        )
    elif ca.request_disposition.holds_requests:
        now = ca.request_disposition.describe()
        shown = now if ca.request_disposition_value is not None else f"absent, which counts as {now}"
        fix = SetCaRegistryValue(ca, CaValue.REQUEST_DISPOSITION, int(Disposition.ISSUE))
        seen = (Evidence(ca.policy_at("RequestDisposition"), shown), *waiting(ca))
        yield Found("The policy module sets every request to pending.", seen, fix=(fix,))


def waiting(ca: CertificationAuthority) -> Iterator[Evidence]:
    """The requests that wait now: they stay pending after the change, and only inform."""
    requests = ca.document.pending_requests.if_known()
    if requests:
        ids = ", ".join(str(request.request_id) for request in requests[:20])
        yield Evidence(f"{ca.name} pending requests", f"{len(requests)} wait and stay waiting: {ids}")


@cause("The template wants a CA manager's approval", reads=("directory: msPKI-Enrollment-Flag",))
def template_wants_approval(issuance: Issuance, estate: Estate) -> Iterator[Found]:
    template = issuance.template
    if EnrollmentFlag.PEND_ALL_REQUESTS in template.enrollment_flag:
        evidence = Evidence(
            template.at("msPKI-Enrollment-Flag"), f"{int(template.enrollment_flag):#x} has PEND_ALL_REQUESTS"
        )
        advice = (
            'Untick "CA certificate manager approval" on the template\'s Issuance Requirements, if nobody relies on it.'
        )
        yield Found(f"{template.name} itself asks for approval of every request.", (evidence,), advice=(advice,))


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
