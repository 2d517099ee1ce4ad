"""The documents of facts, as collectors write them and a bundle keeps them.

One document per host and one for the directory, all JSON. A live session and an offline bundle hold the same text, so
everything after this point cannot tell which of the two it was. `FORMAT_VERSION` is major.minor: an unknown major is
refused, unknown properties are ignored.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from remediate.adcs.flags import DIRECTORY_POLICY_ID, PolicyServersFlag
from remediate.model.fact import Fact, Unreadable

FORMAT_VERSION = "1.0"

Role = Literal["directory", "ca", "connector"]


def _unreported() -> Fact[Any]:
    return Fact(unreadable=Unreadable("the collector did not report it"))


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What every document says of itself: which collector, where, when (UTC, ISO 8601) and as whom it was read."""

    format_version: str
    role: Role
    collector: str
    read_from: str
    read_at: str
    read_as: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The host's identity. `domain` is the DNS name of the domain it is a member of, absent in a workgroup."""

    computer_name: str
    dns_host_name: Fact[str] = msgspec.field(default_factory=_unreported)
    domain: Fact[str] = msgspec.field(default_factory=_unreported)
    machine_guid: Fact[str] = msgspec.field(default_factory=_unreported)
    os_version: Fact[str] = msgspec.field(default_factory=_unreported)
    powershell_version: str = ""

    @property
    def name(self) -> str:
        """The DNS name by which it knows itself; where that could not be read, its computer name."""
        return self.dns_host_name.if_known() or self.computer_name


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A Windows service as Win32_Service gives it: `state` and `start_mode` are never localised there."""

    name: str
    state: str
    start_mode: str
    start_name: str = ""
    path_name: str = ""


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one ID since `since`: how many, the first and the last time, and the request IDs of the newest."""

    since: str
    count: int
    first: str = ""
    last: str = ""
    request_ids: tuple[str, ...] = ()


class PendingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the CA's queue of pending requests."""

    request_id: int
    requester: str = ""
    template: str = ""
    submitted: str = ""


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """`certutil -ping` on the CA host: its exit code as an HRESULT, `0x00000000` when the CA answered."""

    code: str


class CaDocument(Reading, frozen=True, kw_only=True):
    """The facts of one CA host. Registry values are those below `configuration_key`, as certsrv.h names them.

    `administrator` and `service_control` say whether who read it is a local administrator there, elevated, and may stop
    and start CertSvc.
    """

    machine: Machine
    administrator: Fact[bool] = msgspec.field(default_factory=_unreported)
    configuration_key: str = ""
    active: Fact[str] = msgspec.field(default_factory=_unreported)
    common_name: Fact[str] = msgspec.field(default_factory=_unreported)
    ca_server_name: Fact[str] = msgspec.field(default_factory=_unreported)
    ca_type: Fact[int] = msgspec.field(default_factory=_unreported)
    use_ds: Fact[int] = msgspec.field(default_factory=_unreported)
    interface_flags: Fact[int] = msgspec.field(default_factory=_unreported)
    use_defined_ca_cert_in_request: Fact[int] = msgspec.field(default_factory=_unreported)
    enabled_eku_for_defined_ca_cert: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    security: Fact[bytes] = msgspec.field(default_factory=_unreported)
    ca_cert_hash: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    key_provider: Fact[str] = msgspec.field(default_factory=_unreported)
    policy_module: Fact[str] = msgspec.field(default_factory=_unreported)
    request_disposition: Fact[int] = msgspec.field(default_factory=_unreported)
    edit_flags: Fact[int] = msgspec.field(default_factory=_unreported)
    disable_extension_list: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    service: Fact[Service] = msgspec.field(default_factory=_unreported)
    service_control: Fact[bool] = msgspec.field(default_factory=_unreported)
    cluster_resource: Fact[bool] = msgspec.field(default_factory=_unreported)
    event_128: Fact[Events] = msgspec.field(default_factory=_unreported)
    pending_requests: Fact[list[PendingRequest]] = msgspec.field(default_factory=_unreported)
    ping: Fact[Ping] = msgspec.field(default_factory=_unreported)


