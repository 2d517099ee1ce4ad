"""Intents become actions: before and after bound from one snapshot, merged, ordered, numbered.

One action per template, whatever was wanted of it, because a directory write is one modify that compares the minor
revision; one publish per template and CA; one restart per CA host, after everything that asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from remediate.actions.intents import (
    AddExclusions,
    AddPolicyServer,
    CaValue,
    Grant,
    Intent,
    Publish,
    ResubmitRequest,
    SetCaRegistryValue,
    SetNameFlag,
    StartCertSvc,
)
from remediate.adcs.ace import Ace, enroll_ace, read_ace
from remediate.adcs.dacl_edit import DaclEdit, add_aces
from remediate.adcs.flags import CertificateNameFlag, RequestDisposition, names, signed, unsigned
from remediate.adcs.sddl import ace_to_sddl
from remediate.facts.directory import Template
from remediate.facts.estate import Estate
from remediate.facts.hosts import CertificationAuthority, short_name
from remediate.model.finding import Target
from remediate.model.places import (
    ExclusionPlace,
    PendingRequestPlace,
    PolicyServerPlace,
    PublishingPlace,
    RegistryPlace,
    ServicePlace,
    TemplatePlace,
)
from remediate.model.plan import (
    AT_ONCE,
    Action,
    ExclusionState,
    PolicyServerState,
    PublishedState,
    RegistryState,
    RequestState,
    ServiceState,
    TemplateState,
)

# The minor revision is an int32 and must stay one ([MS-CRTD] 2.17).
MAXIMUM_MINOR_REVISION = 0x7FFFFFFF
_REPLICATION = "after replication to the CA's domain controller; the CA reads templates again on its own schedule"
_TEMPLATE_RIGHTS = "write access to the template: Enterprise Admins, or delegated on this object"
_SERVICE_RIGHTS = "write access to the enrollment service object: Enterprise Admins, or delegated on this object"
_CA_RIGHTS = "local administrator on the CA host"

Wanted = Mapping[Intent, tuple[str, ...]]


def bind(wanted: Wanted, estate: Estate) -> tuple[Action, ...]:
    """Return the actions for these intents; `wanted` maps each to the findings that ask for it."""
    steps = [
        *_template_actions(wanted, estate),
        *_publish_actions(wanted),
        *_host_actions(wanted),
        *_registry_actions(wanted),
        *_service_actions(wanted),
        *_request_actions(wanted),
    ]
    numbered = [msgspec.structs.replace(step, id=number) for number, step in enumerate(steps, start=1)]
    return tuple(msgspec.structs.replace(step, depends_on=_needs(step, numbered, estate)) for step in numbered)


def _needs(step: Action, steps: Iterable[Action], estate: Estate) -> tuple[int, ...]:
    if step.kind == "publish_template":
        name = step.target.name.partition(" on ")[0]
        return tuple(other.id for other in steps if other.kind == "template" and other.target.name == name)
    if step.kind == "pending_request":
        return tuple(other.id for other in steps if other.target == step.target and other.kind != step.kind)
    if step.kind in ("ca_registry_value", "restart_service", "start_service"):
        asking = step.kind != "ca_registry_value"
        return tuple(
            other.id
            for other in steps
            if _prepares(other, step.target.name, estate) or (asking and other.restarts and other.target == step.target)
        )
    return ()


def _prepares(other: Action, ca: str, estate: Estate) -> bool:
    """Whether a CA would offer what this directory change makes: so the directory goes before the CA's restart."""
    if isinstance(other.place, PublishingPlace):
        return other.target.name == f"{other.place.template} on {ca}"
    if not isinstance(other.place, TemplatePlace):
        return False
    services = (one.enrollment_service for one in estate.certification_authorities if one.name == ca and one.service)
    return any(other.target.name.lower() in service.published_names for service in services)


def _because(wanted: Wanted, intents: Iterable[Intent]) -> tuple[str, ...]:
    return tuple(sorted({finding for intent in intents for finding in wanted[intent]}))


