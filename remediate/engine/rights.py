"""Before the window: which of the rights that a plan takes the account has that read the facts, and which it lacks.

It stands beside a plan and never in it: the same facts give the same plan, whoever read them. Nothing is written, and
what could not be asked is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from remediate.actions.rights import ADMINISTRATOR, attributes_written, held, right_to_write, service_control
from remediate.facts.documents import CaDocument, ConnectorDocument, Entry, Reading, Snapshot
from remediate.model.errors import RemediateError
from remediate.model.fact import Fact, Unreadable
from remediate.model.places import DirectoryPlace, ServicePlace
from remediate.model.plan import DIRECTORY, Action, Plan, target_of

AskDirectory = Callable[[Sequence[str]], Mapping[str, Entry]]
"""Returns by objectGUID the objects with these, asked for EFFECTIVE of `actions.rights`. Raises RemediateError."""
HostDocument = CaDocument | ConnectorDocument
State = Literal["has", "lacks", "unknown"]
_UNREAD: Fact[bool] = Fact(unreadable=Unreadable("the host was not read"))


class Right(msgspec.Struct, frozen=True, kw_only=True):
    """A right on a target: `on` is the object it is needed on, empty for the target itself, `actions` the numbers of
    the actions that take it, `why` what stood in the way of asking."""

    right: str
    on: str
    state: State
    why: str
    actions: tuple[int, ...]


class TargetRights(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan takes on one target (`directory`, or a host's DNS name), and as whom it was asked."""

    target: str
    account: str
    rights: tuple[Right, ...]


def present_rights(plan: Plan, snapshot: Snapshot, ask: AskDirectory) -> tuple[TargetRights, ...]:
    """Return the rights of every target that the plan changes, none for a plan that changes nothing.

    The directory is asked once, and only where the plan changes it; the hosts have told with their facts.
    """
    answered, why = _asked(plan, ask)
    found = {target_of(action): list[Right]() for action in plan.actions}
    for action in plan.actions:
        if isinstance(action.place, DirectoryPlace):
            found[target_of(action)] += _on_object(action, answered.get(action.place.object_guid.lower()), why)
        else:
            found[target_of(action)] += _on_host(action, _document(action.place.host, snapshot))
    return tuple(
        TargetRights(target=target, account=_account(target, snapshot), rights=_together(rights))
        for target, rights in found.items()
    )


def _asked(plan: Plan, ask: AskDirectory) -> tuple[Mapping[str, Entry], str]:
    """What the directory answered, and why an object is not there."""
    guids = dict.fromkeys(one.place.object_guid for one in plan.actions if isinstance(one.place, DirectoryPlace))
    known = tuple(filter(None, guids))
    try:
        return ask(known) if known else {}, "the directory does not show this object to the account"
    except RemediateError as error:
        return {}, error.in_short


def _on_object(action: Action, entry: Entry | None, why: str) -> Iterator[Right]:
    needed, place = attributes_written(action), action.place
    states: Mapping[str, bool | None] = dict.fromkeys(map(right_to_write, needed))
    try:
        states = held(needed, entry) if entry else states
    except RemediateError as error:
        why = error.in_short
    for right, there in states.items():
        on = place.dn if isinstance(place, DirectoryPlace) else ""
        yield _right(action, right, there, on=on, why=why)


def _on_host(action: Action, document: HostDocument | None) -> Iterator[Right]:
    yield _told(action, ADMINISTRATOR, document.administrator if document else _UNREAD)
    if isinstance(action.place, ServicePlace):
        control = document.service_control if isinstance(document, CaDocument) else _UNREAD
        yield _told(action, service_control(action.place.name), control)


def _told(action: Action, right: str, fact: Fact[bool]) -> Right:
    return _right(action, right, fact.if_known(), on="", why=fact.unreadable.why if fact.unreadable else "")


def _right(action: Action, right: str, there: bool | None, *, on: str, why: str) -> Right:
    state: State = "unknown" if there is None else "has" if there else "lacks"
    return Right(right=right, on=on, state=state, why=why if there is None else "", actions=(action.id,))


def _together(rights: Iterable[Right]) -> tuple[Right, ...]:
    """The same right once, with all the actions that take it."""
    merged: dict[Right, Right] = {}
    for one in rights:
        key = msgspec.structs.replace(one, actions=())
        earlier = merged.get(key, key)
        merged[key] = msgspec.structs.replace(one, actions=(*earlier.actions, *one.actions))
    return tuple(merged.values())


def _document(host: str, snapshot: Snapshot) -> HostDocument | None:
    documents: tuple[HostDocument, ...] = (*snapshot.certification_authorities, *snapshot.connectors)
    return next((one for one in documents if one.machine.name.lower() == host.lower()), None)


def _account(target: str, snapshot: Snapshot) -> str:
    document: Reading | None = snapshot.directory if target == DIRECTORY else _document(target, snapshot)
    return document.read_as if document else ""
