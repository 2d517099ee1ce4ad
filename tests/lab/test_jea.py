"""The endpoint of docs/jea serves what a writer calls, by name and parameters, and nothing beside it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from remediate.actions.intents import CaValue
from remediate.actions.states import before_and_after
from remediate.actions.writing import Lease, WriteFailed
from remediate.model.errors import TransportError
from remediate.model.places import RegistryPlace
from remediate.transports.winrm import run_collector
from remediate.transports.winrm_write import FUNCTIONS, HostWriter
from remediate.triage.live_request import COMMAND
from tests.lab.clients import pool
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.jea import DOCUMENTS, jea_host
from tests.lab.registry_file import number
from tests.lab.windows_hosts import policy_key
from tests.lab.winrm.engine import pwsh
from tests.lab.writing_material import WAITING, credential, defined_ca, disposition, pending, policy_server, service
from tests.lab.writing_material import writer as new_writer


@pytest.fixture(scope="module")
def served(lab: Lab) -> Iterator[LabHost]:
    with jea_host(lab) as host:
        yield host


@pytest.fixture
def host(served: LabHost) -> Iterator[LabHost]:
    served.forget()
    with served.restored():
        yield served


@pytest.fixture
def writer(lab: Lab, host: LabHost) -> Iterator[HostWriter]:
    found = new_writer(lab, host, configuration_name="Remediate")
    yield found
    found.close()


@pytest.mark.parametrize(
    "name", ["README.md", "Remediate.psrc", "RemediateReader.psrc", "Remediate.pssc", "Remediate.psm1"]
)
def test_what_is_shipped_is_ascii(name: str) -> None:
    assert (DOCUMENTS / name).read_bytes().isascii()


def data_file(name: str) -> dict[str, Any]:
    """A file of docs/jea as PowerShell reads it: data, and no command in it."""
    line = f"Import-PowerShellDataFile -LiteralPath '{DOCUMENTS / name}' | ConvertTo-Json -Depth 6"
    program = pwsh()
    if program is None:
        pytest.skip("there is no pwsh on PATH")
    done = subprocess.run([program, "-NoProfile", "-Command", line], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_the_role_has_every_function_that_is_called() -> None:
    functions = data_file("Remediate.psrc")["VisibleFunctions"]
    listed = {one if isinstance(one, str) else one["Name"] for one in functions}
    assert set(FUNCTIONS) <= listed <= {*FUNCTIONS, "Get-HostLock"}


def test_the_role_writes_what_the_playbooks_write() -> None:
    functions = data_file("Remediate.psrc")["VisibleFunctions"]
    [setting] = [one for one in functions if not isinstance(one, str) and one["Name"] == "Set-CaRegistryValue"]
    allowed = {one["Name"]: one.get("ValidateSet") for one in setting["Parameters"]}
    assert set(allowed["Name"]) == {value.registry_name for value in CaValue}
    assert set(allowed["CertutilName"]) == {value.certutil_name for value in CaValue}


def test_the_reading_role_has_the_one_function_that_triage_calls() -> None:
    assert data_file("RemediateReader.psrc")["VisibleFunctions"] == [COMMAND]


def test_the_endpoint_is_as_narrow_as_there_is() -> None:
    session = data_file("Remediate.pssc")
    assert session["SessionType"] == "RestrictedRemoteServer"
    assert session["RunAsVirtualAccount"] is True
    assert "LanguageMode" not in session


def test_a_registry_value_read_written_and_read_back(host: LabHost, writer: HostWriter) -> None:
    host.registry.set(policy_key(), "RequestDisposition", number(257))
    host.forget()
    for one in (disposition(host), defined_ca(host)):
        before, after = before_and_after(one)
        assert writer.read(one) == before
        assert writer.write(one, before=before, after=after) == ""
        assert writer.read(one) == after
        writer.write(one, before=after, after=before)
        assert writer.read(one) == before
    assert len(host.registry.writes()) == 4


def test_everything_else_that_a_host_takes(host: LabHost, writer: HostWriter) -> None:
    host.change_state(pending_requests=[WAITING])
    assert writer.identity()["MachineGuid"]
    restart = service(host, "restart_service", "Running")
    for one in (restart, pending(host), policy_server(host)):
        before, after = before_and_after(one)
        assert writer.lacks(one) == ""
        writer.write(one, before=before, after=after)
        assert writer.read(one) == after
    mine = Lease(run="a", who="x", token="0a" * 16, seconds=60)
    assert writer.lock(mine) is None
    assert writer.renew(mine) == ""
    other = writer.lock(Lease(run="b", who="y", token="0b" * 16, seconds=60))
    assert other is not None
    assert other.run == "a"
    assert writer.holder(token="0b" * 16) is not None
    writer.unlock(token=mine.token)
    assert writer.holder(token="0b" * 16) is None


def test_scripts_are_refused(lab: Lab, host: LabHost) -> None:
    with pytest.raises(TransportError) as error:
        run_collector(host.fqdn, credential(), script="'x'", call={}, deadline=10.0)
    assert "ScriptsNotAllowed" in error.value.why
    with pytest.raises(TransportError) as error:
        new_writer(lab, host).identity()
    assert "functions" in error.value.what
    assert "ScriptsNotAllowed" in error.value.why
    assert host.registry.writes() == []


@pytest.mark.parametrize("command", ["Get-Content", "Invoke-Expression", "Invoke-WritingProgram", "Get-RegistryKey"])
def test_other_commands_do_not_exist(host: LabHost, command: str) -> None:
    from pypsrp.powershell import PowerShell

    with pool(host) as runspace:
        shell = PowerShell(runspace)
        shell.add_cmdlet(command)
        shell.invoke()
    assert [str(one.fq_error).partition(",")[0] for one in shell.streams.error] == ["CommandNotFoundException"]


def test_other_values_of_a_ca_are_refused(host: LabHost, writer: HostWriter) -> None:
    one = disposition(host)
    assert isinstance(one.place, RegistryPlace)
    flags = replace(one, place=RegistryPlace(host.fqdn, one.place.key, "EditFlags", "policy\\EditFlags"))
    with pytest.raises(TransportError) as unread:
        writer.read(flags)
    assert "ParameterArgumentValidationError" in unread.value.why
    with pytest.raises(WriteFailed) as unwritten:
        writer.write(flags, before={"EditFlags": "1114446"}, after={"EditFlags": "0"})
    assert "ParameterArgumentValidationError" in unwritten.value.why
    assert not unwritten.value.unresolved
    assert host.registry.writes() == []
