"""The CA denies the request: whoever calls it may not, or the CA or the template refuse everybody."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import (
    CaRight,
    CaValue,
    CertificationAuthority,
    ConnectorHost,
    Disposition,
    Estate,
    Evidence,
    Found,
    Grant,
    InterfaceFlag,
    Issuance,
    Meta,
    Publish,
    SetCaRegistryValue,
    Template,
    Verdict,
    ca_access_check,
    cause,
    may_enroll,
    may_read,
)
from remediate.adcs.access_check import AccessDecision
from remediate.model.errors import UnknownFact

META = Meta(
    title="Denied by Policy Module",
    section="Denied by Policy Module",
    severity="high",
    impact="Requests for this template are refused.",
    codes=("0x80094012", "0x80094011", "0x80094809", "0x80094800", "0x80094014"),
    rights=("write access to the template", "CA administrator", "local administrator on the CA host"),
    disruption="CertSvc restarts once where RequestDisposition is set; otherwise none",
    undo="exactly the entries that were added are taken out; RequestDisposition as it was and a restart",
    symptoms=('Connector log: "IssuePfx - The submission failed: Denied by Policy Module"', "CA: events 53 and 7"),
    sources=("[MS-WCCE] 3.2.2.6.2.1.4.3", "[MS-CRTD] 2.5", "certsrv.h REQDISP_*", "Microsoft: Denied by Policy Module"),
)


def settled(decision: AccessDecision, where: str) -> AccessDecision:
    """Return a decision that is one. Raises UnknownFact where conditions of an entry could turn it."""
    if decision.verdict is Verdict.UNDETERMINED:
        raise UnknownFact(where, "a conditional entry decides, and only the server can judge its condition")
    return decision


@cause("The calling account lacks Read or Enroll", reads=("directory: nTSecurityDescriptor, tokenGroups",), fixes=True)
def caller_lacks_template_rights(template: Template, connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    caller, where = estate.caller(connector), template.at("nTSecurityDescriptor")
    read, enroll = (settled(check(template.descriptor, caller.token), where) for check in (may_read, may_enroll))
    lacks = {(True, False): "read the template but not enrol", (False, True): "enrol but not read the template"}
    can = lacks.get((read.is_granted, enroll.is_granted), "neither read the template nor enrol")
    evidence = (Evidence(where, f"gives this neither to the account nor to the {caller.group_count} groups it is in"),)
    if denied := read.denied_by or enroll.denied_by:
        denied_to = estate.directory.name_of(denied.ace.sid) if denied.ace.sid else "Somebody"
        who = f"{denied_to} is denied it by entry {denied.index + 1} of the DACL"
        first = "Have the owner of the denying entry take it out; then plan again."
        yield Found(f"{caller.name} may {can}.", (Evidence(where, who),), advice=(first,), refused=who, first=first)
    elif not (read.is_granted and enroll.is_granted):
        fix = Grant(template, caller.sid, caller.name, read=not read.is_granted, enroll=not enroll.is_granted)
        yield Found(f"{caller.name} may {can}.", evidence, fix=(fix,))


@cause("The calling account may request nothing from the CA", reads=("CA: Security, InterfaceFlags",))
def caller_lacks_ca_right(ca: CertificationAuthority, connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    caller, where = estate.caller(connector), ca.at("Security")
    if not settled(ca_access_check(ca.security, caller.token, desired=CaRight.ENROLL), where).is_granted:
        advice = (
            "Give it Request Certificates on the Security tab of the CA's properties, or take the denying entry out."
        )
        message = f"{caller.name} may not request certificates from {ca.name}."
        yield Found(message, (Evidence(where, "no Request Certificates"),), advice=(advice,), code="0x80094011")
    if InterfaceFlag.NOREMOTEICERTREQUEST in ca.interface_flags:
        evidence, advice = Evidence(ca.at("InterfaceFlags"), "has NOREMOTEICERTREQUEST"), "Ask who set it; take it out."
        yield Found("The CA takes no requests from other hosts.", (evidence,), advice=(advice,), code="0x80094011")


@cause(
    "The policy module denies every request", reads=("CA: RequestDisposition of the active policy module",), fixes=True
)
def policy_module_denies(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if ca.has_microsoft_policy_module and ca.request_disposition.denies_requests:
        evidence = Evidence(ca.at("RequestDisposition"), ca.request_disposition.describe())
        fix = SetCaRegistryValue(ca, CaValue.REQUEST_DISPOSITION, int(Disposition.ISSUE))
        yield Found("The policy module denies every request.", (evidence,), fix=(fix,), code="0x80094014")


@cause("The template wants signatures, or this CA does not offer it", reads=("directory: templates, CAs",), fixes=True)
def template_not_for_connector(issuance: Issuance, estate: Estate) -> Iterator[Found]:
    template, ca = issuance.template, issuance.ca
    if template.signatures_required:
        evidence = Evidence(template.at("msPKI-RA-Signature"), f"{template.signatures_required} required")
        advice = 'Untick "This number of authorized signatures" on Issuance Requirements; the connector cannot sign.'
        yield Found("The template wants signatures.", (evidence,), advice=(advice,), code="0x80094809")
    asked = any(p.template.lower() == template.name.lower() and estate.matches(p, ca) for p in estate.profiles)
    offers = [s for s in estate.directory.enrollment_services if template.name.lower() in s.published_names]
    if asked and offers and all(service is not ca.service for service in offers):
        evidence = Evidence(f"{ca.name} certificateTemplates", f"only {offers[0].display_name} lists {template.name}")
        message = f"{template.name} is published, but not on {ca.name}."
        yield Found(message, (evidence,), fix=(Publish(template, ca),), code="0x80094800")


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
