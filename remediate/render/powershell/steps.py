"""A plan's actions as the data block of a script: the steps of one target and what makes the target the right one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from remediate.actions.states import DESCRIPTOR, Table, before_and_after
from remediate.model.places import (
    DirectoryPlace,
    ExclusionPlace,
    PendingRequestPlace,
    PolicyServerPlace,
    PublishingPlace,
    RegistryPlace,
    ServicePlace,
    TemplatePlace,
)
from remediate.model.plan import DIRECTORY, Action, Plan, TargetIdentity
from remediate.render.powershell.literal import StateTable, Value

# Numbers that the scripts show in hexadecimal, for most of them are flags; revisions are counted.
_NUMBER = re.compile(r"-?[0-9]{1,10}")
_COUNTED = "Revision"
_DACL = "DACL"
# An entry in the plan's diff: what it allows whom, and its SDDL, which ends with the SID.
_ENTRY = re.compile(r"(?P<sign>[+-]) (?P<what>.*?) *\([^()]*;(?P<sid>S-1-[0-9-]+)\)")
# What it allows whom: the account between the verb and the right, all of them two blanks apart.
_ACCOUNT = re.compile(r"\w+ {2,}(?P<name>\S.*?) {2,}\S+")
# Characters of a NetBIOS name, MAX_COMPUTERNAME_LENGTH (winbase.h); %COMPUTERNAME% is that.
_LONGEST_NETBIOS = 15


class ScriptTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One folder of a hand-over: a host, or the directory (`host` empty). `needs` are directory steps to wait for."""

    name: str
    host: str
    kinds: tuple[str, ...]
    actions: tuple[Action, ...]
    needs: tuple[Action, ...] = ()

    @property
    def written(self) -> tuple[str, ...]:
        """The kinds of what is changed, without those that are only waited for."""
        return tuple(sorted({action.kind for action in self.actions}))

    @property
    def is_ca(self) -> bool:
        """Whether it is a host whose CA is changed."""
        on_ca = RegistryPlace | ServicePlace | PendingRequestPlace
        return any(isinstance(action.place, on_ca) for action in self.actions)

    def alone(self) -> ScriptTarget:
        """Return the target without what it waits for: reading or undoing its own part needs no directory."""
        kinds = {action.kind for action in self.actions}
        return msgspec.structs.replace(self, kinds=tuple(sorted(kinds)), needs=())


def script_targets(plan: Plan) -> tuple[ScriptTarget, ...]:
    """Return the targets in the order in which they must be run: the directory, then CAs, then the other hosts."""
    directory = tuple(action for action in plan.actions if isinstance(action.place, DirectoryPlace))
    hosts: dict[str, list[Action]] = {}
    for action in plan.actions:
        if not isinstance(action.place, DirectoryPlace):
            hosts.setdefault(action.place.host.lower(), []).append(action)
    first = (_target(DIRECTORY, "", directory, ()),) if directory else ()
    others = [_target(host, host, tuple(actions), directory) for host, actions in hosts.items()]
    return (*first, *sorted(others, key=lambda one: (not one.is_ca, one.name)))


def _target(name: str, host: str, actions: tuple[Action, ...], directory: tuple[Action, ...]) -> ScriptTarget:
    wanted = {number for action in actions for number in action.depends_on}
    needs = tuple(action for action in directory if action.id in wanted) if host else ()
    kinds = sorted({action.kind for action in (*actions, *needs)})
    return ScriptTarget(name=name, host=host, kinds=tuple(kinds), actions=actions, needs=needs)


def plan_data(plan: Plan, digest: str, target: ScriptTarget) -> dict[str, Value]:
    """Return the data block of a target's scripts."""
    return {
        "Digest": digest,
        "Target": target.name,
        "Tool": f"remediate {plan.remediate}",
        "ExpiresAt": plan.expires_at,
        "NotBefore": plan.not_before,
        "NotAfter": plan.not_after,
        **_identity(plan, target),
        "Steps": [_step(action) for action in target.actions],
        **({"Needs": [_step(action) for action in target.needs]} if target.needs else {}),
    }


def _identity(plan: Plan, target: ScriptTarget) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for item in plan.targets:
        if item.kind == DIRECTORY and (not target.host or target.needs):
            found |= {"Server": item.name, "DomainGuid": item.identity.get("domain_objectGUID", "")}
        elif target.host and item.name.lower() == target.host:
            found |= _host_identity(item, found, target)
    return found


