"""The collectors read the lab's hosts over WinRM, and what they say is a document without a gap."""

from __future__ import annotations

from pathlib import Path

import msgspec

from remediate.facts.documents import CaDocument, ConnectorDocument
from tests.lab.clients import invoke as invoke_script
from tests.lab.clients import pool, run
from tests.lab.contoso import ADMIN, ISSUING_CA
from tests.lab.estate import Lab
from tests.lab.registry_file import number, text
from tests.lab.windows_hosts import CERTSVC, CONNECTOR_VERSION, POLICY_MODULE, ca_key, policy_key

SCRIPTS = Path(__file__).parents[2] / "scripts"
CA_CALL = "Get-CertificationAuthorityDocument -Collector 'remediate 0.1.0'"
CONNECTOR_CALL = "Get-ConnectorDocument -Collector 'remediate 0.1.0' -CertificationAuthority @('ca01.contoso.test')"


def script(role: str, call: str) -> str:
    """The functions, and the line that calls them."""
    files = [*sorted((SCRIPTS / "lib").glob("*.ps1")), SCRIPTS / "collect" / f"{role}.ps1"]
    return "\n".join([*(file.read_text("ascii") for file in files), call])


def read_ca(lab: Lab) -> CaDocument:
    [said] = run(lab.ca, script("ca", CA_CALL))
    return msgspec.json.decode(said, type=CaDocument)


def read_connector(lab: Lab) -> ConnectorDocument:
    [said] = run(lab.connector, script("connector", CONNECTOR_CALL))
    return msgspec.json.decode(said, type=ConnectorDocument)


def test_a_healthy_ca(fresh_lab: Lab) -> None:
    document = read_ca(fresh_lab)
    assert b"unreadable" not in msgspec.json.encode(document)
    assert document.read_as == ADMIN.down_level.lower()
    assert document.machine.domain.value == "contoso.test"
    assert document.machine.dns_host_name.value == "ca01.contoso.test"
    assert document.configuration_key == ca_key()
    assert document.active.value == document.common_name.value == ISSUING_CA
    assert document.ca_server_name.value == "ca01.contoso.test"
    assert document.policy_module.value == POLICY_MODULE
    assert (document.request_disposition.value, document.edit_flags.value) == (1, 0x11014E)
    assert document.interface_flags.value == 0x641
    assert document.use_defined_ca_cert_in_request.absent
    assert document.security.value is not None
    assert document.security.value.hex() == fresh_lab.ca.registry.get(ca_key(), "Security")
    assert document.ca_cert_hash.value == fresh_lab.ca.registry.get(ca_key(), "CACertHash")
    assert document.service.value is not None
    assert document.service.value.state == "Running"
    assert document.cluster_resource.value is False
    assert document.event_128.value is not None
    assert document.event_128.value.count == 0
    assert document.pending_requests.value == []
    assert document.ping.value is not None
    assert document.ping.value.code == "0x00000000"
    assert fresh_lab.ca.registry.writes() == []


def test_a_healthy_connector(fresh_lab: Lab) -> None:
    document = read_connector(fresh_lab)
    assert b'unreadable":{' not in msgspec.json.encode(document)
    assert document.services.value is not None
    assert [(one.name, one.start_name) for one in document.services.value] == [
        ("PfxCreateLegacyConnectorSvc", "LocalSystem"),
        ("PkiCreateConnectorSvc", "LocalSystem"),
        ("PkiRevokeConnectorSvc", "LocalSystem"),
    ]
    assert document.connector_version.value == CONNECTOR_VERSION
    assert document.enable_sid_security_extension.value == document.pkcs_enabled.value == 1
    assert document.connection_status.value is not None
    assert document.connection_status.value.last_connection.endswith("Z")
    assert document.legacy_connection_status.absent
    assert document.policy_servers.absent
    current, other = document.request_folders
    assert current.succeed.value is not None
    assert [(one.name, one.codes) for one in current.succeed.value.files] == [("3f2c6c1e.pfr", ("0x00000000",))]
    assert current.failed.value is not None
    assert current.failed.value.total == 0
    assert other.failed.absent
    assert document.antivirus_folders.value is not None
    assert [one.exists for one in document.antivirus_folders.value] == [True, True, True]
    assert document.defender_exclusions.value == [one.path for one in document.antivirus_folders.value]
    assert document.defender_status.value is not None
    assert document.defender_status.value.running_mode == "Normal"
    assert document.foreign_antivirus.value == []
    [reach] = document.certification_authorities
    assert reach.addresses.value == [fresh_lab.ca.address]
    assert reach.rpc_endpoint_mapper.known
    assert fresh_lab.connector.registry.writes() == []


def test_a_refused_key_takes_down_only_its_own_facts(fresh_lab: Lab) -> None:
    fresh_lab.ca.registry.deny(policy_key())
    document = read_ca(fresh_lab)
    assert document.request_disposition.unreadable is not None
    assert document.request_disposition.unreadable.code == "0x80070005"
    assert document.policy_module.value == POLICY_MODULE
    assert document.ca_type.value == 1


def test_the_active_names_are_followed(fresh_lab: Lab) -> None:
    registry = fresh_lab.ca.registry
    registry.set(f"{ca_key()}\\PolicyModules", "Active", text("Other.Policy"))
    registry.set(f"{ca_key()}\\PolicyModules\\Other.Policy", "RequestDisposition", number(0x101))
    document = read_ca(fresh_lab)
    assert document.request_disposition.value == 0x101
    assert document.edit_flags.absent
    registry.set(CERTSVC, "Active", text("Gone"))
    assert read_ca(fresh_lab).common_name.absent


def test_the_collector_is_one_command(fresh_lab: Lab) -> None:
    with pool(fresh_lab.ca) as runspace:
        shell = invoke_script(runspace, script("ca", CA_CALL))
    assert not shell.had_errors
    assert list(shell.streams.error) == []
    assert fresh_lab.ca.commands() == 1


def test_every_property_of_the_documents_is_reported(fresh_lab: Lab) -> None:
    [ca] = run(fresh_lab.ca, script("ca", CA_CALL))
    [connector] = run(fresh_lab.connector, script("connector", CONNECTOR_CALL))
    assert set(msgspec.json.decode(ca)) == set(CaDocument.__struct_fields__)
    assert set(msgspec.json.decode(connector)) == set(ConnectorDocument.__struct_fields__)
