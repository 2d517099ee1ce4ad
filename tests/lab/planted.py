"""Every cause of the shipped playbooks, as it is planted in the healthy lab, and who is to find it.

An entry lists more than one cause only where one fault is by its nature both; the entry says why.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from remediate.adcs.flags import DIRECTORY_POLICY_ID
from tests.lab import intune_export
from tests.lab.authority import CertificationAuthority
from tests.lab.contoso import ENROLL, FULL, INTUNE_DESCRIPTOR, SECOND_CA
from tests.lab.hosts import LabHost
from tests.lab.planting import Ground
from tests.lab.registry_file import binary, number, text
from tests.lab.windows_hosts import CONNECTOR, ROOT_STORE, UNINSTALL, ca_key, policy_key

Outcome = Literal["planned", "advised", "refused", "missing"]
"""What becomes of a finding: actions, advice alone, a refused fix, or a fix that lacks a parameter."""

STATUS = f"{CONNECTOR}\\ConnectionStatus"
OLDER_STATUS = r"HKLM:\SOFTWARE\Microsoft\MicrosoftIntune\NDESConnector\ConnectionStatus"
SERVICES = r"HKLM:\SYSTEM\CurrentControlSet\Services"
DEFENDER_POLICY = r"HKLM:\SOFTWARE\Policies\Microsoft\Windows Defender"
POLICY_SERVERS = r"HKLM:\SOFTWARE\Microsoft\Cryptography\PolicyServers"
POLICY_SERVERS_BY_POLICY = r"HKLM:\SOFTWARE\Policies\Microsoft\Cryptography\PolicyServers"
NOWHERE = "127.0.0.99"
"""An address of the lab's network at which nothing listens."""

ADMINISTRATORS = f"D:PAI(A;;{FULL};;;DA)(A;;{FULL};;;LA)"
MAY_READ, MAY_ENROLL = "(A;;LCRPLORC;;;AU)", f"(OA;;CR;{ENROLL};;{{CONN1$}})"
DENIED = INTUNE_DESCRIPTOR.replace("D:PAI", f"D:PAI(OD;;CR;{ENROLL};;{{CONN1$}})")
CA_MANAGERS = "O:BAG:BAD:(A;;CCDC;;;DA)(A;;CCDC;;;BA)"


@dataclass(frozen=True)
class Planted:
    """A cause, how it is planted, and what comes of it. `shows` stands in the findings."""

    name: str
    found: tuple[str, ...]
    plant: Callable[[Ground], object]
    outcome: Outcome = "advised"
    shows: str = ""
    together: bool = True
    complete: bool = True

    @property
    def playbooks(self) -> set[str]:
        """The playbooks that are to find it."""
        return {cause.partition("/")[0] for cause in self.found}


def ca_value(name: str, value: int) -> Callable[[Ground], object]:
    """A number in the CA's configuration key."""
    return lambda ground: ground.lab.ca.registry.set(ca_key(), name, number(value))


def policy_value(name: str, value: int) -> Callable[[Ground], object]:
    """A number in the key of the CA's policy module."""
    return lambda ground: ground.lab.ca.registry.set(policy_key(), name, number(value))


def connector_value(name: str, value: int) -> Callable[[Ground], object]:
    """A number in the connector's key."""
    return lambda ground: ground.lab.connector.registry.set(CONNECTOR, name, number(value))


def event_128(ground: Ground) -> None:
    """The CA warned today that a request names a CA certificate."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"LogName": "Application", "ProviderName": "Microsoft-Windows-CertificationAuthority", "Id": 128}
    ground.lab.ca.change_state(events=[event | {"TimeCreated": now, "Properties": ["17"]}])


def event_128_and_value_off(ground: Ground) -> None:
    """The same, with UseDefinedCACertInRequest there and off."""
    event_128(ground)
    ground.lab.ca.registry.set(ca_key(), "UseDefinedCACertInRequest", number(0))


def leave_waiting(host: LabHost) -> None:
    """A request waits in the CA's queue."""
    row = {"RequestID": 17, "RequesterName": r"CONTOSO\CONN1$", "CommonName": "ada"}
    host.change_state(pending_requests=[row | {"CertificateTemplate": "IntunePKCS", "SubmittedWhen": "10:00"}])


