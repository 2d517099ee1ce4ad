"""Requests stay pending: the CA takes them under submission and waits for an administrator."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import CertificationAuthority, Estate, Found, Issuance, Meta, cause, intents

META = Meta(
    title="The submission is pending",
    section="The submission is pending",
    severity="high",
    impact="No request is issued until an administrator issues it by hand.",
    rights=("local administrator on the CA host",),
    parameters={
        "resubmit": "numbers of waiting requests to decide once more, such as 17,18; HOST:17 among several CAs"
    },
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
READS = "CA: RequestDisposition of the active policy module"


@cause("The policy module sets every request to pending", reads=READS, fixes=True)
def policy_module_holds_requests(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if not ca.has_microsoft_policy_module:
        advice = "Its settings are its maker's; ask there how it decides. Nothing is written below its key."
        message = f"The active policy module is {ca.policy_module}, not Microsoft's."
        yield Found(message, *ca.waiting_requests(), advice=advice)
    elif ca.request_disposition.leaves_it_to_the_request:
        message = "The request itself decides whether it waits."
        seen = (ca.disposition_evidence(), *ca.waiting_requests())
        yield Found(message, *seen, advice="Set it on purpose, by hand.")
    elif ca.request_disposition.holds_requests:
        seen = (ca.disposition_evidence(), *ca.waiting_requests())
        message = "The policy module sets every request to pending."
        yield Found(message, *seen, fix=intents.issue_automatically(ca))


@cause("Requests wait, or are to be decided once more", reads="CA: requests that wait", fixes=True)
def requests_to_resubmit(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    asked, seen = estate.requests_to_resubmit(ca), tuple(ca.waiting_requests())
    if not asked:
        if seen and not estate.holds_requests(ca):
            advice = "Issue or deny them in the CA's console, or have them decided once more: --set resubmit=NUMBERS."
            yield Found("Requests still wait for a decision, though nothing holds new ones.", *seen, advice=advice)
        return
    waiting = {request.request_id: request for request in ca.need_pending_requests()}
    gone = [number for number in asked if number not in waiting]
    message = f"To be decided once more: request {', '.join(map(str, asked))}."
    again = tuple(
        intents.ResubmitRequest(ca, number, waiting[number].requester) for number in asked if number in waiting
    )
    missing = f"resubmit: {', '.join(map(str, gone))} do not wait on {ca.name}" if gone else ""
    yield Found(message, *seen, fix=() if gone else again, missing=missing)


@cause("The template wants a CA manager's approval", reads="directory: msPKI-Enrollment-Flag")
def template_wants_approval(issuance: Issuance, estate: Estate) -> Iterator[Found]:
    template = issuance.template
    if template.wants_approval:
        message = f"{template.name} itself asks for approval of every request."
        flag = template.flags_evidence("msPKI-Enrollment-Flag", template.enrollment_flag)
        seen = (flag, *issuance.ca.waiting_requests())
        advice = 'Untick "CA certificate manager approval" on its Issuance Requirements, if nobody relies on it.'
        yield Found(message, *seen, advice=advice)


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
