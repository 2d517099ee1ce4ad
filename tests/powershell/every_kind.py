"""One fixed plan that holds every kind of change: for the golden files, for what 5.1 has, for benchmarks.

`alone` is the same plan with the actions of one kind and no dependencies on the others.
"""

from __future__ import annotations

import uuid

import msgspec

from remediate.model.finding import Evidence, Finding, Target
from remediate.model.places import (
    ExclusionPlace,
    PendingRequestPlace,
    Place,
    PolicyServerPlace,
    PublishingPlace,
    RegistryPlace,
    ServicePlace,
    TemplatePlace,
)
from remediate.model.plan import (
    Action,
    ExclusionState,
    Plan,
    PolicyServerState,
    PublishedState,
    RegistryState,
    RequestState,
    ServiceState,
    State,
    TargetIdentity,
    TemplateState,
)

CA, CONNECTOR, OTHER_CA = "ca01.contoso.test", "conn1.contoso.test", "ca02.contoso.test"
SERVICES = "CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=test"
TEMPLATE = f"CN=IntunePKCS,CN=Certificate Templates,{SERVICES}"
CA_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration\Contoso Issuing CA"
POLICY_KEY = rf"{CA_KEY}\PolicyModules\CertificateAuthority_MicrosoftDefault.Policy"
URL = "https://ces.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
FOLDER = r"C:\Program Files\Microsoft Intune\PfxRequest"
REPLICATION = "after replication to the CA's domain controller; the CA reads templates again on its own schedule"
CA_RIGHTS, CONNECTOR_RIGHTS = "local administrator on the CA host", "local administrator on the connector host"
# A self-relative descriptor with a DACL alone ([MS-DTYP] 2.4.6): Authenticated Users read; and CONN1$ may enroll.
ENROLL_RIGHT = uuid.UUID("0e10c968-78fb-11d2-90d4-00c04f79dc55").bytes_le.hex()
HEADER = "01000490" + 12 * "00" + "14000000"
MAY_READ = "00001400" + "94000200" + "0101000000000005" + "0b000000"
MAY_ENROLL = (
    "05003800" + "00010000" + "01000000" + ENROLL_RIGHT + "0105000000000005" + "15000000" + 12 * "11" + "51040000"
)
READ = HEADER + "02001c00" + "01000000" + MAY_READ
WRITTEN = HEADER + "02005400" + "02000000" + MAY_READ + MAY_ENROLL


def _finding(playbook: str, kind: str, name: str, message: str, **more: object) -> Finding:
    return Finding(id=f"{playbook}/{name}", playbook=playbook, cause="cause", target=Target(kind, name),
                   message=message, **more)  # type: ignore[arg-type]  # fmt: skip


DENIED = _finding("denied_by_policy_module", "template", "IntunePKCS for conn1.contoso.test",
                  r"CONTOSO\CONN1$ may read the template but not enrol.", code="0x80094012",
                  evidence=(Evidence("CN=IntunePKCS nTSecurityDescriptor", "gives this to nobody"),))  # fmt: skip
SUBJECT = _finding("subject_email_required", "template", "IntunePKCS",
                   "IntunePKCS builds the subject from the directory.", code="0x80094812")  # fmt: skip
PENDING = _finding("submission_pending", "ca", "Contoso Issuing CA", "The policy module sets every request to pending.",
                   evidence=(Evidence(r"ca01 RequestDisposition", "0x101 (issue, but pending first)"),))  # fmt: skip
STOPPED = _finding("rpc_server_unavailable", "ca", "Other CA", "The CA's service does not run.", code="0x800706BA")
POLICY_SERVER = _finding("enrollment_policy_server_missing", "connector", CONNECTOR, "No policy server is known.",
                         code="0x80094015")  # fmt: skip
ANTIVIRUS = _finding("antivirus_exclusions", "connector", CONNECTOR, "Antivirus looks into the connector's folders.",
                     weak="That antivirus holds the requests is a possibility, not seen.")  # fmt: skip
FINDINGS = (DENIED, SUBJECT, PENDING, STOPPED, POLICY_SERVER, ANTIVIRUS)
BECAUSE = {1: (DENIED, SUBJECT), 2: (SUBJECT,), 3: (PENDING,), 4: (PENDING,), 5: (), 6: (STOPPED,), 7: (POLICY_SERVER,),
           8: (ANTIVIRUS,)}  # fmt: skip

# As the plan tells it.
TEMPLATE_DIFF = (
    "msPKI-Certificate-Name-Flag", "  - 0 (0x0)", "  + 1 (0x1)  ENROLLEE_SUPPLIES_SUBJECT", "DACL",
    r"  + allow  CONTOSO\CONN1$  Enroll   "
    "(OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;S-1-5-21-286331153-286331153-286331153-1105)",
    "    1 entries of others stay byte for byte", "msPKI-Template-Minor-Revision 3 -> 4",
)  # fmt: skip


def _action(number: int, kind: str, place: Place, states: tuple[State, State], label: str, **more: object) -> Action:
    plain = {"id": number, "kind": kind, "target": Target("ca", "Contoso Issuing CA"), "place": place, "address": label,
             "label": label, "before": states[0], "after": states[1], "diff": (label,),
             "because": tuple(finding.id for finding in BECAUSE[number])}  # fmt: skip
    return Action(**(plain | more))  # type: ignore[arg-type]


