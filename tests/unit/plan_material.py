"""Made-up plans: one with a block of every sort, one of a healthy estate."""

from __future__ import annotations

from typing import Any

from remediate.model.finding import Evidence, Finding, NotPlanned, Refusal, Target, Unknown
from remediate.model.places import RegistryPlace, ServicePlace, TemplatePlace
from remediate.model.plan import Action, Obtains, Plan, RegistryState, ServiceState, TemplateState

CA = Target("ca", "Contoso Issuing CA")
TEMPLATE = Target("template", "IntunePKCS")
CONNECTOR = Target("connector", "conn2.contoso.test")
POLICY = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\Contoso Issuing CA\\PolicyModules\\Module"


def _finding(playbook: str, target: Target, message: str, code: str = "", **more: Any) -> Finding:
    name = f"{playbook}/cause/{target.name}"
    return Finding(id=name, playbook=playbook, cause="cause", target=target, message=message, code=code, **more)


DENIED = _finding(
    "denied_by_policy_module",
    TEMPLATE,
    "CONTOSO\\CONN1$ may read the template but not enrol.",
    "0x80094012",
    evidence=(Evidence("dc1, IntunePKCS, nTSecurityDescriptor", "no entry of the DACL allows Enroll to it"),),
)
PENDING = _finding(
    "submission_pending",
    CA,
    "The policy module sets every request to pending.",
    evidence=(Evidence("ca01, RequestDisposition", "it is 0x101 (issue, but pending first)"),),
)
SUBJECT = _finding("subject_email_required", TEMPLATE, "The template builds the subject.", "0x80094812")
POLICY_SERVER = _finding("enrollment_policy_server_missing", CONNECTOR, "No policy server applies.", "0x80094015")
PROFILE = _finding(
    "parameter_incorrect",
    Target("profile", "PKCS | Sales"),
    "The profile is not assigned.",
    "0x80070057",
    advice=("Assign it to a group of devices.",),
    next_playbooks=("setup_requirements",),
)

GRANT = Action(
    id=1,
    kind="grant",
    target=TEMPLATE,
    place=TemplatePlace("CN=IntunePKCS,CN=Certificate Templates", "5e1c0000-0000-0000-0000-000000000000"),
    address="CN=IntunePKCS,CN=Certificate Templates nTSecurityDescriptor",
    label="CN=IntunePKCS  DACL",
    before=TemplateState({}, b"1"),
    after=TemplateState({}, b"2"),
    diff=(
        "+ allow  CONTOSO\\CONN1$  Enroll   (OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;S-1-5-21-1-2-3-1104)",
        "  7 entries of others stay byte for byte",
    ),
    because=(DENIED.id,),
    undo="take out this entry",
    takes_effect="after replication to the CA's domain controller",
)
DISPOSITION = Action(
    id=2,
    kind="registry",
    target=CA,
    place=RegistryPlace("ca01.contoso.test", POLICY, "RequestDisposition", "policy\\RequestDisposition"),
    address=f"ca01 {POLICY} RequestDisposition",
    label="RequestDisposition  REG_DWORD",
    before=RegistryState("REG_DWORD", 0x101),
    after=RegistryState("REG_DWORD", 1),
    diff=("- 0x101  pending first", "+ 0x1    issue"),
    because=(PENDING.id,),
    undo="0x101 and a restart",
)
RESTART = Action(
    id=3,
    kind="restart",
    target=CA,
    place=ServicePlace("ca01.contoso.test", "CertSvc"),
    address="ca01 CertSvc",
    label="ca01 CertSvc, once",
    before=ServiceState("Running"),
    after=ServiceState("Running"),
    diff=(),
    because=(PENDING.id,),
    depends_on=(2,),
    restarts="CertSvc",
    disruption="no certificates and no revocation lists while it restarts",
    undo_missing="a restart is only repeated",
)

HEALTHY = Plan(
    format_version="1.0",
    remediate="0.1.0",
    playbooks={"submission_pending": "1"},
    options={},
    complete=True,
    created="2026-11-23T09:12:00Z",
    expires_at="2026-11-30T09:12:00Z",
    heading=("contoso.test, read 2026-11-23 09:12 UTC",),
)

BROKEN = Plan(
    format_version="1.0",
    remediate="0.1.0",
    playbooks={"submission_pending": "1"},
    options={},
    complete=False,
    created="2026-11-23T09:12:00Z",
    expires_at="2026-11-30T09:12:00Z",
    heading=("contoso.test, read 2026-11-23 09:12 UTC from dc1", "CA Contoso Issuing CA on ca01"),
    findings=(DENIED, PENDING, SUBJECT, POLICY_SERVER, PROFILE),
    actions=(GRANT, DISPOSITION, RESTART),
    refused=(
        Refusal(
            finding=SUBJECT.id,
            guard="esc1",
            reason="CONTOSO\\Domain Users could obtain a logon certificate in any name.",
            first="take Enroll from Domain Users; then change 1; then plan again",
        ),
    ),
    not_planned=(
        NotPlanned(finding=POLICY_SERVER.id, why="its URL is not known: give --set policy_server_url=https://..."),
    ),
    unknown=(
        Unknown(
            playbook="antivirus_exclusions",
            cause="a",
            target=CONNECTOR,
            fact="Defender's exclusions",
            why="access is denied",
            code="0x80070005",
        ),
        Unknown(
            playbook="stuck_pending",
            cause="b",
            target=CONNECTOR,
            fact="PfxRequest",
            why="access is denied",
            code="0x80070005",
        ),
        Unknown(
            playbook="submission_pending",
            cause="c",
            target=CA,
            fact="waiting requests",
            why="certutil failed",
            needed=False,
        ),
    ),
    not_asked=("Intune profiles: --intune DIR",),
    gained=(
        Obtains("CONTOSO\\CONN1$", "IntunePKCS", "Contoso Issuing CA", "own", authentication=True),
        Obtains("CONTOSO\\Domain Users", "User", "Contoso Issuing CA", "own", broad=True),
    ),
    lost=(Obtains("CONTOSO\\Domain Users", "User", "Contoso Issuing CA", "own", held=True, broad=True),),
)
