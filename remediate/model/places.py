"""Where an action changes something, in the parts a writer needs: no text has to be taken apart to carry out a plan.

Hosts are DNS names, registry keys are written `HKLM\\...`, directory objects are named by their DN.
"""

from __future__ import annotations

import msgspec


class RegistryPlace(msgspec.Struct, frozen=True, tag="registry"):
    """A registry value of a CA, and the name that `certutil -setreg` knows it by."""

    host: str
    key: str
    name: str
    certutil_name: str


class ServicePlace(msgspec.Struct, frozen=True, tag="service"):
    """A Windows service, by its short name."""

    host: str
    name: str


class TemplatePlace(msgspec.Struct, frozen=True, tag="template"):
    """A template's object: its DN and its objectGUID, which survives a rename."""

    dn: str
    object_guid: str


class PublishingPlace(msgspec.Struct, frozen=True, tag="publishing"):
    """One value of certificateTemplates of an enrollment service: the DN, its objectGUID, the template's name."""

    dn: str
    object_guid: str
    template: str


class PolicyServerPlace(msgspec.Struct, frozen=True, tag="policy_server"):
    """A row of a machine's own list of enrollment policy servers, by its URL."""

    host: str
    url: str


class ExclusionPlace(msgspec.Struct, frozen=True, tag="exclusions"):
    """Defender's ExclusionPath on a host."""

    host: str


class PendingRequestPlace(msgspec.Struct, frozen=True, tag="pending_request"):
    """A request that waits in a CA's queue, by its number."""

    host: str
    request_id: int


HostPlace = RegistryPlace | ServicePlace | PolicyServerPlace | ExclusionPlace | PendingRequestPlace
DirectoryPlace = TemplatePlace | PublishingPlace
Place = HostPlace | DirectoryPlace