def waiting_requests(ground: Ground) -> None:
    """Every request is set to pending, and one waits."""
    ground.lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101))
    leave_waiting(ground.lab.ca)


def request_to_resubmit(ground: Ground) -> None:
    """One waits, and is named to be decided once more."""
    leave_waiting(ground.lab.ca)
    ground.arguments.extend(("--set", "resubmit=17"))


def no_ca(ground: Ground) -> None:
    """The directory has no enrollment service."""
    dn = ground.lab.domain.enrollment_service_dn()
    ground.stack.enter_context(ground.lab.domain.restored(dn))
    ground.lab.domain.delete(dn)


def only_on_the_second_ca(ground: Ground) -> None:
    """The template is published, but not on the CA that the profile names."""
    ground.stack.enter_context(ground.lab.second_ca("IntunePKCS"))
    ground.publish("WebServer")


def deny_on_second_ca(ground: Ground) -> None:
    """The CA of ca02 stands in the directory too; it denies, refuses other hosts, and one request waits."""
    ground.stack.enter_context(ground.lab.second_ca("WebServer"))
    registry = ground.lab.hosts["ca02"].registry
    registry.set(policy_key(SECOND_CA), "RequestDisposition", number(2))
    registry.set(ca_key(SECOND_CA), "InterfaceFlags", number(0x643))
    leave_waiting(ground.lab.hosts["ca02"])
    ground.arguments.extend(("--set", "resubmit=ca02.contoso.test:17"))


def ca_grants(sddl: str) -> Callable[[Ground], object]:
    """The CA's own security descriptor."""
    return lambda ground: ground.lab.ca.registry.set(ca_key(), "Security", binary(ground.lab.domain.descriptor(sddl)))


def stopped(name: str, *, start_mode: str = "Auto", on: str = "ca01") -> Callable[[Ground], object]:
    """A service that does not run."""
    return lambda ground: ground.change_service(ground.lab.hosts[on], name, State="Stopped", StartMode=start_mode)


def not_excluded(ground: Ground) -> None:
    """A request lies in Failed, and Defender looks into the folders."""
    ground.leave_request("Failed")
    ground.change_defender(exclude=[])


def not_excluded_and(more: Callable[[Ground], object]) -> Callable[[Ground], object]:
    """The same, with something that keeps an administrator from mending it."""

    def plant(ground: Ground) -> None:
        not_excluded(ground)
        more(ground)

    return plant


def foreign_scanner(ground: Ground) -> None:
    """Another product's filter driver scans files."""
    ground.lab.connector.registry.set(f"{SERVICES}\\lpguard", "Group", text("FSFilter Anti-Virus"))


def no_requests(ground: Ground) -> None:
    """Not one request file lies on the connector."""
    for file in ground.requests.glob("*/*"):
        file.unlink()


def foreign_root(ground: Ground) -> None:
    """The trusted-root profile carries the root of another company."""
    root = CertificationAuthority.root("Fabrikam Root CA")
    certificate = b64encode(root.der).decode()
    ground.change_export(intune_export.ROOT, trustedRootCertificate=certificate)


def policy_server(ground: Ground) -> None:
    """Group Policy gives a list with one web service in it and nothing else."""
    registry = ground.lab.connector.registry
    registry.set(POLICY_SERVERS_BY_POLICY, "Flags", number(0))
    row = f"{POLICY_SERVERS_BY_POLICY}\\9f1d0f5e5a1a4a1f8f2b3c4d5e6f708192a3b4c5"
    registry.set(row, "URL", text("https://cep.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"))


def workgroup(ground: Ground) -> None:
    """The connector of conn2 is no member of a domain."""
    conn2 = ground.lab.hosts["conn2"]
    ground.connectors.append(conn2)
    conn2.change_state(computer=conn2.state()["computer"] | {"domain": "WORKGROUP", "part_of_domain": False})


