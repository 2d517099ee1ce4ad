"""What Intune's PKCS certificates need before anything else: CA, template, connector, trusted root."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from remediate import (
    CertificationAuthority,
    ConnectorHost,
    EnrollmentFlag,
    Estate,
    Evidence,
    Found,
    Meta,
    PrivateKeyFlag,
    Template,
    cause,
)
from remediate.model.errors import UnknownFact

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
# Before the first no certificate is issued; before the second there is no security identifier in them.
CAN_ISSUE, CAN_MAP_STRONGLY = (6, 2101, 13, 0), (6, 2406, 0, 1001)
STANDALONE_TYPES = {3: "standalone root", 4: "standalone subordinate"}


@cause("The CA is not an enterprise CA", reads=("directory: flags of the enrollment service", "CA: CAType"))
def ca_is_standalone(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    kind = STANDALONE_TYPES.get(ca.document.ca_type.need(ca.at("CAType")) or 0, "")
    if kind or (ca.service is not None and ca.service.is_standalone):
        evidence = Evidence(ca.at("CAType"), kind or "its enrollment service supports no templates")
        yield Found(f"{ca.name} is no enterprise CA.", (evidence,), advice=("Use an enterprise CA in the profiles.",))


@cause("The template does not fit", reads=("directory: template",))
def template_does_not_fit(template: Template, estate: Estate) -> Iterator[Found]:
    exportable = PrivateKeyFlag.EXPORTABLE_KEY in template.private_key_flag
    published = EnrollmentFlag.PUBLISH_TO_DS in template.enrollment_flag
    wrong = [("msPKI-Private-Key-Flag", "lacks EXPORTABLE_KEY", 'Tick "Allow private key to be exported".')] * (
        not exportable
    )
    wrong += [("msPKI-Enrollment-Flag", "has PUBLISH_TO_DS", 'Untick "Publish certificate in AD".')] * published
    wrong += [("key usages", "no client authentication", "Add Client Authentication.")] * (not template.authenticates)
    wrong += [("origin", why, "Duplicate it and use the copy.") for why in [template.must_be_duplicated] if why]
    for attribute, shows, advice in wrong:
        yield Found(
            f"{template.name} does not fit: {shows}.", (Evidence(template.at(attribute), shows),), advice=(advice,)
        )


@cause("The connector is too old", reads=("connector: version, EnableSidSecurityExtension",))
def connector_too_old(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    text = connector.document.connector_version.need_value(connector.at("connector version"))
    parts = text.split(".")
    if not all(part.isdecimal() for part in parts):
        raise UnknownFact(connector.at("connector version"), f"{text!r} is no version")
    version, seen = tuple(map(int, parts)), (Evidence(connector.at("connector version"), text),)
    if version < CAN_MAP_STRONGLY:
        lacks = "issues no certificates any more" if version < CAN_ISSUE else "cannot write security identifiers"
        yield Found(f"This connector {lacks}.", seen, advice=("Install the current Certificate Connector for Intune.",))
    if connector.document.enable_sid_security_extension.need(connector.at("EnableSidSecurityExtension")) != int(True):
        advice = "Set it to 1 and restart the connector's services, or certificates of users map weakly (KB5014754)."
        seen = (Evidence(connector.at("EnableSidSecurityExtension"), "absent or off"),)
        yield Found("Certificates carry no security identifier.", seen, advice=(advice,))


@cause("The connector does not work", reads=("connector: services, EnablePfxCreate, ConnectionStatus",))
def connector_does_not_work(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    said, document = [], connector.document
    said += [
        (f"service {s.name}", f"{s.state}, starts {s.start_mode}")
        for s in connector.pkcs_services
        if s.state != "Running"
    ]
    said += [("services", "none of those that ask for PKCS certificates")] * (not connector.pkcs_services)
    said += [("EnablePFxCreate", "off")] * (document.pkcs_enabled.need(connector.at("EnablePFxCreate")) == int(False))
    current = document.connection_status.need(connector.at("PFXCertificateConnector\\ConnectionStatus"))
    for status in filter(None, (current, document.legacy_connection_status.if_known())):
        said += [("ConnectionStatus", status.issue)] if status.issue.strip() not in ("", "0") else []
    for where, shows in said:
        yield Found(
            "The connector does not work.", (Evidence(connector.at(where), shows),), advice=("Mend it on this host.",)
        )


@cause("The host does not trust the root", reads=("connector: trusted roots", "directory: root certificates"))
def root_not_trusted(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    roots = {hashlib.sha1(der, usedforsecurity=False).hexdigest().upper() for der in estate.directory.root_certificates}
    trusted = {"".join(t.split()).upper() for t in connector.document.trusted_roots.need(connector.at("roots")) or ()}
    if roots and not roots & trusted:
        evidence = Evidence(connector.at("trusted roots"), f"none of {', '.join(sorted(roots))}")
        yield Found(
            "No root of the directory is trusted here.", (evidence,), advice=("Install the CA's root certificate.",)
        )


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
