"""Actions on the lab's template and enrollment service, and writers that carry them out."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from remediate.actions.states import DESCRIPTOR, Table
from remediate.model.finding import Target
from remediate.model.places import Place, PublishingPlace, TemplatePlace
from remediate.model.plan import Action, PublishedState, State, TemplateState
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential
from remediate.transports.ldap_write import DirectoryWriter
from tests.lab import contoso
from tests.lab.contoso import ADMIN, Account
from tests.lab.directory_functions import template
from tests.lab.estate import Lab

Tables = tuple[Table, Table]


@contextmanager
def writing(lab: Lab, account: Account | None = ADMIN, *, timeout: float = 10.0) -> Iterator[DirectoryWriter]:
    """A writer on the domain controller behind the relay, by simple bind; without an account by the ticket at hand."""
    who = Credential(account.down_level, Secret(account.password)) if account else Credential()
    writer = DirectoryWriter(lab.dc, who, trust=lab.trust, timeout=timeout)
    try:
        yield writer
    finally:
        writer.close()


def guid(lab: Lab, dn: str) -> str:
    """The objectGUID of an object."""
    [value] = lab.domain.read(dn, "objectGUID")["objectGUID"]
    return str(uuid.UUID(bytes_le=value))


def template_action(lab: Lab, tables: Tables) -> Action:
    """An action on the template between two tables."""
    dn = template(lab)
    before, after = (_template_state(table) for table in tables)
    return _action("template", TemplatePlace(dn, guid(lab, dn)), before, after)


def publish_action(lab: Lab, *, publish: bool = True) -> Action:
    """An action that publishes the template on the CA, or takes it back."""
    dn = lab.domain.enrollment_service_dn()
    place = PublishingPlace(dn, guid(lab, dn), contoso.INTUNE_TEMPLATE)
    return _action("publish_template", place, PublishedState(not publish), PublishedState(publish))


def _template_state(table: Table) -> TemplateState:
    numbers = {name: int(value) for name, value in table.items() if name != DESCRIPTOR and value is not None}
    dacl = table.get(DESCRIPTOR)
    return TemplateState(numbers, base64.b64decode(dacl) if dacl else None)


def _action(kind: str, place: Place, before: State, after: State) -> Action:
    what: dict[str, Any] = {"address": "there", "label": "it", "diff": (), "because": ()}
    return Action(id=1, kind=kind, target=Target("template", "x"), place=place, before=before, after=after, **what)
