"""The plan: concrete before -> after values, frozen, sealed by a digest over its canonical body.

Canonical is UTF-8 JSON with sorted keys and without blanks. The digest covers every property of the file but `plan_id`
and what is printed beside the plan, also those that this version does not know.
"""

from __future__ import annotations

import hashlib
from codecs import BOM_UTF8
from typing import Any

import msgspec

from remediate.model.errors import DocumentError, ExitCode, RefusedError
from remediate.model.finding import Finding, NotPlanned, Refusal, Target, Unknown
from remediate.model.places import DirectoryPlace, Place
from remediate.model.secret import refuse_to_encode

PLAN_FORMAT = "1.0"
# The target that every domain controller of the domain is; all others are hosts.
DIRECTORY = "directory"
# The kind of an action that writes nothing: it is owed whatever stands there.
RESTART = "restart_service"
# What --json prints beside a plan: the rights of whoever made it. It is no part of what is approved; nothing reads it.
BESIDE = "present_rights"
# What `takes_effect` of an action says where nothing delays it.
AT_ONCE = "at once"


class RegistryState(msgspec.Struct, frozen=True, tag="registry", omit_defaults=True):
    """A registry value; `data` None is an absent value."""

    kind: str
    data: int | None = None


class ServiceState(msgspec.Struct, frozen=True, tag="service"):
    """The state of a service, as Win32_Service names it."""

    state: str


class TemplateState(msgspec.Struct, frozen=True, tag="template", omit_defaults=True):
    """The attributes of a template that an action touches; `dacl` is the DACL part of its descriptor."""

    attributes: dict[str, int]
    dacl: bytes | None = None


class PublishedState(msgspec.Struct, frozen=True, tag="published"):
    """Whether a template's name stands in the certificateTemplates of an enrollment service."""

    published: bool


class PolicyServerState(msgspec.Struct, frozen=True, tag="policy_server", omit_defaults=True):
    """A row of the machine's PolicyServers; `url` None is no row."""

    url: str | None = None


class ExclusionState(msgspec.Struct, frozen=True, tag="exclusions"):
    """Folders that stand in Defender's ExclusionPath."""

    paths: tuple[str, ...]


class RequestState(msgspec.Struct, frozen=True, tag="request"):
    """Whether a request waits in the CA's queue; one that does not has been decided."""

    waits: bool


State = (
    RegistryState | ServiceState | TemplateState | PublishedState | PolicyServerState | ExclusionState | RequestState
)


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change. `id` stays the same in plan, script, journal and ticket; `diff` are its lines for people.

    `place` says where for a writer, `address` for a reader.
    """

    id: int
    kind: str
    target: Target
    place: Place
    address: str
    label: str
    before: State
    after: State
    diff: tuple[str, ...]
    because: tuple[str, ...]
    depends_on: tuple[int, ...] = ()
    rights: str = ""
    disruption: str = ""
    restarts: str = ""
    takes_effect: str = ""
    undo: str = ""
    undo_missing: str = ""
    command: str = ""


class TargetIdentity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What makes a target the right one: the domain's objectGUID and its DNS name, a CA's thumbprint, a host's
    MachineGuid and the ComputerName it calls itself (NetBIOS, at most 15 characters)."""

    kind: str
    name: str
    identity: dict[str, str]

    @property
    def target(self) -> str:
        """What `target_of` calls it in actions."""
        return DIRECTORY if self.kind == DIRECTORY else self.name.lower()


def target_of(action: Action) -> str:
    """Return the target that an action is carried out on: the directory, or a host's DNS name in lower case."""
    return DIRECTORY if isinstance(action.place, DirectoryPlace) else action.place.host.lower()


class Obtains(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """Who can obtain a certificate: `name` is `own`, `own (may request for others)`, `any` or
    `any (may rewrite the template)`.
    """

    principal: str
    template: str
    ca: str
    name: str
    held: bool = False
    authentication: bool = False
    broad: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `remediate plan` writes and change control approves."""

    format_version: str
    remediate: str
    playbooks: dict[str, str]
    options: dict[str, Any]
    created: str
    expires_at: str
    complete: bool
    not_before: str = ""
    not_after: str = ""
    heading: tuple[str, ...] = ()
    targets: tuple[TargetIdentity, ...] = ()
    findings: tuple[Finding, ...] = ()
    actions: tuple[Action, ...] = ()
    refused: tuple[Refusal, ...] = ()
    not_planned: tuple[NotPlanned, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    not_asked: tuple[str, ...] = ()
    gained: tuple[Obtains, ...] = ()
    lost: tuple[Obtains, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """1 when a needed fact is missing, else 2 for any finding, else 0."""
        if not self.complete:
            return ExitCode.ERROR
        return ExitCode.FINDINGS if self.findings else ExitCode.NOTHING_TO_DO


class PlanEdited(RefusedError):
    """The body of a plan does not have the digest that the plan bears."""


_ENCODER = msgspec.json.Encoder(order="sorted", enc_hook=refuse_to_encode)


def canonical(body: Any) -> bytes:
    """Return the canonical bytes of a plan's body. Raises SecretNotSerialisable when a secret stands in it."""
    return _ENCODER.encode(body)


def digest(plan: Plan) -> str:
    """Return the sha256 of the canonical body, 64 hexadecimal digits: what change control approves."""
    return hashlib.sha256(canonical(plan)).hexdigest()


def seal(plan: Plan) -> bytes:
    """Return the plan as the text of a plan file, with its digest in `plan_id`."""
    text = canonical(plan)
    body = {"plan_id": hashlib.sha256(text).hexdigest(), **msgspec.json.decode(text)}
    return msgspec.json.format(_ENCODER.encode(body), indent=2) + b"\n"


def directory_of(plan: Plan) -> TargetIdentity | None:
    """Return the directory among a plan's targets."""
    return next((item for item in plan.targets if item.kind == DIRECTORY), None)


def unseal(text: bytes, *, where: str) -> tuple[Plan, str]:
    """Return (plan, digest) of a plan file. Raises DocumentError, or PlanEdited when its digest is another.

    The mark that Windows puts at the beginning of UTF-8 is none of the content, which is what the digest covers.
    """
    try:
        body = msgspec.json.decode(text.removeprefix(BOM_UTF8))
        stated = body.pop("plan_id")
        body.pop(BESIDE, None)
        major = str(body["format_version"]).partition(".")[0]
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError) as error:
        raise DocumentError("this is not a plan", where=where, why=str(error)) from error
    if major != PLAN_FORMAT.partition(".")[0]:
        raise DocumentError(f"plan format {body['format_version']} is not known", where=where, do="Update remediate.")
    actual = hashlib.sha256(canonical(body)).hexdigest()
    if actual != stated:
        raise PlanEdited("the plan was changed after it was sealed", where=where, do="Make a new plan.")
    try:
        return msgspec.convert(body, Plan), actual
    except msgspec.ValidationError as error:
        raise DocumentError("this is not a plan", where=where, why=str(error)) from error