def _directory() -> tuple[Action, ...]:
    dacl = TemplateState({"msPKI-Certificate-Name-Flag": 0, "msPKI-Template-Minor-Revision": 3}, bytes.fromhex(READ))
    wanted = TemplateState({"msPKI-Certificate-Name-Flag": 1, "msPKI-Template-Minor-Revision": 4},
                           bytes.fromhex(WRITTEN))  # fmt: skip
    service = PublishingPlace(f"CN=Contoso Issuing CA,CN=Enrollment Services,{SERVICES}", "5a" * 16, "IntunePKCS")
    return (
        _action(1, "template", TemplatePlace(TEMPLATE, "6b" * 16), (dacl, wanted),
                r"template IntunePKCS: subject name supplied in the request, and CONTOSO\CONN1$ gets Enroll",
                diff=TEMPLATE_DIFF,
                rights="write access to the template: Enterprise Admins, or delegated on this object",
                takes_effect=REPLICATION),
        _action(2, "publish_template", service, (PublishedState(False), PublishedState(True)),
                "publish IntunePKCS on Contoso Issuing CA", depends_on=(1,), takes_effect=REPLICATION,
                rights="write access to the enrollment service object: Enterprise Admins, or delegated on this object"),
    )  # fmt: skip


def _ca() -> tuple[Action, ...]:
    disposition = RegistryPlace(CA, POLICY_KEY, "RequestDisposition", r"policy\RequestDisposition")
    running, dword = ServiceState("Running"), "REG_DWORD"
    restart = "no certificates and no revocation lists while it restarts"
    return (
        _action(3, "ca_registry_value", disposition,
                (RegistryState(dword, 0x101), RegistryState(dword, 1)), "RequestDisposition 0x101 -> 0x1 on ca01",
                rights=CA_RIGHTS, takes_effect="when CertSvc has restarted", restarts="CertSvc", depends_on=(2,)),
        _action(4, "restart_service", ServicePlace(CA, "CertSvc"), (running, running), "restart CertSvc on ca01, once",
                rights=CA_RIGHTS, disruption=restart, depends_on=(2, 3)),
        _action(5, "pending_request", PendingRequestPlace(CA, 1207), (RequestState(True), RequestState(False)),
                "decide once more on request 1207 of CONTOSO\\CONN1$", depends_on=(4,), takes_effect="at once",
                rights="Issue and Manage Certificates on the CA",
                undo_missing="a certificate that was issued can only be revoked"),
        _action(6, "start_service", ServicePlace(OTHER_CA, "CertSvc"), (ServiceState("Stopped"), running),
                "start CertSvc on ca02, once", rights=CA_RIGHTS),
    )  # fmt: skip


def _connector() -> tuple[Action, ...]:
    return (
        _action(7, "policy_server", PolicyServerPlace(CONNECTOR, URL), (PolicyServerState(), PolicyServerState(URL)),
                f"enrollment policy server {URL} on conn1", rights=CONNECTOR_RIGHTS,
                disruption="the cmdlet contacts the URL while it adds it",
                takes_effect="at the next request"),
        _action(8, "defender_exclusions", ExclusionPlace(CONNECTOR), (ExclusionState(()), ExclusionState((FOLDER,))),
                "Defender exclusions on conn1", rights=CONNECTOR_RIGHTS, takes_effect="at once"),
    )  # fmt: skip


def _identities() -> tuple[TargetIdentity, ...]:
    machine, thumbprint = "4a466256-1616-4b62-995f-781af4d5491e", "ED98E70BE878383F50F941B02A392CD85B062774"
    keys = {"MachineGuid": machine, "certificate_thumbprint": thumbprint}
    domain = {"domain": "contoso.test", "domain_objectGUID": "d23661d2-c016-4dac-9f75-28b9518ac661"}
    return (
        TargetIdentity(kind="directory", name="dc1.contoso.test", identity=domain),
        *(TargetIdentity(kind="ca", name=host, identity=keys | _called(host)) for host in (CA, OTHER_CA)),
        TargetIdentity(kind="connector", name=CONNECTOR, identity={"MachineGuid": machine} | _called(CONNECTOR)),
    )


def _called(host: str) -> dict[str, str]:
    return {"ComputerName": host.partition(".")[0].upper()}


PLAN = Plan(
    format_version="1.0", remediate="0.1.0", created="2026-11-23T09:12:00Z", expires_at="2026-11-30T09:12:00Z",
    playbooks={}, options={}, complete=True, targets=_identities(), findings=FINDINGS,
    actions=(*_directory(), *_ca(), *_connector()),
)  # fmt: skip
KINDS_OF_CHANGE = tuple(action.kind for action in PLAN.actions)


def alone(kind: str) -> Plan:
    """Return the plan with what is of one kind only."""
    kept = tuple(msgspec.structs.replace(a, depends_on=()) for a in PLAN.actions if a.kind == kind)
    return msgspec.structs.replace(PLAN, actions=kept)
