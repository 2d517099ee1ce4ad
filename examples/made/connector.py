"""What the connector host says in the two estates."""

from __future__ import annotations

import hashlib

from remediate.facts.documents import (
    CaReach,
    ConnectionStatus,
    ConnectorDocument,
    DefenderPolicy,
    DefenderStatus,
    Folder,
    PolicyServer,
    PolicyServers,
    RequestFile,
    RequestFolder,
    RequestFolders,
    Service,
)
from remediate.model.fact import Fact

from .certification_authority import machine
from .estate import ABSENT, CA_HOST, DOMAIN, ROOT_CERTIFICATE, Estate, guid, read, reading, thumbprint

_INTUNE = "C:\\Program Files\\Microsoft Intune"
_REQUESTS = f"{_INTUNE}\\PfxRequest"
_STATUS = f"{_INTUNE}\\CertificateRequestStatus"
_REVOCATION = f"{_INTUNE}\\CertificateRevocationStatus"
_POLICY_SERVER = f"https://cep.{DOMAIN}/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"


def document(estate: Estate) -> ConnectorDocument:
    """Return connector-conn1.contoso.test.json."""
    broken = estate.broken
    return ConnectorDocument(
        **reading("connector", f"conn1.{DOMAIN}"),
        machine=machine("CONN1"),
        administrator=read(True),
        services=read(_services()),
        connector_version=read("6.2301.1.0" if broken else "6.2510.3.2002"),
        enable_sid_security_extension=ABSENT if broken else read(1),
        pkcs_enabled=read(1),
        connection_status=read(_connection_status(estate)),
        legacy_connection_status=ABSENT,
        policy_servers=read(PolicyServers()),
        policy_servers_by_policy=read(_servers_of_group_policy()) if broken else ABSENT,
        policy_servers_applied=read([] if broken else ["ldap:"]),
        request_folders=(_request_folders(estate),),
        antivirus_folders=read(_antivirus_folders(estate)),
        defender_exclusions=read(["D:\\Backup"] if broken else [_REQUESTS, _STATUS, _REVOCATION]),
        defender_status=read(DefenderStatus(running_mode="Normal", tamper_protected=False, real_time_protection=True)),
        defender_policy=read(DefenderPolicy(exclusions_managed=False, local_admin_merge_disabled=False)),
        foreign_antivirus=read([]),
        trusted_roots=read([thumbprint(ROOT_CERTIFICATE).hex().upper()]),
        certification_authorities=(
            CaReach(host=CA_HOST, addresses=read(["192.0.2.21"]), rpc_endpoint_mapper=read(True)),
        ),
    )


def _services() -> list[Service]:
    programs = {
        "PfxCreateLegacyConnectorSvc": "Microsoft.Intune.ConnectorsPkiCreateLegacy.exe",
        "PkiCreateConnectorSvc": "Microsoft.Intune.ConnectorsPkiCreate.exe",
        "PkiRevokeConnectorSvc": "Microsoft.Intune.ConnectorsPkiRevoke.exe",
    }
    return [
        Service(
            name=name,
            state="Running",
            start_mode="Auto",
            start_name="LocalSystem",
            path_name=f'"{_INTUNE}\\PFXCertificateConnector\\ConnectorSvc\\{program}"',
        )
        for name, program in programs.items()
    ]


def _connection_status(estate: Estate) -> ConnectionStatus:
    if estate.broken:
        issue = "The connector could not reach the Intune service (made example text)."
        return ConnectionStatus(last_connection="2026-11-19T21:47:03Z", issue=issue)
    return ConnectionStatus(last_connection="2026-11-23T09:06:38Z")


def _servers_of_group_policy() -> PolicyServers:
    """A list without the directory's own row, which Windows then no longer adds by itself."""
    policy = "{" + str(guid("certificate enrollment policy")).upper() + "}"
    row = PolicyServer(
        id=hashlib.sha1(_POLICY_SERVER.lower().encode("utf-16-le"), usedforsecurity=False).hexdigest(),
        url=_POLICY_SERVER,
        policy_id=policy,
        friendly_name="Contoso Enrollment Policy",
        flags=0x14,
        auth_flags=2,
        cost=2147483645,
    )
    return PolicyServers(flags=0, default=policy, servers=(row,))


def _request_folders(estate: Estate) -> RequestFolders:
    failed = [("0x80094012", "2026-11-21T08:14:09Z"), ("0x80094812", "2026-11-21T08:20:47Z")]
    waiting = ["2026-11-20T13:05:38Z", "2026-11-22T18:20:29Z"]
    done = ["2026-11-22T10:31:55Z", "2026-11-23T07:58:20Z"]
    return RequestFolders(
        path=_REQUESTS,
        failed=_folder("Failed", [_file(when, code) for code, when in failed] if estate.broken else []),
        processing=_folder("Processing", [_file(when) for when in waiting] if estate.broken else []),
        succeed=_folder("Succeed", [] if estate.broken else [_file(when) for when in done]),
    )


def _folder(part: str, files: list[RequestFile]) -> Fact[RequestFolder]:
    newest_first = tuple(sorted(files, key=lambda file: file.written, reverse=True))
    return read(RequestFolder(path=f"{_REQUESTS}\\{part}", total=len(files), files=newest_first))


def _file(written: str, *codes: str) -> RequestFile:
    return RequestFile(name=f"{guid(f'request {written}')}.pfr", size=6148, written=written, codes=codes)


def _antivirus_folders(estate: Estate) -> list[Folder]:
    """Broken: the revocation folder does not exist, so that leaving it out is advice only."""
    return [
        Folder(path=_REQUESTS, exists=True),
        Folder(path=_STATUS, exists=True),
        Folder(path=_REVOCATION, exists=not estate.broken),
    ]
