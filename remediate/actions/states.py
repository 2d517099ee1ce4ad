"""States as tables of text: what every writer compares, shows and keeps, whatever kind of thing it changes.

A table maps a name to what stands there, None where nothing does. PowerShell's functions speak the same tables.
"""

from __future__ import annotations

import base64

from remediate.model.places import ExclusionPlace, PublishingPlace, RegistryPlace
from remediate.model.plan import (
    Action,
    ExclusionState,
    PolicyServerState,
    PublishedState,
    RegistryState,
    RequestState,
    ServiceState,
    State,
    TemplateState,
)

DESCRIPTOR, REVISION = "nTSecurityDescriptor", "msPKI-Template-Minor-Revision"
PUBLISHED, EXCLUDED, PENDING = "published", "excluded", "pending"

Table = dict[str, str | None]
UNANSWERED: Table = {"State": "Running", "Answer": None}
"""A service that was restarted, and runs, and has not answered in time; the journal has it so."""


def before_and_after(action: Action) -> tuple[Table, Table]:
    """Return what must stand before an action and what stands after it; both tables have the same names."""
    before, after = _table(action, action.before), _table(action, action.after)
    names = sorted({*before, *after})
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def holds(now: Table, wanted: Table) -> bool:
    """Whether everything that is wanted stands, as Test-SameState compares; what else stands does not matter."""
    return all(name in now and now[name] == value for name, value in wanted.items())


def _table(action: Action, state: State) -> Table:
    place = action.place
    match state:
        case RegistryState() if isinstance(place, RegistryPlace):
            return {place.name: None if state.data is None else str(state.data)}
        case ServiceState():
            return {"State": state.state}
        case TemplateState():
            values: Table = {name: str(value) for name, value in state.attributes.items()}
            return values | ({} if state.dacl is None else {DESCRIPTOR: base64.b64encode(state.dacl).decode("ascii")})
        case PublishedState() if isinstance(place, PublishingPlace):
            return {place.template: PUBLISHED if state.published else None}
        case PolicyServerState():
            return {"Url": state.url}
        case ExclusionState() if isinstance(place, ExclusionPlace):
            return dict.fromkeys(state.paths, EXCLUDED)
        case RequestState():
            return {"Disposition": PENDING if state.waits else None}
    raise ValueError(f"action {action.id}: {type(state).__name__} does not fit {type(place).__name__}")