def _template_actions(wanted: Wanted, estate: Estate) -> Iterator[Action]:
    by_name: dict[str, list[SetNameFlag | Grant]] = {}
    for intent in wanted:
        if isinstance(intent, SetNameFlag | Grant):
            by_name.setdefault(intent.template.name, []).append(intent)
    for name in sorted(by_name):
        yield _template_action(by_name[name], _because(wanted, by_name[name]), estate)


def _template_action(intents: list[SetNameFlag | Grant], because: tuple[str, ...], estate: Estate) -> Action:
    template = intents[0].template
    revision = template.minor_revision
    before, after = {"msPKI-Template-Minor-Revision": revision}, {"msPKI-Template-Minor-Revision": revision + 1}
    flag = next((intent.flag for intent in intents if isinstance(intent, SetNameFlag)), None)
    if flag is not None:
        before["msPKI-Certificate-Name-Flag"] = signed(int(template.name_flag))
        after["msPKI-Certificate-Name-Flag"] = signed(int(flag))
    edit = _edit(template, [intent for intent in intents if isinstance(intent, Grant)])
    return Action(
        id=0,
        kind="template",
        target=Target("template", template.name),
        place=TemplatePlace(template.dn, template.object_guid),
        address=template.dn,
        label=f"template {template.name}: {_what(flag, edit, estate)}",
        before=TemplateState(before, edit.before.dacl_part() if edit else None),
        after=TemplateState(after, edit.after.dacl_part() if edit else None),
        diff=tuple(_template_diff(template, flag, edit, estate)),
        because=because,
        rights=_TEMPLATE_RIGHTS,
        takes_effect=_REPLICATION,
        undo="the values before, and exactly the entries that were added; the minor revision rises once more",
    )


def _what(flag: CertificateNameFlag | None, edit: DaclEdit | None, estate: Estate) -> str:
    parts = ["subject name supplied in the request"] if flag is not None else []
    return ", and ".join([*parts, *(_granted(edit, estate) if edit else ())])


def _granted(edit: DaclEdit, estate: Estate) -> Iterator[str]:
    """Who gets which rights by the entries that are added: `DOMAIN\\name gets Enroll and Read`."""
    rights: dict[str, list[str]] = {}
    for ace in edit.added:
        rights.setdefault(_account(ace, estate), []).append(_right(ace))
    for account, granted in rights.items():
        yield f"{account} gets {' and '.join(granted)}"


def _account(ace: Ace, estate: Estate) -> str:
    return estate.directory.name_of(ace.sid) if ace.sid else "?"


def _right(ace: Ace) -> str:
    return "Enroll" if ace.is_object else "Read"


def _edit(template: Template, grants: list[Grant]) -> DaclEdit | None:
    aces = [ace for grant in grants for ace in aces_of(grant)]
    return add_aces(template.descriptor, aces) if aces else None


def aces_of(grant: Grant) -> list[Ace]:
    """Return the entries that the Certificate Templates console writes for these rights."""
    enroll = [enroll_ace(grant.sid)] if grant.enroll else []
    return [*enroll, *([read_ace(grant.sid)] if grant.read else [])]


def _template_diff(
    template: Template, flag: CertificateNameFlag | None, edit: DaclEdit | None, estate: Estate
) -> Iterator[str]:
    if flag is not None:
        yield "msPKI-Certificate-Name-Flag"
        yield f"  - {_number(template.name_flag)}  {names(template.name_flag)}"
        yield f"  + {_number(flag)}  {names(flag)}"
    if edit is not None:
        yield "DACL"
        for ace in edit.added:
            yield f"  + allow  {_account(ace, estate)}  {_right(ace)}   {ace_to_sddl(ace)}"
        yield f"    {len(edit.before.dacl_aces)} entries of others stay byte for byte"
    yield f"msPKI-Template-Minor-Revision {template.minor_revision} -> {template.minor_revision + 1}"


def _number(flag: CertificateNameFlag) -> str:
    return f"{signed(int(flag))} ({int(flag):#x})"


