"""The connector cannot reach the CA, or asks a host that is none: the RPC server is unavailable."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import (
    CaValue,
    CertificationAuthority,
    ConnectorHost,
    Estate,
    Evidence,
    Found,
    InterfaceFlag,
    Issuance,
    Meta,
    Profile,
    Publish,
    SetCaRegistryValue,
    StartCertSvc,
    cause,
)

META = Meta(
    title="The RPC server is unavailable",
    section="The RPC server is unavailable 0x800706BA",
    severity="high",
    impact="No request reaches the CA; every certificate of the profile fails.",
    codes=("0x800706BA", "0x80094800"),
    rights=("local administrator on the CA host", "CA administrator to publish", "Intune administrator for profiles"),
    disruption="CertSvc restarts once where a registry value is set: no certificates and no revocation lists meanwhile",
    undo="the value as it was (deleted where it was absent) and a restart; the template taken off the CA again",
    symptoms=("Connector log: IssuePfx, COMException 0x800706BA", "Connector log: IssuePfx, COMException 0x80094800"),
    sources=(
        "Microsoft: The RPC server is unavailable 0x800706BA",
        "certsrv.h InterfaceFlags",
        "[MS-WCCE] 3.2.2.6.2.1.4.7",
    ),
)


@cause("The profile names a host that no CA has", reads=("Intune: certificationAuthority", "directory: dNSHostName"))
def profile_names_wrong_host(profile: Profile, estate: Estate) -> Iterator[Found]:
    hosts = {service.host for service in estate.directory.enrollment_services}
    evidence = Evidence(f"profile {profile.name} certificationAuthority", profile.ca_host or "empty")
    advice = (
        f"Set Certification authority in the profile to the CA's FQDN; the directory knows {', '.join(sorted(hosts))}."
    )
    if profile.ca_host not in hosts:
        by_case = profile.ca_host.lower() in {host.lower() for host in hosts}
        weak = "Only upper and lower case differ, which DNS ignores." if by_case else ""
        yield Found(
            "No enrollment service carries the CA host of the profile.", (evidence,), advice=(advice,), weak=weak
        )


@cause(
    "Event 128 with UseDefinedCACertInRequest off",
    reads=("CA: event 128, UseDefinedCACertInRequest, CACertHash",),
    fixes=True,
)
def requests_name_a_ca_certificate(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    events = ca.document.event_128.need(ca.at("event 128"))
    if events and events.count and not ca.uses_defined_ca_cert:
        shown = "absent, which counts as off" if ca.uses_defined_ca_cert is None else "off"
        renewed = len(ca.certificate_hashes) > 1
        weak = "The event only warns, and the value is documented for OCSP responses after a renewal of the CA key; "
        weak += (
            "this CA has several certificates, which gives it some weight."
            if renewed
            else "this CA has one certificate."
        )
        seen = Evidence(f"{ca.name} event 128", f"{events.count} since {events.since}, last {events.last}")
        fix = SetCaRegistryValue(ca, CaValue.USE_DEFINED_CA_CERT_IN_REQUEST, int(True))
        evidence = (seen, Evidence(ca.at("UseDefinedCACertInRequest"), shown))
        yield Found("Requests name a CA certificate, which this CA does not heed.", evidence, fix=(fix,), weak=weak)


@cause("No CA offers the template", reads=("directory: certificateTemplates",), fixes=True)
def template_published_nowhere(issuance: Issuance, estate: Estate) -> Iterator[Found]:
    template, services = issuance.template, estate.directory.enrollment_services
    if not any(template.name.lower() in service.published_names for service in services):
        evidence = Evidence(
            f"{issuance.ca.name} certificateTemplates", f"does not list {template.name}, nor does any other CA"
        )
        fix = Publish(template, issuance.ca)
        yield Found(f"{template.name} is not published.", (evidence,), fix=(fix,), code="0x80094800")


@cause("The directory has no template of this name", reads=("Intune: certificateTemplateName", "directory: templates"))
def template_does_not_exist(estate: Estate) -> Iterator[Found]:
    for name in estate.template_names if estate.has_directory else ():
        if name.lower() not in estate.directory.templates:
            advice = "Give the template's name, which is its cn and has no blanks, not its display name."
            yield Found(f"No template is called {name}.", advice=(advice,), code="0x80094800")


@cause("The CA does not answer", reads=("CA: service CertSvc, InterfaceFlags",), fixes=True)
def ca_does_not_answer(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    service = ca.cert_service
    if service.state != "Running":
        evidence, disabled = (
            Evidence(ca.at("service CertSvc"), f"{service.state}, starts {service.start_mode}"),
            service.start_mode == "Disabled",
        )
        advice = ("It is disabled: find out who did that and why before it is started.",) if disabled else ()
        yield Found(
            "The CA's service does not run.", (evidence,), fix=() if disabled else (StartCertSvc(ca),), advice=advice
        )
    if InterfaceFlag.NORPCICERTREQUEST in ca.interface_flags:
        evidence = Evidence(ca.at("InterfaceFlags"), "has NORPCICERTREQUEST")
        yield Found(
            "The CA takes no requests over RPC.",
            (evidence,),
            advice=("Ask who set it; take it out, then restart CertSvc.",),
        )


@cause("The connector cannot reach the CA", reads=("connector: DNS, TCP 135",))
def ca_out_of_reach(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for ca in connector.document.certification_authorities:
        where = connector.at(f"to {ca.host}")
        if not ca.addresses.need(f"{where} addresses"):
            yield Found(
                f"{ca.host} does not resolve.", (Evidence(where, "no address"),), advice=("Mend the name in DNS.",)
            )
        elif not ca.rpc_endpoint_mapper.need(f"{where} TCP 135"):
            advice = "Open TCP 135 and the dynamic RPC ports 49152-65535 from the connector to the CA."
            yield Found(
                f"{ca.host} does not answer on TCP 135.", (Evidence(where, "TCP 135 closed"),), advice=(advice,)
            )


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