class PolicyServer(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a PolicyServers key; the name of its subkey is `id`."""

    id: str
    url: str
    policy_id: str = ""
    friendly_name: str = ""
    flags: int = 0
    auth_flags: int = 0
    cost: int = 0


class PolicyServers(msgspec.Struct, frozen=True, kw_only=True):
    """A PolicyServers key: its root `Flags`, its default policy and its rows."""

    flags: int = 0
    default: str = ""
    servers: tuple[PolicyServer, ...] = ()

    @property
    def shut_out(self) -> PolicyServersFlag:
        """The flags that are set of those that shut a list out."""
        known = PolicyServersFlag.DISABLE_GROUP_POLICY_LIST | PolicyServersFlag.DISABLE_USER_SERVER_LIST
        return PolicyServersFlag(self.flags) & known

    @property
    def names_the_directory(self) -> bool:
        """Whether one of the rows is the directory's own policy."""
        return any(row.id.lower() == DIRECTORY_POLICY_ID or row.url.lower().startswith("ldap:") for row in self.servers)


class RequestFile(msgspec.Struct, frozen=True, kw_only=True):
    """A request file of the connector: name, bytes, times, and the HRESULTs that stand in it. Never its contents."""

    name: str
    size: int
    written: str
    codes: tuple[str, ...] = ()
    unreadable: str = ""


class RequestFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of PfxRequest: `total` files, of which the newest are listed."""

    path: str
    total: int
    files: tuple[RequestFile, ...] = ()


class RequestFolders(msgspec.Struct, frozen=True, kw_only=True):
    """One PfxRequest folder and its three parts, by their names on disk, which are English everywhere."""

    path: str
    failed: Fact[RequestFolder]
    processing: Fact[RequestFolder]
    succeed: Fact[RequestFolder]


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that antivirus should leave alone, and whether it exists on this host."""

    path: str
    exists: bool


class DefenderStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What Get-MpComputerStatus says: `running_mode` is `Normal`, `Passive Mode`, `EDR Block Mode`, `Not running`..."""

    running_mode: str
    tamper_protected: bool | None = None
    real_time_protection: bool | None = None


class DefenderPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What Group Policy rules over Defender's exclusions (HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender)."""

    exclusions_managed: bool
    local_admin_merge_disabled: bool


class CaReach(msgspec.Struct, frozen=True, kw_only=True):
    """What this host sees of a CA host: its addresses by name, and whether TCP 135 answers."""

    host: str
    addresses: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    rpc_endpoint_mapper: Fact[bool] = msgspec.field(default_factory=_unreported)


class ConnectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A ConnectionStatus of the connector: the key's own value (older product) or its values (current product)."""

    status: str = ""
    last_connection: str = ""
    issue: str = ""


class ConnectorDocument(Reading, frozen=True, kw_only=True):
    """The facts of one connector host. `administrator` says whether who read it is a local administrator there."""

    machine: Machine
    administrator: Fact[bool] = msgspec.field(default_factory=_unreported)
    services: Fact[list[Service]] = msgspec.field(default_factory=_unreported)
    connector_version: Fact[str] = msgspec.field(default_factory=_unreported)
    enable_sid_security_extension: Fact[int] = msgspec.field(default_factory=_unreported)
    pkcs_enabled: Fact[int] = msgspec.field(default_factory=_unreported)
    connection_status: Fact[ConnectionStatus] = msgspec.field(default_factory=_unreported)
    legacy_connection_status: Fact[ConnectionStatus] = msgspec.field(default_factory=_unreported)
    policy_servers: Fact[PolicyServers] = msgspec.field(default_factory=_unreported)
    policy_servers_by_policy: Fact[PolicyServers] = msgspec.field(default_factory=_unreported)
    policy_servers_applied: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    request_folders: tuple[RequestFolders, ...] = ()
    antivirus_folders: Fact[list[Folder]] = msgspec.field(default_factory=_unreported)
    defender_exclusions: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    defender_status: Fact[DefenderStatus] = msgspec.field(default_factory=_unreported)
    defender_policy: Fact[DefenderPolicy] = msgspec.field(default_factory=_unreported)
    foreign_antivirus: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    trusted_roots: Fact[list[str]] = msgspec.field(default_factory=_unreported)
    certification_authorities: tuple[CaReach, ...] = ()


class Octets(msgspec.Struct, frozen=True):
    """A binary attribute value; text values stand as text."""

    base64: bytes


class Entry(msgspec.Struct, frozen=True):
    """One directory object: its DN and the attributes that were answered. What is not answered is not there."""

    dn: str
    attributes: dict[str, list[str | Octets]]

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Return the text values of an attribute, none where it was not answered."""
        return tuple(value for value in self._values(attribute) if isinstance(value, str))

    def octets(self, attribute: str) -> tuple[bytes, ...]:
        """Return the binary values of an attribute, none where it was not answered."""
        return tuple(value.base64 for value in self._values(attribute) if isinstance(value, Octets))

    def _values(self, attribute: str) -> list[str | Octets]:
        """Names of attributes have no case (RFC 4512 2.5); most servers write them as the schema does."""
        if attribute in self.attributes:
            return self.attributes[attribute]
        wanted = attribute.lower()
        return next((values for name, values in self.attributes.items() if name.lower() == wanted), [])


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account that was looked up for a connector, and the SIDs of all its groups (tokenGroups)."""

    name: str
    entry: Fact[Entry]
    token_groups: Fact[list[bytes]] = msgspec.field(default_factory=_unreported)


class DirectoryDocument(Reading, frozen=True, kw_only=True):
    """What one domain controller answered.

    `root_dse`, `domain` and `partitions` say whose directory it is; `public_key_services` holds everything below
    CN=Public Key Services; `computers` the hosts of the estate; `accounts` the connectors' accounts;
    `security_principals` names for SIDs; `broad_groups` the groups in which everybody stands by nesting.
    """

    root_dse: Entry
    domain: Fact[Entry] = msgspec.field(default_factory=_unreported)
    partitions: Fact[list[Entry]] = msgspec.field(default_factory=_unreported)
    public_key_services: Fact[list[Entry]] = msgspec.field(default_factory=_unreported)
    computers: Fact[list[Entry]] = msgspec.field(default_factory=_unreported)
    accounts: tuple[Account, ...] = ()
    security_principals: Fact[list[Entry]] = msgspec.field(default_factory=_unreported)
    broad_groups: Fact[list[Entry]] = msgspec.field(default_factory=_unreported)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A target that could not be read at all. It stands in the place of its document."""

    role: Role
    target: str
    what: str
    why: str = ""
    code: str = ""
    do: str = ""
    read_at: str = ""


class IntuneObject(msgspec.Struct, frozen=True):
    """One JSON value of an Intune export as it came, and the file it came from."""

    file: str
    content: msgspec.Raw


class LogEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What logs show of one problem: the ID of its signature, its playbook, and the HRESULT where one was seen.

    `first` and `last` are UTC, empty where no entry has a time; `hosts` are first labels in small letters; `source` is
    the file of the last entry.

    Request files stand for themselves: `part` is where in PfxRequest so many of them lie (`Failed`, `Processing`),
    `codes` the HRESULTs in them; they have no signature, and `source` is that folder: a file's name may name somebody.
    """

    signature: str
    playbook: str
    count: int
    code: str = ""
    first: str = ""
    last: str = ""
    hosts: tuple[str, ...] = ()
    source: str = ""
    part: str = ""
    codes: tuple[str, ...] = ()


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All facts of one run: what was read, what was not, and what nobody asked for."""

    directory: DirectoryDocument | None = None
    certification_authorities: tuple[CaDocument, ...] = ()
    connectors: tuple[ConnectorDocument, ...] = ()
    intune: tuple[IntuneObject, ...] | None = None
    failures: tuple[Failure, ...] = ()
    logs: tuple[LogEvidence, ...] = ()