def _publish_actions(wanted: Wanted) -> Iterator[Action]:
    intents = {(i.template.name, i.ca.name): i for i in wanted if isinstance(i, Publish)}
    for (template, ca), intent in sorted(intents.items()):
        service = intent.ca.enrollment_service
        same = [i for i in wanted if isinstance(i, Publish) and (i.template.name, i.ca.name) == (template, ca)]
        yield Action(
            id=0,
            kind="publish_template",
            target=Target("template", f"{template} on {ca}"),
            place=PublishingPlace(service.dn, service.object_guid, template),
            address=f"{service.dn} certificateTemplates",
            label=f"publish {template} on {ca}",
            before=PublishedState(False),
            after=PublishedState(True),
            diff=("certificateTemplates", f"  + {template}", f"    {len(service.published)} others stay"),
            because=_because(wanted, same),
            rights=_SERVICE_RIGHTS,
            takes_effect=_REPLICATION,
            undo="take out this one value",
            command=f"Add-CATemplate -Name {template}",
        )


def _registry_actions(wanted: Wanted) -> Iterator[Action]:
    found = {(i.ca.machine, i.value.registry_name): i for i in wanted if isinstance(i, SetCaRegistryValue)}
    for (host, name), intent in sorted(found.items()):
        same = [
            i
            for i in wanted
            if isinstance(i, SetCaRegistryValue) and (i.ca.machine, i.value.registry_name) == (host, name)
        ]
        yield _registry_action(intent, _because(wanted, same))


def _registry_action(intent: SetCaRegistryValue, because: tuple[str, ...]) -> Action:
    ca, name = intent.ca, intent.value.registry_name
    now = _registry_now(ca, intent.value)
    key = ca.policy_key if intent.value is CaValue.REQUEST_DISPOSITION else ca.configuration_key
    describe = _describe_disposition if intent.value is CaValue.REQUEST_DISPOSITION else hex
    restore = f"-setreg {intent.value.certutil_name} {now:#x}" if now is not None else None
    return Action(
        id=0,
        kind="ca_registry_value",
        target=Target("ca", ca.name),
        place=RegistryPlace(ca.machine, key, name, intent.value.certutil_name),
        address=f"{short_name(ca.machine)} {key}\\{name}",
        label=f"{name} {'absent' if now is None else hex(now)} -> {intent.data:#x} on {short_name(ca.machine)}",
        before=RegistryState("REG_DWORD", now),
        after=RegistryState("REG_DWORD", intent.data),
        diff=(
            f"{name}  REG_DWORD",
            f"  - {'absent' if now is None else describe(now)}",
            f"  + {describe(intent.data)}",
        ),
        because=because,
        rights=_CA_RIGHTS,
        restarts="CertSvc",
        takes_effect="when CertSvc has restarted",
        undo=f"certutil {restore or f'-delreg {intent.value.certutil_name}'}, and a restart",
        command=f"certutil -setreg {intent.value.certutil_name} {intent.data:#x}",
    )


def _describe_disposition(value: int) -> str:
    return RequestDisposition(unsigned(value)).describe()


def _registry_now(ca: CertificationAuthority, value: CaValue) -> int | None:
    if value is CaValue.REQUEST_DISPOSITION:
        return ca.request_disposition_value
    return ca.uses_defined_ca_cert


def _service_actions(wanted: Wanted) -> Iterator[Action]:
    cas = {i.ca.machine: i.ca for i in wanted if isinstance(i, SetCaRegistryValue | StartCertSvc)}
    for host, ca in sorted(cas.items()):
        asking = [i for i in wanted if isinstance(i, SetCaRegistryValue | StartCertSvc) and i.ca.machine == host]
        start = any(isinstance(i, StartCertSvc) for i in asking)
        if start or ca.cert_service.state == "Running":
            yield _service_action(ca, _because(wanted, asking), start=start)