def connector_version(version: str) -> Callable[[Ground], object]:
    """The version that stands in the list of installed programs."""
    program = f"{UNINSTALL}\\{{0C8FD0E2-6F35-4B0E-9C2B-1F6A5F3B7A10}}"
    return lambda ground: ground.lab.connector.registry.set(program, "DisplayVersion", text(version))


def older_generation(ground: Ground) -> None:
    """The current product does not stand in the list of installed programs."""
    ground.lab.connector.registry.delete(f"{UNINSTALL}\\{{0C8FD0E2-6F35-4B0E-9C2B-1F6A5F3B7A10}}")


def enrolled_by_all(ground: Ground) -> None:
    """All users may enrol from the template, which takes the subject from the request."""
    ground.set_template_dacl(f"{ADMINISTRATORS}{MAY_READ}{MAY_ENROLL}(OA;;CR;{ENROLL};;DU)")


def user_without_mail(ground: Ground) -> None:
    """A profile takes mail addresses, and one of its users has none."""
    ground.add_user(userPrincipalName="cy@contoso.test", mail=None)
    ground.change_export(intune_export.PROFILE, subjectAlternativeNameType="emailAddress")


def mail_of_another_group(ground: Ground) -> None:
    """A profile takes mail addresses of a group whose members were not exported."""
    profile = ground.export[intune_export.PROFILE]
    target = profile["assignments"][0]["target"] | {"groupId": "9b0d5a3e-0000-4000-8000-000000000001"}
    change = {"subjectAlternativeNameType": "emailAddress", "assignments": [{"target": target}]}
    ground.change_export(intune_export.PROFILE, **change)


def nothing_wrong(ground: Ground) -> None:
    """What looks like causes and is none, each as it also stands on estates that work."""
    event_128(ground)
    ground.lab.ca.registry.set(ca_key(), "UseDefinedCACertInRequest", number(1))
    ground.lab.ca.registry.set(policy_key(), "EditFlags", number(0x15014E))
    ground.lab.connector.registry.set(STATUS, "IssueDetails", text("0"))
    ground.lab.connector.registry.set(OLDER_STATUS, "", text("Disconnected"))
    ground.leave_request("Processing")
    ground.leave_request("Succeed", "0x00000000")
    policy_server(ground)
    row = f"{POLICY_SERVERS_BY_POLICY}\\{DIRECTORY_POLICY_ID}"
    ground.lab.connector.registry.set(row, "URL", text("LDAP:"))


HELD = ("submission_pending/policy_module_holds_requests",)
RESUBMIT = ("submission_pending/requests_to_resubmit",)
APPROVAL = ("submission_pending/template_wants_approval",)
DENIES = ("denied_by_policy_module/policy_module_denies",)
TEMPLATE_RIGHTS = ("denied_by_policy_module/caller_lacks_template_rights",)
CA_RIGHT = ("denied_by_policy_module/caller_lacks_ca_right",)
REFUSES_HOSTS = ("denied_by_policy_module/ca_refuses_other_hosts",)
NOT_FOR_CONNECTOR = ("denied_by_policy_module/template_not_for_connector",)
SUBJECT = ("subject_email_required/subject_from_directory",)
WRONG_HOST = ("rpc_server_unavailable/profile_names_wrong_host",)
NAMES_CERTIFICATE = ("rpc_server_unavailable/requests_name_a_ca_certificate",)
NOWHERE_PUBLISHED = ("rpc_server_unavailable/template_published_nowhere",)
NO_TEMPLATE = ("rpc_server_unavailable/template_does_not_exist",)
NO_ANSWER = ("rpc_server_unavailable/ca_does_not_answer",)
NO_REACH = ("rpc_server_unavailable/ca_out_of_reach",)
# A name that no CA has leads to either code, by what answers at that host.
WRONG_CA = ("parameter_incorrect/profile_names_wrong_ca", "rpc_server_unavailable/profile_names_no_ca")
NO_MAIL = ("parameter_incorrect/users_have_no_mail",)
NOT_ASSIGNED = ("parameter_incorrect/not_assigned",)
UNPROCESSED = ("stuck_pending/requests_unprocessed",)
NO_REQUEST = ("stuck_pending/no_request_came",)
WRONG_ROOT = ("stuck_pending/wrong_root",)
MIXED_UP = ("stuck_pending/trusted_root_mixed_up",)
# A folder that antivirus holds is only told when requests lie in it, and those are a finding of their own.
SCANNED = ("antivirus_exclusions/folders_not_excluded", *UNPROCESSED)
NO_CA = ("setup_requirements/directory_has_no_ca",)
STANDALONE = ("setup_requirements/ca_is_standalone",)
UNFIT = ("setup_requirements/template_does_not_fit",)
OLD = ("setup_requirements/connector_too_old",)
NOT_WORKING = ("setup_requirements/connector_does_not_work",)
UNTRUSTED = ("setup_requirements/root_not_trusted",)
SHUT_OUT = ("enrollment_policy_server_missing/flag_shuts_a_list_out",)
HIDDEN = ("enrollment_policy_server_missing/group_policy_hides_directory",)
# Out there SYSTEM is an account that no CA knows.
NO_POLICY_SERVER = ("enrollment_policy_server_missing/no_policy_server", *TEMPLATE_RIGHTS)

