"""What Intune's PKCS certificates need before anything else: CA, template, connector, trusted root."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import CertificationAuthority, ConnectorHost, Estate, Found, Meta, Template, cause

META = Meta(
    title="Requirements of the set-up",
    section="Before you start",
    severity="medium",
    impact="Without them no certificate is issued, or devices and domain controllers do not accept it.",
    rights=("write access to the template", "local administrator on the connector host"),
    undo="nothing is changed",
    symptoms=("The connector is shown as inactive in Intune", "Certificates arrive but cannot be used"),
    sources=("Microsoft: Configure and use PKCS certificates with Intune", "certsrv.h CAType", "[MS-CRTD] 2.26, 2.27"),
)


@cause("The directory knows no CA", reads="directory: enrollment services")
def directory_has_no_ca(estate: Estate) -> Iterator[Found]:
    if estate.has_directory and not estate.directory.enrollment_services:
        advice = "Install AD CS as an enterprise CA, or read the domain that has one: connectors find it nowhere else."
        yield Found("No enrollment service stands in the directory.", advice=advice)


@cause("The CA is not an enterprise CA", reads=("directory: flags of the enrollment service", "CA: CAType"))
def ca_is_standalone(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if seen := ca.standalone:
        yield Found(f"{ca.name} is no enterprise CA.", seen, advice="Use an enterprise CA in the profiles.")


@cause("The connector may not revoke", reads=("CA: Security", "connector: services"), informs=True)
def revoker_lacks_ca_right(ca: CertificationAuthority, connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    revoker = estate.revoker(connector)
    if revoker is not None and not ca.lets_revoke(revoker):
        message = f"{revoker.name} may not revoke on {ca.name}; issuing does not need it."
        yield Found(message, advice="For revocation give it Issue and Manage Certificates on the CA's Security tab.")


@cause("The template does not fit", reads="directory: template")
def template_does_not_fit(template: Template, estate: Estate) -> Iterator[Found]:
    for misfit in estate.misfits(template):
        seen = template.evidence(misfit.attribute, misfit.shows)
        yield Found(f"{template.name} does not fit: {misfit.shows}.", seen, advice=misfit.advice)


@cause("The connector is too old", reads="connector: version, EnableSidSecurityExtension")
def connector_too_old(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    product = connector.product
    if lacks := product.too_old:
        advice = "Install the current Certificate Connector for Microsoft Intune."
        yield Found(f"This connector {lacks}.", product.version_evidence(), advice=advice)
    if not product.is_older_generation and not product.writes_security_identifiers:
        seen = connector.evidence("EnableSidSecurityExtension", "absent or off")
        advice = "Set it to 1 and restart the connector's services, or certificates of users map weakly (KB5014754)."
        yield Found("Certificates carry no security identifier.", seen, advice=advice)


@cause("The connector does not work", reads="connector: services, EnablePFxCreate, ConnectionStatus")
def connector_does_not_work(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    for trouble in connector.product.troubles():
        yield Found("The connector does not work.", trouble, advice="Mend it on this host.")


@cause("What the older connector says of itself", reads="connector: ConnectionStatus of NDESConnector", informs=True)
def older_connector_says(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    if said := connector.product.undecided_status:
        yield Found(f"The older connector's ConnectionStatus is: {said}", advice="Judge it by hand; no code is in it.")


@cause("The host does not trust the root", reads=("connector: trusted roots", "directory: root certificates"))
def root_not_trusted(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    roots = estate.directory.root_thumbprints
    if roots and roots.isdisjoint(connector.trusted_thumbprints):
        seen = connector.evidence("trusted roots", f"none of {', '.join(sorted(roots))}")
        yield Found("No root of the directory is trusted here.", seen, advice="Install the CA's root certificate.")


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