def _host_identity(item: TargetIdentity, known: Mapping[str, Value], target: ScriptTarget) -> dict[str, Value]:
    """What makes a host the right one; a host that is CA and connector stands in the plan twice."""
    said: dict[str, Value] = {
        "ComputerName": item.identity.get("ComputerName") or _netbios_name(item.name),
        "MachineGuid": item.identity.get("MachineGuid") or known.get("MachineGuid", ""),
    }
    if target.is_ca:
        thumbprint = item.identity.get("certificate_thumbprint") or known.get("CertificateThumbprint", "")
        said["CertificateThumbprint"] = thumbprint
    return said


def _netbios_name(host: str) -> str:
    """The NetBIOS name that Windows makes of a host's name: the first label, cut, in capitals."""
    return host.partition(".")[0][:_LONGEST_NETBIOS].upper()


def _step(action: Action) -> dict[str, Value]:
    before, after = before_and_after(action)
    return {
        "Id": action.id,
        "Kind": action.kind,
        "Label": action.label,
        "DependsOn": list(action.depends_on),
        "Restarts": action.restarts,
        "Disruption": action.disruption,
        "UndoMissing": action.undo_missing,
        **_accounts(action),
        **_place(action),
        "Before": _state(before),
        "After": _state(after, entries=tuple(_dacl_lines(action))),
    }


def computer_name(plan: Plan, target: ScriptTarget) -> str:
    """Return what a host calls itself, as its scripts ask for it."""
    return str(_identity(plan, target).get("ComputerName", ""))


def entries(action: Action, *, undone: bool = False) -> Iterator[str]:
    """Yield who gets or loses which right by an action, or by undoing it: `added: allow DOMAIN\\name Enroll (SID)`."""
    added, taken_out = ("taken out", "added") if undone else ("added", "taken out")
    for line in _dacl_lines(action):
        known = _ENTRY.fullmatch(line)
        if known:
            done = added if known["sign"] == "+" else taken_out
            yield f"entry {done}: {' '.join(known['what'].split())} ({known['sid']})"


def _state(table: Table, *, entries: tuple[str, ...] = ()) -> StateTable:
    """A state. Beside a number of two digits or more it is in hexadecimal; above a descriptor are its entries."""
    numbers = {
        name: hexadecimal(value) for name, value in table.items() if value is not None and _is_flags(name, value)
    }
    return StateTable(table, above={DESCRIPTOR: entries}, beside=numbers)


def _is_flags(name: str, value: str) -> bool:
    small = len(value) == 1
    return not small and _NUMBER.fullmatch(value) is not None and not name.endswith(_COUNTED)


def hexadecimal(value: str) -> str:
    """Return a decimal number of 32 bits, signed or not, as certutil writes it: 0x101."""
    return f"0x{int(value) & 0xFFFFFFFF:X}"


def _dacl_lines(action: Action) -> Iterator[str]:
    """The lines of the plan's diff below `DACL`: the entries that come or go, and how many stay."""
    below = False
    for line in action.diff:
        if below and line.startswith(" "):
            yield line.strip()
        below = line == _DACL or (below and line.startswith(" "))


def _accounts(action: Action) -> dict[str, Value]:
    """The names of the accounts whose entries come or go, by SID, as the plan's diff tells them."""
    names: dict[str, Value] = {}
    for line in _dacl_lines(action):
        known = _ENTRY.fullmatch(line)
        named = _ACCOUNT.fullmatch(known["what"]) if known else None
        if known and named:
            names[known["sid"]] = named["name"]
    return {"Accounts": StateTable(names, above={}, beside={})} if names else {}


def _place(action: Action) -> dict[str, Value]:
    match action.place:
        case RegistryPlace(key=key, name=name, certutil_name=certutil_name):
            return {"Key": key.replace("HKLM\\", "HKLM:\\", 1), "Name": name, "CertutilName": certutil_name}
        case TemplatePlace(dn=dn):
            return {"DistinguishedName": dn}
        case PublishingPlace(dn=dn, template=template):
            return {"DistinguishedName": dn, "Template": template}
        case PolicyServerPlace(url=url):
            return {"Url": url}
        case PendingRequestPlace(request_id=request_id):
            return {"RequestId": request_id}
        case ServicePlace() | ExclusionPlace():
            return {}