CAUSES = (
    Planted("disposition 0x101", HELD, waiting_requests, "planned", "1 waits and stays waiting: 17"),
    Planted("disposition absent", HELD, lambda g: g.lab.ca.registry.delete(policy_key(), "RequestDisposition"),
            "planned", "absent", together=False),
    Planted("disposition 0", HELD, policy_value("RequestDisposition", 0), "planned", "0x0", together=False),
    Planted("disposition 3", HELD, policy_value("RequestDisposition", 3), shows="0x3", together=False),
    Planted("policy module of somebody", HELD,
            lambda g: g.lab.ca.registry.set(f"{ca_key()}\\PolicyModules", "Active", text("Fabrikam.Policy")),
            shows="Fabrikam.Policy", together=False),
    Planted("request to resubmit", RESUBMIT, request_to_resubmit, "planned", "17", together=False),
    Planted("a request waits", RESUBMIT, lambda g: leave_waiting(g.lab.ca), shows="1 wait", together=False),
    Planted("template wants approval", APPROVAL, lambda g: g.set_template_bits("msPKI-Enrollment-Flag", 0x2),
            shows="0x3"),

    Planted("disposition 2", DENIES, policy_value("RequestDisposition", 2), "planned", "0x2", together=False),
    Planted("no Enroll", TEMPLATE_RIGHTS, lambda g: g.set_template_dacl(f"{ADMINISTRATORS}{MAY_READ}"),
            "planned", "but not enrol"),
    Planted("no Read", TEMPLATE_RIGHTS, lambda g: g.set_template_dacl(f"{ADMINISTRATORS}{MAY_ENROLL}"),
            "planned", "but not read", together=False),
    Planted("neither", TEMPLATE_RIGHTS, lambda g: g.set_template_dacl(ADMINISTRATORS),
            "planned", "neither read", together=False),
    Planted("denied Enroll", TEMPLATE_RIGHTS, lambda g: g.set_template_dacl(DENIED), "refused", "CONN1$",
            together=False),
    Planted("no right on the CA", CA_RIGHT, ca_grants(f"{CA_MANAGERS}(A;;0x200;;;{{CONN2$}})")),
    Planted("denied on the CA", CA_RIGHT, ca_grants(f"{CA_MANAGERS}(D;;0x200;;;{{CONN1$}})(A;;0x200;;;AU)"),
            together=False),
    Planted("no requests from other hosts", REFUSES_HOSTS, ca_value("InterfaceFlags", 0x643),
            shows="NOREMOTEICERTREQUEST", together=False),
    Planted("signatures", NOT_FOR_CONNECTOR, lambda g: g.change_template({"msPKI-RA-Signature": ["1"]}),
            shows="1 required"),
    Planted("published on another CA", NOT_FOR_CONNECTOR, only_on_the_second_ca, "planned", "Contoso Second CA",
            together=False),

    Planted("subject from the directory", SUBJECT,
            lambda g: g.change_template({"msPKI-Certificate-Name-Flag": ["-1509949440"]}), "planned", "0xa6000000"),

    Planted("wrong CA host", WRONG_HOST, lambda g: g.add_profile("Phones", certificationAuthority="ca1.contoso.test"),
            shows="ca1.contoso.test"),
    Planted("event 128", NAMES_CERTIFICATE, event_128, "planned", "absent, which counts as off"),
    Planted("event 128 and the value off", NAMES_CERTIFICATE, event_128_and_value_off, "planned", together=False),
    Planted("published nowhere", NOWHERE_PUBLISHED, lambda g: g.publish("WebServer"), "planned"),
    Planted("template by its display name", NO_TEMPLATE,
            lambda g: g.add_profile("Tablets", certificateTemplateName="Intune PKCS"), shows="Intune PKCS"),
    Planted("CertSvc stopped", NO_ANSWER, stopped("CertSvc"), "planned", "Stopped"),
    Planted("CertSvc disabled", NO_ANSWER, stopped("CertSvc", start_mode="Disabled"), shows="Disabled",
            together=False),
    Planted("no requests over RPC", NO_ANSWER, ca_value("InterfaceFlags", 0x649), shows="NORPCICERTREQUEST",
            together=False),
    Planted("CA's name unknown to the connector", NO_REACH,
            lambda g: g.lab.connector.resolve(g.lab.ca.fqdn, None), shows="does not resolve", together=False),
    Planted("TCP 135 closed", NO_REACH, lambda g: g.lab.connector.resolve(g.lab.ca.fqdn, NOWHERE), shows="TCP 135"),

    Planted("wrong CA name", WRONG_CA,
            lambda g: g.add_profile("Phones two", certificationAuthorityName="Contoso Issuing CA 1"),
            shows="Contoso Issuing CA 1"),
    Planted("users without mail", NO_MAIL, user_without_mail, shows="cy@contoso.test"),
    Planted("not assigned", NOT_ASSIGNED, lambda g: g.add_profile("Kiosks", assignments=[]), shows="Kiosks"),

    Planted("a request in Failed", UNPROCESSED, lambda g: g.leave_request("Failed", "PFR 1\n0x800706BA\n"),
            shows="0x800706BA"),
    Planted("a request in Processing", UNPROCESSED, lambda g: g.leave_request("Processing", minutes=20),
            shows="1 in Processing"),
    Planted("a code in Succeed", UNPROCESSED, lambda g: g.leave_request("Succeed", "-2146877418"),
            shows="0x80094016"),
    Planted("a subordinate's certificate for roots", MIXED_UP,
            lambda g: g.change_export(intune_export.INTERMEDIATE, destinationStore="computerCertStoreRoot")),
    Planted("a root's certificate for subordinates", MIXED_UP,
            lambda g: g.change_export(intune_export.ROOT, destinationStore="computerCertStoreIntermediate"),
            together=False),
    Planted("no request came", NO_REQUEST, no_requests, shows="no file",
            together=False),
    Planted("somebody else's root", WRONG_ROOT, foreign_root, shows="not a root of the directory"),

    Planted("folders scanned", SCANNED, not_excluded, "planned", "PfxRequest"),
    Planted("folders scanned by another product", SCANNED, not_excluded_and(foreign_scanner), shows="lpguard",
            together=False),
    Planted("Defender in passive mode", SCANNED,
            not_excluded_and(lambda g: g.change_defender(AMRunningMode="Passive Mode")), together=False),
    Planted("Defender protected against tampering", SCANNED,
            not_excluded_and(lambda g: g.change_defender(IsTamperProtected=True)), "refused", together=False),
    Planted("Defender's exclusions from a policy", SCANNED, not_excluded_and(
        lambda g: g.lab.connector.registry.set(f"{DEFENDER_POLICY}\\Exclusions\\Paths", r"C:\Data", text("0"))),
        "refused", together=False),
    Planted("Defender without local exclusions", SCANNED, not_excluded_and(
        lambda g: g.lab.connector.registry.set(DEFENDER_POLICY, "DisableLocalAdminMerge", number(1))),
        "refused", together=False),

    # Nor is there a host of a CA to be read.
    Planted("no CA in the directory", NO_CA, no_ca, together=False, complete=False),
    Planted("standalone CA", STANDALONE, ca_value("CAType", 4), shows="standalone subordinate"),
    Planted("a CA without templates", STANDALONE,
            lambda g: g.change(g.lab.domain.enrollment_service_dn(), {"flags": ["11"]}), together=False),
    Planted("key not exportable", UNFIT, lambda g: g.set_template_bits("msPKI-Private-Key-Flag", 0, clear=0x10)),
    Planted("certificates published", UNFIT, lambda g: g.set_template_bits("msPKI-Enrollment-Flag", 0x8)),
    Planted("no client authentication", UNFIT, lambda g: g.change_template(
        {"msPKI-Certificate-Application-Policy": ["1.3.6.1.5.5.7.3.1"], "pKIExtendedKeyUsage": ["1.3.6.1.5.5.7.3.1"]})),
    Planted("a template of Windows' own", UNFIT, lambda g: g.set_template_bits("flags", 0x10000), together=False),
    Planted("schema version 1", UNFIT, lambda g: g.change_template({"msPKI-Template-Schema-Version": ["1"]}),
            together=False),
    Planted("connector that cannot issue", OLD, connector_version("6.2101.12.0"), shows="6.2101.12.0"),
    Planted("connector that cannot map strongly", OLD, connector_version("6.2406.0.1000"), together=False),
    Planted("connector of the older generation", OLD, older_generation, shows="older generation", together=False),
    Planted("no security identifiers", OLD, connector_value("EnableSidSecurityExtension", 0)),
    Planted("service stopped", NOT_WORKING, stopped("PkiCreateConnectorSvc", on="conn1"),
            shows="PkiCreateConnectorSvc"),
    # Without a service nobody can say as whom this connector would call the CA.
    Planted("no service", NOT_WORKING, lambda g: g.lab.connector.change_state(services={}), shows="none of those",
            together=False, complete=False),
    Planted("PKCS switched off", NOT_WORKING, connector_value("EnablePFxCreate", 0)),
    Planted("connector complains", NOT_WORKING,
            lambda g: g.lab.connector.registry.set(STATUS, "IssueDetails", text("0x80072EE7")), shows="0x80072EE7"),
    Planted("older connector complains", NOT_WORKING,
            lambda g: g.lab.connector.registry.set(OLDER_STATUS, "IssueDetails", text("0x80072EFD")),
            shows="0x80072EFD"),
    Planted("root not trusted", UNTRUSTED, lambda g: g.lab.connector.registry.delete(ROOT_STORE)),

    Planted("lists of policy servers shut out", SHUT_OUT,
            lambda g: g.lab.connector.registry.set(POLICY_SERVERS, "Flags", number(0x6)), shows="0x6"),
    Planted("policy servers by Group Policy alone", HIDDEN, policy_server, shows="cep.contoso.test"),
    Planted("no policy server in a workgroup", NO_POLICY_SERVER, workgroup, "missing", "no row"),
)  # fmt: skip

NOTES = (
    Planted("antivirus looks into the folders", ("antivirus_exclusions/exclusions_to_consider",),
            lambda g: g.change_defender(exclude=[]), shows="no exclusion is planned"),
    Planted("mail that nobody exported", ("parameter_incorrect/mail_not_exported",), mail_of_another_group,
            shows="9b0d"),
    Planted("no right to revoke", ("setup_requirements/revoker_lacks_ca_right",),
            ca_grants("O:BAG:BAD:(A;;CCDC;;;DA)(A;;CC;;;BA)(A;;0x200;;;AU)"), shows="may not revoke"),
    Planted("the older connector's own words", ("setup_requirements/older_connector_says",),
            lambda g: g.lab.connector.registry.set(OLDER_STATUS, "", text("Disconnected")), shows="Disconnected"),
    Planted("any name for all users", ("subject_email_required/open_to_many",), enrolled_by_all, shows="Domain Users"),
    Planted("names from request attributes", ("subject_email_required/names_by_attribute",),
            policy_value("EditFlags", 0x15014E), shows="EDITF_ATTRIBUTESUBJECTALTNAME2"),
)  # fmt: skip
"""What is worth a note and is no finding."""
