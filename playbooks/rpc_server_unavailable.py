"""The connector cannot reach the CA, or asks a host that is none: the RPC server is unavailable."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import CertificationAuthority, ConnectorHost, Estate, Found, Issuance, Meta, Profile, cause, intents

META = Meta(
    title="The RPC server is unavailable",
    section="The RPC server is unavailable 0x800706BA",
    severity="high",
    impact="No request reaches the CA; every certificate of the profile fails.",
    codes=("0x800706BA", "0x80094800"),
    rights=("local administrator on the CA host", "write access to the enrollment service", "Intune administrator"),
    disruption="CertSvc restarts once where a registry value is set: no certificates and no revocation lists meanwhile",
    undo="the value as it was (deleted where it was absent) and a restart; the template taken off the CA again",
    symptoms=("Connector log: IssuePfx, COMException 0x800706BA", "Connector log: IssuePfx, COMException 0x80094800"),
    sources=("Microsoft: The RPC server is unavailable", "certsrv.h InterfaceFlags", "[MS-WCCE] 3.2.2.6.2.1.4.7"),
)


@cause("The profile names a host that no CA has", reads=("Intune: certificationAuthority", "directory: dNSHostName"))
def profile_names_wrong_host(profile: Profile, estate: Estate) -> Iterator[Found]:
    if wrong := estate.wrong_host(profile):
        yield Found(wrong.message, *wrong.evidence, advice=wrong.advice)


@cause("The profile names a CA that is none", reads=("Intune: certificationAuthorityName", "directory: displayName"))
def profile_names_no_ca(profile: Profile, estate: Estate) -> Iterator[Found]:
    if wrong := estate.wrong_name(profile, anywhere=True):
        yield Found(wrong.message, *wrong.evidence, advice=wrong.advice, weak=wrong.weak)


@cause("Event 128 while its switch is off", reads="CA: event 128 (or logs), UseDefinedCACertInRequest", fixes=True)
def requests_name_a_ca_certificate(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    warnings = tuple(ca.warnings_of_event_128(estate.logged("event_128", host=ca.host)))
    if warnings and not ca.uses_defined_ca_cert:
        has = "several certificates, which gives some weight" if len(ca.certificate_hashes) > 1 else "one certificate"
        weak = f"The event only warns; the value is for OCSP after a renewal of the CA key, and this CA has {has}."
        shown = "absent, which counts as off" if ca.uses_defined_ca_cert is None else "off"
        seen = (*warnings, ca.evidence("UseDefinedCACertInRequest", shown))
        fix = intents.heed_ca_certificate_of_requests(ca)
        yield Found("Requests name a CA certificate, which this CA does not heed.", *seen, fix=fix, weak=weak)


@cause("No CA offers the template", reads="directory: certificateTemplates", fixes=True)
def template_published_nowhere(issuance: Issuance, estate: Estate) -> Iterator[Found]:
    template, ca = issuance.template, issuance.ca
    if not any(service.offers(template) for service in estate.directory.enrollment_services):
        shows = f"does not list {template.name}, nor does any other CA"
        seen = ca.enrollment_service.evidence("certificateTemplates", shows)
        fix, which = intents.Publish(template, ca), "the one CA that is to offer it: --ca, or the profile with --intune"
        missing = which if estate.has_a_choice_of_cas(template) else ""
        yield Found(f"{template.name} is not published.", seen, fix=fix, missing=missing, code="0x80094800")


@cause("The directory has no template of this name", reads=("Intune: certificateTemplateName", "directory: templates"))
def template_does_not_exist(estate: Estate) -> Iterator[Found]:
    for name in estate.template_names if estate.has_directory else ():
        if name.lower() not in estate.directory.templates:
            advice = "Give the template's name, which is its cn and has no blanks, not its display name."
            yield Found(f"No template is called {name}.", advice=advice, code="0x80094800")


@cause("The CA does not answer", reads="CA: service CertSvc, InterfaceFlags", fixes=True)
def ca_does_not_answer(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if ca.cert_service.state != "Running":
        disabled, stopped = ca.cert_service.start_mode == "Disabled", ca.cert_service.state == "Stopped"
        later = "" if stopped else "It is on its way or paused: look again in a minute."
        advice = "It is disabled: find out who did that and why before it is started." if disabled else later
        fix = intents.StartCertSvc(ca) if stopped and not disabled else ()
        yield Found("The CA's service does not run.", ca.service_evidence(), fix=fix, advice=advice)
    if not ca.takes_rpc_requests:
        seen = ca.evidence("InterfaceFlags", "has NORPCICERTREQUEST")
        advice = "Ask who set it; take it out, then restart CertSvc."
        yield Found("The CA takes no requests over RPC.", seen, advice=advice)


@cause("The connector cannot reach the CA", reads="connector: DNS, TCP 135")
def ca_out_of_reach(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for ca in connector.document.certification_authorities:
        to = f"to {ca.host}"
        if not ca.addresses.need(connector.at(f"{to} addresses")):
            seen = connector.evidence(to, "no address")
            yield Found(f"{ca.host} does not resolve.", seen, advice="Mend the name in DNS.")
        elif not ca.rpc_endpoint_mapper.need(connector.at(f"{to} TCP 135")):
            seen = connector.evidence(to, "TCP 135 closed")
            advice = "Open TCP 135 and the dynamic RPC ports 49152-65535 from the connector to the CA."
            yield Found(f"{ca.host} does not answer on TCP 135.", seen, advice=advice)


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
