"""The CA denies the request: whoever calls it may not, or the CA or the template refuse everybody."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import CertificationAuthority, ConnectorHost, Estate, Found, Issuance, Meta, Template, cause, intents

META = Meta(
    title="Denied by Policy Module",
    section="Denied by Policy Module",
    severity="high",
    impact="Requests for this template are refused.",
    codes=("0x80094012", "0x80094011", "0x80094809", "0x8009480A", "0x80094800", "0x80094014"),
    rights=("write access to template, enrollment service", "CA administrator", "local administrator on the CA host"),
    disruption="CertSvc restarts once where RequestDisposition is set; otherwise none",
    undo="exactly the entries that were added are taken out; RequestDisposition as it was and a restart",
    symptoms=('Connector log: "IssuePfx - The submission failed: Denied by Policy Module"', "CA: events 53 and 7"),
    sources=("[MS-WCCE] 3.2.2.6.2.1.4.3", "[MS-CRTD] 2.5", "certsrv.h REQDISP_*", "Microsoft: Denied by Policy Module"),
)
TAKE_OUT = "Have the owner of the denying entry take it out; then plan again."


@cause("The calling account lacks Read or Enroll", reads="directory: nTSecurityDescriptor, tokenGroups", fixes=True)
def caller_lacks_template_rights(template: Template, connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    if nobody := tuple(connector.product.nobody()):
        advice = "Run its services as SYSTEM on a member of the domain, or as an account of the domain."
        yield Found("The connector calls as an account that no CA knows.", *nobody, advice=advice)
    for caller in estate.callers(connector):
        rights = template.rights_of(caller)
        if rights.denied_by:
            seen = template.evidence("nTSecurityDescriptor", estate.directory.denial(rights.denied_by))
            yield Found(f"{caller.name} may {rights}.", seen, refused="No entry outranks a denial.", first=TAKE_OUT)
        elif not rights.suffice:
            shows = f"gives this neither to the account nor to {caller.groups}"
            fix = intents.Grant(template, caller.sid, caller.name, read=not rights.read, enroll=not rights.enroll)
            yield Found(f"{caller.name} may {rights}.", template.evidence("nTSecurityDescriptor", shows), fix=fix)


@cause("The calling account may request nothing from the CA", reads="CA: Security")
def caller_lacks_ca_right(ca: CertificationAuthority, connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for caller in estate.callers(connector):
        if refusal := ca.refusal(caller):
            message, denied = f"{caller.name} may not request certificates from {ca.name}.", refusal.denied_by
            shows = estate.directory.denial(denied) if denied else f"no Request Certificates for it or {caller.groups}"
            advice = TAKE_OUT if denied else "Give it Request Certificates on the Security tab of the CA."
            yield Found(message, ca.evidence("Security", shows), advice=advice, code="0x80094011")


@cause("The CA takes no requests from other hosts", reads="CA: InterfaceFlags")
def ca_refuses_other_hosts(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if not ca.takes_remote_requests:
        seen, advice = ca.evidence("InterfaceFlags", "NOREMOTEICERTREQUEST"), "Ask why; clear it, restart CertSvc."
        yield Found("The CA takes no requests from other hosts.", seen, advice=advice, code="0x80094011")


@cause("The policy module denies every request", reads="CA: RequestDisposition of the active policy module", fixes=True)
def policy_module_denies(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if ca.has_microsoft_policy_module and ca.request_disposition.denies_requests:
        fix, seen = intents.issue_automatically(ca), ca.disposition_evidence()
        yield Found("The policy module denies every request.", seen, fix=fix, code="0x80094014")


@cause("The template wants signatures, or this CA does not offer it", reads="directory: templates, CAs", fixes=True)
def template_not_for_connector(issuance: Issuance, estate: Estate) -> Iterator[Found]:
    template, ca = issuance.template, issuance.ca
    if template.signatures_required:
        seen = template.evidence("msPKI-RA-Signature", f"{template.signatures_required} required")
        advice = 'Untick "This number of authorized signatures" on Issuance Requirements; the connector cannot sign.'
        yield Found("The template wants signatures.", seen, advice=advice, code="0x80094809")
    if other := estate.offered_elsewhere(issuance):
        seen = ca.enrollment_service.evidence("certificateTemplates", f"only {other} lists {template.name}")
        message = f"{template.name} is published, but not on {ca.name}."
        yield Found(message, seen, fix=intents.Publish(template, ca), code="0x80094800")


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