def _service_action(ca: CertificationAuthority, because: tuple[str, ...], *, start: bool) -> Action:
    verb = "start" if start else "restart"
    return Action(
        id=0,
        kind=f"{verb}_service",
        target=Target("ca", ca.name),
        place=ServicePlace(ca.machine, "CertSvc"),
        address=f"{short_name(ca.machine)} service CertSvc",
        label=f"{verb} CertSvc on {short_name(ca.machine)}, once",
        before=ServiceState(ca.cert_service.state),
        after=ServiceState("Running"),
        diff=(f"CertSvc  {ca.cert_service.state} -> {'Running' if start else 'restarted, once'}",),
        because=because,
        rights=_CA_RIGHTS,
        disruption="" if start else "no certificates and no revocation lists while it restarts",
        undo="stop it again" if start else "nothing to undo",
        command=f"{verb.capitalize()}-Service -Name CertSvc",
    )


def _host_actions(wanted: Wanted) -> Iterator[Action]:
    intents = [intent for intent in wanted if isinstance(intent, AddPolicyServer | AddExclusions)]
    for intent in sorted(intents, key=lambda i: (i.connector.host, type(i).__name__)):
        if isinstance(intent, AddPolicyServer):
            yield _policy_server_action(intent, wanted[intent])
        else:
            yield _exclusions_action(intent, wanted[intent])


def _policy_server_action(intent: AddPolicyServer, because: tuple[str, ...]) -> Action:
    host = short_name(intent.connector.host)
    return Action(
        id=0,
        kind="policy_server",
        target=Target("connector", intent.connector.host),
        place=PolicyServerPlace(intent.connector.host, intent.url),
        address=f"{host} HKLM\\SOFTWARE\\Microsoft\\Cryptography\\PolicyServers",
        label=f"enrollment policy server {intent.url} on {host}",
        before=PolicyServerState(),
        after=PolicyServerState(intent.url),
        diff=("PolicyServers (machine)", f"  + {intent.url}"),
        because=because,
        rights="local administrator on the connector host",
        disruption="the cmdlet contacts the URL while it adds it",
        takes_effect="at the next request; whether the connector's services must be restarted is not documented",
        undo="Remove-CertificateEnrollmentPolicyServer with the same URL",
        command=f"Add-CertificateEnrollmentPolicyServer -Url {intent.url} -Context Machine -NoClobber",
    )


def _exclusions_action(intent: AddExclusions, because: tuple[str, ...]) -> Action:
    host = short_name(intent.connector.host)
    return Action(
        id=0,
        kind="defender_exclusions",
        target=Target("connector", intent.connector.host),
        place=ExclusionPlace(intent.connector.host),
        address=f"{host} Defender ExclusionPath",
        label=f"Defender exclusions on {host}",
        before=ExclusionState(()),
        after=ExclusionState(intent.paths),
        diff=("ExclusionPath", *(f"  + {path}" for path in intent.paths)),
        because=because,
        rights="local administrator on the connector host",
        takes_effect=AT_ONCE,
        undo="Remove-MpPreference with exactly these paths",
        command="Add-MpPreference -ExclusionPath " + ", ".join(f"'{path}'" for path in intent.paths),
    )


def _request_actions(wanted: Wanted) -> Iterator[Action]:
    intents = [intent for intent in wanted if isinstance(intent, ResubmitRequest)]
    for intent in sorted(intents, key=lambda i: (i.ca.machine, i.request_id)):
        host, number = short_name(intent.ca.machine), intent.request_id
        yield Action(
            id=0,
            kind="pending_request",
            target=Target("ca", intent.ca.name),
            place=PendingRequestPlace(intent.ca.machine, number),
            address=f"{host} request {number}",
            label=f"decide once more on request {number} of {intent.requester or 'an unnamed requester'}",
            before=RequestState(True),
            after=RequestState(False),
            diff=(f"request {number}  waiting -> decided as the CA's settings say then",),
            because=wanted[intent],
            rights="Issue and Manage Certificates on the CA",
            takes_effect=AT_ONCE,
            undo_missing="a certificate that was issued can only be revoked",
            command=f"certutil -resubmit {number}",
        )
